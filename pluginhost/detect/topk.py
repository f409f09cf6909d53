"""The most frequent values of a key in a fixed room: space-saving (Metwally et al. 2005)."""

from __future__ import annotations

import heapq
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from .state import State, span_of, text

__all__ = ["TopK"]

_NEVER = -(1 << 63)


class TopK(State, gc=False, eq=False):
    """The most frequent values in the current window of length `span`, aligned to whole spans of UTC, with at most `size` counters.

    A value without a counter takes over one of the least, and its count: so a count is too high by at most its `error`, and never by
    more than events / `size`; every value with more events than that has a counter. An event of a later window begins anew; one of
    an earlier window is counted in `late` only. Merged copies of the same window (Agarwal et al. 2012) keep these bounds over the
    events of both.

        >>> paths = TopK("1h", size=2)
        >>> [paths.add(path, at(second)) for second, path in enumerate("aabac")]
        [1, 2, 1, 3, 2]
        >>> paths.top(2)
        [('a', 3, 0), ('c', 2, 1)]
    """

    shape: ClassVar[str] = "TopK/1"
    span: Any = "1h"
    size: int = 100
    _start: int = _NEVER
    _events: int = 0
    _late: int = 0
    _counts: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    _levels: dict[int, dict[str, None]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.span = span_of(self.span)
        if not 1 <= self.size <= 100_000:
            raise ValueError(f"{self.size} counters: from 1 to 100000")

    @property
    def idle(self) -> int:
        """The span: after it the window is another."""
        return int(self.span)

    def load(self, plain: Any) -> None:
        """Takes over [start, events, late, [[value, count, error], …]]."""
        self._start, self._events, self._late, held = plain or (_NEVER, 0, 0, ())
        self._counts, self._levels = {}, {}
        for value, count, error in held:
            self._set(value, count, error)

    def dump(self) -> Any:
        """[start of the window in ns; events; too late; value, count and error of each counter, by level]."""
        held = [[value, count, self._counts[value][1]] for count, level in self._levels.items() for value in level]
        return [self._start, self._events, self._late, held]

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def late(self) -> int:
        """How many events belonged to an earlier window."""
        return self._late

    @property
    def events(self) -> int:
        """How many events the window has had."""
        return self._events

    def add(self, value: object, event: Event) -> int:
        """The value's count with this event in it, perhaps too high by its error; 0 for an event of an earlier window."""
        start = event.time - event.time % self.span
        if start != self._start:
            if start < self._start:
                self._late += 1
                return 0
            self._start, self._events, self._counts, self._levels = start, 0, {}, {}
        self._events += 1
        name = text(value)
        known = self._counts.get(name)
        if known is not None:
            count, error = known
            self._leave(name, count)
        elif len(self._counts) < self.size:
            count = error = 0
        else:
            count = error = min(self._levels)
            least = next(reversed(self._levels[count]))
            self._leave(least, count)
            del self._counts[least]
        self._set(name, count + 1, error)
        return count + 1

    def _leave(self, name: str, count: int) -> None:
        level = self._levels[count]
        del level[name]
        if not level:
            del self._levels[count]

    def _set(self, name: str, count: int, error: int) -> None:
        self._counts[name] = count, error
        self._levels.setdefault(count, {})[name] = None

    def top(self, count: int = 10) -> list[tuple[str, int, int]]:
        """(value, count, error) of the most frequent values, the first first; the true count is between count - error and count."""
        found = ((value, *counted) for value, counted in self._counts.items())
        return heapq.nsmallest(count, found, key=lambda one: (-one[1], one[0]))

    def merge(self, other: TopK) -> None:
        """Takes over what `other` counted; the events of the earlier of two windows count in `late`."""
        late = self._late + other._late
        if other._start < self._start:
            self._late = late + other._events
        elif other._start > self._start:
            start, events, _, held = other.dump()
            self.load([start, events, late + self._events, held])
        else:
            most = heapq.nsmallest(self.size, self._joined(other), key=lambda one: (-one[1], one[0]))
            self.load([self._start, self._events + other._events, late, most])

    def _joined(self, other: TopK) -> list[tuple[str, int, int]]:
        """Each value of either with its count and error in both; who has no counter for it may have had as many as its least says."""
        mine, theirs = self._least(), other._least()
        found = []
        for name in dict.fromkeys((*self._counts, *other._counts)):
            (count, error), (more, wrong) = self._counts.get(name, mine), other._counts.get(name, theirs)
            found.append((name, count + more, error + wrong))
        return found

    def _least(self) -> tuple[int, int]:
        least = min(self._levels) if len(self._counts) >= self.size else 0
        return least, least
