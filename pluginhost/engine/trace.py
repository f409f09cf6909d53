"""What a worker is at, in a file that outlives it: which analyzer is called at which record.

The worker assigns three integers in mapped memory, which is all that a call costs; the host looks now and then, to see where time
goes (`sampling`), and once more when the worker has died, to see at what. Nothing is synced: the machine itself goes on.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import MutableSequence
from pathlib import Path
from typing import NamedTuple, cast

import msgspec

__all__ = ["Call", "Reader", "Trace", "last"]

_HEAD = struct.Struct("<qqqq")  # offset, index, unit, how often the names behind it have changed
_NONE = -1


class Call(NamedTuple):
    """A call of `analyzer` at the record number `record` of the row at `offset`."""

    analyzer: str
    offset: int
    record: int


class Trace:
    """The worker's side. `note` is (offset, index, unit) to be assigned to; a `unit` is a place in the list given to `names`."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._file, _HEAD.size)
        self._head = memoryview(mmap.mmap(self._file, _HEAD.size)).cast("q")
        self.note = cast("MutableSequence[int]", self._head[:3])
        self.done()
        self.names([])

    def names(self, names: list[str]) -> None:
        """Says what the units are called; no call may be under way."""
        text = msgspec.msgpack.encode(names)
        os.pwrite(self._file, text, _HEAD.size)
        os.ftruncate(self._file, _HEAD.size + len(text))
        self._head[3] += 1

    def done(self) -> None:
        """No call is under way."""
        self.note[2] = _NONE


class Reader:
    """The host's side: `call` is where the worker is now, or was when it died. A worker that has not begun yet has no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._changes, self._names = -1, list[str]()

    def call(self) -> Call | None:
        """The call that is under way, or None. Read while the worker writes it, it may be of two neighbours, once in a while."""
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDONLY)
            offset, index, unit, changes = _HEAD.unpack(os.pread(self._file, _HEAD.size, 0))
            if changes != self._changes:
                self._names = msgspec.msgpack.decode(os.pread(self._file, os.fstat(self._file).st_size, _HEAD.size), type=list[str])
                self._changes = changes
        except (OSError, struct.error, msgspec.MsgspecError):  # not there yet, or being written
            return None
        return Call(self._names[unit], offset, index) if offset >= 0 and 0 <= unit < len(self._names) else None

    def close(self) -> None:
        """Lets go of the file: the next worker writes another one."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._changes = -1, -1


def last(path: Path) -> Call | None:
    """The call that was under way when the worker of this file ended, or None."""
    with contextlib.closing(Reader(path)) as reader:
        return reader.call()
