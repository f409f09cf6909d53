"""Dates of records and date expressions of queries."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pluginhost import match
from pluginhost.events.fields import Document
from pluginhost.match import fields, parse
from pluginhost.match.dates import bounds, moment


def ns(text):
    when = datetime.fromisoformat(text)
    return round(when.timestamp()) * 10**9


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-01T12:00:00Z", ns("2024-05-01T12:00:00Z")),
        ("2024-05-01T12:00:00.123456Z", ns("2024-05-01T12:00:00Z") + 123_456_000),
        ("2024-05-01T12:00:00+02:00", ns("2024-05-01T10:00:00Z")),
        ("2024-05-01 12:00:00", ns("2024-05-01T12:00:00Z")),
        ("2024-05", ns("2024-05-01T00:00:00Z")),
        ("1714564800000", ns("2024-05-01T12:00:00Z")),
        (1714564800000, ns("2024-05-01T12:00:00Z")),
        (1714564800000.5, ns("2024-05-01T12:00:00Z") + 500_000),
        (datetime(2024, 5, 1, 12, tzinfo=UTC), ns("2024-05-01T12:00:00Z")),
        (datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))), ns("2024-05-01T12:00:00Z")),
        ("1969-12-31T23:59:59Z", -(10**9)),
    ],
)
def test_moments(value, expected):
    assert moment(value) == expected


@pytest.mark.parametrize("value", ["", "x", "2024-13", "2024-02-30", "2024-05-01T25", None, True, [], {}, float("nan"), float("inf")])
def test_what_is_no_date_is_none(value):
    assert moment(value) is None


@pytest.mark.parametrize(
    ("expression", "first", "last"),
    [
        ("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2024-05", "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"),
        ("2024-12", "2024-12-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-05-01T12", "2024-05-01T12:00:00Z", "2024-05-01T13:00:00Z"),
        ("2024-05-01T12:30", "2024-05-01T12:30:00Z", "2024-05-01T12:31:00Z"),
        ("2024-05-01T12:30:07+02:00", "2024-05-01T10:30:07Z", "2024-05-01T10:30:08Z"),
        ("2024-05-17||/M", "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"),
        ("2024-05-17||/w", "2024-05-13T00:00:00Z", "2024-05-20T00:00:00Z"),
        ("2024-05-31||-3M/d", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-01-31||+1M+1y/d", "2025-02-28T00:00:00Z", "2025-03-01T00:00:00Z"),
        ("2024-05-17T10:20:30||-1h/h", "2024-05-17T09:00:00Z", "2024-05-17T10:00:00Z"),
        ("2024-05-17||/y", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
    ],
)
def test_an_expression_means_all_that_it_names(expression, first, last):
    assert bounds(expression) == (ns(first), ns(last) - 1)


def test_fractions_and_sums():
    assert bounds("2024-05-01T12:00:00.5Z") == (ns("2024-05-01T12:00:00Z") + 500_000_000, ns("2024-05-01T12:00:00Z") + 599_999_999)
    assert bounds("2024-05-01||+36h") == (ns("2024-05-02T12:00:00Z"), ns("2024-05-02T12:00:00Z"))


@pytest.mark.parametrize("expression", ["", "x", "now+", "now-1x", "now/", "2024-5", "0000", "9999||+1y", "2024-05-01T1", "nowish"])
def test_other_texts_are_no_expressions(expression):
    with pytest.raises(ValueError, match=r"is no date|beyond|out of range"):
        bounds(expression)


def matches(text, **record):
    return match.compile(parse(text))(Document(record))


def test_now_is_the_time_of_the_record():
    record = {"@timestamp": "2020-05-10T08:00:00Z", "event.start": "2020-05-09T01:00:00Z"}
    assert matches("event.start:[now-1d/d TO now]", **record)
    assert not matches("event.start:[now-1d TO now]", **record)
    assert matches("event.start:>now-32h AND event.start:<now", **record)
    assert not matches("event.start:<now", **{"event.start": "2020-05-09"})
    assert not matches("event.start:>now-9999y OR event.start:<now+99999y", **{"@timestamp": "2020", "event.start": "x"})
    assert matches("event.start:>now-9999y AND event.start:<now+99999y", **record)
    assert fields(parse("event.start:<now")) == {"event.start", "@timestamp"}


def test_bounds_take_the_whole_of_what_they_name():
    inside, after = {"event.start": "2024-05-31T23:59:59.999Z"}, {"event.start": "2024-06-01T00:00:00Z"}
    for text, first, second in [
        ("2024-05", True, False), ("[2024-05 TO 2024-05]", True, False), (">2024-05", False, True), (">=2024-05", True, True),
        ("<2024-06", True, False), ("<=2024-05", True, False), ("{2024-05 TO *}", False, True), ('"2024-05-31T23:59:59.999Z"', True, False),
    ]:  # fmt: skip
        assert (matches(f"event.start:{text}", **inside), matches(f"event.start:{text}", **after)) == (first, second), text
