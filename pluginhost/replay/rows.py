"""Streams of the past → the rows a journal would hold, had the records come as they happened.

Records come in the order of their streams, merged by time. A row's arrival is the newest time so far, so it never goes back, and a record
that stands behind younger ones is as late as it would be live; one without a time happened at its arrival. No row reaches over the end of a
span of time, whatever the blocks that were read. Between rows stand the ticks that a host would have journalled. Pure.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec

from ..engine.splitter import tick_row
from ..engine.watermark import Watermarks
from ..store.row import Kind, Row
from ..wire.chunk import Chunk, Columns, Meta
from .sources.port import Stream, Window
from .timing import Timing

__all__ = ["SECOND", "Counted", "limited", "merged", "tick", "ticking"]

SECOND = 1_000_000_000
_MOST = 1000
"""Records of a row."""

_SILENCE = 1024


class Counted(msgspec.Struct):
    """What became of what was read: records taken, outside of the window, without a time of their own; parts that were no records."""

    records: int = 0
    outside: int = 0
    untimed: int = 0
    rejected: int = 0


class _Cursor:
    """One stream: its chunk at hand, and up to where that was taken. `arrivals` never go down, also from chunk to chunk."""

    def __init__(self, stream: Stream, timing: Timing, window: Window, latest: int, counted: Counted) -> None:
        self.stream, self._timing, self._window, self._counted = stream, timing, window, counted
        self._written = stream.written or latest
        self._clock = 0
        self.chunk: Chunk
        self.arrivals: Sequence[int] = ()
        self.at = 0

    def more(self) -> bool:
        """Whether there is a record at hand, now."""
        while self.at >= len(self.arrivals):
            chunk = next(self.stream.chunks, None)
            if chunk is None:
                return False
            self._take(chunk)
        return True

    def _take(self, chunk: Chunk) -> None:
        found = self._timing.timed(chunk, self._written)
        self._counted.rejected += len(chunk.rejected)
        self._clock = self._clock or next(filter(None, found), self._written)
        arrivals = list(accumulate(found, max, initial=self._clock))[1:]
        self._clock = arrivals[-1] if arrivals else self._clock
        if self._window.whole:
            kept: Sequence[int] = range(len(found))
        else:
            kept = [place for place, (time, arrival) in enumerate(zip(found, arrivals, strict=True)) if (time or arrival) in self._window]
        self._counted.outside += len(found) - len(kept)
        self._counted.untimed += sum(not found[place] for place in kept)
        self._counted.records += len(kept)
        self.chunk = _chosen(chunk, array("q", [time or arrival for time, arrival in zip(found, arrivals, strict=True)]), kept)
        self.arrivals, self.at = [arrivals[place] for place in kept], 0


def _chosen(chunk: Chunk, found: array[int], kept: Sequence[int]) -> Chunk:
    """The chunk with these times, and of it only the records at `kept`; what was said beside them stays with them."""
    columns, places = chunk.columns, {place: number for number, place in enumerate(kept)} if chunk.columns.metas else {}
    starts, ends = columns.starts, columns.ends
    if len(kept) < len(starts):
        starts, ends = array("I", [starts[place] for place in kept]), array("I", [ends[place] for place in kept])
        found = array("q", [found[place] for place in kept])
    metas = tuple(msgspec.structs.replace(one, index=places[one.index]) for one in columns.metas if one.index in places)
    return msgspec.structs.replace(chunk, columns=Columns(starts, ends, found, metas), rejected=())


def merged(streams: Iterable[Stream], kind: str, timing: Timing, window: Window, *, span: int, latest: int,
           counted: Counted) -> Iterator[Row]:  # fmt: skip
    """Rows of at most `span` ns and `_MOST` records, in the order of their arrivals. `latest` (ns) is the time now."""
    cursors = [_Cursor(stream, timing, window, latest, counted) for stream in streams]
    heap = [(cursor.arrivals[cursor.at], number) for number, cursor in enumerate(cursors) if cursor.more()]
    heapq.heapify(heap)
    while heap:
        _, number = heap[0]
        cursor = cursors[number]
        until = heap[1][0] if len(heap) > 1 else 1 << 63
        if len(heap) > 2:
            until = min(until, heap[2][0])
        yield from _rows(cursor, kind, span, until)
        if cursor.more():
            heapq.heapreplace(heap, (cursor.arrivals[cursor.at], number))
        else:
            heapq.heappop(heap)


def _rows(cursor: _Cursor, kind: str, span: int, until: int) -> Iterator[Row]:
    """The rows of what is at hand up to the time `until`; at least one record of it."""
    arrivals = cursor.arrivals
    end = max(bisect_left(arrivals, until, cursor.at), cursor.at + 1)
    while cursor.at < end:
        first = cursor.at
        border = arrivals[first] - arrivals[first] % span + span
        last = cursor.at = bisect_left(arrivals, border, first, min(first + _MOST, end))
        yield _row(cursor, kind, first, last)


def _row(cursor: _Cursor, kind: str, first: int, last: int) -> Row:
    chunk, columns = cursor.chunk, cursor.chunk.columns
    metas = tuple(Meta(one.index - first, one.start, one.end, one.group_start, one.group_end)
                  for one in columns.metas if first <= one.index < last)  # fmt: skip
    part = Columns(columns.starts[first:last], columns.ends[first:last], columns.times[first:last], metas)
    return Row(Kind.RECORDS, chunk.data, arrival=cursor.arrivals[last - 1], input=kind, source=cursor.stream.name, tag=chunk.tag,
               codec=chunk.codec, count=last - first, columns=part.pack())  # fmt: skip


def limited(rows: Iterable[Row], most: int) -> Iterator[Row]:
    """The rows up to the record `most`."""
    for row in rows:
        if row.count > most:
            columns = Columns.unpack(row.columns)
            part = Columns(columns.starts[:most], columns.ends[:most], columns.times[:most],
                           tuple(one for one in columns.metas if one.index < most))  # fmt: skip
            row = msgspec.structs.replace(row, count=most, columns=part.pack())  # noqa: PLW2901
        if row.count or row.kind != Kind.RECORDS:
            yield row
        most -= row.count
        if most <= 0:
            return


def ticking(rows: Iterable[Row], lateness: int, *, began: int = 0, end: int | None = None) -> Iterator[Row]:
    """The rows with ticks among them: for each whole second that passes, as a host journals them by its watermarks and its clock.

    While nothing comes for longer than `_SILENCE` seconds they come less and less often, to a part of the silence: a gap of years, or one
    absurd time, must not cost a year of seconds. Behind the last row time is complete up to its arrival, or on to `end` (ns) if that is
    given; `began` is where it began.
    """
    marks, clock = Watermarks(lateness, heard=began > 0), began
    for row in rows:
        yield from _passed(marks, clock or row.arrival, row.arrival)
        clock = row.arrival
        yield row
        marks.seen(row)
    if clock or end:
        yield from _passed(marks, clock or end or 0, max(clock, end or 0))
        last = max(clock, end or 0)
        yield tick(last - last % SECOND, last)


def _passed(marks: Watermarks, before: int, now: int) -> Iterator[Row]:
    """The ticks from `before` to `now`."""
    clock = before
    while clock < now:
        step = max((clock - before) // _SILENCE, SECOND)
        clock = min(clock - clock % SECOND + step, now)
        if (mark := marks.now(clock)) is not None:
            yield tick(mark, clock)


def tick(mark: int, clock: int) -> Row:
    """A row that tells, at `clock`, that time is complete up to `mark`, both ns."""
    row = tick_row(mark)
    row.arrival = clock
    return row
