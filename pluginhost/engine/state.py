"""The state of one shard: what each analyzer remembers of its keys, timers, tables, the watermark. Changed only by the pipeline.

Bounded: at most so many keys per analyzer; the one idle longest goes first. What a key has not shown for longer than its
state lives is forgotten. "Idle" is by arrival time, the journal's clock, so a replay forgets the same keys.
"""

from __future__ import annotations

import heapq
from collections.abc import Container, Iterable, Iterator
from itertools import chain, islice
from typing import Any, TypeVar

from ..detect.table import Table
from .items import TableUpdate
from .unit import Cell, Rows, Unit, unpack

__all__ = ["Memory", "ShardState", "Snapshot"]

_SWEEP = 1 << 16  # keys of which a sweep keeps a list at a time
_PART = 128  # keys that are packed or dropped at a time: about a millisecond, with the writing
_CROWDED = 4096  # changed keys from which on it is worth looking for those that are named twice
_RUN = 2048  # keys that are sorted at a time, likewise
Packed = tuple[int, bytes]  # touched, blob
Cells = dict[bytes, Cell | Packed]
Changed = tuple[str, bytes, int, bytes]  # analyzer, key, touched, blob
Removed = tuple[str, bytes]  # analyzer, key
T = TypeVar("T")


class Snapshot:
    """The cells at `keys` as they are when this is made, packed part by part while the memory goes on.

    Whoever is about to change, make or drop a cell calls `keep` first, so that its state of then is not lost. `keys` may name one twice,
    or one that is not there; `gone` are those that had been removed. They are packed in order, for so a database writes them best.
    """

    def __init__(self, memory: Memory, keys: list[bytes], gone: set[bytes]) -> None:
        self.keys, self.gone, self.open = keys, gone, True
        self._memory = memory
        self._kept: dict[bytes, Packed | None] = {}
        self._passed: bytes | None = None  # the last that had its turn

    def keep(self, key: bytes) -> None:
        """Packs the cell of `key`, or remembers that there is none, unless it has had its turn."""
        if self.open and key not in self._kept and (self._passed is None or key > self._passed):
            self._kept[key] = self._memory.packed(key)

    def keep_all(self) -> None:
        """Packs all that is left: from now on the memory may do as it likes."""
        for key in self.keys:
            self.keep(key)

    def parts(self) -> Iterator[list[tuple[bytes, int, bytes]]]:
        """(key, touched, blob) of some keys at a time, of none while they are sorted."""
        runs = []
        for run in _some(self.keys, _RUN):
            runs.append(sorted(run))
            yield []
        for keys in _some(heapq.merge(*runs), _PART):
            rows = [(key, *packed) for key in dict.fromkeys(keys) if (packed := self._take(key)) is not None]
            self._passed = keys[-1]
            yield rows
        self.open = False
        self._kept.clear()

    def _take(self, key: bytes) -> Packed | None:
        self.keep(key)
        return self._kept.pop(key, None)


