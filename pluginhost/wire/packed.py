"""Finds the records of a msgpack body: bare maps or shippers' entries, one after another or in arrays.

An entry is `[time, map]` or `[[time, metadata], map]`. Fluent Bit puts markers between them, whose "times" are -1 (a group
begins, its map says what holds for all of it) and -2 (it ends): they are no records. Where msgpack itself is broken, nothing
behind that place can be told apart, and the rest is rejected as one part.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import msgpack
import msgspec

from ..problem import PeerError
from . import records, times
from .sieve import NOWHERE, TOO_LARGE, Bounds, Sieve

__all__ = ["begins", "maps"]

_ARRAY: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])
_MAPS = frozenset([*range(0x80, 0x90), 0xDE, 0xDF])
_ARRAYS = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])
_NO_HEADER = bytes(set(range(256)) - _MAPS - _ARRAYS)
_MARKERS = {0xFFFFFFFF: -1, 0xFFFFFFFE: -2}  # as an EventTime's seconds
_GROUP, _GROUP_END = -1, -2


def begins(first: bytes) -> bool:
    """Whether a msgpack body may begin with this byte. No text does."""
    return bool(first) and first[0] in _MAPS | _ARRAYS


def maps(sieve: Sieve) -> str:
    """Finds maps and entries; whatever else stands there is rejected. Returns the codec."""
    walk = _Walk(sieve)
    unpacker = msgpack.Unpacker(max_buffer_size=max(len(sieve.data), 1))
    unpacker.feed(sieve.data)
    start = 0
    while start < len(sieve.data):
        try:
            unpacker.skip()
        except (ValueError, msgpack.OutOfData):  # also: cut off, or nested so deep that the parser gives up
            sieve.bad("malformed", start, len(sieve.data))
            break
        end = unpacker.tell()
        walk.item(start, end, lists=True)
        start = end
    return "msgpack"


class _Walk:
    """Sorts items into records, lists of them, and what is neither; remembers the group that the last marker began."""

    def __init__(self, sieve: Sieve) -> None:
        self._sieve, self._data, self._group = sieve, sieve.data, NOWHERE

    def item(self, start: int, end: int, *, lists: bool) -> None:
        """One item of the stream, or (`lists` no longer allowed) of a list in it."""
        first = self._data[start]
        if first in _MAPS:
            self._record((start, end), 0, NOWHERE)
        elif first not in _ARRAYS or (parts := self._parts(start, end)) is None:
            self._sieve.bad("not_a_record", start, end)
        elif len(parts) == 2 and self._data[parts[1][0]] in _MAPS and self._data[parts[0][0]] not in _MAPS:
            self._entry((start, end), *parts)
        elif lists:
            for part in parts:
                self.item(*part, lists=False)
        else:
            self._sieve.bad("not_a_record", start, end)

    def _entry(self, whole: Bounds, head: Bounds, record: Bounds) -> None:
        own = NOWHERE
        if self._data[head[0]] in _ARRAYS:
            parts = self._parts(*head) or []
            if len(parts) != 2 or self._data[parts[1][0]] not in _MAPS:
                self._sieve.bad("bad_time", *whole)
                return
            head, own = parts
            own = own if _length(memoryview(self._data)[slice(*own)]) else NOWHERE
        time = _time(self._data[head[0] : head[1]])
        if time is None:
            self._sieve.bad("bad_time", *whole)
        elif time < 0:
            self._group = whole if time == _GROUP else NOWHERE
        else:
            self._record(record, time, own)

    def _record(self, bounds: Bounds, time: int, own: Bounds) -> None:
        raw, depth = self._data[slice(*bounds)], self._sieve.limits.depth
        if len(raw.translate(None, _NO_HEADER)) > depth and _levels(raw) > depth:  # so few headers cannot nest too deep
            self._sieve.bad("too_deep", *bounds)
        else:
            self._sieve.judge("msgpack", *bounds, time=time, own=own, group=self._group)

    def _parts(self, start: int, end: int) -> list[Bounds] | None:
        """The bounds of an array's elements; None if it nests too deep to tell."""
        view = memoryview(self._data)[start:end]
        if _length(view) > self._sieve.limits.entries:
            raise PeerError(TOO_LARGE, f"more than {self._sieve.limits.entries} records in one body")
        try:
            raws = _ARRAY.decode(view)
        except (msgspec.MsgspecError, RecursionError):
            return None
        ends = list(accumulate(map(len, raws), initial=end - sum(map(len, raws))))
        return list(pairwise(ends))


def _length(container: memoryview) -> int:
    """How many elements or pairs the header of an array or map promises."""
    size = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}.get(container[0], 0)
    return int.from_bytes(container[1 : 1 + size], "big") if size else container[0] & 0x0F


def _levels(raw: bytes) -> int:
    """How deep a record nests; 0 if it is none."""
    try:
        level: list[Any] = [records.decode("msgpack", raw)]
    except ValueError:
        return 0
    depth = 0
    while level := [one for one in level if isinstance(one, (dict, list))]:
        depth += 1
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


def _time(raw: bytes) -> int | None:
    """An entry's time in ns UTC; 0 for the arrival time, -1 and -2 for the markers, None if it is no time at all."""
    try:
        value = msgpack.unpackb(raw, timestamp=0, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        return None
    if isinstance(value, msgpack.Timestamp):
        return min(max(int(value.to_unix_nano()), 0), (1 << 63) - 1)
    if isinstance(value, msgpack.ExtType):
        if value.code != 0 or len(value.data) != 8:
            return None
        seconds, fraction = int.from_bytes(value.data[:4], "big"), int.from_bytes(value.data[4:], "big")
        return _MARKERS.get(seconds, seconds * times.SECOND + fraction)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if value in (_GROUP, _GROUP_END) else times.of_number(value) or 0
    return 0 if value is None else None
