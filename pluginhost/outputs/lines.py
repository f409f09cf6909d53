"""An alert as one line of JSON: the document, or the flagged record enriched. For outputs that write lines or arrays. Pure."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..alerts.flagged import flagged, with_original
from ..alerts.sanitise import plain
from ..wire.times import iso
from .port import Outgoing

__all__ = ["line"]


def line(alert: Outgoing, what: Literal["alert", "record"], hostname: str, now: int, *, original: bool = False) -> bytes:
    """One line with its end. A document gets `event.ingested`; with `original` either gets an `event.original` if it has none."""
    document = msgspec.json.decode(alert.document, type=dict[str, Any])
    if what == "alert":
        event = document.get("event")
        made = {**document, "event": {**event, "ingested": iso(now, 3)}} if isinstance(event, dict) else document
    else:
        made = flagged(document, hostname)
    if original:
        made = with_original(made, _original(document, alert))
    return msgspec.json.encode(plain(made)) + b"\n"


def _original(document: dict[str, Any], alert: Outgoing) -> str:
    event = document.get("event")
    told = event.get("original") if isinstance(event, dict) else None
    return told if isinstance(told, str) else alert.document.decode("utf-8", "backslashreplace")
