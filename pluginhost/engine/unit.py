"""One analyzer made ready to run: its predicate compiled, its options fixed, its cells made on demand.

A *cell* is the state of one key with the author's function or object already bound to it, so that a call on the record
path is one call. Cells that nobody touched stay packed as they came from the store.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import msgspec

from ..alerts.document import Rule
from ..detect.declaration import Analyzer
from ..detect.state import State, Timers
from ..match import compile as compile_predicate
from ..options import Duration

__all__ = ["Cell", "Rows", "Unit", "pack", "unpack"]

_MARGIN = Duration.of("1h").ns
"""Shippers deliver late: a key idle (by arrival) for less than its state's life and this is kept."""

Rows = dict[str, tuple[Any, int]]
pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder().decode


class Cell:
    """The live state of one key. `put` collects table rows of the call at hand as (table, key, value, expire in ns)."""

    __slots__ = ("call", "on_timer", "put", "states", "timers", "touched")

    def __init__(self, touched: int) -> None:
        self.touched = touched
        self.states: tuple[State, ...] = ()
        self.timers: Timers | None = None
        self.put: dict[str, list[tuple[str, Any]]] = {}
        self.call: Callable[[Any], Any]
        self.on_timer: Callable[[Any], Any] | None = None

    def pack(self) -> bytes:
        """The state of every parameter as plain data, by the order of their names."""
        return pack([state.dump() for state in self.states])


class Unit:
    """An analyzer with its options; `module` and `sources` (file → text) tell where it comes from."""

    def __init__(self, analyzer: Analyzer, options: Mapping[str, Any], module: str = "", sources: Mapping[str, str] | None = None) -> None:
        declared = analyzer.declared
        self.analyzer, self.name, self.sources = analyzer, analyzer.name, sources or {}
        self.tag = analyzer.name.encode()
        self.rule = Rule(analyzer.name, analyzer.title, analyzer.doc, module)
        self.options = {name: options.get(name, option.default) for name, option in analyzer.options.items()}
        self.predicate = compile_predicate(analyzer.predicate) if declared.where else None
        self.key, self.group, self.pinned = declared.key, declared.group, declared.pinned
        self.home = crc32(analyzer.name.encode()) & 255  # the key group of a pinned one
        self.stateful = bool(analyzer.states)
        self.order = sorted(analyzer.states)  # packed state is in the order of the names, as the shape is
        self.most = declared.keys
        self.idle = max((state.idle for state in analyzer.states.values()), default=0) + _MARGIN
        self._globs = declared.tags
        self.seen = self.fired = self.failed = self.unkeyed = self.evicted = 0

    def wants(self, tag: str) -> bool:
        """Whether records of this tag are for it."""
        return not self._globs or any(fnmatch.fnmatchcase(tag, glob) for glob in self._globs)

    def cell(self, blob: bytes | None, touched: int, tables: dict[str, Rows]) -> Cell:
        """A live cell from packed state, or an empty one."""
        cell = Cell(touched)
        plain = unpack(blob) if blob is not None else [None] * len(self.order)
        given: dict[str, Any] = dict(self.options)
        for name, data in zip(self.order, plain, strict=True):
            given[name] = live = self.analyzer.states[name].fresh()
            live.load(data)
            cell.states += (live,)
            if isinstance(live, Timers):
                cell.timers = live
        for name, table in self.analyzer.tables.items():
            given[name] = table.bound(tables.setdefault(table.name, {}), cell.put.setdefault(table.name, []))
        self._bind(cell, given)
        return cell

    def migrated(self, plain: dict[str, Any]) -> bytes:
        """Packed state made from another shape's plain data by the author's `migrate`; empty state where that fails."""
        try:
            made = self.analyzer.migrate(plain) if self.analyzer.migrate else {}
            return self.cell(pack([made.get(name) for name in self.order]), 0, {}).pack()
        except Exception:  # noqa: BLE001 - the author's code, on data of any age
            self.failed += 1
            return self.cell(None, 0, {}).pack()

    def _bind(self, cell: Cell, given: dict[str, Any]) -> None:
        body = self.analyzer.body
        if not isinstance(body, type):
            cell.call = functools.partial(body, **given)
            return
        self_: Any = object.__new__(body)
        for name, value in given.items():
            setattr(self_, name, value)
        cell.call, cell.on_timer = self_.on_event, getattr(self_, "on_timer", None)