class Memory:
    """What one analyzer remembers in one shard: a cell for each of its keys, live or still packed.

    `tables` are its live tables by parameter, `put` collects by table what it publishes. `changed` and `removed` are the keys whose
    cells differ from the store's: whoever touches a cell that was not touched after `saved` (ns) first notes its key, perhaps twice.
    While a checkpoint is being made, `snapshot` holds what it takes.
    """

    def __init__(self, unit: Unit, tables: dict[str, Rows], cells: Cells) -> None:
        self.cells = cells
        self.changed: list[bytes] = []
        self.removed: set[bytes] = set()
        self._crowded = _CROWDED
        self.snapshot: Snapshot | None = None
        self.saved = max(map(_touched, cells.values()), default=0)  # they are as the store has them
        self._bind(unit, tables)

    def _bind(self, unit: Unit, tables: dict[str, Rows]) -> None:
        self.unit = unit
        self.put: dict[str, list[tuple[str, Any]]] = {table.name: [] for table in unit.analyzer.tables.values()}
        self.tables: dict[str, Table] = {name: table.bound(tables.setdefault(table.name, {}), self.put[table.name])
                                         for name, table in unit.analyzer.tables.items()}  # fmt: skip
        self.stateless = unit.cell(None, 0, self.tables)
        self._oldest: list[tuple[int, bytes]] | None = None  # a heap, once there are as many keys as may be
        self._sweep: Iterator[bytes] = iter(())
        self._swept = 0

    def adopt(self, unit: Unit, tables: dict[str, Rows], now: int) -> None:
        """Goes on with new code: its cells are made of the packed state.

        What has outlived itself goes first, lest the new code, whose state may live longer, find what another run has swept away.
        """
        if self.snapshot is not None:
            self.snapshot.keep_all()
        for key in [key for key, cell in self.cells.items() if _touched(cell) + self.unit.idle < now]:
            self._remove(key)
        self.cells = {key: (cell.touched, self.unit.pack(cell)) if isinstance(cell, Cell) else cell for key, cell in self.cells.items()}
        self._bind(unit, tables)

    def migrate(self, names: list[str]) -> None:
        """Turns cells of another layout, whose states are `names`, into this one's by the author's `migrate`."""
        for key, packed in self.cells.items():
            if isinstance(packed, tuple):
                self.cells[key] = packed[0], self.unit.migrated(dict(zip(names, unpack(packed[1]), strict=False)))
        self.changed += self.cells

    def packed(self, key: bytes) -> Packed | None:
        """(touched, blob) of a key, None if it is not there."""
        cell = self.cells.get(key)
        return (cell.touched, self.unit.pack(cell)) if isinstance(cell, Cell) else cell

    def wake(self, key: bytes, now: int) -> Cell:
        """The live cell of `key`; a fresh one if there is none or it has outlived itself."""
        found = self.cells.get(key)
        alive = found is not None and _touched(found) + self.unit.idle >= now
        if alive and isinstance(found, Cell):
            if found.touched <= self.saved:
                self.note(key)
            found.touched = now
            return found
        self.note(key)
        if found is None:
            self._make_room(now)
        made = self.cells[key] = self.unit.cell(found[1] if alive and isinstance(found, tuple) else None, now, self.tables)
        self.removed.discard(key)
        if self._oldest is not None:
            heapq.heappush(self._oldest, (now, key))
        return made

    def note(self, key: bytes) -> None:
        """Notes that the cell of `key` is about to differ from the store's."""
        if self.snapshot is not None:
            self.snapshot.keep(key)
        self.changed.append(key)
        if len(self.changed) > self._crowded:  # no checkpoint for long, and the same keys again and again
            self.changed[:] = set(self.changed)
            self._crowded = 2 * len(self.changed) + _CROWDED

    def _make_room(self, now: int) -> None:
        """For one more key: lets go of the oldest where there are too many, and of what it finds too old; called once per new key."""
        if len(self.cells) >= self.unit.most:
            key = self._longest_idle()
            self.unit.evicted += _touched(self.cells[key]) + self.unit.idle >= now
            self._remove(key)
        looked = list(islice(self._sweep, 2))
        for key in looked:
            cell = self.cells.get(key)
            if cell is not None and _touched(cell) + self.unit.idle < now:
                self._remove(key)
        if len(looked) < 2:
            self._sweep = iter(list(islice(self.cells, self._swept, self._swept + _SWEEP)))
            self._swept = self._swept + _SWEEP if self._swept + _SWEEP < len(self.cells) else 0

    def _remove(self, key: bytes) -> None:
        if self.snapshot is not None:
            self.snapshot.keep(key)
        del self.cells[key]
        self.removed.add(key)

    def mark(self, now: int) -> Snapshot:
        """What differs from the store's at this moment; it counts as saved from here on."""
        self.snapshot = Snapshot(self, self.changed, self.removed)
        self.dismiss()
        self.saved = max(self.saved, now)
        return self.snapshot

    def dismiss(self) -> None:
        """Counts everything as saved."""
        self.changed, self.removed, self._crowded = [], set(), _CROWDED

    def settled(self, written: bool) -> None:
        """The snapshot has been written, or its writing came to nothing: then what it holds differs from the store's still."""
        snapshot, self.snapshot = self.snapshot, None
        if snapshot is not None and not written:
            self.changed += snapshot.keys
            self.removed |= snapshot.gone.difference(self.cells)

    def _longest_idle(self) -> bytes:
        """The key that was touched longest ago; of several the least, so that a replay chooses the same."""
        if self._oldest is None or len(self._oldest) > 2 * len(self.cells) + 64:
            self._oldest = [(_touched(cell), key) for key, cell in self.cells.items()]
            heapq.heapify(self._oldest)
        while True:
            noted, key = heapq.heappop(self._oldest)
            cell = self.cells.get(key)
            if cell is None:
                continue
            if _touched(cell) == noted:
                return key
            heapq.heappush(self._oldest, (_touched(cell), key))


