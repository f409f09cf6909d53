from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moments import again

from pluginhost.detect.cuckoo import Cuckoo

steps = st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=150)


@given(steps)
def test_it_is_a_set(given):
    held, true = Cuckoo(100), set()
    for add, value in given:
        if add:
            assert held.add(value) == (value not in true)
            true.add(value)
        else:
            assert held.discard(value) == (value in true)
            true.discard(value)
        assert [value in held for value in range(51)] == [value in true for value in range(51)]
        assert len(held) == len(true)
        held = again(held)


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 100, 1843, 1844, 10_000])
def test_all_values_find_room_and_few_others_are_taken_for_them(capacity):
    held = Cuckoo(capacity)
    new = sum(held.add(f"in {n}") for n in range(capacity))
    assert (held.refused, len(held)) == (0, new)
    assert all(f"in {n}" in held for n in range(capacity))
    assert 2 * capacity <= len(held.dump()[0]) <= max(16, 4.5 * capacity)
    if capacity == 10_000:
        wrong = sum(f"out {n}" in held for n in range(100_000))  # 100,000 · (1 - (1 - 2^-16)^(8 · 0.61)) = 7.4 as full as it is
        assert 1 <= wrong <= 20


def test_beyond_its_room_values_are_refused_and_none_is_lost():
    held = Cuckoo(100)
    fit = [n for n in range(1000) if held.add(n) and n in held]
    assert held.refused == 1000 - len(fit) - sum(n in held for n in set(range(1000)).difference(fit))
    assert 100 < len(fit) == len(held) <= 128
    assert all(n in held for n in fit)
    assert all(held.discard(n) for n in fit)
    assert (len(held), set(held.dump()[0])) == (0, {0})


def test_merged_filters_hold_the_values_of_both():
    one, other = Cuckoo(100), Cuckoo(100)
    for n in range(60):
        (one if n % 2 else other).add(n)
        one.add(n) if n % 3 else None
    one.merge(other)
    assert (len(one), all(n in one for n in range(60)), one.refused) == (60, True, 0)
    with pytest.raises(ValueError, match="different capacity"):
        one.merge(Cuckoo(1000))


def test_bounds():
    assert Cuckoo().idle == 90 * 86400 * 10**9
    for capacity in (0, 1 << 25):
        with pytest.raises(ValueError, match="a filter for"):
            Cuckoo(capacity)
