"""What an HTTP answer means for what was sent: done, later, somebody must act, or never. Pure.

For outputs whose peer says it by the status alone. What a service puts into its answer's body is its own module's.
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping

import aiohttp

from ..problem import printable
from .port import DONE, Dead, Outcome, Retry, Unavailable

__all__ = ["meaning", "unreachable", "wait"]

_CONFIGURATION = (401, 403, 404, 405, 407, 410, 415)
"""Answers about us or the address, not about what was sent: somebody must act, and nothing is given up meanwhile."""
_LATER = (408, 423, 425, 429)
_LONGEST_WAIT = 3600.0
_TOLD = 300


def meaning(status: int, headers: Mapping[str, str], body: bytes, now: int) -> Outcome:
    """What became of a request that was answered so; the reason is the status and the body's beginning in one safe line.

    `now` is ns UTC, for a `Retry-After` that names a date.
    """
    if 200 <= status < 300:
        return DONE
    reason = f"{status} {printable(body[:_TOLD].decode('utf-8', 'replace').strip())}".rstrip()
    if status in _LATER or status >= 500:
        return Retry(reason, wait(headers.get("Retry-After", ""), now))
    if status in _CONFIGURATION or status < 400:
        return Retry(reason, slow=True)
    return Dead(reason)


def wait(told: str, now: int) -> float:
    """The seconds that `Retry-After` asks for, in seconds or as a date, at most an hour; 0 if it says nothing of use."""
    if told.isascii() and told.strip().isdigit():
        return min(float(told), _LONGEST_WAIT)
    try:
        until = email.utils.parsedate_to_datetime(told).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(until - now / 1e9, 0.0), _LONGEST_WAIT)


def unreachable(error: Exception) -> Unavailable:
    """What to raise where no answer came; slow where the peer could not prove who it is."""
    return Unavailable(f"{type(error).__name__}: {error}".rstrip(": "), slow=isinstance(error, aiohttp.ClientSSLError))
