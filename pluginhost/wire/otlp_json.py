"""`ExportLogsServiceRequest` as OTLP/JSON → groups of entries. Total: what is of the wrong type counts as not there.

OTLP/JSON is not the JSON of protobuf: names are lowerCamel only, enums are integers, trace and span ids are in hex. Integers of 64 bits
may be texts.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from ..problem import PeerError
from . import records
from .otlp_parts import ABSENT, Bad, Entry, Group, instant
from .sieve import TOO_LARGE, Limits

__all__ = ["MOST", "groups"]

MOST: Final = 16 << 20
"""The most bytes of a request: read, it takes up to twenty times as many."""


def groups(data: bytes, _: Limits) -> Iterator[Group]:
    """The groups of a request; `ValueError` if it is none, `PeerError` (`too_large`) if it would take too much memory to read."""
    if len(data) > MOST:
        raise PeerError(TOO_LARGE, f"a request in JSON is larger than {MOST}: use protobuf")
    request = _parsed(data)
    if not isinstance(request, dict):
        raise ValueError("an ExportLogsServiceRequest is a JSON object")
    for logs in _objects(request.get("resourceLogs")):
        resource = _map(_object(logs.get("resource")).get("attributes"))
        for one in _objects(logs.get("scopeLogs")):
            scope = _object(one.get("scope"))
            yield Group(resource, _string(scope.get("name")), _map(scope.get("attributes")), map(_entry, _list(one.get("logRecords"))))


def _parsed(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):  # bytes that are no UTF-8, lone surrogates: what we read in records everywhere
        return records.decode("json", data)


def _entry(one: Any) -> Entry | Bad:
    if not isinstance(one, dict):
        return Bad("not_a_record", msgspec.json.encode(one) if not isinstance(one, list) else b"[]")
    try:
        body = _value(one["body"]) if isinstance(one.get("body"), dict) else ABSENT
        attributes = _map(one.get("attributes"))
    except RecursionError:
        return Bad("too_deep", b"{}")  # what nests so deep cannot be written again either
    return Entry(instant(_integer(one.get("timeUnixNano"))), instant(_integer(one.get("observedTimeUnixNano"))),
                 _integer(one.get("severityNumber")), _string(one.get("severityText")), _string(one.get("eventName")),
                 _hex(one.get("traceId")), _hex(one.get("spanId")), attributes, body)  # fmt: skip


def _map(pairs: Any) -> dict[str, Any]:
    return {pair["key"]: _value(pair.get("value")) for pair in _objects(pairs) if isinstance(pair.get("key"), str)}


def _value(one: Any) -> Any:
    if isinstance(one, dict):
        for kind, read in _KINDS.items():
            if (given := one.get(kind)) is not None:
                return read(given)
    return None


def _array(given: Any) -> list[Any]:
    return [_value(item) for item in _list(_object(given).get("values"))]


def _pairs(given: Any) -> dict[str, Any]:
    return _map(_object(given).get("values"))


def _bytes(given: Any) -> Any:
    try:
        return base64.b64decode(given, validate=True) if isinstance(given, str) else None
    except (binascii.Error, ValueError):
        return given


def _number(given: Any) -> Any:
    """An integer of 64 bits, written as number or text; text that is none stays text."""
    made = _integer(given)
    return made if made or given in (0, "0") else given if isinstance(given, str) else None


def _double(given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    try:
        return float(given)
    except (ValueError, OverflowError):
        return None


def _integer(given: Any) -> int:
    """The integer that is given, 0 if it is none of 64 bits."""
    if isinstance(given, str) and len(given) <= 20 and given.isascii() and given.removeprefix("-").isdecimal():
        given = int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) and -(1 << 63) <= given < 1 << 64 else 0


def _hex(given: Any) -> str:
    text = _string(given).lower()
    return text if len(text) <= 64 and not text.strip("0123456789abcdef") else ""


def _string(given: Any) -> str:
    return given if isinstance(given, str) else ""


def _object(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def _objects(given: Any) -> list[dict[str, Any]]:
    return [one for one in _list(given) if isinstance(one, dict)]


_KINDS: dict[str, Callable[[Any], Any]] = {
    "stringValue": _string, "boolValue": lambda given: given if isinstance(given, bool) else None, "intValue": _number,
    "doubleValue": _double, "arrayValue": _array, "kvlistValue": _pairs, "bytesValue": _bytes,
}  # fmt: skip
