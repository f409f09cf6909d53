"""A journal row → the items of a shard: slices with their keys, ticks, table updates.

Every row means the same to every shard and every replay. A time further ahead of the arrival than `FUTURE` counts as the
arrival. With one shard nothing needs to be read here; with several the keys that loaded analyzers declare are read once,
in the host, and travel with the records; each shard gets its own records only.
"""

from __future__ import annotations

import fnmatch
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from zlib import crc32

import msgspec

from ..events.keys import shard
from ..events.mapping import Mapping, Mappings
from ..events.slice import Batch, Keys, Slice
from ..match import Node
from ..match.index import Index
from ..options import Duration
from ..store.letters import Letter
from ..store.mutes import StoredMute
from ..store.row import Kind, Row
from ..wire.chunk import Columns
from ..wire.compression import unpack_leniently
from .items import Item, Made, TableUpdate, Tick
from .keying import UNREAD, Reader
from .link import Part, packed
from .scan import scan
from .unit import pack

__all__ = ["FUTURE", "Control", "Routes", "Want", "chained_row", "control_of", "control_row", "items", "made_id", "rejected", "skipped",
           "slices", "table_row", "tick_row"]  # fmt: skip

FUTURE = Duration.of("5m").ns
LETTER = 64 << 10
_HELD = 32 << 20  # bytes of rows whose parts are kept until the last shard has asked for them
_TAGS = 4096  # tags are the sender's to invent: the table of who wants which is dropped when it grows past this
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
    not called from here on, until a row's `release`. `mute` is laid down here, `unmute` names one that ends here: both are the desk's.
    """

    swap: int | None = None
    reset: tuple[str, ...] = ()
    skip: tuple[str, int, int] | None = None
    quarantine: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    mute: StoredMute | None = None
    unmute: str | None = None


_control = msgspec.msgpack.Decoder(Control)
_chained = msgspec.msgpack.Decoder(Chained)
_table = msgspec.msgpack.Decoder(TableUpdate)
_tick = msgspec.msgpack.Decoder(Tick)


def items(row: Row, chosen: Sequence[int] | None = None, keys: Keys | None = None) -> list[Item]:
    """What the row holds: all its records as one batch, or those numbered `chosen` with their keys. A packed row has no others."""
    if chosen is not None and not chosen:
        return []
    if row.kind == Kind.RECORDS:
        return [_records(row, chosen, keys)]
    if row.kind == Kind.CHAINED:
        return [_derived(row, keys)]
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
    starts, ends, times = columns.starts, columns.ends, columns.times
    if chosen is not None and len(chosen) < len(columns):  # some of a row that is not packed
        starts, ends, times = (array(column.typecode, map(column.__getitem__, chosen)) for column in (starts, ends, times))
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


class Want(msgspec.Struct, frozen=True):
    """What an analyzer wants, as far as it matters to where records go: records under `tags` (none: any) that fit `where` (None: all)."""

    name: str
    key: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    where: Node | None = None
    pinned: bool = False

    def of(self, tag: str) -> bool:
        """Whether records of this tag are for it."""
        return not self.tags or any(fnmatch.fnmatchcase(tag, glob) for glob in self.tags)


class Routes:
    """Which shards a record goes to: those that own one of its keys, and those of its bytes or of a name for analyzers without a key.

    `wants` are the analyzers of one generation. Only the keys of those that want a record's tag are read, and records that none of them
    can want go nowhere.
    """

    def __init__(self, wants: Iterable[Want], mappings: Mappings, shards: int) -> None:
        self._wants, self._mappings, self._shards = tuple(wants), mappings, shards
        self._plans: dict[tuple[str, str], list[_Claim]] = {}
        self._alike: dict[object, list[_Claim]] = {}
        self._read: OrderedDict[int, list[Part]] = OrderedDict()
        self._held = 0

    def of(self, row: Row) -> list[Part]:
        """The part of each shard in a row of records. Every shard asks for the same rows, mostly one soon after the other."""
        parts = self._read.get(row.offset)
        if parts is None:
            parts = self._read[row.offset] = self._parts(row)
            self._held += _size(parts)
            while self._held > _HELD and len(self._read) > 1:
                self._held -= _size(self._read.popitem(last=False)[1])
        return parts

    def _parts(self, row: Row) -> list[Part]:
        (batch,) = items(row)
        assert isinstance(batch, Batch)  # noqa: S101 - rows of other kinds are not shared out
        masks, keys = self._marked(batch)
        places: list[list[int]] = [[] for _ in range(self._shards)]
        counts = [0] * self._shards
        for mask, alike in _grouped(masks).items():
            homes = [home for home in range(self._shards) if mask >> home & 1]
            counts[homes[0] if homes else row.offset % self._shards] += len(alike)
            for home in homes:
                places[home] += alike
        for chosen in places:
            chosen.sort()
        return [packed(row, batch, chosen, {fields: [column[place] for place in chosen] for fields, column in keys.items()}, count)
                for chosen, count in zip(places, counts, strict=True)]  # fmt: skip

    def _marked(self, batch: Batch) -> tuple[list[int], Keys]:
        """(the shards of each record, a bit for each; the columns of the keys that were read). A key that a mapping failed at is left
        to the workers, which know whom to lay it to."""
        masks, keys = [0] * len(batch), Keys()
        for claim in self._plan(batch.tag, batch.codec):
            claim.mark(batch, masks, keys)
        return masks, {fields: column for fields, column in keys.items() if UNREAD not in column}

    def _plan(self, tag: str, codec: str) -> list[_Claim]:
        plan = self._plans.get((tag, codec))
        if plan is None:
            if len(self._plans) >= _TAGS:
                self._plans.clear()
            wants, kinds = tuple(one for one in self._wants if one.of(tag)), self._mappings.of(tag)
            alike = (codec, tuple(one.name for one in wants), tuple(one.name for one in kinds))
            if alike not in self._alike:
                self._alike[alike] = _claims(wants, self._mappings, kinds, codec, self._shards)
            plan = self._plans[tag, codec] = self._alike[alike]
        return plan


def _size(parts: Iterable[Part]) -> int:
    return sum(len(part.row.body) for part in parts)


def _grouped(masks: Iterable[int]) -> dict[int, list[int]]:
    """The places of each mask, ascending."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for place, mask in enumerate(masks):
        found[mask].append(place)
    return found


