from __future__ import annotations

import random
from math import exp, lgamma, log, log10, sin

import pytest

from pluginhost.detect.surprise import CountSurprise, Holt


def tail(count: int, mean: float) -> float:
    """P(X ≥ count) of a Poisson distribution, summed term by term."""
    return sum(exp(n * log(mean) - mean - lgamma(n + 1)) for n in range(count, count + 400))


def trained(share: float = 0.01, intervals: int = 300, each: int = 1000) -> CountSurprise:
    model = CountSurprise()
    for _ in range(intervals):
        model.score({"x": (share * each, each - share * each)})
    return model


@pytest.mark.parametrize("bad", [1, 2, 5, 11, 15, 30, 60, 200])
@pytest.mark.parametrize("whole", [200, 1000])
def test_the_score_is_a_bound_of_the_poisson_tail(bad, whole):
    found = trained().score({"x": (bad, whole - bad)})
    if bad <= found.expected:
        assert found.score == 0
    else:
        exact = -log10(tail(bad, found.expected))
        assert found.score <= exact + 1e-9
        assert exact - found.score < 0.5 * log10(2 * 3.1416 * bad) + 0.6  # Stirling: that near is the bound


def test_forty_times_the_traffic_with_the_same_share_is_no_surprise():
    chance = random.Random(2)
    model = CountSurprise()
    for n in range(3000):
        whole = 50 if n % 100 < 50 else 2000
        bad = sum(chance.random() < 0.02 for _ in range(whole)) if n < 600 else round(whole * 0.02)
        assert model.score({"x": (bad, whole - bad)}).grade == 0


def test_a_share_that_rises_is_a_surprise_at_any_rate():
    for whole in (100, 4000):
        found = trained().score({"x": (whole // 5, whole - whole // 5), "y": (0, 100)})
        assert (found.grade, found.of, found.attribution) == (1.0, "x", {"x": 1.0, "y": 0.0})
        assert found.expected == pytest.approx(whole * 0.01, rel=0.01)


def test_a_flood_of_bad_ones_hardly_moves_the_share():
    model = trained()
    for _ in range(5):
        assert model.score({"x": (1000, 0)}).grade == 1
    k, n, _ = model.dump()["x"]
    assert 0.01 < k / n < 0.0103


def test_the_first_intervals_are_not_graded():
    model = CountSurprise()
    assert [model.score({"x": (50, 50)}).grade for _ in range(30)] == [0.0] * 30


def test_empty_intervals_teach_nothing_but_age():
    model = trained()
    before = model.dump()["x"][:2]
    assert model.score({"x": (0, 0)}).score == 0
    assert model.dump()["x"][:2] == pytest.approx([one * (1 - 1 / 2000) for one in before])


@pytest.mark.parametrize("pair", [(None, 5), ("x", 5), (-1, 5), (5, -1), (float("nan"), 5)])
def test_what_is_no_pair_of_counts_is_left_out(pair):
    model = trained()
    before = [*model.dump()["x"]]
    assert model.score({"x": pair}).score == 0
    assert model.dump()["x"] == before


def curve(n: int) -> float:
    return 100 + 50 * sin(2 * 3.14159265 * n / 288)


def test_holt_finds_what_would_be_usual_at_another_time_and_nothing_else():
    chance, model, found = random.Random(1), Holt(), []
    for n in range(6000):
        odd = n > 300 and chance.random() < 0.01
        shown = curve(n + 144 if odd else n) + chance.gauss(0, 1)
        found.append((model.score(shown).score, odd and abs(curve(n + 144) - curve(n)) > 20))
    ranked = sorted(found[300:], reverse=True)
    odd = sum(one for _, one in found)
    assert odd > 40
    hits, ap = 0, 0.0
    for place, (_, is_odd) in enumerate(ranked, 1):
        hits += is_odd
        ap += is_odd * hits / place / odd
    assert ap > 0.99


def test_holt_foresees_a_line_and_follows_a_step():
    model = Holt()
    for n in range(200):
        assert model.score(3 * n + 5).grade == 0 or n < 30
    assert model.score(605).expected == pytest.approx(605, abs=0.1)
    step = [model.score(2000).grade for _ in range(200)]
    assert (step[0], step[-1]) == (1.0, 0.0)


def test_holt_takes_a_spike_in_as_a_small_one():
    chance, model = random.Random(1), Holt()
    for _ in range(200):
        model.score(100 + chance.gauss(0, 1))
    assert model.score(1e9).grade == 1
    assert abs(model.score(100).expected - 100) < 5
