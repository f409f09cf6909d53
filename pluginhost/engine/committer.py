"""Group commit: rows in, durable rows out. Whatever arrives while one sync runs goes out with the next; there is no timer.

The only caller of `Journal.append`. Also keeps the rows that are not judged yet in memory, so that shards that keep up never read
the disk.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from ..metrics import Counts
from ..problem import Busy
from ..store.journal import Journal
from ..store.row import Row

__all__ = ["COUNTS", "Committer"]

log = logging.getLogger(__name__)

COUNTS = ("rows", "records", "bytes", "syncs", "refused", "failed")

_ROW = 500  # bytes of a row in memory beside its body


class Committer:
    """Appends rows to the journal. `queue` and `tail` bound the bytes that wait and that are kept; `most` bounds the journal.

    `closed` says why nothing more is taken from outside, if so; `failed` hears of every write that went wrong.
    """

    def __init__(self, journal: Journal, counts: Counts, *, most: int, queue: int = 64 << 20, tail: int = 64 << 20,
                 closed: Callable[[], str] = str, failed: Callable[[OSError], object] = bool) -> None:  # fmt: skip
        self.journal, self._counts, self._most, self._queue, self._tail = journal, counts, most, queue, tail
        self._closed, self._failed = closed, failed
        self._waiting: list[tuple[Sequence[Row], asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._rows: deque[Row] = deque()
        self._rows_bytes = 0
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "journal")
        self._grown: list[asyncio.Event] = []
        self.watchers: list[Callable[[Row], None]] = []

    async def append(self, rows: Sequence[Row], *, ours: bool = False) -> None:
        """Returns when the rows are durable and have their offsets; raises `Busy` when no more can be taken.

        Rows of our own making (`ours`: ticks, chained records, swaps) are never refused for a full queue, for the shards
        could not go on without them.
        """
        if not ours:
            self.admit()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, done))
        self._waiting_bytes += sum(len(row.body) for row in rows)
        self._wake.set()
        await done

    async def insist(self, rows: Sequence[Row]) -> None:
        """Appends rows of our own making; while that cannot be done (the disk is full) the caller waits."""
        while True:
            try:
                return await self.append(rows, ours=True)
            except Busy as busy:
                await asyncio.sleep(busy.retry_after)

    @property
    def full(self) -> bool:
        """Whether the journal has reached its bound."""
        return self.journal.bytes > self._most

    @property
    def waiting(self) -> bool:
        """Whether rows wait to become durable."""
        return bool(self._waiting_bytes or self._waiting)

    def admit(self) -> None:
        """Raises `Busy` when nothing more can be taken just now."""
        if (closed := self._closed()) or self._waiting_bytes > self._queue or self.full:
            self._counts["refused"] += 1
            raise Busy(closed or ("journal full" if self.full else "queue full"), 5.0 if closed else 1.0)

    def grown(self) -> asyncio.Event:
        """A new event that is set whenever rows have become durable; whoever waits on it clears it."""
        event = asyncio.Event()
        self._grown.append(event)
        return event

    async def run(self) -> None:
        """Commits until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            taken, self._waiting = self._waiting, []
            if not taken:
                continue
            rows = [row for rows, _ in taken for row in rows]
            try:
                await loop.run_in_executor(self._thread, self.journal.append, rows)
            except OSError as error:  # disk full, read-only: nothing was written, nothing is acknowledged, the sender tries again
                self._counts["failed"] += 1
                self._failed(error)
                log.error("the journal cannot be written (%s); senders are told to try again", error)  # noqa: TRY400 - no bug of ours
                self._settle(taken, Busy(f"journal: {error.strerror}", 5.0))
            else:
                self._keep(rows)
                self._settle(taken, None)
            self._waiting_bytes = sum(len(row.body) for rows, _ in self._waiting for row in rows)

    def _keep(self, rows: list[Row]) -> None:
        counts = self._counts
        counts["syncs"] += 1
        counts["rows"] += len(rows)
        for row in rows:
            counts["records"] += row.count
            counts["bytes"] += len(row.body)
            self._rows.append(row)
            self._rows_bytes += _weight(row)
            for watcher in self.watchers:
                watcher(row)
        while self._rows_bytes > self._tail and len(self._rows) > 1:
            self._rows_bytes -= _weight(self._rows.popleft())
        for event in self._grown:
            event.set()

    def judged(self, before: int) -> None:
        """Nobody waits for rows below `before` any more: they are kept in memory no longer."""
        while self._rows and self._rows[0].offset < before:
            self._rows_bytes -= _weight(self._rows.popleft())

    def _settle(self, taken: list[tuple[Sequence[Row], asyncio.Future[None]]], error: Exception | None) -> None:
        for _, done in taken:
            if done.done():
                continue
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

    async def drop(self, before: int) -> None:
        """Lets go of rows below `before`. With no room left also of the file that is written to, once all of it lies there."""
        seal = self.full or bool(self._closed())
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, functools.partial(self.journal.drop, before, seal=seal))
        except OSError as error:
            log.error("old files of the journal cannot be removed (%s); trying again", error)  # noqa: TRY400 - no bug of ours
            self._failed(error)

    async def read(self, offset: int, size: int) -> list[Row]:
        """Rows from `offset` on, about `size` bytes of them; from memory where it has them. Empty at the end."""
        if offset >= self.journal.end:
            return []
        if self._rows and offset >= self._rows[0].offset:
            return self._from_tail(offset, size)
        return await asyncio.get_running_loop().run_in_executor(None, self._from_disk, max(offset, self.journal.start), size)

    def _from_tail(self, offset: int, size: int) -> list[Row]:
        taken = []
        for row in islice(self._rows, offset - self._rows[0].offset, None):
            taken.append(row)
            size -= len(row.body)
            if size <= 0:
                break
        return taken

    def _from_disk(self, offset: int, size: int) -> list[Row]:
        taken = []
        for row in self.journal.read(offset):
            taken.append(row)
            size -= len(row.body)
            if size <= 0:
                break
        return taken

    def close(self) -> None:
        """Waits for the sync that runs and lets go of the journal."""
        self._thread.shutdown()
        self.journal.close()


def _weight(row: Row) -> int:
    return len(row.body) + len(row.columns) + _ROW
