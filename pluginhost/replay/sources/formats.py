"""The forms that records have in files: bytes → chunks, block by block, so that a file of any size takes the memory of a block.

Each is read by what reads it live (`wire`); here only the places are found where a block may end. What no record is, is a chunk's
rejection, as it is at a door.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Literal, get_args

import msgpack
import msgspec

from ...problem import PeerError
from ...wire.bodies import Unreadable, decode_body
from ...wire.chunk import Chunk
from ...wire.dialects import Limits as ForwardLimits
from ...wire.forward import COUNTERS, Connection
from ...wire.heads import is_array, is_map, is_text
from .port import LIMITS

__all__ = ["FORMATS", "Kind", "chunk_of", "kind_of"]

Kind = Literal["lines", "json", "csv", "msgpack", "forward"]
Read = Callable[[int], bytes]

_BLOCK = 1 << 20
_ROWS = 1000
_JSON = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)  # only where a value ends is asked


def kind_of(name: str, head: bytes) -> Kind:
    """What a file is, by the end of its name and by how it begins."""
    if name.endswith((".csv", ".tsv")):
        return "csv"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] == b"[" and start[1:].lstrip()[:1] in (b"{", b"]"):
        return "json"
    if start[:1] == b"{" and not _is_json(start.partition(b"\n")[0]) and start[1:].lstrip(b" \t\r\n")[:1] in (b'"', b"}"):
        return "json"  # an object over several lines
    if head and is_map(head[0]):
        return "msgpack"
    if head and is_array(head[0]):
        inner = head[1 if head[0] < 0xA0 else 3 if head[0] == 0xDC else 5 :]
        return "forward" if inner and is_text(inner[0]) else "msgpack"
    return "lines"


def _is_json(line: bytes) -> bool:
    """Whether the line is a JSON value; one that is longer than the head is taken for one."""
    if len(line) >= 4000:
        return True
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def chunk_of(body: bytes, kind: str, tag: str) -> Chunk:
    """The chunk in a body of this content type; one without records where nothing of it can be read."""
    try:
        return decode_body(body, content_type=kind, tag=tag, limits=LIMITS)
    except Unreadable as error:
        return error.chunk
    except PeerError as error:
        return Unreadable(error.reason, error.hint, tag=tag, body=body).chunk


def _lines(read: Read, tag: str) -> Iterator[Chunk]:
    """Text: a line that is a JSON object is a record, any other a message."""
    rest, passing = b"", False
    while data := read(_BLOCK):
        whole, found, tail = (rest + data).rpartition(b"\n")
        if passing and found:  # up to the end of a line too long
            whole, passing = whole.partition(b"\n")[2], False
        if found and whole:
            yield chunk_of(whole + b"\n", "text/plain", tag)
        rest = tail if found or not passing else b""
        if len(rest) > LIMITS.record:
            yield Unreadable("too_large", "a line is too long", tag=tag, body=rest).chunk
            rest, passing = b"", True
    if rest and not passing:
        yield chunk_of(rest, "text/plain", tag)


def _objects(read: Read, tag: str) -> Iterator[Chunk]:
    """JSON objects in an array or one after another, over as many lines as they like."""
    text, at, ended = "", 0, False
    while not ended:
        data = read(_BLOCK)
        ended = not data
        text, at = text[at:] + data.decode("utf-8", "surrogateescape"), 0
        found = []
        while (end := _end(text, at := _next(text, at), ended=ended)) > at:
            found.append(text[at:end])
            at = end
        if found:
            yield chunk_of("\n".join(map(_one_line, found)).encode("utf-8", "surrogateescape"), "application/x-ndjson", tag)
        if len(text) - at > LIMITS.record or (ended and at < len(text)):
            yield Unreadable("malformed", "no JSON from here on", tag=tag, body=text[at : at + _BLOCK].encode("utf-8", "replace")).chunk
            return


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,[]\ufeff":
        at += 1
    return at


def _end(text: str, at: int, *, ended: bool) -> int:
    """Where the value at `at` ends; `at` itself if it is not whole."""
    try:
        end = _JSON.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return at
    return end if text[at] == "{" or ended or end < len(text) else at  # a number may go on


def _one_line(value: str) -> str:
    """Between the parts of a value a line feed is space; inside a text there is none."""
    return value.replace("\r", " ").replace("\n", " ")


def _csv(read: Read, tag: str) -> Iterator[Chunk]:
    """Rows below a header, each an object of texts; an empty cell is missing."""
    rows = csv.reader(text := _Lines(read), delimiter=text.delimiter)
    header: list[str] | None = None
    while True:
        found: list[bytes] = []
        bad = 0
        while len(found) < _ROWS:
            try:
                row = next(rows)
            except StopIteration:
                break
            except csv.Error:
                bad += 1
                continue
            if header is None:
                header = [name.strip().lstrip("\ufeff") for name in row]
            elif record := {name: cell for name, cell in zip(header, row, strict=False) if name and cell}:
                found.append(msgspec.json.encode(record))
        if bad:
            yield Unreadable("malformed", f"{bad} rows are none", tag=tag, body=b"").chunk
        if not found:
            return
        yield chunk_of(b"\n".join(found), "application/x-ndjson", tag)


class _Lines:
    """The lines of a text, with their ends, for `csv`; `delimiter` is what parts the header's cells."""

    def __init__(self, read: Read) -> None:
        self._read, self._rest = read, ""
        self._decode = io.IncrementalNewlineDecoder(None, translate=False).decode
        self._waiting: list[str] = []
        self._fill()
        first = self._waiting[0] if self._waiting else ""
        self.delimiter = max(",;\t|", key=first.count)

    def _fill(self) -> None:
        while not self._waiting and (data := self._read(_BLOCK)):
            *whole, self._rest = (self._rest + data.decode("utf-8", "backslashreplace")).split("\n")
            self._waiting = [f"{line}\n" for line in whole]
        if not self._waiting and self._rest:
            self._waiting, self._rest = [self._rest], ""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        self._fill()
        if not self._waiting:
            raise StopIteration
        return self._waiting.pop(0)


