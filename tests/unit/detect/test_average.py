from __future__ import annotations

import random
import statistics

import pytest

from pluginhost.detect.average import EwmaZ, MovingAverage, RobustZ, WindowAverage

CHANCE = random.Random(3)
VALUES = [CHANCE.gauss(50, 5) for _ in range(400)]


def test_while_few_are_known_the_moving_average_is_the_plain_one():
    one = MovingAverage(rate=0.01)
    for x in VALUES[:100]:
        one.add(x)
    assert one.mean == pytest.approx(statistics.fmean(VALUES[:100]))
    assert one.spread == pytest.approx(statistics.pstdev(VALUES[:100]))


def test_later_the_weights_are_a_geometric_series():
    one = MovingAverage(rate=0.1)
    for x in VALUES:
        one.add(x)
    weights = [0.1 * 0.9**age for age in range(len(VALUES) - 10)]  # of what came after the plain average of ten
    mean = sum(weight * x for weight, x in zip(weights, reversed(VALUES), strict=False)) + 0.9**390 * statistics.fmean(VALUES[:10])
    square = sum(weight * (x - mean) ** 2 for weight, x in zip(weights, reversed(VALUES), strict=False))
    assert one.mean == pytest.approx(mean)
    assert one.spread**2 == pytest.approx(square)


def test_the_window_average_is_that_of_the_last_values():
    one = WindowAverage(size=30)
    for n, x in enumerate(VALUES, 1):
        one.add(x)
        last = VALUES[max(0, n - 30) : n]
        assert (one.mean, one.spread) == (pytest.approx(statistics.fmean(last)), pytest.approx(statistics.pstdev(last)))
    assert (len(one), WindowAverage().mean, WindowAverage().spread) == (30, 0, 0)


def test_z_counts_spreads_from_the_mean_of_what_came_before():
    model, before = EwmaZ(), MovingAverage()
    for x in VALUES[:90]:
        found = model.score(x)
        if before.count > 1:
            assert found.score == pytest.approx(abs(x - before.mean) / before.spread)
        before.add(x)
    odd = model.score(before.mean + 12 * before.spread)
    assert (odd.score, odd.grade, odd.expected) == (pytest.approx(12), 1.0, pytest.approx(before.mean))


def test_the_dimension_that_stands_out_is_named_with_its_share():
    model = EwmaZ()
    for x, y in zip(VALUES[:100], VALUES[100:200], strict=True):
        assert model.score({"x": x, "y": y}).grade == 0
    found = model.score({"x": 50, "y": 500})
    assert (found.of, found.actual, found.grade) == ("y", 500, 1)
    assert found.attribution["y"] > 0.9
    assert sum(found.attribution.values()) == pytest.approx(1)


@pytest.mark.parametrize("model", [EwmaZ(), RobustZ()])
def test_nothing_is_graded_while_it_warms_up(model):
    model = model.fresh()
    assert [model.score(x).grade for x in [1.0, 1e6] * (model.warmup // 2)] == [0.0] * (model.warmup // 2 * 2)


@pytest.mark.parametrize("model", [EwmaZ(), RobustZ()])
def test_an_outlier_does_not_teach_and_a_lasting_change_does(model):
    model = model.fresh()
    for x in VALUES[:200]:
        model.score(x)
    before = model.score(50).expected
    model.score(1e9)
    assert abs(model.score(50).expected - before) < 2
    assert model.score(1e9).grade == 1
    assert [model.score(60 + x % 1).grade for x in VALUES + VALUES][-1] == 0


def test_a_series_that_never_moved_may_begin_to():
    model = EwmaZ()
    assert [model.score(0).grade for _ in range(100)] == [0.0] * 100
    grades = [model.score(n % 2).grade for n in range(2000)]
    assert grades[1] == 1.0
    assert grades[-1] == 0.0


def test_robust_z_is_by_median_and_quartiles():
    model = RobustZ(window=100)
    for n, x in enumerate(VALUES):
        found = model.score(x)
        if n >= 16:
            low, median, high = statistics.quantiles(VALUES[max(0, n - 100) : n], method="inclusive")
            assert found.score == pytest.approx(abs(x - median) / ((high - low) / 1.349))
            assert found.expected == pytest.approx(median)


def test_up_to_a_quarter_of_outliers_leave_robust_z_where_it_is():
    model = RobustZ(window=100)
    found = [model.score(1e6 if n % 5 == 4 else x) for n, x in enumerate(VALUES)][100:]
    assert all(one.grade == 1 for one in found if one.actual == 1e6)
    assert all(one.grade == 0 for one in found if one.actual != 1e6)


@pytest.mark.parametrize("model", [EwmaZ(limit=3), RobustZ(limit=3)])
def test_names_are_bounded(model):
    model = model.fresh()
    for n in range(50):
        model.score({f"x{n}": 1})
    assert len(model.dump()) == 3
    assert model.score({"x60": 1}).score == 0
