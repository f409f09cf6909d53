"""Finds the records of a msgpack body: bare maps or shippers' entries, one after another or in arrays.

A body of nothing but good entries goes the way of the forward protocol. Any other is walked item by item, so that what is
neither map nor entry costs only itself; where msgpack itself is broken, nothing behind that place can be told apart, and the
rest is rejected as one part. Entries, their times and group markers are read by `entries` and `stamps`.
"""

from __future__ import annotations

from itertools import accumulate, pairwise

import msgpack
import msgspec

from ..problem import PeerError
from . import entries, stamps
from .heads import content, is_array, is_map
from .sieve import NOWHERE, Bounds, Sieve

__all__ = ["begins", "maps"]

_ARRAY: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])


def begins(head: bytes) -> bool:
    """Whether a msgpack body may begin with this byte. No text does."""
    return bool(head) and (is_map(head[0]) or is_array(head[0]))


def maps(sieve: Sieve) -> str:
    """Finds maps and entries; whatever else stands there is rejected. Returns the codec."""
    if not _all_entries(sieve):
        _by_item(sieve)
    return "msgpack"


def _all_entries(sieve: Sieve) -> bool:
    data, limits = sieve.data, sieve.limits
    if not data or not is_array(data[0]) or len(data) > limits.record:
        return False
    try:
        found = entries.split(data, most=limits.entries, depth=limits.depth)
    except PeerError:
        raise sieve.too_many() from None
    if found.rejected:
        return False
    sieve.take(found.columns)
    return True


def _by_item(sieve: Sieve) -> None:
    walk = _Walk(sieve)
    unpacker = msgpack.Unpacker(max_buffer_size=len(sieve.data) or 1)
    unpacker.feed(sieve.data)
    start = 0
    while start < len(sieve.data):
        try:
            unpacker.skip()
        except (ValueError, msgpack.OutOfData):  # also where it nests so deep that the parser gives up
            return sieve.bad("malformed", start, len(sieve.data))
        end = unpacker.tell()
        walk.item(start, end, lists=True)
        start = end
    return None


class _Walk:
    """Sorts items into records, lists of them, and what is neither; remembers the group that the last marker began."""

    def __init__(self, sieve: Sieve) -> None:
        self._sieve, self._data, self._group = sieve, sieve.data, NOWHERE

    def item(self, start: int, end: int, *, lists: bool) -> None:
        """One item of the stream, or (`lists` no longer allowed) of a list in it."""
        head = self._data[start]
        if is_map(head):
            self._sieve.judge("msgpack", start, end)
        elif not is_array(head) or (parts := self._parts(start, end)) is None:
            self._sieve.bad("not_a_record", start, end)
        elif len(parts) == 2 and is_map(self._data[parts[1][0]]) and not is_map(self._data[parts[0][0]]):
            self._entry((start, end), *parts)
        elif lists:
            for part in parts:
                self.item(*part, lists=False)
        else:
            self._sieve.bad("not_a_record", start, end)

    def _entry(self, whole: Bounds, stamp: Bounds, record: Bounds) -> None:
        time, *meta = stamps.read(self._data[slice(*stamp)])
        if time in (stamps.GROUP_START, stamps.GROUP_END):
            self._group = whole if time == stamps.GROUP_START else NOWHERE
        elif time == stamps.NO_TIME:
            self._sieve.bad("not_a_time", *whole)
        else:
            own = (stamp[0] + meta[0], stamp[0] + meta[1]) if meta[1] else NOWHERE
            self._sieve.judge("msgpack", *record, time=max(time, 0), own=own, group=self._group)

    def _parts(self, start: int, end: int) -> list[Bounds] | None:
        """The bounds of an array's elements; None if it nests too deep to tell."""
        at, length = content(self._data, start)
        if length > self._sieve.limits.entries:
            raise self._sieve.too_many()
        try:
            raws = _ARRAY.decode(memoryview(self._data)[start:end])
        except (msgspec.MsgspecError, RecursionError):
            return None
        return list(pairwise(accumulate(map(len, raws), initial=at)))
