"""What the mappings of web servers, proxies and sensors say alike: the parts of a request, and how a status is judged.

Everything takes whatever a record holds, and answers `MISSING` for what is not given or of the wrong type: a mapping that
said nothing would let an alias find the "-" that the server wrote instead.
"""

from __future__ import annotations

import re
from typing import Any

from ..address import packed
from ..fields import MISSING

__all__ = ["address", "given", "nanoseconds", "number", "outcome", "path", "query", "request", "text", "version"]

_NOTHING = (None, "", "-")
_METHOD = re.compile(r"[A-Za-z_-]{1,32}")
_VERSION = re.compile(r"HTTP/(\d(?:\.\d)?)")
_LONGEST = 1e9  # seconds: three decades, and its nanoseconds fit into 63 bits


def given(value: Any) -> Any:
    """`value`, or `MISSING` where it is null, empty or the server's "-"."""
    return MISSING if value in _NOTHING else value


def text(value: Any) -> Any:
    """`value` if it is a text that says something."""
    return value if isinstance(value, str) and value not in _NOTHING else MISSING


def number(value: Any) -> Any:
    """The whole number that `value` is or spells in at most 18 digits."""
    if isinstance(value, str) and len(value) <= 18 and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else MISSING


def outcome(status: Any) -> Any:
    """`success` below 400, `failure` from there on."""
    code = number(status)
    return MISSING if code is MISSING else "success" if code < 400 else "failure"


def address(value: Any) -> Any:
    """`value` if it is the text of a network address."""
    return value if isinstance(value, str) and packed(value) is not None else MISSING


def nanoseconds(seconds: Any) -> Any:
    """A span of time given in seconds, in whole ns."""
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 <= seconds < _LONGEST
    return round(seconds * 1e9) if known else MISSING


def version(protocol: Any) -> Any:
    """`1.1` of `HTTP/1.1`."""
    return given(protocol.removeprefix("HTTP/")) if isinstance(protocol, str) else MISSING


def path(target: Any) -> Any:
    """The path of a request's target, which may be a whole URL."""
    if text(target) is MISSING:
        return MISSING
    before = target.partition("?")[0]
    scheme, mark, rest = before.partition("://")
    return f"/{rest.partition('/')[2]}" if mark and scheme.isalpha() else before


def query(target: Any) -> Any:
    """What follows the first `?` of a request's target."""
    if not isinstance(target, str):
        return MISSING
    _, asked, after = target.partition("?")
    return after if asked else MISSING


def request(line: str) -> tuple[Any, Any, Any]:
    """Method, target and version of a request line; all `MISSING` for a line that is none, such as a TLS hello."""
    method, blank, rest = line.partition(" ")
    if not blank or _METHOD.fullmatch(method) is None:
        return MISSING, MISSING, MISSING
    target, _, end = rest.rpartition(" ")
    found = _VERSION.fullmatch(end)
    target, number = (target, found[1]) if found and target else (rest, MISSING)
    return given(method), given(target), number
