"""records and ticks → findings. Pure: no clock, no chance, no input or output.

`Pipeline.run(state, items)` is the one place where analyzers are called: by workers, by the gate that a saved file must
pass, by `pluginhost test` and by replays. The same state and items give the same result at any batch size. An analyzer that
raises hurts only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, MutableSequence, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from traceback import clear_frames
from types import GeneratorType
from typing import Any
from zlib import crc32

import msgspec

from ..alerts.document import document
from ..alerts.ids import chained_id, event_id, fingerprint, record_id, timer_event_id
from ..alerts.sanitise import plain
from ..alerts.scores import score_document, score_identity
from ..detect.finding import Alert, Derived, Resolved, Scored, Timer, Unjudged
from ..events.event import Event, slice_of
from ..events.keys import key_bytes, key_group, show
from ..events.keys import shard as shard_of
from ..events.mapping import Mappings
from ..events.slice import Batch, Slice
from ..match.index import Index
from .dispatch import CONTAINED
from .items import Failure, Finding, Item, Made, PlanCost, Point, Result, TableUpdate, Tick
from .loader import place_of
from .plan import Plan
from .state import Memory, ShardState
from .unit import Cell, Unit

__all__ = ["HOPS", "Pipeline"]

HOPS = 4
"""How often a record may be derived from a derived one."""

_OUTPUTS = 1000  # more alerts or records than this from one call are nonsense
_TOLD = 50
_TAGS = 4096  # tags are the sender's to invent: the table of who wants which is dropped when it grows past this


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

    Before each call `note` is assigned offset, index and the unit's place in `units`; `skips` are the calls (name, offset, index)
    that are never made. `starved` is called when a call could not have the memory it asked for, once what it let go of is free again.
    `scores` are globs: analyzers whose scores are wanted.
    """

    def __init__(self, units: Sequence[Unit], mappings: Mappings, *, shard: int = 0, shards: int = 1,
                 note: MutableSequence[int] | None = None, skips: Collection[tuple[str, int, int]] = (),
                 starved: Callable[[], None] = lambda: None, scores: Collection[str] = ()) -> None:  # fmt: skip
        self._starved = starved
        self._scored = {unit.name for unit in units if any(fnmatchcase(unit.name, glob) for glob in scores)}
        self.units = {unit.name: unit for unit in units}
        self.mappings, self._note, self._skips = mappings, [0, 0, -1] if note is None else note, frozenset(skips)
        self._skipped = frozenset(offset for _, offset, _ in skips)
        self._mine = None if shards == 1 else [shard_of(group, shards) == shard for group in range(256)]
        self._here = [(place, unit) for place, unit in enumerate(units) if not unit.pinned or self._ours(unit.home)]
        self._places = {unit.name: place for place, unit in enumerate(units)}
        self._plans: dict[tuple[str, str], Plan] = {}
        self._alike: dict[object, Plan] = {}
        self._counted = set(units)

    def _ours(self, group: int) -> bool:
        return self._mine is None or self._mine[group]

    def run(self, state: ShardState, items: Iterable[Item]) -> Result:
        """What came of `items`, in journal order. `state` is changed in place."""
        result = Result()
        for item in items:
            if isinstance(item, Batch):
                self._batch(state, item, result)
            elif isinstance(item, Slice):
                self.careful(state, item, result)
            elif isinstance(item, Tick):
                self._tick(state, item, result)
            else:
                state.pending.append(item)
        return result

    def counted(self) -> set[Unit]:
        """The units whose counters may differ from when this was last asked; all of them at first."""
        counted, self._counted = self._counted, set()
        return counted

    def costs(self) -> list[PlanCost]:
        """What the records of each kind have cost so far; at most `_TOLD` kinds, those seen first."""
        return [plan.cost() for plan in islice(self._alike.values(), _TOLD)]

    def _batch(self, state: ShardState, batch: Batch, result: Result) -> None:
        plan = self._plan(batch.tag, batch.codec)
        if batch.offset in self._skipped:
            for place in range(len(batch)):
                self.careful(state, batch.slice(place), result)
        else:
            self._counted.update(plan.written)
            plan.run(state, batch, result)

    def _plan(self, tag: str, codec: str) -> Plan:
        """How records of this tag and codec are judged; tags that the same analyzers and mappings want share it."""
        plan = self._plans.get((tag, codec))
        if plan is None:
            if len(self._plans) >= _TAGS:
                self._plans.clear()
            here = tuple(one for one in self._here if one[1].wants(tag))
            alike = (codec, tuple(place for place, _ in here), tuple(one.name for one in self.mappings.of(tag)))
            plan = self._alike.get(alike)
            if plan is None:
                plan = self._alike[alike] = Plan(here, self.mappings, codec, tag, self._mine, self._note, self)
            self._plans[tag, codec] = plan
        return plan

    def careful(self, state: ShardState, item: Slice, result: Result) -> None:
        """Judges one record, analyzer by analyzer: the plain way, for whatever is odd about it, and what the written one must equal."""
        self._judged(state, item, Event(item, self.mappings, item.time), [unit for _, unit in self._here if unit.wants(item.tag)], result)

    def chosen(self, state: ShardState, item: Slice, index: Index, units: Sequence[Unit], result: Result) -> None:
        """Judges one record for those of very many analyzers that could want it."""
        event = Event(item, self.mappings, item.time)
        try:
            wanting = [units[n] for n in index.candidates(event)]
        except CONTAINED:
            wanting = list(units)
        self._judged(state, item, event, wanting, result)

    def _judged(self, state: ShardState, item: Slice, event: Event, units: Iterable[Unit], result: Result) -> None:
        state.now = item.arrival
        for unit in units:
            try:
                if unit.predicate is not None and not unit.predicate(event):
                    continue
                key = self._key(unit, event, item)
            except CONTAINED as error:  # a field that cannot even be read
                self._blamed(unit, error, _Origin(item.offset, item.index, item.time), result)
                continue
            if key is None:
                continue
            unit.seen += 1
            memory = state.memory(unit)
            cell = memory.wake(key, item.arrival) if unit.stateful else memory.stateless
            self._call(state, memory, cell, key, _Origin(item.offset, item.index, item.time, event, item), result)
        self._note[2] = -1

    def _key(self, unit: Unit, event: Event, item: Slice) -> bytes | None:
        """The key bytes if the record is for this shard; None if it is not, or has no such key."""
        if unit.pinned:
            return b""
        if not unit.key:
            return b"" if self._mine is None or self._mine[self.home(item.raw)] else None
        key = item.keys[unit.key] if item.keys and unit.key in item.keys else key_bytes(event, unit.key)
        if key is None:
            self.unkeyed(unit, item.raw)
            return None
        return key if self._ours(key_group(key)) else None

    def home(self, raw: bytes) -> int:
        """The key group of a record as such."""
        return crc32(raw) & 255

    def unkeyed(self, unit: Unit, raw: bytes) -> None:
        """Counts a record that has not the unit's key, in one shard only."""
        unit.unkeyed += self._ours(self.home(raw))
        self._counted.add(unit)

    def _tick(self, state: ShardState, tick: Tick, result: Result) -> None:
        state.watermark = max(state.watermark, tick.watermark)
        state.publish()
        for index, (name, key, cell, timer, due) in enumerate(state.due(self.units)):
            origin = _Origin(tick.offset, index, due, timer=Timer(timer, due))
            self._call(state, state.memory(self.units[name]), cell, key, origin, result)
        self._note[2] = -1

    def _call(self, state: ShardState, memory: Memory, cell: Any, key: bytes, origin: _Origin, result: Result) -> None:
        unit = memory.unit
        self._counted.add(unit)
        if self._skips and (unit.name, origin.offset, origin.index) in self._skips:
            unit.failed += 1
            return
        self._note[0], self._note[1], self._note[2] = origin.offset, origin.index, self._places[unit.name]
        try:
            given = unit.handle(origin.event, cell, memory.tables) if origin.timer is None else cell.object.on_timer(origin.timer)
            if given is not None:
                self._took(memory, cell, key, given, origin, result)
        except CONTAINED as error:
            self._failed(unit, error, origin, result)
        if unit.stateful:
            state.index(memory, key, cell)
        self._publish(memory, key, origin, result)

    def taken(self, memory: Memory, cell: Cell, key: bytes, given: Any, event: Event, result: Result) -> None:
        """What the body returned at a record."""
        self._took(memory, cell, key, given, _origin(event), result)

    def failed(self, unit: Unit, error: BaseException, event: Event, result: Result) -> None:
        """What the body raised at a record."""
        self._failed(unit, error, _origin(event), result)

    def published(self, memory: Memory, key: bytes, event: Event, result: Result) -> None:
        """What the body put into tables at a record."""
        self._publish(memory, key, _origin(event), result)

    def _took(self, memory: Memory, cell: Cell, key: bytes, given: Any, origin: _Origin, result: Result) -> None:
        """Turns what the analyzer returned into findings, chained records and scores; all of a call or nothing of it."""
        unit = memory.unit
        if given.__class__ is Unjudged:
            unit.judged_not(given.reason)
            return
        findings: list[Finding] = []
        chained: list[Made] = []
        scores: list[Point] = []
        for one in _several(given):
            if len(findings) + len(chained) + len(scores) >= _OUTPUTS:
                raise ValueError(f"more than {_OUTPUTS} results from one call")
            if isinstance(one, Alert):
                findings.append(_finding(unit, cell, key, one, origin, len(findings)))
            elif isinstance(one, Resolved):
                findings.append(_finding(unit, cell, key, one.alert(), origin, len(findings), over=True))
            elif isinstance(one, Derived):
                chained.append(_derived(unit, key, one, origin, len(chained)))
            elif isinstance(one, Scored):
                if unit.name in self._scored:
                    scores.append(_point(unit, key, one, origin, len(scores)))
            elif isinstance(one, Unjudged):
                unit.judged_not(one.reason)
            else:
                raise TypeError(f"expected Alert, Resolved, Derived, Scored, Unjudged or None, got {type(one).__name__}")
        unit.fired += len(findings)
        result.findings += findings
        result.chained += chained
        result.scores += scores

    def _publish(self, memory: Memory, key: bytes, origin: _Origin, result: Result) -> None:
        for table in memory.unit.analyzer.tables.values():
            rows = memory.put[table.name]
            if not rows:
                continue
            base = _id_of(origin.slice) if origin.slice else timer_event_id(memory.unit.name, key, *_timer(origin), 0)
            for n, (name, value) in enumerate(rows):
                id_ = chained_id(base, f"{memory.unit.name}/{table.name}", n)
                result.tables.append(TableUpdate(table.name, str(name), value, origin.time + table.expire, id_, origin.offset))
            rows.clear()

    def _failed(self, unit: Unit, error: BaseException, origin: _Origin, result: Result) -> None:
        if isinstance(error, MemoryError):
            clear_frames(error.__traceback__)
            self._starved()
        self._blamed(unit, error, origin, result)

    def _blamed(self, unit: Unit, error: BaseException, origin: _Origin, result: Result) -> None:
        unit.failed += 1
        self._counted.add(unit)
        if result.failures and result.failures[-1].analyzer == unit.name:
            last = result.failures[-1]
            result.failures[-1] = msgspec.structs.replace(last, count=last.count + 1)
            return
        result.failures.append(Failure(unit.name, _said(error), place_of(error, unit.sources), origin.offset, origin.index))


