"""Where an object is looked at: in which product, over which time, among which other objects; and what follows for every request.

Nothing is guessed: what is not understood here, or not used by us, is a `MeaningError`, so that no part of an object stays unasked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from pluginhost.alerts.template import Kind, home, template_of

from ..kql import dsl
from ..saved import SavedObject
from .answers import Answer
from .intervals import Span, iso

__all__ = ["MeaningError", "Product", "Question", "Reply", "Setting", "View", "inner", "unit_of", "units"]

Product = Literal["kibana", "dashboards"]
Reply = dict[str, Any]
"""What a server answers to one search."""
_KINDS: tuple[Kind, ...] = ("alerts", "scores", "states")
_UNITS = {"duration": "seconds", "bytes": "bytes", "percent": "percent", "date": "date"}


class MeaningError(ValueError):
    """Something in an object that is not turned into a request."""


class Question(msgspec.Struct, frozen=True):
    """What a product asks to show an object, and how it reads the replies, of which there is one for each request."""

    object: str
    title: str
    requests: tuple[dict[str, Any], ...]
    read: Callable[[Sequence[Reply]], Answer]

    def answered(self, replies: Sequence[Reply]) -> Answer:
        """What there is to see, with what was asked."""
        return msgspec.structs.replace(self.read(replies), asked=list(self.requests))


class View(msgspec.Struct, frozen=True):
    """A data view as requests need it: indices, field of time ("" without), units by field."""

    pattern: str
    time: str
    units: Mapping[str, str]


class Setting(msgspec.Struct, frozen=True):
    """The objects of a file by type and id, the product, and the time that its dashboard opens with."""

    objects: Mapping[tuple[str, str], SavedObject]
    product: Product
    span: Span

    def view(self, holder: SavedObject, name: str) -> View:
        """The data view that is called `name` inside `holder`."""
        attributes = self.referred(holder, name)["attributes"]
        formats = inner(attributes, "fieldFormatMap") if attributes.get("fieldFormatMap") else {}
        return View(attributes["title"], attributes.get("timeFieldName", ""), {field: unit_of(one) for field, one in formats.items()})

    def referred(self, holder: SavedObject, name: str) -> SavedObject:
        """The object that is called `name` inside `holder`."""
        for one in holder["references"]:
            if one["name"] == name and (one["type"], one["id"]) in self.objects:
                return self.objects[one["type"], one["id"]]
        raise MeaningError(f"{holder['type']}/{holder['id']}: nothing is called {name!r}")

    def condition(self, view: View, query: Mapping[str, Any]) -> dict[str, Any]:
        """The query of a condition such as `{"query": "a: b", "language": "kuery"}`; its `now` is the end of the span."""
        if query.get("language") != "kuery":
            raise MeaningError(f"a condition in {query.get('language')!r}")
        made: dict[str, Any] = self.dated(dsl(query["query"], self._mapped(view.pattern)))
        return made

    def query(self, view: View, *conditions: Mapping[str, Any], also: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """The query of a request: its conditions, in the time that is looked at."""
        asked = [self.condition(view, one) for one in conditions if one["query"]]
        time = [self.span.range(view.time)] if view.time else []
        return {"bool": {"must": [], "filter": [*asked, *also, *time], "should": [], "must_not": []}}

    def source(self, holder: SavedObject) -> tuple[View, dict[str, Any]]:
        """The data view and the condition of a search or a classic visualization."""
        told = inner(holder["attributes"]["kibanaSavedObjectMeta"], "searchSourceJSON")
        if told.get("filter"):
            raise MeaningError(f"{holder['type']}/{holder['id']}: filters beside its query")
        return self.view(holder, told["indexRefName"]), told["query"]

    def dated(self, node: Any, within: str = "") -> Any:
        """A query whose `now` is the end of the span: a server knows that by its own clock only, but counts from any moment."""
        if isinstance(node, dict):
            return {name: self.dated(one, within or (name if name == "range" else "")) for name, one in node.items()}
        if isinstance(node, list):
            return [self.dated(one, within) for one in node]
        return f"{iso(self.span.end)}||{node[3:]}" if within and isinstance(node, str) and node.startswith("now") else node

    def _mapped(self, pattern: str) -> Mapping[str, str]:
        types = _types(pattern)
        return types if self.product == "kibana" else {field: kind for field, kind in types.items() if kind != "keyword"}


def inner(attributes: Mapping[str, Any], name: str) -> Any:
    """The JSON in a text attribute."""
    return json.loads(attributes[name])


def unit_of(told: Mapping[str, Any]) -> str:
    """The unit of an answer by the format in which a product shows it, "" if it is a plain number."""
    spanned = told.get("id") == "number" and ":" in str(told.get("params", {}).get("pattern", ""))
    return "seconds" if spanned else _UNITS.get(told.get("id", ""), "")


def units(fields: Sequence[str], view: View) -> list[str]:
    """The units of fields as a data view has them; times are dates."""
    types = _types(view.pattern)
    return [view.units.get(field) or ("date" if types.get(field) == "date" else "") for field in fields]


@cache
def _types(pattern: str) -> dict[str, str]:
    """Types by field of what our template for those indices maps."""
    kind = next((one for one in _KINDS if home(one, "*").target == pattern), None)
    if kind is None:
        raise MeaningError(f"{pattern}: no indices of ours")
    return dict(_leaves("", template_of(kind, "9.0.0")["template"]["mappings"]["properties"]))


def _leaves(prefix: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, spec in properties.items():
        if "properties" in spec:
            yield from _leaves(f"{prefix}{name}.", spec["properties"])
        elif "type" in spec:
            yield f"{prefix}{name}", spec["type"]
