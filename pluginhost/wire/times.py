"""Event times as whole nanoseconds since 1970 in UTC: read from text and numbers, written as text.

Nothing here is guessed by locale and no clock is read. A time that nanoseconds in 63 bits cannot hold (0 and below, or
after 2262) is no time: every reader returns None for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["SECOND", "iso", "of_number", "of_seconds", "of_value", "parse"]

SECOND = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = 1 << 63
_MAGNITUDES = ((10**11, SECOND), (10**14, 10**6), (10**17, 10**3))  # below which absolute value a number counts s, ms, us


def parse(text: str) -> int | None:
    """The time that ISO 8601 / RFC 3339 text says, to the nanosecond; no offset means UTC, None means it is no such text.

    `2024-01-31T10:00:00.123456789+01:00`; the `T` may be a blank, the fraction's point a comma, the second a leap second.
    """
    head, tail = text[:19], text[19:]
    if len(head) != 19 or head[4] != "-" or head[10] not in "Tt " or head[13] != ":" or head[16] != ":":
        return None
    leap = head[17:] == "60"
    try:
        whole = datetime.fromisoformat(f"{head[:17]}59+00:00" if leap else f"{head}+00:00").timestamp()
    except ValueError:
        return None
    if tail in ("Z", ""):
        return _representable((int(whole) + leap) * SECOND)
    fraction, zone = _fraction(tail)
    offset = _offset(zone)
    return None if fraction is None or offset is None else _representable((int(whole) + leap - offset) * SECOND + fraction)


def _fraction(tail: str) -> tuple[int | None, str]:
    """Nanoseconds that a `.123…` at the start of `tail` says, None if it is malformed, and the rest behind it."""
    if tail[0] not in ".,":
        return 0, tail
    stop = 1
    while stop < len(tail) and tail[stop] in "0123456789":
        stop += 1
    digits = tail[1:stop]
    return (int(digits.ljust(9, "0")) if 1 <= len(digits) <= 9 else None), tail[stop:]


def _offset(zone: str) -> int | None:
    """Seconds east of UTC that `Z`, `+01:00`, ` +0100`, `+01` or nothing says; None if it is malformed."""
    zone = zone.strip(" ")
    if zone in ("", "Z", "z", "UTC"):
        return 0
    digits = zone[1:3] + zone[-2:] if len(zone) == 6 and zone[3] == ":" else zone[1:].ljust(4, "0") if len(zone) in (3, 5) else ""
    if zone[0] not in "+-" or len(digits) != 4 or not (digits.isascii() and digits.isdecimal()) or digits[2] > "5":
        return None
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def of_number(value: float | Decimal) -> int | None:
    """The time that epoch seconds say, or milli-, micro- or nanoseconds where the number is too large for that.

    Exact: a float is taken for the very binary number it is. The borders lie at 10^11, 10^14 and 10^17, so seconds reach
    to the year 5138 and milliseconds back to 1973.
    """
    return _scaled(value, next((unit for border, unit in _MAGNITUDES if value < border), 1))


def of_seconds(value: float | Decimal) -> int | None:
    """The time that epoch seconds say, exactly, and nothing but seconds."""
    return _scaled(value, SECOND)


def _scaled(value: float | Decimal, unit: int) -> int | None:
    if isinstance(value, bool) or not 0 < value < _END:  # NaN is not either
        return None
    if isinstance(value, Decimal):  # its ratio could be of millions of digits
        return _representable(int((value * unit).to_integral_value()))
    above, below = value.as_integer_ratio()
    return _representable((2 * above * unit + below) // (2 * below))


def of_value(value: Any) -> int | None:
    """The time that a record's value says: text as `parse` reads it, a number, or a number written as text."""
    if isinstance(value, str):
        return parse(value) or _of_digits(value)
    return of_number(value) if isinstance(value, (int, float)) else None


def _of_digits(text: str) -> int | None:
    plain = text.isascii() and 9 <= len(text) <= 30 and text.replace(".", "", 1).isdecimal()
    return of_number(Decimal(text)) if plain else None


def _representable(ns: int) -> int | None:
    return ns if 0 < ns < _END else None


def iso(ns: int, digits: int = 3) -> str:
    """`ns` as `2024-01-31T10:00:00.123Z`, cut to `digits` digits (3 or 9) of the second's fraction."""
    seconds, fraction = divmod(ns, SECOND)
    return f"{(_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]}.{fraction:09d}"[: 20 + digits] + "Z"
