"""A worker's last words: which analyzer was called at which record, in a file that outlives the process.

The worker notes each call in a few bytes of mapped memory; when it dies, the host reads whom it died at. Nothing is synced: the
machine itself goes on.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

__all__ = ["Call", "Trace", "last"]

_NOTE = struct.Struct("<qq64s")  # offset, index, name


class Call(NamedTuple):
    """A call of `analyzer` at the record number `record` of the row at `offset`."""

    analyzer: str
    offset: int
    record: int


class Trace:
    """The worker's side."""

    def __init__(self, path: Path) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, _NOTE.size)
            self._note = mmap.mmap(handle, _NOTE.size)
        finally:
            os.close(handle)
        self.done()

    def enter(self, name: bytes, offset: int, index: int) -> None:
        """A call begins."""
        _NOTE.pack_into(self._note, 0, offset, index, name)

    def done(self) -> None:
        """No call is under way."""
        _NOTE.pack_into(self._note, 0, -1, 0, b"")


def last(path: Path) -> Call | None:
    """The call that was under way when the worker of this file ended, or None."""
    try:
        offset, index, name = _NOTE.unpack(path.read_bytes())
    except (OSError, struct.error):
        return None
    return Call(name.rstrip(b"\0").decode("ascii", "replace"), offset, index) if offset >= 0 else None
