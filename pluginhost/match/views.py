"""What a leaf compares: a field's values as its reading sees them. Whatever cannot be read so is left out, never an error.

Compiled predicates call these on the record path; they hold no operands and no query language.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..events.address import packed
from ..events.fields import text
from ..events.fields import values as elements
from .analysis import tokens
from .dates import moment

__all__ = ["address", "addresses", "analysed", "bare", "dates", "exact", "folded", "number", "numbers", "objects", "present", "vacant"]

_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d{0,300})?|\.\d{1,300})(?:[eE][+-]?\d{1,3})?", re.ASCII)
_IPV4_MAPPED = bytes(10) + b"\xff\xff"


def exact(values: Iterable[Any]) -> list[str]:
    """The values as text, numbers and truth values by theirs."""
    return [found for value in values if (found := value if value.__class__ is str else text(value)) is not None]


def bare(value: Any) -> str | list[str]:
    """The text of a field whose value is a list of one text, else its texts."""
    if isinstance(value, list) and len(value) == 1 and value[0].__class__ is str:
        return value[0]
    return exact(elements(value))


def folded(values: Iterable[Any]) -> list[str]:
    """The values as lower-case text."""
    return [value.lower() for value in exact(values)]


def analysed(values: Iterable[Any]) -> list[list[str]]:
    """The tokens of each value that is text."""
    return [tokens(value) for value in exact(values)]


def number(value: Any) -> int | float | None:
    """`value`, or the number that its text says, finite; None if there is none."""
    if value.__class__ is int:
        return value
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return None
        value = int(value) if value.lstrip("+-").isdigit() else float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def numbers(values: Iterable[Any]) -> list[int | float]:
    """The values that are numbers."""
    return [found for value in values if (found := number(value)) is not None]


def dates(values: Iterable[Any]) -> list[int]:
    """The values that are dates, in ns."""
    return [found for value in values if (found := moment(value)) is not None]


def address(value: Any) -> bytes | None:
    """The address as 16 bytes, IPv4 in its mapped form: one order over all of them."""
    if not isinstance(value, str):
        return None
    found = packed(value)
    return _IPV4_MAPPED + found if found is not None and len(found) == 4 else found


def addresses(values: Iterable[Any]) -> list[bytes]:
    """The values that are addresses."""
    return [found for value in values if (found := address(value)) is not None]


def present(values: Sequence[Any]) -> bool:
    """Whether there is a value: null and an empty list are none, "" is one, an object has one if anything in it is."""
    return any(_present(value) for value in values)


def _present(value: Any) -> bool:
    if isinstance(value, Mapping):
        return present(tuple(value.values()))
    if isinstance(value, (list, tuple)):
        return present(value)
    return value is not None


def vacant(whole: Any, values: Sequence[Any]) -> bool:
    """Whether the field, or an element of it, is "", [] or {}."""
    return any(isinstance(value, (str, list, tuple, Mapping)) and not value for value in (whole, *values))


def objects(whole: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list of objects, lists in lists flattened; a single object is a list of one."""
    if isinstance(whole, Mapping):
        yield whole
    elif isinstance(whole, (list, tuple)):
        for element in whole:
            yield from objects(element)
