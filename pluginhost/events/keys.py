"""Key bytes: the canonical form of a key, by which records are spread over shards and state is found.

Per value one tag byte (`s` text, `i` integer, `f` float, `b` truth value), the length in four bytes, the value. Different
values have different bytes: "1" is not 1, and ("ab", "c") is not ("a", "bc"). A whole float is an integer, and a list
of one is its element. The form is for ever: it is part of alert ids and of stored state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

from .fields import MISSING, Fields

__all__ = ["key_bytes", "key_group", "shard", "show"]


def key_bytes(event: Fields, fields: tuple[str, ...]) -> bytes | None:
    """The key of `event` over `fields`; `None` if one of them is missing, null, an object, or a list of none or several."""
    if len(fields) == 1:
        return _part(event.get(fields[0], MISSING))
    parts = []
    for field in fields:
        part = _part(event.get(field, MISSING))
        if part is None:
            return None
        parts.append(part)
    return b"".join(parts)


def key_group(key: bytes) -> int:
    """The key's group, 0 to 255."""
    return crc32(key) & 255


def shard(group: int, shards: int) -> int:
    """The shard, 0 to `shards` - 1, that owns the key group."""
    return group * shards >> 8


def show(key: bytes) -> list[Any]:
    """The values in key bytes, for people."""
    found: list[Any] = []
    at = 0
    while at < len(key):
        end = at + 5 + int.from_bytes(key[at + 1 : at + 5])
        found.append(_SHOWN[key[at]](key[at + 5 : end]))
        at = end
    return found


def _part(value: Any) -> bytes | None:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return (_TEXTS[len(data)] if len(data) < len(_TEXTS) else b"s" + len(data).to_bytes(4, "big")) + data
    if isinstance(value, bool):
        tag, data = b"b", b"1" if value else b"0"
    elif isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        tag, data = b"i", b"%d" % int(value)
    elif isinstance(value, float):
        tag, data = b"f", repr(value).encode()
    else:
        return None
    return tag + len(data).to_bytes(4, "big") + data


_TEXTS = tuple(b"s" + length.to_bytes(4, "big") for length in range(256))
"""What stands before a text of that length."""

_SHOWN: dict[int, Callable[[bytes], Any]] = {
    ord("s"): lambda data: data.decode("utf-8", "surrogatepass"),
    ord("i"): int,
    ord("f"): float,
    ord("b"): lambda data: data == b"1",
}
