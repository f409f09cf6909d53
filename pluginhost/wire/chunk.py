"""A chunk: one body as a shipper sent it, and where in it the good records stand.

`wire` validates a body once, before the journal; nobody behind it validates again. The body is kept as received and
never re-encoded: a record is a slice of it, found by bounds. Everything here is plain data.

A record slice is read by the chunk's `codec`:

| codec     | the slice is                                                                     |
|-----------|----------------------------------------------------------------------------------|
| `msgpack` | one msgpack map                                                                  |
| `json`    | one JSON object                                                                  |
| `line`    | one line of text: a JSON object if it parses as one, else `{"message": line}`     |
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

__all__ = ["Chunk", "Columns", "Meta", "Rejection"]


class Meta(msgspec.Struct, frozen=True, array_like=True):
    """Bounds in the data of what a shipper said about record `index` beside the record itself; 0, 0 where absent.

    `start:end` is the entry's own metadata map; `group_start:group_end` is the whole group header entry
    `[[time, metadata], record]` of Fluent Bit under which the record stood.
    """

    index: int
    start: int = 0
    end: int = 0
    group_start: int = 0
    group_end: int = 0


class Rejection(msgspec.Struct, frozen=True, array_like=True):
    """A part of the data that can never be accepted: its bounds and why (a counter's label)."""

    reason: str
    start: int
    end: int


class Columns(msgspec.Struct, frozen=True):
    """Where the records stand: record i is `data[starts[i]:ends[i]]`, its event time `times[i]` in ns UTC.

    A time of 0 means "the arrival time". `array` typecodes: bounds `I` (so data stay below 4 GiB), times `q`.
    """

    starts: array[int]
    ends: array[int]
    times: array[int]
    metas: tuple[Meta, ...] = ()

    def __len__(self) -> int:
        return len(self.starts)

    def pack(self) -> bytes:
        """The columns as bytes for the journal; `unpack` gives them back."""
        return _ENCODER.encode((self.starts.tobytes(), self.ends.tobytes(), self.times.tobytes(), self.metas))

    @classmethod
    def unpack(cls, packed: bytes) -> Columns:
        """The columns that `pack` made bytes of."""
        starts, ends, times, metas = _DECODER.decode(packed)
        return cls(array("I", starts), array("I", ends), array("q", times), metas)

    @classmethod
    def of(cls, bounds: Sequence[tuple[int, int]], times: Sequence[int] | None = None, metas: Sequence[Meta] = ()) -> Columns:
        """Columns from (start, end) pairs; without `times` every record gets the arrival time."""
        return cls(
            array("I", [start for start, _ in bounds]),
            array("I", [end for _, end in bounds]),
            array("q", times if times is not None else bytes(8 * len(bounds))),
            tuple(metas),
        )


class Chunk(msgspec.Struct, frozen=True):
    """What an input hands on: `body` as received, `data` the same unpacked (`body` itself where `packing` is "").

    `chunk_id` is the shipper's own id of this body as msgpack bytes (b"" where it gave none). `rejected` parts go to
    the dead letters; a chunk may consist of nothing else.
    """

    tag: str
    codec: str
    body: bytes
    data: bytes
    columns: Columns
    packing: str = ""
    chunk_id: bytes = b""
    rejected: tuple[Rejection, ...] = ()

    @property
    def count(self) -> int:
        """How many good records it holds."""
        return len(self.columns)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes, tuple[Meta, ...]])
