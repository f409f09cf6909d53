"""What host and worker say to each other: length-prefixed msgpack messages over a socket pair. No process is started here.

A worker that is one of several gets packed rows: only its own records, so that what travels does not grow with the workers.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from ..events.slice import Batch, Keys
from ..store.row import Kind, Row
from ..wire.chunk import Columns, Meta
from .items import Failure, Finding, Made, PlanCost, Point, TableUpdate

__all__ = ["Committed", "Feed", "Framed", "FromWorker", "Part", "Ready", "Report", "Saved", "Stop", "ToWorker", "UnitCounts", "frame",
           "packed"]  # fmt: skip

_HEAD = struct.Struct(">I")
T = TypeVar("T")


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A row for a worker: as it is, or packed; then `chosen` are the numbers its records have in the journal, `keys` their key columns.

    `count` is how many of the row's records count as analysed here: over all workers each is one, whether nobody wants it or two get it.
    """

    row: Row
    count: int = 0
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
    """The counters of one analyzer in this worker, since it started; `keys` is how many keys it remembers now, `most` how many it may,
    `unjudged` how many events it could not judge, by reason."""

    seen: int
    fired: int
    failed: int
    unkeyed: int
    evicted: int
    keys: int
    most: int = 0
    unjudged: dict[str, int] = {}


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The worker's first word: where it wants to be fed from, and the generation it has loaded."""

    position: int
    generation: int


class Report(msgspec.Struct, frozen=True, tag=True):
    """What came of all rows below `position`, in journal order; the counters that have changed, and what records cost so far."""

    position: int
    findings: list[Finding]
    chained: list[Made]
    tables: list[TableUpdate]
    failures: list[Failure]
    counts: dict[str, UnitCounts]
    records: int
    costs: list[PlanCost] = []
    scores: list[Point] = []


class Saved(msgspec.Struct, frozen=True, tag=True):
    """A checkpoint was written: a restart begins at `position`, with `generation`."""

    position: int
    generation: int


ToWorker = Feed | Committed | Stop
FromWorker = Ready | Report | Saved

_encode = msgspec.msgpack.Encoder().encode


def packed(row: Row, batch: Batch, chosen: list[int], keys: Keys, count: int) -> Part:
    """The part of a row of records with those at `chosen` only; `batch` is all of it. A chained row is one record, and stays as it is."""
    bare = Row(row.kind, b"", row.offset, row.arrival, row.input, row.source, row.tag, codec=row.codec, count=len(chosen))
    if row.kind == Kind.CHAINED and chosen:
        bare.body, bare.chunk_id = row.body, row.chunk_id
    elif chosen:
        bare.body, bare.columns = _gathered(batch, chosen)
    return Part(bare, count, chosen, list(keys.items()))


def _gathered(batch: Batch, chosen: Sequence[int]) -> tuple[bytes, bytes]:
    """(the slices of some records one behind another, with what was said beside them behind all; the columns that find them there)."""
    data, starts, ends, times = batch.data, batch.starts, batch.ends, batch.times
    pieces = [data[starts[place] : ends[place]] for place in chosen]
    bounds = array("I", accumulate(map(len, pieces), initial=0))
    metas = _moved(batch, chosen, pieces, bounds[-1]) if batch.metas else ()
    return b"".join(pieces), Columns(bounds[:-1], bounds[1:], array("q", [times[place] for place in chosen]), metas).pack()


def _moved(batch: Batch, chosen: Sequence[int], pieces: list[bytes], at: int) -> tuple[Meta, ...]:
    """The metas of some records, their bytes put behind `pieces`, each once: a group's header is that of many records."""
    places: dict[tuple[int, int], tuple[int, int]] = {(0, 0): (0, 0)}

    def moved(bounds: tuple[int, int]) -> tuple[int, int]:
        nonlocal at
        if bounds not in places:
            pieces.append(batch.data[bounds[0] : bounds[1]])
            places[bounds] = at, at + len(pieces[-1])
            at += len(pieces[-1])
        return places[bounds]

    found = ((index, meta) for index in chosen if (meta := (batch.metas or {}).get(index)) is not None)
    return tuple(Meta(index, *moved((meta.start, meta.end)), *moved((meta.group_start, meta.group_end))) for index, meta in found)


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
