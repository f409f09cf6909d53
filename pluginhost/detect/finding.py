"""What an analyzer may return: an `Alert`, that one is `Resolved`, a `Derived` record, a `Scored` interval, `Unjudged`, several, or None.

Plain frozen values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, Literal, Self

import msgspec

from ..events.event import Event
from .series import Score

__all__ = ["ACTIONS", "SEVERITIES", "Alert", "Derived", "Resolved", "Scored", "Severity", "Timer", "Unjudged"]

Severity = Literal["low", "medium", "high", "critical"]
Action = Literal["allow", "step_up", "deny"]
ACTIONS = ("allow", "step_up", "deny")
"""What an alert may advise whoever asked for a verdict, the mildest first: let it pass, ask for a second factor, refuse."""

SEVERITIES: dict[str, int] = {"low": 21, "medium": 47, "high": 73, "critical": 99}
"""Each severity with its number in `event.severity`, the four that Elastic Security knows."""

_WORD = re.compile("[a-z][a-z0-9_]{0,39}")
_PARTS = 32


class Alert(msgspec.Struct, frozen=True):
    """A flagged record. `message` is the headline; `reason` says how it was reached and defaults to the headline.

    `technique` is one MITRE ATT&CK id or several, `risk` 0–100 (default: the severity's number), `fields` are further ECS
    fields by dotted name, `evidence` the contributing events beside the one at hand (at most ten are kept). `count` and
    `since` (ns UTC) default to what the analyzer's window holds. `action` is the advice to an application that asks before it lets
    somebody in. `suppressed` are the analyzer's own reasons, short words such as `learning`, why nobody should be told: the alert is
    stored with them, and goes only to outputs that ask for such.
    """

    severity: Severity
    message: str
    technique: str | Sequence[str] = ()
    reason: str = ""
    risk: float | None = None
    fields: Mapping[str, Any] = msgspec.field(default_factory=dict)
    evidence: Sequence[Event] = ()
    count: int | None = None
    since: int | None = None
    action: Action = "allow"
    suppressed: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity is one of {', '.join(SEVERITIES)}, not {self.severity!r}")
        if self.action not in ACTIONS:
            raise ValueError(f"action is one of {', '.join(ACTIONS)}, not {self.action!r}")
        if not isinstance(self.message, str) or not self.message:
            raise ValueError("an alert needs a message")
        if self.risk is not None and not 0 <= self.risk <= 100:
            raise ValueError(f"risk is a number from 0 to 100, not {self.risk!r}")
        if wrong := [one for one in self.reasons if not isinstance(one, str) or not _WORD.fullmatch(one)]:
            raise ValueError(f"a reason is a word such as `shared_egress`, not {wrong[0]!r}")

    @property
    def techniques(self) -> tuple[str, ...]:
        """The ATT&CK ids as a tuple."""
        return (self.technique,) if isinstance(self.technique, str) else tuple(self.technique)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why nobody should be told, as a tuple, each once."""
        return (self.suppressed,) if isinstance(self.suppressed, str) else tuple(dict.fromkeys(self.suppressed))


class Resolved(msgspec.Struct, frozen=True):
    """The condition that the group's alerts were about is over: the host is back, the disk has room again.

    It is told to those who were told of the alerts and ask for this, and closes them; where nobody was told of any, nothing comes of it.
    `message`, `reason`, `fields` and `evidence` are as in an `Alert`.
    """

    message: str
    reason: str = ""
    fields: Mapping[str, Any] = msgspec.field(default_factory=dict)
    evidence: Sequence[Event] = ()

    def __post_init__(self) -> None:
        self.alert()

    def alert(self) -> Alert:
        """The alert that its document is made like; the desk gives it the severity of what has ended."""
        return Alert("low", self.message, reason=self.reason, fields=self.fields, evidence=self.evidence, risk=0.0)


class Derived(msgspec.Struct, frozen=True):
    """A new record made from this one: it is journalled, split anew by its own keys, and seen by every analyzer.

    `time` is ns UTC and defaults to the event's. Four derivations in a row are the most.
    """

    tag: str
    record: Mapping[str, Any]
    time: int | None = None


class Scored(msgspec.Struct, frozen=True):
    """How odd an interval was, alert or not, so that a trend can be drawn. Written where the configuration asks for scores; else nothing.

    `value` is odd from `threshold` on. `at` is when the interval began and `span` how long it was, both in ns; without `at` it is about
    the event at hand. `entity` are ECS fields by dotted name: whom it is about, beside the key. `grade`, `confidence`, `expected`,
    `actual` and `of` are those of a model's `Score`; `parts` are numbers by name that it was made of, at most 32. A second one of the
    same key, entity, `of` and `at` is the same.
    """

    value: float
    threshold: float | None = None
    at: int | None = None
    span: int = 0
    entity: Mapping[str, Any] = {}
    grade: float | None = None
    confidence: float | None = None
    expected: float | str | None = None
    actual: float | str | None = None
    of: str = ""
    parts: Mapping[str, float] = {}

    def __post_init__(self) -> None:
        for name in ("value", "threshold", "grade", "confidence"):
            if not _finite(number := getattr(self, name)) and (number is not None or name == "value"):
                raise ValueError(f"the {name} of a score is a finite number, not {number!r}")
        if len(self.parts) > _PARTS or not all(map(_finite, self.parts.values())):
            raise ValueError(f"the parts of a score are at most {_PARTS} finite numbers")
        if not all(isinstance(one, int) and 0 <= one < 1 << 62 for one in (self.span, self.at or 0)):
            raise ValueError(f"the interval of a score is in ns UTC, not {self.at!r}, {self.span!r} long")

    @classmethod
    def by(cls, score: Score, **more: Any) -> Self:
        """What a model said, with `more` of the fields above, such as `at`."""
        told = {"threshold": score.threshold, "grade": score.grade, "confidence": score.confidence, "expected": score.expected,
                "actual": score.actual, "of": score.of}  # fmt: skip
        return cls(score.score, **{**told, **more})


def _finite(value: Any) -> bool:
    return value.__class__ in (float, int) and isfinite(value)


class Unjudged(msgspec.Struct, frozen=True):
    """Says that an event which came to the analyzer could not be judged, and why, in a word or two such as `no_place`; it is counted."""

    reason: str


class Timer(msgspec.Struct, frozen=True):
    """A timer that fell due: the `name` it was set under and the time it was set for, ns UTC."""

    name: str
    due: int
