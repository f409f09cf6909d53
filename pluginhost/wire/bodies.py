"""One body as a sender made it (an HTTP request's, a gRPC batch's) → one chunk. No sockets, no clock.

The declared type is believed first, then the first byte. The body itself is kept as received; a record is a slice of it.
What cannot be read is rejected with its bounds; a body of which nothing can be read raises `Unreadable`, which brings the
dead letter along, so that a door can keep it before it says no.
"""

from __future__ import annotations

from collections.abc import Callable

from ..problem import PeerError
from . import bulk, forms, jsons, packed
from .chunk import Chunk, Columns, Rejection
from .compression import unpack
from .sieve import TOO_LARGE, Limits, Sieve

__all__ = ["DEAD_LETTER", "DEFAULT", "TOO_LARGE", "Limits", "Unreadable", "decode_body", "opened"]

DEAD_LETTER = 64 << 10
"""How many bytes of an unreadable body are kept."""
DEFAULT = Limits()

_Reader = Callable[[Sieve], str]
_READERS: dict[str, _Reader] = {
    "application/json": jsons.objects,
    "application/jsonl": jsons.objects,
    "application/msgpack": packed.maps,
    "application/vnd.msgpack": packed.maps,
    "application/x-json-stream": jsons.objects,
    "application/x-jsonlines": jsons.objects,
    "application/x-msgpack": packed.maps,
    "application/x-ndjson": jsons.objects,
    "text/plain": jsons.objects_or_lines,
}
_UNNAMED = ("", "application/octet-stream")
_PACKINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "zstd": "zstd", "snappy": "snappy",
             "x-snappy-framed": "snappy"}  # fmt: skip
_FORM = "application/x-www-form-urlencoded"


class Unreadable(PeerError):
    """Nothing of the body can ever be accepted. `chunk` holds no record, only the rejection and the first 64 KiB."""

    def __init__(self, reason: str, hint: str, *, tag: str, body: bytes) -> None:
        super().__init__(reason, hint)
        kept = body[:DEAD_LETTER]
        self.chunk = Chunk(tag, "line", kept, kept, Columns.of([]), rejected=(Rejection(reason, 0, len(kept)),))


def decode_body(body: bytes, *, content_type: str = "", content_encoding: str = "", tag: str, limits: Limits = DEFAULT) -> Chunk:
    """The chunk in `body`; it may hold no record only if the body holds nothing at all.

    `content_type` and `content_encoding` are the headers as sent. Raises `PeerError` with reason `too_large` when a limit
    on the whole body is broken, else `Unreadable`.
    """
    packing, data = opened(body, content_encoding, tag, limits)
    reader = _reader(content_type, data)
    if reader is None and _kind(content_type) == _FORM and (record := forms.record_of(data)) is not None:
        packing, body, data, reader = "", record, record, jsons.objects
    if reader is None:
        raise Unreadable("content_type", f"no way to read {content_type!r}", tag=tag, body=data)
    sieve = Sieve(data, limits)
    codec = reader(sieve)
    columns, rejected = sieve.columns, tuple(sieve.rejected)
    if rejected and not columns:
        raise Unreadable(rejected[0].reason, f"nothing in it is a record, from byte {rejected[0].start} on", tag=tag, body=data)
    return Chunk(tag, codec, body, data, columns, packing, rejected=rejected)


def opened(body: bytes, content_encoding: str, tag: str, limits: Limits = DEFAULT) -> tuple[str, bytes]:
    """How `body` is packed, by its header, and what is in it; raises like `decode_body`."""
    packing = _PACKINGS.get(content_encoding.strip().lower())
    if packing is None:
        raise Unreadable("encoding", f"content encoding {content_encoding!r} is not known here; use gzip", tag=tag, body=body)
    if len(body) > limits.body:
        raise PeerError(TOO_LARGE, f"the body is larger than {limits.body}")
    try:
        data = unpack(packing, body, limits.data) if packing else body
    except PeerError as error:
        if error.reason == TOO_LARGE:
            raise
        raise Unreadable(error.reason, error.hint, tag=tag, body=body) from None
    if len(data) > limits.data:
        raise PeerError(TOO_LARGE, f"the body is larger than {limits.data}")
    return packing, data


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _reader(content_type: str, data: bytes) -> _Reader | None:
    """What reads this body: by its declared type, else by its first byte. Text must be declared as such, or not at all."""
    kind = _kind(content_type)
    if bulk.begins(data):
        return bulk.documents
    if kind in _READERS:
        return _READERS[kind]
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start in (b"{", b"["):
        return jsons.objects
    if kind in _UNNAMED and packed.begins(start):
        return packed.maps
    return jsons.objects_or_lines if kind in _UNNAMED or kind.startswith("text/") else None
