"""What `journalctl -o json` writes, where it is not plain: a field that is no UTF-8 stands there as a list of numbers. Pure.

Whoever writes a log line chooses its bytes: without this a single odd one would hide a message from everybody who looks for words.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

__all__ = ["legible"]

_NUMBERS = re.compile(rb'"[A-Z0-9_]+"\s*:\s*\[')
_TIME = "__REALTIME_TIMESTAMP"


def legible(body: bytes) -> bytes:
    """The lines with such fields as text, `\\x` for what is none; any other line is as it was."""
    if _NUMBERS.search(body) is None:
        return body
    return b"\n".join(_line(line) if _NUMBERS.search(line) else line for line in body.split(b"\n"))


def _line(line: bytes) -> bytes:
    try:
        record = msgspec.json.decode(line)
        if not isinstance(record, dict) or _TIME not in record:
            return line
        return msgspec.json.encode({name: _text(value) for name, value in record.items()})
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return line


def _text(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    try:
        return bytes(value).decode("utf-8", "backslashreplace")
    except (TypeError, ValueError):  # several values of one field, each perhaps a list of numbers
        return [_text(one) for one in value]
