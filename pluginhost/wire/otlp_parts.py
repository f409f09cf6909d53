"""A log record of OTLP between its form on the wire and ours: what both forms, protobuf and JSON, are read into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

__all__ = ["ABSENT", "Bad", "Entry", "Group", "instant"]

ABSENT: Final = object()
"""The body of a record that has none."""


class Entry(msgspec.Struct, gc=False):
    """One record. Times in ns, 0 where none is given; ids in hex; attributes and `body` as plain data, bytes among them."""

    time: int
    observed: int
    severity: int
    severity_text: str
    name: str
    trace: str
    span: str
    attributes: dict[str, Any]
    body: Any


class Bad(msgspec.Struct, gc=False):
    """What stands in the place of a record and is none."""

    reason: str
    raw: bytes


class Group(msgspec.Struct):
    """The records of one scope of one resource."""

    resource: dict[str, Any]
    scope_name: str
    scope: dict[str, Any]
    entries: Iterator[Entry | Bad]


def instant(ns: int) -> int:
    """`ns` if it is a time that we can hold, else 0."""
    return ns if 0 < ns < 1 << 63 else 0
