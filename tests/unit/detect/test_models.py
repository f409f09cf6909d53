"""What all models have in common: plain state, determinism, bounds, and that nothing a record may hold makes them raise."""

from __future__ import annotations

import doctest
import importlib
import random
from types import SimpleNamespace

import msgspec
import pytest

from pluginhost.detect.average import EwmaZ, MovingAverage, RobustZ, WindowAverage
from pluginhost.detect.forest import RandomCutForest
from pluginhost.detect.geo import GeoProfile
from pluginhost.detect.markov import Pace, PageOrder
from pluginhost.detect.rare import RareValue
from pluginhost.detect.seasonal import SeasonalSlots
from pluginhost.detect.series import Intervals
from pluginhost.detect.surprise import CountSurprise, Holt

DAY = 86_400
MODULES = ("average", "forest", "geo", "markov", "rare", "seasonal", "series", "surprise")
NONSENSE = [None, True, "", "12abc", "1_0", "nan", "inf", float("nan"), float("inf"), -1e300, 10**400, [], [1], {}, {"a": {}}, b"1",
            "9" * 10_000, "\ud800"]  # fmt: skip


def at(seconds: float) -> SimpleNamespace:
    return SimpleNamespace(time=round((12 * DAY + seconds) * 10**9))


def pairs(value):
    return {"a": (value, 100), "b": (1, 50)}


USES = {
    "MovingAverage": (MovingAverage(), lambda model, n, x: model.add(x)),
    "WindowAverage": (WindowAverage(size=50), lambda model, n, x: model.add(x)),
    "EwmaZ": (EwmaZ(), lambda model, n, x: model.score({"a": x, "b": n % 7})),
    "RobustZ": (RobustZ(window=40), lambda model, n, x: model.score({"a": x, "b": n % 7})),
    "CountSurprise": (CountSurprise(), lambda model, n, x: model.score(pairs(x))),
    "Holt": (Holt(), lambda model, n, x: model.score(x)),
    "SeasonalSlots": (SeasonalSlots("1h", 12), lambda model, n, x: model.score(at(300 * n).time, x)),
    "RareValue": (RareValue(limit=10, half_life=50), lambda model, n, x: model.score({"a": n * n % 23, "b": x})),
    "PageOrder": (PageOrder(paths=20, warmup=3, memory=60, visits=4),
                  lambda model, n, x: model.score(at(n * 60), n % 5, f"/p{n * n % 31}")),
    "Pace": (Pace(), lambda model, n, x: model.score(at(n * 5 + n % 3))),
    "GeoProfile": (GeoProfile(), lambda model, n, x: model.score(at(n * DAY / 3), ((n * n % 11) * 15 - 75, n * 37 % 360 - 180))),
    "Intervals": (Intervals("5m", delay="1m"), lambda model, n, x: model.add(at(n * 130), {"a": x, "b": 1})),
    "RandomCutForest": (RandomCutForest(("a", "b"), trees=10, warmup=64, seed=3), lambda model, n, x: model.score({"a": x, "b": n % 7})),
}
each = pytest.mark.parametrize("name", USES)


def values(count: int) -> list[float]:
    chance = random.Random(5)
    return [chance.gauss(10, 2) if chance.random() > 0.02 else 100.0 for _ in range(count)]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_hold(module):
    found = doctest.testmod(importlib.import_module(f"pluginhost.detect.{module}"), extraglobs={"at": at})
    assert found.attempted >= 2
    assert found.failed == 0


@each
def test_a_model_goes_on_from_its_plain_state_as_if_nothing_had_been(name):
    model, use = USES[name]
    one = model.fresh()
    for n, x in enumerate(values(200)):
        use(one, n, x)
    other = model.fresh()
    other.load(msgspec.msgpack.decode(msgspec.msgpack.encode(one.dump())))
    more = list(enumerate(values(400)))[200:]
    assert [use(one, n, x) for n, x in more] == [use(other, n, x) for n, x in more]


@each
def test_the_same_points_give_the_same_state(name):
    model, use = USES[name]
    one, other = model.fresh(), model.fresh()
    for n, x in enumerate(values(150)):
        use(one, n, x)
        use(other, n, x)
    assert msgspec.msgpack.encode(one.dump()) == msgspec.msgpack.encode(other.dump()) != msgspec.msgpack.encode(model.fresh().dump())


@each
def test_a_fresh_copy_shares_nothing_but_its_bounds(name):
    model, use = USES[name]
    one, other = model.fresh(), model.fresh()
    for n, x in enumerate(values(100)):
        use(one, n, x)
    assert msgspec.msgpack.encode(other.dump()) == msgspec.msgpack.encode(model.fresh().dump())
    assert one.idle == model.idle > 0


@each
def test_nothing_that_a_record_may_hold_raises_or_spoils_the_state(name):
    model, use = USES[name]
    one = model.fresh()
    for n, x in enumerate([*NONSENSE, *values(50), *NONSENSE, *values(50)]):
        use(one, n, x)
    packed = msgspec.msgpack.encode(one.dump())
    assert b"\xcb\x7f\xf8" not in packed  # NaN
    model.fresh().load(msgspec.msgpack.decode(packed))


def test_shapes_never_change_by_accident():
    assert {type(model).shape for model, _ in USES.values()} == {f"{name}/1" for name in USES}
