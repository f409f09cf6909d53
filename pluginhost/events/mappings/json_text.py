"""Records that a shipper left as JSON text in the message of another, as containers and file tails do: read by what is inside.

The text is decoded once, when the first field is asked for; the last few are kept for the others. What neither the record inside
nor an alias in it says may still be said by the record around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec

from ...wire.records import decode
from ..aliases import alias, message
from ..fields import MISSING
from ..mapping import Example, Line, Mapping, Reading, Record

__all__ = ["decoded", "texted"]

_KEPT = 4
_TEXT = msgspec.json.Decoder(str)


def decoded(text: str) -> Record | None:
    """The record that `text` spells in JSON, also where it is JSON text inside a JSON string; `None` if it spells none."""
    raw = text.encode("utf-8", "surrogatepass").strip()
    try:
        if raw[:1] == b'"':
            raw = _TEXT.decode(raw).encode().strip()
        return decode("json", raw) if raw[:1] == b"{" else None
    except ValueError:
        return None


def texted(name: str, description: str, holds: str | tuple[str, ...], kinds: Iterable[Mapping]) -> Mapping:
    """The mapping of records whose message is the JSON text of a record of one of `kinds`, and holds the text (or one of) `holds`.

    Each of the kinds says what it gives; its first example, as text, is one of this mapping.
    """
    kinds = tuple(kinds)

    @lru_cache(maxsize=_KEPT)
    def opened(line: str) -> tuple[Record, Reading] | None:
        inner = decoded(line)
        if inner is None:
            return None
        for kind in kinds:
            if kind.shape(inner) and (found := {} if kind.extract is None else kind.extract(inner)) is not None:
                return inner, Reading(kind, found)
        return None

    def reader(field: str) -> Callable[[Record], Any]:
        def read(record: Record) -> Any:
            found = opened(message(record))
            value = MISSING if found is None else found[1].get(found[0], field)
            return alias(record, field) if value is MISSING else value

        return read

    def extract(record: Record) -> dict[str, Any] | None:
        return None if opened(message(record)) is None else {}

    fields = frozenset[str]().union(*(kind.gives or () for kind in kinds))
    examples = tuple(_example(kind, kind.examples[0]) for kind in kinds)
    return Mapping(name, description, Line(holds=holds), extract=extract, read={field: reader(field) for field in sorted(fields)},
                   reads=(), gives=fields, examples=examples)  # fmt: skip


def _example(kind: Mapping, one: Example) -> Example:
    expected = {field: value for field, value in one.expected.items() if field in (kind.gives or ())}
    return Example(msgspec.json.encode(one.record).decode(), expected, one.absent)
