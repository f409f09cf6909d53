"""One open file or pipe, read in pieces of whole lines. No loop, no clock, no journal: what a piece becomes is the door's affair.

A piece ends behind a line's end. A line without its end is left until the file is finished, for a writer may be in the middle of it. Files
that were cut short (copied away and truncated) begin anew. A line beyond the bound is passed over; what is kept of it is its beginning.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat as modes
from typing import Protocol

import msgspec

from .positions import HEAD, Entry, fingerprint

__all__ = ["BLOCK", "Fifo", "Piece", "Source", "Tail", "opened"]

BLOCK = 1 << 20
"""How much is read at a time, unless a line may be longer."""
_KEPT = 64 << 10  # of a line too long
_READS = 64  # of a pipe before others have their turn


class Piece(msgspec.Struct, frozen=True):
    """Lines, and where the next ones begin. `cut`: the beginning of a single line that is too long."""

    body: bytes
    end: int
    cut: bool = False


class Source(Protocol):
    """What is read from. `entry` is None where nothing can be read twice."""

    path: str
    finished: bool  # nothing more will be written: a line without its end is whole

    @property
    def entry(self) -> Entry | None:
        """What is remembered of it."""
        ...

    @property
    def waiting(self) -> bool:
        """Whether there may be something to read."""
        ...

    def read(self) -> Piece | None:
        """The next piece, the same one until it was `taken`; None if there is none just now."""
        ...

    def taken(self, piece: Piece) -> None:
        """The piece is durable."""
        ...

    def close(self) -> None:
        """Lets go of the file."""
        ...


class Tail:
    """A regular file."""

    def __init__(self, path: str, descriptor: int, entry: Entry, longest: int) -> None:
        self.path, self.entry, self.finished, self.cut_short = path, entry, False, False
        self._descriptor, self._longest = descriptor, longest
        self._looked = -1  # up to where a line's end was looked for in vain
        self._seen = self._read = (-1, -1)  # size and time of the last change when nothing was left, and when it was read last

    @property
    def deleted(self) -> bool:
        """Whether it has no name any more."""
        return os.fstat(self._descriptor).st_nlink == 0

    @property
    def size(self) -> int:
        """How large the file is by now."""
        return os.fstat(self._descriptor).st_size

    @property
    def waiting(self) -> bool:
        """Whether it changed since nothing was left to read; a file that was cut short may have grown to the same size again."""
        return self._now() != self._seen or (self.finished and self.size != self.entry.position)

    def read(self) -> Piece | None:
        """The next lines; None if there is no whole one. `cut_short` is set if the file is another one by now: `begin` then."""
        entry, self._read = self.entry, self._now()
        size = self._read[0]
        self.cut_short = size < entry.position or (entry.head <= size and fingerprint(self._descriptor, entry.head) != entry.digest)
        if self.cut_short:
            return None
        data = os.pread(self._descriptor, max(BLOCK, self._longest + 1), entry.position)
        if whole := data.rfind(b"\n") + 1:
            return Piece(data[:whole], entry.position + whole)
        if len(data) > self._longest:
            return self._beyond(data)
        if self.finished and data:
            return Piece(data, entry.position + len(data))
        self._seen = self._read
        return None

    def taken(self, piece: Piece) -> None:
        """Goes on behind the piece."""
        self.entry.position = piece.end
        self._looked = -1
        if piece.end == self._read[0]:
            self._seen = self._read
        if self.entry.head < HEAD:
            self.entry.head = min(HEAD, piece.end)
            self.entry.digest = fingerprint(self._descriptor, self.entry.head)

    def begin(self) -> None:
        """Goes on as another file, from its beginning."""
        self.entry, self.cut_short = Entry.new(self.entry.name, self.entry.device, self.entry.inode), False
        self._looked, self._seen = -1, (-1, -1)

    def skip(self) -> None:
        """Goes to the beginning of the last line, for a file of which only what comes is wanted."""
        size = self.size
        start = max(0, size - BLOCK)
        at = os.pread(self._descriptor, size - start, start).rfind(b"\n")
        self.taken(Piece(b"", start + at + 1 if at >= 0 or not start else size))

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._descriptor)

    def _now(self) -> tuple[int, int]:
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns

    def _beyond(self, data: bytes) -> Piece | None:
        """The beginning of a line too long, once it has an end."""
        start = max(self._looked, self.entry.position + len(data))
        while block := os.pread(self._descriptor, BLOCK, start):
            if (at := block.find(b"\n")) >= 0:
                return Piece(data[:_KEPT], start + at + 1, cut=True)
            start += len(block)
        self._looked, self._seen = start, self._read
        return Piece(data[:_KEPT], start, cut=True) if self.finished else None


class Fifo:
    """A named pipe. What was read and is not durable yet is lost with the process: nobody can read it twice."""

    def __init__(self, path: str, descriptor: int, longest: int) -> None:
        self.path, self.finished, self.entry = path, False, None
        self._descriptor, self._longest = descriptor, longest
        self._held, self._skipping = b"", False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    @property
    def waiting(self) -> bool:
        """Whether a writer has written, or the last one went away in the middle of a line."""
        events = next((events for _, events in self._poll.poll(0)), 0)
        return bool(events & select.POLLIN) or bool(self._held and events & select.POLLHUP)

    def read(self) -> Piece | None:
        """The next lines; None if there is no whole one."""
        ended = self._fill()
        if whole := self._held.rfind(b"\n") + 1:
            return Piece(self._held[:whole], whole)
        if len(self._held) > self._longest:
            return Piece(self._held[:_KEPT], len(self._held), cut=True)
        return Piece(self._held, len(self._held)) if self._held and (ended or self.finished) else None

    def taken(self, piece: Piece) -> None:
        """Goes on behind the piece."""
        self._held, self._skipping = self._held[piece.end :], piece.cut

    def close(self) -> None:
        """Lets go of the pipe."""
        os.close(self._descriptor)

    def _fill(self) -> bool:
        """Reads what there is, within bounds; whether the last writer went away."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_READS):
                if len(self._held) > self._longest:
                    break
                data = os.read(self._descriptor, BLOCK)
                if not data:
                    self._skipping = False
                    return True
                if self._skipping:  # the rest of a line too long
                    _, end, data = data.partition(b"\n")
                    self._skipping = not end
                self._held += data
        return False


def opened(path: str) -> tuple[int, os.stat_result] | None:
    """The open file and what it is; None for what is neither a file nor a pipe. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    found = os.fstat(descriptor)
    if modes.S_ISREG(found.st_mode) or modes.S_ISFIFO(found.st_mode):
        return descriptor, found
    os.close(descriptor)
    return None
