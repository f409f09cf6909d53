"""`google.rpc.Status` and `google.rpc.RetryInfo` as bytes: three small messages that need no generated code."""

from __future__ import annotations

__all__ = ["retry_info", "status", "varint"]

_RETRY_INFO = b"type.googleapis.com/google.rpc.RetryInfo"


def status(code: int, message: str, details: bytes = b"") -> bytes:
    """A `google.rpc.Status`; `details` is a `RetryInfo` as `retry_info` gives it."""
    detail = _field(3, _field(1, _RETRY_INFO) + _field(2, details)) if details else b""
    return b"\x08" + varint(code) + _field(2, message.encode("utf-8", "backslashreplace")) + detail


def retry_info(seconds: int) -> bytes:
    """A `google.rpc.RetryInfo` that says how long to wait."""
    return _field(1, b"\x08" + varint(seconds))


def varint(number: int) -> bytes:
    """A number from 0 on as protobuf writes it."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(value)) + value if value else b""
