"""A message of protobuf taken apart without being parsed: where its fields stand.

A parser makes objects of every part at once, twenty bytes and more for each two that a peer sends. Whoever reads many parts finds them
here first, counts them, and parses them one after another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["NESTED", "Field", "fields"]

NESTED: Final = 2
"""The wire type of messages, texts and bytes."""
_FIXED = {1: 8, 5: 4}


class Field(msgspec.Struct, frozen=True, gc=False):
    """A field with its number and wire type: it begins at `begin`, its content is `start:end`."""

    number: int
    kind: int
    begin: int
    start: int
    end: int


def fields(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """The fields of the message `data[start:end]`, in order; `ValueError` where it is none."""
    at, end = start, len(data) if end is None else end
    while at < end:
        begin = at
        key, at = _varint(data, at)
        kind = key & 7
        if kind == NESTED:
            size, at = _varint(data, at)
        elif kind == 0:
            size = _varint(data, at)[1] - at
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"a field of wire type {kind}")
        if at + size > end:
            raise ValueError("cut off")
        yield Field(key >> 3, kind, begin, at, at + size)
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("cut off")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("a number of more than 64 bits")
