"""What the models share: their answer, how long a model is kept, what counts as a number, and sums per interval of event time.

A model judges points, one after the other, and knows no clock; `Intervals` makes such points of events and fills the gaps between them.
Nothing here raises on what a record may hold: a value that is no number is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from ..events.event import Event
from ..options import Duration
from .state import State, span_of

__all__ = ["Interval", "Intervals", "Model", "Score", "grade", "named", "number", "shares", "spread_floor"]

_LARGEST = 1e100  # squares and sums of such numbers are still finite
_DIGITS = 40


class Score(msgspec.Struct, frozen=True, gc=False):
    """How odd a point is. `score` is in the model's own unit and odd from `threshold` on; `grade` is 0 where it is not, else up to 1.

    `expected` and `actual` are of the dimension that stands out most, named by `of` ("" where there is one only). `attribution` is each
    dimension's share in a graded score, 1 in all. `confidence`, 0 to 1, says how far the model has seen enough.
    """

    score: float = 0.0
    grade: float = 0.0
    expected: float | str | None = None
    actual: float | str | None = None
    of: str = ""
    attribution: Mapping[str, float] = {}
    threshold: float = 0.0
    confidence: float = 1.0


class Model(State, gc=False, eq=False, kw_only=True):
    """A state that is worth something for `keep` (a duration, kept in ns) after the last event of its key."""

    keep: Any = "90d"

    def __post_init__(self) -> None:
        self.keep = span_of(self.keep)

    @property
    def idle(self) -> int:
        """As long as it is kept."""
        return int(self.keep)


class Interval(msgspec.Struct, frozen=True, gc=False):
    """A finished interval: its `start` in ns UTC, the sum of each amount by name, and how many `events` it had (0: it was filled in)."""

    start: int
    totals: Mapping[str, float]
    events: int


class Intervals(State, gc=False, eq=False):
    """Sums of amounts per interval of event time: `every` long (a duration, kept in ns), aligned to 1970, each given out once, when over.

    An interval stays open for `delay` after its end; an event that is later still is left out and counted in `late`. An interval without
    events is not skipped but filled in: with zeros, with what the one before it had (`missing="previous"`), or with a number. Of a gap at
    most `limit` intervals, the newest, are filled in. At most `names` different amounts are summed, in the order they came.

        >>> minutes = Intervals("1m")
        >>> [[one.totals["logins"] for one in minutes.add(at(second), {"logins": 1})] for second in (0, 5, 61, 200)]
        [[], [], [2.0], [1.0, 0.0]]
    """

    shape: ClassVar[str] = "Intervals/1"
    every: Any
    missing: Literal["zero", "previous"] | float = "zero"
    delay: Any = 0
    limit: int = 1440
    names: int = 64
    late: int = 0
    _next: int = 0  # where the oldest interval that is not over begins
    _due: int = 0  # when it is over
    _open: dict[int, tuple[int, dict[str, float]]] = msgspec.field(default_factory=dict)
    _before: dict[str, float] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.every, self.delay = span_of(self.every), Duration.of(self.delay).ns

    @property
    def idle(self) -> int:
        """As long as a gap is filled in."""
        return int(self.every * self.limit + self.delay)

    def load(self, plain: Any) -> None:
        """Takes over [next, late, open, before]; intervals of another length begin anew."""
        after, self.late, opened, before = plain or (0, 0, {}, {})
        fits = all(start % self.every == 0 for start in (after, *opened))
        self._open = {start: (events, dict(totals)) for start, (events, totals) in opened.items()} if fits else {}
        self._before, self._next, self._due = dict(before), 0, 0
        if after and fits:
            self._move(after)

    def dump(self) -> Any:
        """[start of the oldest open interval, late events, {start: [events, {name: sum}]}, {name: sum} of the last one that is over]."""
        return [self._next, self.late, self._open, self._before]

    def add(self, event: Event, amounts: Mapping[str, Any]) -> list[Interval]:
        """The intervals that are over now that this event has come, oldest first; then its amounts are in the sums of its own."""
        when = event.time
        over = self.close(when) if when >= self._due else []
        start = when - when % self.every
        if start < self._next:
            self.late += 1
            return over
        events, totals = self._open.get(start) or (0, {})
        self._open[start] = events + 1, totals
        for name, amount in amounts.items():
            if (value := number(amount)) is not None:
                if name in totals:
                    totals[name] += value
                elif len(totals) < self.names and (name in self._before or len(self._before) < self.names):
                    totals[name] = value
        return over

    def close(self, when: int) -> list[Interval]:
        """The intervals that are over at `when` (ns UTC), oldest first: for a timer, as no event may come."""
        if not self._next:
            self._move(when - when % self.every)
            return []
        end = (when - self.delay) // self.every * self.every
        if end <= self._next:
            return []
        starts = set(range(max(self._next, end - self.limit * self.every), end, self.every))
        found = [self._finish(start) for start in sorted(starts.union(start for start in self._open if start < end))]
        self._move(end)
        return found

    def _move(self, start: int) -> None:
        self._next, self._due = start, start + self.every + self.delay

    def _finish(self, start: int) -> Interval:
        events, totals = self._open.pop(start, (0, {}))
        filling = self._before if not events and self.missing == "previous" else \
            dict.fromkeys(self._before, self.missing if not events and isinstance(self.missing, float | int) else 0.0)  # fmt: skip
        self._before = {**filling, **totals}
        return Interval(start, self._before, events)


def grade(score: float, threshold: float) -> float:
    """0 below the threshold, one half at it, 1 at twice it and beyond."""
    return 0.0 if score < threshold else min(score / (2 * threshold), 1.0)


def number(value: Any) -> float | None:
    """The number that `value` is or, being text, says; None for anything else, as well as for what is not finite or beyond ±1e100."""
    if value.__class__ is str and len(value) <= _DIGITS and "_" not in value:
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if value.__class__ in (float, int) and -_LARGEST <= value <= _LARGEST else None


def named(values: Any) -> Iterator[tuple[str, float]]:
    """(name, number) of a mapping, or ("", number) of a value by itself; what is no number is left out."""
    for name, value in values.items() if isinstance(values, Mapping) else (("", values),):
        if (found := number(value)) is not None:
            yield name, found


def shares(parts: Mapping[str, float]) -> dict[str, float]:
    """Each part's share of their sum; none where that is 0."""
    whole = sum(parts.values())
    return {name: part / whole for name, part in parts.items()} if whole > 0 else {}


def spread_floor(mean: float) -> float:
    """The least spread that is believed in, so that a series that stood still for long may move: a thousandth of its mean, or 1e-6."""
    return max(abs(mean) * 1e-3, 1e-6)

