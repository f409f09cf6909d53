"""A monitor of OpenSearch's alerting over the alerts' stream: looked at here as in `standing`, by the same steps.

Its name ends with a mark, `(pluginhost N)`: the alerting interface gives back nothing else that is ours to choose. Whether it is switched
on, and whom its trigger tells, is its users' to say and outlives an update.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .cluster import Answered, Cluster
from .standing import Request, Step, absent, lacking

__all__ = ["monitor_removal", "monitor_step"]

_MONITORS = "/_plugins/_alerting/monitors"
_NAME = re.compile(r"(.{1,200}) \(pluginhost ([0-9]{1,6})\)")


async def monitor_step(cluster: Cluster, body: Mapping[str, Any]) -> Step:
    """What should be done for the monitor `body` to stand. Raises what the cluster raises, unless the answer is a plain no."""
    name, newest = _named(body)
    what = f"monitor {name}"
    try:
        hit = await _standing(cluster, name)
    except Answered as error:
        return Step("cannot", what, "this server has no alerting") if absent(error) else lacking(what, error)
    if hit is None:
        return Step("create", what, f"version {newest}, switched off", (Request("POST", _MONITORS, body),))
    there = _monitor(hit)
    (_, version), switched = _named(there), "on" if there.get("enabled") is True else "off"
    if version is None:
        return Step("leave", what, "it is not pluginhost's")
    if version > (newest or 0):
        return Step("leave", what, f"it is newer ({version}) than ours ({newest})")
    if version == newest:
        return Step("ok", what, f"version {version}, switched {switched}")
    last = {"if_seq_no": str(hit.get("_seq_no")), "if_primary_term": str(hit.get("_primary_term"))}
    put = Request("PUT", _path(hit), _kept(body, there), last)
    return Step("update", what, f"from version {version} to {newest}, switched {switched}", (put,))


async def monitor_removal(cluster: Cluster, body: Mapping[str, Any]) -> Step:
    """Whether the monitor should go."""
    name, _ = _named(body)
    what = f"monitor {name}"
    try:
        hit = await _standing(cluster, name)
    except Answered as error:
        return Step("ok", what, "this server has no alerting") if absent(error) else lacking(what, error)
    if hit is None:
        return Step("ok", what, "it is not there")
    if _named(_monitor(hit))[1] is None:
        return Step("leave", what, "it is not pluginhost's")
    return Step("remove", what, "", (Request("DELETE", _path(hit)),))


async def _standing(cluster: Cluster, name: str) -> Mapping[str, Any] | None:
    """The monitor of that name, ours before another; None if there is none."""
    try:
        answer = await cluster.ask("POST", f"{_MONITORS}/_search",
                                   body={"size": 100, "query": {"match_phrase": {"monitor.name": name}}})  # fmt: skip
    except Answered as error:
        if error.status == 404:  # no monitor was ever made
            return None
        raise
    hits = answer.get("hits", {}).get("hits", ())
    known = [hit for hit in hits if isinstance(hit, Mapping) and _named(_monitor(hit))[0] == name]
    return max(known, key=lambda hit: _named(_monitor(hit))[1] or -1, default=None)


def _monitor(hit: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a hit holds: releases differ in whether it stands under its type."""
    source = hit.get("_source")
    inner = source.get("monitor", source) if isinstance(source, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def _named(monitor: Mapping[str, Any]) -> tuple[str, int | None]:
    """The name without its mark, and the version in that."""
    name = str(monitor.get("name", ""))
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def _path(hit: Mapping[str, Any]) -> str:
    return f"{_MONITORS}/{quote(str(hit.get('_id')), safe='')}"


def _kept(body: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """`body` with what users said of the one that stands."""
    actions = {trigger.get("id"): trigger.get("actions", []) for trigger in map(_trigger, there.get("triggers") or ())}
    ours = [{**one, "actions": actions.get(one["id"], one["actions"])} for one in map(_trigger, body["triggers"])]
    return {**body, "enabled": there.get("enabled") is True, "triggers": [{"query_level_trigger": one} for one in ours]}


def _trigger(one: Any) -> Mapping[str, Any]:
    inner = one.get("query_level_trigger", one) if isinstance(one, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}
