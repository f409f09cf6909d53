"""One record slice, read into plain data: dicts with string keys, lists, strings, numbers, truth values and None.

Whatever a shipper sent comes out as something that can be printed, compared and written as JSON or protobuf again:

- bytes, and text that is not UTF-8, become text with `\\xff` for each byte that is none; so do lone surrogates (`\\ud800`)
- a key that is no string becomes the text that JSON would have for it: `1`, `1.5`, `true`, `null`, `[1]`
- a msgpack timestamp becomes ISO 8601 text, any other extension `ext(<type>, <hex>)`
- an integer beyond 64 bits becomes a float
- of equal keys the last one wins

NaN and infinities stay floats. The fast way reads the ordinary record in one call and refuses anything odd; only then the
slow way is gone. Nothing here knows what a record means.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from types import GenericAlias
from typing import Annotated, Any

import msgpack
import msgspec

from . import times
from .heads import EXTENSIONS, content, is_array, is_map

__all__ = ["OPENERS", "ORDINARY", "decode", "nests_deeper", "plain", "reader"]

OPENERS = bytes(1 if 0x80 <= byte <= 0x9F or 0xDC <= byte <= 0xDF else 0 for byte in range(256))
"""Translates msgpack: 1 for each byte that may open a map or list."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_HARMLESS = 127  # an extension type that is no timestamp
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def _ordinary(levels: int) -> Any:
    """The type of a value without anything odd in it, nested at most so deep: msgspec has no recursive aliases."""
    integer = Annotated[int, msgspec.Meta(ge=_LEAST, le=(1 << 63) - 1)]  # the bounds msgspec can check; what is larger goes the slow way
    scalar: Any = str | integer | float | bool | None
    kind = scalar
    for _ in range(levels):
        kind = scalar | GenericAlias(list, (kind,)) | GenericAlias(dict, (str, kind))
    return kind


ORDINARY = _ordinary(3)
"""The type of ordinary values that nest little: what decodes only some of a record's keys is made of it, often and quickly."""

_MSGPACK: msgspec.msgpack.Decoder[dict[str, Any]] = msgspec.msgpack.Decoder(GenericAlias(dict, (str, _ordinary(8))))
_JSON: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(GenericAlias(dict, (str, _ordinary(8))))


def decode(codec: str, raw: bytes) -> dict[str, Any]:
    """The record in a slice of codec `msgpack`, `json` or `line`. Total: `ValueError` if it is no such record, nothing else."""
    return _READERS[codec](raw)


def reader(codec: str) -> Callable[[bytes], dict[str, Any]]:
    """The function that `decode` calls for slices of `codec`."""
    return _READERS[codec]


def _msgpack(raw: bytes) -> dict[str, Any]:
    try:
        return _MSGPACK.decode(raw)
    except (ValueError, RecursionError):  # something odd, or no record at all
        return _record(_msgpack_odd, raw)


def _json(raw: bytes) -> dict[str, Any]:
    try:
        return _JSON.decode(raw)
    except (ValueError, RecursionError):
        return _record(_json_odd, raw)


def _line(raw: bytes) -> dict[str, Any]:
    if raw.lstrip()[:1] == b"{":
        try:
            return _json(raw)
        except ValueError:
            pass  # text that merely begins like an object
    return {"message": raw.rstrip(b"\r\n").decode("utf-8", "backslashreplace")}


_READERS = {"msgpack": _msgpack, "json": _json, "line": _line}


def _record(read: Callable[[bytes], Any], raw: bytes) -> dict[str, Any]:
    try:
        value = plain(read(raw))
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"unreadable: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise ValueError(f"a record must be a map, this is {type(value).__name__}")
    return value


class _Map(list[tuple[Any, Any]]):
    """A msgpack map whose keys may be anything, also what Python cannot hash."""


def _msgpack_odd(raw: bytes) -> Any:
    try:
        return _unpacked(raw, _extension)
    except ValueError:
        return _unpacked(_defused(raw), lambda code, data: _extension(-1 if code == _HARMLESS else code, data))


def _unpacked(raw: bytes, ext_hook: Callable[[int, bytes], Any]) -> Any:
    return msgpack.unpackb(
        raw, raw=False, unicode_errors="backslashreplace", strict_map_key=False, object_pairs_hook=_Map, ext_hook=ext_hook
    )


def _extension(code: int, data: bytes) -> str:
    return f"ext({code}, {data.hex()})"


def _defused(raw: bytes) -> bytes:
    """`raw` without timestamps: the unpacker will not have one of an odd size or with too many nanoseconds."""
    made, at = bytearray(raw), 0
    try:
        while at < len(raw):
            head = raw[at]
            start, length = content(raw, at)
            if head in EXTENSIONS and made[start] == 0xFF:
                made[start] = _HARMLESS
            at = start if is_map(head) or is_array(head) else start + length
    except IndexError:
        raise ValueError("cut off") from None
    return bytes(made)


def _json_odd(raw: bytes) -> Any:
    return json.loads(raw.decode("utf-8", "surrogateescape"), parse_int=_integer)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 100 else float(digits)  # int() of thousands of digits is slow, then an error


def plain(value: Any) -> Any:
    """`value` as plain data, by the rules above, at every depth."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _SURROGATE.sub(_escape, value)
    if kind is int:
        return value if _LEAST <= value <= _MOST else float(value)
    if kind in (float, bool, type(None)):
        return value
    if kind in (dict, _Map):
        return _pairs(value.items() if kind is dict else value)
    return [plain(item) for item in value] if kind in (list, tuple) else _text(value)


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {_key(key): plain(value) for key, value in pairs}


def _key(key: Any) -> str:
    made = plain(key)
    return made if isinstance(made, str) else json.dumps(made)


def _text(value: Any) -> str:
    """The text that stands for a value which JSON has no kind for."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, msgpack.ExtType):
        return _extension(value.code, value.data)
    if isinstance(value, msgpack.Timestamp):
        ns = value.to_unix_nano()
        return times.iso(ns, 9) if 0 <= ns < 1 << 63 else f"{value.seconds}.{value.nanoseconds:09d}"
    return _SURROGATE.sub(_escape, str(value))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code < 0xDD00 else f"\\u{code:04x}"  # the former stand for bytes that were no UTF-8


def nests_deeper(codec: str, raw: bytes, depth: int) -> bool:
    """Whether the record nests deeper than `depth`. Few have so many brackets, so hardly any must be decoded to know."""
    openers = raw.translate(OPENERS).count(1) if codec == "msgpack" else raw.count(b"{") + raw.count(b"[")
    if openers <= depth:
        return False
    try:
        return _is_deeper(decode(codec, raw), depth)
    except ValueError:  # too deep even to be read
        return True


def _is_deeper(value: Any, left: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not left or any(_is_deeper(item, left - 1) for item in inner if isinstance(item, (dict, list)))
