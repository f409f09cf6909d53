"""Messages of a broker → chunks. A message is one body in any form that `wire.bodies` reads; neighbours may share a chunk.

Each message is read for itself, so that a broken one harms no other and none can be made to swallow the next; only the bounds of what was
found are put together. The bytes of a message are never re-encoded. No sockets, no broker.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

import msgspec

from ..problem import PeerError
from ..wire.bodies import Limits, Unreadable, decode_body
from ..wire.chunk import Chunk, Columns, Rejection

__all__ = ["Message", "Portion", "portions", "read"]

_CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "ascii", "binary", "8bit", "7bit", "iso-8859-1", "latin-1", "latin1"))
"""What some senders have in the place of a packing; Python's kombu, and so MozDef's, says `utf-8`."""
_PLAIN = ("", "application/json", "application/x-ndjson")
_EARLIEST, _LATEST = 10**17, (1 << 63) - 1  # ns: 1973, and what a column holds


class Message(msgspec.Struct, frozen=True, gc=False):
    """What a broker gave: `time` in ns is the broker's own word for when it came about, 0 if it has none."""

    value: bytes
    offset: int = 0
    time: int = 0
    content_type: str = ""
    content_encoding: str = ""


class Portion(msgspec.Struct, frozen=True):
    """Messages that become durable together: `chunk` is None if nothing is in them; `next` is the offset behind the last one."""

    chunk: Chunk | None
    next: int
    unreadable: int


def read(message: Message, tag: str, limits: Limits) -> Chunk:
    """The chunk in one message; what can never be read is a chunk of a rejection. Records without a time get the message's."""
    encoding = message.content_encoding.strip().lower()
    try:
        chunk = decode_body(message.value, content_type=message.content_type, content_encoding="" if encoding in _CHARSETS else encoding,
                            tag=tag, limits=limits)  # fmt: skip
    except Unreadable as error:
        return error.chunk
    except PeerError as error:
        return Unreadable(error.reason, error.hint, tag=tag, body=message.value).chunk
    return _timed(chunk, _stamp(message.time))


def portions(messages: Iterable[Message], tag: str, limits: Limits, most_bytes: int) -> Iterator[Portion]:
    """The messages of one partition as chunks of about `most_bytes` at most, in order; read as they are asked for."""
    for run in _runs(messages, most_bytes):
        if (chunk := _together(run, tag, limits)) is not None:
            yield Portion(chunk, run[-1].offset + 1, 0)
        else:
            yield from _one_by_one(run, tag, limits, most_bytes)


def _runs(messages: Iterable[Message], most_bytes: int) -> Iterator[list[Message]]:
    run: list[Message] = []
    size = 0
    for message in messages:
        if run and size + len(message.value) > most_bytes:
            yield run
            run, size = [], 0
        run.append(message)
        size += len(message.value) + 1
    if run:
        yield run


def _together(run: Sequence[Message], tag: str, limits: Limits) -> Chunk | None:
    """All of them read at once, four times as fast, if each is one JSON object and nothing else; None if that is not sure."""
    if not all(one.value.startswith(b"{") and one.content_type in _PLAIN and not one.content_encoding for one in run):
        return None
    data = b"\n".join([one.value for one in run])
    try:
        chunk = decode_body(data, content_type="application/x-ndjson", tag=tag, limits=limits)
    except PeerError:
        return None
    columns, starts = chunk.columns, list(accumulate([len(one.value) + 1 for one in run[:-1]], initial=0))
    if chunk.rejected or chunk.codec != "json" or columns.starts.tolist() != starts:
        return None  # with as many objects as messages, each begun where its message begins, none reaches into the next
    times = [own or _stamp(one.time) for own, one in zip(columns.times, run, strict=True)]
    return msgspec.structs.replace(chunk, columns=msgspec.structs.replace(columns, times=array("q", times)),
                                   chunk_id=_named(run[0].offset, run[-1].offset))  # fmt: skip


def _one_by_one(messages: Sequence[Message], tag: str, limits: Limits, most_bytes: int) -> Iterator[Portion]:
    held: list[Chunk] = []
    first = following = size = unreadable = 0
    codec = ""  # of the first that holds a record
    for message in messages:
        chunk = read(message, tag, limits)
        if held and (size + len(chunk.data) > most_bytes or not _alike(codec, held[0], chunk)):
            yield Portion(_joined(held, first, following), following, unreadable)
            held, size, unreadable, codec = [], 0, 0, ""
        if chunk.count or chunk.rejected:
            first = first if held else message.offset
            held.append(chunk)
            size += len(chunk.data) + 1
            unreadable += not chunk.count
            codec = codec or (chunk.codec if chunk.count else "")
        following = message.offset + 1
    if following:
        yield Portion(_joined(held, first, following), following, unreadable)


def _alike(codec: str, first: Chunk, chunk: Chunk) -> bool:
    """Whether one codec reads the records of all: that of lines reads objects, too."""
    if first.columns.metas or chunk.columns.metas:
        return False
    return not (codec and chunk.count) or (codec == "msgpack") == (chunk.codec == "msgpack")


def _codec(chunks: Sequence[Chunk]) -> str:
    found = {one.codec for one in chunks if one.count}
    return found.pop() if len(found) == 1 else "line"


def _stamp(time: int) -> int:
    return time if _EARLIEST < time < _LATEST else 0


def _named(first: int, last: int) -> bytes:
    return b"%d-%d" % (first, last)


def _timed(chunk: Chunk, time: int) -> Chunk:
    columns = chunk.columns
    if not time or 0 not in columns.times:
        return chunk
    times = array("q", [one or time for one in columns.times])
    return msgspec.structs.replace(chunk, columns=msgspec.structs.replace(columns, times=times))


def _joined(chunks: Sequence[Chunk], first: int, following: int) -> Chunk | None:
    """One chunk of all, under the name `first-last`; what was packed is unpacked in it."""
    if not chunks:
        return None
    starts, ends, times, rejected = array("I"), array("I"), array("q"), list[Rejection]()
    base = 0
    for one in chunks:
        columns = one.columns
        starts.extend([start + base for start in columns.starts])
        ends.extend([end + base for end in columns.ends])
        times.extend(columns.times)
        rejected += [Rejection(part.reason, part.start + base, part.end + base) for part in one.rejected]
        base += len(one.data) + 1
    data = b"\n".join([one.data for one in chunks])
    lone = chunks[0].columns.metas if len(chunks) == 1 else ()
    return Chunk(chunks[0].tag, _codec(chunks), data, data, Columns(starts, ends, times, lone), chunk_id=_named(first, following - 1),
                 rejected=tuple(rejected))  # fmt: skip
