"""When a record of the past happened, where no field of it says so: the stamp that its line of text begins with, or bears.

A stamp without a year is taken to be the latest such day not behind the time at which the log was last written; one without a zone is
UTC. Nothing is guessed from what a message says further on. Linear in the text, of which only the beginning is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from ..wire import times
from ..wire.times import SECOND

__all__ = ["stamp"]

_LOOKED_AT = 512
_DAY = 86_400 * SECOND
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}

_PRIORITY = re.compile(r"<[0-9]{1,3}>(?:1 )?")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?")
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) {1,2}([0-9]{1,2}) (?:([0-9]{4}) )?([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")
_SLASHED = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?")
_EPOCH = re.compile(r"([0-9]{9,10}\.[0-9]{1,9})\s")
_AUDIT = re.compile(r"audit\(([0-9]{9,10}\.[0-9]{1,9}):")
_ACCESS = re.compile(r"\[([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?: ([+-][0-9]{4}))?\]")


def stamp(text: str, written: int) -> int:
    """The time that a log line bears, ns UTC; 0 if it bears none. `written` (ns) is when the log was last written."""
    text = text[:_LOOKED_AT]
    if found := _PRIORITY.match(text):
        text = text[found.end() :]
    for pattern, read in _KINDS:
        if (found := pattern(text)) is not None and (time := read(found, written)):
            return time
    return 0


def _iso(found: re.Match[str], _: int) -> int:
    return times.parse(found[0]) or 0


def _number(found: re.Match[str], _: int) -> int:
    return times.of_value(found[1]) or 0


def _syslog(found: re.Match[str], written: int) -> int:
    month, day, year, hour, minute, second, fraction = found.groups()
    if year:
        return _at(int(year), month, int(day), int(hour), int(minute), int(second), fraction, None)
    latest = datetime.fromtimestamp(written // SECOND, UTC).year
    for guess in range(latest + 1, latest - 8, -1):  # the 29th of February may lie that far back
        time = _at(guess, month, int(day), int(hour), int(minute), int(second), fraction, None)
        if 0 < time <= written + _DAY:  # the log's clock may be ahead of ours by its zone
            return time
    return 0


def _slashed(found: re.Match[str], _: int) -> int:
    year, month, day, hour, minute, second, fraction = found.groups()
    return _at(int(year), month, int(day), int(hour), int(minute), int(second), fraction, None)


def _access(found: re.Match[str], _: int) -> int:
    day, month, year, hour, minute, second, fraction, zone = found.groups()
    return _at(int(year), month, int(day), int(hour), int(minute), int(second), fraction, zone)


def _at(year: int, month: str, day: int, hour: int, minute: int, second: int, fraction: str | None, zone: str | None) -> int:
    midnight = _midnight(year, month, day)
    if not midnight or hour > 23 or minute > 59 or second > 60:
        return 0
    offset = (1 if zone[0] == "+" else -1) * (int(zone[1:3]) * 3600 + int(zone[3:]) * 60) if zone else 0
    return midnight + (hour * 3600 + minute * 60 + second - offset) * SECOND + int((fraction or "0").ljust(9, "0"))


@lru_cache(4096)
def _midnight(year: int, month: str, day: int) -> int:
    try:
        return int(datetime(year, _MONTHS.get(month) or int(month), day, tzinfo=UTC).timestamp()) * SECOND
    except ValueError:
        return 0


_KINDS: tuple[tuple[Callable[[str], re.Match[str] | None], Callable[[re.Match[str], int], int]], ...] = (
    (_SYSLOG.match, _syslog), (_ISO.match, _iso), (_SLASHED.match, _slashed), (_EPOCH.match, _number), (_ACCESS.search, _access),
    (_AUDIT.search, _number),
)  # fmt: skip
