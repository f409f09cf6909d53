"""How fast each shipped analyzer judges the records it is for, alone in the production pipeline.

`python benchmarks/each.py [NAME …]`. The records are those of the generated streams that an analyzer wants (its `where`), in normal form:
nested ECS documents as Beats and agents ship them; what lines of text cost to take apart is a mapping's (`mappings.py`). The first half
warms the state up, the second is timed slice by slice, with the ticks of its seconds in between. The tables it reads are filled by the
analyzers that know them, beforehand.

The figure is the median slice: decode, mapping, predicate, key, state, body. What becomes of alerts is left out of it and told on its own,
for in the streams some analyzers alert at every record. `bare` is a body that does nothing, with the same `where` and key.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import statistics
import time
from array import array
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import msgspec
from common import as_worker, conditions
from eval import OPTIONS, STREAMS

from pluginhost import shipped_analyzers
from pluginhost.engine.generations import ready
from pluginhost.engine.items import Item, Tick
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit
from pluginhost.events.event import Event
from pluginhost.events.slice import Batch, Slice

LOOKED_AT, MOST, FEWEST, SLICE = 60_000, 20_000, 400, 200
TARGET = 100_000
SECOND = 10**9
encode = msgspec.msgpack.Encoder().encode


class Muted(Pipeline):
    """A pipeline that makes nothing of what analyzers return, but counts it."""

    returned = 0

    def taken(self, *given: Any) -> None:
        """One result less to make a document of."""
        self.returned += 1


def normal(stream: str) -> list[tuple[int, str, bytes]]:
    """(time, tag, ECS document as msgpack) of the stream's records."""
    known, found = mappings(), []
    for one in itertools.islice(STREAMS[stream].make(Random(1), 1.0), LOOKED_AT):
        event = Event(Slice(0, 0, one.time, one.time, one.tag, "msgpack", encode(one.record)), known, one.time)
        found.append((one.time, one.tag, encode(event.document())))
    return found


def wanted(unit: Unit, records: Iterable[tuple[int, str, bytes]]) -> list[tuple[int, str, bytes]]:
    """Those that the unit wants, at most `MOST`."""
    known = mappings()

    def wants(record: tuple[int, str, bytes]) -> bool:
        at, tag, raw = record
        event = Event(Slice(0, 0, at, at, tag, "msgpack", raw), known, at)
        return unit.wants(tag) and (unit.predicate is None or unit.predicate(event)) and all(field in event for field in unit.key)

    return list(itertools.islice(filter(wants, records), MOST))


def slices(records: list[tuple[int, str, bytes]]) -> Iterator[tuple[Tick, Batch]]:
    """Batches of `SLICE` records, each with the tick before it."""
    for at in range(0, len(records) - SLICE + 1, SLICE):
        part = records[at : at + SLICE]
        ends = array("I", itertools.accumulate(len(raw) for _, _, raw in part))
        starts, last = array("I", [0, *ends[:-1]]), part[-1][0]
        times = array("q", [when for when, _, _ in part])
        data = b"".join(raw for _, _, raw in part)
        yield (Tick(at, part[0][0] // SECOND * SECOND, part[0][0]),
               Batch(at + 1, last, last, part[0][1], "msgpack", "", "", data, starts, ends, times, range(SLICE)))


def told(others: list[Unit], work: list[tuple[Tick, Batch]]) -> list[list[Item]]:
    """What the other analyzers put into their tables at each slice."""
    pipeline, state = Muted(others, mappings()), ShardState()
    found = []
    for slice_ in work:
        found.append(list[Item](pipeline.run(state, slice_).tables))
        pipeline.run(state, found[-1])
    return found


def cost(unit: Unit, work: list[tuple[Tick, Batch]], tables: list[list[Item]]) -> tuple[float, float]:
    """(CPU seconds for a record: the median slice of the second half; results returned for a record there)."""
    pipeline, state, took = Muted([unit], mappings()), ShardState(), list[float]()
    for n, slice_ in enumerate(work):
        if n == len(work) // 2:
            pipeline.returned = 0
        began = time.process_time()
        pipeline.run(state, slice_)
        took.append(time.process_time() - began)
        pipeline.run(state, tables[n])
    measured = took[len(took) // 2 :]
    return statistics.median(measured) / SLICE, pipeline.returned / (len(measured) * SLICE)


def bare(unit: Unit) -> Unit:
    """The unit with a body that does nothing."""
    analyzer = copy.copy(unit.analyzer)
    analyzer.body = lambda event: None
    return Unit(analyzer, {})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only these analyzers")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    as_worker()
    conditions(f"streams of eval.py, median slice of {SLICE} records", given.rounds)
    units = [unit for file in sorted(shipped_analyzers().glob("[!_]*.py")) for unit in ready(bundle(file), OPTIONS)]
    streams = {stream: normal(stream) for stream in STREAMS}
    lines, few = [], []
    for unit in units:
        if given.names and unit.name not in given.names:
            continue
        stream, records = max(((name, wanted(unit, found)) for name, found in streams.items()), key=lambda one: len(one[1]))
        if len(records) < FEWEST:
            few.append(unit.name)
            continue
        tables, work = {one.name for one in unit.analyzer.tables.values()}, list(slices(records))
        filled = told([one for one in units if one is not unit and tables & {table.name for table in one.analyzer.tables.values()}], work)
        rounds = [(*cost(unit, work, filled), cost(bare(unit), work, filled)[0]) for _ in range(given.rounds)]
        whole, returned, nothing = (statistics.median(column) for column in zip(*rounds, strict=True))
        verdict = "met" if 1 / whole >= TARGET else "MISSED"
        cells = f"{whole * 1e6:>8.2f} {nothing * 1e6:>8.2f} {1 / whole:>12,.0f} {returned * 1000:>10.1f}"
        lines.append((whole, f"  {unit.name:<28} {stream:<8} {cells}  {verdict}"))
    head = f"{'µs':>8} {'bare':>8} {'records/s':>12} {'per 1,000':>10}"
    print(f"  {'analyzer':<28} {'stream':<8} {head}  at least {TARGET:,}")
    print("\n".join(line for _, line in sorted(lines)))
    if few:
        print(f"\nFewer than {FEWEST} records in the streams for: {', '.join(few)}.")


if __name__ == "__main__":
    main()
