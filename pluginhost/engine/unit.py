"""One analyzer made ready to run: its predicate compiled, its options fixed, how its body is called decided.

A *cell* is the live state of one key. There may be a million, so it is a few words long and holds nothing that could be shared;
what is shared is bound into the call. Cells that nobody touched stay packed as they came from the store.
"""

from __future__ import annotations

import fnmatch
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, cast
from zlib import crc32

import msgspec

from ..alerts.document import Rule
from ..detect.declaration import Analyzer
from ..detect.finding import SEVERITIES
from ..detect.state import State
from ..detect.table import Table
from ..detect.timers import Timers
from ..match import Test
from ..match import compile as compile_predicate
from ..options import Duration

__all__ = ["Cell", "Rows", "Unit", "pack", "unpack"]

_MARGIN = Duration.of("1h").ns
"""Shippers deliver late: a key idle (by arrival) for less than its state's life and this is kept."""

_REASONS = 20
_FIELD = re.compile(r"[a-z_@][\w@-]{0,63}(?:\.[\w@-]{1,63})*|[A-Z][\w@-]{0,63}", re.ASCII)

Rows = dict[str, tuple[Any, int]]
pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder().decode


class Cell(msgspec.Struct, gc=False):
    """The live state of one key. `touched` is the arrival of its last event, ns. Subclasses hold the states, `s0` and on, in the order
    of the parameters' names, and `object` where the analyzer is a class."""

    touched: int


@functools.cache
def _cell_type(states: int, has_object: bool) -> type[Cell]:
    fields = [(f"s{n}", Any) for n in range(states)] + [("object", Any)] * has_object
    return cast("type[Cell]", msgspec.defstruct("Cell", fields, bases=(Cell,), gc=False))


@functools.cache
def _written(expression: str) -> Callable[[Any], Any]:
    """The function of `cell` that gives an expression of names only: a loop over two slots takes twice as long."""
    made: Callable[[Any], Any] = eval(f"lambda cell: {expression}")  # noqa: S307 - see above
    return made


