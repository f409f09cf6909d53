"""One connection of the Fluentd forward protocol, seen from the receiver, without a socket.

`receive_data` only stores; `frames` says what has become complete; whoever has made a frame's chunk durable writes its `ack`.
`PeerError` means that the connection must be closed, after the frames that came before. How values are cut out of the
stream is known in `framing`, what a frame means in `dialects` and `forward_json`; what they add up to is known here.

A connection is opened by its first byte: `[` or `{` make it a JSON stream, anything else msgpack. A handshake would take its
values from the same stream, between `_open` and the first call of `_read`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from typing import Final

import msgspec

from ..problem import PeerError
from . import stamps
from .chunk import Chunk, Columns, Meta, Rejection
from .dialects import REASONS, Batch, Dialect, Limits, Message, Msgpack, Option
from .forward_json import Json
from .framing import JsonStream, MsgpackStream, Stream

__all__ = ["COUNTERS", "REJECTED", "Connection", "Frame", "Limits"]

REJECTED: Final = {reason: f"rejected_{reason}" for reason in REASONS}
"""The counter of each reason why a part of a frame can never be accepted."""

_SIGNALS: Final = {number: f"signal_{number}" for number in (1, 2, 3, 4)}
COUNTERS: Final = ("frames", "records", "bad_time", "bad_option", "junk", "stray", *_SIGNALS.values(), "signal_other", *REJECTED.values())
"""What a connection counts."""

_HINTS = (
    (re.compile(rb"\x16\x03"), "the peer speaks TLS, this port does not"),
    (re.compile(rb"(?:GET|PUT|POST|HEAD|DELETE|PATCH|OPTIONS|CONNECT|PRI) "), "the peer speaks HTTP"),
)


class Frame(msgspec.Struct, frozen=True):
    """What one frame, or a run of messages without ids, comes to.

    `chunk` is None when there is nothing to keep; `ack` is what to write once the chunk is durable, None when no answer is
    owed; `signal` is above 0 for what is no log (1 metrics, 2 traces …); `hint` says what the operator should do, if anything.
    """

    chunk: Chunk | None
    ack: bytes | None = None
    signal: int = 0
    hint: str = ""


class Connection:
    """The receiving side of one connection. `counts` must hold `COUNTERS`."""

    def __init__(self, limits: Limits, counts: MutableMapping[str, int]) -> None:
        self._limits, self._counts = limits, counts
        self._stream: Stream | None = None
        self._dialect: Dialect
        self._opening, self._strays = b"", 0
        self._broken: PeerError | None = None

    @property
    def pending(self) -> int:
        """How many bytes are held of a frame that is not complete."""
        return self._stream.held if self._stream else 0

    def receive_data(self, data: bytes) -> None:
        """Stores what was received; call `frames` then."""
        if not data:
            return
        if len(self._opening) < 8:
            self._opening += data[: 8 - len(self._opening)]
        if self._stream is None:
            self._open(data[0])
        if self._stream and not self._broken:
            self._stream.feed(data)

    def _open(self, first: int) -> None:
        if first in b"[{":
            self._stream, self._dialect = JsonStream(self._limits.frame), Json(self._limits)
        else:
            self._stream, self._dialect = MsgpackStream(self._limits.frame, self._limits.entries), Msgpack(self._limits)

    def frames(self) -> Iterator[Frame]:
        """The frames that are complete, each once; to be iterated to the end. Then `PeerError`, now and ever after, if it must close."""
        if self._stream and not self._broken:
            data, ends = self._stream.take()
            try:
                yield from self._read(data, ends)
            except PeerError as error:
                self._broken = error
            self._broken = self._broken or self._stream.broken
        if self._broken:
            hint = next((hint for opening, hint in _HINTS if opening.match(self._opening)), self._broken.hint)
            raise PeerError(self._broken.reason, hint)

    def _read(self, data: bytes, ends: list[int]) -> Iterator[Frame]:
        run = _Run(data, self._dialect.codec)
        try:
            for start, end in pairwise((0, *ends)):
                frame = data[start:end]
                if self._dialect.is_nothing(frame):
                    continue
                made = self._dialect.read(frame)
                if made is None:
                    self._stray()
                elif not (isinstance(made, Message) and run.takes(made, start, end)):
                    yield from run.flush(self._counts)
                    yield self._frame(made, frame)
                    self._count(made.option)
                ...
        finally:
            ...
