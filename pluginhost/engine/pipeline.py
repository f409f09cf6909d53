"""records and ticks → findings. Pure: no clock, no chance, no input or output.

`Pipeline.run(state, items)` is the one place where analyzers are called: by workers, by the gate that a saved file must
pass, by `pluginhost test` and by replays. The same state and items give the same result at any batch size. An analyzer that
raises hurts only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import GeneratorType
from typing import Any
from zlib import crc32

import msgspec

from ..alerts.document import document
from ..alerts.ids import chained_id, event_id, fingerprint, record_id, timer_event_id
from ..alerts.sanitise import plain
from ..detect.finding import Alert, Derived, Timer
from ..events.event import Event
from ..events.keys import key_bytes, key_group, shard, show
from ..events.mapping import Mappings
from ..events.slice import Slice
from .items import Failure, Finding, Item, Made, Result, TableUpdate, Tick
from .loader import place_of
from .state import ShardState
from .unit import Cell, Unit

__all__ = ["HOPS", "Pipeline"]

HOPS = 4
"""How often a record may be derived from a derived one."""

_OUTPUTS = 1000  # more alerts or records than this from one call are nonsense
_TAGS = 4096  # tags are the sender's to invent: the table of who wants which is dropped when it grows past this
_CONTAINED = (Exception, SystemExit, GeneratorExit)


class _Origin(msgspec.Struct):
    """What a call was about: the event, or the timer of a tick."""

    offset: int
    index: int
    time: int
    event: Event | None = None
    slice: Slice | None = None
    timer: Timer | None = None


class Pipeline:
    """The analyzers of one generation in shard `shard` of `shards`.

    `enter` is told (name, offset, index) before each call; `skips` are the calls (name, offset, index) that are never made.
    """

    def __init__(self, units: Sequence[Unit], mappings: Mappings, *, shard: int = 0, shards: int = 1,
                 enter: Callable[[bytes, int, int], None] | None = None, skips: Collection[tuple[str, int, int]] = ()) -> None:  # fmt: skip
        self.units = {unit.name: unit for unit in units}
        self.mappings, self._shard, self._shards = mappings, shard, shards
        self._enter, self._skips = enter, frozenset(skips)
        self._wanted: dict[str, list[Unit]] = {}
        self._stateless: dict[str, Cell] = {}

    def run(self, state: ShardState, items: Iterable[Item]) -> Result:
        """What came of `items`, in journal order. `state` is changed in place."""
        result = Result()
        for item in items:
            if isinstance(item, Slice):
                self._record(state, item, result)
            elif isinstance(item, Tick):
                self._tick(state, item, result)
            else:
                state.pending.append(item)
        return result

    def _record(self, state: ShardState, item: Slice, result: Result) -> None:
        event = Event(item, self.mappings)
        for unit in self._wanting(item.tag):
            try:
                if unit.predicate is not None and not unit.predicate(event):
                    continue
                key = self._key(unit, event, item)
            except _CONTAINED as error:  # a field that cannot even be read
                self._failed(unit, error, _Origin(item.offset, item.index, item.time), result)
                continue
            if key is None:
                continue
            unit.seen += 1
            cell = state.cell(unit, key, item.arrival, result) if unit.stateful else self._shared(state, unit)
            origin = _Origin(item.offset, item.index, item.time, event, item)
            self._call(state, unit, cell, key, origin, result)

    def _wanting(self, tag: str) -> list[Unit]:
        units = self._wanted.get(tag)
        if units is None:
            if len(self._wanted) >= _TAGS:
                self._wanted.clear()
            units = self._wanted[tag] = [unit for unit in self.units.values() if unit.wants(tag)]
        return units

    def _key(self, unit: Unit, event: Event, item: Slice) -> bytes | None:
        """The key bytes if the record is for this shard; None if it is not, or has no such key."""
        if unit.pinned:
            return b"" if self._mine(unit.home) else None
        if not unit.key:
            return b"" if self._shards == 1 or self._mine(crc32(item.raw) & 255) else None
        key = item.keys[unit.key] if item.keys and unit.key in item.keys else key_bytes(event, unit.key)
        if key is None:
            unit.unkeyed += self._mine(crc32(item.raw) & 255)  # counted in one shard only
            return None
        return key if self._shards == 1 or self._mine(key_group(key)) else None

    def _mine(self, group: int) -> bool:
        return shard(group, self._shards) == self._shard

    def _shared(self, state: ShardState, unit: Unit) -> Cell:
        cell = self._stateless.get(unit.name)
        if cell is None:
            cell = self._stateless[unit.name] = unit.cell(None, 0, state.tables)
        return cell

    def _tick(self, state: ShardState, tick: Tick, result: Result) -> None:
        state.watermark = max(state.watermark, tick.watermark)
        state.publish()
        for index, (name, key, cell, timer, due) in enumerate(state.due()):
            unit = self.units.get(name)
            if unit is not None:
                origin = _Origin(tick.offset, index, due, timer=Timer(timer, due))
                self._call(state, unit, cell, key, origin, result)

    def _call(self, state: ShardState, unit: Unit, cell: Cell, key: bytes, origin: _Origin, result: Result) -> None:
        if self._skips and (unit.name, origin.offset, origin.index) in self._skips:
            unit.failed += 1
            return
        if self._enter is not None:
            self._enter(unit.tag, origin.offset, origin.index)
        try:
            handler = cell.call if origin.timer is None else cell.on_timer
            given = handler(origin.timer or origin.event) if handler is not None else None
            if given is not None:
                self._taken(unit, cell, key, given, origin, result)
        except _CONTAINED as error:
            self._failed(unit, error, origin, result)
        if unit.stateful:
            result.changed.add((unit.name, key))
            result.removed.discard((unit.name, key))
            state.index(unit.name, key, cell)
        for table, rows in cell.put.items():
            if rows:
                self._published(unit, table, rows, key, origin, result)

    def _taken(self, unit: Unit, cell: Cell, key: bytes, given: Any, origin: _Origin, result: Result) -> None:
        """Turns what the analyzer returned into findings and chained records; all of a call or nothing of it."""
        findings: list[Finding] = []
        chained: list[Made] = []
        for one in _several(given):
            if len(findings) + len(chained) >= _OUTPUTS:
                raise ValueError(f"more than {_OUTPUTS} results from one call")
            if isinstance(one, Alert):
                findings.append(_finding(unit, cell, key, one, origin, len(findings)))
            elif isinstance(one, Derived):
                chained.append(_derived(unit, key, one, origin, len(chained)))
            else:
                raise TypeError(f"expected Alert, Derived or None, got {type(one).__name__}")
        unit.fired += len(findings)
        result.findings += findings
        result.chained += chained

    def _published(self, unit: Unit, table: str, rows: list[tuple[str, Any]], key: bytes, origin: _Origin, result: Result) -> None:
        expire = next(one.expire for one in unit.analyzer.tables.values() if one.name == table)
        base = _id_of(origin.slice) if origin.slice else timer_event_id(unit.name, key, *_timer(origin), 0)
        for n, (name, value) in enumerate(rows):
            update = TableUpdate(table, str(name), value, origin.time + expire, chained_id(base, f"{unit.name}/{table}", n), origin.offset)
            result.tables.append(update)
        rows.clear()

    def _failed(self, unit: Unit, error: BaseException, origin: _Origin, result: Result) -> None:
        unit.failed += 1
        if result.failures and result.failures[-1].analyzer == unit.name:
            last = result.failures[-1]
            result.failures[-1] = msgspec.structs.replace(last, count=last.count + 1)
            return
        result.failures.append(Failure(unit.name, _said(error), place_of(error, unit.sources), origin.offset, origin.index))


def _said(error: BaseException) -> str:
    """What was raised, as text that can travel: its own `str` is the author's code too."""
    try:
        told = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - see above
        told = type(error).__name__
    return str(plain(told[:500]))


