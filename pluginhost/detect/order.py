"""What came after what: ordered steps with gaps (`Sequence`), and rows of equal outcomes that an opposite one ends (`Streak`)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from .state import State, span_of
from .windows import SlidingCount

__all__ = ["Sequence", "Streak"]

_NEVER = -(1 << 63)
Reached = list[tuple[int, int] | None]
"""For each step but the last the latest event that reached it, as (its time, time of the first step), ns."""


class Sequence(State, gc=False, eq=False):
    """Steps that must come in this order, each at most `gap` after the one before, all within `span`; one of `unless` begins anew.

    Other events may lie between. Order is that of event times (of arrival where they are equal): a late step or `unless` is put in
    its place as long as it lies within `span` of the newest and among the last `limit` steps. A step may have the same name as
    another. When the last step is reached, what led there is used up. `gap` is as long as the span if it is not given.

        >>> steps = Sequence(("new_user", "new_admin", "audit_off"), gap="5m", span="15m", unless=("user_deleted",))
        >>> [steps.take(name, at(second)) for name, second in (("new_user", 0), ("audit_off", 90), ("new_admin", 60))]
        [False, False, True]
    """

    shape: ClassVar[str] = "Sequence/1"
    steps: tuple[str, ...]
    gap: Any = None
    span: Any = "1h"
    unless: tuple[str, ...] = ()
    limit: int = 64
    _places: dict[str, tuple[int, ...]] = msgspec.field(default_factory=dict)
    _times: Any = msgspec.field(default_factory=lambda: array("q"))
    _names: list[str] = msgspec.field(default_factory=list)
    _reached: Reached = msgspec.field(default_factory=list)
    _done: tuple[int, int] = (_NEVER, _NEVER)

    def __post_init__(self) -> None:
        self.span = span_of(self.span)
        self.gap = self.span if self.gap is None else span_of(self.gap)
        if len(self.steps) < 2 or set(self.steps) & set(self.unless):
            raise ValueError(f"a sequence has two steps or more, and none of them begins it anew: {self.steps}, {self.unless}")
        last = len(self.steps) - 1
        self._places = {name: tuple(n for n in range(last, -1, -1) if self.steps[n] == name) for name in (*self.steps, *self.unless)}
        self._begin()

    @property
    def idle(self) -> int:
        """The span: after it no step is worth anything."""
        return int(self.span)

    def load(self, plain: Any) -> None:
        """Takes over [steps, unless, times, names, reached, done]; of other steps only nothing."""
        same = plain and plain[0] == list(self.steps) and plain[1] == list(self.unless)
        times, names, reached, done = plain[2:] if same else (b"", (), [None] * (len(self.steps) - 1), (_NEVER, _NEVER))
        self._times, self._names, self._done = array("q", times), list(names), tuple(done)
        self._reached = [one and tuple(one) for one in reached]

    def dump(self) -> Any:
        """[steps; unless; times in ns, ascending, eight bytes each; their names; (time, begin) of each step reached; (begin, end) of the
        last that was completed]."""
        return [self.steps, self.unless, self._times.tobytes(), self._names, self._reached, self._done]

    def take(self, name: object, event: Event) -> bool:
        """True when this event completes the steps; a name that is none of them, or comes too late, does nothing."""
        if not isinstance(name, str) or name not in self._places:
            return False
        when, times = event.time, self._times
        if when < self._done[1]:
            return False
        if times and when < times[-1]:
            return self._late(name, when)
        if times and times[0] < when - self.span:
            old = bisect_right(times, when - self.span - 1)
            del times[:old], self._names[:old]
        return self._next(name, when)

    def _late(self, name: str, when: int) -> bool:
        """Puts a late step in its place and goes through those that are kept once more."""
        times, names = self._times, self._names
        if when < times[-1] - self.span:
            return False
        at = bisect_right(times, when)
        marks = [*zip(times[:at], names[:at], strict=True), (when, name), *zip(times[at:], names[at:], strict=True)]
        self._begin()
        completed = [self._next(one, then) for then, one in marks]
        return any(completed)

    def _begin(self) -> None:
        self._times, self._names, self._reached = array("q"), [], [None] * (len(self.steps) - 1)

    def _next(self, name: str, when: int) -> bool:
        self._times.append(when)
        self._names.append(name)
        if len(self._names) > self.limit:
            del self._times[0], self._names[0]
        places, reached = self._places[name], self._reached
        if not places:
            self._reached = [None] * len(reached)
        for place in places:
            began = self._began(place, when)
            if began is None:
                continue
            if place == len(reached):
                self._done = began, when
                self._begin()
                return True
            reached[place] = when, began
        return False

    def _began(self, place: int, when: int) -> int | None:
        """When the steps began of which this is the one at `place`; None if they did not, or too long ago.

        Of several the latest is enough: whoever reached a step later also began no earlier.
        """
        if not place:
            return when
        before = self._reached[place - 1]
        if before is None or when - before[0] > self.gap or when - before[1] > self.span:
            return None
        return before[1]

    def evidence(self) -> tuple[int, int] | None:
        """How many steps were completed last, and when the first of them was."""
        return None if self._done[1] == _NEVER else (len(self.steps), self._done[0])


class Streak(SlidingCount, gc=False, eq=False):
    """How many events of one outcome came in a row within the last `span`, until one of the other outcome ends it.

    Order is that of event times: a late event that an end followed already does not count any more; a late end takes those before it.
    At most `limit` times are kept.

        >>> failures = Streak("10m")
        >>> [failures.add(at(second)) for second in (0, 1, 2)], failures.end(at(3)), failures.end(at(4))
        ([1, 2, 3], 3, 0)
    """

    shape: ClassVar[str] = "Streak/1"
    _ended: int = _NEVER
    _broken: tuple[int, int] | None = None

    def load(self, plain: Any) -> None:
        """Takes over [times, fired, ended, broken]."""
        SlidingCount.load(self, plain)
        self._ended, broken = plain[2:] if plain else (_NEVER, None)
        self._broken = broken and tuple(broken)

    def dump(self) -> Any:
        """[as `SlidingCount`; time of the last end; count and earliest time of what it ended, or None]."""
        return [*SlidingCount.dump(self), self._ended, self._broken]

    def add(self, event: Event) -> int:
        """The count with this event in it."""
        self._broken = None
        return len(self) if event.time < self._ended else SlidingCount.add(self, event)

    def end(self, event: Event) -> int:
        """How many there were in a row, within the span, when this event ended them."""
        times, when = self._times, event.time
        first, after = bisect_right(times, when - self.span), bisect_right(times, when)
        self._broken = (after - first, times[first]) if first < after else None
        self._ended = max(self._ended, when)
        del times[:after]
        return after - first

    def merge(self, other: SlidingCount) -> None:
        """Takes over the events of `other` that no end of either followed."""
        SlidingCount.merge(self, other)
        self._ended = max(self._ended, getattr(other, "_ended", _NEVER))
        del self._times[: bisect_right(self._times, self._ended)]

    def evidence(self) -> tuple[int, int] | None:
        """How many are in a row, and the earliest; of those that were just ended, if so."""
        return self._broken or SlidingCount.evidence(self)
