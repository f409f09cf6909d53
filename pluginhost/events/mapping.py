"""Mappings: how the ECS names of one kind of record are read from it. A read plan, never a copy.

A mapping is data: it says by what shape it knows a record, under which raw paths each ECS name stands, and, where a field
or a line of text has to be taken apart, names the functions that do so; they run only when a field is asked for that the
record itself does not have. Other packages add mappings by the entry point `pluginhost.mappings`; the host looks them up
and hands them over in order.

Most records are of no mapping, and every record pays for finding that out. So a shape is data too, where it can be: `Keys` and
`Line` name what must stand in a record for them to fit, and one index of all of that finds the few mappings that are worth asking:
what a record costs hardly depends on how many others there are.

Who wins, for each ECS name: the record's own field, what the extractor found, the mapping's reader for it, its paths, its
constants, and then the aliases that hold for every record.
"""

from __future__ import annotations

import fnmatch
from collections import abc, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from ahocorasick_rs import BytesAhoCorasick, Implementation

from ..problem import Problem
from .aliases import ALIASES, alias, first, heads, message, tops
from .derived import active
from .ecs import TYPES
from .fields import MISSING, lookup
from .references import NOTHING, References

__all__ = ["OVER", "Example", "Keys", "Line", "Mapping", "Mappings", "Reading", "Record"]

OVER = frozenset(("event.action", "event.category", "event.outcome", "event.type"))
"""The fields that a mapping may read in its own way though the record has them."""

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
    """The shape of a record whose message begins with one of `begins`, blanks before it aside, or holds the text (or one of) `holds`.

    What it holds must end within its first `within` characters; `None` is anywhere. The fewer other messages hold such a text,
    the better.
    """

    begins: tuple[str, ...] = ()
    holds: str | tuple[str, ...] | None = None
    within: int | None = None

    def __call__(self, record: Record) -> bool:
        """Whether `record` has this shape."""
        return self.fits(message(record))

    def fits(self, line: str) -> bool:
        """Whether a record with this message has this shape."""
        for held in self.held:
            if line.find(held, 0, self.within) >= 0:
                return True
        begins = self.begins
        return bool(begins) and (line.startswith(begins) or (line[:1] == " " and line.lstrip().startswith(begins)))

    @property
    def held(self) -> tuple[str, ...]:
        """`holds`, however many it are."""
        holds = self.holds
        return holds if isinstance(holds, tuple) else () if holds is None else (holds,)


class Mapping(msgspec.Struct, frozen=True):
    """How one kind of record is read.

    `shape` is a cheap first test on the record itself; `tags` are globs that must hold beside it (none: any tag). `extract`
    returns values by ECS name, or `None` if the record is not of this kind after all: the next mapping is then asked. `read`
    has a function per ECS name, for what can be read on its own. A value of `MISSING` from either hides what an alias
    would find. The first of `paths` that is there wins.

    `reads` names every key at a record's top that `shape`, `extract` and `read` look at, and `gives` every ECS name that
    `extract` may return; the mapping adds what its shape, paths, readers and constants say themselves. Where either is
    not said and cannot be known it is `None`, and records are then decoded whole.

    Of the fields in `OVER` those that are named in `over` are the mapping's even where the record has them: some shippers write their
    own words there, such as Winlogbeat into `event.action`.

    One that reads what no other does, such as any syslog line, is `last`: it is asked behind all that are not.
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
    over: frozenset[str] = frozenset()
    examples: tuple[Example, ...] = ()
    last: bool = False

    def __post_init__(self) -> None:
        shape = self.shape
        if not self.over <= OVER:
            raise ValueError(f"the mapping {self.name} reads {sorted(self.over - OVER)} over the record's own")
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
    def rarest(self) -> str | None:
        """A key that every record of this kind has at its top, and few others; `None` where nothing is said."""
        return self.shape.every[0] if isinstance(self.shape, Keys) else None

    @property
    def literals(self) -> tuple[str, ...]:
        """Texts of which at least one stands in some text value of every record of this kind; () where nothing is said."""
        shape = self.shape
        return (*shape.held, *shape.begins) if isinstance(shape, Line) else ()


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
        for key in _NAMED.keys() & record:
            below, inner = _NAMED[key], record[key]
            names.update(*([below[name] for name in below.keys() & {"", *inner}] if inner.__class__ is dict else below.values()))
        if (mapping := self.mapping) is not None:
            names.update(mapping.paths, mapping.constants, mapping.read)
        return sorted(names & TYPES.keys(), key=_RANKS.__getitem__)

    def whole(self, record: Record, field: str) -> Any:
        """The same for any record: its own field comes first, unless it is the mapping's."""
        mapping = self.mapping
        if mapping is not None and field in mapping.over and (value := self.get(record, field)) is not MISSING:
            return value
        value = lookup(record, field)
        return self.get(record, field) if value is MISSING else value


