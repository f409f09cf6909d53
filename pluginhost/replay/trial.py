"""Items through the production pipeline, in process: what analyzers find in made-up records, as a host with one shard would.

Records arrive at their own time. Ticks come as live: whenever a second is complete, before the first record of a later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import count, islice

import msgspec

from ..engine.items import Failure, Finding, Item, Tick
from ..engine.pipeline import Pipeline
from ..engine.splitter import chained_row, items
from ..engine.state import ShardState
from ..engine.unit import Unit
from ..events.mapping import Mappings
from ..events.slice import Batch
from .generators.item import HOUR, SECOND
from .generators.item import Item as Made

__all__ = ["trial"]

_CHUNK = 200  # records after which what analyzers told one another goes round
_encode = msgspec.msgpack.Encoder().encode


def trial(made: Iterable[Made], units: Sequence[Unit], mappings: Mappings, failures: list[Failure]) -> Iterator[Finding]:
    """What `units` find, in order. Where one fails is added to `failures`. An hour passes at the end, so that timers fall due."""
    pipeline, state, offsets, last = Pipeline(units, mappings), ShardState(), count(1), 0
    stream = iter(made)
    turn = partial(_round, pipeline, state, offsets, failures)
    while chunk := list(islice(stream, _CHUNK)):
        yield from turn(_timed(chunk, offsets, last))
        last = chunk[-1].time
    end = last + HOUR
    yield from turn([Tick(next(offsets), end, end)])


def _timed(chunk: Iterable[Made], offsets: Iterator[int], last: int) -> Iterator[Item]:
    for one in chunk:
        if one.time // SECOND > last // SECOND:
            yield Tick(next(offsets), one.time // SECOND * SECOND, one.time)
        last, raw = one.time, _encode(one.record)
        yield Batch(next(offsets), last, last, one.tag, "msgpack", "", "", raw, (0,), (len(raw),), (last,), (0,))


def _round(pipeline: Pipeline, state: ShardState, offsets: Iterator[int], failures: list[Failure],
           given: Iterable[Item]) -> Iterator[Finding]:  # fmt: skip
    """The findings at the items, then at the records and tables that came of them, until nothing more does."""
    while True:
        result = pipeline.run(state, given)
        failures += result.failures
        yield from result.findings
        rows = [msgspec.structs.replace(chained_row(one), offset=next(offsets), arrival=one.time) for one in result.chained]
        given = [*result.tables, *(item for row in rows for item in items(row))]
        if not given:
            return

