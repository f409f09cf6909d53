"""Where one top-level value of a connection ends and the next begins: msgpack values or JSON texts, cut anywhere.

Cheap on partial data: no byte is looked at twice. A header is only a promise, so one that promises more than the limits
allow is refused before anything of it is kept. What the values mean is not known here.
"""

from __future__ import annotations

import re
from typing import Protocol

import msgpack

from ..problem import PeerError
from .entries import TOO_MANY
from .heads import content, is_array, is_text

__all__ = ["TOO_LARGE", "JsonStream", "MsgpackStream", "Stream"]

TOO_LARGE = "frame_too_large"

_ADVICE = "lower chunk_limit_size at the sender, or raise the limit here"
_LARGE = 1 << 20
_GAP = re.compile(rb"[ \t\r\n]*")
_OUTSIDE = re.compile(rb'["\[\]{}]')
_INSIDE = re.compile(rb'["\\]')
_QUOTE, _BACKSLASH = b'"\\'
_CLOSERS = {ord("["): ord("]"), ord("{"): ord("}")}


def _unpacker() -> msgpack.Unpacker:
    return msgpack.Unpacker(read_size=4096, max_buffer_size=0)  # no limit of its own: `held` is what counts


class Stream(Protocol):
    """Bytes in, whole values out. `broken` is set once nothing behind the values taken so far can be told apart."""

    held: int  # bytes of the value that is not complete yet
    broken: PeerError | None

    def feed(self, data: bytes) -> None:
        """Stores what was received."""
        ...

    def take(self) -> tuple[bytes, list[int]]:
        """The values that are complete, one behind the other, and where each ends. Each comes out once."""
        ...


class MsgpackStream:
    """msgpack values of at most `limit` bytes; a frame's array of entries may declare at most `most`."""

    def __init__(self, limit: int, most: int) -> None:
        self._limit, self._most = limit, most
        self._unpacker, self._base = _unpacker(), 0
        self._parts = list[bytes]()
        self._look = 1  # how many bytes of the value must be there before its next header can be looked at; 0: all were
        self.held, self.broken = 0, None

    held: int
    broken: PeerError | None

    def feed(self, data: bytes) -> None:
        """Stores what was received."""
        self._unpacker.feed(data)
        self._parts.append(data)
        self.held += len(data)

    def take(self) -> tuple[bytes, list[int]]:
        """The values that are complete, one behind the other, and where each ends. Each comes out once."""
        ends = self._ends()
        if not ends:
            self._vet()
            return b"", ends
        data = b"".join(self._parts)
        last = ends[-1]
        self._parts, self.held, self._base, self._look = [data[last:]], len(data) - last, self._base + last, 1
        if last > _LARGE and not self.broken:  # an unpacker never gives back what it once needed
            self._unpacker, self._base = _unpacker(), 0
            self._unpacker.feed(self._parts[0])
        self._vet()
        return data, ends

    def _ends(self) -> list[int]:
        ends = list[int]()
        skip, tell, base = self._unpacker.skip, self._unpacker.tell, self._base
        try:
            while True:
                skip()
                ends.append(tell() - base)
        except msgpack.OutOfData:
            pass
        except msgpack.StackError:
            self.broken = PeerError("too_deep", "a value nests deeper than msgpack allows")
        except ValueError:
            self.broken = PeerError("not_msgpack", "a byte that begins no msgpack value")
        return self._within(ends)

    def _within(self, ends: list[int]) -> list[int]:
        """The values up to the first that is too long: the same ones, however the bytes were cut."""
        start = 0
        for index, end in enumerate(ends):
            if end - start > self._limit:
                self.broken = self._too_large(end - start, b"".join(self._parts)[start:end])
                return ends[:index]
            start = end
        return ends

    def _vet(self) -> None:
        """Refuses an incomplete value by what it holds already, or by what its headers declare."""
        if self.broken or not self.held:
            return
        if self.held > self._limit:
            self.broken = self._too_large(self.held, self._parts[0])
        elif 0 < self._look <= self.held:
            self._parts = [b"".join(self._parts)]
            self._look = self._declared(self._parts[0])

    def _declared(self, head: bytes) -> int:
        """Looks at the headers of the value, of its tag and of its entries; returns when to look again, 0 for never."""
        at = 0
        for level in range(3):
            try:
                start, length = content(head, at)
            except IndexError:
                return max(len(head), at) + 1
            kind = head[at]
            if level == 2 and is_array(kind) and length > self._most:
                self.broken = PeerError(TOO_MANY, f"{length} entries declared in one frame, {_tag(head)}; {_ADVICE}")
            elif length > self._limit:
                self.broken = self._too_large(length, head)
            if self.broken or (level == 0 and not is_array(kind)) or (level == 1 and not is_text(kind)):
                break
            at = start if level == 0 else start + length
        return 0

    def _too_large(self, size: int, head: bytes) -> PeerError:
        return PeerError(TOO_LARGE, f"{size} bytes in one frame, {_tag(head)}; {self._limit} are allowed; {_ADVICE}")


