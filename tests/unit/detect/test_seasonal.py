from __future__ import annotations

import random

import pytest

from pluginhost.detect.seasonal import SeasonalSlots

HOUR = 3600 * 10**9
START = 20_000 * 24 * HOUR


def usual(n: int, chance: random.Random) -> float:
    return (900 if 8 <= n % 24 < 18 else 40) + chance.gauss(0, 5)


def trained(days: int = 10) -> SeasonalSlots:
    chance, model = random.Random(4), SeasonalSlots("1d", 24)
    for n in range(24 * days):
        assert model.score(START + n * HOUR, usual(n, chance)).grade == 0
    return model


def test_what_is_usual_by_day_is_odd_by_night():
    model = trained()
    by_day, by_night = model.score(START + 250 * HOUR, 900), model.score(START + 243 * HOUR, 900)
    assert (by_day.grade, by_night.grade) == (0, 1)
    assert (by_day.expected, by_night.expected) == (pytest.approx(900, abs=10), pytest.approx(40, abs=10))


def test_a_gap_puts_nothing_out_of_step():
    chance, model = random.Random(5), trained()
    later = START + 24 * 100 * HOUR + 13 * HOUR
    assert [model.score(later + n * HOUR, usual(13 + n, chance)).grade for n in range(48)] == [0.0] * 48


def test_nothing_is_graded_before_a_whole_period_has_passed():
    chance, model = random.Random(6), SeasonalSlots("7d", 168, warmup=5)
    for n in range(167):
        assert model.score(START + n * HOUR, chance.choice((0, 1000))).grade == 0
        assert model.score(START + n * HOUR, chance.choice((0, 1000))).grade == 0


def test_each_slot_is_a_moving_average():
    model, expected = SeasonalSlots("1d", 24, warmup=10**6), None
    for day, x in enumerate(range(0, 300, 10), 1):
        found = model.score(START + day * 24 * HOUR + 5 * HOUR, x)
        expected = x if expected is None else expected
        assert found.expected == pytest.approx(expected)
        expected += max(0.1, 1 / day) * (x - expected)


def test_one_outlier_does_not_teach_and_a_new_habit_does():
    chance, model = random.Random(4), trained()
    model.score(START + 243 * HOUR, 10**6)
    assert model.score(START + 267 * HOUR, usual(3, chance)).grade == 0
    nights = [model.score(START + (291 + 24 * day) * HOUR, 900).grade for day in range(20)]
    assert nights[0] == 1.0
    assert nights[8:] == [0.0] * 12


def test_slots_begin_in_utc_and_other_bounds_begin_anew():
    model = SeasonalSlots("1d", 24)
    model.score(START + 5 * HOUR, 7)
    assert model.score(START + 6 * HOUR - 1, 7).expected == 7
    assert model.score(START + 6 * HOUR, 9).expected == 9
    other = SeasonalSlots("1d", 12)
    other.load(model.dump())
    assert other.dump() == other.fresh().dump()
    with pytest.raises(ValueError, match="at least one slot"):
        SeasonalSlots("1d", 0)
