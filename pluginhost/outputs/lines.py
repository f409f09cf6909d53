"""An alert or a score as one line of JSON: the document, or the flagged record enriched. For outputs that write lines or arrays. Pure."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from ..alerts.flagged import flagged, with_original
from ..alerts.sanitise import plain
from ..alerts.scores import sent
from ..alerts.sending import stamped, with_lag
from .port import Outgoing

__all__ = ["line", "score_line"]


def line(alert: Outgoing, what: Literal["alert", "record"], hostname: str, now: int, *, original: bool = False) -> bytes:
    """One line with its end. A document is stamped as sent `now` (ns); with `original` either gets an `event.original` if it has none."""
    document = msgspec.json.decode(alert.document, type=dict[str, Any])
    made = stamped(with_lag(document, alert.time, now), now) if what == "alert" else flagged(document, hostname)
    if original:
        made = with_original(made, _original(document, alert))
    return msgspec.json.encode(plain(made)) + b"\n"


def score_line(score: Outgoing, namespace: str, observer: str, now: int) -> bytes:
    """One line with its end: the score's document as `namespace` gets it from the host called `observer`."""
    document = sent(msgspec.json.decode(score.document, type=dict[str, Any]), namespace, observer)
    return msgspec.json.encode(plain(stamped(document, now))) + b"\n"


def _original(document: dict[str, Any], alert: Outgoing) -> str:
    event = document.get("event")
    told = event.get("original") if isinstance(event, dict) else None
    return told if isinstance(told, str) else alert.document.decode("utf-8", "backslashreplace")
