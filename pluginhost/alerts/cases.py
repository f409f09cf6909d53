"""The state of a group of alerts, and what alerts and people make of it. Pure; an incident goes by the same rules for people.

A *told* alert opens a group's state, or opens it again once it was resolved; a suppressed one makes none. The `revision` rises with
every change and never falls, so that of two writes of a state the later is known by it. Whatever is to be found in the audit trail is
the difference of two states in the fields `AUDITED`: the entries of a group, laid one over the other, give its state in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from ..detect.finding import SEVERITIES
from ..problem import Problem, printable
from ..wire.times import SECOND, iso
from .document import laid

__all__ = ["ACTIONS", "AUDITED", "STATUSES", "VERDICTS", "Action", "Alerted", "Case", "State", "alerted", "changed", "checked", "composed",
           "difference", "gravest", "happened", "joined", "risen", "told"]  # fmt: skip

STATUSES: Final = ("open", "acknowledged", "in_progress", "resolved")
"""What a state may say of how far people are, in order."""

VERDICTS: Final = ("true", "false", "benign")
"""What a resolved alert turned out to be: right, wrong, or right about something that is allowed."""

ACTIONS: Final = ("ack", "assign", "start", "resolve", "reopen", "note", "tag", "untag", "link")
"""What people can do."""

AUDITED: Final = ("status", "verdict", "assignee", "tags", "links", "severity", "incident")
"""The fields whose changes are kept in the audit trail; the rest is counted."""

_MOST: Final[Mapping[str, tuple[int, int]]] = {"tags": (50, 64), "links": (50, 2000)}  # how many, and of how many characters
_NOTE, _NAME, _KEPT = 10_000, 200, 1000  # characters of a note, of a name, of the note that stays in the state
_REOPENED: Final[Mapping[str, Any]] = {"status": "open", "verdict": "", "acknowledged": 0, "resolved": 0}
_DATES = ("first", "last", "opened", "acknowledged", "resolved")
_SPANS: Final[Mapping[str, str]] = {"time_to_acknowledge": "acknowledged", "time_to_resolve": "resolved"}  # since it was opened
_SHOWN = ("status", "verdict", "severity", "assignee", "tags", "links", "revision", "alerts", "suppressed", *_DATES, "by", "note",
          "incident")  # fmt: skip


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people work on, a group or an incident. `first` and `last` are event times of its alerts; `opened` (anew), `acknowledged` and
    `resolved` are when that happened, 0: not since; all in ns. `by` and `note` are of the last who changed something by hand."""

    revision: int
    status: str = "open"
    verdict: str = ""
    assignee: str = ""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    severity: str = "low"
    alerts: int = 0
    first: int = 0
    last: int = 0
    opened: int = 0
    acknowledged: int = 0
    resolved: int = 0
    by: str = ""
    note: str = ""


class State(Case, frozen=True, kw_only=True, omit_defaults=True):
    """Of the group `fingerprint`: `alerts` counts those told, `severity` is the gravest since it was opened; its incident, 0: none.

    `analyzer`, `headline` and `alert`, its id, are of the last alert that was told; `entities` are what its alerts spoke of last, by which
    it comes into incidents.
    """

    fingerprint: str
    suppressed: int = 0
    analyzer: str = ""
    headline: str = ""
    alert: str = ""
    entities: tuple[str, ...] = ()
    incident: int = 0


