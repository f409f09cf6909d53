"""The gate a saved file must pass: it loads, its options fit, and its own examples come out as they say.

Examples run through the production path: a journal row, the splitter, the pipeline. Pure apart from running the author's
code; the host lets a separate process do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ..detect.declaration import Analyzer, Example
from ..events.mapping import Mappings
from ..events.slice import Slice
from ..problem import Place, Problem
from ..store.row import Kind, Row
from ..wire.chunk import Columns
from .generations import Module, describe, fitted, ready
from .items import Item, Result, Tick
from .loader import Bundle
from .pipeline import Pipeline
from .splitter import slices
from .state import ShardState
from .unit import Unit

__all__ = ["START", "check", "judge", "rows", "ticking"]

START = 1_767_225_600_000_000_000
"""When the first record of an example happens: 2026-01-01T00:00:00Z, in ns."""

_encode = msgspec.msgpack.Encoder().encode


def check(made: Bundle, options: Mapping[str, Mapping[str, Any]], mappings: Mappings) -> Module:
    """The manifest entry of a bundle that passed; the `Problem` that keeps it out otherwise."""
    units = ready(made, options)
    lines = made.source.splitlines()
    for unit in units:
        for example in unit.analyzer.examples:
            problem = judge(unit, example, mappings)
            if problem is not None:
                if isinstance(problem.where, Place) and problem.where.file == made.file and not problem.where.text:
                    problem.where = Place(problem.where.file, problem.where.line, 0, lines[problem.where.line - 1])
                raise problem
    return describe(made, units, options)


def judge(unit: Unit, example: Example, mappings: Mappings) -> Problem | None:
    """What is wrong with the example, or None."""
    place = example.where
    try:
        given = fitted(unit.analyzer, example.options, f"{unit.name}: an example's options")
        fresh = Unit(unit.analyzer, {**unit.options, **given}, unit.rule.ruleset, unit.sources)
        result = _run(fresh, example, mappings)
    except Problem as problem:
        problem.where = place
        return problem
    except (TypeError, ValueError, OverflowError) as error:  # the pipeline contains what analyzers raise
        return Problem("analyzer.example", f"{unit.name}: an example that is no text or record: {error}", where=place)
    if result.failures:
        failure = result.failures[0]
        told = f"{unit.name}: {failure.error}, at record {failure.index + 1} of the example in line {place.line}"
        return Problem("analyzer.example", told, where=failure.place or place)
    wanted = _verdict(example, len(result.findings))
    if wanted is None:
        return None
    first = f", the first at record {result.findings[0].index + 1}: {result.findings[0].message}" if result.findings else ""
    why = _why(fresh, unit.analyzer, len(example.records))
    return Problem("analyzer.example", f"{unit.name}: expected {wanted}, got {len(result.findings) or 'none'}{first}; {why}", where=place)


def _verdict(example: Example, alerts: int) -> str | None:
    """What was expected instead, or None when it came out right."""
    if example.want == "fires" and example.alerts is not None:
        return None if alerts == example.alerts else f"{example.alerts} alerts"
    if example.want == "fires":
        return None if alerts else "an alert"
    return None if example.want == "survives" or not alerts else "no alert"


def _why(unit: Unit, analyzer: Analyzer, records: int) -> str:
    judged = unit.seen + unit.unkeyed
    told = f"{judged} of {records} records matched `where`" if analyzer.declared.where else f"{judged} of {records} records came to it"
    if unit.unkeyed:
        told += f", {unit.unkeyed} of them without the key {' + '.join(unit.key)}"
    return told


def _run(unit: Unit, example: Example, mappings: Mappings) -> Result:
    pipeline, state = Pipeline([unit], mappings), ShardState()
    row = rows(example.records, START, example.every, example.tag)
    return pipeline.run(state, ticking(slices(row), START + len(example.records) * example.every + example.wait))


def ticking(records: Iterable[Item], end: int) -> Iterator[Item]:
    """The records with time passing between them, and up to `end` (ns) behind them, as a host's ticks would tell."""
    for one in records:
        if isinstance(one, Slice):
            yield Tick(one.offset, one.time, one.arrival)
        yield one
    yield Tick(1, end, end)


def rows(records: Sequence[Any], start: int, every: int, tag: str) -> Row:
    """A journal row of the records, `every` ns apart, as if they had just arrived. A text stands for `{"message": text}`."""
    bounds, body = [], bytearray()
    for record in records:
        raw = _encode({"message": record} if isinstance(record, str) else dict(record))
        bounds.append((len(body), len(body) + len(raw)))
        body += raw
    times = [start + index * every for index in range(len(records))]
    columns = Columns.of(bounds, times).pack()
    arrival = times[-1] if times else start
    return Row(Kind.RECORDS, bytes(body), 0, arrival, "example", "example", tag, codec="msgpack", count=len(records), columns=columns)
