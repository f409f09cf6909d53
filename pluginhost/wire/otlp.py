"""OTLP logs → chunks, and the answers to them. No sockets, no clock.

Resource and scope stand outside of the records they belong to, so this is the one place where a record is written anew, as msgpack: the
attributes of resource, scope and record as one flat map of dotted names, what is said later winning, with the body laid over it. A request
becomes one chunk for each tag, in the order in which tags first come up.

| OTLP                            | in the record                                                      |
|---------------------------------|--------------------------------------------------------------------|
| body                            | text: `message`; a map: its fields; any other: `message`, as JSON  |
| severity number, severity text  | `log.level`, `severity_text`                                       |
| trace id, span id, event name   | `trace.id`, `span.id`, `event.name`                                |
| scope name                      | `log.logger`                                                       |
| time, else observed time        | the record's time; neither: the arrival                            |
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from ..problem import PeerError, printable
from . import otlp_json, otlp_protobuf, records
from .bodies import DEFAULT, Unreadable
from .chunk import Chunk, Columns, Rejection
from .otlp_parts import ABSENT, Bad, Entry, Group
from .sieve import TOO_LARGE, Limits
from .status import status

__all__ = ["TAG", "Export", "failed", "read", "taken"]

TAG = "fluent.tag"
"""The attribute that names a record's tag."""
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")  # four severity numbers each, from 1 on
_encode = msgspec.msgpack.Encoder().encode


class Export(msgspec.Struct, frozen=True):
    """What a request holds: a chunk for each tag; how many records can never be accepted, and why the first cannot."""

    chunks: tuple[Chunk, ...]
    rejected: int = 0
    reason: str = ""

    @property
    def size(self) -> int:
        """How many bytes the chunks hold."""
        return sum(len(one.data) for one in self.chunks)


def read(data: bytes, *, json: bool, tag: str, limits: Limits = DEFAULT) -> Export:
    """The records of an unpacked request; those that name no tag and no service go under `tag`.

    `Unreadable` if it is no such request, `PeerError` with reason `too_large` where it holds more than it may: resource attributes are
    written into each record, so a small request can mean much.
    """
    sheaves = dict[str, _Sheaf]()
    count, left = 0, int(limits.data)
    for group in _groups(data, json, tag, limits):
        base, fallback = _base(group), _tag(group.resource, tag)
        for entry in group.entries:
            raw, reason = _written(entry, base)
            left -= len(raw)
            if (count := count + 1) > limits.entries or left < 0:
                raise PeerError(TOO_LARGE, f"more than {limits.entries} records or {limits.data} bytes of them in one request")
            own = _named(entry.attributes.get(TAG), fallback) if isinstance(entry, Entry) else fallback
            sheaf = sheaves.setdefault(own, _Sheaf())
            sheaf.add(raw, entry.time or entry.observed if isinstance(entry, Entry) else 0, reason or _excess(raw, limits))
    chunks = tuple(sheaf.chunk(own) for own, sheaf in sheaves.items())
    bad = [one for chunk in chunks for one in chunk.rejected]
    return Export(chunks, len(bad), bad[0].reason if bad else "")


class _Sheaf:
    """The records of one tag, so far."""

    __slots__ = ("_data", "_ends", "_rejected", "_starts", "_times")

    def __init__(self) -> None:
        self._data, self._rejected = bytearray(), list[Rejection]()
        self._starts, self._ends, self._times = array("I"), array("I"), array("q")

    def add(self, raw: bytes, time: int, reason: str) -> None:
        start = len(self._data)
        self._data += raw
        if reason:
            self._rejected.append(Rejection(reason, start, len(self._data)))
            return
        self._starts.append(start)
        self._ends.append(len(self._data))
        self._times.append(time)

    def chunk(self, tag: str) -> Chunk:
        data = bytes(self._data)
        return Chunk(tag, "msgpack", data, data, Columns(self._starts, self._ends, self._times), rejected=tuple(self._rejected))


def _groups(data: bytes, json: bool, tag: str, limits: Limits) -> Iterator[Group]:
    try:
        yield from (otlp_json if json else otlp_protobuf).groups(data, limits)
    except ValueError as error:
        raise Unreadable("malformed", str(error), tag=tag, body=data) from None
    except RecursionError:
        raise Unreadable("too_deep", "its attributes nest too deep", tag=tag, body=data) from None


def _base(group: Group) -> dict[str, Any]:
    return {**group.resource, **group.scope, **({"log.logger": group.scope_name} if group.scope_name else {})}


def _tag(resource: dict[str, Any], default: str) -> str:
    return _named(resource.get(TAG), _named(resource.get("service.name"), default))


def _named(given: Any, default: str) -> str:
    return printable(given, 256) if given and isinstance(given, str) else default


def _excess(raw: bytes, limits: Limits) -> str:
    if len(raw) > limits.record:
        return TOO_LARGE
    return "too_deep" if records.nests_deeper("msgpack", raw, limits.depth) else ""


def _written(entry: Entry | Bad, base: dict[str, Any]) -> tuple[bytes, str]:
    """The record as msgpack, or what stands in its place and why that is none."""
    if isinstance(entry, Bad):
        return entry.raw, entry.reason
    try:
        return _encode(_record(entry, base)), ""
    except RecursionError:
        return b"\x80", "too_deep"


def _record(entry: Entry, base: dict[str, Any]) -> dict[str, Any]:
    said = {"log.level": _level(entry), "severity_text": entry.severity_text, "event.name": entry.name,
            "trace.id": _id(entry.trace), "span.id": _id(entry.span)}  # fmt: skip
    made = {**base, **{name: value for name, value in said.items() if value}, **entry.attributes}
    if isinstance(entry.body, dict):
        made.update(entry.body)
    elif entry.body is not ABSENT and entry.body is not None:
        made["message"] = entry.body if isinstance(entry.body, str) else _text(entry.body)
    return made


def _level(entry: Entry) -> str:
    if 1 <= entry.severity <= 24:
        return _LEVELS[(entry.severity - 1) // 4]
    return entry.severity_text.lower()


def _id(given: str) -> str:
    """An id of zeros is none."""
    return given if given.strip("0") else ""


def _text(body: Any) -> str:
    plain = records.plain(body)
    return plain if isinstance(plain, str) else msgspec.json.encode(plain).decode()


def taken(json: bool, rejected: int = 0, reason: str = "") -> bytes:
    """The answer to a request whose records are durable, all but those rejected."""
    if json:
        partial = {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": reason}} if rejected else {}
        return msgspec.json.encode(partial)
    answer = ExportLogsServiceResponse()
    if rejected:
        answer.partial_success.rejected_log_records = rejected
        answer.partial_success.error_message = reason
    return answer.SerializeToString()


def failed(json: bool, code: int, message: str) -> bytes:
    """A `google.rpc.Status`; `code` is one of gRPC's."""
    if json:
        return msgspec.json.encode({"code": code, "message": message})
    return status(code, message)
