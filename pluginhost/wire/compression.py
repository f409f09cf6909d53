"""Bodies unpacked: gzip (any number of members), deflate (zlib or raw), zstd (any number of frames) and snappy; the last two are extras.

Pure and deterministic: the same packing and body give the same data again at every replay. Input goes in by small steps, so
that a bomb is stopped within one step of the limit. A part whose checksum fails is never handed out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from ..problem import PeerError
from . import snappy

try:
    import zstandard
except ImportError:  # the extra is not installed
    zstandard = None  # type: ignore[assignment]

__all__ = ["GZIP_MAGIC", "ZSTD_MAGIC", "unpack", "unpack_leniently"]

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_WINDOW = 32 << 20  # the most memory that a zstd frame may ask for
_PARTS = 500_000  # the most members of one body: an empty one costs 20 bytes, but as much time as a small one

_TROUBLES = {
    "not_packed": "the body is not {packing}",
    "damaged": "the {packing} body is damaged",
    "cut_off": "the {packing} body ends too early",
    "junk": "something else follows the {packing} body",
    "too_large": "the {packing} body unpacks to more than {limit} bytes",
}


class _Stream(Protocol):
    """What zlib and zstandard have in common: one member or frame on its way out."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Packing(msgspec.Struct, frozen=True):
    """How to open one part, what a further part begins with, and how much input goes in at once (its output is the overshoot)."""

    open: Callable[[], _Stream]
    magic: tuple[bytes, ...]
    step: int


def unpack(packing: str, body: bytes, limit: int) -> bytes:
    """`body` unpacked; `PeerError` when it is not whole and clean, exceeds `limit` bytes, or needs a package that is missing."""
    data, trouble = unpack_leniently(packing, body, limit)
    if trouble is not None:
        raise PeerError(trouble, _TROUBLES[trouble].format(packing=packing, limit=limit))
    return data


def unpack_leniently(packing: str, body: bytes, limit: int) -> tuple[bytes, str | None]:
    """What can be had of `body`, and what was wrong with it or None.

    `cut_off`: all up to the cut. `junk`, `damaged`: the whole parts before it. `not_packed`, `too_large`: nothing. Only a
    packing that is unknown or needs a missing package raises.
    """
    if not packing or not body:
        return body, None
    if packing == "deflate":
        return _deflate(body, limit)
    if packing == "snappy":
        return snappy.unpack(body, limit)
    return _parts(_packing(packing), body, limit)


def _packing(name: str) -> _Packing:
    if name == "gzip":
        return _GZIP
    if name != "zstd":
        raise PeerError("packing_unknown", f"there is no packing `{name}` here")
    if zstandard is None:
        raise PeerError("zstd_missing", "zstd needs an extra: pip install 'pluginhost[zstd]'")
    return _ZSTD


def _deflate(body: bytes, limit: int) -> tuple[bytes, str | None]:
    """Senders differ in what they mean by deflate: zlib's wrapping by the standard, none by habit."""
    wrapped = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    for packing in (_ZLIB, _RAW) if wrapped else (_RAW,):
        data, trouble = _parts(packing, body, limit)
        if trouble != "not_packed":
            break
    return data, trouble


def _parts(packing: _Packing, body: bytes, limit: int) -> tuple[bytes, str | None]:
    whole = list[bytes]()  # of the parts that came to their end
    at, size = 0, 0
    for _ in range(_PARTS):
        if at == len(body):
            return b"".join(whole), None
        if at and not body.startswith(packing.magic, at):
            return b"".join(whole), "junk"
        part, at, trouble = _part(packing, body, at, limit - size)
        if trouble == "cut_off":
            return b"".join([*whole, part]), trouble
        if trouble == "damaged":
            return b"".join(whole), trouble if body.startswith(packing.magic) else "not_packed"
        if trouble:
            return b"", trouble
        whole.append(part)
        size += len(part)
    return b"", "too_large"


def _part(packing: _Packing, body: bytes, at: int, limit: int) -> tuple[bytes, int, str | None]:
    """The part that begins at `at`: its data, where it ends, what is wrong with it."""
    stream, out, size = packing.open(), list[bytes](), 0
    while not stream.eof:
        piece = body[at : at + packing.step]
        if not piece:
            return b"".join(out), at, "cut_off"
        try:
            data = stream.decompress(piece)
        except _ERRORS:
            return b"", at, "damaged"
        at += len(piece) - len(stream.unused_data)
        size += len(data)
        if size > limit:
            return b"", at, "too_large"
        out.append(data)
    return b"".join(out), at, None


def _zstd() -> _Stream:
    stream: _Stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()
    return stream


_GZIP = _Packing(lambda: zlib.decompressobj(31), (GZIP_MAGIC,), 4096)
_ZLIB = _Packing(lambda: zlib.decompressobj(15), (), 4096)
_RAW = _Packing(lambda: zlib.decompressobj(-15), (), 4096)
_SKIPPABLE = tuple(bytes((0x50 + n,)) + b"\x2a\x4d\x18" for n in range(16))
_ZSTD = _Packing(_zstd, (ZSTD_MAGIC, *_SKIPPABLE), 512)  # small steps: 4 bytes may become 128 KiB
_ERRORS: tuple[type[Exception], ...] = (zlib.error,) if zstandard is None else (zlib.error, zstandard.ZstdError)
