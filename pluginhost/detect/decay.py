"""Counts that fade: by half-lives (`DecayCount`), or by one unit at a time (`LeakyBucket`). A few numbers per key, whatever the rate."""

from __future__ import annotations

from math import isfinite
from typing import Any, ClassVar

from ..events.event import Event
from .state import State, span_of

__all__ = ["DecayCount", "LeakyBucket"]

_NEVER = -(1 << 63)


class DecayCount(State, gc=False, eq=False):
    """A sum in which each amount halves every `half_life` of event time: Σ amount · 2^(-(newest - time) / half_life).

    It does not matter in what order events come. An amount with which the sum would not be finite counts as nothing. Merged copies
    hold the sum over both. After ten half-lives without an event less than a thousandth is left, and the key may be forgotten.

        >>> risk = DecayCount("14d")
        >>> [risk.add(at(day * 86400), amount) for day, amount in ((0, 8.0), (14, 1.0), (28, 0.0))]
        [8.0, 5.0, 2.5]
    """

    shape: ClassVar[str] = "DecayCount/1"
    half_life: Any
    _sum: float = 0.0
    _newest: int = _NEVER

    def __post_init__(self) -> None:
        self.half_life = span_of(self.half_life)

    @property
    def idle(self) -> int:
        """Ten half-lives."""
        return 10 * int(self.half_life)

    def load(self, plain: Any) -> None:
        """Takes over [sum, newest]."""
        self._sum, self._newest = plain or (0.0, _NEVER)

    def dump(self) -> Any:
        """[the sum at the newest event; its time in ns]."""
        return [self._sum, self._newest]

    def add(self, event: Event, amount: float = 1.0) -> float:
        """The sum with this event's amount in it, as of the newest event."""
        return self._add(event.time, amount)

    def _add(self, when: int, amount: float) -> float:
        ahead = (when - self._newest) / self.half_life
        if ahead > 0:
            self._sum, self._newest = self._sum * 2.0**-ahead, when
        else:
            amount *= 2.0**ahead
        if isfinite(self._sum + amount):
            self._sum += amount
        return self._sum

    def value(self, event: Event) -> float:
        """The sum at the event's time, or as of the newest if that is later; the event is not added."""
        ahead = (event.time - self._newest) / self.half_life
        return self._sum * 2.0**-ahead if ahead > 0 else self._sum

    def merge(self, other: DecayCount) -> None:
        """Takes over the sum of `other`."""
        self._add(other._newest, other._sum)


class LeakyBucket(State, gc=False, eq=False):
    """A bucket that holds `capacity` events and lets one unit out every `leak`: it overflows at event `capacity` + 1 of a quick row.

    As CrowdSec's leaky bucket: once it has overflowed it is gone, and the next event begins an empty one. The level sinks evenly; one
    number, the time at which the bucket will be empty, says it all (the generic cell rate algorithm). A late event is poured in
    at the time of the newest, so the level may be up to one unit too high for each; one that lies further back than a full bucket
    takes to run out is not counted.

        >>> bucket = LeakyBucket(2, "10s")
        >>> [bucket.pour(at(second)) for second in (0, 1, 2, 3, 13, 23, 33)]
        [False, False, True, False, False, False, False]
    """

    shape: ClassVar[str] = "LeakyBucket/1"
    capacity: int
    leak: Any
    _newest: int = _NEVER
    _empty: int = _NEVER
    _count: int = 0
    _since: int = 0

    def __post_init__(self) -> None:
        self.leak = span_of(self.leak)
        if self.capacity < 1:
            raise ValueError(f"a bucket for {self.capacity} events is none")

    @property
    def idle(self) -> int:
        """As long as an overflowing bucket takes to run out."""
        return int((self.capacity + 1) * self.leak)

    def load(self, plain: Any) -> None:
        """Takes over [newest, empty, count, since]."""
        self._newest, self._empty, self._count, self._since = plain or (_NEVER, _NEVER, 0, 0)

    def dump(self) -> Any:
        """[newest event; when the bucket will be empty, both in ns; events since it was last empty; the first of them in ns]."""
        return [self._newest, self._empty, self._count, self._since]

    def pour(self, event: Event) -> bool:
        """True when this event makes the bucket overflow."""
        when, now = event.time, max(event.time, self._newest)
        if when < now - (self.capacity + 1) * self.leak:
            return False
        if now >= self._empty:
            self._empty, self._count, self._since = now, 0, when
        self._newest = now
        self._count += 1
        self._since = min(self._since, when)
        self._empty += self.leak
        if self._empty - now <= self.capacity * self.leak:
            return False
        self._empty = now
        return True

    def level(self) -> float:
        """How full it is at the newest event, 0 to `capacity`."""
        return max(0, self._empty - self._newest) / int(self.leak)

    def evidence(self) -> tuple[int, int] | None:
        """How many events were poured since the bucket was last empty, and the time of the earliest."""
        return (self._count, self._since) if self._count else None
