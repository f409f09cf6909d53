"""Login documents as BuffaLogs reads them: ECS, in indices whose prefix says which system was logged in to.

Nothing in them needs another name. What is added is that prefix as `event.dataset` (two systems of one user are two habits), and
the place as one object where a shipper has flattened it or written its numbers as text. Latitude and longitude of 0 are a place.
"""

from __future__ import annotations

from typing import Any

from ..aliases import tops
from ..fields import MISSING, lookup, values
from ..mapping import Example, Keys, Mapping, Record
from .kinds import Found, Read, point

__all__ = ["MAPPINGS"]

_ANY = Found()
_PROXY = "fw-proxy"
_LOCATION = "source.geo.location"


def _extract(record: Record) -> Found | None:
    """Only logins: other documents carry the name of an index, too."""
    return _ANY if "authentication" in values(lookup(record, "event.category")) else None


def _prefix(record: Record) -> Any:
    """`fw-proxy`, or the index's name up to its first `-`."""
    index = record.get("_index")
    if not isinstance(index, str) or not index:
        return MISSING
    return _PROXY if index.startswith(_PROXY) else index.partition("-")[0] or MISSING


def _place(record: Record) -> Any:
    return point(lookup(record, f"{_LOCATION}.lat", None), lookup(record, f"{_LOCATION}.lon", None))


_READ: dict[str, Read] = {"event.dataset": _prefix, _LOCATION: _place}
_LOGIN: dict[str, Any] = {
    "@timestamp": "2026-11-21T10:00:00Z", "_index": "fw-proxy-test_data-2026-11-21", "_id": "b7", "user": {"name": "Alice"},
    "event": {"category": ["authentication"], "type": ["start"], "outcome": "success"},
    "user_agent": {"original": "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0"},
    "source": {
        "ip": "203.0.113.9", "intelligence_category": "anonymizer", "as": {"organization": {"name": "example telecom"}},
        "geo": {"country_name": "Ghana", "location": {"lat": 0, "lon": 0}},
    },
}  # fmt: skip
_FLAT = {
    "_index": "cloud-2026.11.21", "event.category": "authentication", "event.outcome": "success", "event.type": "start",
    "user.name": "alice", "source.ip": "203.0.113.9", "source.geo.location.lat": "48.2", "source.geo.location.lon": "-0.0",
}  # fmt: skip
_SEEN = {
    "event.dataset": "fw-proxy", "event.category": ["authentication"], "event.outcome": "success", "user.name": "Alice",
    "source.ip": "203.0.113.9", "source.geo.country_name": "Ghana", "source.geo.location": {"lat": 0, "lon": 0},
    "source.as.organization.name": "example telecom", "source.intelligence_category": "anonymizer",
}  # fmt: skip
_EXAMPLES = (
    Example(_LOGIN, _SEEN),
    Example(_FLAT, {"event.dataset": "cloud", "user.name": "alice", "source.geo.location": {"lat": 48.2, "lon": -0.0}}),
    Example({**_LOGIN, "_index": "weblog"}, {"event.dataset": "weblog"}),
    Example({**_FLAT, "source.geo.location.lat": "north"}, {"event.dataset": "cloud"}, ("source.geo.location",)),
    Example({**_FLAT, "_index": None, "source.geo.location.lon": 181}, {"user.name": "alice"}, ("event.dataset", "source.geo.location")),
    Example({"_index": "metrics-1", "event": {"category": "web"}}, {}, ("event.dataset",)),
)

MAPPINGS: tuple[Mapping, ...] = (
    Mapping(
        "buffalogs", "logins in BuffaLogs' indices: their prefix, their place", Keys(("_index",), ("event", "event.category")), read=_READ,
        extract=_extract, reads=("_index", "event", "event.category", *tops(f"{_LOCATION}.{part}" for part in ("lat", "lon"))),
        gives=frozenset(), examples=_EXAMPLES,
    ),
)  # fmt: skip
