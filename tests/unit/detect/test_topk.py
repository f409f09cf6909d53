from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import again, at

from pluginhost.detect.topk import TopK

values = st.lists(st.sampled_from("aaaaabbbcdefghij"), max_size=120)


def holds(top: TopK, true: Counter) -> None:
    """The bounds that the docstring promises."""
    assert (top.events, len(top) <= top.size) == (true.total(), True)
    for value, count, error in top.top(100):
        assert count - error <= true[value] <= count
        assert error <= true.total() / top.size
    known = {value for value, *_ in top.top(100)}
    assert all(value in known for value, count in true.items() if count > true.total() / top.size)


@given(values, st.integers(1, 8))
def test_no_count_is_further_off_than_its_error(given, size):
    top, true = TopK("1h", size), Counter()
    for value in given:
        true[value] += 1
        assert top.add(value, at(0)) == next(count for name, count, _ in top.top(100) if name == value)
        top = again(top)
        holds(top, true)


@given(values, values, st.integers(1, 8))
def test_merged_counts_keep_the_bounds(left, right, size):
    one, other = TopK("1h", size), TopK("1h", size)
    for top, some in ((one, left), (other, right)):
        for value in some:
            top.add(value, at(0))
    one.merge(other)
    if left and right:
        holds(one, Counter(left + right))
    holds(again(one), Counter(left + right))


def test_it_goes_on_after_a_restart_as_if_there_had_been_none():
    one, other = TopK("1h", 3), TopK("1h", 3)
    for n in range(200):
        value = f"v{n * n % 17}"
        assert one.add(value, at(n)) == other.add(value, at(n))
        other = again(other)
    assert one.top() == other.top()


def test_a_window_begins_anew_and_an_earlier_event_is_late():
    top = TopK("1m", 5)
    for value, second in (("a", 20), ("a", 79), ("b", 80), ("a", 79)):
        top.add(value, at(second))
    assert (top.top(), top.late, top.events) == ([("b", 1, 0)], 1, 1)


def test_of_two_windows_the_later_is_kept():
    early, late = TopK("1m", 5), TopK("1m", 5)
    early.add("a", at(20)), late.add("b", at(80))
    kept = again(late)
    late.merge(early)
    assert (late.top(), late.late) == ([("b", 1, 0)], 1)
    early.merge(kept)
    assert (early.top(), early.late) == ([("b", 1, 0)], 1)


def test_bounds():
    top = TopK("1m", 2)
    top.add("x" * 1_000_000, at(0)), top.add("\ud800", at(0)), top.add(None, at(0))
    assert len(repr(again(top).dump())) < 300
    with pytest.raises(ValueError, match="0 counters"):
        TopK(size=0)
