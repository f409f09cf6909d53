"""Whether a product would take the lines of a file at all: types, ids, versions, attributes, and the mark by which we know our own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ...saved import SavedObject
from .board_shapes import Board
from .contents import Opened, name_of
from .shapes import DataView, Envelope
from .targets import Target, newer

__all__ = ["envelopes"]

_MARK = re.compile(r"(?:^| )\(pluginhost ([1-9][0-9]*)\)$")


def envelopes(objects: Sequence[SavedObject], found: Sequence[Opened], target: Target) -> Iterator[str]:
    """What is wrong with the lines, for a product."""
    yield from (f"{name} id: {count} objects have it" for name, count in Counter(map(name_of, objects)).items() if count > 1)
    yield from _mixed(found)
    yield from _unmarked(found)
    for one in found:
        yield from _versions(one, target)
        yield from _panels(one, target)
        unknown = one.envelope.attributes.keys() - target.attributes.get(one.envelope.type, one.envelope.attributes.keys())
        yield from (one.said(f"attributes.{key}", f"{target.name} has no such attribute") for key in sorted(unknown))


def _modern(envelope: Envelope) -> bool:
    return isinstance(envelope.type_migration_version, str) or isinstance(envelope.core_migration_version, str)


def _mixed(found: Sequence[Opened]) -> Iterator[str]:
    """One style of envelope in a file: that of its most objects."""
    modern = sum(_modern(one.envelope) for one in found) * 2 > len(found)
    for one in found:
        if _modern(one.envelope) and isinstance(one.envelope.migration_version, dict):
            yield one.said("migrationVersion", "beside typeMigrationVersion: one of them too many")
        elif _modern(one.envelope) is not modern:
            yield one.said("typeMigrationVersion" if modern else "migrationVersion", "not given, as the file's other objects have it")


def _unmarked(found: Sequence[Opened]) -> Iterator[str]:
    """All but data views say which revision of ours they are, the same in a file."""
    marks = {one.name: _MARK.search(_description(one)) for one in found if not isinstance(one.content, DataView)}
    usual = Counter(mark[1] for mark in marks.values() if mark).most_common(1)
    for one in found:
        mark = marks.get(one.name)
        if mark and mark[1] != usual[0][0]:
            yield one.said("description", f"says revision {mark[1]}, others say {usual[0][0]}")
        elif one.name in marks and not mark:
            yield one.said("description", "does not end with the revision, (pluginhost N)")


def _description(one: Opened) -> str:
    return str(one.envelope.attributes.get("description", ""))


def _versions(one: Opened, target: Target) -> Iterator[str]:
    envelope = one.envelope
    newest = target.versions.get(envelope.type)
    if newest is None:
        yield one.said("type", f"{target.name} does not know {envelope.type}")
        return
    if _modern(envelope) and not target.core:
        yield one.said("typeMigrationVersion", f"{target.name} knows migrationVersion only")
    given = {"typeMigrationVersion": (envelope.type_migration_version, newest),
             "coreMigrationVersion": (envelope.core_migration_version, target.core)}  # fmt: skip
    if isinstance(envelope.migration_version, dict):
        given |= {f"migrationVersion.{type_}": (version, newest) for type_, version in envelope.migration_version.items()}
        if envelope.migration_version.keys() != {envelope.type}:
            yield one.said("migrationVersion", f"is not that of {envelope.type} alone")
    for path, (version, cap) in given.items():
        if isinstance(version, str) and cap and newer(version, cap):
            yield one.said(path, f"{version} is newer than {cap}, the newest that {target.name} knows")


def _panels(one: Opened, target: Target) -> Iterator[str]:
    if isinstance(one.content, Board):
        for place, panel in enumerate(one.content.panels):
            if newer(panel.version, target.panel):
                yield one.said(f"panelsJSON[{place}].version", f"{panel.version} is newer than {target.panel}, the newest of {target.name}")
