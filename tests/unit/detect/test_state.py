from __future__ import annotations

from collections import deque
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.detect.state import FirstSeen, SlidingCount, State, Table, Timers

SECOND = 1_000_000_000


def at(seconds: float) -> SimpleNamespace:
    return SimpleNamespace(time=round((1000 + seconds) * SECOND))


def counts(window: SlidingCount, *seconds: float) -> list[int]:
    return [window.add(at(one)) for one in seconds]


def test_the_window_is_open_at_its_old_end():
    assert counts(SlidingCount("10s"), 0, 9.999999999, 10, 19.999999998, 30) == [1, 2, 2, 3, 1]


def test_a_late_event_counts_where_it_still_falls_into_the_window():
    window = SlidingCount("10s")
    assert counts(window, 100, 95, 90.000000001, 90, 89) == [1, 2, 3, 3, 3]
    assert counts(window, 101) == [3]  # the one of 90 s is out now


def test_equal_times_count_each():
    assert counts(SlidingCount("10s"), 5, 5, 5) == [1, 2, 3]


def test_the_count_saturates_and_forgets_the_oldest():
    window = SlidingCount("1h", limit=3)
    assert counts(window, 1, 2, 3, 4, 2.5) == [1, 2, 3, 3, 3]
    assert window.evidence() == (3, at(2.5).time)


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 20))
def test_the_count_is_that_of_a_simple_model(seconds, span):
    window, seen = SlidingCount(span), deque()
    for one in seconds:
        seen.append(one)
        assert window.add(at(one)) == sum(max(seen) - span < other for other in seen)


def test_it_reaches_once_per_span_while_it_goes_on():
    window = SlidingCount("10s")
    fired = [second for second in range(25) if window.reaches(at(second), 3)]
    assert fired == [2, 12, 22]


def test_it_reaches_again_after_a_pause_and_not_for_a_late_event():
    window = SlidingCount("10s")
    assert [window.reaches(at(one), 2) for one in (0, 1, 2, 0.5, 50, 51)] == [False, True, False, False, False, True]


def test_a_count_that_cannot_be_reached_is_a_mistake():
    with pytest.raises(ValueError, match="keeps 5 times never reaches 6"):
        SlidingCount("10s", limit=5).reaches(at(0), 6)
    assert not SlidingCount("10s", limit=5).reaches(at(0), 5)


def test_a_value_is_first_until_it_has_expired():
    seen = FirstSeen("10s")
    shown = (("a", 0), ("a", 10), ("b", 11), ("a", 20), ("a", 30.1))
    assert [seen.first(value, at(time)) for value, time in shown] == [True, False, True, False, True]
    assert seen.first(5, at(31))
    assert not seen.first("5", at(31))


def test_what_has_expired_is_no_longer_held():
    seen = FirstSeen("10s")
    for value, time in (("a", 0), ("b", 5), ("c", 14)):
        seen.first(value, at(time))
    assert (len(seen), "a" in seen, "b" in seen) == (2, False, True)


def test_a_late_sighting_does_not_make_a_value_older():
    seen = FirstSeen("10s")
    assert [seen.first("a", at(time)) for time in (10, 2, 19)] == [True, False, False]


def test_the_value_seen_longest_ago_makes_room():
    seen = FirstSeen("1h", limit=2)
    assert [seen.first(value, at(time)) for time, value in enumerate("abacab")] == [True, True, False, True, False, True]


def test_timers_are_set_moved_and_cancelled():
    timers = Timers()
    timers.set("a", 5)
    timers.set("b", 6)
    timers.set("a", 7)
    assert (timers.due("a"), timers.due("c")) == (7, None)
    assert timers.moved() == [("a", 5), ("b", 6), ("a", 7)]
    assert timers.moved() == []
    assert (timers.cancel("a"), timers.cancel("a"), timers.dump()) == (True, False, {"b": 6})


def test_timers_that_were_loaded_have_moved():
    timers = Timers()
    timers.load({"a": 5})
    assert timers.moved() == [("a", 5)]


@pytest.mark.parametrize(("name", "due"), [("a", "5m"), ("a", None), ("a", 1.5), ("a", -1), ("a", 1 << 63), (5, 5), (None, 5)])
def test_what_is_no_timer_is_refused_at_the_authors_line(name, due):
    timers = Timers()
    with pytest.raises(TypeError, match="a timer is a name and a time in ns UTC"):
        timers.set(name, due)
    assert timers.dump() == {}


def test_a_table_is_read_until_a_value_expires_and_collects_what_is_put():
    rows, put = {"a": (1, at(10).time)}, []
    table = Table("t", "1h").bound(rows, put)
    assert [table.get("a", at(9)), table.get("a", at(10)), table.get("a", at(10), "-"), table.get("b", at(0))] == [1, None, "-", None]
    table.put("b", [1])
    table.put(7)
    assert put == [("b", [1]), ("7", True)]
    assert (table.name, table.expire) == ("t", 3600 * SECOND)
    assert table.get("b", at(0)) is None  # the next tick makes it visible


@pytest.mark.parametrize("value", [object(), 1 << 70, "\ud800", {"a": [object()]}])
def test_a_value_that_cannot_travel_is_refused_at_the_authors_line(value):
    put: list = []
    with pytest.raises((TypeError, ValueError, OverflowError)):
        Table("t").bound({}, put).put("a", value)
    assert put == []


def used(state: State) -> State:
    match state:
        case SlidingCount():
            [state.reaches(at(one), 2) for one in range(3)]
        case FirstSeen():
            [state.first(one, at(0)) for one in ("a", "é", "\ud800", None)]
        case Timers():
            state.set("a\udfff", 5)
    return state


each = pytest.mark.parametrize("state", [SlidingCount("10s", limit=5), FirstSeen("1d", limit=7), Timers()], ids=["count", "seen", "timers"])


@each
def test_state_travels_as_plain_data(state):
    one = used(state.fresh())
    packed = msgspec.msgpack.encode(one.dump())
    again = state.fresh()
    again.load(msgspec.msgpack.decode(packed))
    assert msgspec.msgpack.encode(again.dump()) == packed
    assert again.dump() == one.dump() != state.fresh().dump()


@each
def test_a_fresh_copy_shares_nothing_but_its_bounds(state):
    one, other = state.fresh(), state.fresh()
    used(one)
    assert other.dump() == state.dump() == type(state).dump(state.fresh())
    assert all(getattr(one, bound) == getattr(state, bound) for bound in ("limit", "span", "expire", "idle") if hasattr(state, bound))


def test_shapes_never_change_by_accident():
    assert [one.shape for one in (SlidingCount, FirstSeen, Timers)] == ["SlidingCount/2", "FirstSeen/1", "Timers/1"]
    assert SlidingCount("10s").dump() == [b"", 0]
    assert FirstSeen().dump() == {} == Timers().dump()


def test_how_long_a_key_may_be_idle():
    assert [one.idle // SECOND for one in (SlidingCount("10m"), FirstSeen(), Timers())] == [600, 90 * 86400, 365 * 86400]


def test_evidence_is_what_the_window_holds():
    window = SlidingCount("10s")
    assert window.evidence() is None
    counts(window, 3, 1)
    assert window.evidence() == (2, at(1).time)
    assert FirstSeen().evidence() is None
