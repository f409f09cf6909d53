"""What the forward protocol has in the place of a time: seconds, an EventTime, a msgpack timestamp, `[time, metadata]`, or a group marker.

Nothing is guessed: a number is seconds and nothing else, so that nanoseconds sent as an integer count as unlikely.
"""

from __future__ import annotations

from decimal import Decimal
from struct import Struct
from typing import Any, Final

import msgpack
import msgspec
from msgspec import Raw
from msgspec.msgpack import Ext

from . import times
from .heads import EMPTY_MAPS, content, is_array, is_map

__all__ = ["GROUP_END", "GROUP_START", "MARKERS", "NO_TIME", "UNLIKELY", "Stamp", "read", "time_of"]

UNLIKELY: Final = -1  # a number, but no time that can be represented: the arrival time counts
NO_TIME: Final = -2  # of a type that no time has
GROUP_START: Final = -3  # Fluent Bit's markers look like times in the year 2106
GROUP_END: Final = -4
MARKERS: Final = {0xFFFFFFFF: GROUP_START, 0xFFFFFFFE: GROUP_END}

Stamp = int | float | Ext | None

_EVENT_TIME = Struct(">II")
_STAMP = msgspec.msgpack.Decoder(Stamp)


class _Pair(msgspec.Struct, array_like=True, gc=False):
    """`[time, metadata]`, since version 1.5 of the protocol."""

    stamp: Raw
    metadata: Raw


_PAIR = msgspec.msgpack.Decoder(_Pair)


def read(stamp: bytes) -> tuple[int, int, int]:
    """What a stamp in msgpack says, as `time_of`, and where in it the metadata stands; 0, 0 where there is none worth keeping."""
    if not is_array(stamp[0]):
        return _decoded(stamp), 0, 0
    try:
        pair = _PAIR.decode(stamp)
    except (ValueError, RecursionError):
        return NO_TIME, 0, 0
    metadata = bytes(pair.metadata)
    if not is_map(metadata[0]) or metadata in EMPTY_MAPS:
        return _decoded(bytes(pair.stamp)), 0, 0
    start = content(stamp)[0] + len(pair.stamp)
    return _decoded(bytes(pair.stamp)), start, start + len(metadata)


def _decoded(stamp: bytes) -> int:
    try:
        return time_of(_STAMP.decode(stamp))
    except (ValueError, RecursionError):
        return NO_TIME


def time_of(stamp: Any) -> int:
    """The time in ns that a decoded stamp says, 0 for the arrival time, or one of the negative constants above."""
    if isinstance(stamp, Ext):
        return _ext_time(stamp.code, bytes(stamp.data))
    if stamp is None:
        return 0
    if isinstance(stamp, bool) or not isinstance(stamp, (int, float, Decimal)):
        return NO_TIME
    return (times.of_seconds(stamp) or UNLIKELY) if stamp else 0


def _ext_time(code: int, data: bytes) -> int:
    if code == 0 and len(data) == 8:
        seconds, ns = _EVENT_TIME.unpack(data)
        return MARKERS.get(seconds) or seconds * times.SECOND + ns
    if code == -1 and len(data) in (4, 8, 12):
        ns = msgpack.Timestamp.from_bytes(data).to_unix_nano()
        return ns if 0 <= ns < 1 << 63 else UNLIKELY
    return NO_TIME
