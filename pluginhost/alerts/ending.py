"""The document that says that a group's condition is over, where no record has said so: people closed it, or nothing came for long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..wire.times import iso
from .document import RESOLVED, laid
from .ids import change_id

__all__ = ["Ended", "over"]


class Ended(msgspec.Struct, frozen=True):
    """An end, as a finding would be: see `Finding` of the engine."""

    id: str
    analyzer: str
    fingerprint: str
    time: int
    message: str
    document: bytes


def over(last: Mapping[str, Any], sequence: int, time: int, by: str = "", note: str = "") -> Ended:
    """The end, at `time` (ns), of the group whose latest alert has this document and whose next `event.sequence` is `sequence`.

    `by` is who closed it; if nobody did, nothing has come for long. The document may have been imported: it need not be one of ours.
    """
    ours, seen = last["pluginhost"], last.get("observer")
    analyzer = str(ours.get("analyzer") or last["rule"]["id"])
    print_, headline = str(ours["alert"]["fingerprint"]), str(last.get("message", ""))
    id_ = change_id(str(last["event"]["id"]), sequence)  # by the fingerprint it could come again: a group once forgotten counts from 1
    told = f"closed by {by}" + (f": {note}" if note else "") if by else "nothing more came of it"
    event = {**last["event"], "id": id_, "kind": "event", "type": ["end"], "reason": told, "end": iso(time, 3), "risk_score": 0.0,
             "risk_score_norm": 0.0}  # fmt: skip
    kept = {name: ours[name] for name in ("source", "incident") if name in ours} | {"analyzer": analyzer}
    alert = {"fingerprint": print_, "count": ours["alert"].get("count", 1), "status": RESOLVED}
    made = {**laid(last, ("event",), event), "@timestamp": iso(time, 3), "pluginhost": {**kept, "alert": alert},
            "observer": seen if isinstance(seen, Mapping) else {}}  # fmt: skip
    made.pop("threat", None)
    return Ended(id_, analyzer, print_, time, headline, msgspec.json.encode(made))
