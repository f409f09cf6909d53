"""One frame of the forward protocol, read: the same meaning in two dialects, msgpack and JSON.

A frame is `[tag, time, record, option?]` (Message), `[tag, [entry, …], option?]` (Forward) or `[tag, packed entries, option?]`
(packed, perhaps compressed; msgpack only). A dialect reads one such frame into a `Message` or a `Batch`, both of which keep
bounds instead of decoded records. What a connection makes of them belongs to `forward`.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgpack
import msgspec
from msgspec import Raw

from ..problem import PeerError
from . import compression, entries, stamps
from .chunk import Columns, Rejection
from .entries import TOO_MANY, Split
from .heads import EMPTY_MAPS, NIL, content, is_array, is_map, is_text

__all__ = ["NO_OPTION", "REASONS", "UNREADABLE", "Batch", "Dialect", "Limits", "Message", "Msgpack", "Option", "rejected"]

REASONS: Final = (*entries.REASONS, "bad_tag", "not_packed", "damaged", "too_large", "zstd_missing")
_HEAD = 64 << 10  # how much of a body that cannot be unpacked at all is kept
_PACKINGS = ((compression.GZIP_MAGIC, "gzip"), (compression.ZSTD_MAGIC, "zstd"))


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one connection may ask for. A trip of `frame`, `entries` or `strays` ends it, one of `data` or `depth` the part alone."""

    frame: int = 32 << 20  # most bytes of one frame as received
    data: int = 64 << 20  # most bytes of a frame's entries after unpacking
    entries: int = 500_000  # most entries of one frame
    depth: int = 64  # how deep maps and lists of a record may nest
    strays: int = 8  # how many top-level values that are no frames are borne


class Option(msgspec.Struct, frozen=True):
    """The option map of a frame. `ack` is the answer owed, None for none; `chunk` the id in msgpack; `size` a hint that may lie."""

    ack: bytes | None = None
    chunk: bytes = b""
    signal: int = 0
    size: int = 0
    compressed: str = ""
    metadata: bytes = b""
    readable: bool = True

    @property
    def silent(self) -> bool:
        """Whether the frame is one of many: no answer is owed, and there is nothing to tell of it."""
        return self.ack is None and not self.signal and self.readable


NO_OPTION: Final = Option()
UNREADABLE: Final = Option(readable=False)
_NOTHING: Final = Split(Columns.of(()))  # metrics and traces are never fed to analyzers


class Message(msgspec.Struct, frozen=True, gc=False):
    """A frame of one record: its bounds in the frame, its time, the bounds of its metadata; `reason` if it can never be accepted.

    `start` is -1 where there is nothing to keep: a nil record, a group marker.
    """

    tag: str
    time: int
    start: int
    end: int
    meta: tuple[int, int]
    option: Option
    reason: str = ""


class Batch(msgspec.Struct, frozen=True):
    """A frame of entries; or, without `data`, of something that can only be rejected as a whole."""

    tag: str
    option: Option
    split: Split
    body: bytes
    data: bytes
    packing: str = ""
    hint: str = ""
    junk: bool = False


class Dialect(Protocol):
    """How frames are written on one connection."""

    codec: str

    def read(self, frame: bytes) -> Message | Batch | None:
        """The frame's meaning; None for a value that is no frame. `PeerError` if the connection cannot go on."""
        ...

    def is_nothing(self, frame: bytes) -> bool:
        """Whether the value is a heartbeat."""
        ...


def rejected(option: Option, reason: str, body: bytes, *, tag: str = "", hint: str = "") -> Batch:
    """A frame whose body can never be accepted, with as much of it as is worth keeping."""
    head = body[:_HEAD]
    return Batch(tag, option, Split(Columns.of(()), (Rejection(reason, 0, len(head)),)), head, head, hint=hint)


class _Frame(msgspec.Struct, array_like=True, gc=False):
    """The parts of a frame; what follows the fourth is passed over."""

    tag: Raw
    second: Raw
    third: Raw = Raw()
    fourth: Raw = Raw()


_FRAME = msgspec.msgpack.Decoder(_Frame)
_OPTION = msgspec.msgpack.Decoder(dict[Any, Raw])
_ANY = msgspec.msgpack.Decoder()


