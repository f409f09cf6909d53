"""Dates as nanoseconds UTC: those that records hold, and the expressions that queries use.

A date that leaves parts out means the whole of what it names: `2024-05` is from the first to the last nanosecond of
that month. An expression is such a date, `now`, or either with date math: `now-1d/d`, `2024-05-01||+1M/M`. `now` is the
time of the record being judged, never the clock, so that a replay gives the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

__all__ = ["bounds", "moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "H": 3_600, "m": 60, "s": 1}
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?)?)?)?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?", re.ASCII
)
_MILLIS = re.compile(r"-?\d{5,17}", re.ASCII)
_STEP = re.compile(r"([+-])(\d{0,6})([yMwdhHms])|/([yMwdhHms])", re.ASCII)

_END = 1 << 63

Bound = Callable[[int], int]


def moment(value: Any) -> int | None:
    """When `value` of a record is, in ns; None if it is no date. Numbers are milliseconds since 1970."""
    try:
        if value.__class__ is str:
            if value[4:5] == "-" and value[7:8] == "-":  # the common form, by the fast way
                return _ns(datetime.fromisoformat(value))
            return _span(value)[0]
        if value.__class__ is int:
            return int(value) * 1_000_000
        if value.__class__ is float:
            return round(value * 1000) * 1000
        return _ns(value) if isinstance(value, datetime) else None
    except (ValueError, OverflowError):
        return None


def bounds(expression: str) -> tuple[Bound, Bound] | tuple[int, int]:
    """The first and the last nanosecond that `expression` means; functions of `now` if it is relative. `ValueError` if it is none."""
    try:
        return _bounds(expression)
    except OverflowError:
        raise ValueError(f"`{expression}` is beyond the calendar") from None


def _bounds(expression: str) -> tuple[Bound, Bound] | tuple[int, int]:
    anchor, bar, math = expression.partition("||")
    if bar:
        start = _span(anchor)[0]
        return _moved(start, _steps(math), up=False), _moved(start, _steps(math), up=True)
    if not expression.startswith("now"):
        return _span(expression)
    steps = _steps(expression[3:])
    return lambda now: _reached(now, steps, up=False), lambda now: _reached(now, steps, up=True)


def _reached(now: int, steps: list[tuple[int, str]], *, up: bool) -> int:
    """`_moved`, or the end of time where that is beyond the calendar."""
    try:
        return _moved(now, steps, up=up)
    except (ValueError, OverflowError):
        return _END if sum(amount for amount, _ in steps) > 0 else -_END


def _span(text: str) -> tuple[int, int]:
    if _MILLIS.fullmatch(text):
        return int(text) * 1_000_000, int(text) * 1_000_000 + 999_999
    found = _DATE.fullmatch(text)
    if not found:
        raise ValueError(f"`{text}` is no date")
    year, month, day, hour, minute, second, fraction = found.groups()[:7]
    start = datetime(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=_zone(found))
    first = _ns(start)
    if fraction:
        return first + int(fraction.ljust(9, "0")), first + int(fraction.ljust(9, "0")) + 10 ** (9 - len(fraction)) - 1
    unit = next(unit for unit, part in zip("smhdMy", (second, minute, hour, day, month, year), strict=True) if part)
    return first, _ns(_added(start, unit, 1)) - 1


def _zone(found: re.Match[str]) -> timezone:
    if not found[9]:
        return UTC
    offset = timedelta(hours=int(found[10]), minutes=int(found[11] or 0))
    return timezone(offset if found[9] == "+" else -offset)


def _steps(math: str) -> list[tuple[int, str]]:
    """Each step as (amount, unit); an amount of 0 rounds."""
    steps, at = [], 0
    while at < len(math):
        found = _STEP.match(math, at)
        if not found:
            raise ValueError(f"`{math[at:]}` is no date math such as `-1d` or `/d`")
        amount = 0 if found[4] else int(found[2] or 1) * (1 if found[1] == "+" else -1)
        if found[4] or amount:
            steps.append((amount, found[4] or found[3]))
        at = found.end()
    return steps


def _moved(ns: int, steps: list[tuple[int, str]], *, up: bool) -> int:
    """`ns` after every step; rounding goes to the unit's first nanosecond, or its last if `up`."""
    for amount, unit in steps:
        when, rest = _EPOCH + timedelta(microseconds=ns // 1000), ns % 1000
        if amount:
            ns = _ns(_added(when, unit, amount)) + rest
        else:
            start = _floor(when, unit)
            ns = _ns(_added(start, unit, 1)) - 1 if up else _ns(start)
    return ns


def _added(when: datetime, unit: str, amount: int) -> datetime:
    if unit in _UNITS:
        return when + timedelta(seconds=amount * _UNITS[unit])
    months = when.year * 12 + when.month - 1 + amount * (12 if unit == "y" else 1)
    first = when.replace(year=months // 12, month=months % 12 + 1, day=1)
    last_day = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(when.day, last_day.day))


def _floor(when: datetime, unit: str) -> datetime:
    if unit == "w":
        when -= timedelta(days=when.weekday())
    kept = {"y": 1, "M": 2, "w": 3, "d": 3, "h": 4, "H": 4, "m": 5, "s": 6}[unit]
    return datetime(*(*when.timetuple()[:kept], *(1, 1)[kept - 1 :]), tzinfo=UTC)  # type: ignore[misc,arg-type]  # three to six whole numbers


def _ns(when: datetime) -> int:
    span = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000_000 + span.microseconds * 1000
