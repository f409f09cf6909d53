"""The types that our documents' fields are mapped to, and the types that each way of using a field accepts.

From the index templates that we put into a cluster. What strings become that no template names is not counted on: a field that is asked
for is mapped by name, or by a pattern of names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from pluginhost.alerts.template import Kind, home, template_of

__all__ = ["KINDS", "Need", "kind_of", "type_of", "unfit"]

KINDS: tuple[Kind, ...] = ("alerts", "states", "scores")
Need = Literal["values", "values or dates", "number", "number or date", "different values", "date", "place", "something to show",
               "something to sort by", "something to look for", "text", "something to compare", "something there",
               "values to choose from"]  # fmt: skip
"""What a field is used as."""

_NUMBERS = frozenset({"long", "float"})
_VALUES = _NUMBERS | {"keyword", "ip", "boolean"}
_DATED = _VALUES | {"date"}
_ACCEPTED: Mapping[Need, frozenset[str]] = MappingProxyType({
    "values": _VALUES, "values or dates": _DATED, "number": _NUMBERS, "number or date": _NUMBERS | {"date"}, "different values": _DATED,
    "date": frozenset({"date"}), "place": frozenset({"geo_point"}), "something to show": _DATED | {"text", "geo_point", "kept"},
    "something to sort by": _DATED, "something to look for": _DATED | {"text"}, "text": frozenset({"keyword", "text"}),
    "something to compare": _NUMBERS | {"date"}, "something there": _DATED | {"text", "geo_point"},
    "values to choose from": frozenset({"keyword", "ip", "boolean"}),
})  # fmt: skip
# `kept` is what is in a document and cannot be searched.

_SERVER = "8.19.0"


def kind_of(indices: str) -> Kind | None:
    """Which of our documents a pattern of indices is about; None if of none, or of more than one kind."""
    found = [kind for kind in KINDS if fnmatchcase(home(kind, "default").target, indices)]
    return found[0] if len(found) == 1 else None


def type_of(kind: Kind, field: str) -> str | None:
    """What a field is mapped to, None if it is not."""
    named, patterns = _mapped(kind)
    return named.get(field) or next((type_ for pattern, type_ in patterns if fnmatchcase(field, pattern)), None)


def unfit(kind: Kind, field: str, need: Need) -> str:
    """Why a field cannot be used so, "" if it can."""
    type_ = type_of(kind, field)
    if type_ is None:
        return f"{field or 'no field'} is not mapped in {kind}"
    return "" if type_ in _ACCEPTED[need] else f"{field} is mapped to {type_} in {kind}; needed: {need}"


@cache
def _mapped(kind: Kind) -> tuple[Mapping[str, str], tuple[tuple[str, str], ...]]:
    mappings = template_of(kind, _SERVER)["template"]["mappings"]
    patterns = (one for many in mappings.get("dynamic_templates", ()) for one in many.values() if "path_match" in one)
    return dict(_leaves(mappings["properties"], "")), tuple((one["path_match"], one["mapping"]["type"]) for one in patterns)


def _leaves(properties: Mapping[str, Any], within: str) -> Iterator[tuple[str, str]]:
    for name, spec in properties.items():
        yield from _leaves(spec.get("properties", {}), f"{within}{name}.")
        if "type" in spec and spec["type"] != "object":
            yield f"{within}{name}", "kept" if spec.get("index") is False else spec["type"]
        yield from _leaves(spec.get("fields", {}), f"{within}{name}.")
