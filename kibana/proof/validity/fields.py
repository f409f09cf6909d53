"""Whether the fields that a file asks for are there: in the mapping, with a type that takes the use, and in some document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pluginhost.alerts.template import Kind

from .contents import Opened, Views
from .mapping import KINDS, type_of, unfit
from .shapes import DataView
from .uses import Use, uses

__all__ = ["absent_fields", "fields"]

Documents = Mapping[Kind, Iterable[Mapping[str, Any]]]
"""Documents of each kind, as they are indexed."""


def fields(found: Sequence[Opened], views: Views) -> Iterator[str]:
    """What is wrong with the use of fields."""
    for use in uses(found, views):
        if wrong := use.wrong or unfit(use.kind, use.field, use.need):
            yield use.one.said(use.path, wrong)
    yield from _twins(found)


def _twins(found: Sequence[Opened]) -> Iterator[str]:
    """Data views that are the same but for their id: one of them has lost its time, or is one too many."""
    seen: dict[tuple[str, str], str] = {}
    for one in found:
        if isinstance(one.content, DataView):
            other = seen.setdefault((one.content.title, one.content.time), one.name)
            if other != one.name:
                yield one.said("timeFieldName", f"is that of {other}, which has the same indices")


def absent_fields(found: Sequence[Opened], views: Views, documents: Documents) -> list[str]:
    """The uses of fields that no document has, one line for each field and object."""
    there = {kind: {field for one in documents.get(kind, ()) for field in _paths(one, "")} for kind in KINDS}
    lacking = {(use.one.name, use.field, use.kind): use for use in uses(found, views) if use.field and not _has(use, there)}
    return [use.one.said(use.path, f"no document of {use.kind} has {use.field}") for use in lacking.values()]


def _has(use: Use, there: Mapping[Kind, set[str]]) -> bool:
    """Whether a document has it, or the field that it is a second form of: a text's own keyword."""
    whole = use.field.rpartition(".")[0]
    return use.field in there[use.kind] or (type_of(use.kind, whole) == "text" and whole in there[use.kind])


def _paths(value: Any, within: str) -> Iterator[str]:
    """The dotted names of what a document holds; null is nothing."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _paths(one, f"{within}.{name}" if within else str(name))
        if within:
            yield within
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, within)
    elif value is not None:
        yield within
