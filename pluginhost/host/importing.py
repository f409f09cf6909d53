"""An alert document that comes from elsewhere → an alert of this store, which is told to nobody.

What the store keeps beside a document is read from it: an exported alert comes back as it was, but for its state and what was noted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..alerts.risk import entities
from ..detect.finding import SEVERITIES
from ..store.alerts import NewAlert
from ..wire.times import parse

__all__ = ["LONGEST", "imported"]

LONGEST = 4 << 20
"""Bytes of a document that can be imported."""

_TEXT = 1000  # characters of what is no document: ids, names, the headline


def imported(line: bytes) -> NewAlert:
    """The alert in a line of JSON; `ValueError` says why there is none."""
    try:
        document = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"it is no JSON object: {error}") from None
    names = entities(document)
    ours, event = _at(document, "pluginhost"), _at(document, "event")
    alert = _at(ours, "alert")
    sequence = event.get("sequence")
    return NewAlert(
        id=_text(event, "id") or _missing("event.id"), time=_time(document), severity=_severity(document, event),
        analyzer=_text(ours, "analyzer") or _text(_at(document, "rule"), "id") or _missing("pluginhost.analyzer"),
        fingerprint=_text(alert, "fingerprint") or _missing("pluginhost.alert.fingerprint"),
        sequence=sequence if isinstance(sequence, int) and 0 < sequence < 1 << 53 else 1,
        headline=_text(document, "message"), document=bytes(line), suppressed=_reasons(alert.get("suppressed")),
        user=names.get("user", ""), source=names.get("address", ""),
    )  # fmt: skip


def _at(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _text(inner: Mapping[str, Any], name: str) -> str:
    found = inner.get(name)
    return found[:_TEXT] if isinstance(found, str) else ""


def _missing(field: str) -> str:
    raise ValueError(f"it has no {field}")


def _time(document: Mapping[str, Any]) -> int:
    found = document.get("@timestamp")
    time = parse(found) if isinstance(found, str) else None
    if time is None or not -(1 << 63) <= time < 1 << 63:
        raise ValueError("it has no @timestamp, or none that can be read")
    return time


def _severity(document: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The word in `log.level`, or that of the number in `event.severity`: the highest that it reaches."""
    if (word := _text(_at(document, "log"), "level")) in SEVERITIES:
        return word
    number = event.get("severity")
    if not isinstance(number, (int, float)):
        return _missing("log.level")
    return max((word for word, least in SEVERITIES.items() if least <= number), key=SEVERITIES.__getitem__, default="low")


def _reasons(found: Any) -> tuple[str, ...]:
    """Why it was told to nobody; a reason is one word."""
    reasons = found if isinstance(found, list) else [found]
    return tuple("_".join(one.split())[:_TEXT] for one in reasons[:100] if isinstance(one, str) and one.split())
