"""Frames of the forward protocol in JSON: some loggers (Go's `MarshalAsJSON`) write nothing else on a connection.

Rare and never large, so this is written for clarity: a frame must be whole JSON, then its parts are found by brackets, which
no nesting can harm. There is no packed mode in JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw

from ..problem import PeerError
from . import records, stamps
from .chunk import Columns, Meta, Rejection
from .dialects import NO_OPTION, UNREADABLE, Batch, Limits, Message, Option, rejected
from .entries import TOO_MANY, Split

__all__ = ["Json"]

Bounds = tuple[int, int]

_BLANK = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_WHOLE = msgspec.json.Decoder(Raw)
_OPTION = msgspec.json.Decoder(dict[str, Raw])
_STAMP = msgspec.json.Decoder(Decimal | None)


class Json:
    """Frames in JSON."""

    codec = "json"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def is_nothing(self, frame: bytes) -> bool:
        """Whether the value is a heartbeat: in JSON there are none."""
        return False

    def read(self, frame: bytes) -> Message | Batch | None:
        """The frame's meaning; None for a value that is no frame. `PeerError` if the connection cannot go on."""
        _validate(frame)
        parts = list(islice(_items(frame, _start(frame)), 4)) if frame.lstrip(_BLANK)[:1] == b"[" else []
        if len(parts) < 2:
            return None
        kind = frame[parts[1][0] : parts[1][0] + 1]
        message = kind != b'"' and (kind != b"[" or _is_stamp(frame, parts))
        if message and len(parts) < 3:
            return None
        option = _option(frame, parts[3:] if message else parts[2:])
        tag = _value(frame, parts[0])
        if not isinstance(tag, str):
            return rejected(option, "bad_tag", frame)
        if message:
            return self._message(frame, records.plain(tag), parts[1], parts[2], option)
        return self._array(frame, records.plain(tag), parts[1], option)

    def _message(self, frame: bytes, tag: str, stamp: Bounds, record: Bounds, option: Option) -> Message:
        time, own = _stamp(frame, stamp)
        reason = self._fault(frame, time, record)
        nothing = not reason and frame[slice(*record)] == b"null"
        if option.metadata and not own[1]:
            found = frame.rindex(option.metadata)
            own = found, found + len(option.metadata)
        return Message(tag, time, -1 if nothing else record[0], record[1], own, option, reason)

    def _fault(self, data: bytes, time: int, record: Bounds) -> str:
        """Why a record with such a time can never be accepted, or ""."""
        raw = data[slice(*record)]
        if time == stamps.NO_TIME:
            return "not_a_time"
        if raw[:1] != b"{":
            return "" if raw == b"null" else "not_a_map"
        return "too_deep" if records.nests_deeper("json", raw, self._limits.depth) else "" if _readable(raw) else "garbage"

    def _array(self, frame: bytes, tag: str, array: Bounds, option: Option) -> Batch:
        data = frame[slice(*array)]
        if data[:1] != b"[":  # text in the place of packed entries
            return rejected(option, "garbage", data, tag=tag)
        made, taken = _Made(), 0
        for taken, entry in enumerate(_items(data, 0), 1):
            if taken > self._limits.entries:
                raise PeerError(TOO_MANY, f"more than {self._limits.entries} entries in one frame")
            self._take(data, entry, made)
        columns = Columns.of(made.bounds, made.times, made.metas)
        return Batch(tag, option, Split(columns, tuple(made.rejected), made.bad_times), data, data)

    def _take(self, data: bytes, entry: Bounds, made: _Made) -> None:
        parts = list(islice(_items(data, entry[0]), 2)) if data[entry[0]] in b"[" else []
        if len(parts) < 2:
            made.rejected.append(Rejection("not_an_entry", *entry))
            return
        time, own = _stamp(data, parts[0])
        if reason := self._fault(data, time, parts[1]):
            made.rejected.append(Rejection(reason, *entry))
        elif data[slice(*parts[1])] != b"null":
            if own[1]:
                made.metas.append(Meta(len(made.bounds), *own))
            made.bad_times += time == stamps.UNLIKELY
            made.bounds.append(parts[1])
            made.times.append(max(time, 0))


