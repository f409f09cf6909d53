from __future__ import annotations

from types import SimpleNamespace

import pytest

from pluginhost.detect.series import Interval, Intervals, grade, number

MINUTE = 60 * 10**9


def at(seconds: float) -> SimpleNamespace:
    return SimpleNamespace(time=round((86_400 + seconds) * 10**9))


def fed(intervals: Intervals, *seconds: float) -> list[list[tuple[int, dict, int]]]:
    """What each event finishes: (minute, totals, events)."""
    over = (intervals.add(at(second), {"n": 1}) for second in seconds)
    return [[((one.start - at(0).time) // MINUTE, one.totals, one.events) for one in some] for some in over]


def test_an_interval_is_given_out_once_when_it_is_over():
    assert fed(Intervals("1m"), 0, 59.9, 60, 61) == [[], [], [(0, {"n": 2.0}, 2)], []]


@pytest.mark.parametrize(("missing", "filled"), [("zero", 0.0), ("previous", 2.0), (7.5, 7.5)])
def test_intervals_without_events_are_filled_in(missing, filled):
    (found,) = fed(Intervals("1m", missing=missing), 0, 1, 200)[2:]
    assert found == [(0, {"n": 2.0}, 2), (1, {"n": filled}, 0), (2, {"n": filled}, 0)]


def test_a_name_that_an_interval_does_not_have_counts_as_zero():
    minutes = Intervals("1m")
    minutes.add(at(0), {"a": 1})
    minutes.add(at(61), {"b": 5})
    assert minutes.close(at(120).time) == [Interval(at(60).time, {"a": 0.0, "b": 5.0}, 1)]


def test_of_a_long_gap_the_newest_intervals_are_filled_in():
    (found,) = fed(Intervals("1m", limit=3), 0, 365 * 86_400)[1:]
    last = 365 * 1440
    assert [minute for minute, _, _ in found] == [0, last - 3, last - 2, last - 1]


def test_late_events_count_while_their_interval_is_open_and_are_counted_after_it():
    minutes = Intervals("1m", delay="30s")
    assert fed(minutes, 10, 70, 20, 90, 30) == [[], [], [], [(0, {"n": 2.0}, 2)], []]
    assert minutes.late == 1


def test_a_timer_can_close_what_no_event_does():
    minutes = Intervals("1m")
    fed(minutes, 0)
    assert [one.events for one in minutes.close(at(180).time)] == [1, 0, 0]
    assert minutes.close(at(180).time) == []


def test_no_more_names_than_there_is_room_for():
    minutes = Intervals("1m", names=3)
    for n in range(10):
        minutes.add(at(n), {f"x{n}": 1})
    minutes.add(at(60), {"y": 1})
    assert [sorted(one.totals) for one in minutes.close(at(180).time)] == [["x0", "x1", "x2"]] * 2


def test_an_author_who_changes_the_length_begins_anew():
    old = Intervals("7m")
    old.add(at(0), {"n": 1})
    new = Intervals("1h")
    new.load(old.dump())
    assert new.add(at(10), {"n": 1}) == []


@pytest.mark.parametrize(("value", "means"), [(3, 3.0), ("2.5", 2.5), (" 7 ", 7.0), (True, None), ("1_0", None), ("nan", None),
                                              (1e101, None), (10**400, None), (None, None), ("1" * 41, None)])  # fmt: skip
def test_what_is_a_number(value, means):
    assert number(value) == means


def test_grades_begin_at_the_threshold():
    assert [grade(score, 6) for score in (0, 5.9, 6, 9, 12, 1e9)] == [0, 0, 0.5, 0.75, 1, 1]
