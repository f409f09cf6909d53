"""Rows through judges, group by group: what backtests and detections have in common. Says how far it is, and stops when told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy

import msgspec

from ..store.row import Kind, Row
from ..wire.chunk import Columns
from .judging import Judge
from .rows import SECOND

__all__ = ["GROUP", "Passed", "grouped", "judged", "working"]

GROUP = 5 * SECOND
"""Event time that is judged in one go. What is derived in it comes behind it: no later than timers wait for what is late, by default."""

_RECORDS, _ROWS = 10_000, 2000


class Passed(msgspec.Struct):
    """How far a run has come: records judged, and the times (ns) of the first and the last."""

    records: int = 0
    first: int = 0
    last: int = 0


def grouped(rows: Iterable[Row], span: int = GROUP) -> Iterator[list[Row]]:
    """The rows of one span of time after another's, or fewer where they are very many."""
    group: list[Row] = []
    border = count = 0
    for row in rows:
        if group and (row.arrival >= border or count >= _RECORDS or len(group) >= _ROWS):
            yield group
            group, count = [], 0
        if not group:
            border = row.arrival - row.arrival % span + span
        group.append(row)
        count += row.count
    if group:
        yield group


@contextlib.asynccontextmanager
async def working(judges: Sequence[Judge]) -> AsyncIterator[None]:
    """The judges' desks commit while this lasts; in the end all that was found is committed, unless something failed. That is raised as
    it is: a `Problem` of a source is the operator's."""
    try:
        async with asyncio.TaskGroup() as tasks:
            desks = [tasks.create_task(one.run(), name="desk") for one in judges]
            try:
                yield
                for one in judges:
                    await one.settle()
            finally:
                for task in desks:
                    task.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def judged(groups: Iterable[Sequence[Row]], judges: Sequence[Judge], passed: Passed, *, stopping: Callable[[], bool],
                 between: Callable[[Sequence[Row]], Awaitable[None]]) -> bool:  # fmt: skip
    """Whether all groups were judged, or it was told to stop before. `between` is awaited behind each group."""
    for group in groups:
        for one in judges[1:]:
            await one.take([copy(row) for row in group])
        await judges[0].take(group)
        count = sum(row.count for row in group if row.kind == Kind.RECORDS)
        if count:
            passed.records += count
            passed.first, passed.last = passed.first or _time(group, 0), _time(group, -1)
        await between(group)
        if stopping():
            return False
    return True


def _time(group: Sequence[Row], place: int) -> int:
    """The time of the first record (0) or the last one (-1)."""
    row = [row for row in group if row.kind == Kind.RECORDS][place]
    time = Columns.unpack(row.columns).times[place]
    return time if 0 < time <= row.arrival else row.arrival
