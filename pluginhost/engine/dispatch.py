"""How the records of one tag come to the analyzers that want them: decided once, written as Python, then run for every record.

The written function reads each field and each key at most once per record, whoever asks for it, looks up the state and calls the
bodies. Everything that can be known before a record comes is a constant in it. It holds no text of a query or an author: only
names of constants. What happens once in a while (an alert, an error, a missing key) is the pipeline's, by the calls of `Rare`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from ..events.aliases import heads, tops
from ..events.derived import DERIVED
from ..events.ecs import ADDRESSES
from ..events.event import READING, RECORD, Event, addressed
from ..events.fields import finder
from ..events.frozen import frozen
from ..events.keys import key_bytes, key_group
from ..events.mapping import OVER, Mapping, Mappings
from ..events.projection import CODECS, projection
from ..events.slice import Batch, Slice
from ..match.compiler import expressions
from ..match.index import Index
from ..match.tree import ANY_FIELD, EVENT_TIME, EVERYTHING
from ..match.tree import fields as fields_of
from ..wire.records import reader
from .items import Result
from .state import Memory, ShardState
from .unit import Cell, Unit

__all__ = ["CONTAINED", "Judge", "Rare", "judge", "keyer"]

CONTAINED = (Exception, SystemExit, GeneratorExit)
"""What an analyzer may raise without hurting anybody else."""

_MEMO = 1 << 16  # key values whose bytes are at hand
_FEW = 16  # keys that are better picked out than found in the whole
_SHORT = 256  # characters of a value that is worth remembering

Judge = Callable[[Batch, Sequence[int], ShardState, Sequence[Memory], Result], None]
"""Judges the records of a batch at some places; the memories are those of the plan's units, in their order."""


class Rare(Protocol):
    """What the written function leaves to the pipeline."""

    def careful(self, state: ShardState, item: Slice, result: Result) -> None:
        """Judges a record that something is odd about, unit by unit."""

    def chosen(self, state: ShardState, item: Slice, index: Index, units: Sequence[Unit], result: Result) -> None:
        """Judges a record for those of `units` that `index`, which is about them, says could want it."""

    def home(self, raw: bytes) -> int:
        """The key group of a record as such."""

    def unkeyed(self, unit: Unit, raw: bytes) -> None:
        """A record that `unit` wants has not its key."""

    def taken(self, memory: Memory, cell: Cell, key: bytes, given: Any, event: Event, result: Result) -> None:
        """The body returned something."""

    def failed(self, unit: Unit, error: BaseException, event: Event, result: Result) -> None:
        """The body raised, or what it returned is nonsense."""

    def published(self, memory: Memory, key: bytes, event: Event, result: Result) -> None:
        """The body may have put rows into tables."""


def keyer(fields: tuple[str, ...]) -> tuple[dict[str, bytes], Callable[[Event], bytes | None]]:
    """(the key bytes of texts seen lately, the function that reads the key of an event and remembers it there)."""
    memo: dict[str, bytes] = {}

    def read(event: Event) -> bytes | None:
        found = key_bytes(event, fields)
        if len(fields) == 1 and found is not None and len(found) <= _SHORT and (value := event.get(fields[0])).__class__ is str:
            if len(memo) >= _MEMO:
                memo.clear()
            memo[value] = found
        return found

    return memo, read


def at_hand(fields: Iterable[str], mappings: Iterable[Mapping]) -> list[str]:
    """Those of `fields` that stand in a record under their own name or not at all, whatever kind of record it is."""
    kinds = list(mappings)
    never = {ANY_FIELD, EVENT_TIME, *ADDRESSES, *DERIVED}
    return [field for field in sorted(set(fields) - never) if heads(field) == {field}
            and all(one.gives is not None and field not in one.gives for one in kinds)]  # fmt: skip


def judge(units: Sequence[Unit], numbers: Sequence[int], mappings: Mappings, kinds: Sequence[Mapping], codec: str,
          mine: Sequence[bool] | None, note: Any, rare: Rare) -> Judge:  # fmt: skip
    """The function that judges records of `codec` for `units`, whose places in the trace are `numbers`; `kinds` are their mappings.

    `mine` says for each key group whether it is this shard's, None where all are. Pinned units must be this shard's.
    """
    writer = _Writer(units, numbers, mine is not None, kinds, codec)
    text = "\n".join(writer.lines())
    names = {"Event": Event, "Result": Result, "CONTAINED": CONTAINED, "mappings": mappings, "mine": mine, "key_group": key_group,
             "note": note, "rare": rare, "frozen": frozen, "RECORD": RECORD, "READING": READING,
             "decode": reader(codec), "read": mappings.read, "addressed": addressed, **writer.names}  # fmt: skip
    exec(text, names)  # noqa: S102 - the text is made here, from names only
    made: Judge = names["judge"]
    return made