def _claims(wants: Sequence[Want], mappings: Mappings, kinds: Sequence[Mapping], codec: str, shards: int) -> list[_Claim]:
    """What those claim who must see every record, then what the others claim of the few records that they can want."""
    always = {wants[n].name for n in Index([one.where for one in wants]).always}
    every, some = ([one for one in wants if (one.name in always) is all_] for all_ in (True, False))
    found = scan(Index([one.where for one in some]), kinds, codec) if some else None
    if found is None:
        every, some = [*every, *some], []
    known = {one.key for one in every if not one.pinned}
    given = [(every, None, frozenset[tuple[str, ...]]()), (some, found, frozenset(known))]
    return [_Claim(who, read, which, mappings, kinds, codec, shards) for who, which, read in given if who]


class _Claim:
    """Where records go for the sake of some analyzers: those records that `which` finds (None: all). Keys in `read` are read already."""

    def __init__(self, wants: Sequence[Want], read: Collection[tuple[str, ...]], which: Callable[[Batch], Sequence[int]] | None,
                 mappings: Mappings, kinds: Sequence[Mapping], codec: str, shards: int) -> None:  # fmt: skip
        self._which = which
        self._bits = [1 << shard(group, shards) for group in range(256)]
        self._pinned = 0
        for one in wants:
            self._pinned |= self._bits[crc32(one.name.encode()) & 255] if one.pinned else 0
        self._keyless = any(not one.key and not one.pinned for one in wants)
        self._reader = Reader({one.key for one in wants if one.key and not one.pinned} - {*read}, mappings, kinds, codec)

    def mark(self, batch: Batch, masks: list[int], keys: Keys) -> None:
        """Adds the shards of each record to its mask, and the columns of keys to `keys`."""
        places: Sequence[int] = range(len(batch)) if self._which is None else self._which(batch)
        data, starts, ends = batch.data, batch.starts, batch.ends
        raws = [data[starts[place] : ends[place]] for place in places]
        columns = self._reader.columns(batch, places, raws)
        marks = self._marks(raws, list(columns.values()))
        for place, mark in zip(places, marks, strict=True):
            masks[place] |= mark
        if self._which is None:
            keys |= columns
        else:
            keys |= {fields: _spread(column, places, len(batch)) for fields, column in columns.items()}

    def _marks(self, raws: Sequence[bytes], columns: Iterable[Sequence[bytes | None]]) -> list[int]:
        """The shards of each record. One that lacks a key is counted where its bytes fall."""
        bits, marks = self._bits, [self._pinned] * len(raws)
        if self._keyless:
            marks = [mark | bits[crc32(raw) & 255] for mark, raw in zip(marks, raws, strict=True)]
        for column in columns:
            marks = [mark | bits[crc32(key or raw) & 255] for mark, key, raw in zip(marks, column, raws, strict=True)]
        return marks


def _spread(column: Sequence[bytes | None], places: Sequence[int], length: int) -> list[bytes | None]:
    """The column over all records of a batch; nobody asks for the key of those that were passed over."""
    made: list[bytes | None] = [None] * length
    for place, key in zip(places, column, strict=True):
        made[place] = key
    return made


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
