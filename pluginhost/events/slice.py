"""What a worker gets of a record: a small header and the raw bytes as the shipper sent them; alone, or with its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ..wire.chunk import Meta

__all__ = ["Batch", "Keys", "Slice"]

Keys = dict[tuple[str, ...], list[bytes | None]]
"""Key bytes by the key's fields, one for each record of a batch."""


class Slice(msgspec.Struct, gc=False):
    """One record: (`offset`, `index`) is its place in the journal, `time` and `arrival` are ns UTC.

    `own` and `group` are the raw bytes of what the shipper said beside the record: its metadata map, and the group header
    entry `[[time, metadata], record]` it stood under; b"" where absent. `keys` maps a key's fields to its key bytes as the
    splitter read them; a worker reads those that are missing itself. `id` is given for chained records only.
    """

    offset: int
    index: int
    time: int
    arrival: int
    tag: str
    codec: str
    raw: bytes
    input: str = ""
    source: str = ""
    own: bytes = b""
    group: bytes = b""
    keys: dict[tuple[str, ...], bytes | None] | None = None
    id: str = ""
    hop: int = 0


class Batch(msgspec.Struct, gc=False):
    """The records of one row for one shard, not yet taken apart: record `place` is `data[starts[place]:ends[place]]`.

    `indices` are the records' numbers in the row. A time beyond `latest`, or of 0, counts as the arrival. `keys` are what the
    splitter read, column by column. `id` and `hop` are given for a chained record only.
    """

    offset: int
    arrival: int
    latest: int
    tag: str
    codec: str
    input: str
    source: str
    data: bytes
    starts: Sequence[int]
    ends: Sequence[int]
    times: Sequence[int]
    indices: Sequence[int]
    keys: Keys | None = None
    metas: Mapping[int, Meta] | None = None
    id: str = ""
    hop: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, place: int) -> bytes:
        """The bytes of the record at `place`."""
        return self.data[self.starts[place] : self.ends[place]]

    def slice(self, place: int) -> Slice:
        """The record at `place`."""
        time = self.times[place]
        one = Slice(self.offset, self.indices[place], time if 0 < time <= self.latest else self.arrival, self.arrival, self.tag,
                    self.codec, self.raw(place), self.input, self.source)  # fmt: skip
        if self.id:
            one.id, one.hop = self.id, self.hop
        if self.keys:
            one.keys = {fields: column[place] for fields, column in self.keys.items()}
        if self.metas and (meta := self.metas.get(one.index)) is not None:
            one.own, one.group = self.data[meta.start : meta.end], self.data[meta.group_start : meta.group_end]
        return one
