"""The first bytes of msgpack values: what kind follows and how long it says it is. A declared length is only a promise."""

from __future__ import annotations

from typing import Final

__all__ = ["EMPTY_MAPS", "NIL", "content", "is_array", "is_map", "is_text"]

NIL: Final = b"\xc0"
EMPTY_MAPS: Final = frozenset((b"\x80", b"\xde\0\0", b"\xdf\0\0\0\0"))

_WIDTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}
_MAPS = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_ARRAYS = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))
_TEXTS = frozenset((*range(0xA0, 0xC0), 0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB))


def is_map(head: int) -> bool:
    """Whether a value that begins with the byte `head` is a map."""
    return head in _MAPS


def is_array(head: int) -> bool:
    """Whether a value that begins with the byte `head` is an array."""
    return head in _ARRAYS


def is_text(head: int) -> bool:
    """Whether a value that begins with the byte `head` is a string or bytes: senders mix them freely."""
    return head in _TEXTS


def content(data: bytes, at: int = 0) -> tuple[int, int]:
    """Where the content of the string, bytes, extension, array or map at `at` begins, and the length it declares.

    0 for any other value. `IndexError` if `data` ends within the head.
    """
    head = data[at]
    width = _WIDTHS.get(head)
    if width is None:
        return at + 1, head & 0x1F if 0xA0 <= head < 0xC0 else head & 0x0F if 0x80 <= head < 0xA0 else 0
    stop = at + 1 + width
    if len(data) < stop:
        raise IndexError("the head is cut off")
    return stop, int.from_bytes(data[at + 1 : stop], "big")
