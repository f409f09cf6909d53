"""The gate a saved file must pass: it loads, its options fit, and its own examples come out as they say.

Examples run through the production path: a journal row, the splitter, the pipeline. Pure apart from running the author's
code; the host lets a separate process do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ..alerts.desk import resolves, silenced
from ..detect.declaration import Analyzer, Example, Lists
from ..events.mapping import Mappings
from ..events.references import Listing, References, compiled, listing_of
from ..events.slice import Slice
from ..problem import Place, Problem
from ..store.row import Kind, Row
from ..wire.chunk import Columns
from .generations import Module, describe, ready, used
from .items import Item, Result, Tick
from .loader import Bundle, load
from .pipeline import Pipeline
from .splitter import slices
from .state import ShardState
from .unit import Unit

__all__ = ["START", "check", "judge", "loaded", "played", "prepared", "references", "rows", "ticking"]

START = 1_767_225_600_000_000_000
"""When the first record of an example happens: 2026-01-01T00:00:00Z, in ns."""

_encode = msgspec.msgpack.Encoder().encode


def check(made: Bundle, options: Mapping[str, Mapping[str, Any]], mappings: Mappings) -> Module:
    """The manifest entry of a bundle that passed; the `Problem` that keeps it out otherwise."""
    units, templates = loaded(made, options)
    lines = made.source.splitlines()
    for unit in (*units, *templates):
        for example in unit.analyzer.examples:
            problem = judge(unit, example, mappings)
            if problem is not None:
                if isinstance(problem.where, Place) and problem.where.file == made.file and not problem.where.text:
                    problem.where = Place(problem.where.file, problem.where.line, 0, lines[problem.where.line - 1])
                raise problem
    return describe(made, units, options, [one.name for one in templates])


def loaded(made: Bundle, options: Mapping[str, Mapping[str, Any]]) -> tuple[list[Unit], list[Unit]]:
    """(the units of a bundle that run, its templates as units, which have examples too)."""
    found = load(made)
    templates = [used(one, one.name, {}, made.name, made.sources) for one in found if one.declared.template]
    return ready(made, options, found), templates


def judge(unit: Unit, example: Example, mappings: Mappings) -> Problem | None:
    """What is wrong with the example, or None."""
    place = example.where
    try:
        fresh = prepared(unit, example)
        result = played(fresh, example, mappings)
    except Problem as problem:
        problem.where = place
        return problem
    except (TypeError, ValueError, OverflowError) as error:  # the pipeline contains what analyzers raise
        return Problem("analyzer.example", f"{unit.name}: an example that is no text or record: {error}", where=place)
    if result.failures:
        failure = result.failures[0]
        what = f"{unit.name}: {failure.error}, at record {failure.index + 1} of the example in line {place.line}"
        return Problem("analyzer.example", what, where=failure.place or place)
    heard = [one for one in result.findings if _counts(msgspec.json.decode(one.document), example)]
    wanted = _verdict(example, len(heard))
    if wanted is None:
        return None
    first = f", the first at record {heard[0].index + 1}: {heard[0].message}" if heard else ""
    why = _why(fresh, unit.analyzer, len(example.records))
    return Problem("analyzer.example", f"{unit.name}: expected {wanted}, got {len(heard) or 'none'}{first}; {why}", where=place)


def _counts(document: dict[str, Any], example: Example) -> bool:
    """Whether it is what the example is about: an alert that somebody is told of, as far as the analyzer has a say, or an end."""
    return not silenced(document) and resolves(document) == (example.want == "resolves")


def _verdict(example: Example, alerts: int) -> str | None:
    """What was expected instead, or None when it came out right."""
    if example.want == "fires" and example.alerts is not None:
        return None if alerts == example.alerts else f"{example.alerts} alerts"
    if example.want == "resolves":
        return None if alerts else "an end"
    if example.want == "fires":
        return None if alerts else "an alert"
    return None if example.want == "survives" or not alerts else "no alert"


def _why(unit: Unit, analyzer: Analyzer, records: int) -> str:
    judged = unit.seen + unit.unkeyed
    told = f"{judged} of {records} records matched `where`" if analyzer.declared.where else f"{judged} of {records} records came to it"
    if unit.unkeyed:
        told += f", {unit.unkeyed} of them without the key {' + '.join(unit.key)}"
    return told


def prepared(unit: Unit, example: Example) -> Unit:
    """The unit with the options of its example."""
    told = {**example.options, "use": unit.name} if unit.analyzer.declared.template else example.options
    at = f"{unit.name}: an example's options"
    return used(unit.analyzer, unit.name, told, unit.rule.ruleset, unit.sources, unit.options, at)


def played(unit: Unit, example: Example, mappings: Mappings) -> Result:
    """What comes of the example's records, with its lists, and with time passing as it says."""
    pipeline, state = Pipeline([unit], mappings.beside(references(example.lists))), ShardState()
    row = rows(example.records, START, example.every, example.tag)
    return pipeline.run(state, ticking(slices(row), START + len(example.records) * example.every + example.wait))


def references(lists: Mapping[str, Lists]) -> References:
    """References with the lists of an example."""
    return References({name: _listing(told) for name, told in lists.items()})


def _listing(told: Lists) -> Listing:
    """The list of an example: networks where all of it are, else strings, unless it says the kind."""
    if len(told) == 2 and not isinstance(told[1], str):
        return listing_of(str(told[0]), told[1])
    values = [str(one) for one in told]
    return listing_of("networks" if compiled("networks", ((one, "") for one in values))[1] == len(values) else "strings", values)


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
