"""The loop guard: what we sent back to the shipper must not come in again and go round for ever.

Three ways to tell: the tag begins with our own output prefix, the record carries our own host's mark, or it has gone through
too many hosts. Refused records are counted and acknowledged; their neighbours go on.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection

import msgspec

from ..metrics import Counts
from ..wire.chunk import Chunk, Columns
from ..wire.records import decode

__all__ = ["COUNTS", "HOPS", "Guard"]

COUNTS = ("loop_refused",)
HOPS = 3
_MARK = b"pluginhost"


class Guard:
    """Refuses what `hostname` sent itself, and everything under one of `tags`."""

    def __init__(self, hostname: str, tags: Collection[str], counts: Counts) -> None:
        self._hostname, self._tags, self._under, self._counts = hostname, frozenset(tags), tuple(f"{tag}." for tag in tags), counts

    def __call__(self, chunk: Chunk) -> Chunk | None:
        """The chunk without records that went in a circle; None if nothing else is in it."""
        if chunk.tag in self._tags or chunk.tag.startswith(self._under):
            self._counts["loop_refused"] += chunk.count
            return None
        if _MARK not in chunk.data:
            return chunk
        columns = chunk.columns
        kept = [index for index in range(len(columns)) if not self._marked(chunk, index)]
        if len(kept) == len(columns):
            return chunk
        self._counts["loop_refused"] += len(columns) - len(kept)
        if not kept and not chunk.rejected:
            return None
        place = {index: number for number, index in enumerate(kept)}
        metas = tuple(msgspec.structs.replace(meta, index=place[meta.index]) for meta in columns.metas if meta.index in place)
        chosen = Columns(_chosen(columns.starts, kept), _chosen(columns.ends, kept), _chosen(columns.times, kept), metas)
        return msgspec.structs.replace(chunk, columns=chosen)

    def _marked(self, chunk: Chunk, index: int) -> bool:
        raw = chunk.data[chunk.columns.starts[index] : chunk.columns.ends[index]]
        if _MARK not in raw:
            return False
        mark = decode(chunk.codec, raw).get("pluginhost")
        if not isinstance(mark, dict):
            return False
        hop = mark.get("hop")
        return mark.get("host") == self._hostname or (isinstance(hop, int) and hop >= HOPS)


def _chosen(column: array[int], kept: list[int]) -> array[int]:
    return array(column.typecode, [column[index] for index in kept])
