"""Which generations judged the rows that the journal still holds: a replay of them needs that code, whatever runs by now."""

from __future__ import annotations

from collections import deque

from ..store.row import Kind, Row
from .splitter import control_of

__all__ = ["Swaps"]


class Swaps:
    """The swaps that the journal holds, in order; told every row once."""

    def __init__(self) -> None:
        self._known: deque[tuple[int, int]] = deque()  # (offset, generation)

    def seen(self, row: Row) -> None:
        """Notes a row of the journal."""
        if row.kind == Kind.CONTROL and (swap := control_of(row).swap) is not None:
            self._known.append((row.offset, swap))

    def oldest(self, start: int) -> int:
        """The generation in force at the journal's first row, `start`; 0 if that cannot be told."""
        known = self._known
        while len(known) > 1 and known[1][0] <= start:
            known.popleft()
        return known[0][1] - (known[0][0] > start) if known else 0