class _Made:
    """What a frame of entries gave so far."""

    def __init__(self) -> None:
        self.bounds, self.times, self.metas, self.rejected = list[Bounds](), list[int](), list[Meta](), list[Rejection]()
        self.bad_times = 0


def _validate(frame: bytes) -> None:
    try:
        _WHOLE.decode(frame)
    except RecursionError:
        pass  # brackets will do
    except ValueError:
        _validate_leniently(frame)


def _validate_leniently(frame: bytes) -> None:
    """Bears NaN, lone surrogates and any length of numbers, as the reader of records does."""
    try:
        json.loads(frame.decode("utf-8", "surrogateescape"), parse_int=str, parse_float=str)
    except RecursionError:
        pass
    except ValueError as error:
        raise PeerError("not_json", str(error)) from None


def _start(data: bytes) -> int:
    return len(data) - len(data.lstrip(_BLANK))


def _items(data: bytes, at: int) -> Iterator[Bounds]:
    """The bounds of the elements of the array that begins at `at`."""
    depth, start = 0, at + 1
    for token in _TOKEN.finditer(data, at):
        sign = token[0]
        if sign in (b"[", b"{"):
            depth += 1
        elif sign in (b"]", b"}"):
            depth -= 1
        if depth == 0 or (depth == 1 and sign == b","):
            item = data[start : token.start()]
            if content := item.strip(_BLANK):
                first = start + _start(item)
                yield first, first + len(content)
            start = token.end()
        if depth == 0:
            return


def _is_stamp(frame: bytes, parts: list[Bounds]) -> bool:
    """Whether an array in the second place is `[time, metadata]` before a record, not a list of entries."""
    return len(parts) > 2 and frame[parts[2][0]] in b"{" and _stamp(frame, parts[1])[0] != stamps.NO_TIME


def _stamp(data: bytes, bounds: Bounds) -> tuple[int, Bounds]:
    """The time that a stamp says, as `stamps.time_of`, and where its metadata stands (0, 0: nowhere)."""
    if data[bounds[0]] in b"[":
        pair = list(islice(_items(data, bounds[0]), 3))
        if len(pair) != 2 or data[pair[0][0]] in b"[":
            return stamps.NO_TIME, (0, 0)
        metadata = data[slice(*pair[1])]
        return _stamp(data, pair[0])[0], pair[1] if metadata[:1] == b"{" and metadata[1:-1].strip(_BLANK) else (0, 0)
    if data[bounds[0]] in b'"':
        return stamps.NO_TIME, (0, 0)
    try:
        return stamps.time_of(_STAMP.decode(data[slice(*bounds)])), (0, 0)
    except ValueError:
        return stamps.NO_TIME, (0, 0)


def _option(frame: bytes, parts: list[Bounds]) -> Option:
    raw = frame[slice(*parts[0])] if parts else b"null"
    if raw == b"null":
        return NO_OPTION
    try:
        given = {name: bytes(value) for name, value in _OPTION.decode(raw).items()}
    except (ValueError, RecursionError):
        return UNREADABLE
    chunk, metadata = given.get("chunk", b"null"), given.get("metadata", b"")
    signal = _value(given.get("fluent_signal", b"0"))
    return Option(
        ack=b'{"ack":' + chunk + b"}" if chunk != b"null" else None,
        chunk=msgspec.msgpack.encode(_value(chunk)) if chunk != b"null" else b"",
        signal=max(signal, 0) if type(signal) is int else 0,
        metadata=metadata if metadata[:1] == b"{" and metadata[1:-1].strip(_BLANK) else b"",
    )


def _value(data: bytes, bounds: Bounds | None = None) -> Any:
    """The value as plain data; None if it cannot be read."""
    try:
        return records.decode("json", b'{"":' + (data[slice(*bounds)] if bounds else data) + b"}")[""]
    except ValueError:
        return None


def _readable(raw: bytes) -> bool:
    try:
        records.decode("json", raw)
    except ValueError:
        return False
    return True
