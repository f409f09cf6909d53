"""Which values a key has shown, in a few bytes each and with deletion: a cuckoo filter (Fan et al. 2014)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec

from .hyperloglog import hashed
from .state import State, span_of

__all__ = ["Cuckoo"]

_SLOTS = 4  # of a bucket
_LOAD = 0.9  # up to which a table is as good as sure to find room
_KICKS = 200
_MOST = 1 << 24


class Cuckoo(State, gc=False, eq=False):
    """Whether a value was shown before: about 2.2 to 4.4 bytes for each of up to `capacity` values, and values can be taken out again.

    A value's 16-bit fingerprint lies in one of two buckets of four. "Yes" is wrong for a value that was never added with probability
    1 - (1 - 2^-16)^8 = 0.012 % when full; "no" is never wrong, unless a value was discarded that had not been added. A value that
    finds no room, only likely beyond `capacity`, is counted in `refused` and not remembered. The key's filter is forgotten when it
    was idle for `expire`; there is no time in it (see `FirstSeen` for that). Merged copies hold the values of both.

        >>> blocked = Cuckoo(1000)
        >>> blocked.add("203.0.113.9"), blocked.add("203.0.113.9"), "203.0.113.9" in blocked
        (True, False, True)
        >>> blocked.discard("203.0.113.9"), "203.0.113.9" in blocked
        (True, False)
    """

    shape: ClassVar[str] = "Cuckoo/1"
    capacity: int = 1000
    expire: Any = "90d"
    _count: int = 0
    _refused: int = 0
    _mask: int = 0
    _table: Any = msgspec.field(default_factory=lambda: array("H"))

    def __post_init__(self) -> None:
        self.expire = span_of(self.expire)
        if not 1 <= self.capacity <= _MOST:
            raise ValueError(f"a filter for {self.capacity} values: from 1 to {_MOST}")
        self.load(None)

    @property
    def idle(self) -> int:
        """As long as it is remembered."""
        return int(self.expire)

    def load(self, plain: Any) -> None:
        """Takes over [table, refused], of whatever capacity it was made for."""
        table, self._refused = plain or (b"", 0)
        buckets = 1 << max(0, int(self.capacity / (_SLOTS * _LOAD))).bit_length()
        self._table = array("H", table or bytes(2 * _SLOTS * buckets))
        self._mask = len(self._table) // _SLOTS - 1
        self._count = len(self._table) - self._table.count(0)

    def dump(self) -> Any:
        """[fingerprints, two bytes for each place, 0 where it is free; refused]."""
        return [self._table.tobytes(), self._refused]

    def __len__(self) -> int:
        return self._count

    def __contains__(self, value: object) -> bool:
        return self._find(*_marks(value)) is not None

    @property
    def refused(self) -> int:
        """How many values were not remembered because there was no room."""
        return self._refused

    def add(self, value: object) -> bool:
        """True when the value was not there; from now on it is."""
        mark, at = _marks(value)
        if self._find(mark, at) is not None:
            return False
        self._put(mark, at)
        return True

    def discard(self, value: object) -> bool:
        """True when the value was there; now it is not."""
        place = self._find(*_marks(value))
        if place is None:
            return False
        self._table[place] = 0
        self._count -= 1
        return True

    def _find(self, mark: int, at: int) -> int | None:
        """The place of a fingerprint in one of its two buckets."""
        table, mask = self._table, self._mask
        for bucket in (at & mask, (at ^ _other(mark)) & mask):
            first = bucket * _SLOTS
            held = table[first : first + _SLOTS]
            if mark in held:
                return first + int(held.index(mark))
        return None

    def _put(self, mark: int, at: int) -> None:
        """Lays a fingerprint down, moving others to their other bucket; where that comes to no end, all is put back."""
        table, bucket, moved = self._table, at & self._mask, list[int]()
        if self._lay(mark, bucket):
            return
        for kick in range(_KICKS):
            bucket = (bucket ^ _other(mark)) & self._mask
            if self._lay(mark, bucket):
                return
            place = bucket * _SLOTS + (mark + kick) % _SLOTS
            table[place], mark = mark, table[place]
            moved.append(place)
        for place in reversed(moved):
            table[place], mark = mark, table[place]
        self._refused += 1

    def _lay(self, mark: int, bucket: int) -> bool:
        first = bucket * _SLOTS
        held = self._table[first : first + _SLOTS]
        if 0 not in held:
            return False
        self._table[first + held.index(0)] = mark
        self._count += 1
        return True

    def merge(self, other: Cuckoo) -> None:
        """Takes over the values of `other`, which was declared with the same capacity."""
        if len(other._table) != len(self._table):
            raise ValueError("filters of different capacity cannot be merged")
        for mark, at in other._marks():
            if self._find(mark, at) is None:
                self._put(mark, at)
        self._refused += other._refused

    def _marks(self) -> Iterator[tuple[int, int]]:
        return ((mark, place // _SLOTS) for place, mark in enumerate(self._table) if mark)


def _marks(value: object) -> tuple[int, int]:
    """The fingerprint, 1 to 65535, and the number whose low bits are the first bucket."""
    one = hashed(value)
    return one >> 48 or 1, one & 0xFFFFFFFF


def _other(mark: int) -> int:
    """What leads from either bucket of a fingerprint to the other; odd, so that they differ where there are two."""
    return mark * 0x9E3779B1 >> 7 | 1
