"""The first bytes of msgpack values: what kind follows and how long it says it is. A declared length is only a promise."""

from __future__ import annotations

from typing import Final

__all__ = ["EMPTY_MAPS", "EXTENSIONS", "NIL", "content", "is_array", "is_map", "is_text"]

NIL: Final = b"\xc0"
EMPTY_MAPS: Final = frozenset((b"\x80", b"\xde\0\0", b"\xdf\0\0\0\0"))

EXTENSIONS: Final = frozenset((0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8))

_SIZES = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
          0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}  # fmt: skip
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
    """Where the content of the value at `at` begins, and how many elements, pairs or bytes it declares.

    An extension's content begins with its type. `IndexError` if `data` ends within the head.
    """
    head = data[at]
    width = _WIDTHS.get(head)
    if width is None:
        return at + 1, head & 0x1F if 0xA0 <= head < 0xC0 else head & 0x0F if 0x80 <= head < 0xA0 else _SIZES.get(head, 0)
    stop = at + 1 + width
    if len(data) < stop:
        raise IndexError("the head is cut off")
    return stop, int.from_bytes(data[at + 1 : stop], "big") + (head in EXTENSIONS)
