"""One row of the journal, and its bytes on disk.

| bytes | what                                                                                |
|-------|-------------------------------------------------------------------------------------|
| 8     | mark: the random bytes of its segment, so that rows can be found again behind damage |
| 4     | crc32 of everything behind it                                                        |
| 4     | place in its batch, from 0: rows of one batch were synced together, or not at all    |
| 4 + 4 | length of the head, length of the body                                               |
|       | head: a msgpack array of the row's fields, `offset` and `arrival` among them         |
|       | body: as it came, never re-encoded                                                   |

All numbers are little-endian. Nothing here opens a file.
"""

from __future__ import annotations

import enum
import struct
from typing import BinaryIO
from zlib import crc32

import msgspec

from ..problem import Problem

__all__ = ["Kind", "Row", "pack", "unpack"]

_MARK = struct.Struct("<8sI")
_SIZES = struct.Struct("<III")
_FRAME = _MARK.size + _SIZES.size
_LARGEST = (1 << 32) - 1


class Kind(enum.IntEnum):
    """What a row is. What it does is the readers' business."""

    RECORDS = 1
    CHAINED = 2
    TABLE = 3
    TICK = 4
    CONTROL = 5


class Row(msgspec.Struct):
    """One row. The journal sets `offset` and `arrival` (ns, never going back); everything else is kept as given."""

    kind: Kind
    body: bytes
    offset: int = -1
    arrival: int = 0
    input: str = ""
    source: str = ""
    tag: str = ""
    chunk_id: bytes = b""
    codec: str = ""
    packing: str = ""
    count: int = 0
    columns: bytes = b""
    rejected: tuple[tuple[str, int, int], ...] = ()


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(
    tuple[Kind, int, int, str, str, str, bytes, str, str, int, bytes, tuple[tuple[str, int, int], ...]]
)


def pack(row: Row, mark: bytes, place: int) -> tuple[bytes, bytes]:
    """The row's bytes as two parts, so that the body is not copied; `ValueError` if it is too long for one row."""
    head = _ENCODER.encode((row.kind, row.offset, row.arrival, row.input, row.source, row.tag, row.chunk_id, row.codec, row.packing,
                            row.count, row.columns, row.rejected))  # fmt: skip
    if len(head) > _LARGEST or len(row.body) > _LARGEST:
        raise ValueError(f"a row's head and body stay below 4 GiB each, got {len(head)} and {len(row.body)} bytes")
    sizes = _SIZES.pack(place, len(head), len(row.body))
    return _MARK.pack(mark, crc32(row.body, crc32(head, crc32(sizes)))) + sizes + head, row.body


def unpack(file: BinaryIO, mark: bytes, room: int) -> tuple[Row, int, int] | None:
    """The row at the file's position with its place in its batch and its length; None where no whole row stands.

    `room` is how many bytes there may be: a length that says more is damage, and is never believed.
    """
    frame = file.read(_FRAME)
    if len(frame) < _FRAME or room < _FRAME:
        return None
    found, check = _MARK.unpack_from(frame)
    place, head_length, body_length = _SIZES.unpack_from(frame, _MARK.size)
    length = _FRAME + head_length + body_length
    if found != mark or length > room:
        return None
    head, body = file.read(head_length), file.read(body_length)
    if crc32(body, crc32(head, crc32(frame[_MARK.size :]))) != check:
        return None
    try:
        fields = _DECODER.decode(head)
    except msgspec.MsgspecError as error:  # the checksum holds, so nothing is damaged: it was written by other code
        raise Problem("journal.newer", f"a row of the journal was written by a newer version: {error}", where=str(file.name),
                      still="nothing was changed", todo="start the version that wrote it, or a newer one") from None  # fmt: skip
    return Row(fields[0], body, *fields[1:]), place, length