def _several(given: Any) -> Iterable[Any]:
    return (one for one in given if one is not None) if isinstance(given, (list, tuple, GeneratorType)) else (given,)


def _timer(origin: _Origin) -> tuple[str, int]:
    return (origin.timer.name, origin.timer.due) if origin.timer else ("", 0)


def _id_of(item: Slice) -> str:
    return item.id or record_id(item.tag, item.time, item.raw)


def _finding(unit: Unit, cell: Cell, key: bytes, alert: Alert, origin: _Origin, n: int) -> Finding:
    event = origin.event
    if origin.slice is not None and event is not None:
        id_ = event_id(unit.name, key, _id_of(origin.slice), n)
        group = key if unit.group == unit.key else key_bytes(event, unit.group) or b""
    else:
        id_, group = timer_event_id(unit.name, key, *_timer(origin), n), key
    print_ = fingerprint(unit.name, group)
    window = next((found for state in cell.states if (found := state.evidence())), None)
    named: Mapping[str, Any] = dict(zip(unit.key, show(key), strict=False)) if unit.key else {}
    made = document(unit.rule, alert, event=event, key=named, event_id=id_, fingerprint=print_, time=origin.time, window=window)
    body = msgspec.json.encode(made)
    return Finding(origin.offset, origin.index, unit.name, n, id_, print_, origin.time, alert.severity, plain(alert.message), body)


def _derived(unit: Unit, key: bytes, record: Derived, origin: _Origin, n: int) -> Made:
    hop = origin.slice.hop + 1 if origin.slice else 1
    if hop > HOPS:
        raise ValueError(f"a record was derived {hop} times in a row; {HOPS} is the most")
    base = _id_of(origin.slice) if origin.slice else timer_event_id(unit.name, key, *_timer(origin), 0)
    raw = msgspec.msgpack.encode(dict(record.record))
    time = origin.time if record.time is None else record.time
    if not isinstance(time, int) or not 0 <= time < 1 << 63:
        raise ValueError(f"a record's time is in ns UTC, not {time!r}")
    return Made(origin.offset, chained_id(base, unit.name, n), unit.name, plain(str(record.tag)), time, raw, hop)


