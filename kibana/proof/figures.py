"""How values are written, and where an axis has its marks."""

from __future__ import annotations

import math
from datetime import UTC, datetime

__all__ = ["marks", "moment", "shown", "time_marks"]

_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_BYTES = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))
_HOUR, _DAY = 3600, 86400
_LAST = 253402300799
"""The last second that has a year of four digits."""
_STEPS = (60, 300, 600, 1800, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY)


def shown(value: object, unit: str = "") -> str:
    """A value as people read it: 1,234 · 2.5 h · 12 MiB · 2026-03-01 12:34 · – where there is none. A list is written with commas."""
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(shown(one, unit) for one in value[:20])
    when = moment(value)
    if when is not None:
        return _time(when, "%Y-%m-%d %H:%M")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit == "date":  # as Elasticsearch gives the greatest of some dates: milliseconds
        return _time(min(max(value / 1000, 0), _LAST), "%Y-%m-%d %H:%M")
    return _figure(min(max(value, -1e300), 1e300), unit)


def _figure(value: float, unit: str) -> str:
    if unit == "seconds":
        size, sign = next((one for one in _SPANS if abs(value) >= one[0]), _SPANS[-1])
        return f"{_plain(value / size)} {sign}"
    if unit == "bytes":
        size, sign = next((one for one in _BYTES if abs(value) >= one[0]), (1, "B"))
        return f"{_plain(value / size)} {sign}"
    return f"{_plain(value)} %" if unit == "percent" else _plain(value)


def _plain(value: float) -> str:
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    digits = 0 if value == int(value) or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    written = f"{value:,.{digits}f}"
    return written.rstrip("0").rstrip(".") if digits else written


def moment(value: object) -> float | None:
    """Seconds since 1970 of an ISO time; None of anything else, a date without a time included."""
    if not isinstance(value, str) or not 15 < len(value) < 40 or value[10] != "T":
        return None
    try:
        when = datetime.fromisoformat(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def marks(high: float, unit: str = "", *, whole: bool = False, most: int = 5) -> list[float]:
    """Round numbers from 0 to just above `high`, no more than `most` steps; `whole`: only whole ones."""
    sizes = _SPANS if unit == "seconds" else _BYTES if unit == "bytes" else ()
    size = next((one for one, _ in sizes if high >= one), 1)
    rough = max(high / size, 1e-9) / most
    ten = 10.0 ** math.floor(math.log10(rough))
    step = size * next(ten * one for one in (1, 2, 5, 10) if ten * one >= rough * 0.999)
    step = max(step, 1.0) if whole else step
    if unit == "seconds" and 60 <= high <= _STEPS[-1]:
        step = next(one for one in (10, 20, 30, *_STEPS) if one * most >= high)
    return [round(step * place, 9) for place in range(math.ceil(high / step - 1e-6) + 1)]


def time_marks(start: float, end: float, most: int, least: float = 0) -> list[tuple[float, str]]:
    """Round moments (UTC) between two, at least so many seconds apart, with how they are written: hours, days, or months."""
    step = next((one for one in _STEPS if one >= least and (end - start) / one <= most), 0)
    if not step:
        return _months(start, end, most)
    first = math.ceil(start / step)
    times = [step * place for place in range(first, math.floor(end / step) + 1)]
    return [(one, _time(one, "%m-%d" if one % _DAY == 0 else "%H:%M")) for one in times]


def _months(start: float, end: float, most: int) -> list[tuple[float, str]]:
    first, last = (datetime.fromtimestamp(one, UTC) for one in (start, end))
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    every = -(-len(months) // most)
    times = [datetime(one // 12, one % 12 + 1, 1, tzinfo=UTC).timestamp() for one in months[::every]]
    return [(one, _time(one, "%Y-%m")) for one in times if start <= one <= end]


def _time(when: float, form: str) -> str:
    return datetime.fromtimestamp(when, UTC).strftime(form)
