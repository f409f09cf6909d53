"""Feeds bytes to a forward connection and tells what came of them, in a form that does not depend on how they were cut."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

from pluginhost.problem import PeerError
from pluginhost.wire import compression, records
from pluginhost.wire.chunk import Chunk, Columns
from pluginhost.wire.forward import COUNTERS, Connection, Limits

CAPTURES = Path(__file__).parents[1] / "conformance" / "forward_captures.jsonl"


@dataclass
class Told:
    """What a connection said: events as (tag, time, raw record, own metadata, group), parts refused, acks, why it closed."""

    events: list[tuple[str, int, bytes, bytes, bytes]] = field(default_factory=list)
    rejected: list[tuple[str, bytes]] = field(default_factory=list)
    acks: list[bytes] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    ended: bool = False
    closed: str = field(default="", compare=False)  # of several faults of one frame, the first to be seen depends on the cuts
    pending: int = 0

    def take(self, chunk: Chunk) -> None:
        metas = {meta.index: meta for meta in chunk.columns.metas}
        for index, (start, end, time) in enumerate(zip(chunk.columns.starts, chunk.columns.ends, chunk.columns.times, strict=True)):
            meta = metas.get(index)
            own, group = (chunk.data[meta.start : meta.end], chunk.data[meta.group_start : meta.group_end]) if meta else (b"", b"")
            self.events.append((chunk.tag, time, chunk.data[start:end], own, group))
            records.decode(chunk.codec, chunk.data[start:end])  # what is accepted can be read
        self.rejected += [(part.reason, chunk.data[part.start : part.end]) for part in chunk.rejected]

    def records(self) -> list[Any]:
        return [msgpack.unpackb(raw, strict_map_key=False, unicode_errors="backslashreplace") for _, _, raw, _, _ in self.events]


def tell(data: bytes, cuts: Iterable[int] = (), limits: Limits | None = None) -> tuple[Told, list[Chunk], dict[str, int]]:
    """What a connection makes of `data` when it comes in pieces that end at `cuts`; the chunks and counters too."""
    counts = dict.fromkeys(COUNTERS, 0)
    connection = Connection(limits or Limits(), counts)
    told, chunks = Told(), list[Chunk]()
    start = 0
    for cut in (*cuts, len(data)):
        connection.receive_data(data[start:cut])
        start = cut
        try:
            for frame in connection.frames():
                if frame.chunk:
                    told.take(frame.chunk)
                    chunks.append(frame.chunk)
                    replayed(frame.chunk)
                told.acks += [frame.ack] if frame.ack is not None else []
                told.signals += [frame.signal] if frame.signal else []
        except PeerError as error:
            told.ended, told.closed = True, error.reason
            return told, chunks, counts
    told.pending = connection.pending
    return told, chunks, counts


def replayed(chunk: Chunk) -> None:
    """Asserts what a replay from the journal relies on."""
    data = compression.unpack_leniently(chunk.packing, chunk.body, 1 << 32)[0] if chunk.packing else chunk.body
    assert data == chunk.data
    assert Columns.unpack(chunk.columns.pack()) == chunk.columns
    assert all(0 <= part.start <= part.end <= len(data) for part in chunk.rejected)


def every_byte(data: bytes) -> range:
    """Cuts after every byte."""
    return range(1, len(data))


def captures() -> Iterator[dict[str, Any]]:
    """The streams of real clients, with their `bytes` decoded."""
    for line in CAPTURES.read_text().splitlines():
        capture = json.loads(line)
        yield {**capture, "bytes": base64.b64decode(capture["bytes_b64"])}


def event_time(seconds: int, ns: int = 0) -> msgpack.ExtType:
    return msgpack.ExtType(0, struct.pack(">II", seconds, ns))


def pack(*values: Any) -> bytes:
    """The values in msgpack, one behind the other."""
    return b"".join(msgpack.packb(value, datetime=False) for value in values)
