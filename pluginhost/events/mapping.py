"""Mappings: how the ECS names of one kind of record are read from it. A read plan, never a copy.

A mapping is data: it says by what shape it knows a record, under which raw paths each ECS name stands, and, where a field
or a line of text has to be taken apart, names the functions that do so; they run only when a field is asked for that the
record itself does not have. Other packages add mappings by the entry point `pluginhost.mappings`; the host looks them up
and hands them over in order.

Most records are of no mapping, and every record pays for finding that out. So a shape is data too, where it can be: `Keys` and
`Line` name what must stand in a record for them to fit, and one test for all mappings together turns the others away.

Who wins, for each ECS name: the record's own field, what the extractor found, the mapping's reader for it, its paths, its
constants, and then the aliases that hold for every record.
"""

from __future__ import annotations

import fnmatch
from collections import abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ..problem import Problem
from .aliases import alias, first, heads, message, tops
from .ecs import TYPES
from .fields import MISSING, lookup

__all__ = ["Example", "Keys", "Line", "Mapping", "Mappings", "Reading", "Record"]

_TAGS_KEPT = 4096

Record = abc.Mapping[str, Any]
"""A decoded record, as the shipper named its fields."""


class Example(msgspec.Struct, frozen=True):
    """A record, or a line (`{"message": line}`), with what must be read from it. `absent` names fields that must be missing."""

    record: dict[str, Any] | str
    expected: dict[str, Any]
    absent: tuple[str, ...] = ()
    tag: str = ""


class Keys(msgspec.Struct, frozen=True):
    """The shape of a record that has all of the keys `every` at its top, and one of `either` if that names any.

    The rarest of `every` (at least one) comes first: it is looked for first.
    """

    every: tuple[str, ...]
    either: tuple[str, ...] = ()

    def __call__(self, record: Record) -> bool:
        """Whether `record` has this shape."""
        for key in self.every:
            if key not in record:
                return False
        for key in self.either:
            if key in record:
                return True
        return not self.either

    @property
    def sets(self) -> tuple[frozenset[str], ...]:
        """The sets of keys of which a record of this shape has at least one whole."""
        return tuple(frozenset({*self.every, key}) for key in self.either) or (frozenset(self.every),)


class Line(msgspec.Struct, frozen=True):
    """The shape of a record whose message begins with one of `begins`, blanks before it aside, or holds the text `holds`.

    What it holds must end within its first `within` characters; `None` is anywhere.
    """

    begins: tuple[str, ...] = ()
    holds: str | None = None
    within: int | None = None

    def __call__(self, record: Record) -> bool:
        """Whether `record` has this shape."""
        return self.fits(message(record))

    def fits(self, line: str) -> bool:
        """Whether a record with this message has this shape."""
        if self.holds is not None and line.find(self.holds, 0, self.within) >= 0:
            return True
        begins = self.begins
        return bool(begins) and (line.startswith(begins) or (line[:1] == " " and line.lstrip().startswith(begins)))


class Mapping(msgspec.Struct, frozen=True):
    """How one kind of record is read.

    `shape` is a cheap first test on the record itself; `tags` are globs that must hold beside it (none: any tag). `extract`
    returns values by ECS name, or `None` if the record is not of this kind after all: the next mapping is then asked. `read`
    has a function per ECS name, for what can be read on its own. A value of `MISSING` from either hides what an alias
    would find. The first of `paths` that is there wins.

    `reads` names every key at a record's top that `shape`, `extract` and `read` look at, and `gives` every ECS name that
    `extract` may return; the mapping adds what its shape, paths, readers and constants say themselves. Where either is
    not said and cannot be known it is `None`, and records are then decoded whole.
    """

    name: str
    description: str
    shape: Callable[[Record], bool]
    tags: tuple[str, ...] = ()
    paths: dict[str, tuple[str, ...]] = {}
    constants: dict[str, Any] = {}
    extract: Callable[[Record], dict[str, Any] | None] | None = None
    read: dict[str, Callable[[Record], Any]] = {}
    reads: tuple[str, ...] | None = None
    gives: frozenset[str] | None = None
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        shape = self.shape
        if self.reads is not None or (isinstance(shape, (Keys, Line)) and self.extract is None and not self.read):
            told = {*(self.reads or ()), *tops(path for paths in self.paths.values() for path in paths)}
            told |= {key for keys in self.keys for key in keys} | (heads("message") if isinstance(shape, Line) else frozenset())
            msgspec.structs.force_setattr(self, "reads", tuple(sorted(told)))
        if self.gives is not None or self.extract is None:
            given = frozenset({*(self.gives or ()), *self.paths, *self.constants, *self.read})
            msgspec.structs.force_setattr(self, "gives", given)

    @property
    def keys(self) -> tuple[frozenset[str], ...]:
        """Sets of keys of which a record of this kind has at least one whole at its top; () where nothing is said."""
        return self.shape.sets if isinstance(self.shape, Keys) else ()

    @property
    def literals(self) -> tuple[str, ...]:
        """Texts of which at least one stands in some text value of every record of this kind; () where nothing is said."""
        shape = self.shape
        return (*((shape.holds,) if shape.holds is not None else ()), *shape.begins) if isinstance(shape, Line) else ()


