"""The journal: append-only segments of rows, the only input of every shard.

**Appended means durable**: `append` returns after the sync, and a failed one leaves nothing behind. Offsets count rows,
densely, from 0. One thread at a time calls `append`, `drop` and `close`; `read` may run in others meanwhile and never sees
a row that is not synced. What is still needed stays, however old: age only closes a file, so that it may go. What rows mean,
how they are batched and who may open the folder is the host's business.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..options import Duration
from ..problem import Problem
from .disk import sync_folder
from .row import Kind, Row, pack
from .segment import NAMES, Segment, corrupt

__all__ = ["Journal", "Kind", "Row"]


class Journal:
    """The journal in `folder`, made if it is not there; `Problem` if it is damaged or cannot be opened.

    `clock` gives ns. `sync` makes one open file durable; another callable than fdatasync is for tests and benchmarks.
    A file is closed at `segment_bytes`, or when its first row is `max_age` ns old.
    `end` is the next offset to be given, `torn` how many bytes of a batch cut short by a crash were cut off at opening.
    """

    def __init__(
        self, folder: Path, *, clock: Callable[[], int], segment_bytes: int = 64 << 20, max_age: int = Duration.of("1h").ns,
        sync: Callable[[int], object] = os.fdatasync,
    ) -> None:  # fmt: skip
        self._folder, self._clock, self._segment_bytes, self._max_age, self._sync = folder, clock, segment_bytes, max_age, sync
        self._unclean, self.torn, self._holders = False, 0, 0
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True)
                sync_folder(folder.parent)
            self._segments = self._found()
            self._file = self._recovered()
            self._sealed = sum(segment.size for segment in self._segments[:-1])
        except OSError as error:
            raise Problem("journal.unopened", f"cannot open the journal: {error}", where=str(folder), still="nothing was lost",
                          todo="see to the folder's owner, mode and free space") from None  # fmt: skip

    def _found(self) -> list[Segment]:
        segments, paths = [], sorted(self._folder.glob(NAMES))
        for path in paths:
            if segment := Segment.open(path):
                segments.append(segment)
            elif path == paths[-1] and (segments or int(path.stem) == 0):
                self.torn += path.stat().st_size
                path.unlink()
            else:  # others are left behind only when the next one stands
                raise corrupt(path, 0, int(path.stem))
        return segments or [Segment.create(self._folder, 0, 0, self._sync)]

    def _recovered(self) -> int:
        last = self._segments[-1]
        written = last.size
        self.end, self._arrival = last.recover()
        self.torn += written - last.size
        file = os.open(last.path, os.O_RDWR | os.O_CLOEXEC)
        os.ftruncate(file, last.size)
        self._sync(file)  # rows that a killed process had written but not synced count from now on
        sync_folder(self._folder)
        return file

    @property
    def start(self) -> int:
        """The first offset that is held; `end` if none is."""
        return self._segments[0].first

    @property
    def bytes(self) -> int:
        """How many bytes it takes on disk."""
        return self._sealed + self._segments[-1].size

    def append(self, rows: Sequence[Row]) -> None:
        """Gives the rows their offsets and arrival, and returns when they are durable.

        On an `OSError` (a full disk) none of them is kept and the same rows may be appended again.
        """
        if not rows:
            return
        if self._unclean:
            self._cut()
        if self._segments[-1].first < self.end and (self._segments[-1].size >= self._segment_bytes or self._old()):
            self._roll()
        segment, arrival = self._segments[-1], max(self._arrival, self._clock())
        data, places = _packed(rows, self.end, arrival, segment.mark)
        self._write(memoryview(data), segment.size)
        for row, place in zip(rows, places, strict=True):
            segment.note(row.offset, segment.size + place)
        segment.size, self._arrival, segment.since = segment.size + len(data), arrival, segment.since or arrival
        self.end += len(rows)  # last: a reader goes by it

    def _write(self, left: memoryview, position: int) -> None:
        try:
            while left:
                written = os.pwrite(self._file, left, position)
                left, position = left[written:], position + written
            self._sync(self._file)
        except BaseException:
            self._unclean = True
            with suppress(OSError):  # the next append tries again, before it writes
                self._cut()
            raise

    def _cut(self) -> None:
        os.ftruncate(self._file, self._segments[-1].size)
        self._unclean = False

    def _old(self) -> bool:
        """Whether the newest segment has been filled for long enough."""
        return self._segments[-1].since > 0 and self._clock() - self._segments[-1].since >= self._max_age

    def _roll(self) -> None:
        fresh = Segment.create(self._folder, self.end, self._arrival, self._sync)
        file = os.open(fresh.path, os.O_RDWR | os.O_CLOEXEC)
        os.close(self._file)
        self._sealed += self._segments[-1].size
        self._file, self._segments = file, [*self._segments, fresh]

    def read(self, offset: int) -> Iterator[Row]:
        """The rows from `offset` to the end as of now. `Problem` if it is not held, or where a row is damaged."""
        end, segments = self.end, self._segments  # in this order: a segment that `end` counts is in the list
        if not segments[0].first <= offset <= end:
            raise _not_held(offset, segments[0].first, end)
        return self._rows(segments, offset, end)

    def _rows(self, segments: list[Segment], offset: int, end: int) -> Iterator[Row]:
        bounds = [*(segment.first for segment in segments[1:]), end]
        for segment, until in zip(segments, bounds, strict=True):
            if offset < min(until, end):
                try:
                    yield from segment.rows(offset, min(until, end))
                except FileNotFoundError:
                    raise _not_held(offset, self.start, self.end) from None
                offset = until

    def files(self) -> list[tuple[str, int]]:
        """The name of each file, in order, and how many bytes of it are durable."""
        return [(segment.path.name, segment.size) for segment in self._segments]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, `drop` does nothing: somebody copies what there is."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1

    def drop(self, before: int, *, seal: bool = False) -> None:
        """Unlinks the segments that lie wholly below `before`. The newest is among them if it is old, or with `seal`."""
        if self._holders:
            return
        if before >= self.end > self._segments[-1].first and not self._unclean and (seal or self._old()):
            self._roll()
        while len(self._segments) > 1 and self._segments[1].first <= before:
            self._segments[0].path.unlink(missing_ok=True)
            self._sealed -= self._segments[0].size
            self._segments = self._segments[1:]
            sync_folder(self._folder)  # one by one: a power cut must not keep an older one and lose a newer

    def close(self) -> None:
        """Lets go of the file. Iterators of `read` go on working."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _packed(rows: Sequence[Row], offset: int, arrival: int, mark: bytes) -> tuple[bytes, list[int]]:
    """The rows with their offsets and arrival set, as one batch of bytes, and where in it each begins."""
    parts: list[bytes] = []
    places, length = [], 0
    for place, row in enumerate(rows):
        row.offset, row.arrival = offset + place, arrival
        packed = pack(row, mark, place)
        parts += packed
        places.append(length)
        length += len(packed[0]) + len(packed[1])
    return b"".join(parts), places


def _not_held(offset: int, start: int, end: int) -> Problem:
    return Problem("journal.offset", f"row {offset} is not in the journal, which holds {start} up to {end}",
                   still="nothing was changed",
                   todo="put the journal and the databases beside it back from the same copy, or move the data folder aside and start "
                        "afresh")  # fmt: skip
