"""What host and worker say to each other: length-prefixed msgpack messages over a socket pair. No process is started here."""

from __future__ import annotations

import struct
from typing import Any, TypeVar

import msgspec

from ..store.row import Row
from .items import Failure, Finding, Made, TableUpdate

__all__ = ["Committed", "Feed", "Framed", "FromWorker", "Part", "Ready", "Report", "Saved", "Stop", "ToWorker", "UnitCounts", "frame"]

_HEAD = struct.Struct(">I")
T = TypeVar("T")


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A row for a worker: all of it, or the records at `chosen` with their key columns."""

    row: Row
    chosen: list[int] | None = None
    keys: list[tuple[tuple[str, ...], list[bytes | None]]] | None = None


class Feed(msgspec.Struct, frozen=True, tag=True):
    """Rows in journal order."""

    parts: list[Part]


class Committed(msgspec.Struct, frozen=True, tag=True):
    """Everything of this shard below `offset` is in the desk's database: a checkpoint may go so far."""

    offset: int


class Stop(msgspec.Struct, frozen=True, tag=True):
    """Save what can be saved, now that everything below `committed` is in the desk's database, and exit."""

    committed: int


class UnitCounts(msgspec.Struct, frozen=True, array_like=True):
    """The counters of one analyzer in this worker, since it started; `keys` is how many keys it remembers now, `most` how many it may."""

    seen: int
    fired: int
    failed: int
    unkeyed: int
    evicted: int
    keys: int
    most: int = 0


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker's first word: where it wants to be fed from, and the generation it has loaded."""

    position: int
    generation: int


class Report(msgspec.Struct, frozen=True, tag=True):
    """What came of all rows below `position`, in journal order."""

    position: int
    findings: list[Finding]
    chained: list[Made]
    tables: list[TableUpdate]
    failures: list[Failure]
    counts: dict[str, UnitCounts]
    records: int


class Saved(msgspec.Struct, frozen=True, tag=True):
    """A checkpoint was written: a restart begins at `position`, with `generation`."""

    position: int
    generation: int


ToWorker = Feed | Committed | Stop
FromWorker = Ready | Report | Saved

_encode = msgspec.msgpack.Encoder().encode


def frame(message: Any) -> bytes:
    """The bytes of a message behind its length."""
    body = _encode(message)
    return _HEAD.pack(len(body)) + body


class Framed:
    """Bytes → messages of one direction: `receive` what came, then iterate over what is complete."""

    def __init__(self, kind: Any) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Any]:
        """The messages that are complete with `data`."""
        buffer = self._buffer
        buffer += data
        messages, at = [], 0
        while len(buffer) - at >= 4:
            (length,) = _HEAD.unpack_from(buffer, at)
            if len(buffer) - at - 4 < length:
                break
            messages.append(self._decode(memoryview(buffer)[at + 4 : at + 4 + length].tobytes()))
            at += 4 + length
        del buffer[:at]
        return messages