class Unit:
    """An analyzer with its options; `module` and `sources` (file → text) tell where it comes from."""

    def __init__(self, analyzer: Analyzer, options: Mapping[str, Any], module: str = "", sources: Mapping[str, str] | None = None) -> None:
        declared = analyzer.declared
        self.analyzer, self.name, self.sources = analyzer, analyzer.name, sources or {}
        self.rule = Rule(analyzer.name, analyzer.title, analyzer.doc, module)
        self.options = {name: options.get(name, option.default) for name, option in analyzer.options.items()}
        self.where = analyzer.predicate if declared.where else None
        self.key, self.group, self.pinned = declared.key, declared.group, declared.pinned
        self.home = crc32(analyzer.name.encode()) & 255  # the key group of a pinned one
        self.stateful = bool(analyzer.states)
        self.order = sorted(analyzer.states)  # packed state is in the order of the names, as the shape is
        self.most = declared.keys
        self.idle = max((state.idle for state in analyzer.states.values()), default=0) + _MARGIN
        self.is_class = isinstance(analyzer.body, type)
        self.cell_type = _cell_type(len(self.order), self.is_class)
        self._timers = next((n for n, name in enumerate(self.order) if isinstance(analyzer.states[name], Timers)), None)
        slots = [f"s{n}" for n in range(len(self.order))]
        self._states: Callable[[Any], list[State]] = _written(f"[{', '.join(f'cell.{slot}' for slot in slots)}]")
        self._dumped: Callable[[Any], list[Any]] = _written(f"[{', '.join(f'cell.{slot}.dump()' for slot in slots)}]")
        self._globs = declared.tags
        self.seen = self.fired = self.failed = self.unkeyed = self.evicted = 0
        self.unjudged: dict[str, int] = {}

    def judged_not(self, reason: str) -> None:
        """Counts an event that the body could not judge. The reasons are the author's, so they are few; should they not be, all of the rest
        count as one."""
        unjudged = self.unjudged
        name = reason if reason in unjudged or len(unjudged) < _REASONS else "other"
        unjudged[name] = unjudged.get(name, 0) + 1

    @functools.cached_property
    def predicate(self) -> Test | None:
        """Whether a record is for it, None where every one is; compiled when first needed, for there may be thousands of units."""
        return compile_predicate(self.where) if self.where is not None else None

    def wants(self, tag: str) -> bool:
        """Whether records of this tag are for it."""
        return not self._globs or any(fnmatch.fnmatchcase(tag, glob) for glob in self._globs)

    def cell(self, blob: bytes | None, touched: int, tables: Mapping[str, Table]) -> Cell:
        """A live cell from packed state, or an empty one; `tables` are the live tables by parameter."""
        live: list[Any] = [self.analyzer.states[name].fresh() for name in self.order]
        if blob is not None:
            for state, plain in zip(live, unpack(blob), strict=True):
                state.load(plain)
        if self.is_class:
            one: Any = object.__new__(self.analyzer.body)  # type: ignore[arg-type]  # it is a class
            for name, value in (*self.options.items(), *zip(self.order, live, strict=True), *tables.items()):
                setattr(one, name, value)
            live.append(one)
        return self.cell_type(touched, *live)

    def states(self, cell: Any) -> list[State]:
        """The states of a cell, in the order of their names."""
        return self._states(cell)

    def timers(self, cell: Any) -> Timers | None:
        """The timers of a cell, if the analyzer has any."""
        return None if self._timers is None else getattr(cell, f"s{self._timers}")

    def pack(self, cell: Cell) -> bytes:
        """The state of every parameter as plain data, by the order of their names."""
        return pack(self._dumped(cell))

    def migrated(self, plain: dict[str, Any]) -> bytes:
        """Packed state made from another shape's plain data by the author's `migrate`; empty state where that fails."""
        try:
            made = self.analyzer.migrate(plain) if self.analyzer.migrate else {}
            return self.pack(self.cell(pack([made.get(name) for name in self.order]), 0, self.analyzer.tables))
        except Exception:  # noqa: BLE001 - the author's code, on data of any age
            self.failed += 1
            return self.pack(self.cell(None, 0, self.analyzer.tables))

    def call(self, bind: Callable[[Any], str], tables: str) -> str:
        """How the body is called, as Python source over `event` and `cell`; `tables` names the live tables by parameter."""
        if self.is_class:
            return "cell.object.on_event(event)"
        given = ["event"]
        for one in list(inspect.signature(self.analyzer.body).parameters.values())[1:]:
            if one.name in self.analyzer.states:
                value = f"cell.s{self.order.index(one.name)}"
            else:
                value = f"{tables}[{one.name!r}]" if one.name in self.analyzer.tables else bind(self.options[one.name])
            given.append(f"{one.name}={value}" if one.kind is one.KEYWORD_ONLY else value)
        return f"{bind(self.analyzer.body)}({', '.join(given)})"

    @functools.cached_property
    def named(self) -> frozenset[str]:
        """What the body may ask an event for: the texts in it that could be names of fields."""
        body = self.analyzer.body
        found = [one.__code__ for one in (vars(body).values() if isinstance(body, type) else [body]) if inspect.isfunction(one)]
        names: set[str] = set()
        while found:
            code = found.pop()
            found += [one for one in code.co_consts if inspect.iscode(one)]
            names |= {one for one in code.co_consts if isinstance(one, str) and _FIELD.fullmatch(one)}
        return frozenset(names - SEVERITIES.keys())

    @functools.cached_property
    def handle(self) -> Callable[[Any, Cell, Mapping[str, Table]], Any]:
        """Calls the body for (event, cell, live tables by parameter)."""
        names: dict[str, Any] = {}

        def bind(value: Any) -> str:
            names[f"c{len(names)}"] = value
            return f"c{len(names) - 1}"

        made: Callable[[Any, Cell, Mapping[str, Table]], Any] = eval(  # noqa: S307 - the text is made here, from names only
            f"lambda event, cell, tables: {self.call(bind, 'tables')}", names)  # fmt: skip
        return made