def _touched(cell: Cell | Packed) -> int:
    return cell.touched if isinstance(cell, Cell) else cell[0]


def _some(things: Iterable[T], count: int) -> Iterator[list[T]]:
    """The things in lists of at most so many."""
    each = iter(things)
    while some := list(islice(each, count)):
        yield some


class ShardState:
    """Everything a shard remembers; empty at first."""

    def __init__(self) -> None:
        self.memories: dict[str, Memory] = {}
        self.tables: dict[str, Rows] = {}
        self.pending: list[TableUpdate] = []
        self.tables_changed: set[tuple[str, str]] = set()
        self.watermark = 0
        self.now = 0  # the arrival of the row at hand
        self._unclaimed: dict[str, Cells] = {}  # restored, and no unit has asked for it yet
        self._forgotten: set[Removed] = set()
        self._given: tuple[set[Removed], set[tuple[str, str]]] = set(), set()  # what was forgotten, and which tables had changed, then
        self._due: list[tuple[int, str, bytes, str]] = []
        self._noted: dict[tuple[str, bytes, str], int] = {}  # each timer's earliest note in `_due`

    def restore(self, rows: Iterable[tuple[str, bytes, int, bytes]]) -> None:
        """Takes over packed cells (analyzer, key, touched, blob)."""
        for analyzer, key, touched, blob in rows:
            self._unclaimed.setdefault(analyzer, {})[key] = (touched, blob)

    def names(self) -> set[str]:
        """The analyzers of which anything is remembered."""
        return self._unclaimed.keys() | {name for name, memory in self.memories.items() if memory.cells}

    def memory(self, unit: Unit, shape: str | None = None) -> Memory:
        """What `unit` remembers; where other code of this name left it, packed and, if it has the other layout `shape`, migrated."""
        memory = self.memories.get(unit.name)
        if memory is not None and memory.unit is unit:
            return memory
        if memory is None:
            memory = self.memories[unit.name] = Memory(unit, self.tables, self._unclaimed.pop(unit.name, {}))
        else:
            memory.adopt(unit, self.tables, self.now)
        if shape is not None and shape != unit.analyzer.shape:
            memory.migrate([part.partition(":")[0] for part in shape.split(",") if part])
        if unit.analyzer.has_timers:
            for key, packed in memory.cells.items():
                if isinstance(packed, tuple):
                    cell = memory.cells[key] = unit.cell(packed[1], packed[0], memory.tables)
                    self.index(memory, key, cell)
        return memory

    def forget(self, analyzer: str) -> None:
        """Lets go of everything that `analyzer` remembers."""
        memory = self.memories.pop(analyzer, None)
        self._forgotten |= {(analyzer, key) for key in self._unclaimed.pop(analyzer, ())}
        if memory is not None:
            self._forgotten |= {(analyzer, key) for key in chain(memory.cells, memory.removed)}
            if memory.snapshot is not None:
                memory.snapshot.keep_all()
                self._forgotten |= {(analyzer, key) for key in memory.snapshot.gone}  # they are in the store, should that fail

    def changes(self) -> Iterator[tuple[list[Changed], list[Removed]]]:
        """What changed and what was removed since this was last asked, part by part: as it is now, although the state goes on meanwhile.

        What is removed comes before what is changed under the same name. `settled` must be called before this is asked again.
        """
        self._given = self._forgotten, self.tables_changed
        self._forgotten, self.tables_changed = set(), set()
        return self._parts(self._given[0], [(name, memory.mark(self.now)) for name, memory in sorted(self.memories.items())])

    def _parts(self, forgotten: set[Removed], snapshots: list[tuple[str, Snapshot]]) -> Iterator[tuple[list[Changed], list[Removed]]]:
        for removed in _some(forgotten, _PART):
            yield [], removed
        for name, snapshot in snapshots:
            for keys in _some(snapshot.gone, _PART):
                yield [], [(name, key) for key in keys]
            for rows in snapshot.parts():
                yield [(name, *row) for row in rows], []

    def dismiss(self) -> None:
        """Counts everything as saved, for a state that never will be: else it would remember every key it ever had."""
        self._forgotten, self.tables_changed = set(), set()
        for memory in self.memories.values():
            memory.dismiss()

    def settled(self, written: bool) -> None:
        """What `changes` gave is in the store, all of it or nothing."""
        for memory in self.memories.values():
            memory.settled(written)
        if not written:
            self._forgotten |= self._given[0]
            self.tables_changed |= self._given[1]
        self._given = set(), set()

    def index(self, memory: Memory, key: bytes, cell: Cell) -> None:
        """Notes when the timers of a cell fall due."""
        timers = memory.unit.timers(cell)
        if timers is not None:
            for name, due in timers.moved():
                self._note(due, memory.unit.name, key, name)

    def _note(self, due: int, analyzer: str, key: bytes, name: str) -> None:
        """One note is enough for a timer that every event moves on: where it really stands is looked up when that comes up."""
        if due < self._noted.get((analyzer, key, name), 1 << 63):
            self._noted[analyzer, key, name] = due
            heapq.heappush(self._due, (due, analyzer, key, name))

    def due(self, running: Container[str]) -> Iterator[tuple[str, bytes, Cell, str, int]]:
        """(analyzer, key, cell, timer, due) of each timer at or below the watermark, in order of time; each is taken off.

        Those of analyzers that are not `running` now wait. What is set while they fire waits for the next tick, however early: a
        timer that sets itself again stops nobody.
        """
        for due, analyzer, key, name in sorted(self._fallen(running)):
            cell, at = self._stands(analyzer, key, name)
            if cell is not None and at == due:
                self.memories[analyzer].note(key)
                self.memories[analyzer].unit.timers(cell).cancel(name)  # type: ignore[union-attr]  # it stands there
                yield analyzer, key, cell, name, due

    def _fallen(self, running: Container[str]) -> Iterator[tuple[int, str, bytes, str]]:
        """The timers that are due, at the times they really stand at; those that were moved on are noted again."""
        waiting = []
        while self._due and self._due[0][0] <= self.watermark:
            noted, analyzer, key, name = note = heapq.heappop(self._due)
            if self._noted.get((analyzer, key, name)) != noted:
                continue
            if analyzer not in running:
                waiting.append(note)
                continue
            del self._noted[analyzer, key, name]
            _, due = self._stands(analyzer, key, name)
            if due is None:
                continue
            if due <= self.watermark:
                yield due, analyzer, key, name
            else:
                self._note(due, analyzer, key, name)
        for note in waiting:
            heapq.heappush(self._due, note)

    def _stands(self, analyzer: str, key: bytes, name: str) -> tuple[Cell | None, int | None]:
        """The live cell of a timer and the time it is set for."""
        memory = self.memories.get(analyzer)
        cell = memory.cells.get(key) if memory is not None else None
        if memory is None or not isinstance(cell, Cell) or (timers := memory.unit.timers(cell)) is None:
            return None, None
        return cell, timers.due(name)

    def publish(self) -> None:
        """Makes the pending table rows visible and drops those that have expired."""
        for update in self.pending:
            self.tables.setdefault(update.table, {})[update.key] = (update.value, update.expires)
            self.tables_changed.add((update.table, update.key))
        self.pending.clear()
        for table, rows in self.tables.items():
            for key in [key for key, (_, expires) in rows.items() if expires <= self.watermark]:
                del rows[key]
                self.tables_changed.add((table, key))
