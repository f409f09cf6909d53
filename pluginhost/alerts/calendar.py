"""When something holds: between two moments, at hours of the week, or for a while after each time of a cron schedule. Pure.

All moments are ns UTC; hours and schedules are read in a time zone, so that they move with its summer time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

__all__ = ["DAYS", "Hours", "Schedule", "Span", "When"]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days of a week, in order."""

_SECOND = 10**9
_FIELDS = 5
_AHEAD = 16  # days: hours that the clock skips on one day of the week come a week later


class Span(msgspec.Struct, frozen=True):
    """From `since` on, before `until`."""

    since: int = -(1 << 62)
    until: int = 1 << 62

    def holds(self, at: int) -> bool:
        """Whether `at` lies in it."""
        return self.since <= at < self.until


class Hours(msgspec.Struct, frozen=True):
    """On these days (0 is Monday), from a time of the day to another; one that lies before the first is that of the next day."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def holds(self, at: int) -> bool:
        """Whether `at` lies in them."""
        moment = _local(at, self.zone)
        return any(one <= moment < other for one, other in self._around(moment.date()))

    def next(self, at: int) -> int:
        """When they begin next, at `at` or later."""
        today = _local(at, self.zone).date()
        days = (day for number in range(_AHEAD) if (day := today + timedelta(number)).weekday() in self.days)
        begins = (_ns(self._begin(day).replace(fold=fold)) for day in days for fold in (0, 1))
        return next(one for one in begins if one >= at and self.holds(one))

    def _around(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The hours that begin on a day and on the one before."""
        for first in (day, day - timedelta(1)):
            if first.weekday() in self.days:
                last = first if self.end > self.start else first + timedelta(1)
                yield self._begin(first), datetime.combine(last, self.end, self.zone)

    def _begin(self, day: date) -> datetime:
        return datetime.combine(day, self.start, self.zone)


class Schedule(msgspec.Struct, frozen=True):
    """The times of a cron expression of five fields; each lasts `span` ns. `ValueError` if it is none."""

    cron: str
    zone: ZoneInfo
    span: int = 0

    def __post_init__(self) -> None:
        try:
            next(CronSim(self.cron, datetime(2026, 1, 1, tzinfo=self.zone)))
            known = len(self.cron.split()) == _FIELDS
        except (CronSimError, StopIteration):
            known = False
        if not known:
            raise ValueError(f"`{self.cron}` is no cron expression of five fields, such as `0 9 * * mon-fri`")

    def holds(self, at: int) -> bool:
        """Whether `at` lies within `span` of one of them."""
        return self.next(at - self.span) <= at

    def next(self, at: int) -> int:
        """The first of them behind `at`."""
        known = _last(self.cron, self.zone)
        asked, then = known[0]
        if not asked <= at < then:
            times = map(_ns, CronSim(self.cron, _local(at, self.zone)))
            then = next(one for one in times if one > at)  # in the hour that comes twice it begins with the first
            known[0] = (at, then)
        return then


When = Span | Hours | Schedule


@lru_cache(maxsize=256)
def _last(cron: str, zone: ZoneInfo) -> list[tuple[int, int]]:
    """What was asked last of an expression, and the answer: it is the same for whatever is asked up to there, and takes long to find."""
    return [(0, 0)]


def _local(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at // _SECOND, UTC).astimezone(zone)


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * _SECOND
