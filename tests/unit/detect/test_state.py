"""What every state must keep to, shown on each of them; what one alone does is told in the file of its kind."""

from __future__ import annotations

import doctest
import gc
import importlib
import sys
from types import SimpleNamespace

import msgspec
import pytest
from moments import again, at

import pluginhost
from pluginhost.detect.clients import ClientCounts
from pluginhost.detect.cuckoo import Cuckoo
from pluginhost.detect.decay import DecayCount, LeakyBucket
from pluginhost.detect.distinct import Distinct, SlidingDistinct
from pluginhost.detect.order import Sequence, Streak
from pluginhost.detect.peaks import Peaks
from pluginhost.detect.seen import FirstSeen, LastSeen, Recent
from pluginhost.detect.series import Score
from pluginhost.detect.state import State, plain, span_of, text
from pluginhost.detect.timers import Absence, Timers
from pluginhost.detect.topk import TopK
from pluginhost.detect.windows import MinuteCounts, SlidingCount, TumblingCount

ODD = ["a", "é", "\ud800", None, 7, "x" * 1000]
USED = [
    (SlidingCount("10s", limit=5), "SlidingCount/2", "10s", lambda state, event, _: state.reaches(event, 2)),
    (TumblingCount("10s", "5s"), "TumblingCount/1", "15s", lambda state, event, _: state.add(event)),
    (MinuteCounts("1s", "8s"), "MinuteCounts/1", "9s", lambda state, event, _: state.add(event)),
    (ClientCounts("1s", "8s", limit=4), "ClientCounts/1", "9s", lambda state, event, value: state.add(value, event)),
    (DecayCount("10s"), "DecayCount/1", "100s", lambda state, event, _: state.add(event)),
    (LeakyBucket(3, "10s"), "LeakyBucket/1", "40s", lambda state, event, _: state.pour(event)),
    (Distinct("1h", exact=4), "Distinct/1", "1h", lambda state, event, value: state.add(value, event)),
    (SlidingDistinct("1h", exact=4), "SlidingDistinct/1", "66m", lambda state, event, value: state.add(value, event)),
    (Cuckoo(10), "Cuckoo/1", "90d", lambda state, _, value: state.add(value)),
    (TopK("1h", 3), "TopK/1", "1h", lambda state, event, value: state.add(value, event)),
    (FirstSeen("1d", limit=7), "FirstSeen/1", "1d", lambda state, event, value: state.first(value, event)),
    (LastSeen(), "LastSeen/1", "365d", lambda state, event, _: state.gap(event)),
    (Recent(4), "Recent/1", "90d", lambda state, event, value: state.insert(event, (value, 1.5))),
    (Sequence(("a", "a", "x")), "Sequence/1", "1h", lambda state, event, _: state.take("a", event)),
    (Streak("1h"), "Streak/1", "1h", lambda state, event, value: state.add(event) if value else state.end(event)),
    (Timers(), "Timers/1", "365d", lambda state, event, value: state.set(f"{value}", event.time)),
    (Peaks("5s"), "Peaks/1", "5s", lambda state, event, value: state.add(event, Score(2.5), {"user.name": value})),
    (Absence("1h"), "Absence/1", "365d", lambda state, event, _: state.heard(event)),
]  # fmt: skip
each = pytest.mark.parametrize(("state", "use"), [(one, use) for one, _, _, use in USED], ids=[type(one).__name__ for one, *_ in USED])
TIMES = (3, 1, 2, 2, 9, 8, 30, 29, 60, 3)


def used(state: State, use) -> list:
    return [use(state, at(second), ODD[n % len(ODD)]) for n, second in enumerate(TIMES)]


@each
def test_state_travels_as_plain_data(state, use):
    one = state.fresh()
    used(one, use)
    packed = msgspec.msgpack.encode(one.dump())
    assert msgspec.msgpack.encode(again(one).dump()) == packed != msgspec.msgpack.encode(state.fresh().dump())
    assert again(one).evidence() == one.evidence()


