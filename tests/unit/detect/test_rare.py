from __future__ import annotations

import random
from math import log2

import pytest

from pluginhost.detect.rare import RareValue


def test_the_surprisal_is_that_of_decayed_counts():
    chance, model, shown = random.Random(1), RareValue(half_life=50), []
    for _ in range(400):
        value = chance.choices("abcde", (50, 20, 10, 3, 1))[0]
        found = model.score(value)
        weights = [2 ** (-(len(shown) - place) / 50) for place in range(len(shown))]
        count = sum(weight for weight, one in zip(weights, shown, strict=True) if one == value)
        assert found.score == pytest.approx(max(-log2((count + 1) / (sum(weights) + len(set(shown)) + 1)), 0), abs=1e-6)
        shown.append(value)


def test_a_new_value_is_graded_and_then_no_longer_new():
    model = RareValue()
    for n in range(3000):
        assert model.score({"method": ("GET", "POST")[n % 2], "country": "IT"}).grade == 0
    found = model.score({"method": "TRACE", "country": "IT"})
    assert (found.of, found.actual, found.expected) == ("method", "TRACE", "POST")
    assert found.grade > 0.5
    assert found.attribution["method"] > 0.95
    assert model.score({"method": "TRACE"}).score < found.score
    assert [model.score({"method": "TRACE"}).grade for _ in range(10)][-1] == 0


def test_the_least_seen_value_makes_room_and_gives_its_count():
    model = RareValue(limit=3, half_life=10**9)
    for value in "aaaabbcdd":
        model.score(value)
    (seen, whole, scale, counts, top), = model.dump().values()
    assert (seen, top) == (9, "a")
    assert whole / scale == pytest.approx(9, rel=1e-6)
    assert {value: round(count / scale) for value, count in counts.items()} == {"a": 4, "b": 2, "d": 3}  # d took c's place, and its count


def test_ever_new_values_push_out_nothing_frequent():
    model = RareValue(limit=50)
    for n in range(5000):
        model.score("usual" if n % 2 else f"made up {n}")
    counts = model.dump()[""][3]
    assert len(counts) == 50
    assert max(counts, key=counts.get) == "usual"


def test_counts_never_overflow():
    model = RareValue(half_life=1)
    for n in range(1000):
        model.score(n % 3)
    (_, whole, scale, counts, _), = model.dump().values()
    assert whole / scale == pytest.approx(1, rel=1e-6)
    assert max(counts.values()) < 1e61


def test_long_values_are_told_apart_and_fields_are_bounded():
    model = RareValue(fields=2)
    model.score({"a": "x" * 10**6, "b": 1, "c": 2})
    model.score({"a": "x" * 10**6 + "y"})
    assert list(model.dump()) == ["a", "b"]
    assert [len(one) < 300 for one in model.dump()["a"][3]] == [True, True]
