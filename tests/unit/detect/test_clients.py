from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import SECOND, again, at

from pluginhost.detect.clients import ClientCounts

events = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 900)), max_size=60)


def minute(second: int) -> int:
    return (second + 1000) // 60


@given(events)
def test_the_counts_are_those_of_a_simple_model_in_any_order(given):
    counts, kept = ClientCounts("1m", "8m"), []
    for name, second in given:
        newest = max([minute(one) for _, one in kept], default=0)
        kept += [] if minute(second) <= newest - 8 else [(name, second)]
        newest = max(newest, minute(second))
        want = Counter(one for one, when in kept if minute(when) > newest - 8)
        assert counts.add(name, at(second)) == want[name]
        assert (counts.total(), counts.clients()) == (want.total(), len(want))
        assert counts.mean() == (want.total() / len(want) if want else 0)
        assert counts.top(9) == sorted(want.items(), key=lambda one: (-one[1], one[0]))
        assert [counts.count(name) for name in "abcd"] == [want[name] for name in "abcd"]
        counts = again(counts)
    assert counts.late == len(given) - len(kept)


@given(events, events)
def test_merged_counts_are_the_sums(left, right):
    one, other, both = ClientCounts(), ClientCounts(), ClientCounts()
    for counts, some in ((one, left), (other, right)):
        for name, second in some:
            counts.add(name, at(second))
    for name, second in sorted(left + right, key=lambda one: one[1]):
        both.add(name, at(second))
    one.merge(other)
    assert (one.top(9), one.total(), one.clients()) == (both.top(9), both.total(), both.clients())


def test_under_a_flood_who_is_busy_stays_and_the_quarter_with_the_fewest_events_goes():
    counts = ClientCounts("1m", "8m", limit=8)
    for n, name in enumerate("abcdefgh", 1):
        for second in range(n):
            counts.add(name, at(second * 60))
    assert counts.add("new", at(430)) == 1
    assert [counts.count(name) for name in "abcdefgh"] == [0, 0, 3, 4, 5, 6, 7, 8]
    assert (counts.evicted, counts.clients(), counts.total()) == (2, 7, 34)
    for n in range(100):
        assert counts.add(f"flood{n}", at(431)) == 1
    assert [counts.count(name) for name in "cdefgh"] == [3, 4, 5, 6, 7, 8]
    assert (counts.evicted, counts.clients()) == (102, 7)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 400)), max_size=80), st.integers(1, 9))
def test_no_flood_breaks_the_sums(given, limit):
    counts = ClientCounts("1m", "3m", limit=limit)
    for name, second in given:
        counts.add(name, at(second))
        held = Counter()
        for _, bucket in counts.dump()[3]:
            held.update(bucket)
        assert dict(counts.top(100)) == held
        assert (counts.total(), counts.clients() <= limit) == (held.total(), True)
        assert again(counts).dump() == counts.dump()


def test_odd_clients_are_counted_by_their_text():
    counts = ClientCounts()
    assert [counts.add(name, at(0)) for name in (None, "None", "x" * 10_000_000, "\ud800", ["a"])] == [1, 2, 1, 1, 1]
    assert len(repr(again(counts).dump())) < 500
    assert counts.count(None) == 2


def test_bounds():
    assert ClientCounts("1m", "8m").idle == 9 * 60 * SECOND
    with pytest.raises(ValueError, match="room for 0 clients"):
        ClientCounts(limit=0)
    with pytest.raises(ValueError, match="too many"):
        ClientCounts("1s", "1d")
