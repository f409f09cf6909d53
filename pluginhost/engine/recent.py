"""The alerts of the newest offsets, at hand for doors that owe a verdict: bounded in offsets, bytes and age, the oldest go first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..options import Duration, Size

__all__ = ["Recent"]

MOST, MOST_BYTES, AGE = 10_000, Size.of("16MiB"), Duration.of("5m")


class Recent:
    """(record's index, alert's id, document) by the offset that completed the alert. `clock` gives ns.

    Documents are bytes: their size is known, and few are ever asked for. That of an alert which had been stored before is b"".
    """

    def __init__(self, clock: Callable[[], int], *, most: int = MOST, most_bytes: int = MOST_BYTES, age: int = AGE.ns) -> None:
        self._clock, self._most, self._most_bytes, self._age = clock, most, most_bytes, age
        self._by_offset: dict[int, list[tuple[int, str, bytes]]] = {}
        self._order: deque[tuple[int, int]] = deque()  # (offset, when it came)
        self._bytes = 0

    def add(self, offset: int, index: int, id_: str, document: bytes) -> None:
        """Remembers an alert of record `index` of the row at `offset`."""
        if offset not in self._by_offset:
            self._by_offset[offset] = []
            self._order.append((offset, self._clock()))
        self._by_offset[offset].append((index, id_, document))
        self._bytes += len(id_) + len(document)
        self.trim()

    def trim(self) -> None:
        """Lets go of what is too much or too old."""
        oldest = self._clock() - self._age
        while self._order and (len(self._order) > self._most or self._bytes > self._most_bytes or self._order[0][1] < oldest):
            self._bytes -= sum(len(id_) + len(document) for _, id_, document in self._by_offset.pop(self._order.popleft()[0]))

    def of(self, offset: int) -> list[tuple[int, str, bytes]]:
        """What the row at `offset` completed, in order."""
        return list(self._by_offset.get(offset, ()))
