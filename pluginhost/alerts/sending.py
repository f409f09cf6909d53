"""What an output adds to a document at each try, and only then: when it is sent, and how late that is. Pure.

None of it stands in the embedded store, and replays have none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..wire.times import SECOND, iso
from .document import laid

__all__ = ["stamped", "with_lag"]


def stamped(document: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The document with `event.ingested`, `now` (ns): by that late ones are found."""
    return laid(document, ("event",), {"ingested": iso(now, 3)})


def with_lag(document: Mapping[str, Any], time: int, now: int) -> Mapping[str, Any]:
    """The document, an alert's with `pluginhost.alert.lag`: seconds from its `time` to `now` (both ns), to the millisecond.

    Below zero the clock of whoever wrote the record is ahead of ours. The end of a condition and a score have none, nor has what a
    backtest found, which says nothing of how late people hear.
    """
    event, ours = document.get("event"), document.get("pluginhost")
    if not isinstance(event, Mapping) or event.get("kind") != "alert" or not isinstance(ours, Mapping) or "backtest" in ours:
        return document
    return laid(document, ("pluginhost", "alert"), {"lag": round((now - time) / SECOND, 3)})
