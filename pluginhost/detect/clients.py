"""Counts of many clients in one state: who asks more than the others, over the last minutes. For analyzers that are `pinned`."""

from __future__ import annotations

import heapq
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from .state import LONGEST, State, span_of, text
from .windows import buckets_of

__all__ = ["ClientCounts"]

_NEVER = -(1 << 63)
_BUCKETS = 1000
Counts = dict[str, int]


class ClientCounts(State, gc=False, eq=False):
    """How many events each client had in the last buckets of `granularity`, as many as `retention` has.

    Each bucket counts its clients, one more dictionary holds the sums, and what a bucket held is subtracted in one pass when it goes.
    The last bucket is that of the newest event; late events go into their own while it lives, and count in `late` afterwards. At
    most `limit` clients are known: for one more the quarter with the fewest events is forgotten, so that a flood of names hides nobody
    who is busy; `evicted` counts them. Merged copies hold the sums, as one that had seen all events.

        >>> requests = ClientCounts("1m", "3m")
        >>> [requests.add(name, at(second)) for name, second in (("a", 0), ("b", 70), ("a", 80), ("a", 200))]
        [1, 1, 2, 2]
        >>> requests.total(), requests.clients(), requests.mean(), requests.top(1)
        (3, 2, 1.5, [('a', 2)])
    """

    shape: ClassVar[str] = "ClientCounts/1"
    granularity: Any = "1m"
    retention: Any = "8m"
    limit: int = 100_000
    _newest: int = _NEVER
    _total: int = 0
    _late: int = 0
    _evicted: int = 0
    _sums: Counts = msgspec.field(default_factory=dict)
    _current: Counts = msgspec.field(default_factory=dict)
    _buckets: dict[int, Counts] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.granularity, self.retention = span_of(self.granularity), span_of(self.retention)
        buckets_of(self.retention, self.granularity, _BUCKETS)
        if self.limit < 1:
            raise ValueError(f"room for {self.limit} clients is none")

    @property
    def idle(self) -> int:
        """The retention and one bucket: an older event no longer counts."""
        return int(self.retention + self.granularity)

    def load(self, plain: Any) -> None:
        """Takes over [newest, late, evicted, [[start, {client: count}], …]], whatever the granularity was."""
        newest, self._late, self._evicted, held = plain or (_NEVER, 0, 0, ())
        self._newest, self._total, self._sums, self._current, self._buckets = _NEVER, 0, {}, {}, {}
        self._take(newest, held)

    def dump(self) -> Any:
        """[start of the newest bucket in ns; too late; evicted; start in ns and {client: count} of each bucket]."""
        newest = self._newest if self._newest == _NEVER else self._newest * self.granularity
        return [newest, self._late, self._evicted, [[at * self.granularity, counts] for at, counts in sorted(self._buckets.items())]]

    @property
    def late(self) -> int:
        """How many events came too late to be counted."""
        return self._late

    @property
    def evicted(self) -> int:
        """How many clients were forgotten before their time because there were too many."""
        return self._evicted

    def add(self, client: object, event: Event) -> int:
        """The client's count with this event in it."""
        name = client if client.__class__ is str and len(client) <= LONGEST and client.isascii() else text(client)
        bucket = event.time // self.granularity
        counts = self._current if bucket == self._newest else self._bucket(bucket)
        if counts is None:
            self._late += 1
            return self._sums.get(name, 0)
        return self._count(name, counts, 1)

    def _count(self, name: str, counts: Counts, more: int) -> int:
        sums = self._sums
        count = sums.get(name, 0)
        if not count and len(sums) >= self.limit:
            self._make_room()
        counts[name] = counts.get(name, 0) + more
        sums[name] = count = count + more
        self._total += more
        return count

    def _bucket(self, bucket: int) -> Counts | None:
        """The counts of a bucket that lives, None of one that is gone; a newer one than all makes the oldest go."""
        first = max(bucket, self._newest) - -(-self.retention // self.granularity) + 1
        if bucket < first:
            return None
        counts = self._buckets.setdefault(bucket, {})
        if bucket > self._newest:
            self._newest, self._current = bucket, counts
            for gone in [one for one in self._buckets if one < first]:
                self._subtract(self._buckets.pop(gone))
        return counts

    def _subtract(self, counts: Counts) -> None:
        sums = self._sums
        self._total -= sum(counts.values())
        for name, count in counts.items():
            left = sums[name] - count
            if left:
                sums[name] = left
            else:
                del sums[name]

    def _make_room(self) -> None:
        """Forgets the quarter of the clients with the fewest events; of equals those whose names come first, so that replays agree."""
        sums = self._sums
        few = sorted(sorted(sums), key=sums.__getitem__)[: max(1, self.limit // 4)]
        for counts in self._buckets.values():
            for name in few:
                counts.pop(name, None)
        for name in few:
            self._total -= sums.pop(name)
        self._evicted += len(few)

    def total(self) -> int:
        """The events of all clients."""
        return self._total

    def clients(self) -> int:
        """How many clients had an event."""
        return len(self._sums)

    def mean(self) -> float:
        """Events per client; 0 if there is none."""
        return self._total / len(self._sums) if self._sums else 0.0

    def count(self, client: object) -> int:
        """The events of one client."""
        return self._sums.get(text(client), 0)

    def top(self, count: int = 10) -> list[tuple[str, int]]:
        """The clients with the most events, the first first, each with its count. Looks at all clients."""
        return heapq.nsmallest(count, self._sums.items(), key=lambda one: (-one[1], one[0]))

    def merge(self, other: ClientCounts) -> None:
        """Takes over what `other` counted."""
        newest, late, evicted, held = other.dump()
        self._late, self._evicted = self._late + late, self._evicted + evicted
        self._take(newest, held)

    def _take(self, newest: int, held: Any) -> None:
        if newest > _NEVER:
            self._bucket(newest // self.granularity)
        for start, counts in held:
            place = self._bucket(start // self.granularity)
            if place is not None:
                for name, count in counts.items():
                    self._count(name, place, count)
