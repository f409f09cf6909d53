"""The sending side of the forward protocol, without sockets: entries and frames as bytes, acknowledgements from bytes.

A frame is always `[tag, bin32 of entries, options]` (PackedForward), an entry `[time, record]`: the one shape that every
receiver reads alike. Equal arguments give equal bytes, so that a resend is the same frame with the same chunk id.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgpack
import msgspec

from ..problem import PeerError

__all__ = ["Acks", "chunk_id", "entry", "frame"]

_ENCODER = msgspec.msgpack.Encoder()
_SECOND = 1_000_000_000
_LAST_SECOND = 0xFFFFFFFD  # the two behind it are Fluent Bit's group markers, not times
_LONGEST_ACK = 64 * 1024


def entry(time: int, record: Mapping[str, Any], *, eventtime: bool = True) -> bytes:
    """One entry: `time` in ns UTC as EventTime, or in whole seconds; `record` must be plain data (`alerts.sanitise.plain`)."""
    seconds, nanoseconds = divmod(max(time, 0), _SECOND)
    seconds = min(seconds, _LAST_SECOND)
    stamp = b"\xd7\x00" + seconds.to_bytes(4, "big") + nanoseconds.to_bytes(4, "big") if eventtime else _ENCODER.encode(seconds)
    return b"\x92" + stamp + _ENCODER.encode(record)


def chunk_id(ids: Iterable[str]) -> str:
    """The id of the frame that carries the alerts `ids`: 16 bytes in base64, the same whenever it carries the same ones."""
    return b64encode(sha256("\n".join(ids).encode()).digest()[:16]).decode()


def frame(tag: str, entries: Sequence[bytes], *, chunk: str = "", gzipped: bool = False) -> bytes:
    """A whole frame. With `chunk` the receiver is asked for an acknowledgement."""
    body = b"".join(entries)
    options: dict[str, Any] = {"size": len(entries)}
    if chunk:
        options["chunk"] = chunk
    if gzipped:
        options["compressed"] = "gzip"
        body = gzip.compress(body, mtime=0)
    return b"".join((b"\x93", _ENCODER.encode(tag), b"\xc6", len(body).to_bytes(4, "big"), body, _ENCODER.encode(options)))


class Acks:
    """Reads acknowledgements out of any chunking of the bytes a receiver sends."""

    def __init__(self) -> None:
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="backslashreplace", strict_map_key=False, max_buffer_size=_LONGEST_ACK)

    def feed(self, data: bytes) -> list[str]:
        """The chunk ids acknowledged by `data`, in order; `PeerError` for anything that is not an acknowledgement."""
        try:
            self._unpacker.feed(data)
            return [_acknowledged(answer) for answer in self._unpacker]
        except (msgpack.UnpackException, ValueError, TypeError) as error:
            raise PeerError("not_an_ack", f"the answer is no msgpack: {type(error).__name__}") from None


def _acknowledged(answer: Any) -> str:
    if isinstance(answer, dict) and "ack" in answer:
        chunk = answer["ack"]
        return chunk.decode("utf-8", "backslashreplace") if isinstance(chunk, bytes) else str(chunk)
    if isinstance(answer, list) and answer[:1] == ["HELO"]:
        raise PeerError("helo", "the receiver asks for a shared key, which this output does not have")
    raise PeerError("not_an_ack", f"the answer is {type(answer).__name__}, not an acknowledgement")
