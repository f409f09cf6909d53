from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import SECOND, again, at

from pluginhost.detect.windows import MinuteCounts, SlidingCount, TumblingCount


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


def test_the_evidence_is_what_the_window_holds():
    window = SlidingCount("10s")
    assert window.evidence() is None
    counts(window, 3, 1)
    assert window.evidence() == (2, at(1).time)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60))), st.integers(1, 30))
def test_merged_windows_hold_what_one_would(events, span):
    one, other, both = SlidingCount(span), SlidingCount(span), SlidingCount(span)
    for left, second in events:
        (one if left else other).add(at(second))
        both.add(at(second))
    one.merge(other)
    assert one.dump() == both.dump()


def test_a_window_is_handed_out_once_and_empty_ones_are_not():
    window = TumblingCount("1m")
    assert [window.add(at(second)) for second in (20, 79, 80, 140, 141)] == [(), (), ((1020 * SECOND, 2),), ((1080 * SECOND, 1),), ()]
    assert window.add(at(1000)) == ((1140 * SECOND, 2),)
    assert (window.add(at(20)), window.late, window.evidence()) == ((), 1, None)


def test_a_window_waits_for_late_events():
    window = TumblingCount("1m", wait="30s")
    assert [window.add(at(second)) for second in (20, 81, 79, 109, 30)] == [()] * 5
    assert window.add(at(110)) == ((1020 * SECOND, 3),)
    assert (window.add(at(79)), window.late) == ((), 1)
    assert window.add(at(1000)) == ((1080 * SECOND, 3),)


@given(st.lists(st.integers(0, 300), max_size=50), st.integers(1, 40), st.integers(0, 90))
def test_every_event_is_in_one_window_or_late(seconds, span, wait):
    window, handed = TumblingCount(span, wait), []
    for second in seconds:
        handed += window.add(at(second))
        window = again(window)
    handed += window.add(at(10_000))
    assert [start for start, _ in handed] == sorted({start for start, _ in handed})
    assert sum(count for _, count in handed) + window.late == len(seconds)
    if wait >= 300:
        assert Counter(dict(handed)) == Counter((1000 + second) // span * span * SECOND for second in seconds)


def test_merged_windows_are_handed_out_as_one():
    one, other = TumblingCount("1m", "30s"), TumblingCount("1m", "30s")
    one.add(at(20)), other.add(at(30)), other.add(at(90))
    one.merge(other)
    assert one.add(at(111)) == ((1020 * SECOND, 2),)
    assert one.add(at(200)) == ((1080 * SECOND, 2),)


def live(seconds: list[int], buckets: int, length: int = 60) -> list[int]:
    """The count of each bucket, by taking every event again."""
    last = (max(seconds) + 1000) // length
    return [sum((second + 1000) // length == last - n for second in seconds) for n in range(buckets - 1, -1, -1)]


@given(st.lists(st.integers(0, 900), max_size=60))
def test_the_buckets_hold_what_a_simple_model_does_in_any_order(seconds):
    counts, kept = MinuteCounts("1m", "8m"), []
    for second in seconds:
        too_late = kept and (second + 1000) // 60 <= (max(kept) + 1000) // 60 - 8
        kept += [] if too_late else [second]
        assert counts.add(at(second)) == sum(live(kept, 8))
        assert (counts.counts(), counts.total(), counts.mean()) == (live(kept, 8), sum(live(kept, 8)), sum(live(kept, 8)) / 8)
        counts = again(counts)
    assert counts.late == len(seconds) - len(kept)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 900)), min_size=1))
def test_merged_buckets_hold_the_sums(events):
    one, other = MinuteCounts("1m", "8m"), MinuteCounts("1m", "8m")
    for left, second in events:
        (one if left else other).add(at(second))
    one.merge(other)
    assert one.counts() == live([second for _, second in events], 8)


def test_what_was_kept_by_the_minute_is_taken_over_by_other_buckets():
    counts = MinuteCounts("1m", "8m")
    for second in (20, 30, 80, 500):
        counts.add(at(second))
    finer = MinuteCounts("30s", "2m")
    finer.load(counts.dump())
    assert (finer.counts(), counts.evidence(), finer.evidence()) == ([0, 0, 0, 1], (2, 1080 * SECOND), (1, 1500 * SECOND))
    longer = MinuteCounts("10m", "1h")
    longer.load(counts.dump())
    assert longer.counts() == [0, 0, 0, 0, 1, 1]  # what was gone stays gone


@pytest.mark.parametrize("time", [0, 1, -5 * SECOND, (1 << 63) - 1, -(1 << 63) + 1])
def test_absurd_times_are_borne(time):
    for state in (MinuteCounts(), TumblingCount("1m"), SlidingCount("1m")):
        for when in (at(0).time, time, at(1).time):
            event = at(0)
            event.time = when
            state.add(event)
        assert again(state).dump() == state.dump()


@pytest.mark.parametrize(("kind", "bounds"), [(SlidingCount, ("0s",)), (TumblingCount, ("0s",)), (TumblingCount, ("1s", "1d")),
                                             (MinuteCounts, ("0s",)), (MinuteCounts, ("1s", "1d"))])  # fmt: skip
def test_windows_that_cannot_be_are_refused_where_they_are_declared(kind, bounds):
    with pytest.raises(ValueError, match=r"longer than|too many"):
        kind(*bounds)