_RANKS = {field: rank for rank, field in enumerate(TYPES)}
_NAMED: dict[str, dict[str, set[str]]] = {}
"""Key at a record's top → key in an object there ("" for the value itself) → fields whose value may depend on it where no mapping is
involved."""
for _field in TYPES:
    for _path in (_field, *ALIASES.get(_field, ())):
        for _key in tops([_path]):
            for _inner in tops([_path[len(_key) + 1 :]]):
                _NAMED.setdefault(_key, {}).setdefault(_inner, set()).add(_field)

_Step = tuple[int, Callable[[str], bool] | None, Mapping, Reading]
"""One mapping as it is tried: its rank among all, and the whole test of the message if its shape asks for that alone. A plain
tuple is unpacked fastest."""


class _Plan:
    """The mappings that may read records of a tag, by what must stand in one: a key at its top, the first characters, a text."""

    def __init__(self, mappings: Iterable[Mapping]) -> None:
        self.mappings = tuple(mappings)
        self.always: list[_Step] = []
        self.keyed, self.begun, held = (defaultdict[str, list[_Step]](list) for _ in range(3))
        for rank, mapping in enumerate(self.mappings):
            shape = mapping.shape
            step = rank, shape.fits if isinstance(shape, Line) else None, mapping, Reading(mapping, {})
            if isinstance(shape, Keys):
                self.keyed[shape.every[0]].append(step)
            elif isinstance(shape, Line) and all(mapping.literals):
                for text in shape.held:
                    held[text].append(step)
                for head in {text[:2] for text in (*shape.begins, " ")} if shape.begins else ():
                    self.begun[head].append(step)
            else:
                self.always.append(step)
        for head in self.begun:  # what looks under two characters must find what began with the first of them, too
            if len(head) == 2:
                self.begun[head] += self.begun.get(head[0], [])
        self.keys, self.held = frozenset(self.keyed), list(held.values())
        texts = [text.encode("utf-8", "surrogatepass") for text in held]
        self.search = BytesAhoCorasick(texts, implementation=Implementation.DFA).find_matches_as_indexes if texts else _nothing


def _nothing(line: bytes, overlapping: bool) -> list[tuple[int, int, int]]:
    return []


def _several(held: Sequence[Sequence[_Step]], places: Iterable[tuple[int, int, int]]) -> list[_Step]:
    """The steps of all texts that were found; a text may be there many times."""
    return [step for n in {place[0] for place in places} for step in held[n]]


_RANK = itemgetter(0)


class Mappings:
    """All mappings in order: of those that know a record's shape, the first whose extractor does not decline reads it.

    `references` are what records are compared with and enriched from beside them, `derived` the fields that may follow from others.
    """

    references = NOTHING
    derived = active(NOTHING)

    def __init__(self, mappings: Iterable[Mapping] = ()) -> None:
        self._all = tuple(sorted(mappings, key=attrgetter("last")))
        self._by_tag: dict[str, _Plan] = {}
        self._plans: dict[tuple[bool, ...], _Plan] = {}
        names = [mapping.name for mapping in self._all]
        for name in names:
            if names.count(name) > 1:
                raise Problem("mapping.twice", f"two mappings are called `{name}`", todo="rename or remove one")

    def beside(self, references: References) -> Mappings:
        """The same mappings with these references."""
        made = copy(self)
        made.references, made.derived = references, active(references)
        return made

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._all)

    def of(self, tag: str) -> tuple[Mapping, ...]:
        """Those that may read records of this tag, in order."""
        return (self._by_tag.get(tag) or self._planned(tag)).mappings

    def read(self, tag: str, record: Record) -> Reading:
        """How to read `record`."""
        line = own if type(own := record.get("message")) is str else message(record)
        plan = self._by_tag.get(tag) or self._planned(tag)
        tried = plan.always
        if not plan.keys.isdisjoint(record):
            tried = tried + [step for key in plan.keys.intersection(record) for step in plan.keyed[key]]
        if line:
            if begun := plan.begun.get(line[:2]) or plan.begun.get(line[0]):
                tried = tried + begun
            # JSON may hold half a surrogate pair: no reason to raise
            if places := plan.search(line.encode("utf-8", "surrogatepass"), True):
                tried = tried + (plan.held[places[0][0]] if len(places) == 1 else _several(plan.held, places))
        if len(tried) > 1:
            tried = sorted(tried, key=_RANK)
        for _, fits, mapping, reading in tried:
            if not (mapping.shape(record) if fits is None else fits(line)):
                continue
            if mapping.extract is None:
                return reading
            if (found := mapping.extract(record)) is not None:
                return Reading(mapping, found)
        return _PLAIN

    def _planned(self, tag: str) -> _Plan:
        """The plan of a tag; tags for which the same mappings hold share one."""
        if len(self._by_tag) >= _TAGS_KEPT:
            self._by_tag.clear()  # tags are the shipper's to choose
            self._plans.clear()
        fitting = tuple(not one.tags or any(fnmatch.fnmatchcase(tag, glob) for glob in one.tags) for one in self._all)
        if fitting not in self._plans:
            self._plans[fitting] = _Plan(one for one, fits in zip(self._all, fitting, strict=True) if fits)
        plan = self._by_tag[tag] = self._plans[fitting]
        return plan


_PLAIN = Reading(None, {})
