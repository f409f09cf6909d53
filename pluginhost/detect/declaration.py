"""The declaration of an analyzer: what the `analyzer` decorator makes of a function or class, and its examples.

Everything that can be known before a record comes is decided here, once: which parameters are state, which are options,
what the key is. Running it is the engine's.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Literal, overload

import msgspec

from ..match import EVERYTHING, Node, parse_with_warnings
from ..options import Duration
from ..problem import Place, Problem
from .state import State
from .table import Table
from .timers import Timers

__all__ = ["Analyzer", "ByOptions", "Declared", "Example", "Lists", "Option", "analyzer", "by_options"]

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")  # a class QuietHost is the analyzer quiet_host
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
Record = str | Mapping[str, Any]
Lists = Sequence[str] | tuple[str, Sequence[str]]
_NONE: Mapping[str, Lists] = {}


class Option(msgspec.Struct, frozen=True):
    """A parameter that the configuration can set: its type and default; `...` where the configuration must set it."""

    kind: Any
    default: Any


class ByOptions(msgspec.Struct, frozen=True):
    """How a state is made of options: `needs` are their names, `make` takes their values."""

    make: Callable[..., State]
    needs: tuple[str, ...]

    def of(self, options: Mapping[str, Any]) -> State:
        """The state that these options ask for."""
        return self.make(*(options[name] for name in self.needs))


def by_options(make: Callable[..., State]) -> Any:
    """A state whose kind or bounds the configuration decides: the parameters of `make` are names of options.

    `seen: FirstSeen = by_options(lambda remember: FirstSeen(remember)), remember: str = "30d"`. What `make` raises as `ValueError` is told
    to whoever wrote the configuration.
    """
    return ByOptions(make, tuple(inspect.signature(make).parameters))


class Example(msgspec.Struct, frozen=True):
    """Records and what must come of them. A text stands for `{"message": text}`; `every` is their spacing in ns.

    After the last record event time goes on by `wait` ns, so that timers can fall due. `lists` are what configured lists would hold:
    values, or (kind, values) where the kind is not strings or networks.
    """

    want: Literal["fires", "resolves", "quiet", "survives"]
    records: tuple[Record, ...]
    every: int
    wait: int
    tag: str
    alerts: int | None
    lists: Mapping[str, Lists]
    options: Mapping[str, Any]
    where: Place


class Declared(msgspec.Struct, frozen=True):
    """What the decorator was told, before anything was checked."""

    where: str
    tags: tuple[str, ...]
    key: tuple[str, ...]
    group: tuple[str, ...]
    pinned: bool
    keys: int
    template: bool = False


class Analyzer:
    """A declared analyzer. `states` and `tables` are parameters by name, in order; `options` those that can be set,
    `warnings` what the author of its `where` should know."""

    def __init__(self, body: Callable[..., Any], declared: Declared, place: Place, migrate: Callable[[Any], Any] | None = None,
                 name: str | None = None, title: str = "") -> None:  # fmt: skip
        self.body, self.declared, self.place, self.migrate = body, declared, place, migrate
        self.name = name or _CAPITAL.sub("_", body.__name__).lower()
        self.doc = inspect.cleandoc(body.__doc__ or "")
        self.title = title or self.doc.split("\n", 1)[0].rstrip(".") or self.name.replace("_", " ")
        self.states: dict[str, State] = {}
        self.tables: dict[str, Table] = {}
        self.options: dict[str, Option] = {}
        self._by_options: dict[str, ByOptions] = {}
        self.examples: list[Example] = []
        self._parameters()
        self._check()
        self.predicate, self.warnings = self._where()

    def _parameters(self) -> None:
        handler = getattr(self.body, "on_event", self.body)
        hints = typing.get_type_hints(self.body, getattr(handler, "__globals__", None), include_extras=True)
        if isinstance(self.body, type):
            kept = [name for name in dir(self.body) if isinstance(getattr(self.body, name, None), (State, Table, ByOptions))]
            given = {name: getattr(self.body, name, inspect.Parameter.empty) for name in (*hints, *kept)}
        else:
            rest = list(inspect.signature(self.body).parameters.values())[1:]
            given = {one.name: one.default for one in rest}
        for name, default in given.items():
            if isinstance(default, State):
                self.states[name] = default
            elif isinstance(default, Table):
                self.tables[name] = default
            elif isinstance(default, ByOptions):
                self._by_options[name] = default
            elif default is inspect.Parameter.empty:
                raise self._problem("analyzer.parameter", f"{self.name}: the parameter `{name}` has no default",
                                    "give it a state such as SlidingCount(\"10m\"), or an option's default value")  # fmt: skip
            else:
                self.options[name] = Option(hints.get(name, type(default)), default)
        for name, one in self._by_options.items():
            if unknown := [need for need in one.needs if need not in self.options]:
                raise self._problem("analyzer.parameter", f"{self.name}: `{name}` is made by the option `{unknown[0]}`, which is not there",
                                    "give the function an option of that name")  # fmt: skip
            self.states[name] = one.of({need: self.options[need].default for need in one.needs})

    def given(self, options: Mapping[str, Any]) -> Analyzer:
        """The same analyzer with the states that these options ask for; raises what making them raises."""
        if not self._by_options:
            return self
        one = copy(self)
        one.states = {**self.states, **{name: made.of(options) for name, made in self._by_options.items()}}
        return one

    def _check(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise self._problem("analyzer.name", f"`{self.name}` is no name for an analyzer",
                                "use lower-case letters, digits and _, a letter first")  # fmt: skip
        handler = getattr(self.body, "on_event", None) if isinstance(self.body, type) else self.body
        if not callable(handler):
            raise self._problem("analyzer.handler", f"the class {self.name} has no method on_event", "def on_event(self, event): …")
        if not isinstance(self.body, type) and not inspect.signature(self.body).parameters:
            raise self._problem("analyzer.handler", f"{self.name} takes no event", f"def {self.name}(event): …")
        if self.states and not (self.declared.key or self.declared.pinned):
            raise self._problem("analyzer.stateless", f"{self.name} keeps state but has no key",
                                "say whose state it is: key=\"source.ip\", or pinned=True for one state in all")  # fmt: skip
        if self.declared.keys < 1:
            raise self._problem("analyzer.keys", f"{self.name} may remember {self.declared.keys} keys", "give it room for one at least")
        if sum(isinstance(state, Timers) for state in self.states.values()) > 1:
            raise self._problem("analyzer.timers", f"{self.name} has several Timers", "one holds timers of any name")
        if self.has_timers and not hasattr(self.body, "on_timer"):
            raise self._problem("analyzer.timers", f"{self.name} sets timers but has no method on_timer",
                                "write a class with on_event and on_timer")  # fmt: skip

    def _where(self) -> tuple[Node, tuple[str, ...]]:
        """The predicate, and what its author should know about it."""
        if not self.declared.where:
            return EVERYTHING, ()
        try:
            node, warnings = parse_with_warnings(self.declared.where)
        except Problem as problem:
            column = problem.where.column if isinstance(problem.where, Place) else 0
            problem.what = f"{self.name}: where: {problem.what}"
            problem.where = Place(self.place.file, self.place.line, column, self.declared.where)
            raise
        return node, tuple(warnings)

    def _problem(self, code: str, what: str, todo: str) -> Problem:
        return Problem(code, what, where=self.place, todo=todo)

    def another(self, name: str, told: Mapping[str, Any]) -> Analyzer:
        """The same analyzer under another name, with what `told` says in place of its own `where`, `key`, `group`, `tags` and `title`."""
        changed: dict[str, Any] = {one: _names(told[one]) for one in ("key", "group", "tags") if one in told}
        if "key" in told:
            changed = {"group": changed["key"], "pinned": self.declared.pinned and not changed["key"], **changed}
        declared = msgspec.structs.replace(self.declared, template=False, where=told.get("where", self.declared.where), **changed)
        return Analyzer(self.body, declared, self.place, self.migrate, name, str(told.get("title", "")))

    @property
    def has_timers(self) -> bool:
        """Whether it needs ticks of its own."""
        return any(isinstance(state, Timers) for state in self.states.values())

    @property
    def shape(self) -> str:
        """The layout of its state: equal shapes can take over each other's state."""
        return ",".join(f"{name}:{state.shape}" for name, state in sorted(self.states.items()))

    def _example(self, want: Literal["fires", "resolves", "quiet", "survives"], records: Record | Sequence[Record], every: str | float,
                 wait: str | float, tag: str, alerts: int | None, lists: Mapping[str, Lists],
                 options: Mapping[str, Any]) -> Analyzer:  # fmt: skip
        frame = sys._getframe(2)  # noqa: SLF001 - the author's line, for the page that shows a failing example
        many = (records,) if isinstance(records, (str, Mapping)) else tuple(records)
        place = Place(frame.f_code.co_filename, frame.f_lineno)
        self.examples.append(Example(want, many, Duration.of(every).ns, Duration.of(wait).ns, tag, alerts, lists, options, place))
        return self

    def fires_on(self, records: Record | Sequence[Record], *, every: str | float = "1s", wait: str | float = 0, tag: str = "example",
                 alerts: int | None = None, lists: Mapping[str, Lists] = _NONE, **options: Any) -> Analyzer:  # fmt: skip
        """An example that must give an alert (or exactly `alerts` of them), with records spaced by `every`; `lists` are there for it."""
        return self._example("fires", records, every, wait, tag, alerts, lists, options)

    def resolves_on(self, records: Record | Sequence[Record], *, every: str | float = "1s", wait: str | float = 0, tag: str = "example",
                    lists: Mapping[str, Lists] = _NONE, **options: Any) -> Analyzer:  # fmt: skip
        """An example that must give a `Resolved`."""
        return self._example("resolves", records, every, wait, tag, None, lists, options)

    def quiet_on(self, records: Record | Sequence[Record], *, every: str | float = "1s", wait: str | float = 0, tag: str = "example",
                 lists: Mapping[str, Lists] = _NONE, **options: Any) -> Analyzer:  # fmt: skip
        """An example that must give no alert: the one that just does not."""
        return self._example("quiet", records, every, wait, tag, None, lists, options)

    def survives(self, records: Record | Sequence[Record], *, every: str | float = "1s", wait: str | float = 0, tag: str = "example",
                 lists: Mapping[str, Lists] = _NONE, **options: Any) -> Analyzer:  # fmt: skip
        """Malformed records: nothing may be raised, alerts or not."""
        return self._example("survives", records, every, wait, tag, None, lists, options)


