from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import SECOND, again, at

from pluginhost.detect.distinct import Distinct, SlidingDistinct
from pluginhost.detect.hyperloglog import Sketch, hashed

shown = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 900)), max_size=60)


def test_hashes_are_for_ever():
    assert [hashed(one) for one in ("", "alice", "é", "x" * 1000)] == [
        0xE4A6A0577479B2B4, 0x4DEAEC0CCE54DA89, 0xCB1ABF8BEFF3192F, 0x75A413DA825D11D1,
    ]  # fmt: skip
    assert hashed(5) == hashed("5") != hashed("\ud800")


@pytest.fixture(scope="module")
def filled():
    """Forty sketches of 20,000 values each, every value another."""
    made = []
    for trial in range(40):
        sketch = Sketch()
        for n in range(20_000):
            sketch.add(hashed(f"{trial}/{n}"))
        made.append(sketch)
    return made


def spread(found: list[float], true: float) -> tuple[float, float]:
    """(mean, root of the mean square) of the relative errors."""
    errors = [one / true - 1 for one in found]
    return sum(errors) / len(errors), sqrt(sum(one * one for one in errors) / len(errors))


def test_the_error_alone_is_that_of_theory(filled):
    mean, error = spread([one.count() for one in filled], 20_000)
    assert abs(mean) < 3 * 0.013 / sqrt(40)
    assert 0.6 * 0.833 / 64 < error < 1.4 * 0.833 / 64


def test_the_error_of_unions_is_that_of_theory(filled):
    for parts in (1, 2, 5):
        unions = [Sketch.of(one.registers for one in filled[n : n + parts]) for n in range(0, 40, parts)]
        mean, error = spread([one.count() for one in unions], 20_000 * parts)
        assert abs(mean) < 3 * 0.01625 / sqrt(len(unions))
        assert error < 1.7 * 1.04 / 64


@pytest.mark.parametrize("count", [0, 1, 100, 3000, 10_000, 100_000])
def test_a_union_counts_well_at_every_size(count, filled):
    sketch = Sketch()
    for n in range(count):
        sketch.add(hashed(n))
    made = Sketch.of([sketch.registers])
    assert made.weight == sketch.weight
    assert abs(made.count() - count) <= 0.05 * count
    assert abs(sketch.count() - count) <= 0.04 * count


@given(shown, st.integers(0, 40))
def test_values_are_counted_exactly_up_to_the_bound(values, exact):
    distinct, seen = Distinct("1h", exact), set()
    for value, second in values:
        seen.add(value)
        assert abs(distinct.add(value, at(second)) - len(seen)) <= (0 if len(seen) <= exact else 1)
        distinct = again(distinct)
    assert distinct.evidence() == ((len(distinct), at(min(second for _, second in values)).time) if values else None)


@pytest.mark.parametrize("state", [Distinct(exact=3000), SlidingDistinct("1h", exact=3000)], ids=["all", "sliding"])
def test_at_the_bound_it_becomes_a_sketch_and_goes_on_from_the_exact_number(state):
    kinds = []
    for n in range(3001):
        assert state.add(n, at(0)) == n + 1
        kinds.append(bool(state.dump()[1 if isinstance(state, SlidingDistinct) else 2])) if n > 2998 else None
    assert kinds == [True, False]


def test_after_a_pause_it_begins_anew():
    distinct = Distinct("1h", exact=2)
    for value, second in (("a", 0), ("b", 3600), ("c", 7200)):
        distinct.add(value, at(second))
    assert (len(distinct), distinct.add("d", at(7201)), distinct.add("e", at(10_802))) == (3, 4, 1)
    assert (distinct.add("f", at(7202)), distinct.evidence()) == (2, (2, at(7202).time))
    assert distinct.add("g", at(0)) == 2  # of the time before the pause


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(1, 80))
def test_merged_numbers_are_of_the_union(left, right, exact):
    one, other = Distinct(exact=exact), Distinct(exact=exact)
    for distinct, values in ((one, left), (other, right)):
        for value in values:
            distinct.add(value, at(value))
    one.merge(other)
    assert abs(len(again(one)) - len(left | right)) <= (0 if len(left | right) <= exact else 1)


@given(shown, st.integers(0, 40))
def test_the_last_span_is_that_of_a_simple_model_in_any_order(values, exact):
    distinct, last, newest, spilled = SlidingDistinct("8m", "1m", exact), {}, 0, False
    for value, second in values:
        minute = (second + 1000) // 60
        newest = max(newest, minute)
        last[value] = max(last.get(value, 0), minute)
        last = {one: when for one, when in last.items() if when > newest - 8}
        spilled = spilled or len(last) > exact
        assert abs(distinct.add(value, at(second)) - len(last)) <= (1 if spilled else 0)
        distinct = again(distinct)


def test_many_values_in_the_last_span_are_counted_within_the_error():
    distinct = SlidingDistinct("5m", "1m")
    for minute in range(8):
        for n in range(2000):
            distinct.add(f"{minute}/{n}", at(minute * 60 + 25))
            if n < 500:
                distinct.add(f"always {n}", at(minute * 60 + 25))
    assert len(distinct) == pytest.approx(5 * 2000 + 500, rel=0.05)
    assert len(again(distinct)) == len(distinct)
    assert len(distinct.dump()[3]) == 5
    assert (distinct.evidence()[1] - 1020 * SECOND) // (60 * SECOND) == 3
    assert (distinct.add("a", at(3600)), distinct.add("b", at(3600)), distinct.dump()[4]) == (1, 2, None)  # exact again


@given(shown, shown, st.integers(1, 40))
def test_merged_spans_count_the_union(left, right, exact):
    one, other, both = (SlidingDistinct("8m", "1m", exact) for _ in range(3))
    for distinct, values in ((one, left), (other, right), (both, left + right)):
        for value, second in values:
            distinct.add(value, at(second))
    one.merge(other)
    assert abs(len(one) - len(both)) <= (1 if any(each.dump()[4] for each in (one, other, both)) else 0)
    assert again(one).dump() == one.dump()


def test_bounds():
    assert (Distinct("1h").idle, SlidingDistinct("10m").idle) == (3600 * SECOND, 660 * SECOND)
    for made in (lambda: Distinct(exact=20_000), lambda: SlidingDistinct("1h", exact=-1), lambda: SlidingDistinct("1d", "1m")):
        with pytest.raises(ValueError, match=r"exactly|too many"):
            made()
