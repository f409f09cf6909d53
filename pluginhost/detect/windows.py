"""Counts over time: exactly over the last span (`SlidingCount`), by aligned windows (`TumblingCount`), by buckets (`MinuteCounts`).

All run by event time alone. A late event counts where it belongs as long as that place lives; one that is too late for it is counted
in `late` where there is no other trace of it. Counts of many clients in one state are in `clients`, counts that fade in `decay`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from ..options import Duration
from .state import State, span_of

__all__ = ["MinuteCounts", "SlidingCount", "TumblingCount", "buckets_of"]

_NEVER = -(1 << 63)
_BUCKETS = 10_000


class SlidingCount(State, gc=False, eq=False):
    """How many events of the key fell into the last `span` of event time, given as "10m" or in seconds and kept in ns.

    The window ends at the newest event seen and is open at its old end: an event exactly `span` older no longer counts.
    A late event counts if it still falls into it. At most `limit` times are kept (the count saturates there). Merged copies hold
    the window that one would hold that had seen all events, up to the limit.

        >>> window = SlidingCount("10s")
        >>> [window.add(at(second)) for second in (0, 9, 10)]
        [1, 2, 2]
    """

    shape: ClassVar[str] = "SlidingCount/2"
    span: Any
    limit: int = 10_000
    _times: Any = msgspec.field(default_factory=lambda: array("q"))
    _fired: int = 0

    def __post_init__(self) -> None:
        self.span = span_of(self.span)

    @property
    def idle(self) -> int:
        """The span: an older event no longer counts."""
        return int(self.span)

    def load(self, plain: Any) -> None:
        """Takes over [times, fired]."""
        self._times = array("q", plain[0] if plain else b"")
        self._fired = plain[1] if plain else 0

    def dump(self) -> Any:
        """[times in ns, ascending, eight bytes each; time of the last `reaches`]."""
        return [self._times.tobytes(), self._fired]

    def __len__(self) -> int:
        return len(self._times)

    def add(self, event: Event) -> int:
        """The count with this event in it."""
        times, when = self._times, event.time
        if not times:
            times.append(when)
            return 1
        if when < times[-1]:
            return self._late(when, times[-1] - self.span)
        times.append(when)
        oldest = when - self.span
        if times[0] <= oldest:
            if times[1] > oldest:  # mostly one goes where one comes
                del times[0]
            else:
                del times[: bisect_right(times, oldest)]
        count = len(times)
        if count <= self.limit:
            return count
        del times[0]
        return count - 1

    def _late(self, when: int, oldest: int) -> int:
        times = self._times
        if when > oldest:
            insort(times, when)
            if len(times) > self.limit:
                del times[0]
        return len(times)

    def reaches(self, event: Event, count: int) -> bool:
        """Adds the event; True when the window holds `count` or more, and at most once per `span` while it goes on."""
        if count > self.limit:
            raise ValueError(f"a window that keeps {self.limit} times never reaches {count}: give it a larger `limit`")
        if self.add(event) < count or (self._fired and event.time < self._fired + self.span):
            return False
        self._fired = event.time
        return True

    def merge(self, other: SlidingCount) -> None:
        """Takes over what `other` counted."""
        times = array("q", sorted((*self._times, *other._times)))
        if times:
            del times[: bisect_right(times, times[-1] - self.span)]
        self._times, self._fired = times[-self.limit :], max(self._fired, other._fired)

    def evidence(self) -> tuple[int, int] | None:
        """How many events the window holds, and the time of the oldest."""
        return (len(self._times), self._times[0]) if self._times else None


class TumblingCount(State, gc=False, eq=False):
    """How many events fell into each window of length `span`: windows lie side by side, aligned to whole spans of UTC.

    A window is handed out once, by the event that lies `wait` or more behind its end; until then late events go into it, afterwards
    they count in `late` only. Windows without an event are not handed out: the starts tell the gap. Merged copies hold the sums of
    the windows that are open in either; what one has handed out already stays apart.

        >>> window = TumblingCount("10s")
        >>> [window.add(at(second)) for second in (0, 9, 10, 35)]
        [(), (), ((0, 2),), ((10000000000, 1),)]
    """

    shape: ClassVar[str] = "TumblingCount/1"
    span: Any
    wait: Any = 0
    _late: int = 0
    _newest: int = _NEVER
    _open: dict[int, int] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.span, self.wait = span_of(self.span), Duration.of(self.wait).ns
        buckets_of(self.span + self.wait, self.span)

    @property
    def idle(self) -> int:
        """The span and the wait: after that nothing comes of what is open but its count, and no event asks for it."""
        return int(self.span + self.wait)

    def load(self, plain: Any) -> None:
        """Takes over [newest, late, [[start, count], …]]."""
        self._newest, self._late, counts = plain or (_NEVER, 0, ())
        self._open = dict(counts)

    def dump(self) -> Any:
        """[newest event in ns; too late; start in ns and count of each open window]."""
        return [self._newest, self._late, list(self._open.items())]

    @property
    def late(self) -> int:
        """How many events came too late to be counted."""
        return self._late

    def add(self, event: Event) -> tuple[tuple[int, int], ...]:
        """The windows that this event closes, oldest first, each as (start in ns, count); mostly none."""
        when, counts = event.time, self._open
        self._newest = max(self._newest, when)
        start, over = when - when % self.span, self._newest - self.span - self.wait
        if start <= over:
            self._late += 1
            return ()
        counts[start] = counts.get(start, 0) + 1
        if len(counts) == 1 or min(counts) > over:
            return ()
        return tuple([(one, counts.pop(one)) for one in sorted(counts) if one <= over])

    def merge(self, other: TumblingCount) -> None:
        """Takes over the open windows of `other`."""
        self._newest, self._late = max(self._newest, other._newest), self._late + other._late
        for start, count in other._open.items():
            self._open[start] = self._open.get(start, 0) + count


class MinuteCounts(State, gc=False, eq=False):
    """How many events fell into each of the last buckets of `granularity`, as many as `retention` has: a circular buffer of counts.

    The last bucket is that of the newest event, so what is counted is between `retention` - `granularity` and `retention` long, in a
    fixed room whatever the rate. Empty buckets go by with time; a late event goes into its own bucket while that lives, and counts
    in `late` afterwards. Where the edge must be exact, use `SlidingCount`. Merged copies hold the sums bucket by bucket, as one
    that had seen all events.

        >>> counts = MinuteCounts("1m", "3m")
        >>> [counts.add(at(second)) for second in (0, 59, 130, 185, 61)], counts.counts()
        ([1, 2, 3, 2, 3], [1, 1, 1])
    """

    shape: ClassVar[str] = "MinuteCounts/1"
    granularity: Any = "1m"
    retention: Any = "8m"
    _late: int = 0
    _newest: int = _NEVER
    _total: int = 0
    _ring: Any = msgspec.field(default_factory=lambda: array("q"))

    def __post_init__(self) -> None:
        self.granularity, self.retention = span_of(self.granularity), span_of(self.retention)
        self._ring = array("q", bytes(8 * buckets_of(self.retention, self.granularity)))

    @property
    def idle(self) -> int:
        """The retention and one bucket: an older event no longer counts."""
        return int(self.retention + self.granularity)

    def load(self, plain: Any) -> None:
        """Takes over [newest, late, [[start, count], …]], whatever the granularity was."""
        newest, self._late, counts = plain or (_NEVER, 0, ())
        self._ring, self._total = array("q", bytes(8 * len(self._ring))), 0
        self._newest = newest // self.granularity if newest > _NEVER else _NEVER
        for start, count in counts:
            self._place(start // self.granularity, count)

    def dump(self) -> Any:
        """[start of the newest bucket in ns; too late; start in ns and count of each bucket that is not empty]."""
        if self._newest == _NEVER:
            return [_NEVER, self._late, []]
        first = self._newest - len(self._ring) + 1
        held = [[(first + n) * self.granularity, count] for n, count in enumerate(self.counts()) if count]
        return [self._newest * self.granularity, self._late, held]

    @property
    def late(self) -> int:
        """How many events came too late to be counted."""
        return self._late

    def add(self, event: Event) -> int:
        """The count of all buckets with this event in it."""
        ring, bucket = self._ring, event.time // self.granularity
        ahead = bucket - self._newest
        if ahead > 0:
            self._advance(bucket)
        elif ahead <= -len(ring):
            self._late += 1
            return self._total
        ring[bucket % len(ring)] += 1
        self._total += 1
        return self._total

    def _advance(self, bucket: int) -> None:
        ring = self._ring
        for passed in range(max(self._newest, bucket - len(ring)) + 1, bucket + 1):
            self._total -= ring[passed % len(ring)]
            ring[passed % len(ring)] = 0
        self._newest = bucket

    def _place(self, bucket: int, count: int) -> None:
        if bucket > self._newest - len(self._ring):
            self._ring[bucket % len(self._ring)] += count
            self._total += count

    def total(self) -> int:
        """The count of all buckets, as of the newest event."""
        return self._total

    def mean(self) -> float:
        """Events per bucket, empty ones included."""
        return self._total / len(self._ring)

    def counts(self) -> list[int]:
        """The count of each bucket, oldest first; the last is that of the newest event."""
        ring, at = self._ring, (self._newest + 1) % len(self._ring)
        return [*ring[at:], *ring[:at]]

    def merge(self, other: MinuteCounts) -> None:
        """Takes over what `other` counted."""
        newest, late, counts = other.dump()
        self._late += late
        if counts:
            self._advance(max(newest // self.granularity, self._newest))
        for start, count in counts:
            self._place(start // self.granularity, count)

    def evidence(self) -> tuple[int, int] | None:
        """How many events the buckets hold, and the start of the oldest that is not empty."""
        return (self._total, self.dump()[2][0][0]) if self._total else None


def buckets_of(span: int, granularity: int, most: int = _BUCKETS) -> int:
    """How many buckets of `granularity` make up `span` (both ns), the last one begun counting whole; `ValueError` above `most`."""
    count = -(-span // granularity)
    if count > most:
        raise ValueError(f"{count} buckets are too many, at most {most}: choose longer ones or keep less")
    return count
