"""When something holds: spans, hours of the week, schedules; in time zones, over midnight, over the week's end and when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.alerts.calendar import Hours, Schedule, Span

SECOND = 10**9
BERLIN, NEW_YORK, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")
UTC_ZONE = ZoneInfo("UTC")
ALL, WORKDAYS, WEEKEND = frozenset(range(7)), frozenset(range(5)), frozenset({5, 6})


def ns(text, zone=UTC):
    """The moment, in ns; `text` is local time, `+` behind it its second pass where clocks go back."""
    moment = datetime.fromisoformat(text.rstrip("+")).replace(tzinfo=zone, fold=text.endswith("+"))
    return round(moment.timestamp()) * SECOND


def utc(at):
    return datetime.fromtimestamp(at / SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


def hours(start, end, days=ALL, zone=UTC_ZONE):
    return Hours(days, time.fromisoformat(start), time.fromisoformat(end), zone)


def test_a_span_holds_from_its_begin_on_and_before_its_end():
    assert [Span(10, 20).holds(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
    assert Span().holds(0)
    assert Span(until=5).holds(-3)


class TestHours:
    @pytest.mark.parametrize(
        ("one", "inside", "outside"),
        [
            (hours("08:00", "18:00"), ("2026-03-04 08:00:00", "2026-03-04 17:59:59"), ("2026-03-04 07:59:59", "2026-03-04 18:00:00")),
            (hours("22:00", "06:00"), ("2026-03-04 22:00:00", "2026-03-05 00:00:00", "2026-03-05 05:59:59"),
             ("2026-03-04 21:59:59", "2026-03-05 06:00:00")),
            (hours("22:00", "06:00", frozenset({4})), ("2026-03-06 22:00:00", "2026-03-07 05:00:00"),  # Friday night
             ("2026-03-06 05:00:00", "2026-03-07 22:00:00")),
            (hours("00:00", "00:00", WEEKEND), ("2026-03-07 00:00:00", "2026-03-08 23:59:59"),
             ("2026-03-06 23:59:59", "2026-03-09 00:00:00")),
            (hours("12:00", "12:00", frozenset({6})), ("2026-03-08 12:00:00", "2026-03-09 11:59:59"),  # over the week's end
             ("2026-03-08 11:59:59", "2026-03-09 12:00:00")),
            (hours("23:30", "00:15", WORKDAYS), ("2026-03-06 23:45:00", "2026-03-07 00:10:00"),
             ("2026-03-07 23:45:00", "2026-03-08 00:10:00")),
        ],
    )  # fmt: skip
    def test_days_are_those_on_which_they_begin(self, one, inside, outside):
        assert [one.holds(ns(at)) for at in inside] == [True] * len(inside)
        assert [one.holds(ns(at)) for at in outside] == [False] * len(outside)

    @pytest.mark.parametrize(
        ("zone", "local", "holds"),
        [
            (BERLIN, "2026-03-28 08:00:00", True),
            (BERLIN, "2026-03-30 08:00:00", True),  # summer time began between them: an hour sooner in UTC
            (BERLIN, "2026-03-30 07:59:59", False),
            (BERLIN, "2026-10-26 17:59:59", True),
            (BERLIN, "2026-10-26 18:00:00", False),
            (KOLKATA, "2026-03-04 08:00:00", True),
            (NEW_YORK, "2026-11-02 08:00:00", True),
        ],
    )
    def test_they_go_by_the_clock_on_the_wall(self, zone, local, holds):
        assert hours("08:00", "18:00", zone=zone).holds(ns(local, zone)) is holds

    def test_when_clocks_go_back_an_hour_is_held_twice_when_they_go_forward_it_is_not_held(self):
        one = hours("02:00", "03:00", zone=BERLIN)
        autumn = ("2026-10-25 02:30:00", "2026-10-25 02:30:00+", "2026-10-25 03:00:00")
        assert [one.holds(ns(at, BERLIN)) for at in autumn] == [True, True, False]
        spring = ns("2026-03-29 01:59:59", BERLIN)
        assert not any(one.holds(spring + n * 600 * SECOND) for n in range(12))

    @pytest.mark.parametrize(
        ("one", "at", "then"),
        [
            (hours("08:00", "18:00", WORKDAYS), "2026-03-06 19:00:00", "2026-03-09 08:00:00"),  # Friday evening, Monday morning
            (hours("08:00", "18:00", WORKDAYS), "2026-03-06 07:00:00", "2026-03-06 08:00:00"),
            (hours("08:00", "18:00", WORKDAYS), "2026-03-06 08:00:00", "2026-03-06 08:00:00"),
            (hours("08:00", "18:00", zone=BERLIN), "2026-03-28 19:00:00", "2026-03-29 06:00:00"),
            (hours("08:00", "18:00", zone=BERLIN), "2026-03-27 19:00:00", "2026-03-28 07:00:00"),
            (hours("02:00", "03:00", zone=BERLIN), "2026-03-29 00:00:00", "2026-03-30 00:00:00"),  # on the 29th there is no such hour
            (hours("02:00", "04:00", zone=BERLIN), "2026-03-29 00:00:00", "2026-03-29 01:00:00"),  # only its second half
            (hours("02:30", "02:40", zone=BERLIN), "2026-10-25 00:45:00", "2026-10-25 01:30:00"),  # its second pass
            (hours("02:00", "03:00", frozenset({6}), BERLIN), "2026-03-28 12:00:00", "2026-04-05 00:00:00"),
        ],
    )  # fmt: skip
    def test_when_they_begin_next(self, one, at, then):
        assert utc(one.next(ns(at))) == then

    def test_a_part_of_a_second_behind_their_begin_is_behind_it(self):
        one, at = hours("08:00", "18:00"), ns("2026-03-06 08:00:00")
        assert (one.next(at), utc(one.next(at + 1))) == (at, "2026-03-07 08:00:00")


class TestSchedule:
    def test_it_holds_for_its_span_from_each_time_on(self):
        one = Schedule("0 22 * * 6", UTC_ZONE, 4 * 3600 * SECOND)  # Saturdays, over midnight
        inside = ("2026-03-07 22:00:00", "2026-03-08 01:59:59")
        outside = ("2026-03-07 21:59:59", "2026-03-08 02:00:00", "2026-03-08 22:30:00")
        assert [one.holds(ns(at)) for at in inside] == [True, True]
        assert [one.holds(ns(at)) for at in outside] == [False, False, False]
        assert [one.holds(ns("2026-03-08 02:00:00") + more) for more in (-1, 0, 1)] == [True, False, False]

    def test_spans_longer_than_the_time_between_overlap(self):
        one = Schedule("0 * * * *", UTC_ZONE, 2 * 3600 * SECOND)
        assert all(one.holds(ns("2026-03-07 00:00:00") + n * 977 * SECOND) for n in range(50))

    @pytest.mark.parametrize(
        ("cron", "zone", "at", "then"),
        [
            ("0 9 * * mon-fri", BERLIN, "2026-03-27 09:00:00", "2026-03-30 07:00:00"),  # over the week's end into summer time
            ("0 9 * * mon-fri", BERLIN, "2026-03-27 07:59:59", "2026-03-27 08:00:00"),
            ("*/15 * * * *", UTC_ZONE, "2026-03-27 07:59:59", "2026-03-27 08:00:00"),
            ("*/15 * * * *", UTC_ZONE, "2026-03-27 08:00:00", "2026-03-27 08:15:00"),
            ("0 0 29 2 *", UTC_ZONE, "2026-03-01 00:00:00", "2028-02-29 00:00:00"),
            ("30 2 * * *", BERLIN, "2026-10-24 12:00:00", "2026-10-25 00:30:00"),
        ],
    )
    def test_next_lies_behind(self, cron, zone, at, then):
        assert utc(Schedule(cron, zone).next(ns(at))) == then

    @pytest.mark.parametrize("cron", ["", "x", "0 9 * *", "61 * * * *", "0 0 31 2 *", "@daily", "0 0 1 1 * 2030 x", "* * * * * *",
                                      "\0 * * * *"])
    def test_what_is_none_is_refused(self, cron):
        with pytest.raises(ValueError, match="is no cron expression of five fields"):
            Schedule(cron, UTC_ZONE)


ZONES = st.sampled_from([UTC_ZONE, BERLIN, NEW_YORK, KOLKATA, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Pacific/Apia")])
TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))
AROUND = st.builds(lambda day, more: ns(day) + more * SECOND + more % 2, st.sampled_from(["2026-10-25 01:00:00", "2026-03-29 01:00:00"]),
                   st.integers(-7200, 7200))  # fmt: skip
MOMENTS = st.integers(ns("2026-01-01 00:00:00"), ns("2030-01-01 00:00:00")) | AROUND


@settings(max_examples=300)
@given(days=st.frozensets(st.integers(0, 6), min_size=1), start=TIMES, end=TIMES, zone=ZONES, at=MOMENTS)
def test_next_lies_ahead_and_hours_hold_there(days, start, end, zone, at):
    one = Hours(days, start, end, zone)
    begin = one.next(at)
    assert at <= begin <= at + 16 * 86_400 * SECOND
    assert one.holds(begin)


@settings(max_examples=200)
@given(cron=st.sampled_from(["0 9 * * mon-fri", "*/7 * * * *", "30 2 * * *", "15 23 1 * *", "0 0 * * 0"]), zone=ZONES, at=MOMENTS,
       span=st.integers(1, 7200))  # fmt: skip
def test_next_lies_behind_and_a_schedule_holds_from_there_on_for_its_span(cron, zone, at, span):
    one = Schedule(cron, zone, span * SECOND)
    begin = one.next(at)
    assert begin > at
    assert [one.holds(begin), one.holds(begin + span * SECOND - 1)] == [True, True]
    if not one.holds(at):
        assert not one.holds(begin - 1)
