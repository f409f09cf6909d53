"""The state of one shard: cells by analyzer and key, timers, tables, the watermark. Changed only by the pipeline.

Bounded: at most so many keys per analyzer; the one idle longest goes first. What a key has not shown for longer than its
state lives is forgotten. "Idle" is by arrival time, the journal's clock, so a replay forgets the same keys.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from .items import Result, TableUpdate
from .unit import Cell, Rows, Unit, unpack

__all__ = ["ShardState"]

Packed = tuple[int, bytes]  # touched, blob


class ShardState:
    """Everything a shard remembers; empty at first."""

    def __init__(self) -> None:
        self.cells: dict[str, OrderedDict[bytes, Cell | Packed]] = {}
        self.tables: dict[str, Rows] = {}
        self.pending: list[TableUpdate] = []
        self.tables_changed: set[tuple[str, str]] = set()
        self.watermark = 0
        self._due: list[tuple[int, str, bytes, str]] = []
        self._noted: dict[tuple[str, bytes, str], int] = {}  # each timer's earliest note in `_due`

    def restore(self, rows: Iterable[tuple[str, bytes, int, bytes]]) -> None:
        """Takes over packed cells (analyzer, key, touched, blob), idle longest first."""
        for analyzer, key, touched, blob in rows:
            self.cells.setdefault(analyzer, OrderedDict())[key] = (touched, blob)

    def cell(self, unit: Unit, key: bytes, now: int, result: Result) -> Cell:
        """The live cell of `key`, as the one touched last; a fresh one if there is none or it has outlived itself."""
        cells = self.cells.setdefault(unit.name, OrderedDict())
        found = cells.get(key)
        if isinstance(found, Cell) and found.touched + unit.idle >= now:
            cells.move_to_end(key)
            found.touched = now
            return found
        blob = found[1] if isinstance(found, tuple) and found[0] + unit.idle >= now else None
        made = cells[key] = unit.cell(blob, now, self.tables)
        cells.move_to_end(key)
        self._forget(unit, cells, now, result)
        return made

    def _forget(self, unit: Unit, cells: OrderedDict[bytes, Cell | Packed], now: int, result: Result) -> None:
        """Lets go of the oldest cell where it is too old or there are too many; called once per new cell, so it keeps up."""
        for _ in range(2):
            key, oldest = next(iter(cells.items()))
            touched = oldest.touched if isinstance(oldest, Cell) else oldest[0]
            full = len(cells) > unit.most
            if not full and touched + unit.idle >= now:
                return
            del cells[key]
            unit.evicted += full
            result.changed.discard((unit.name, key))
            result.removed.add((unit.name, key))

    def adopt(self, unit: Unit) -> None:
        """Makes the cells of `unit.name` ready for new code: packed, migrated where its shape asks for it, timers indexed."""
        cells = self.cells.get(unit.name)
        if not cells:
            return
        for key, cell in cells.items():
            packed = (cell.touched, cell.pack()) if isinstance(cell, Cell) else cell
            cells[key] = packed
            if unit.analyzer.has_timers:
                live = cells[key] = unit.cell(packed[1], packed[0], self.tables)
                self.index(unit.name, key, live)

    def migrate(self, unit: Unit, shape: str) -> None:
        """Turns the packed cells of `unit`, which have the layout `shape`, into its own by the author's `migrate`.

        A key whose state the author's function cannot turn begins anew.
        """
        names = [part.partition(":")[0] for part in shape.split(",") if part]
        cells = self.cells.get(unit.name, OrderedDict())
        for key, cell in list(cells.items()):
            touched, blob = (cell.touched, cell.pack()) if isinstance(cell, Cell) else cell
            cells[key] = (touched, unit.migrated(dict(zip(names, unpack(blob), strict=False))))

    def index(self, analyzer: str, key: bytes, cell: Cell) -> None:
        """Notes when the timers of a cell fall due."""
        if cell.timers is not None:
            for name, due in cell.timers.moved():
                self._note(due, analyzer, key, name)

    def _note(self, due: int, analyzer: str, key: bytes, name: str) -> None:
        """One note is enough for a timer that every event moves on: where it really stands is looked up when that comes up."""
        if due < self._noted.get((analyzer, key, name), 1 << 63):
            self._noted[analyzer, key, name] = due
            heapq.heappush(self._due, (due, analyzer, key, name))

    def due(self) -> Iterator[tuple[str, bytes, Cell, str, int]]:
        """(analyzer, key, cell, timer, due) of each timer at or below the watermark, in order of time; each is taken off.

        What is set while they fire waits for the next tick, however early: a timer that sets itself again stops nobody.
        """
        for due, analyzer, key, name in sorted(self._fallen()):
            cell = self._live(analyzer, key)
            if cell is not None and cell.timers is not None and cell.timers.due(name) == due:
                cell.timers.cancel(name)
                yield analyzer, key, cell, name, due

    def _fallen(self) -> Iterator[tuple[int, str, bytes, str]]:
        """The timers that are due, at the times they really stand at; those that were moved on are noted again."""
        while self._due and self._due[0][0] <= self.watermark:
            noted, analyzer, key, name = heapq.heappop(self._due)
            if self._noted.get((analyzer, key, name)) != noted:
                continue
            del self._noted[analyzer, key, name]
            cell = self._live(analyzer, key)
            due = cell.timers.due(name) if cell is not None and cell.timers is not None else None
            if due is None:
                continue
            if due <= self.watermark:
                yield due, analyzer, key, name
            else:
                self._note(due, analyzer, key, name)

    def _live(self, analyzer: str, key: bytes) -> Cell | None:
        cell = self.cells.get(analyzer, OrderedDict()).get(key)
        return cell if isinstance(cell, Cell) else None

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