@each
def test_it_goes_on_after_a_restart_as_if_there_had_been_none(state, use):
    steady, restarted = state.fresh(), state.fresh()
    for n, second in enumerate(TIMES * 3):
        value, event = ODD[n % len(ODD)], at(second + n)
        assert use(steady, event, value) == use(restarted, event, value)
        restarted = again(restarted)
    assert restarted.dump() == again(steady).dump()


@each
def test_a_fresh_copy_shares_nothing_but_its_bounds(state, use):
    one, other = state.fresh(), state.fresh()
    used(one, use)
    assert other.dump() == state.dump() == state.fresh().dump()
    public = [name for name in state.__struct_fields__ if not name.startswith("_")]
    assert [getattr(one, name) for name in public] == [getattr(state, name) for name in public]


@each
def test_times_that_are_absurd_raise_nothing(state, use):
    one = state.fresh()
    for time in (at(0).time, 0, -1, 1, (1 << 62), at(1).time, -(1 << 62)):
        if not (isinstance(state, Timers) and time < 0):  # the engine gives an event no such time, and a timer refuses it
            use(one, SimpleNamespace(time=time), "a")
    assert again(one).dump() == again(again(one)).dump()


@each
def test_a_live_copy_is_unknown_to_the_garbage_collector(state, use):
    one = state.fresh()
    used(one, use)
    assert not gc.is_tracked(one)


def test_shapes_and_lives_never_change_by_accident():
    assert [(one.shape, one.idle) for one, *_ in USED] == [(shape, span_of(idle)) for _, shape, idle, _ in USED]


def test_every_exported_state_is_looked_at_here():
    exported = {one for one in vars(pluginhost).values() if isinstance(one, type) and issubclass(one, State)}
    assert {one for one in exported if one.__module__ not in MODELS} == {type(one) for one, *_ in USED}


MODELS = {f"pluginhost.detect.{name}" for name in ("average", "surprise", "series", "seasonal", "rare", "markov", "forest", "geo")}


@pytest.mark.parametrize("kind", sorted({type(one).__module__ for one, *_ in USED}))
def test_examples_are_true(kind):
    module = importlib.import_module(kind)
    names = {**vars(module), "at": lambda second: SimpleNamespace(time=round(second * 10**9))}
    found = [one for one in doctest.DocTestFinder().find(module, globs=names) if one.examples]
    shown: list[str] = []
    assert [doctest.DocTestRunner().run(one, out=shown.append).failed for one in found] == [0] * len(found), "".join(shown)
    here = {type(one).__name__ for one, *_ in USED if type(one).__module__ == kind}
    assert {one.name.rpartition(".")[2] for one in found} >= here - {"Timers"}


def test_what_a_record_says_is_made_fit_to_be_kept():
    assert [text(one) for one in ("a", 5, None, "\ud800")] == ["a", "5", "None", "\\ud800"]
    assert (text("x" * 256), len(text("x" * 257)), text("x" * 257) == text("x" * 258)) == ("x" * 256, 97, False)
    assert [plain(one) for one in (1, 1.5, None, True, "a", 1 << 63, [1], -(1 << 63))] == [
        1, 1.5, None, True, "a", "9223372036854775808", "[1]", -(1 << 63),
    ]  # fmt: skip


@pytest.mark.parametrize("given", [0, "0s", "1e", None, -1, True, float("nan")])
def test_what_is_no_span_is_refused(given):
    with pytest.raises(ValueError, match=r"expected a duration|longer than"):
        span_of(given)


def test_the_contract_itself_is_nobodys_state():
    for asked in (lambda: State().idle, lambda: State().dump(), lambda: State().load(None)):
        with pytest.raises(NotImplementedError):
            asked()
    assert (State().evidence(), sys.getsizeof(SlidingCount("1h").fresh()) < 120) == (None, True)
