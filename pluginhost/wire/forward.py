"""One connection of the Fluentd forward protocol, seen from the receiver, without a socket.

`receive_data` only stores; `frames` says what has become complete; whoever has made a frame's chunk durable writes its `ack`.
`PeerError` means that the connection must be closed, after the frames that came before. How values are cut out of the
stream is known in `framing`, what a frame means in `dialects` and `forward_json`; what they add up to is known here.

A connection is opened by its first byte: `[` or `{` make it a JSON stream, anything else msgpack. A handshake is over before the
first byte comes here (`handshake`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from itertools import pairwise
from typing import Final

import msgspec

from ..problem import PeerError
from .chunk import Chunk, Columns, Meta, Rejection
from .dialects import NO_OPTION, REASONS, Batch, Dialect, Limits, Message, Msgpack, Option
from .forward_json import Json
from .framing import JsonStream, MsgpackStream, Stream
from .stamps import UNLIKELY

__all__ = ["COUNTERS", "REJECTED", "Connection", "Frame", "Limits", "other_protocol"]

REJECTED: Final = {reason: f"rejected_{reason}" for reason in REASONS}
"""The counter of each reason why a part of a frame can never be accepted."""

_SIGNALS: Final = {number: f"signal_{number}" for number in (1, 2, 3, 4)}
COUNTERS: Final = ("frames", "records", "bad_time", "bad_option", "junk", "stray", *_SIGNALS.values(), "signal_other", *REJECTED.values())
"""What a connection counts."""

_OTHERS = (
    (re.compile(rb"\x16\x03"), PeerError("tls", "the peer speaks TLS, this port does not")),
    (re.compile(rb"(?:GET|PUT|POST|HEAD|DELETE|PATCH|OPTIONS|CONNECT|PRI) "), PeerError("http", "the peer speaks HTTP")),
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
            yield from self._read(*self._stream.take())
            self._broken = self._broken or self._stream.broken
        if self._broken:
            error = other_protocol(self._opening) or self._broken
            raise PeerError(error.reason, error.hint)

    def _read(self, data: bytes, ends: list[int]) -> Iterator[Frame]:
        run = _Run(data, self._dialect.codec, self._counts)
        try:
            for start, end in pairwise((0, *ends)):
                made = self._meaning(data[start:end])
                if made is None:
                    continue
                if isinstance(made, Message) and made.option.silent and not made.reason:
                    if not run.fits(made):
                        yield run.flush()
                    run.add(made, start, end)
                    continue
                if run.tag is not None:
                    yield run.flush()
                yield self._frame(made, data, start, end)
        except PeerError as error:
            self._broken = PeerError(error.reason, error.hint)  # a new one: the frames of this one hold all that was received
        if run.tag is not None:
            yield run.flush()

    def _meaning(self, frame: bytes) -> Message | Batch | None:
        if self._dialect.is_nothing(frame):
            return None
        made = self._dialect.read(frame)
        if made is None:
            self._counts["stray"] += 1
            self._strays += 1
            if self._strays >= self._limits.strays:
                raise PeerError("strays", f"{self._strays} values that are no frames")
        return made

    def _frame(self, made: Message | Batch, data: bytes, start: int, end: int) -> Frame:
        """One frame that stands for itself."""
        option = made.option
        if option.signal:
            self._counts["frames"] += 1
            self._counts[_SIGNALS.get(option.signal, "signal_other")] += 1
            return Frame(None, option.ack, option.signal)
        self._counts["bad_option"] += not option.readable
        if isinstance(made, Batch):
            return self._batch(made)
        run = _Run(data, self._dialect.codec, self._counts)
        run.add(made, start, end)
        return run.flush(option)

    def _batch(self, batch: Batch) -> Frame:
        split, counts = batch.split, self._counts
        counts["frames"] += 1
        counts["records"] += len(split.columns)
        counts["bad_time"] += split.bad_times
        counts["junk"] += batch.junk
        for part in split.rejected:
            counts[REJECTED[part.reason]] += 1
        if not len(split.columns) and not split.rejected:
            return Frame(None, batch.option.ack)
        chunk = Chunk(
            batch.tag, self._dialect.codec, batch.body, batch.data, split.columns, batch.packing, batch.option.chunk, split.rejected
        )
        return Frame(chunk, batch.option.ack, hint=batch.hint)


def other_protocol(opening: bytes) -> PeerError | None:
    """What to say of a connection that begins with these bytes, if they tell that the peer speaks something else altogether."""
    return next((error for start, error in _OTHERS if start.match(opening)), None)


class _Run:
    """Messages of one tag, one behind the other in `data`, on their way to become one chunk."""

    def __init__(self, data: bytes, codec: str, counts: MutableMapping[str, int]) -> None:
        self._data, self._codec, self._counts = data, codec, counts
        self._clear()

    def _clear(self) -> None:
        self.tag: str | None = None
        self._first = self._last = self._frames = 0
        self._bounds, self._times = list[tuple[int, int]](), list[int]()
        self._metas, self._rejected = list[Meta](), list[Rejection]()

    def fits(self, message: Message) -> bool:
        """Whether the message may join."""
        return self.tag is None or self.tag == message.tag

    def add(self, message: Message, start: int, end: int) -> None:
        """Adds the message whose frame has these bounds."""
        if self.tag is None:
            self.tag, self._first = message.tag, start
        self._last, self._frames = end, self._frames + 1
        shift = start - self._first
        if message.reason:
            self._counts[REJECTED[message.reason]] += 1
            self._rejected.append(Rejection(message.reason, message.start + shift, message.end + shift))
        elif message.start >= 0:
            if message.meta[1]:
                self._metas.append(Meta(len(self._bounds), message.meta[0] + shift, message.meta[1] + shift))
            self._counts["bad_time"] += message.time == UNLIKELY
            self._bounds.append((message.start + shift, message.end + shift))
            self._times.append(max(message.time, 0))

    def flush(self, option: Option = NO_OPTION) -> Frame:
        """All that was added, as one frame; the next message begins a new run."""
        self._counts["frames"] += self._frames
        self._counts["records"] += len(self._bounds)
        chunk = None
        if self._bounds or self._rejected:
            body = self._data[self._first : self._last]
            columns = Columns.of(self._bounds, self._times, self._metas)
            chunk = Chunk(self.tag or "", self._codec, body, body, columns, "", option.chunk, tuple(self._rejected))
        self._clear()
        return Frame(chunk, option.ack)
