"""Only some fields of a record: what nobody asks for is passed over undecoded.

A projection equals `wire.records.decode` for the keys it names: what is odd about a record makes the fast way refuse it, and it is
decoded whole. Names are keys at the record's top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..wire.records import ORDINARY, reader
from .fields import MISSING

__all__ = ["CODECS", "projection"]

CODECS = {"msgpack": msgspec.msgpack.Decoder, "json": msgspec.json.Decoder}
"""The codecs whose slices can be read in part."""


def projection(names: Sequence[str], codec: str) -> tuple[Callable[[bytes], Any], Callable[[bytes], Any]]:
    """(the fast way, the way for what it refuses with a `ValueError` or `RecursionError`).

    Both give an object with the value of the key `names[n]` as its attribute `g<n>`, `MISSING` where it is not there; the second
    raises `ValueError` if the slice is no record.
    """
    fields = [(f"g{n}", ORDINARY, MISSING) for n in range(len(names))]
    rename = {f"g{n}": name for n, name in enumerate(names)}
    made: Any = msgspec.defstruct("Projection", fields, rename=rename, gc=False)
    whole = reader(codec)

    def odd(raw: bytes) -> Any:
        record = whole(raw)
        return made(*(record.get(name, MISSING) for name in names))

    return CODECS[codec](made).decode, odd