class Msgpack:
    """Frames in msgpack."""

    codec = "msgpack"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tag_raw, self._tag = b"", ""  # senders repeat their tags

    def is_nothing(self, frame: bytes) -> bool:
        """Whether the value is a heartbeat."""
        return frame == NIL

    def read(self, frame: bytes) -> Message | Batch | None:
        """The frame's meaning; None for a value that is no frame. `PeerError` if the connection cannot go on."""
        parts = _parts(frame)
        if parts is None:
            return None
        tag_raw, second, third, fourth = parts
        message = not is_text(second[0]) and (not is_array(second[0]) or _is_stamp(second, third))
        if message and not third:
            return None
        option = _option(fourth if message else third)
        tag = self._tag if tag_raw == self._tag_raw else self._new_tag(tag_raw)
        if tag is None:
            return rejected(option, "bad_tag", frame)
        if message:
            return self._message(frame, tag, (content(frame)[0] + len(tag_raw), second, third), option)
        return self._packed(tag, second, option) if is_text(second[0]) else self._array(tag, second, option)

    def _new_tag(self, raw: bytes) -> str | None:
        if not is_text(raw[0]):
            return None
        self._tag_raw, self._tag = raw, raw[content(raw)[0] :].decode("utf-8", "backslashreplace")
        return self._tag

    def _message(self, frame: bytes, tag: str, parts: tuple[int, bytes, bytes], option: Option) -> Message:
        at, stamp, record = parts
        time, *own = stamps.read(stamp)
        start = at + len(stamp)
        if time in (stamps.GROUP_START, stamps.GROUP_END):
            return Message(tag, 0, -1, -1, (0, 0), option)
        if reason := entries.fault(time, record, self._limits.depth):
            return Message(tag, 0, start, start + len(record), (0, 0), option, reason)
        if record == NIL:
            return Message(tag, 0, -1, -1, (0, 0), option)
        meta = (at + own[0], at + own[1]) if own[1] else (0, 0)
        if option.metadata and not own[1]:
            found = frame.rindex(option.metadata)  # equal bytes say the same, wherever they stand
            meta = (found, found + len(option.metadata))
        return Message(tag, time, start, start + len(record), meta, option)

    def _array(self, tag: str, array: bytes, option: Option) -> Batch:
        start, count = content(array)
        if count > self._limits.entries:
            raise PeerError(TOO_MANY, f"{count} entries in one frame, {self._limits.entries} are allowed")
        body = array[start:]
        return Batch(tag, option, _NOTHING if option.signal else self._split(body, count), body, body)

    def _packed(self, tag: str, packed: bytes, option: Option) -> Batch:
        body = packed[content(packed)[0] :]
        if option.signal:
            return Batch(tag, option, _NOTHING, body, body)
        packing = next((name for magic, name in _PACKINGS if body.startswith(magic)), "")
        if not packing and body and option.compressed in ("gzip", "zstd"):
            return rejected(option, "not_packed", body, tag=tag)
        try:
            data, trouble = compression.unpack_leniently(packing, body, self._limits.data)
        except PeerError as error:  # needs a package that is missing
            return rejected(option, error.reason, body, tag=tag, hint=error.hint)
        if trouble and trouble != "junk" and not (data and trouble in ("cut_off", "damaged")):
            return rejected(option, trouble, body, tag=tag)
        split = self._split(data, option.size)
        if trouble in ("cut_off", "damaged") and not (split.rejected and split.rejected[-1].end == len(data)):
            split = msgspec.structs.replace(split, rejected=(*split.rejected, Rejection(trouble, len(data), len(data))))
        return Batch(tag, option, split, body, data, packing, junk=trouble == "junk")

    def _split(self, data: bytes, hint: int) -> Split:
        return entries.split(data, most=self._limits.entries, depth=self._limits.depth, hint=hint)


def _parts(frame: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """The first four elements of an array of at least two, b"" where absent."""
    try:
        made = _FRAME.decode(frame)
    except RecursionError:
        return _deep_parts(frame)
    except ValueError:
        return None
    return bytes(made.tag), bytes(made.second), bytes(made.third), bytes(made.fourth)


def _deep_parts(frame: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """The same for values that nest deeper than msgspec will follow."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(frame))
    unpacker.feed(frame)
    if not is_array(frame[0]) or (count := unpacker.read_array_header()) < 2:
        return None
    found = [b"", b"", b"", b""]
    for index in range(min(count, 4)):
        start = unpacker.tell()
        unpacker.skip()
        found[index] = frame[start : unpacker.tell()]
    return found[0], found[1], found[2], found[3]


def _is_stamp(array: bytes, third: bytes) -> bool:
    """Whether an array in the second place is `[time, metadata]` before a record, not a list of entries."""
    start, count = content(array)
    return count == 2 and third != b"" and is_map(third[0]) and not is_array(array[start]) and stamps.read(array)[0] != stamps.NO_TIME


def _option(raw: bytes) -> Option:
    if not raw or raw == NIL or raw in EMPTY_MAPS:
        return NO_OPTION
    if not is_map(raw[0]):
        return UNREADABLE
    try:
        given: dict[Any, Raw] = _OPTION.decode(raw)
    except (ValueError, RecursionError):
        given = _odd_option(raw)
    chunk, metadata = (bytes(given.get(name, NIL)) for name in ("chunk", "metadata"))
    signal, size, compressed = (_value(given, name) for name in ("fluent_signal", "size", "compressed"))
    return Option(
        ack=b"\x81\xa3ack" + chunk if chunk != NIL else None,
        chunk=chunk if chunk != NIL else b"",
        signal=max(signal, 0) if isinstance(signal, int) else 0,
        size=size if isinstance(size, int) else 0,
        compressed=compressed if isinstance(compressed, str) else "",
        metadata=metadata if is_map(metadata[0]) and metadata not in EMPTY_MAPS else b"",
    )


def _odd_option(raw: bytes) -> dict[Any, Raw]:
    """The same for maps with keys that msgspec will not have: found by their bytes."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(raw))
    unpacker.feed(raw)
    found = dict[bytes, Raw]()
    for _ in range(unpacker.read_map_header()):
        start = unpacker.tell()
        unpacker.skip()
        middle = unpacker.tell()
        unpacker.skip()
        found[raw[start:middle]] = Raw(raw[middle : unpacker.tell()])
    return {name: found[key] for name in _NAMES if (key := msgpack.packb(name)) in found}


_NAMES = ("chunk", "metadata", "fluent_signal", "size", "compressed")


def _value(given: dict[Any, Raw], name: str) -> Any:
    try:
        return _ANY.decode(given[name]) if name in given else None
    except (ValueError, RecursionError):
        return None