def _origin(event: Event) -> _Origin:
    item = slice_of(event)
    return _Origin(item.offset, item.index, item.time, event, item)


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


def _finding(unit: Unit, cell: Cell, key: bytes, alert: Alert, origin: _Origin, n: int, *, over: bool = False) -> Finding:
    event = origin.event
    if origin.slice is not None and event is not None:
        id_ = event_id(unit.name, key, _id_of(origin.slice), n)
        group = key if unit.group == unit.key else key_bytes(event, unit.group) or b""
    else:
        id_, group = timer_event_id(unit.name, key, *_timer(origin), n), key
    print_ = fingerprint(unit.name, group)
    window = next((found for state in unit.states(cell) if (found := state.evidence())), None)
    made = document(unit.rule, alert, event=event, key=_named(unit, key), event_id=id_, fingerprint=print_, time=origin.time, window=window,
                    over=over)
    body = msgspec.json.encode(made)
    return Finding(origin.offset, origin.index, unit.name, n, id_, print_, origin.time, alert.severity, plain(alert.message), body)


def _named(unit: Unit, key: bytes) -> Mapping[str, Any]:
    return dict(zip(unit.key, show(key), strict=False)) if unit.key else {}


def _point(unit: Unit, key: bytes, scored: Scored, origin: _Origin, n: int) -> Point:
    """A score of an interval is known by the interval, one of an event by its record."""
    if scored.at is not None:
        time, id_ = scored.at, score_identity(unit.name, key, scored, scored.at)
    else:
        base = _id_of(origin.slice) if origin.slice else timer_event_id(unit.name, key, *_timer(origin), 0)
        time, id_ = origin.time, event_id(f"{unit.name}/score", key, base, n)
    made = score_document(unit.rule, scored, key=_named(unit, key), event_id=id_, time=time)
    return Point(origin.offset, origin.index, unit.name, n, id_, time, origin.time, msgspec.json.encode(made))


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


