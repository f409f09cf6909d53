"""What goes back to the shipper: the flagged record itself, enriched under the one field `pluginhost`. Pure.

The record stays as it came; a field of that name which it already had stands under `pluginhost.previous`. A timer's
finding has no record and goes as its alert document. Both carry the marks of the loop guard, `host` and `hop`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["flagged", "with_original"]


def flagged(document: Mapping[str, Any], hostname: str, *, evidence: bool = False) -> dict[str, Any]:
    """The record that the alert `document` is about, enriched, or the document itself if it is about none.

    `evidence` adds the events that the alert kept. The result depends on nothing else, so a resend has the same bytes.
    """
    ours = document.get("pluginhost")
    ours = ours if isinstance(ours, Mapping) else {}
    record = ours.get("record")
    if not isinstance(record, Mapping):
        return {**document, "pluginhost": {**ours, "host": hostname, "hop": 1}}
    before = record.get("pluginhost")
    added: dict[str, Any] = {"host": hostname, "hop": _hops(before) + 1, "alert": _summary(document, ours)}
    tag = _of(ours, "source", "tag")
    if tag is not None:
        added["tag"] = tag
    if evidence and ours.get("events"):
        added["evidence"] = ours["events"]
    if before is not None:
        added["previous"] = before
    return {**record, "pluginhost": added}


def with_original(record: dict[str, Any], original: str) -> dict[str, Any]:
    """`record` with an `event.original`: Logstash puts the whole request body there when a lone record has none."""
    event = record.get("event", {})
    if not isinstance(event, Mapping) or "original" in event:
        return record
    return {**record, "event": {**event, "original": original}}


def _summary(document: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The alert in short, without what the document does not say."""
    made = {
        "id": _of(document, "event", "id"),
        "severity": _of(document, "log", "level"),
        "rule": _of(document, "rule", "id"),
        "analyzer": ours.get("analyzer"),
        "message": document.get("message"),
        "reason": _of(document, "event", "reason"),
        "risk": _of(document, "event", "risk_score"),
        "fingerprint": _of(ours, "alert", "fingerprint"),
        "suppressed": _of(ours, "alert", "suppressed"),
        "time": document.get("@timestamp"),
    }
    return {name: value for name, value in made.items() if value is not None}


def _hops(before: Any) -> int:
    hop = before.get("hop") if isinstance(before, Mapping) else None
    return hop if isinstance(hop, int) and not isinstance(hop, bool) and hop >= 0 else 0


def _of(value: Mapping[str, Any], *path: str) -> Any:
    found: Any = value
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
