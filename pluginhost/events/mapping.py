"""Mappings: how the ECS names of one kind of record are read from it. A read plan, never a copy.

A mapping is data: it says by what shape it knows a record, under which raw paths each ECS name stands, and, where a line
of text has to be taken apart, names one function that does so; that function runs at most once per record, and only when
a field is asked for that the record itself does not have. Other packages add mappings by the entry point
`pluginhost.mappings`; the host looks them up and hands them over in order.

Who wins, for each ECS name: the record's own field, what the extractor found, the mapping's paths, its constants, and then
the aliases that hold for every record.
"""

from __future__ import annotations

import fnmatch
from collections import abc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ..problem import Problem
from .aliases import alias, first
from .fields import MISSING

__all__ = ["Example", "Mapping", "Mappings", "Reading", "Record"]

_TAGS_KEPT = 4096

Record = abc.Mapping[str, Any]
"""A decoded record, as the shipper named its fields."""


class Example(msgspec.Struct, frozen=True):
    """A record, or a line (`{"message": line}`), with what must be read from it. `absent` names fields that must be missing."""

    record: dict[str, Any] | str
    expected: dict[str, Any]
    absent: tuple[str, ...] = ()
    tag: str = ""


class Mapping(msgspec.Struct, frozen=True):
    """How one kind of record is read.

    `shape` is a cheap first test on the record itself; `tags` are globs that must hold beside it (none: any tag). `extract`
    returns values by ECS name, or `None` if the record is not of this kind after all: the next mapping is then asked. A
    value of `MISSING` in it hides what an alias would find. The first of `paths` that is there wins.
    """

    name: str
    description: str
    shape: Callable[[Record], bool]
    tags: tuple[str, ...] = ()
    paths: dict[str, tuple[str, ...]] = {}
    constants: dict[str, Any] = {}
    extract: Callable[[Record], dict[str, Any] | None] | None = None
    examples: tuple[Example, ...] = ()


class Reading(msgspec.Struct, frozen=True):
    """How one record is read: its mapping (`None` where none fits) and what the extractor found."""

    mapping: Mapping | None
    found: dict[str, Any]

    def get(self, record: Record, field: str) -> Any:
        """The value of the ECS name `field`, which the record does not have under that name; `MISSING` if it has it under none."""
        if field in self.found:
            return self.found[field]
        if self.mapping is not None:
            paths = self.mapping.paths.get(field)
            value = MISSING if paths is None else first(record, field, paths)
            if value is MISSING:
                value = self.mapping.constants.get(field, MISSING)
            if value is not MISSING:
                return value
        return alias(record, field)


class Mappings:
    """All mappings in order: of those that know a record's shape, the first whose extractor does not decline reads it."""

    def __init__(self, mappings: Iterable[Mapping] = ()) -> None:
        self._all = tuple(mappings)
        self._by_tag: dict[str, tuple[Mapping, ...]] = {}
        names = [mapping.name for mapping in self._all]
        for name in names:
            if names.count(name) > 1:
                raise Problem("mapping.twice", f"two mappings are called `{name}`", todo="rename or remove one")

    def __iter__(self) -> Iterator[Mapping]:
        return iter(self._all)

    def read(self, tag: str, record: Record) -> Reading:
        """How to read `record`."""
        candidates = self._by_tag.get(tag)
        for mapping in self._candidates(tag) if candidates is None else candidates:
            if not mapping.shape(record):
                continue
            if mapping.extract is None:
                return Reading(mapping, {})
            if (found := mapping.extract(record)) is not None:
                return Reading(mapping, found)
        return _PLAIN

    def _candidates(self, tag: str) -> tuple[Mapping, ...]:
        if len(self._by_tag) >= _TAGS_KEPT:
            self._by_tag.clear()  # tags are the shipper's to choose
        found = tuple(one for one in self._all if not one.tags or any(fnmatch.fnmatchcase(tag, glob) for glob in one.tags))
        self._by_tag[tag] = found
        return found


_PLAIN = Reading(None, {})
