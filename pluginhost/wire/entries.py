"""Entries of the forward protocol, `[time, record]` or `[[time, metadata], record]`, one behind the other in msgpack.

`split` finds where the records stand; it decodes none of them. The fast way takes a whole body of ordinary entries in two
calls and stands aside at the first odd thing: a broken entry, a group marker, a record that may nest too deeply. The
careful way then goes from entry to entry, so that a bad one costs only itself. What frames are is not known here.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from operator import attrgetter, sub
from struct import Struct, unpack
from typing import Any, Final

import msgpack
import msgspec
from msgspec import Raw
from msgspec.msgpack import Ext

from ..problem import PeerError
from . import records, stamps, times
from .chunk import Columns, Meta, Rejection
from .heads import EMPTY_MAPS, NIL, content, is_array, is_map
from .stamps import GROUP_END, GROUP_START, MARKERS, NO_TIME, UNLIKELY, Stamp

__all__ = ["REASONS", "TOO_MANY", "Split", "fault", "split"]

REASONS: Final = ("cut_off", "garbage", "not_an_entry", "not_a_map", "not_a_time", "too_deep")
TOO_MANY: Final = "too_many_entries"

_LEAST = 3  # bytes of the shortest entry, 92 00 80
_EVENT_TIME = b"\x92\xd7\x00"  # how an entry with an EventTime begins; eight bytes of time follow, and then the record
_SECONDS = Struct(">3xIIx")
_MAPS = bytes(byte for byte in range(256) if is_map(byte))
_CODE, _DATA = attrgetter("code"), attrgetter("data")


class _Entry(msgspec.Struct, array_like=True, gc=False):
    """An entry of any size: what follows the record is passed over."""

    stamp: Raw
    record: Raw


_PLAIN = msgspec.msgpack.Decoder(list[tuple[Stamp, Raw]])
_PAIRED = msgspec.msgpack.Decoder(list[tuple[tuple[Stamp, Raw], Raw]])
_RAWS = msgspec.msgpack.Decoder(list[Raw])
_ENTRY = msgspec.msgpack.Decoder(_Entry)


class Split(msgspec.Struct, frozen=True):
    """Where the good and the bad entries stand in the data, and how many times were replaced by the arrival time."""

    columns: Columns
    rejected: tuple[Rejection, ...] = ()
    bad_times: int = 0


def split(data: bytes, *, most: int, depth: int, hint: int = 0) -> Split:
    """The entries in `data`; `PeerError` if there are more than `most`. `hint` is how many there may be, and may lie."""
    if 0 < hint <= most and hint * _LEAST <= len(data) and (found := _fast(data, hint, depth)):
        return found
    ends, reason = _bounds(data, most)
    if not reason and ends and len(ends) != hint and (found := _fast(data, len(ends), depth)):
        return found
    sorter = _Sorter(data, depth)
    start = 0
    for end in ends:
        sorter.take(start, end)
        start = end
    if reason:
        sorter.reject(reason, start, len(data))
    return sorter.split()


def _bounds(data: bytes, most: int) -> tuple[list[int], str]:
    """Where each entry ends, and what is wrong with the rest behind the last, if there is one."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data) or 1)
    unpacker.feed(data)
    ends = list[int]()
    try:
        while len(ends) <= most:
            unpacker.skip()
            ends.append(unpacker.tell())
    except msgpack.OutOfData:
        return ends, "cut_off" if len(data) > (ends[-1] if ends else 0) else ""
    except msgpack.StackError:
        return ends, "too_deep"
    except ValueError:
        return ends, "garbage"
    raise PeerError(TOO_MANY, f"more than {most} entries in one frame; lower chunk_limit_size at the sender")


def _fast(data: bytes, count: int, depth: int) -> Split | None:
    """All of `data` at once, if it is `count` ordinary entries."""
    whole = b"\xdd" + count.to_bytes(4, "big") + data
    if data.startswith(_EVENT_TIME):
        return _stamped(data, whole, depth)
    try:
        if is_array(data[content(data)[0]]):
            pairs = _PAIRED.decode(whole)
            if any(bytes(stamp[1]) not in EMPTY_MAPS for stamp, _ in pairs):
                return None
            given: Sequence[Any] = [stamp[0] for stamp, _ in pairs]
            lengths = [len(record) for _, record in pairs]
        else:
            plain = _PLAIN.decode(whole)
            given = [stamp for stamp, _ in plain]
            lengths = [len(record) for _, record in plain]
        ends = list(accumulate(map(len, _RAWS.decode(whole))))
    except (ValueError, RecursionError, IndexError):
        return None
    starts = list(map(sub, ends, lengths))
    at = _all_times(given)
    if at is None or not all(map(is_map, map(data.__getitem__, starts))) or _may_nest_deeper(data, starts, ends, depth):
        return None
    return Split(Columns(array("I", starts), array("I", ends), at))


