"""Ticks: rows of the journal that say how far event time is complete. Only they fire timers; how far it is, `engine.watermark` knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..engine.committer import Committer
from ..engine.splitter import tick_row
from ..engine.watermark import Watermarks
from ..store.row import Row

__all__ = ["Ticking"]

_EVERY = 0.25  # seconds


class Ticking:
    """Journals ticks while any analyzer waits for time to pass, which is `wanted`. `lateness` and what `clock` gives are ns."""

    def __init__(self, committer: Committer, lateness: int, clock: Callable[[], int]) -> None:
        self.wanted = False
        self._committer, self._clock, self._marks = committer, clock, Watermarks(lateness)

    def recall(self, row: Row) -> None:
        """A row was in the journal before this start."""
        self._marks.recall(row)

    def seen(self, row: Row) -> None:
        """A row is durable."""
        if self.wanted:
            self._marks.seen(row)

    async def run(self, ready: asyncio.Event) -> None:
        """Never ends; begins when the doors are about to open."""
        await ready.wait()
        self._marks.resume(self._clock())
        while True:
            await asyncio.sleep(_EVERY)
            if not self.wanted or self._committer.full:  # nobody gets that far while the journal is full
                continue
            if (mark := self._marks.now(self._clock())) is not None:
                await self._committer.insist([tick_row(mark)])
