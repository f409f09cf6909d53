"""A journal row → the items of a shard: slices with their keys, ticks, table updates.

Every row means the same to every shard and every replay. A time further ahead of the arrival than `FUTURE` counts as the
arrival. With one shard nothing needs to be read here; with several the keys that loaded analyzers declare are read once,
in the host, and travel with the slice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from zlib import crc32

import msgspec

from ..events.event import Event
from ..events.keys import key_bytes, key_group, shard
from ..events.mapping import Mappings
from ..events.slice import Batch, Keys, Slice
from ..options import Duration
from ..store.letters import Letter
from ..store.row import Kind, Row
from ..wire.chunk import Columns
from ..wire.compression import unpack_leniently
from .items import Item, Made, TableUpdate, Tick
from .unit import pack

__all__ = ["FUTURE", "Control", "Routes", "chained_row", "control_of", "control_row", "items", "made_id", "rejected", "skipped",
           "slices", "table_row", "tick_row"]  # fmt: skip

FUTURE = Duration.of("5m").ns
LETTER = 64 << 10
_ROUTED = 64  # rows whose routes are kept until the last shard has asked for them
_LIMIT = 1 << 32  # what wire let pass fits: the row was validated under the limits of its day


class Chained(msgspec.Struct, frozen=True):
    """The head of a chained row, in its `chunk_id`: the record's id, its time (ns), how often it was derived, and by whom."""

    id: str
    time: int
    hop: int
    analyzer: str


class Control(msgspec.Struct, frozen=True):
    """The body of a control row: the generation that takes effect here, and the analyzers whose state is given up.

    `skip` (analyzer, offset, index) is a call that ended a worker twice and is never made again; it holds for every replay, so
    workers are told of it before they begin; an index of -1 is every call from that row to this one. Analyzers in `quarantine` are
    not called from here on, until a row's `release`.
    """

    swap: int | None = None
    reset: tuple[str, ...] = ()
    skip: tuple[str, int, int] | None = None
    quarantine: tuple[str, ...] = ()
    release: tuple[str, ...] = ()


_control = msgspec.msgpack.Decoder(Control)
_chained = msgspec.msgpack.Decoder(Chained)
_table = msgspec.msgpack.Decoder(TableUpdate)
_tick = msgspec.msgpack.Decoder(Tick)


def items(row: Row, chosen: Sequence[int] | None = None, keys: Keys | None = None) -> list[Item]:
    """What the row holds for a shard: all its records as one batch, or those at the indices `chosen` with their keys."""
    if row.kind == Kind.RECORDS:
        return [_records(row, chosen, keys)]
    if row.kind == Kind.CHAINED:
        return [] if chosen is not None and not chosen else [_derived(row, keys)]
    if row.kind == Kind.TABLE:
        return [_table.decode(row.body)]
    if row.kind == Kind.TICK:
        return [msgspec.structs.replace(_tick.decode(row.body), offset=row.offset, arrival=row.arrival)]
    return []


def slices(row: Row) -> list[Slice]:
    """The records of a row, one by one."""
    return [item.slice(place) for item in items(row) if isinstance(item, Batch) for place in range(len(item))]


def _records(row: Row, chosen: Sequence[int] | None, keys: Keys | None) -> Batch:
    columns = Columns.unpack(row.columns)
    starts: Sequence[int] = columns.starts
    ends: Sequence[int] = columns.ends
    times: Sequence[int] = columns.times
    if chosen is not None:
        starts, ends, times = ([column[index] for index in chosen] for column in (starts, ends, times))
    metas = {meta.index: meta for meta in columns.metas} if columns.metas else None
    return Batch(row.offset, row.arrival, row.arrival + FUTURE, row.tag, row.codec, row.input, row.source, _data(row), starts, ends, times,
                 range(len(starts)) if chosen is None else chosen, keys, metas)  # fmt: skip


def _derived(row: Row, keys: Keys | None) -> Batch:
    head = _chained.decode(row.chunk_id)
    return Batch(row.offset, row.arrival, head.time, row.tag, "msgpack", row.input, row.source, row.body, (0,), (len(row.body),),
                 (head.time,), (0,), keys, id=head.id, hop=head.hop)  # fmt: skip


