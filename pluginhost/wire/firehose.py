"""A delivery of Amazon Data Firehose to an HTTP endpoint → one chunk. Each record of it is base64 of whatever was put into the stream.

A record holds one JSON object, several, or lines of text; gzip is opened. The envelope in which CloudWatch Logs sends its events is taken
off: each event is a record with its own time, and what the envelope says beside it under flat names. Control messages are dropped.
What all records unpack to counts together against the limit.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import msgspec

from ..problem import PeerError
from . import jsons
from .bodies import DEAD_LETTER, Unreadable, opened
from .bundle import Bundle
from .chunk import Chunk
from .compression import GZIP_MAGIC, unpack
from .sieve import TOO_LARGE, Limits, Sieve, event_time

__all__ = ["Delivery", "read_delivery"]

_MALFORMED = "malformed"


class _Record(msgspec.Struct, gc=False):
    data: str


class _Body(msgspec.Struct):
    request_id: str = msgspec.field(default="", name="requestId")
    timestamp: int = 0
    records: list[_Record] = []


class _LogEvent(msgspec.Struct, gc=False):
    id: str = ""
    timestamp: int = 0
    message: str = ""


class _CloudWatch(msgspec.Struct):
    """What a subscription of CloudWatch Logs sends."""

    kind: Literal["DATA_MESSAGE", "CONTROL_MESSAGE"] = msgspec.field(name="messageType")
    events: list[_LogEvent] = msgspec.field(name="logEvents")
    group: str = msgspec.field(default="", name="logGroup")
    stream: str = msgspec.field(default="", name="logStream")
    owner: str = ""


class Delivery(msgspec.Struct, frozen=True):
    """A delivery: what it calls itself, its own time in ms, and its records."""

    request_id: str
    timestamp: int
    chunk: Chunk


_BODY = msgspec.json.Decoder(_Body)
_CLOUD_WATCH = msgspec.json.Decoder(_CloudWatch)
_encode = msgspec.json.Encoder().encode


def read_delivery(body: bytes, *, content_encoding: str, tag: str, limits: Limits) -> Delivery:
    """What is in `body`. Raises `PeerError` with reason `too_large` when a limit is broken, `Unreadable` if it is no delivery."""
    _, data = opened(body, content_encoding, tag, limits)
    try:
        found = _BODY.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Unreadable(_MALFORMED, "it is not the body of a delivery", tag=tag, body=data) from None
    bundle, left, count = Bundle(tag, "line"), int(limits.data), limits.entries
    for record in found.records:
        part = _opened(record.data, left)
        if part is None:
            bundle.bad(_MALFORMED, record.data[:DEAD_LETTER].encode())
            continue
        left -= len(part)
        count -= _sort(part, bundle, msgspec.structs.replace(limits, entries=count))
    return Delivery(found.request_id, found.timestamp, bundle.chunk())


def _opened(text: str, limit: int) -> bytes | None:
    """What a record holds; None if it cannot be told."""
    try:
        raw = base64.b64decode(text, validate=True)
        part = unpack("gzip", raw, limit) if raw.startswith(GZIP_MAGIC) else raw
    except (binascii.Error, ValueError):
        return None
    except PeerError as error:
        if error.reason == TOO_LARGE:
            raise
        return None
    if len(part) > limit:
        raise PeerError(TOO_LARGE, "its records are larger than the limit on all data")
    return part


def _sort(part: bytes, bundle: Bundle, limits: Limits) -> int:
    """Adds what a record holds; how much that was."""
    if (envelope := _envelope(part)) is not None:
        return _unwrap(envelope, bundle, limits)
    sieve = Sieve(part, limits)
    jsons.objects_or_lines(sieve)
    columns = sieve.columns
    for start, end, time in zip(columns.starts, columns.ends, columns.times, strict=True):
        bundle.good(part[start:end], time)
    for one in sieve.rejected:
        bundle.bad(one.reason, part[one.start : one.end])
    return len(columns) + len(sieve.rejected)


def _envelope(part: bytes) -> _CloudWatch | None:
    if b'"logEvents"' not in part:
        return None
    try:
        return _CLOUD_WATCH.decode(part)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _unwrap(envelope: _CloudWatch, bundle: Bundle, limits: Limits) -> int:
    if envelope.kind == "CONTROL_MESSAGE":
        return 0
    if len(envelope.events) > limits.entries:
        raise PeerError(TOO_LARGE, "more records in one delivery than are taken")
    said = {"aws.cloudwatch.log_group": envelope.group, "aws.cloudwatch.log_stream": envelope.stream, "cloud.account.id": envelope.owner}
    for event in envelope.events:
        record = {"message": event.message, "aws.cloudwatch.event_id": event.id, **said, "cloud.provider": "aws"}
        raw = _encode({name: text for name, text in record.items() if text})
        if len(raw) > limits.record:
            bundle.bad(TOO_LARGE, raw)
        else:
            bundle.good(raw, event_time((event.timestamp,)))
    return len(envelope.events)