def _stamped(data: bytes, whole: bytes, depth: int) -> Split | None:
    """The same for entries `[EventTime, record]`: where one ends is all that has to be found, the rest stands at fixed places."""
    try:
        ends = list(accumulate(map(len, _RAWS.decode(whole))))
    except (ValueError, RecursionError):
        return None
    begins = [0, *ends[:-1]]
    heads = b"".join([data[begin : begin + 12] for begin in begins])
    plain = len(heads) == 12 * len(ends) and all(heads[at::12].count(byte) == len(ends) for at, byte in enumerate(_EVENT_TIME))
    if not plain or heads[11::12].translate(None, _MAPS):
        return None
    at = [second * times.SECOND + ns for second, ns in _SECONDS.iter_unpack(heads)]
    starts = [begin + 11 for begin in begins]
    if max(at) >= min(MARKERS) * times.SECOND or _may_nest_deeper(data, starts, ends, depth):
        return None
    return Split(Columns(array("I", starts), array("I", ends), array("q", at)))


def _all_times(given: Sequence[Any]) -> array[int] | None:
    """The times of stamps that are all alike and all good."""
    kinds = set(map(type, given))
    if kinds == {int}:
        good = min(given) >= 0 and max(given) * times.SECOND < 1 << 63
        return array("q", [stamp * times.SECOND for stamp in given]) if good else None
    if kinds != {Ext} or set(map(_CODE, given)) != {0} or set(map(len, data := list(map(_DATA, given)))) != {8}:
        return None
    numbers = unpack(f">{2 * len(given)}I", b"".join(data))
    seconds = numbers[::2]
    if max(seconds) in MARKERS:
        return None
    return array("q", [second * times.SECOND + ns for second, ns in zip(seconds, numbers[1::2], strict=True)])


def _may_nest_deeper(data: bytes, starts: Sequence[int], ends: Sequence[int], depth: int) -> bool:
    """Whether a record nests deeper than `depth`: so many bytes that may open a map or list must stand in it."""
    openers = data.translate(records.OPENERS)
    size = max(depth // 8, 1)  # looked through at once: an entry and its map are two openers, and times and texts hold bytes like them
    for first in range(0, len(starts), size):
        last = min(first + size, len(starts))
        if openers.count(1, starts[first], ends[last - 1]) > depth and any(
            records.nests_deeper("msgpack", data[starts[index] : ends[index]], depth) for index in range(first, last)
        ):
            return True
    return False


class _Sorter:
    """The careful way: takes entry after entry."""

    def __init__(self, data: bytes, depth: int) -> None:
        self._data, self._depth = data, depth
        self._bounds, self._times = list[tuple[int, int]](), list[int]()
        self._metas, self._rejected, self._bad_times = list[Meta](), list[Rejection](), 0
        self._group = (0, 0)

    def split(self) -> Split:
        """What was taken."""
        return Split(Columns.of(self._bounds, self._times, self._metas), tuple(self._rejected), self._bad_times)

    def reject(self, reason: str, start: int, end: int) -> None:
        """Keeps a part that can never be accepted; neighbours that failed alike are one part."""
        if self._rejected and self._rejected[-1].reason == reason and self._rejected[-1].end == start:
            start = self._rejected.pop().start
        self._rejected.append(Rejection(reason, start, end))

    def take(self, start: int, end: int) -> None:
        """Sorts the entry at these bounds."""
        raw = self._data[start:end]
        try:
            entry = _ENTRY.decode(raw)
        except RecursionError:
            return self.reject("too_deep", start, end)
        except ValueError:
            return self.reject("not_an_entry", start, end)
        stamp, record = bytes(entry.stamp), bytes(entry.record)
        time, *meta = stamps.read(stamp)
        if time in (GROUP_START, GROUP_END):
            self._group = (start, end) if time == GROUP_START else (0, 0)
        elif reason := fault(time, record, self._depth):
            self.reject(reason, start, end)
        elif record != NIL:
            at = start + content(raw)[0]
            self._keep(time, at + len(stamp), len(record), (at + meta[0], at + meta[1]) if meta[1] else (0, 0))
        return None

    def _keep(self, time: int, start: int, length: int, meta: tuple[int, int]) -> None:
        if time == UNLIKELY:
            self._bad_times += 1
            time = 0
        if meta[1] or self._group[1]:
            self._metas.append(Meta(len(self._bounds), *meta, *self._group))
        self._bounds.append((start, start + length))
        self._times.append(time)


def fault(time: int, record: bytes, depth: int) -> str:
    """Why a record with such a time (as `stamps.time_of` says it) can never be accepted, or "". Nil is nothing, and no fault."""
    if time == NO_TIME:
        return "not_a_time"
    if not is_map(record[0]):
        return "" if record == NIL else "not_a_map"
    return "too_deep" if records.nests_deeper("msgpack", record, depth) else ""