def _data(row: Row) -> bytes:
    """The row's body unpacked; a damaged tail was cut off when the row was accepted, and is again."""
    return unpack_leniently(row.packing, row.body, _LIMIT)[0] if row.packing else row.body


class Routes:
    """Which shards a record goes to: those that own one of its keys. `keys` are the keys that loaded analyzers declare."""

    def __init__(self, keys: Collection[tuple[str, ...]], pinned: Collection[str], keyless: bool, mappings: Mappings, shards: int) -> None:
        self._keys, self._mappings, self._shards = sorted(keys), mappings, shards
        self._always = {shard(crc32(name.encode()) & 255, shards) for name in pinned}
        self._by_content = keyless or bool(keys)  # whoever has no key is counted where its bytes fall
        self._read: OrderedDict[int, list[tuple[list[int], Keys]]] = OrderedDict()

    def of(self, row: Row) -> list[tuple[list[int], Keys]]:
        """Per shard: the indices of its records in the row, and their keys, column by column. Every shard asks for the same rows."""
        parts = self._read.get(row.offset)
        if parts is None:
            parts = self._read[row.offset] = self._parts(row)
            if len(self._read) > _ROUTED:
                self._read.popitem(last=False)
        return parts

    def _parts(self, row: Row) -> list[tuple[list[int], Keys]]:
        parts: list[tuple[list[int], Keys]] = [([], {fields: [] for fields in self._keys}) for _ in range(self._shards)]
        for item in slices(row):
            event = Event(item, self._mappings)
            read: list[tuple[tuple[str, ...], bytes | None]] = [(fields, key_bytes(event, fields)) for fields in self._keys]
            homes = self._always | {shard(key_group(key), self._shards) for _, key in read if key is not None}
            if self._by_content:
                homes = homes | {shard(crc32(item.raw) & 255, self._shards)}
            for home in homes:
                indices, columns = parts[home]
                indices.append(item.index)
                for fields, key in read:
                    columns[fields].append(key)
        return parts


def rejected(row: Row) -> list[Letter]:
    """The dead letters of a row: each part that could not be accepted, cut to `LETTER` bytes, with its reason."""
    data = _data(row)
    source = msgspec.json.encode({"input": row.input, "source": row.source, "tag": row.tag, "arrival": row.arrival})
    return [Letter(f"{row.offset}.{n}", "input", reason, source, data[start : min(end, start + LETTER)])
            for n, (reason, start, end) in enumerate(row.rejected)]  # fmt: skip


def skipped(row: Row, call: tuple[str, int, int]) -> Letter:
    """The dead letter of a record at which an analyzer ended its worker twice."""
    name, offset, index = call
    source = msgspec.json.encode({"analyzer": name, "input": row.input, "source": row.source, "tag": row.tag, "arrival": row.arrival})
    raw = next((one.raw for one in slices(row) if one.index == index), b"")
    return Letter(f"{offset}.{index}.{name}", "analyzer", f"{name} ended the worker twice", source, raw[:LETTER])


def control_of(row: Row) -> Control:
    """What a control row says."""
    return _control.decode(row.body)


def control_row(control: Control) -> Row:
    """A control row, to be appended."""
    return Row(Kind.CONTROL, pack(control), input="control")


def tick_row(watermark: int) -> Row:
    """A tick row, to be appended."""
    return Row(Kind.TICK, pack(Tick(0, watermark, 0)), input="clock")


def table_row(update: TableUpdate) -> Row:
    """A table row, to be appended."""
    return Row(Kind.TABLE, pack(update), input="table", chunk_id=update.id.encode())


def chained_row(made: Made) -> Row:
    """A chained row, to be appended."""
    head = pack(Chained(made.id, made.time, made.hop, made.analyzer))
    return Row(Kind.CHAINED, made.raw, input="chain", source=made.analyzer, tag=made.tag, chunk_id=head, codec="msgpack", count=1)


def made_id(row: Row) -> str:
    """What a chained or table row was made as: by it a repetition after a crash is recognised."""
    return _chained.decode(row.chunk_id).id if row.kind == Kind.CHAINED else row.chunk_id.decode()
