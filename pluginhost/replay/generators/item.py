"""What every generator gives: records in order of time, each with what must be found in it.

Generators are pure: chance and time are arguments, equal ones give equal records. They never hold more than what is under way,
so that a million records take no more memory than a thousand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from math import exp, sqrt
from random import Random
from typing import Any, NamedTuple

from ...options import Duration

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Incident", "Incidents", "Item", "Label", "Record", "arising", "ordered", "poisson"]

Record = dict[str, Any]
_MANY = 200  # from here on the bell curve is as good
SECOND, MINUTE, HOUR, DAY = (Duration.of(span).ns for span in ("1s", "1m", "1h", "1d"))


class Label(NamedTuple):
    """What a record is part of: a kind of `pluginhost.replay.kinds`, whom it is about (a user, address or host), the incident's number.

    `shows` are further kinds that can be seen in it: a stolen login may show a new device and an impossible travel.
    """

    kind: str
    entity: str
    incident: int
    shows: tuple[str, ...] = ()


class Item(NamedTuple):
    """One record: its tag, when it happened (ns UTC), and what it is part of, or None. No two have the same time."""

    tag: str
    time: int
    record: Record
    label: Label | None = None


class Incidents:
    """Numbers for incidents, from 1 on."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def label(self, kind: str, entity: str, shows: tuple[str, ...] = ()) -> Label:
        """The label of a new incident."""
        return Label(kind, entity, next(self._numbers), shows)


def ordered(batches: Iterable[tuple[int, Iterable[Item]]], start: int, end: int) -> Iterator[Item]:
    """The items of all batches that lie in [`start`, `end`), in order of time and at least a nanosecond apart.

    A batch is (bound, items): nothing in later batches lies before the bound. Items beyond it wait.
    """
    pending: list[Item] = []
    last = start - 1
    for bound, items in batches:
        pending += (item for item in items if start <= item.time < end)
        pending.sort(key=lambda item: item.time)
        ready = bisect_left(pending, bound, key=lambda item: item.time)
        for item in pending[:ready]:
            last = max(item.time, last + 1)
            yield item if item.time == last else item._replace(time=last)
        del pending[:ready]
    for item in pending:
        last = max(item.time, last + 1)
        yield item._replace(time=last)


def poisson(rng: Random, mean: float) -> int:
    """How often something that happens `mean` times on the average happens."""
    if mean > _MANY:
        return max(round(rng.gauss(mean, sqrt(mean))), 0)
    number, left, floor = 0, rng.random(), exp(-mean)
    while left > floor:
        number += 1
        left *= rng.random()
    return number


Incident = Callable[[int], Iterable[Item]]
"""Makes the items of one incident from the time at which it begins, ns."""


def arising(rng: Random, kinds: Mapping[Incident, float], begin: int, span: int) -> Iterator[Item]:
    """The items of the incidents that begin in the `span` ns from `begin` on; of each kind so many a day on the average."""
    for incident, often in kinds.items():
        for _ in range(poisson(rng, often * span / DAY)):
            yield from incident(begin + rng.randrange(span))
