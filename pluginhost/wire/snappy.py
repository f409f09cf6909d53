"""Snappy bodies unpacked: a raw block, or the framed format (a stream of checked chunks). Needs the optional package cramjam.

Snappy says beforehand how large its data are, so a body is measured before anything is allocated: a raw block by the number it begins
with, a framed stream by the numbers in its chunks. A number that no block of that size can keep is a lie, and the body is damaged.
"""

from __future__ import annotations

from typing import Final

from ..problem import PeerError

try:
    import cramjam
except ImportError:  # the extra is not installed
    cramjam = None  # type: ignore[assignment]

__all__ = ["unpack"]

_MAGIC: Final = b"\xff\x06\x00\x00sNaPpY"
_CHUNK: Final = 1 << 16  # the most data of one chunk of a stream
_CHUNKS: Final = 500_000  # the most chunks of one stream: an empty one costs 4 bytes, but as much time as a small one
_GAIN: Final = 32  # a block holds at most 64 bytes for every 3 of its own, so this is generous
_PACKED, _PLAIN = 0x00, 0x01


def unpack(body: bytes, limit: int) -> tuple[bytes, str | None]:
    """What can be had of `body`, and what was wrong with it or None; as `compression.unpack_leniently` has it."""
    if cramjam is None:
        raise PeerError("snappy_missing", "snappy needs an extra: pip install 'pluginhost[snappy]'")
    if body.startswith(_MAGIC):
        return _framed(body, limit)
    size = _declared(body, 0, len(body))
    if size is None:
        return b"", "not_packed"
    if size > limit:
        return b"", "too_large"
    if size > _GAIN * len(body):
        return b"", "not_packed"
    return _raw(body)


def _raw(body: bytes) -> tuple[bytes, str | None]:
    try:
        return bytes(cramjam.snappy.decompress_raw(body)), None
    except cramjam.DecompressionError:
        return b"", "not_packed"


def _framed(body: bytes, limit: int) -> tuple[bytes, str | None]:
    end, size, trouble = _measured(body, limit)
    if trouble == "too_large":
        return b"", trouble
    if not size:
        return b"", trouble
    try:
        return bytes(cramjam.snappy.decompress(body[:end], output_len=size)), trouble
    except cramjam.DecompressionError:  # a checksum that fails, for one
        return b"", "damaged"


def _measured(body: bytes, limit: int) -> tuple[int, int, str | None]:
    """Where the last whole chunk of the stream ends, how many bytes they all become, what is wrong with the rest."""
    at, size = 0, 0
    for _ in range(_CHUNKS):
        if at == len(body):
            return at, size, None
        end = at + 4 + int.from_bytes(body[at + 1 : at + 4], "little")
        if at + 4 > len(body) or end > len(body):
            return at, size, "cut_off"
        grown = _grown(body, at, end)
        if grown is None or grown > _CHUNK:
            return at, size, "damaged"
        size += grown
        if size > limit:
            return at, size, "too_large"
        at = end
    return at, size, "too_large"


def _grown(body: bytes, at: int, end: int) -> int | None:
    """How many bytes the chunk at `at` becomes; None for one that may not stand in a stream."""
    kind, content = body[at], at + 8  # behind its head and its checksum
    if kind == _PACKED:
        return _declared(body, content, end)
    if kind == _PLAIN:
        return end - content if end >= content else None
    return 0 if kind >= 0x80 else None  # the magic once more, padding, or what a reader may skip


def _declared(body: bytes, at: int, end: int) -> int | None:
    """The number at `at`, 7 bits a byte, the least first; None if there is none within 32 bits."""
    size = 0
    for place, byte in enumerate(body[at : min(at + 5, end)]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return size if size < 1 << 32 else None
    return None