class _Writer:
    def __init__(self, units: Sequence[Unit], numbers: Sequence[int], shared: bool, kinds: Sequence[Mapping], codec: str) -> None:
        self._units, self._numbers, self._shared = units, numbers, shared
        self._keys = sorted({unit.key for unit in units if unit.key and not unit.pinned})
        wheres = [EVERYTHING if unit.where is None else unit.where for unit in units]
        asked = {field for where in wheres for field in fields_of(where)} | {field for key in self._keys for field in key}
        named = asked | {name for unit in units for name in unit.named}
        self._hand = at_hand(named, kinds)
        self._partly = codec in CODECS and len(self._hand) == len(named) <= _FEW
        self._planned: list[str] = []
        if not self._partly:
            self._hand = [field for field in self._hand if field in asked]
            self._planned = sorted(asked - {*self._hand, ANY_FIELD, EVENT_TIME, *DERIVED})
        self._held = [*self._hand, *self._planned]
        self._wheres = expressions(wheres, {field: f"g{n}" for n, field in enumerate(self._held)})
        self.names: dict[str, Any] = {**self._wheres.names, "own": tops(self._planned)}
        self.names |= {f"name{n}": field for n, field in enumerate(self._held)}
        for number, unit in enumerate(units):
            self.names[f"unit{number}"], self.names[f"Cell{number}"] = unit, unit.cell_type
        for number, fields in enumerate(self._keys):
            self.names[f"fields{number}"], (self.names[f"memo{number}"], self.names[f"key{number}"]) = fields, keyer(fields)
        if self._partly:
            self.names["project"], self.names["odd"] = projection(self._hand, codec)

    def _bind(self, value: Any) -> str:
        name = f"b{len(self.names)}"
        self.names[name] = value
        return name

    def lines(self) -> list[str]:
        """The text of the function, for `exec`."""
        return [
            *self._wheres.tests,
            "def judge(batch, places, state, memories, result):",
            "    state.now = batch.arrival",
            "    note[0], now, latest, data, indices = batch.offset, batch.arrival, batch.latest, batch.data, batch.indices",
            "    starts, ends, times, keys, tag = batch.starts, batch.ends, batch.times, batch.keys or {}, batch.tag",
            *(f"    columns{n} = keys.get(fields{n})" for n in range(len(self._keys))),
            *(line for n, unit in enumerate(self._units) for line in self._before(n, unit)),
            "    try:",
            "        for place in places:",
            "            time = times[place]",
            "            if not 0 < time <= latest: time = now",
            *([f"            {' = '.join(self._wheres.kept)} = None"] if self._wheres.kept else []),
            "            try:",
            *self._event(),
            *(f"                {statement}" for statement in self._wheres.prepared),
            *(f"                wanted{n} = {test}" for n, test in enumerate(self._wheres.each)),
            *(line for n, fields in enumerate(self._keys) for line in self._key(n, fields)),
            "            except CONTAINED:",
            "                rare.careful(state, batch.slice(place), result)",
            "                continue",
            "            note[1] = indices[place]",
            *(line for n, unit in enumerate(self._units) for line in self._unit(n, unit)),
            "    finally:",
            "        note[2] = -1",
            *(f"        unit{n}.seen += seen{n}" for n in range(len(self._units))),
        ]

    def _event(self) -> list[str]:
        """Reads what is asked for, and makes the event that knows it."""
        known = [f"name{n}: g{n}" for n in range(len(self._held))]
        if self._partly:
            made = ["raw = data[starts[place]:ends[place]]", "try: p = project(raw)", "except (ValueError, RecursionError): p = odd(raw)",
                    *(f"if (g{n} := p.g{n}).__class__ is not str: g{n} = frozen(g{n})" for n in range(len(self._hand)))]  # fmt: skip
        elif self._held:
            made = ["record = decode(data[starts[place]:ends[place]])", "find = record.get",
                    *(f"if (g{n} := find(name{n}, MISSING)).__class__ is not str: g{n} = frozen(g{n})" for n in range(len(self._hand)))]
            known.append("RECORD: record")
        else:
            made = []
        if self._planned:
            made += ["reading, without = read(tag, record), own.isdisjoint(record)",
                     "over = (kind := reading.mapping) is not None and kind.over"]
            made += [line for n, field in enumerate(self._planned, len(self._hand)) for line in self._read(n, field)]
            known.append("READING: reading")
        made += [f"event = f = Event(batch, mappings, time, {{{', '.join(known)}}}, place)", "get, values = event.get, event.values"]
        return [" " * 16 + line for line in made]

    def _read(self, n: int, field: str) -> list[str]:
        """Reads a field as it stands in the record, unless it does not or is the mapping's to say, else by that."""
        look = f"without or (g{n} := {self._bind(finder(field))}(record)) is MISSING"
        return [*([f"if over: g{n} = reading.whole(record, name{n})"] if field in OVER else []),
                f"{'elif' if field in OVER else 'if'} {look}: g{n} = reading.get(record, name{n})",
                f"g{n} = addressed(g{n})" if field in ADDRESSES else f"if g{n}.__class__ is not str: g{n} = frozen(g{n})"]

    def _before(self, n: int, unit: Unit) -> list[str]:
        made = [f"    memory, seen{n} = memories[{n}], 0", f"    memory{n} = memory"]
        if unit.stateful:
            made += [f"    find{n}, wake{n}, fresh{n} = memory.cells.get, memory.wake, max(memory.saved, now - {unit.idle} - 1)"]
        else:
            made += [f"    cell{n} = memory.stateless"]
        return made

    def _key(self, n: int, fields: tuple[str, ...]) -> list[str]:
        """Reads a key, if any of those whom it is for wants the record."""
        asked = " or ".join(f"wanted{number}" for number, unit in enumerate(self._units) if unit.key == fields and not unit.pinned)
        value = f"g{self._held.index(fields[0])}" if fields[0] in self._held else f"get({fields[0]!r}, MISSING)"
        made = [f"if columns{n} is not None: k{n} = columns{n}[place]"]
        if len(fields) == 1:
            made += ["else:", f"    k{n} = memo{n}.get(x) if (x := {value}).__class__ is str else None",
                     f"    if k{n} is None: k{n} = key{n}(event)"]  # fmt: skip
        else:
            made += [f"else: k{n} = key{n}(event)"]
        return [f"                if {asked}:", *(" " * 20 + line for line in made)]

    def _unit(self, n: int, unit: Unit) -> list[str]:
        if unit.pinned:
            return [f"            if wanted{n}:", *self._call(n, unit, "b''", " " * 16)]
        if not unit.key:
            ours = " and mine[rare.home(data[starts[place]:ends[place]])]" if self._shared else ""
            return [f"            if wanted{n}{ours}:", *self._call(n, unit, "b''", " " * 16)]
        key = f"k{self._keys.index(unit.key)}"
        ours = f" if mine[key_group({key})]" if self._shared else ""
        inner = [f"                if {key} is None: rare.unkeyed(unit{n}, data[starts[place]:ends[place]])"]
        inner.append(f"                elif mine[key_group({key})]:" if ours else "                else:")
        return [f"            if wanted{n}:", *inner, *self._call(n, unit, key, " " * 20)]

    def _call(self, n: int, unit: Unit, key: str, pad: str) -> list[str]:
        """Finds the state, calls the body, hands on what it returns."""
        made = [f"seen{n} += 1", f"note[2] = {self._numbers[n]}"]
        if unit.stateful:
            made += [f"cell = find{n}({key})",
                     f"if cell.__class__ is Cell{n} and cell.touched > fresh{n}: cell.touched = now",
                     f"else: cell = wake{n}({key}, now)"]  # fmt: skip
        else:
            made += [f"cell = cell{n}"]
        made += ["try:", f"    given = {unit.call(self._bind, f'memory{n}.tables')}",
                 f"    if given is not None: rare.taken(memory{n}, cell, {key}, given, event, result)",
                 f"except CONTAINED as error: rare.failed(unit{n}, error, event, result)"]  # fmt: skip
        if unit.analyzer.has_timers:
            made += [f"state.index(memory{n}, {key}, cell)"]
        if unit.analyzer.tables:
            made += [f"rare.published(memory{n}, {key}, event, result)"]
        return [pad + line for line in made]
