from __future__ import annotations

import pytest

from pluginhost.metrics import Counts, Registry


def test_counters_begin_at_zero_and_a_misspelt_one_is_an_error():
    counts = Counts("seen", "lost")
    counts["seen"] += 2
    assert counts == {"seen": 2, "lost": 0}
    with pytest.raises(KeyError):
        counts["sene"] += 1


def test_a_part_has_one_set_of_counters_that_grows():
    registry = Registry()
    first = registry.counts("input.http", "seen")
    first["seen"] += 1
    second = registry.counts("input.http", "seen", "lost")
    assert second is first
    assert second == {"seen": 1, "lost": 0}


def test_a_snapshot_is_sorted_and_a_copy():
    registry = Registry()
    counts = registry.counts("b", "x")
    registry.counts("a", "y")
    taken = registry.snapshot()
    counts["x"] += 1
    assert list(taken.items()) == [("a", {"y": 0}), ("b", {"x": 0})]
