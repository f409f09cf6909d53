from __future__ import annotations

import random

import msgspec
import pytest

from pluginhost.detect import forest
from pluginhost.detect.forest import RandomCutForest
from pluginhost.problem import Problem


def usual(chance: random.Random) -> dict[str, float]:
    side = chance.choice((-1, 1))
    return {"x": side * 5 + chance.gauss(0, 0.3), "y": side * 5 + chance.gauss(0, 0.3)}


def trained(points: int = 700, **more) -> tuple[RandomCutForest, random.Random, list]:
    chance, model = random.Random(1), RandomCutForest(("x", "y"), trees=30, **more)
    return model, chance, [model.score(usual(chance)) for _ in range(points)]


@pytest.fixture(scope="module")
def dumped():
    return msgspec.msgpack.encode(trained()[0].dump())


def test_a_point_between_the_clusters_is_graded_though_each_value_is_usual(dumped):
    model, chance = RandomCutForest(("x", "y"), trees=30), random.Random(2)
    model.load(msgspec.msgpack.decode(dumped))
    odd = model.score({"x": -5, "y": 5})
    assert odd.grade > 0.5
    assert odd.score > odd.threshold >= 0.8
    assert sum(odd.attribution.values()) == pytest.approx(1)
    assert odd.attribution[odd.of] == max(odd.attribution.values())
    assert odd.actual * odd.expected < 0  # what the other value lets one expect
    assert model.score(usual(chance)).grade == 0


def test_nothing_is_graded_while_it_warms_up():
    model, _, found = trained(300)
    assert {one.grade for one in found} == {0.0}
    assert model.score({"x": 1e6, "y": 0}).grade == 0
    assert found[-1].confidence == pytest.approx(1 - 2 ** (-300 / 512))


def test_a_forest_goes_on_from_its_plain_state_with_equal_scores(dumped):
    one, chance, _ = trained()
    other = RandomCutForest(("x", "y"), trees=30)
    other.load(msgspec.msgpack.decode(dumped))
    points = [usual(chance) for _ in range(1000)]
    assert [one.score(point) for point in points] == [other.score(point) for point in points]


def test_an_anomaly_that_goes_on_is_graded_once(dumped):
    model, chance = RandomCutForest(("x", "y"), trees=30), random.Random(2)
    model.load(msgspec.msgpack.decode(dumped))
    odd = [model.score({"x": 40 + n / 10, "y": -30}).grade > 0 for n in range(5)]
    assert odd == [True, False, False, False, False]
    for _ in range(20):
        model.score(usual(chance))
    assert model.score({"x": -60, "y": 60}).grade > 0


def test_with_a_shingle_the_point_is_graded_once_while_it_holds_the_odd_value():
    chance, model = random.Random(3), RandomCutForest(("x",), shingle=4, trees=30, warmup=200)
    wave = [0, 3, 6, 3]
    for n in range(600):
        model.score({"x": wave[n % 4] + chance.gauss(0, 0.1)})
    odd = [model.score({"x": 60 if n == 0 else wave[n % 4]}) for n in range(5)]
    assert [one.grade > 0 for one in odd] == [True, False, False, False, False]
    assert odd[0].actual == 60


def test_a_lone_outlier_does_not_teach_the_scale(dumped):
    model = RandomCutForest(("x", "y"), trees=30)
    model.load(msgspec.msgpack.decode(dumped))
    before = model.dump()[2][0]
    model.score({"x": 1e90, "y": 0})
    after = model.dump()[2][0]
    assert abs(after[1] - before[1]) < 0.1
    assert after[2] < before[2] * 1.1


def test_the_seed_decides_and_another_make_begins_anew(dumped):
    (_, _, one), (_, _, same), (_, _, other) = trained(200), trained(200), trained(200, seed=1)
    assert one == same
    assert one != other
    larger = RandomCutForest(("x", "y"), trees=31)
    larger.load(msgspec.msgpack.decode(dumped))
    assert larger.score({"x": 1, "y": 1}).confidence == 0


def test_the_missing_package_is_told_with_its_cure(monkeypatch):
    monkeypatch.setattr(forest, "rcf3", None)
    with pytest.raises(Problem, match=r"pip install 'pluginhost\[rcf\]'"):
        RandomCutForest(("x",))


@pytest.mark.parametrize("names", ["x", ()])
def test_a_forest_needs_dimensions(names):
    with pytest.raises(ValueError, match="needs the names"):
        RandomCutForest(names)
