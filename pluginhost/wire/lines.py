"""Lines out of a stream of bytes, and what records they are. No sockets.

A line ends with LF or CR LF; or its length stands before it, as syslog over TCP has it (RFC 6587: `83 <34>1 2026-…`), and then it may hold
anything. A line that is too long is passed over up to its end, and its beginning kept as a dead letter; no other one is harmed by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from .chunk import Chunk, Rejection
from .sieve import TOO_LARGE, Limits, Sieve

__all__ = ["Form", "Lines", "chunk_of", "messages"]

Form = Literal["auto", "lines", "json"]
"""`auto`: a line that is a JSON object is a record, any other a message; `lines`: each is a message; `json`: only objects."""

_KEPT = 64 << 10  # of a line too long
_COUNTED = re.compile(rb"([1-9][0-9]{0,8}) (?=<)")
_MAYBE_COUNTED = re.compile(rb"[1-9][0-9]{0,8} ?\Z")


class Lines:
    """Takes bytes in any pieces. `longest` is the most bytes of a line."""

    def __init__(self, longest: int) -> None:
        self._longest, self._buffer = longest, bytearray()
        self._searched = 0  # up to where an end was looked for in vain
        self._passing = False  # the rest of a line too long is to come
        self.cut: list[bytes] = []

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished line are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends and without empty ones. Beginnings of those too long are added to `cut`."""
        self._buffer += data
        found, at = [], 0
        while (line := self._next(at)) is not None:
            start, end, at = line
            if text := self._told(start, end):
                found.append(text)
        del self._buffer[:at]
        self._searched = max(self._searched - at, 0)
        if len(self._buffer) > self._longest and self._needed(0) is None:
            self._cut()
        return found

    def rest(self) -> list[bytes]:
        """What is left when nothing more comes: a line whose end is the end."""
        text = b"" if self._passing else bytes(self._buffer).strip(b"\r\n")
        self._buffer.clear()
        return [text] if text else []

    def _told(self, start: int, end: int) -> bytes:
        if self._passing:
            self._passing = False
            return b""
        if end - start > self._longest:
            self.cut.append(bytes(self._buffer[start : start + _KEPT]))
            return b""
        return bytes(self._buffer[start:end]).rstrip(b"\r\n")

    def _next(self, at: int) -> tuple[int, int, int] | None:
        """(start, end, where the next begins) of the line at `at`; None if it is not whole."""
        counted = self._needed(at)
        if counted is not None:
            start, end = counted
            return (start, end, end) if end <= len(self._buffer) else None
        end = self._buffer.find(b"\n", max(at, self._searched))
        if end < 0:
            self._searched = len(self._buffer)
            return None
        return at, end, end + 1

    def _needed(self, at: int) -> tuple[int, int] | None:
        """The bounds of a line whose length stands before it; one that claims to be too long is read like any other."""
        if self._passing or not b"1" <= self._buffer[at : at + 1] <= b"9":
            return None
        head = bytes(self._buffer[at : at + 12])
        found = _COUNTED.match(head)
        if found and int(found[1]) <= self._longest:
            return at + found.end(), at + found.end() + int(found[1])
        return (at, len(self._buffer) + 1) if _MAYBE_COUNTED.match(head) else None

    def _cut(self) -> None:
        if not self._passing:
            self.cut.append(bytes(self._buffer[:_KEPT]))
        self._passing = True
        self._buffer.clear()
        self._searched = 0


def chunk_of(lines: Iterable[bytes], form: Form, *, tag: str, limits: Limits, cut: Iterable[bytes] = ()) -> Chunk:
    """The records that the lines are. `cut` are beginnings of lines too long, which become dead letters."""
    texts = list(messages(lines)) if form == "lines" else list(lines)
    beginnings = list(cut)
    body = b"\n".join([*texts, *beginnings])
    sieve, at = Sieve(body, limits), 0
    codec: Literal["json", "line"] = "line" if form == "auto" else "json"
    for text in texts:
        if form == "json" or text[:1] == b"{":
            sieve.judge(codec, at, at + len(text))
        else:
            sieve.good(at, at + len(text), 0)
        at += len(text) + 1
    for text in beginnings:
        sieve.rejected.append(Rejection(TOO_LARGE, at, at + len(text)))
        at += len(text) + 1
    return Chunk(tag, codec, body, body, sieve.columns, rejected=tuple(sieve.rejected))


def messages(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Each line as a record that has it for its message, whatever it looks like."""
    for line in lines:
        if text := line.removesuffix(b"\r"):
            yield msgspec.json.encode({"message": text.decode("utf-8", "backslashreplace")})
