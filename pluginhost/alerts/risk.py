"""How risky a user, a host or an address has become: the weights of its alerts, added up, each halved with every half-life. Pure.

Score at time t = Σ weight(severity of alert i) · 2^(−(t − time of i) / half-life), over the alerts that were told to somebody; suppressed
ones, and those of this module, weigh nothing. The sum does not depend on the order in which alerts come. Levels are cut points of the
score; what an analyst says of an entity is kept apart and never reckoned with. When the level of a user rises far enough there is one
alert about that. Keeping scores, and the clock, are the engine's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import log2
from typing import Any

import msgspec

from ..detect.finding import Alert, Severity
from ..events.fields import Document
from ..events.keys import key_bytes
from ..wire.times import iso
from .document import Rule, document, laid
from .ids import event_id, fingerprint

__all__ = ["CAUSES", "ENTITIES", "LEVELS", "RULE", "Cause", "Raised", "Scale", "Score", "decayed", "entities", "labelled", "level", "mark",
           "raised", "rank", "recount"]  # fmt: skip

ENTITIES: Mapping[str, str] = {"user": "user.name", "host": "host.name", "address": "source.ip"}
"""What has a risk, with the field that names it."""

LEVELS = ("no_risk", "low", "medium", "high", "critical")
"""The levels, in order."""

CAUSES = 10
"""How many of its latest alerts a score remembers."""

RULE = Rule("pluginhost.user_risk", "Risk of a user rose",
            "The weights of this user's alerts, halved with every half-life, have passed the next level.", "pluginhost")  # fmt: skip
"""Who makes the alert; a name that no analyzer can have."""

_PLACES = {"user": ("user", "risk"), "host": ("host", "risk"), "address": ("pluginhost", "source", "risk")}
_LONGEST = 256  # characters of a name: what is longer was invented by a sender, and is cut
_SEVERITIES: Mapping[str, Severity] = {"no_risk": "low", "low": "low", "medium": "medium", "high": "high", "critical": "critical"}


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """How risk is reckoned: half-life in ns, weight by severity, the least score of each level but the first.

    `alert_from` is the least level whose reaching by a user is an alert (None: there is none), `most` how many entities are remembered.
    """

    half_life: int
    weights: Mapping[str, float]
    cuts: tuple[float, float, float, float]
    alert_from: str | None
    most: int


class Cause(msgspec.Struct, frozen=True, array_like=True):
    """An alert that weighs: its id, event time in ns, analyzer and severity."""

    id: str
    time: int
    analyzer: str
    severity: str


class Score(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of an entity: its score at time `at` (ns), the level that held then, its latest alerts."""

    value: float = 0.0
    at: int = 0
    level: str = "no_risk"
    causes: tuple[Cause, ...] = ()


class Raised(msgspec.Struct, frozen=True):
    """The alert about a risk that rose, as a finding would be: see `Finding` of the engine."""

    id: str
    fingerprint: str
    time: int
    severity: str
    message: str
    document: bytes


def entities(document: Mapping[str, Any]) -> dict[str, str]:
    """The names of the user, host and address that an alert is about, by kind; a field with several values names none."""
    found = {}
    for kind, field in ENTITIES.items():
        value: Any = document
        for part in field.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and value:
            found[kind] = value[:_LONGEST]
    return found


def level(value: float, scale: Scale) -> str:
    """The level of a score."""
    return LEVELS[sum(value >= cut for cut in scale.cuts)]


def decayed(score: Score, time: int, scale: Scale) -> float:
    """The score as of `time` (ns), or as of its latest alert if that came later."""
    return score.value * _part(time - score.at, scale)


def rank(score: Score, scale: Scale) -> float:
    """A number by which scores of any age are ordered: log2 of the score, all brought to one moment."""
    return log2(score.value) + score.at / scale.half_life if score.value > 0 else 0.0


def recount(score: Score, cause: Cause, scale: Scale, override: str | None = None) -> tuple[Score, str]:
    """The score with one more alert, and the level from which it has risen far enough to be told, or "".

    `override` is what an analyst says: while that holds, nothing rises; what has become of the score meanwhile is told after it.
    """
    at = max(score.at, cause.time)
    held = decayed(score, at, scale)
    value = held + scale.weights[cause.severity] * _part(at - cause.time, scale)
    before, after = min(score.level, level(held, scale), key=LEVELS.index), level(value, scale)
    rose = scale.alert_from is not None and override is None
    rose = rose and LEVELS.index(after) > LEVELS.index(before) and LEVELS.index(after) >= LEVELS.index(scale.alert_from or after)
    return Score(value, at, override or after, (*score.causes, cause)[-CAUSES:]), before if rose else ""


def mark(score: Score, time: int, scale: Scale, override: str | None = None) -> dict[str, Any]:
    """What an alert at `time` says of an entity's risk, under the names of ECS; `static_level` is what an analyst says."""
    value = decayed(score, time, scale)
    said = {"static_level": override} if override else {}
    return {"calculated_score": round(value, 2), "calculated_level": level(value, scale), **said}


def labelled(document: Mapping[str, Any], marks: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The document with the risk of its entities, by kind."""
    made = dict(document)
    for kind, told in marks.items():
        made = laid(made, _PLACES[kind], told)
    return made


def raised(name: str, before: str, score: Score, cause: Cause, scale: Scale, marks: Mapping[str, Any]) -> Raised:
    """The alert that the risk of user `name` rose from level `before` with the alert `cause`; `marks` go under its `pluginhost`."""
    key = key_bytes(Document({"user": {"name": name}}), (ENTITIES["user"],)) or b""
    id_, print_, after = event_id(RULE.id, key, cause.id, 0), fingerprint(RULE.id, key), level(score.value, scale)
    alert = Alert(_SEVERITIES[after], f"risk of {name} rose from {before} to {after}", reason=_reason(score),
                  count=len(score.causes), since=min(one.time for one in score.causes))  # fmt: skip
    made = document(RULE, alert, event=None, key={ENTITIES["user"]: name}, event_id=id_, fingerprint=print_, time=cause.time, window=None)
    events = [{"@timestamp": iso(one.time, 9), "message": f"{one.severity} alert of {one.analyzer}", "id": one.id} for one in score.causes]
    made = laid(made, ("pluginhost",), {**marks, "events": events})
    return Raised(id_, print_, cause.time, alert.severity, alert.message, msgspec.json.encode(made))


def _reason(score: Score) -> str:
    told = Counter((one.severity, one.analyzer) for one in score.causes)
    counted = ", ".join(f"{count} {severity} by {analyzer}" for (severity, analyzer), count in told.items())
    return f"its alerts weigh {score.value:.1f}; the latest: {counted}"


def _part(age: int, scale: Scale) -> float:
    """What is left of a weight of one after `age` ns; no more than one."""
    return float(2.0 ** -(max(age, 0) / scale.half_life))
