from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import SECOND, again, at

from pluginhost.detect.seen import FirstSeen, LastSeen, Neighbours, Recent


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


def test_when_a_value_was_last_seen():
    seen = FirstSeen("10s")
    assert seen.seen("a") is None
    for second in (5, 3):
        seen.first("a", at(second))
    assert (seen.seen("a"), seen.seen("b")) == (at(5).time, None)


def test_a_long_value_costs_little_and_is_told_from_others():
    seen = FirstSeen()
    assert [seen.first("x" * 10_000_000 + last, at(0)) for last in "aba"] == [True, True, False]
    assert sum(map(len, seen.dump())) < 250


def test_merged_memories_know_the_values_of_both_up_to_the_limit():
    one, other = FirstSeen("1h", limit=2), FirstSeen("1h", limit=2)
    one.first("a", at(0)), one.first("b", at(5)), other.first("a", at(9)), other.first("b", at(3))
    one.merge(other)
    other.first("c", at(1))
    one.merge(other)
    assert one.dump() == {"b": at(5).time, "a": at(9).time}


def test_the_gap_is_what_lay_between():
    seen = LastSeen("1h")
    assert [seen.gap(at(second)) for second in (0, 60, 30, 60, 3660, 7261, 7262)] == [
        None, 60 * SECOND, 0, 0, 3600 * SECOND, None, SECOND,
    ]  # fmt: skip
    assert (seen.last, again(seen).last, LastSeen().last) == (at(7262).time, at(7262).time, None)
    other = LastSeen("1h")
    other.merge(seen)
    assert other.gap(at(7263)) == SECOND


@given(st.lists(st.tuples(st.integers(0, 50), st.sampled_from("abc")), max_size=40), st.integers(1, 12))
def test_neighbours_are_those_of_a_sorted_list(events, limit):
    recent, kept = Recent(limit, "1h"), []
    for second, name in events:
        one = (at(second).time, (name, second))
        found = recent.insert(at(second), (name, second))
        if one in kept or (len(kept) == limit and all(one[0] < when for when, _ in kept)):
            assert found is None
        else:
            before = [other for other in kept if other[0] <= one[0]]
            after = [other for other in kept if other[0] > one[0]]
            assert found == Neighbours(before[-1] if before else None, after[0] if after else None)
            kept = [*before, one, *after][-limit:]
        assert (recent.items(), recent.newest(), len(recent)) == (kept, kept[-1], len(kept))
        recent = again(recent)


@given(st.permutations(range(8)))
def test_events_that_come_in_any_order_and_twice_stand_in_theirs(order):
    recent = Recent(8)
    assert [bool(recent.insert(at(n), (n,))) for n in (*order, *order)] == [True] * 8 + [False] * 8
    assert recent.items() == [(at(n).time, (n,)) for n in range(8)]
    assert recent.evidence() == (8, at(0).time)


def test_old_events_go_with_time_and_merged_ones_stand_once():
    recent, other = Recent(8, "1h"), Recent(8, "1h")
    for second in (0, 10, 3610):
        recent.insert(at(second), (second,))
    assert recent.insert(at(3611), ("x",)) == Neighbours((at(3610).time, (3610,)), None)
    assert [item for _, item in recent.items()] == [(3610,), ("x",)]
    other.insert(at(3611), ("x",)), other.insert(at(3000), ("y",))
    recent.merge(other)
    assert [item for _, item in recent.items()] == [("y",), (3610,), ("x",)]


@pytest.mark.parametrize("odd", ["\ud800", "x" * 5000, [1, {"a": "b" * 5000}], {"a": object()}, 1 << 80, None, True, float("nan"), b"\xff"])
def test_whatever_a_record_says_can_be_kept(odd):
    recent = Recent()
    recent.insert(at(0), (odd,))
    assert repr(again(recent).items()) == repr(recent.items())
    assert len(repr(recent.items())) < 400
