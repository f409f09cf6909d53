"""Parts are found by entry point, built-in ones like foreign ones: `pluginhost.inputs`, `.outputs`, `.mappings`, `.analyzers`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..events.mapping import Mappings
from ..options import close
from ..problem import Problem

__all__ = ["find", "mappings", "names"]


def names(group: str) -> list[str]:
    """The names of all parts of a group, sorted."""
    return sorted({one.name for one in entry_points(group=f"pluginhost.{group}")})


def find(group: str, name: str, at: str = "") -> Any:
    """The part `name` of a group; a `Problem` that names the nearest one if there is none, or if it cannot be imported."""
    found: EntryPoint | None = next(iter(entry_points(group=f"pluginhost.{group}", name=name)), None)
    if found is None:
        raise Problem("part.unknown", f"{at or name}: there is no {group[:-1]} `{name}`", todo=close(name, names(group)))
    return _loaded(group, found)


def _loaded(group: str, found: EntryPoint) -> Any:
    try:
        return found.load()
    except ImportError as error:
        raise Problem("part.import", f"the {group[:-1]} `{found.name}` cannot be imported: {error}",
                      todo=f"install what {found.value} needs") from None  # fmt: skip


def mappings() -> Mappings:
    """All mappings, in the order of their entry points' names; looked up at once, for each look reads what is told of every package."""
    found = {one.name: one for one in reversed(tuple(entry_points(group="pluginhost.mappings")))}  # of one name the first, as `find` does
    return Mappings(tuple(one for name in sorted(found) for one in _loaded("mappings", found[name])))
