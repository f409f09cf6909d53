"""The objects of a file, opened: each with its references by name and what is in it as typed values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from pluginhost.alerts.template import Kind

from ...saved import SavedObject
from .board_shapes import Board
from .classic_shapes import Vis
from .lens_shapes import Lens
from .map_shapes import Map
from .mapping import kind_of
from .shapes import DataView, Envelope, Misshapen, Reference, Search, shaped

__all__ = ["Content", "Opened", "Views", "name_of", "opened", "views"]

Content: TypeAlias = DataView | Search | Board | Lens | Map | Vis

_READERS: Mapping[str, Callable[[dict[str, Any]], Content]] = {
    "index-pattern": DataView.opened, "search": Search.opened, "dashboard": Board.opened, "lens": Lens.opened, "map": Map.opened,
    "visualization": Vis.opened,
}  # fmt: skip


class Opened(msgspec.Struct, frozen=True):
    """An object whose shape is right; `name` is its `type/id`."""

    name: str
    envelope: Envelope
    references: dict[str, Reference]
    content: Content

    def said(self, path: str, what: str) -> str:
        """A line about something in it."""
        return f"{self.name} {path}: {what}"


Views: TypeAlias = Mapping[str, tuple[Kind, DataView]]
"""Data views of a file that are about our documents, by id."""


def name_of(one: SavedObject) -> str:
    """The `type/id` of an object, whatever it looks like."""
    return f"{one.get('type')}/{one.get('id')}"


def opened(objects: Iterable[SavedObject]) -> tuple[list[Opened], list[str]]:
    """Those whose shape is right, and what is wrong with the shape of others: a line each."""
    found: list[Opened] = []
    problems: list[str] = []
    for one in objects:
        try:
            found.append(_opened(one))
        except Misshapen as error:
            problems.append(f"{name_of(one)} {error}")
    return found, problems


def _opened(one: SavedObject) -> Opened:
    envelope: Envelope = shaped(Envelope, one, "")
    reader = _READERS.get(envelope.type)
    if reader is None:
        raise Misshapen(f"type: {envelope.type!r} is none of {', '.join(_READERS)}")
    return Opened(name_of(one), envelope, {each.name: each for each in envelope.references}, reader(envelope.attributes))


def views(found: Iterable[Opened]) -> Views:
    """The data views among them."""
    return dict(_views(found))


def _views(found: Iterable[Opened]) -> Iterator[tuple[str, tuple[Kind, DataView]]]:
    for one in found:
        if isinstance(one.content, DataView) and (kind := kind_of(one.content.title)):
            yield one.envelope.id, (kind, one.content)