class Alerted(msgspec.Struct, frozen=True):
    """An alert as its group's state sees it; `ended` says that it tells of the end of what the group is about."""

    id: str
    fingerprint: str
    time: int
    severity: str
    analyzer: str
    headline: str
    suppressed: bool = False
    ended: bool = False


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody does: its name (`ACTIONS`), who, and what it takes; `values` are tags or links."""

    name: str
    by: str
    note: str = ""
    verdict: str = ""
    assignee: str = ""
    values: tuple[str, ...] = ()


C = TypeVar("C", bound=Case)


def risen(revision: int, now: int) -> int:
    """The revision after this one at `now` (ns): the clock's ms, or the next number where the clock has not come further."""
    return max(revision + 1, now // 1_000_000)


def gravest(*severities: str) -> str:
    """The highest of these severities."""
    return max(severities, key=lambda one: SEVERITIES.get(one, 0))


def alerted(state: State | None, alert: Alerted, now: int, floor: int = 0) -> State | None:
    """The state with one more alert at `now` (ns); None if there is none still. A new one's revision is above `floor`.

    The end of what the group is about is no alert: it is not counted, and the document of the last alert stays the group's.
    """
    if state is None and (alert.suppressed or alert.ended):
        return None
    state = state or State(revision=floor, fingerprint=alert.fingerprint, first=alert.time, opened=now, severity=alert.severity)
    return msgspec.structs.replace(state, revision=risen(state.revision, now), **_with(state, alert, now))


def _with(state: State, alert: Alerted, now: int) -> dict[str, Any]:
    """The fields that the alert changes."""
    if alert.ended:
        return {} if state.status == "resolved" else {"status": "resolved", "resolved": now, "by": "condition"}
    if alert.suppressed:
        return {"suppressed": state.suppressed + 1}
    again = {**_REOPENED, "opened": now, "severity": alert.severity, "by": ""} if state.status == "resolved" else \
        {"severity": gravest(state.severity, alert.severity)}  # fmt: skip
    return {"alerts": state.alerts + 1, "first": min(state.first, alert.time), "last": max(state.last, alert.time),
            "analyzer": alert.analyzer, "headline": alert.headline, "alert": alert.id, **again}  # fmt: skip


def joined(state: State, incident: int, now: int) -> State:
    """The state of a group that has come into an incident."""
    return msgspec.structs.replace(state, incident=incident, revision=risen(state.revision, now))


def happened(before: State | None, after: State) -> str:
    """What the audit trail calls the change that an alert made: `opened`, `reopened`, `resolved`, `escalated`, or "" for none."""
    if before is None:
        return "opened"
    if before.status != after.status:
        return "resolved" if after.status == "resolved" else "reopened"
    return "escalated" if before.severity != after.severity else ""


def difference(before: Case | None, after: Case) -> dict[str, tuple[Any, Any]]:
    """(before, after) of each audited field that has changed, by name."""
    pairs = {name: (getattr(before, name, None), getattr(after, name)) for name in AUDITED if hasattr(after, name)}
    return {name: pair for name, pair in pairs.items() if (pair[0] or None) != (pair[1] or None)}


def checked(action: Action) -> Action:
    """The action as it is done, blanks around texts gone; a `Problem` if it lacks something or something is too long."""
    if action.name not in ACTIONS:
        raise _wrong(f"there is no action `{printable(action.name, 40)}`", f"known are: {', '.join(ACTIONS)}")
    note = _text(action.note, "a note", _NOTE, "\n\t")
    by, assignee = _text(action.by, "a name", _NAME), _text(action.assignee, "a name", _NAME)
    if not by:
        raise _wrong("nobody is said to do it", "give a name: --by")
    if action.name == "note" and not note:
        raise _wrong("the note is empty", "give one: --note")
    if (action.name == "resolve") != bool(action.verdict) or (action.verdict and action.verdict not in VERDICTS):
        raise _wrong("resolving needs a verdict, and nothing else has one", f"say what it was: --as {' | '.join(VERDICTS)}")
    values = _values(action)
    return Action(name=action.name, by=by, note=note, verdict=action.verdict, assignee=assignee, values=values)


def _values(action: Action) -> tuple[str, ...]:
    if action.name not in ("tag", "untag", "link"):
        return ()
    kind = "links" if action.name == "link" else "tags"
    values = tuple(dict.fromkeys(_text(one, f"one of the {kind}", _MOST[kind][1]) for one in action.values[: _MOST[kind][0] + 1]))
    if not values or not all(values):
        raise _wrong(f"no {kind} are given", "give one or more")
    if kind == "links" and not all(one.lower().startswith(("http://", "https://")) and " " not in one for one in values):
        raise _wrong("a link begins with http:// or https:// and has no blanks")
    return values


def _text(text: str, what: str, most: int, lines: str = "") -> str:
    text = text.strip()
    if len(text) > most:
        raise _wrong(f"{what} may have {most:,} characters, this has {len(text):,}")
    if (plain := "".join(one for one in text if one not in lines)) != printable(plain, most):
        raise _wrong(f"{what} has characters that cannot be shown")
    return text


def _wrong(what: str, todo: str | None = None) -> Problem:
    return Problem("case.given", what, still="nothing was changed", todo=todo)


def changed(case: C, action: Action, now: int) -> C:
    """The case after a `checked` action at `now` (ns); itself if that changes nothing. A `Problem` where its status does not allow it."""
    fields = _done(case, action, now)
    fields = {name: value for name, value in fields.items() if getattr(case, name) != value}
    if not fields and not action.note:
        return case
    said = {"note": action.note[:_KEPT]} if action.note else {}
    return msgspec.structs.replace(case, **fields, **said, by=action.by, revision=risen(case.revision, now))


def _done(case: Case, action: Action, now: int) -> dict[str, Any]:
    """The fields as the action would have them."""
    match action.name:
        case "ack":
            _only(case, action, "open", "acknowledged")
            return {"status": "acknowledged", "acknowledged": case.acknowledged or now}
        case "start":
            _only(case, action, "open", "acknowledged", "in_progress")
            return {"status": "in_progress", "acknowledged": case.acknowledged or now}
        case "resolve":
            return {"status": "resolved", "verdict": action.verdict, "resolved": case.resolved or now}
        case "reopen":
            _only(case, action, "open", "resolved")
            return {} if case.status == "open" else {**_REOPENED, "opened": now}
        case "assign":
            return {"assignee": action.assignee}
        case "tag":
            return {"tags": _more(case.tags, action.values, "tags")}
        case "untag":
            return {"tags": tuple(one for one in case.tags if one not in action.values)}
        case "link":
            return {"links": _more(case.links, action.values, "links")}
    return {}


def _only(case: Case, action: Action, *allowed: str) -> None:
    if case.status not in allowed:
        cure = "reopen it first" if case.status == "resolved" else "an alert that somebody works on is already acknowledged"
        raise Problem("case.status", f"`{action.name}` does not fit what is {case.status.replace('_', ' ')}",
                      still="nothing was changed", todo=cure)  # fmt: skip


def _more(have: tuple[str, ...], values: tuple[str, ...], kind: str) -> tuple[str, ...]:
    made = tuple(dict.fromkeys((*have, *values)))
    if len(made) > _MOST[kind][0]:
        raise _wrong(f"there are {len(have)} {kind}, and no more than {_MOST[kind][0]} may be")
    return made


def told(state: State) -> dict[str, Any]:
    """The state as documents say it under `pluginhost.state`: times as text, spans in seconds, what is empty left out."""
    made = {name: value for name in _SHOWN if (value := getattr(state, name)) or name in ("alerts", "suppressed")}
    spans = {name: round((at - state.opened) / SECOND, 3) for name, date in _SPANS.items() if (at := getattr(state, date))}
    return made | {name: iso(made[name], 3) for name in _DATES if name in made} | spans


_state = msgspec.json.Decoder(State).decode


def composed(state: bytes, document: bytes) -> bytes:
    """The document of the state index: the last alert's with the state, both as JSON. Without the alert, what the state knows of it."""
    one = _state(state)
    alert = msgspec.json.decode(document, type=dict[str, Any]) if document else {
        "@timestamp": iso(one.last, 3), "message": one.headline, "log": {"level": one.severity},
        "event": {"id": one.alert, "kind": "alert", "module": "pluginhost", "provider": one.analyzer},
        "rule": {"id": one.analyzer}, "pluginhost": {"analyzer": one.analyzer, "alert": {"fingerprint": one.fingerprint}},
    }  # fmt: skip
    return msgspec.json.encode(laid(alert, ("pluginhost",), {"state": told(one)}))
