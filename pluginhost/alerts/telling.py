"""Who is told of an alert, when, and together with what: the terms of an output that notifies people, and what one message holds. Pure.

Findings go by event time; telling goes by the clock, because people do. What is gathered lies open until its time has come; what
comes faster than an audience takes it is gathered too, and told when there is room again. Nothing is left out without being counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any, cast

import msgspec

from ..detect.finding import SEVERITIES
from ..events.fields import Document
from .calendar import Hours, Schedule
from .notification import ALERTS, Kind, Notification, Table, severity_of

__all__ = ["MEMBERS", "Audience", "Gather", "Limit", "Turn", "composed", "kind_of", "message", "notification_id", "turn"]

MEMBERS = 2_000
"""The most alerts of a digest that are looked at; more are counted."""

_ROWS = 50  # of a summary table
_LONGEST = 200  # characters of a value in it, and of a window's key
_LARGEST = 32 << 10  # bytes of a record or of evidence beyond which a notification goes without; characters of any text in it
_HEAVY, _SMALLER = 128 << 10, (2000, 200)  # bytes of a document beyond which its texts and lists are cut to so many, step by step


class Gather(msgspec.Struct, frozen=True):
    """Alerts are told together: for `every` ns from the first on, or at the next time of `schedule`; apart by the values of fields in `by`.

    `table` are the fields whose values the digest counts.
    """

    every: int = 0
    schedule: Schedule | None = None
    by: tuple[str, ...] = ()
    table: tuple[str, ...] = ()


class Limit(msgspec.Struct, frozen=True):
    """The most messages in any `per` ns."""

    most: int
    per: int


class Audience(msgspec.Struct, frozen=True):
    """The terms of one output: at which hours it is told and whether what falls outside is kept until then, what is gathered, the most
    it takes, whether it hears that a condition is over."""

    output: str
    hours: Hours | None = None
    hold: bool = False
    gather: Gather | None = None
    limit: Limit | None = None
    resolved: bool = False


class Turn(msgspec.Struct, frozen=True):
    """When an alert is told: at `due` (ns), with whatever else has this `key` until then; at once and alone where `key` is None.

    `why` says why it is gathered.
    """

    due: int
    key: str | None = None
    why: str = ""


def turn(document: Mapping[str, Any], kind: Kind, audience: Audience, now: int, taken: Sequence[int]) -> Turn | None:
    """When the audience is told of an alert that came at `now` (ns), or None: not at all.

    `taken` are the times (ns) of the last messages that it got or is about to get, the oldest first, as many as its limit or fewer.
    """
    if kind == "resolved" and not audience.resolved:
        return None
    if audience.hours is not None and not audience.hours.holds(now):
        return Turn(audience.hours.next(now), "hours", "outside of the hours") if audience.hold else None
    if (gather := audience.gather) is not None:
        due = gather.schedule.next(now) if gather.schedule is not None else now + gather.every
        view = Document(document)
        values = [str(view.get(field, ""))[:_LONGEST] for field in gather.by]
        return Turn(due, "\x1f".join(["gather", *values]), "gathered")
    limit = audience.limit
    if limit is not None and len(taken) >= limit.most and taken[-limit.most] + limit.per > now:
        return Turn(taken[-limit.most] + limit.per, "limit", f"more than {limit.most} messages in {limit.per // 10**9} s")
    return Turn(now)


def notification_id(output: str, alert: str) -> str:
    """The id of the message to `output` that the alert of this id begins: the same at every try, and after a crash."""
    return sha256(f"notification\0{output}\0{alert}".encode()).hexdigest()


def composed(id_: str, kind: Kind, documents: Sequence[Mapping[str, Any]], *, count: int, why: str = "",
             fields: Sequence[str] = ()) -> Notification:  # fmt: skip
    """The message about these alerts, the oldest first, of `count`; one of which only one came is as if it had not waited."""
    if kind == "digest" and count == 1:
        kind, why, fields = kind_of(documents[0]), "", ()
    table = _table(documents, fields) if fields else None
    return Notification(id_, kind, tuple(_light(documents[number]) for number in _gravest(documents)), count, why, table)


def kind_of(document: Mapping[str, Any]) -> Kind:
    """What a message about this alert alone is."""
    told = document.get("pluginhost", {}).get("alert", {})
    return "resolved" if told.get("status") else "escalated" if told.get("escalated") else "alert"


def _gravest(documents: Sequence[Mapping[str, Any]]) -> list[int]:
    """The places of those that a message has room for, so that none that is as grave as it gets is left out."""
    graver = sorted(range(len(documents)), key=lambda number: -SEVERITIES[severity_of(documents[number])])
    return sorted(graver[:ALERTS])


def message(id_: str, kind: str, documents: Sequence[bytes], count: int, why: str, fields: Sequence[str]) -> bytes:
    """The message about these alerts, all of them JSON: what a store composes when it is due."""
    found = [msgspec.json.decode(one, type=dict[str, Any]) for one in documents]
    return msgspec.json.encode(composed(id_, cast(Kind, kind), found, count=count, why=why, fields=fields))


def _table(documents: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> Table:
    counted = Counter(tuple(_shown(Document(one).get(field)) for field in fields) for one in documents)
    return Table(tuple(fields), tuple(counted.most_common(_ROWS)))


def _shown(value: Any) -> str:
    shown = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _light(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what is too large for a message; the alert itself keeps it."""
    ours = {name: value for name, value in document.get("pluginhost", {}).items()
            if name not in ("record", "events") or len(msgspec.json.encode(value)) <= _LARGEST}  # fmt: skip
    made: dict[str, Any] = {**document, "pluginhost": ours}
    for most in (_LARGEST, *_SMALLER):
        made = _cut(made, most)
        if len(msgspec.json.encode(made)) <= _HEAVY:
            break
    return made


def _cut(value: Any, most: int) -> Any:
    """The value with at most so many characters in each text, and elements in each list and object."""
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}…"
    if isinstance(value, dict):
        return {name: _cut(inner, most) for name, inner in islice(value.items(), most)}
    return [_cut(one, most) for one in value[:most]] if isinstance(value, list) else value