def _entries(read: Read, tag: str) -> Iterator[Chunk]:
    """Maps, or the entries `[time, record]` of a forward chunk, one behind the other in msgpack."""
    buffer = b""
    while data := read(_BLOCK):
        buffer += data
        end = _whole(buffer)
        if end:
            yield chunk_of(buffer[:end], "application/msgpack", tag)
            buffer = buffer[end:]
        if len(buffer) > LIMITS.record:
            break
    if buffer:
        yield chunk_of(buffer, "application/msgpack", tag)


def _whole(data: bytes) -> int:
    """Where the last whole item ends; all of it where it is no msgpack: then it is for the reader to say so."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(data))
    unpacker.feed(data)
    end = 0
    try:
        while True:
            unpacker.skip()
            end = unpacker.tell()
    except msgpack.OutOfData:
        return end
    except ValueError:
        return len(data)


def _frames(read: Read, _: str) -> Iterator[Chunk]:
    """What was sent over the forward protocol, as captured: each frame has its own tag."""
    counts = dict.fromkeys(COUNTERS, 0)
    connection = Connection(ForwardLimits(), counts)
    try:
        while data := read(_BLOCK):
            connection.receive_data(data)
            yield from (frame.chunk for frame in connection.frames() if frame.chunk is not None)
    except PeerError as error:
        yield Unreadable(error.reason, error.hint, tag="", body=b"").chunk


FORMATS: dict[str, Callable[[Read, str], Iterator[Chunk]]] = {
    "lines": _lines, "json": _objects, "csv": _csv, "msgpack": _entries, "forward": _frames,
}  # fmt: skip
assert set(FORMATS) == {*get_args(Kind)}  # noqa: S101 - both are told to people
