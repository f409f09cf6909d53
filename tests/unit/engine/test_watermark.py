from __future__ import annotations

import pytest

from pluginhost.engine import watermark
from pluginhost.engine.splitter import FUTURE
from pluginhost.engine.watermark import IDLE, Watermarks
from pluginhost.store.row import Kind, Row
from pluginhost.wire.chunk import Columns

SECOND = 1_000_000_000
NOW = 1_767_225_600 * SECOND


def row(*times: float, arrival: float = 0, source="10.0.0.5:4000", kind=Kind.RECORDS) -> Row:
    columns = Columns.of([(0, 1)] * len(times), [NOW + round(time * SECOND) if time is not None else 0 for time in times]).pack()
    return Row(kind, b"x", 0, NOW + round(arrival * SECOND), "forward", source, "t", count=len(times), columns=columns)


def mark(marks: Watermarks, clock: float = 0) -> float | None:
    found = marks.now(NOW + round(clock * SECOND))
    return None if found is None else (found - NOW) / SECOND


def test_it_is_the_newest_time_less_the_lateness_in_whole_seconds():
    marks = Watermarks(5 * SECOND)
    marks.seen(row(3, 10.7, 8))
    assert [mark(marks), mark(marks)] == [5, None]
    marks.seen(row(10.9))
    assert mark(marks) is None
    marks.seen(row(11.1))
    assert mark(marks) == 6


def test_the_slowest_source_holds_it_back_until_it_is_idle():
    marks = Watermarks(0)
    marks.seen(row(10, arrival=1, source="a:1"))
    marks.seen(row(50, arrival=20, source="b:1"))
    assert mark(marks, 20) == 10
    assert mark(marks, 1 + IDLE / SECOND) == 50


def test_when_all_are_silent_the_clock_moves_on():
    marks = Watermarks(5 * SECOND, heard=True)
    assert mark(marks, 100.5) == 95
    marks.seen(row(10, arrival=101))
    assert mark(marks, 102) is None  # never back
    assert mark(marks, 131) == 126


def test_before_the_first_record_there_is_none():
    marks = Watermarks(0)
    assert mark(marks, 1000) is None
    marks.seen(row(-86_400, arrival=1000))
    assert mark(marks, 1000) == -86_400
    marks.seen(row(-86_000, arrival=1001))
    assert mark(marks, 1001) == -86_000  # the timers of a backlog fall due by its own time
    assert mark(marks, 1001 + IDLE / SECOND) == 1001 + IDLE / SECOND


def test_who_was_heard_before_a_restart_is_waited_for():
    marks = Watermarks(0)
    for source in ("a:1", "b:1"):
        marks.recall(row(10, arrival=10, source=source))
    marks.resume(NOW + 500 * SECOND)
    assert mark(marks, 501) is None
    marks.seen(row(20, arrival=502, source="a:2"))
    assert mark(marks, 502) is None  # b may bring older ones still
    marks.seen(row(15, arrival=503, source="b:2"))
    assert mark(marks, 503) == 15


def test_who_does_not_come_back_is_silent():
    marks = Watermarks(0)
    marks.recall(row(10, arrival=10))
    marks.resume(NOW + 500 * SECOND)
    assert mark(marks, 500 + IDLE / SECOND) == 500 + IDLE / SECOND


@pytest.mark.parametrize(("kind", "expected"), [(Kind.TICK, 500), (Kind.CONTROL, None)])
def test_a_journal_that_holds_ticks_only_had_records_once(kind, expected):
    marks = Watermarks(0)
    marks.recall(row(kind=kind))
    marks.resume(NOW + 500 * SECOND)
    assert mark(marks, 500) == expected


def test_a_peer_is_one_source_whatever_its_port():
    marks = Watermarks(0)
    for port in (1, 2):
        marks.seen(row(port * 10, source=f"10.0.0.5:{port}"))
    assert mark(marks) == 20


def test_times_far_ahead_are_left_out():
    ahead = FUTURE / SECOND
    marks = Watermarks(0)
    marks.seen(row(4, ahead + 1))
    assert mark(marks) == 4
    marks.seen(row(ahead))
    assert mark(marks) == ahead
    other = Watermarks(0)
    other.seen(row(ahead + 8, arrival=7))
    assert mark(other, 7) == 7


def test_a_record_without_time_has_that_of_its_arrival():
    marks = Watermarks(0)
    marks.seen(row(None, arrival=3))
    assert mark(marks, 3) == 3


@pytest.mark.parametrize("one", [row(), row(50, kind=Kind.CHAINED), row(50, kind=Kind.TICK)])
def test_only_records_count(one):
    marks = Watermarks(0)
    marks.seen(one)
    assert mark(marks, 1) is None


def test_so_many_sources_are_remembered(monkeypatch):
    monkeypatch.setattr(watermark, "_SOURCES", 2)
    marks = Watermarks(0)
    for number, source in enumerate(("a:1", "b:1", "c:1"), 1):
        marks.seen(row(number * 10, source=source))
    assert mark(marks) == 20
