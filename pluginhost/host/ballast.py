"""Ballast: room on the disk held by a file, let go when the disk is full, so that what was taken in can still be finished.

While it is gone the doors take nothing (the journal would eat the room), but alerts are committed, deliveries settled, checkpoints
written, and files of the journal removed. It is made again once there is room for it twice. Nothing here waits or is told twice.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

from ..metrics import Counts

__all__ = ["COUNTS", "Ballast"]

log = logging.getLogger(__name__)

COUNTS = ("released", "restored")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_ROOM = 256 << 10  # less than this is as good as nothing: SQLite tells some full disks as a failed one


class Ballast:
    """The file in `path`. Without it (`held` false) nothing more should be taken in. A `size` of 0 is none at all, and always held."""

    def __init__(self, path: Path, size: int, counts: Counts) -> None:
        self._path, self._size, self._counts = path, size, counts
        self.held = True
        if not size:
            path.unlink(missing_ok=True)
        elif not self._made():
            self.held = False
            log.error("no room for the ballast of %d bytes in %s: nothing is taken in until there is", size, path)

    def hit(self, error: OSError) -> None:
        """A write went wrong; if the disk is full, the ballast goes."""
        if not self._size or not self.held or (error.errno not in _FULL and self._free() >= _NO_ROOM):
            return
        self._path.unlink(missing_ok=True)
        self.held = False
        self._counts["released"] += 1
        log.error("the disk is full: %d bytes of ballast are let go, and nothing is taken in until there is room for them", self._size)

    def restore(self) -> bool:
        """Whether it is held again, or still."""
        if self.held or self._free() < 2 * self._size or not self._made():
            return self.held
        self.held = True
        self._counts["restored"] += 1
        log.warning("the disk has room again: records are taken in")
        return True

    def closed(self) -> str:
        """Why nothing can be taken in; empty if it can."""
        return "" if self.held else "disk full"

    def _free(self) -> int:
        told = os.statvfs(self._path.parent)
        return told.f_bavail * told.f_frsize

    def _made(self) -> bool:
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, self._size)
                os.ftruncate(file, self._size)
            finally:
                os.close(file)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        return True