@overload
def analyzer(body: Callable[..., Any], /) -> Analyzer: ...
@overload
def analyzer(*, where: str = "", key: str | Sequence[str] = (), tags: str | Sequence[str] = (), group: str | Sequence[str] = (),
             pinned: bool = False, keys: int = 100_000, name: str | None = None, template: bool = False,
             migrate: Callable[[Any], Any] | None = None) -> Callable[[Callable[..., Any]], Analyzer]: ...  # fmt: skip
def analyzer(body: Callable[..., Any] | None = None, /, *, where: str = "", key: str | Sequence[str] = (), tags: str | Sequence[str] = (),
             group: str | Sequence[str] = (), pinned: bool = False, keys: int = 100_000, name: str | None = None, template: bool = False,
             migrate: Callable[[Any], Any] | None = None) -> Analyzer | Callable[[Callable[..., Any]], Analyzer]:  # fmt: skip
    """Declares a function or class an analyzer.

    `where` is a query string that chooses the events, `tags` are globs over the shipper's tag (default: all), `key` names
    the field or fields whose value owns the state, `pinned` gives one state in all instead. `group` names the fields whose
    value an alert is about (default: the key). At most `keys` keys are remembered; the one idle longest goes first.
    `migrate` turns the plain state of another shape, {parameter: data}, into this one's. A `template` runs only under the names that the
    configuration gives it, each with a `where` and a `key` of its own.
    """
    declared = Declared(where, _names(tags), _names(key), _names(group) or _names(key), pinned, keys, template)
    frame = sys._getframe(1)  # noqa: SLF001 - the author's line, for the page that shows what is wrong
    place = Place(frame.f_code.co_filename, frame.f_lineno)

    def decorate(body: Callable[..., Any]) -> Analyzer:
        return Analyzer(body, declared, place, migrate, name)

    return decorate if body is None else decorate(body)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) and given else tuple(given)
