"""`Peaks`: one score an interval, the highest; kept over restarts as plain data."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec

from pluginhost import Peaks, Score

SECOND = 10**9


def at(second):
    return SimpleNamespace(time=second * SECOND)


def fed(peaks, *given):
    return [peaks.add(at(second), Score(value, threshold=3.0), {"source.ip": f"ip-{value}"}) for second, value in given]


def test_the_highest_of_each_interval_comes_with_the_first_event_behind_it():
    told = fed(Peaks("1m").fresh(), (60, 1.0), (70, 5.0), (119, 2.0), (120, 0.5), (300, 7.0), (360, 0.0))
    assert [one and (one.at // SECOND, one.span // SECOND, one.value, one.threshold, one.entity) for one in told] == [
        None, None, None, (60, 60, 5.0, 3.0, {"source.ip": "ip-5.0"}), (120, 60, 0.5, 3.0, {"source.ip": "ip-0.5"}),
        (300, 60, 7.0, 3.0, {"source.ip": "ip-7.0"})]  # fmt: skip


def test_what_is_late_is_left_out():
    told = fed(Peaks("1m").fresh(), (60, 1.0), (120, 2.0), (61, 9.0), (180, 0.0))
    assert [one and one.value for one in told] == [None, 1.0, None, 2.0]


def test_a_cut_anywhere_changes_nothing():
    given = [(n * 7, float(n * 13 % 29)) for n in range(100)]
    whole = fed(Peaks("1m").fresh(), *given)
    for cut in (0, 1, 8, 50):
        first, second = Peaks("1m").fresh(), Peaks("1m").fresh()
        before = fed(first, *given[:cut])
        second.load(msgspec.msgpack.decode(msgspec.msgpack.encode(first.dump())))
        assert before + fed(second, *given[cut:]) == whole


def test_another_length_begins_anew():
    first, longer = Peaks("1m").fresh(), Peaks("1h").fresh()
    fed(first, (60, 9.0))
    longer.load(first.dump())
    assert fed(longer, (3600, 1.0), (7200, 1.0))[1].value == 1.0


def test_an_entity_of_any_kind_can_be_kept():
    peaks = Peaks("1m").fresh()
    peaks.add(at(0), Score(1.0, actual="x"), {"a": ["\ud800"], "b": {1: 2}, "c": 1 << 80, "d": None})
    msgspec.msgpack.encode(peaks.dump())
    assert peaks.add(at(60), Score()).entity["d"] is None
