"""How a dotted field name finds its value in a record, nested and flat-dotted alike, without renaming anything.

`source.ip` is found in `{"source.ip": …}`, `{"source": {"ip": …}}` and any mixture; where a record has both, the longest
dotted key wins. Through lists of objects all values are collected. Missing (`MISSING`), null (`None`) and empty are three
things. Nothing here raises, whatever the record holds, and nothing recurses by the record's depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Protocol

__all__ = ["MISSING", "Document", "Fields", "Missing", "finder", "lookup", "text", "texts", "values"]


class Missing:
    """The type of `MISSING`; false, and never a value of a record."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""Says that a field is not there, as distinct from null."""


class Fields(Protocol):
    """Whatever can be asked for fields by name: an event, or an alert's document."""

    def get(self, field: str, default: Any = None, /) -> Any:
        """The value of `field`, or `default` if it is missing; null is `None`."""
        ...

    def values(self, field: str, /) -> tuple[Any, ...]:
        """The elements of `field`: none if it is missing or empty, one for a scalar or null."""
        ...

    def texts(self) -> tuple[str, ...]:
        """Every text and number of the whole, as text."""
        ...


def lookup(record: Mapping[str, Any], field: str, default: Any = MISSING) -> Any:
    """The value of `field` in `record`, or `default`. An object is found only where the record holds it as one."""
    value = record.get(field, MISSING)
    if value is not MISSING:
        return value
    if "." not in field:
        return default
    for head, rest in _splits(field):
        inner = record.get(head)
        if inner is None:
            continue
        if isinstance(inner, dict):
            found = inner.get(rest, MISSING)
            if found is MISSING and "." in rest:
                found = lookup(inner, rest)
        elif isinstance(inner, list):
            found = _collect(inner, rest)
        else:
            continue
        if found is not MISSING:
            return found
    return default


@lru_cache(maxsize=8192)
def finder(field: str) -> Callable[[Mapping[str, Any]], Any]:
    """The function of a record that looks `field` up, `MISSING` if it is not there: faster than `lookup` where it is nested as usual."""
    match field.split("."):
        case [_]:
            return lambda record: record.get(field, MISSING)
        case [head, name]:
            return _nested(field, head, name)
        case [head, middle, name]:
            return _nested_twice(field, head, middle, name)
    return lambda record: lookup(record, field)


def _nested(field: str, head: str, name: str) -> Callable[[Mapping[str, Any]], Any]:
    def find(record: Mapping[str, Any]) -> Any:
        value = record.get(field, MISSING)
        if value is not MISSING or (inner := record.get(head)) is None:
            return value
        return inner.get(name, MISSING) if inner.__class__ is dict else lookup(record, field)

    return find


def _nested_twice(field: str, head: str, middle: str, name: str) -> Callable[[Mapping[str, Any]], Any]:
    upper, lower = f"{head}.{middle}", f"{middle}.{name}"

    def find(record: Mapping[str, Any]) -> Any:
        if field not in record and upper not in record and (outer := record.get(head)).__class__ is dict and lower not in outer:
            inner = outer.get(middle)
            if inner is None or inner.__class__ is dict:
                return MISSING if inner is None else inner.get(name, MISSING)
        return lookup(record, field)

    return find


@lru_cache(maxsize=8192)
def _splits(field: str) -> tuple[tuple[str, str], ...]:
    """Every way to cut `field` at a dot, the longest head first."""
    return tuple((field[:at], field[at + 1 :]) for at in range(len(field) - 1, -1, -1) if field[at] == ".")


def _collect(items: list[Any], field: str) -> Any:
    found: list[Any] = []
    hit = False
    for item in values(items):
        value = lookup(item, field) if isinstance(item, dict) else MISSING
        if value is not MISSING:
            hit = True
            found.extend(value if isinstance(value, list) else (value,))
    return found if hit else MISSING


def values(value: Any) -> tuple[Any, ...]:
    """The elements of `value`, lists in lists flattened: `()` for `MISSING` and for an empty list, else one for a scalar."""
    if not isinstance(value, list):
        return () if value is MISSING else (value,)
    if not any(isinstance(item, list) for item in value):
        return tuple(value)
    found: list[Any] = []
    stack = value[::-1]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(reversed(item))
        else:
            found.append(item)
    return tuple(found)


def text(value: Any) -> str | None:
    """A scalar as text (`True` is "true", `4.0` is "4"); `None` for null, objects and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return str(int(value))
    return repr(value) if isinstance(value, (int, float)) else None


def texts(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Every scalar in `record`, at any depth, as text and in order; keys are not among them."""
    found: list[str] = []
    stack: list[Any] = [dict(record)]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack.extend(reversed(value.values()))
        elif isinstance(value, list):
            stack.extend(reversed(value))
        elif (scalar := text(value)) is not None:
            found.append(scalar)
    return tuple(found)


class Document:
    """An alert's document (or any other plain mapping) behind the same questions as an event."""

    __slots__ = ("_document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def __contains__(self, field: str) -> bool:
        return lookup(self._document, field) is not MISSING

    def get(self, field: str, default: Any = None, /) -> Any:
        """The value of `field`, or `default` if it is missing; null is `None`."""
        return lookup(self._document, field, default)

    def values(self, field: str, /) -> tuple[Any, ...]:
        """The elements of `field`: none if it is missing or empty, one for a scalar or null."""
        return values(lookup(self._document, field))

    def texts(self) -> tuple[str, ...]:
        """Every text and number of the document, as text."""
        return texts(self._document)
