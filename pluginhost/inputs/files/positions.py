"""How far each file was read, kept over a restart. Knows no file's content: only where it was found and what it began with.

A file is known by device, inode and a hash of its first bytes, whatever it is called by now. The book is written whole, synced, and
put in the old one's place, so that it is never half of two.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

__all__ = ["HEAD", "Book", "Entry", "fingerprint"]

_LOG = logging.getLogger(__name__)
HEAD = 1024
"""How many bytes at the beginning of a file tell it from others, at the most."""


class Entry(msgspec.Struct, array_like=True):
    """One file, as far as it was read: durable up to `position`. `head` bytes at its beginning have the hash `digest`."""

    serial: bytes
    path: bytes
    device: int
    inode: int
    head: int = 0
    digest: bytes = b""
    position: int = 0

    @classmethod
    def new(cls, path: str, device: int, inode: int) -> Entry:
        """An entry of a file that was never seen before."""
        return cls(secrets.token_bytes(8), os.fsencode(path), device, inode)

    @property
    def name(self) -> str:
        """The path under which it was found first."""
        return os.fsdecode(self.path)


class _Kept(msgspec.Struct, array_like=True):
    patterns: list[str] = []
    entries: list[Entry] = []


class Book:
    """The positions of one input in `folder`; without a folder they last as long as the process. At most `most` are kept."""

    def __init__(self, folder: Path | None, most: int) -> None:
        self._file = folder / "positions" if folder else None
        self._most = most
        self.patterns: set[str] = set()  # those whose files were looked for before
        self.entries: dict[bytes, Entry] = {}
        self.saved: dict[bytes, int] = {}
        self._saved_patterns: set[str] = set()

    def load(self) -> None:
        """Reads what an earlier process wrote. A damaged book is told and begun anew."""
        if self._file is None or not self._file.exists():
            return
        try:
            kept = msgspec.msgpack.decode(self._file.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError) as error:
            _LOG.error("%s cannot be read (%s): files are read as if they were seen for the first time", self._file, error)
            return
        self.patterns, self._saved_patterns = set(kept.patterns), set(kept.patterns)
        self.entries = {entry.serial: entry for entry in kept.entries}
        self.saved = {entry.serial: entry.position for entry in kept.entries}

    def save(self, open_now: Collection[bytes]) -> None:
        """Writes the book and syncs it; raises `OSError`. Of files that are not open the oldest are forgotten beyond `most`."""
        idle = [serial for serial in self.entries if serial not in open_now]
        for serial in idle[: max(len(self.entries) - self._most, 0)]:
            del self.entries[serial]
        now, patterns = {serial: entry.position for serial, entry in self.entries.items()}, set(self.patterns)
        if self._file is not None:
            _replaced(self._file, msgspec.msgpack.encode(_Kept(sorted(patterns), list(self.entries.values()))))
        self.saved, self._saved_patterns = now, patterns

    @property
    def changed(self) -> bool:
        """Whether there is something that was not saved."""
        return self.saved != {serial: entry.position for serial, entry in self.entries.items()}

    @property
    def incomplete(self) -> bool:
        """Whether a file or a pattern is missing in what was saved."""
        return self.patterns != self._saved_patterns or not self.entries.keys() <= self.saved.keys()

    def settled(self, entry: Entry) -> bool:
        """Whether a crash right after the next row of this file would leave no doubt: it is in the saved book, and so is all that was
        read of others that were found under the same path. The newest row of a path then says the rest.
        """
        rivals = (one for one in self.entries.values() if one.path == entry.path and one is not entry)
        return entry.serial in self.saved and all(self.saved.get(one.serial) == one.position for one in rivals)

    def known(self, path: str, stat: os.stat_result, descriptor: int) -> Entry | None:
        """The entry of an open file that was seen before; None if it is another one or was cut short since."""
        for entry in self._alike(os.fsencode(path), stat):
            if entry.position <= stat.st_size and entry.head <= stat.st_size and fingerprint(descriptor, entry.head) == entry.digest:
                return entry
        return None

    def _alike(self, path: bytes, stat: os.stat_result) -> Iterator[Entry]:
        for entry in self.entries.values():  # a device's number may be another after the machine was started again
            if entry.inode == stat.st_ino and (entry.device == stat.st_dev or entry.path == path):
                yield entry


def fingerprint(descriptor: int, size: int) -> bytes:
    """A hash of the first `size` bytes."""
    return hashlib.blake2b(os.pread(descriptor, size, 0), digest_size=16).digest() if size else b""


def _replaced(file: Path, data: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.closing(os.fdopen(descriptor, "wb", closefd=False)) as out:
            out.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
