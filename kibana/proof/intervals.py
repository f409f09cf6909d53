"""Which bars of time the products draw: `now-7d` in a dashboard is a span, and an interval of `auto` over it is three hours.

Rules and limits are those of Kibana 8 and 9 and of OpenSearch Dashboards 2 and 3 as they are set out of the box, in UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

__all__ = ["Span", "calendar", "histogram", "iso", "opened", "vega_interval"]

_BARS = 50  # histogram:barTarget
_MOST = 100  # histogram:maxBars
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "M": 2_592_000_000, "y": 31_536_000_000}
# From the largest down: an interval, and the bars' breadth from which on the next larger one is taken.
_STEPS = (("1y", None), ("1M", "1y"), ("1w", "3w"), ("1d", "1w"), ("12h", "1d"), ("3h", "6h"), ("1h", "2h"), ("30m", "45m"), ("10m", "20m"),
          ("5m", "9m"), ("1m", "3m"), ("30s", "45s"), ("10s", "15s"), ("5s", "7500ms"), ("1s", "5s"), ("100ms", "500ms"))  # fmt: skip
# What Vega makes of `%autointerval%`: the broadest bars for which an interval is taken.
_VEGA = (("500ms", "100ms"), ("5s", "1s"), ("7500ms", "5s"), ("15s", "10s"), ("45s", "30s"), ("3m", "1m"), ("450s", "5m"), ("20m", "10m"),
         ("45m", "30m"), ("2h", "1h"), ("6h", "3h"), ("24h", "12h"), ("1w", "24h"), ("3w", "1w"), ("42d", "30d"))  # fmt: skip
_CALENDAR = ("m", "h", "d", "w", "M", "y")


class Span(msgspec.Struct, frozen=True):
    """A time that is looked at, both ends within it, in milliseconds since 1970."""

    start: int
    end: int

    def range(self, field: str) -> dict[str, Any]:
        """The condition that both products make of it."""
        return {"range": {field: {"gte": iso(self.start), "lte": iso(self.end), "format": "strict_date_optional_time"}}}


def opened(since: str, until: str, now: int) -> Span:
    """The span of a dashboard that opens with times such as `now-7d` and `now`, at `now` in milliseconds."""
    return Span(_moment(since, now), _moment(until, now))


def histogram(field: str, interval: str, span: Span | None, *, scaled: bool = True) -> dict[str, Any]:
    """The `date_histogram` that an interval (`auto` or such as `1h`) becomes over a span; `scaled`: never with too many bars."""
    if span is not None:
        breadth = span.end - span.start
        if interval == "auto":
            interval = _near(breadth / _BARS)
        if scaled and _milliseconds(interval) < _milliseconds(least := _below(breadth / _MOST)):
            interval = least
    return {"field": field, **calendar(interval), "time_zone": "UTC"}


def vega_interval(bars: int | bool, span: Span) -> str:
    """What `%autointerval%` becomes in a Vega spec; True is fifty bars."""
    breadth = (span.end - span.start) / (_BARS if bars is True else bars)
    return next((interval for most, interval in _VEGA if breadth <= _milliseconds(most)), "1y")


def calendar(interval: str) -> dict[str, str]:
    """An interval as a `date_histogram` takes it: one of a unit is the calendar's, several are of fixed length."""
    number, unit = _split(interval)
    return {"calendar_interval" if number == 1 and unit in _CALENDAR else "fixed_interval": f"{number}{unit}"}


def _near(breadth: float) -> str:
    """The interval next to bars of that breadth."""
    larger = _STEPS[0][0]
    for interval, bound in _STEPS[1:]:
        if bound and _milliseconds(bound) <= breadth:
            return larger
        larger = interval
    return f"{max(int(breadth), 1)}ms"


def _below(breadth: float) -> str:
    return next((interval for interval, _ in _STEPS if _milliseconds(interval) <= breadth), f"{max(int(breadth), 1)}ms")


def _split(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{0,9})(ms|[smhdwMy])", text)
    if found is None:
        raise ValueError(f"no span of time: {text!r}")
    return int(found[1] or 1), found[2]


def _milliseconds(text: str) -> int:
    number, unit = _split(text)
    return number * _UNITS[unit]


def _moment(text: str, now: int) -> int:
    if text == "now":
        return now
    if not text.startswith("now-"):
        raise ValueError(f"a dashboard opens with a time that is not read here: {text!r}")
    return now - _milliseconds(text.removeprefix("now-"))


def iso(moment: int) -> str:
    """A moment in milliseconds since 1970 as a text."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
