"""One file of the journal: `<first offset, 20 digits>.journal`, a head and then rows.

The head is magic and version (8 bytes), the segment's random mark (8), the arrival of the last row before it (8) and a
crc32 of these. It is durable before the first row is written, so a segment without a whole head holds no rows.
A segment knows where some of its rows stand (every 64 rows or 1 MiB), learned while rows are written or read. Reading is
safe from any thread; which rows are synced is the journal's knowledge.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from ..problem import Problem
from .disk import sync_folder
from .row import Row, unpack

__all__ = ["NAMES", "Segment", "corrupt"]

NAMES = "[0-9]" * 20 + ".journal"

_MAGIC, _VERSION = b"PHJRNL\x00", b"\x01"
_HEAD = struct.Struct("<8s8sQ")
_CHECK = struct.Struct("<I")
_HEAD_BYTES = _HEAD.size + _CHECK.size
_ROWS_APART, _BYTES_APART = 64, 1 << 20
_BUFFER = 1 << 18


class Segment:
    """Rows from offset `first` on, in `size` bytes; `floor` is the arrival that none of them lies below."""

    def __init__(self, path: Path, mark: bytes, floor: int, size: int) -> None:
        self.path, self.first, self.mark, self.floor, self.size = path, int(path.stem), mark, floor, size
        self.since = 0  # the arrival of its first row, once it has one
        self._index, self._lock = [(self.first, _HEAD_BYTES)], threading.Lock()

    @classmethod
    def create(cls, folder: Path, first: int, floor: int, sync: Callable[[int], object]) -> Segment:
        """A new, empty segment, durable with its name. On an `OSError` nothing of it stays."""
        path, mark = folder / f"{first:020}.journal", os.urandom(8)
        head = _HEAD.pack(_MAGIC + _VERSION, mark, floor)
        head += _CHECK.pack(crc32(head))
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if os.write(file, head) < len(head):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            sync(file)
            sync_folder(folder)
        except BaseException:
            path.unlink()
            raise
        finally:
            os.close(file)
        return cls(path, mark, floor, _HEAD_BYTES)

    @classmethod
    def open(cls, path: Path) -> Segment | None:
        """The segment in `path`; None if a crash left it without a head, hence without rows."""
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
            size = os.fstat(file.fileno()).st_size
        if len(head) < _HEAD_BYTES or (size == _HEAD_BYTES and not any(head)):
            return None
        magic, mark, floor = _HEAD.unpack_from(head)
        if magic[:-1] == _MAGIC and magic[-1:] > _VERSION:
            raise Problem("journal.newer", "the journal was written by a newer version", where=str(path), still="nothing was changed",
                          todo="start the version that wrote it, or a newer one")  # fmt: skip
        if magic != _MAGIC + _VERSION or _CHECK.unpack_from(head, _HEAD.size) != (crc32(head[: _HEAD.size]),):
            raise corrupt(path, 0, int(path.stem))
        return cls(path, mark, floor, size)

    def note(self, offset: int, position: int) -> None:
        """Remembers that row `offset` stands at `position`, if the last remembered one is far enough away."""
        with self._lock:
            known, at = self._index[-1]
            if offset - known >= _ROWS_APART or (offset > known and position - at >= _BYTES_APART):
                self._index.append((offset, position))

    def rows(self, offset: int, until: int) -> Iterator[Row]:
        """The rows from `offset` up to, not including, `until`, which must be synced; `Problem` where one is damaged."""
        with self._lock:
            expected, position = self._index[bisect_right(self._index, offset, key=itemgetter(0)) - 1]
        with self.path.open("rb", buffering=_BUFFER) as file:
            file.seek(position)
            while expected < until:
                self.note(expected, position)
                found = unpack(file, self.mark, self.size - position)
                if found is None or found[0].offset != expected:
                    raise corrupt(self.path, position, expected)
                if expected >= offset:
                    yield found[0]
                expected, position = expected + 1, position + found[2]

    def recover(self) -> tuple[int, int]:
        """(offset behind the last whole row, its arrival) after a crash; `size` ends there from now on.

        What stands behind the last whole row is a batch that was never synced, hence never answered for, unless a whole
        row of a later batch follows: that one was only written after a sync. Then it is damage: a `Problem`.
        """
        expected, position, arrival = self.first, _HEAD_BYTES, self.floor
        with self.path.open("rb", buffering=_BUFFER) as file:
            file.seek(position)
            while found := unpack(file, self.mark, self.size - position):
                if found[0].offset != expected:
                    raise corrupt(self.path, position, expected)
                self.note(expected, position)
                self.since = self.since or found[0].arrival
                expected, position, arrival = expected + 1, position + found[2], found[0].arrival
            if self._continues(file, position, expected):
                raise corrupt(self.path, position, expected)
        self.size = position
        return expected, arrival

    def _continues(self, file: BinaryIO, position: int, offset: int) -> bool:
        """Whether a row of a batch that began behind row `offset` stands somewhere behind `position`."""
        file.seek(position)
        tail, at = file.read(self.size - position), -1
        while (at := tail.find(self.mark, at + 1)) >= 0:
            file.seek(position + at)
            found = unpack(file, self.mark, len(tail) - at)
            if found and found[0].offset - found[1] > offset:
                return True
        return False


def corrupt(path: Path, position: int, offset: int) -> Problem:
    """The page about damage in the row `offset`, which should stand at `position`."""
    return Problem(
        "journal.corrupt", f"row {offset} of the journal is damaged", where=f"{path}, byte {position}",
        still="every row before it is whole; nothing was changed or cut",
        todo="check the disk; put the data folder back from a copy, or move all of it aside and start afresh: "
             "what was not judged yet is lost then",
    )  # fmt: skip
