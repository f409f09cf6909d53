"""What is told to a client of Elasticsearch that asks before it sends: all is well, all is there, and nothing is in it.

Shippers look for a version they know, a licence, and for templates, policies and pipelines that they would else set up. No record and no
secret is here.
"""

from __future__ import annotations

from typing import Any

__all__ = ["told"]

_LICENSE = {"uid": "00000000-0000-0000-0000-000000000000", "type": "basic", "mode": "basic", "status": "active",
            "expiry_date_in_millis": 4_000_000_000_000}  # fmt: skip
_FEATURES = {name: {"available": True, "enabled": True} for name in ("ilm", "data_streams")}
_HEALTH = {"cluster_name": "pluginhost", "status": "green", "timed_out": False, "number_of_nodes": 1, "number_of_data_nodes": 1,
           **{f"{kind}_shards": 0 for kind in ("active_primary", "active", "relocating", "initializing", "unassigned")}}  # fmt: skip
_ANSWERS: dict[str, Any] = {
    "_license": {"license": _LICENSE},
    "_xpack": {"license": _LICENSE, "features": _FEATURES, "tagline": "You know, for X"},
    "_nodes": {"_nodes": {"total": 0, "successful": 0, "failed": 0}, "cluster_name": "pluginhost", "nodes": {}},
    "_cat": "",
}
_THERE = ("_alias", "_aliases", "_component_template", "_data_stream", "_ilm", "_index_template", "_ingest", "_logstash", "_template")


def told(method: str, path: str, *, version: str, name: str) -> dict[str, Any] | str | None:
    """The answer to `method` on `path` (without slashes around it): an object, text, or None for what is not known here."""
    if method not in ("GET", "HEAD", "PUT", "POST"):
        return None
    if not path:
        return {"name": name, "cluster_name": "pluginhost", "cluster_uuid": "pluginhost", "tagline": "You Know, for Search",
                "version": {"number": version, "build_flavor": "default", "build_type": "docker"}}  # fmt: skip
    first, _, rest = path.partition("/")
    if first == "_cluster":
        return _HEALTH if rest.partition("/")[0] == "health" else None
    if first in _ANSWERS:
        return "pluginhost green\n" if path == "_cat/health" else _ANSWERS[first]
    if first not in _THERE and (rest or first.startswith("_")):
        return None
    return {"acknowledged": True} if method in ("PUT", "POST") else {}
