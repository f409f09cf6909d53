from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import again, at

from pluginhost.detect.order import Sequence, Streak


def taken(steps: Sequence, *events: tuple[str, float]) -> list[bool]:
    return [steps.take(name, at(second)) for name, second in events]


def test_steps_in_order_complete_it_and_are_used_up():
    steps = Sequence(("a", "b"), span="1m")
    assert taken(steps, ("b", 0), ("a", 1), ("x", 2), ("b", 61), ("b", 62), ("a", 70), ("b", 131)) == [
        False, False, False, True, False, False, False,
    ]  # fmt: skip
    assert steps.evidence() == (2, at(1).time)


def test_a_gap_that_is_too_long_and_a_span_that_is_too_long():
    assert taken(Sequence(("a", "b", "c"), gap="10s", span="15s"), ("a", 0), ("b", 10), ("c", 15)) == [False, False, True]
    assert taken(Sequence(("a", "b", "c"), gap="10s", span="15s"), ("a", 0), ("b", 11), ("c", 12)) == [False, False, False]
    assert taken(Sequence(("a", "b", "c"), gap="10s", span="15s"), ("a", 0), ("b", 10), ("c", 16)) == [False, False, False]
    assert taken(Sequence(("a", "b", "c"), gap="10s", span="15s"), ("a", 0), ("a", 2), ("b", 10), ("c", 16))[-1]


def test_another_name_begins_it_anew_where_it_belongs():
    events = ("a", 0), ("no", 5), ("b", 9)
    for order in (events, (events[1], events[0], events[2]), (events[0], events[2], events[1])):
        steps = Sequence(("a", "b", "c"), unless=("no",))
        taken(steps, *order)
        assert taken(again(steps), ("c", 10)) == [False]
    assert taken(Sequence(("a", "b"), unless=("no",)), ("a", 1), ("no", 0), ("b", 2)) == [False, False, True]


def test_what_is_no_name_is_no_step():
    assert taken(Sequence(("a", "b")), *((odd, 0) for odd in (None, ["a"], {}, 5, "", "\ud800"))) == [False] * 6


def test_equal_names_are_steps_each():
    assert taken(Sequence(("a", "a", "b")), ("a", 0), ("b", 1), ("a", 2), ("b", 3)) == [False, False, False, True]


def test_late_steps_complete_it_and_what_was_used_up_stays_so():
    steps = Sequence(("a", "b", "c"))
    assert taken(steps, ("c", 3), ("b", 2), ("a", 1)) == [False, False, True]
    assert taken(steps, ("a", 0), ("b", 4), ("c", 5)) == [False, False, False]
    assert taken(steps, ("a", 4), ("b", 4)) == [False, True]  # of equal times the order of arrival counts


def chained(events: list[tuple[str, int]], gap: int, span: int) -> bool:
    """Whether any three of the events are the steps, tried one by one."""
    for three in combinations(sorted(events, key=lambda one: one[1]), 3):
        names, (first, second, third) = [name for name, _ in three], [when for _, when in three]
        if names == ["a", "b", "c"] and second - first <= gap and third - second <= gap and third - first <= span:
            return True
    return False


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), max_size=14), st.integers(1, 20), st.integers(20, 40))
def test_it_finds_steps_where_trying_all_does_in_any_order(events, gap, span):
    steps, ordered = Sequence(("a", "b", "c"), gap, 41), Sequence(("a", "b", "c"), gap, span)
    found = False
    for name, second in dict.fromkeys(events):
        found = steps.take(name, at(second)) or found
        steps = again(steps)
    distinct = [one for n, one in enumerate(events) if one[1] not in {when for _, when in events[:n]}]
    assert any(taken(ordered, *sorted(distinct, key=lambda one: one[1]))) == chained(distinct, gap, span)
    times = [when for _, when in dict.fromkeys(events)]
    if len(set(times)) == len(times):
        assert found == chained(events, gap, 41)


def test_a_flood_of_steps_is_bounded_and_does_not_hide_those_before():
    steps = Sequence(("a", "b", "c"), span="1h", limit=8)
    assert taken(steps, ("a", 0), ("b", 1), *[("a", 2 + n / 100) for n in range(500)])[-1] is False
    assert len(steps.dump()[3]) == 8
    assert taken(again(steps), ("c", 60)) == [True]


def test_old_steps_go_with_time_and_other_steps_begin_with_nothing():
    steps = Sequence(("a", "b"), span="1m")
    taken(steps, ("a", 0), ("a", 100))
    assert (steps.dump()[3], steps.take("b", at(39))) == (["a"], False)
    other = Sequence(("a", "c"), span="1m")
    other.load(steps.dump())
    assert other.dump() == other.fresh().dump()


@pytest.mark.parametrize("given", [(("a",),), (("a", "b"), None, "1h", ("b",)), (("a", "b"), "0s")])
def test_what_is_no_sequence_is_refused(given):
    with pytest.raises(ValueError, match=r"two steps or more|longer than"):
        Sequence(*given)


def test_a_row_is_ended_and_told():
    row = Streak("10m")
    assert [row.add(at(second)) for second in (0, 1, 2)] == [1, 2, 3]
    assert row.evidence() == (3, at(0).time)
    assert (row.end(at(3)), row.evidence(), len(row)) == (3, (3, at(0).time), 0)
    assert again(row).evidence() == row.evidence()
    assert (row.end(at(4)), row.evidence()) == (0, None)
    assert (row.add(at(2)), row.add(at(5)), row.evidence()) == (0, 1, (1, at(5).time))
    assert (row.end(at(1)), row.add(at(3)), row.end(at(6))) == (0, 1, 1)  # an end from long ago ends nothing, and begins nothing anew


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=40), st.integers(1, 80))
def test_a_row_in_order_is_that_of_a_simple_model(events, span):
    row, hits = Streak(span), []
    for hit, second in sorted(events, key=lambda one: one[1]):
        hits = [one for one in hits if one > second - span]
        if hit:
            hits.append(second)
            assert row.add(at(second)) == len(hits)
        else:
            assert row.end(at(second)) == len(hits)
            hits = []
        row = again(row)


@given(st.permutations([(True, 1), (True, 2), (False, 3), (True, 4), (True, 5)]))
def test_a_row_holds_what_no_end_followed_in_any_order(events):
    row = Streak("1m")
    for hit, second in events:
        row.add(at(second)) if hit else row.end(at(second))
    assert (len(row), row.end(at(6))) == (2, 2)


def test_merged_rows_hold_what_no_end_of_either_followed():
    one, other = Streak("1m"), Streak("1m")
    one.add(at(1)), other.add(at(2)), other.end(at(3)), one.add(at(4)), other.add(at(5))
    one.merge(other)
    assert (len(one), one.end(at(6))) == (2, 2)
