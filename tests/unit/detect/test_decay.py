from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import SECOND, again, at

from pluginhost.detect.decay import DecayCount, LeakyBucket

amounts = st.lists(st.tuples(st.integers(0, 500), st.floats(-100, 100)), min_size=1, max_size=30)


def faded(events: list[tuple[int, float]], now: int, half_life: int) -> float:
    return sum(amount * 0.5 ** ((now - second) / half_life) for second, amount in events)


@given(amounts, st.integers(1, 100))
def test_each_amount_halves_in_any_order(events, half_life):
    count = DecayCount(half_life)
    for n, (second, amount) in enumerate(events):
        newest = max(one for one, _ in events[: n + 1])
        assert count.add(at(second), amount) == pytest.approx(faded(events[: n + 1], newest, half_life), abs=1e-6)
        assert again(count).dump() == count.dump()
    assert count.value(at(600)) == pytest.approx(faded(events, 600, half_life), abs=1e-6)
    assert count.value(at(0)) == count.add(at(0), 0)


@given(amounts, amounts)
def test_merged_sums_are_that_of_both(left, right):
    one, other = DecayCount("1m"), DecayCount("1m")
    for count, events in ((one, left), (other, right)):
        for second, amount in events:
            count.add(at(second), amount)
    one.merge(other)
    assert one.value(at(500)) == pytest.approx(faded(left + right, 500, 60), abs=1e-6)


def test_no_amount_and_no_time_breaks_a_sum():
    count, far = DecayCount("1s"), at(0)
    far.time = (1 << 63) - 1
    for amount in (1e308, 1e308, float("inf"), float("-inf"), float("nan")):
        count.add(at(0), amount)
    assert count.value(at(0)) == 1e308
    assert count.add(far, float("nan")) == 0.0
    assert (count.add(far), count.add(at(0))) == (1.0, 1.0)


def test_a_merge_with_nothing_changes_nothing():
    count = DecayCount("1m")
    count.merge(DecayCount("1m"))
    assert count.value(at(0)) == 0.0
    count.add(at(0), 4)
    count.merge(DecayCount("1m"))
    assert (count.value(at(0)), count.value(at(60)), count.idle) == (4.0, 2.0, 600 * SECOND)


def poured(bucket: LeakyBucket, *seconds: float) -> list[int]:
    """Which of the events, by their number from 1, made it overflow."""
    return [n for n, second in enumerate(seconds, 1) if bucket.pour(at(second))]


def test_it_overflows_at_the_event_that_is_one_too_many_and_is_gone_then():
    assert poured(LeakyBucket(5, "10s"), *[0] * 13) == [6, 12]
    assert poured(LeakyBucket(1, "10s"), 0, 9, 9, 9) == [2, 4]


def test_it_does_not_overflow_at_the_rate_of_its_leak():
    assert poured(LeakyBucket(2, "10s"), *range(0, 1000, 10)) == []
    assert poured(LeakyBucket(2, "10s"), *range(0, 400, 9)) == [12, 24, 36]  # each a tenth of a unit too early


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 6), st.integers(1, 10))
def test_it_is_a_queue_of_units(gaps, capacity, leak):
    bucket, level, now = LeakyBucket(capacity, leak), 0.0, 0
    for gap in gaps:
        now += gap
        level = max(0.0, level - gap / leak)
        over = level + 1 > capacity + 1e-9
        assert bucket.pour(at(now)) == over
        level = 0.0 if over else level + 1
        bucket = again(bucket)
        assert bucket.level() == pytest.approx(level)


def test_the_evidence_is_what_was_poured_since_it_was_empty():
    bucket = LeakyBucket(2, "10s")
    assert bucket.evidence() is None
    for second, want in ((0, (1, 0)), (20, (1, 20)), (21, (2, 20)), (19, (3, 19)), (22, (1, 22))):
        bucket.pour(at(second))
        assert bucket.evidence() == (want[0], at(want[1]).time)
    assert (bucket.level(), bucket.idle) == (1.0, 30 * SECOND)


def test_a_late_event_counts_as_of_now_and_one_from_long_ago_does_not():
    assert poured(LeakyBucket(2, "10s"), 100, 100, 71) == [3]
    assert poured(LeakyBucket(2, "10s"), 100, 100, 69) == []


def test_a_bucket_without_room_is_refused():
    with pytest.raises(ValueError, match="a bucket for 0 events is none"):
        LeakyBucket(0, "1s")