class Reading(msgspec.Struct, frozen=True, gc=False):
    """How one record is read: its mapping (`None` where none fits) and what the extractor found."""

    mapping: Mapping | None
    found: dict[str, Any]

    def get(self, record: Record, field: str) -> Any:
        """The value of the ECS name `field`, which the record does not have under that name; `MISSING` if it has it under none."""
        found, mapping = self.found, self.mapping
        if field in found:
            return found[field]
        if mapping is not None:
            if field in mapping.read:
                return mapping.read[field](record)
            paths = mapping.paths.get(field)
            value = MISSING if paths is None else first(record, field, paths)
            if value is MISSING:
                value = mapping.constants.get(field, MISSING)
            if value is not MISSING:
                return value
        return alias(record, field)

    def possible(self, record: Record) -> list[str]:
        """Those of the ECS fields that alerts take over that may have a value, in the order of `TYPES`; most others cannot."""
        names = set(self.found)
        for key in record:
            names |= _NAMED.get(key, _NOBODY)
        if (mapping := self.mapping) is not None:
            names.update(mapping.paths, mapping.constants, mapping.read)
        return sorted(names & TYPES.keys(), key=_RANKS.__getitem__)

    def whole(self, record: Record, field: str) -> Any:
        """The same for any record: its own field comes first."""
        value = lookup(record, field)
        return self.get(record, field) if value is MISSING else value


_RANKS = {field: rank for rank, field in enumerate(TYPES)}
_NOBODY = frozenset[str]()
_NAMED: dict[str, frozenset[str]] = {}
"""Key at a record's top → fields whose value may depend on it where no mapping is involved."""
for _field in TYPES:
    for _key in heads(_field):
        _NAMED[_key] = _NAMED.get(_key, _NOBODY) | {_field}

_Step = tuple[str | None, str | None, frozenset[str], Callable[[str], bool] | None, Mapping, Reading]
"""One mapping as it is tried: what must be there first (a key at the top; or a text in the message or its first character, of
which "" is always there), then the whole test of the message, if its shape asks that alone. A plain tuple is unpacked fastest."""


def _step(mapping: Mapping) -> _Step:
    shape, reading = mapping.shape, Reading(mapping, {})
    if isinstance(shape, Keys):
        return shape.every[0], None, frozenset(), None, mapping, reading
    if isinstance(shape, Line):
        firsts = frozenset(text[:1] for text in (*shape.begins, " ")) if shape.begins else frozenset()
        return None, shape.holds, firsts, shape.fits, mapping, reading
    return None, "", frozenset(), None, mapping, reading


class Mappings:
    """All mappings in order: of those that know a record's shape, the first whose extractor does not decline reads it."""

    def __init__(self, mappings: Iterable[Mapping] = ()) -> None:
        self._all = tuple(mappings)
        self._by_tag: dict[str, tuple[_Step, ...]] = {}
        names = [mapping.name for mapping in self._all]
        for name in names:
            if names.count(name) > 1:
                raise Problem("mapping.twice", f"two mappings are called `{name}`", todo="rename or remove one")

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._all)

    def of(self, tag: str) -> tuple[Mapping, ...]:
        """Those that may read records of this tag, in order."""
        steps = self._by_tag.get(tag)
        return tuple(step[4] for step in (self._planned(tag) if steps is None else steps))

    def read(self, tag: str, record: Record) -> Reading:
        """How to read `record`."""
        line = record.get("message")
        if type(line) is not str:
            line = message(record)
        first = line[:1]
        steps = self._by_tag.get(tag)
        for key, text, firsts, fits, mapping, reading in self._planned(tag) if steps is None else steps:
            if key is not None:
                if key not in record:
                    continue
            elif (text is None or text not in line) and first not in firsts:
                continue
            if not (mapping.shape(record) if fits is None else fits(line)):
                continue
            if mapping.extract is None:
                return reading
            if (found := mapping.extract(record)) is not None:
                return Reading(mapping, found)
        return _PLAIN

    def _planned(self, tag: str) -> tuple[_Step, ...]:
        if len(self._by_tag) >= _TAGS_KEPT:
            self._by_tag.clear()  # tags are the shipper's to choose
        fitting = (one for one in self._all if not one.tags or any(fnmatch.fnmatchcase(tag, glob) for glob in one.tags))
        made = self._by_tag[tag] = tuple(map(_step, fitting))
        return made


_PLAIN = Reading(None, {})
