"""What the mappings of sources that name their events have in common: tables from such names to ECS, and careful readings of values.

A source says `user.lifecycle.create`, `CREATE_USER` or 4720, and means the same. Its mapping holds one table of what each name
means, and reads the rest field by field. Which sources there are, and where each keeps its values, is theirs to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..aliases import first
from ..fields import MISSING, text, values
from ..frozen import frozen
from ..mapping import Record

__all__ = ["OF_A_KIND", "Found", "Read", "choice", "deep", "given", "kind", "kinds", "moved", "number", "one_of", "point"]

Found = dict[str, Any]
Read = Callable[[Record], Any]

_FIELDS = ("event.category", "event.type", "event.action", "event.outcome")
OF_A_KIND = frozenset(_FIELDS)
"""What `kind` may say."""

_NOTHING = (None, "", "-")


def kind(told: str) -> Found:
    """What a kind of event is by ECS names, frozen and for reading only: `category type,type [action [outcome]]`, `-` for none."""
    found: Found = {}
    for field, said in zip(_FIELDS, told.split(), strict=False):
        if said != "-":
            found[field] = frozen(said.split(",")) if field in _FIELDS[:2] else said
    return found


def kinds(table: Mapping[str, str]) -> dict[str, Found]:
    """The kind by name, of a table from `kind`'s words to the names that mean it, separated by ` | `."""
    return {name: found for told, names in table.items() for found in (kind(told),) for name in names.split(" | ")}


def given(value: Any) -> Any:
    """`value`, or `MISSING` where it is an object or one of the ways to say that there is none: null, "" and "-"."""
    return MISSING if isinstance(value, dict) or value in _NOTHING else value


def deep(*keys: str) -> Read:
    """Reads what stands under `keys`, one within the other; cheaper than a path where a source always nests so."""

    def read(record: Record) -> Any:
        value: Any = record
        for key in keys:
            if not isinstance(value, dict):
                return MISSING
            value = value.get(key)
        return given(value)

    return read


def choice(table: Mapping[Any, Any], value: Any) -> Any:
    """What `table` has for `value`, whatever that is; `MISSING` if nothing."""
    return table.get(value, MISSING) if isinstance(value, (str, int)) else MISSING


def number(value: Any) -> int | None:
    """`value` as a whole number: it is one, or its text (decimal, or hexadecimal after `0x`); `None` if not."""
    if isinstance(value, str) and value.isascii() and len(value) <= 20:
        if value.isdigit():
            return int(value)
        digits = value[2:] if value[:2] in ("0x", "0X") else ""
        return int(digits, 16) if digits.isalnum() and digits.lower().strip("0123456789abcdef") == "" else None
    return value if type(value) is int else None


def one_of(items: Any, key: str, *wanted: str) -> Mapping[str, Any]:
    """The first object in the list `items` whose `key` is one of `wanted`; an empty one if there is none."""
    return next((item for item in values(items) if isinstance(item, dict) and text(item.get(key)) in wanted), {})


def point(lat: Any, lon: Any) -> Any:
    """The place `{lat, lon}`, in degrees, or `MISSING` if one of them is none; 0 is a place like any other."""
    told = [_degrees(lat, 90), _degrees(lon, 180)]
    return MISSING if None in told else {"lat": told[0], "lon": told[1]}


def _degrees(value: Any, limit: int) -> float | None:
    if isinstance(value, str) and len(value) <= 32:
        try:
            value = float(value)
        except ValueError:
            return None
    return value if type(value) in (int, float) and math.isfinite(value) and -limit <= value <= limit else None


def moved(inner: Callable[[Record], Record], paths: Mapping[str, tuple[str, ...]], read: Mapping[str, Read]) -> dict[str, Read]:
    """The same readings for records that hold the event within, where `inner` finds it."""
    found = {field: _along(inner, field, ways) for field, ways in paths.items()}
    return found | {field: _through(inner, function) for field, function in read.items()}


def _along(inner: Callable[[Record], Record], field: str, ways: tuple[str, ...]) -> Read:
    return lambda record: first(inner(record), field, ways)


def _through(inner: Callable[[Record], Record], function: Read) -> Read:
    return lambda record: function(inner(record))