def _tag(frame: bytes) -> str:
    """The tag of a frame that is refused, for people."""
    try:
        start, length = content(frame, content(frame)[0])
    except IndexError:
        return "no tag"
    return f"tag {frame[start : start + min(length, 200)].decode('utf-8', 'backslashreplace')}"


class JsonStream:
    """JSON arrays and objects of at most `limit` bytes, with or without blanks between them."""

    def __init__(self, limit: int) -> None:
        self._limit, self._data = limit, bytearray()
        self._at, self._quoted = 0, False
        self._closers = bytearray()  # what will close the brackets that are open, innermost last
        self.held, self.broken = 0, None

    held: int
    broken: PeerError | None

    def feed(self, data: bytes) -> None:
        """Stores what was received."""
        self._data += data
        self.held += len(data)

    def take(self) -> tuple[bytes, list[int]]:
        """The values that are complete, one behind the other, and where each ends. Each comes out once."""
        ends = list[int]()
        start = 0
        while not self.broken and (end := self._end()):
            if end - start > self._limit:
                self.broken = PeerError(TOO_LARGE, f"{end - start} bytes in one frame, {self._limit} are allowed")
                break
            ends.append(end)
            start = end
        data = bytes(self._data[:start])
        del self._data[:start]
        self._at -= start
        self.held = 0 if self._data.isspace() else len(self._data)
        if self.held > self._limit and not self.broken:
            self.broken = PeerError(TOO_LARGE, f"{self.held} bytes in one frame, {self._limit} are allowed")
        return data, ends

    def _end(self) -> int:
        """Where the value ends that is being scanned; 0 if it is not complete."""
        data = self._data
        while True:
            if not self._closers:
                self._at = _after_gap(data, self._at)
                if self._at < len(data) and data[self._at] not in b"[{":
                    self.broken = PeerError("not_json", "neither an array nor an object begins here")
                    return 0
            found = (_INSIDE if self._quoted else _OUTSIDE).search(data, self._at)
            if not found:
                self._at = max(self._at, len(data))
                return 0
            self._at = found.end()
            self._step(found[0][0])
            if self.broken:
                return 0
            if not self._closers and not self._quoted:
                return self._at

    def _step(self, sign: int) -> None:
        if sign == _BACKSLASH:
            self._at += 1  # whatever is escaped, also when it has not come yet
        elif sign == _QUOTE:
            self._quoted = not self._quoted
        elif sign in _CLOSERS:
            self._closers.append(_CLOSERS[sign])
        elif self._closers.pop() != sign:
            self.broken = PeerError("not_json", "a bracket is closed by another kind")


def _after_gap(data: bytearray, at: int) -> int:
    found = _GAP.match(data, at)
    return found.end() if found else at
