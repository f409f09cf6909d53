"""How far event time is complete: the least of the sources' newest times, less the lateness.

A source is an input and its peer. One that has been silent for `IDLE` no longer holds the others back; when all are silent, the
clock itself moves on. Before anything was heard there is no such time: a sidecar that begins with old records has theirs, not the
clock's. Only the host asks this; everything behind the journal knows time from tick rows.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict

from ..options import Duration
from ..store.row import Kind, Row
from ..wire.chunk import Columns
from .splitter import FUTURE

__all__ = ["IDLE", "Watermarks"]

IDLE = Duration.of("30s").ns
_SECOND = 1_000_000_000
_SOURCES = 10_000  # peers are anybody: the one silent longest is forgotten


class Watermarks:
    """Fed every durable row; `now` tells how far ticks may go. All times ns. `heard`: whether there were records before these."""

    def __init__(self, lateness: int, *, heard: bool = False) -> None:
        self._lateness, self._heard = lateness, heard
        self._newest: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()  # source → (newest event time, last arrival)
        self._last = 0

    def recall(self, row: Row) -> None:
        """Notes what a row that was there before this start tells: who was heard, and that time had begun."""
        self._heard |= row.kind in {Kind.RECORDS, Kind.TICK}
        if row.kind == Kind.RECORDS:
            self._note(_source(row), 0, 0)

    def resume(self, clock: int) -> None:
        """The doors open: who was recalled has `IDLE` from now on to be heard again, with what was kept for us meanwhile."""
        self._newest.update({source: (newest, clock) for source, (newest, _) in self._newest.items()})

    def seen(self, row: Row) -> None:
        """Notes the newest event time of a row of records."""
        if row.kind != Kind.RECORDS or not row.count:
            return
        times: array[int] = Columns.unpack(row.columns).times
        newest = max(times)
        if newest > row.arrival + FUTURE:
            newest = max((time for time in times if time <= row.arrival + FUTURE), default=0)
        self._heard = True
        self._note(_source(row), newest or row.arrival, row.arrival)

    def _note(self, source: tuple[str, str], newest: int, arrival: int) -> None:
        before = self._newest.pop(source, (0, 0))[0]
        self._newest[source] = (max(before, newest), arrival)
        if len(self._newest) > _SOURCES:
            self._newest.popitem(last=False)

    def now(self, clock: int) -> int | None:
        """The next whole second that event time has passed, or None if it has passed no further one."""
        if not self._heard:
            return None
        active = [newest for newest, arrival in self._newest.values() if arrival + IDLE > clock]
        mark = min(active, default=clock) - self._lateness
        second = mark - mark % _SECOND
        if second <= self._last:
            return None
        self._last = second
        return second


def _source(row: Row) -> tuple[str, str]:
    return row.input, row.source.rpartition(":")[0] or row.source
