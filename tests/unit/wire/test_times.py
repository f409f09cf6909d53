from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.wire import times

NOON = 1_706_698_800 * 10**9  # 2024-01-31T11:00:00Z


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2024-01-31T11:00:00Z", NOON),
        ("2024-01-31T11:00:00", NOON),
        ("2024-01-31 11:00:00", NOON),
        ("2024-01-31t11:00:00z", NOON),
        ("2024-01-31T11:00:00UTC", NOON),
        ("2024-01-31T11:00:00.1Z", NOON + 100_000_000),
        ("2024-01-31T11:00:00,123Z", NOON + 123_000_000),
        ("2024-01-31T11:00:00.123456789", NOON + 123_456_789),
        ("2024-01-31T11:00:00.000000001+00:00", NOON + 1),
        ("2024-01-31T12:00:00.5+01:00", NOON + 500_000_000),
        ("2024-01-31 12:00:00 +0100", NOON),
        ("2024-01-31T12:00:00+01", NOON),
        ("2024-01-31T05:30:00-05:30", NOON),
        ("2024-01-31T10:59:60Z", NOON),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("2262-04-11T23:47:16.854775807Z", 2**63 - 1),
    ],
)
def test_text_is_read_to_the_nanosecond(text, ns):
    assert times.parse(text) == ns


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2024-01-31", "2024-01-31T11:00Z", "20240131T110000Z", "2024-01-31T110000.0Z", "2024-01-31T11:00:6 Z"),
        *("2024-13-31T11:00:00Z", "2024-01-31T24:00:01Z", "2024-01-31T11:00:00.Z", "2024-01-31T11:00:00.1234567890Z"),
        *("2024-01-31T11:00:00.٣Z", "٢٠٢٤-01-31T11:00:00Z", "2024-01-31T11:00:00Zjunk", "2024-01-31T11:00:00*01:00"),
        *("2024-01-31T11:00:00+", "2024-01-31T11:00:00+1", "2024-01-31T11:00:00+01:60", "2024-01-31T11:00:00+aa:bb"),
        *("1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2262-04-11T23:47:16.854775808Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_what_is_no_time_is_none(text):
    assert times.parse(text) is None


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        (1_706_698_800, NOON),
        (1_706_698_800.5, NOON + 500_000_000),
        (1_706_698_800_123, NOON + 123_000_000),
        (1_706_698_800_123_456, NOON + 123_456_000),
        (NOON + 123_456_789, NOON + 123_456_789),
        (1_706_698_800_123.5, NOON + 123_500_000),
        (Decimal("1706698800.123456789"), NOON + 123_456_789),
        (Decimal("1E+999999999"), None),
        (Decimal("1E-999999999"), None),
        (1e300, None),
        (0, None),
        (-5, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (-float("inf"), None),
        (10**10, None),
        (2**63, None),
        (10**400, None),
    ],
)
def test_numbers_count_by_magnitude(value, ns):
    assert times.of_number(value) == ns


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        *((1706698800, NOON), (1706698800.5, NOON + 500_000_000), (9223372036, 9223372036 * 10**9)),
        *((9223372037, None), (NOON, None), (0, None), (-1.5, None)),
    ],
)
def test_seconds_are_nothing_but_seconds(value, ns):
    assert times.of_seconds(value) == ns


def test_a_float_is_the_binary_number_it_is():
    assert times.of_number(1795923297.123456) == 1795923297123456001


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("2024-01-31T11:00:00Z", NOON),
        ("1706698800.123456789", NOON + 123_456_789),
        ("1706698800123", NOON + 123_000_000),
        (1_706_698_800, NOON),
        ("12345678", None),
        ("1.2.3.4.5.6", None),
        ("1e9999999999", None),
        (None, None),
        ([1], None),
    ],
)
def test_values_of_records(value, ns):
    assert times.of_value(value) == ns


def test_iso_text():
    assert times.iso(NOON + 123_456_789) == "2024-01-31T11:00:00.123Z"
    assert times.iso(NOON + 5, 9) == "2024-01-31T11:00:00.000000005Z"
    assert times.iso(2**63 - 1, 9) == "2262-04-11T23:47:16.854775807Z"


@given(st.integers(1, 2**63 - 1))
def test_what_is_written_is_read_again(ns):
    assert times.parse(times.iso(ns, 9)) == ns


@given(st.text(max_size=40) | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d*)?.{0,7}", fullmatch=True))
def test_any_text_is_a_time_or_none(text):
    ns = times.of_value(text)
    assert ns is None or 0 < ns < 2**63
