"""`ExportLogsServiceRequest` as protobuf → groups of entries.

Resources, scopes and records are found first and parsed one by one: one record that cannot be parsed costs only itself, and no request is
parsed into more than its largest part. The messages are those of the package `opentelemetry-proto` with one change that leaves the wire
as it is: texts are read as bytes. Senders put there whatever a log file held, and a parser that insists on UTF-8 refuses it all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from ..problem import PeerError
from .otlp_parts import ABSENT, Bad, Entry, Group, instant
from .protobuf import NESTED, Field, fields
from .sieve import TOO_LARGE, Limits

__all__ = ["groups"]

_RESOURCE, _SCOPED = 1, 2  # fields of a ResourceLogs
_SCOPE, _RECORDS = 1, 2  # of a ScopeLogs
_NONE = "this is no ExportLogsServiceRequest"


def groups(data: bytes, limits: Limits) -> Iterator[Group]:
    """The groups of a request; `ValueError` if it is none, `PeerError` (`too_large`) if it has too many parts or too large ones."""
    parts = _Parts(data, limits)
    for logs in parts.of(Field(0, NESTED, 0, 0, len(data)), 1):
        resource = _map(parts.parsed(_KIND["Resource"], logs, _RESOURCE).attributes)
        for scoped in parts.of(logs, _SCOPED):
            scope = parts.parsed(_KIND["InstrumentationScope"], scoped, _SCOPE)
            records = (_entry(data[one.start : one.end], limits) for one in parts.of(scoped, _RECORDS))
            yield Group(resource, _text(scope.name), _map(scope.attributes), records)


class _Parts:
    """The parts of a request, counted as they are found."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._data, self._limits, self._count = data, limits, 0

    def of(self, whole: Field, number: int) -> list[Field]:
        """The fields of this number within a part."""
        found = []
        try:
            for one in fields(self._data, whole.start, whole.end):
                if one.number == number and one.kind == NESTED:
                    found.append(one)
                    self._count += 1
                    if self._count > 2 * self._limits.entries:
                        raise PeerError(TOO_LARGE, "too many parts in one request")
        except ValueError:
            raise ValueError(_NONE) from None
        return found

    def parsed(self, kind: Any, whole: Field, number: int) -> Any:
        """The message that stands in this field of a part; given in pieces, they are one."""
        raw = b"".join([self._data[one.start : one.end] for one in self.of(whole, number)])
        if len(raw) > self._limits.record:  # no record that it belongs to could be taken
            raise PeerError(TOO_LARGE, f"a resource or a scope is larger than {self._limits.record}")
        try:
            return kind.FromString(raw)
        except DecodeError:
            raise ValueError(_NONE) from None


def _entry(raw: bytes, limits: Limits) -> Entry | Bad:
    if len(raw) > limits.record:
        return Bad(TOO_LARGE, raw)
    try:
        one = _KIND["LogRecord"].FromString(raw)
    except DecodeError:  # damaged, or nested deeper than the parser goes
        return Bad("malformed", raw)
    body = _value(one.body) if one.HasField("body") else ABSENT
    return Entry(instant(one.time_unix_nano), instant(one.observed_time_unix_nano), one.severity_number, _text(one.severity_text),
                 _text(one.event_name), one.trace_id.hex(), one.span_id.hex(), _map(one.attributes), body)  # fmt: skip


def _map(pairs: Iterable[Any]) -> dict[str, Any]:
    return {_text(pair.key): _value(pair.value) for pair in pairs}


def _value(one: Any) -> Any:
    kind = one.WhichOneof("value")
    if kind == "string_value":
        return _text(one.string_value)
    if kind == "array_value":
        return [_value(item) for item in one.array_value.values]
    if kind == "kvlist_value":
        return _map(one.kvlist_value.values)
    return getattr(one, kind) if kind in _PLAIN else None


_PLAIN = frozenset(("bool_value", "int_value", "double_value", "bytes_value"))


def _text(given: bytes) -> str:
    return given.decode("utf-8", "backslashreplace")


def _pool(file: FileDescriptor) -> DescriptorPool:
    """The file and what it needs, changed as the head of this file says."""
    pool, known = DescriptorPool(), set[str]()

    def add(one: FileDescriptor) -> None:
        if one.name in known:
            return
        known.add(one.name)
        for needed in one.dependencies:
            add(needed)
        proto = FileDescriptorProto()
        one.CopyToProto(proto)
        for message in proto.message_type:
            _loosen(message)
        pool.Add(proto)

    add(file)
    return pool


def _loosen(message: DescriptorProto) -> None:
    for field in message.field:
        if field.type == FieldDescriptorProto.TYPE_STRING:
            field.type = FieldDescriptorProto.TYPE_BYTES
    for inner in message.nested_type:
        _loosen(inner)


_POOL = _pool(logs_service_pb2.DESCRIPTOR)
_KIND: dict[str, Any] = {
    name.rpartition(".")[2]: GetMessageClass(_POOL.FindMessageTypeByName(f"opentelemetry.proto.{name}"))
    for name in ("resource.v1.Resource", "common.v1.InstrumentationScope", "logs.v1.LogRecord")
}
