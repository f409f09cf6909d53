"""The written way of judging records: what it reads, whom it asks, and that ordinary records never fall back to the careful way."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.detect.declaration import analyzer
from pluginhost.detect.finding import Alert
from pluginhost.detect.windows import SlidingCount
from pluginhost.engine.gate import START, rows
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import items, slices
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit

LOGIN = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"
ACCESS = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET /../etc/passwd HTTP/1.1" 200 12 "-" "curl"'
ORDINARY = [{"message": LOGIN}, {"message": ACCESS}, {"user": "a", "code": 7}, {"source": {"ip": "::1"}, "tags": ["x"]}, {}, {"user": None}]


@pytest.fixture
def no_careful_way(monkeypatch):
    def refuse(*given):
        raise AssertionError("an ordinary record went the careful way")

    monkeypatch.setattr(Pipeline, "careful", refuse)


@pytest.fixture
def decoded(monkeypatch):
    """How many records were decoded whole."""
    from pluginhost.events import event

    found = []
    monkeypatch.setattr(event, "decode", lambda codec, raw: found.append(raw) or msgspec.msgpack.decode(raw))
    return found


def shipped():
    return [unit for file in sorted(shipped_analyzers().glob("[!_]*.py")) for unit in ready(bundle(file), {})]


def rule(where, name="rule"):
    def body(event):
        return Alert("low", name)

    return Unit(analyzer(where=where, name=name)(body), {})


def batch(records, codec="msgpack", tag="t"):
    row = rows(records, START, 1, tag)
    if codec == "json":
        raws = [msgspec.json.encode(record) for record in records]
        ends = [sum(map(len, raws[: n + 1])) for n in range(len(raws))]
        (made,) = items(row)
        made.data, made.codec = b"".join(raws), "json"
        made.starts, made.ends = [end - len(raw) for end, raw in zip(ends, raws, strict=True)], ends
        return made
    (made,) = items(row)
    return made


def fired(units, records, codec="msgpack"):
    run = Pipeline(units, mappings())
    return sorted((one.index, one.analyzer) for one in run.run(ShardState(), [batch(records, codec)]).findings), run


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_ordinary_records_go_the_written_way(no_careful_way, codec):
    found, _ = fired([*shipped(), rule("user:a")], ORDINARY, codec)
    assert found == [(1, "web_signatures"), (2, "rule")]


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_records_that_no_rule_wants_are_passed_over(codec):
    records = [{"user": "a", "n": n} for n in range(50)] + [{"user": "evil", "n": 1}, {"tags": ["evil"]}, {"user": ["b", "evil"]}]
    found, run = fired([rule("user:evil", "equal"), rule("user:ev*", "prefix"), rule("other:1", "number")], records, codec)
    assert found == [(50, "equal"), (50, "prefix"), (52, "equal"), (52, "prefix")]
    (cost,) = run.costs()
    assert (cost.passed, cost.judged, cost.whole, cost.because) == (51, 2, [], "")


def test_values_that_repeat_are_tested_once_and_equal_ones_are_not_taken_for_each_other():
    records = [{"flag": value} for value in ("no", 5, 1, True, 1.0, 0, False, None, "true", True)] * 2
    found, _ = fired([rule("flag:true")], records)
    assert [index for index, _ in found] == [3, 8, 9, 13, 18, 19]


def test_a_field_of_very_many_values_is_no_longer_remembered(monkeypatch):
    from pluginhost.engine import scan

    monkeypatch.setattr(scan, "_MEMO", 8)
    run, state = Pipeline([rule("user:u99")], mappings()), ShardState()
    found = [one.index for _ in range(3) for one in run.run(state, [batch([{"user": f"u{n}"} for n in range(100)])]).findings]
    assert found == [99, 99, 99]


def test_one_that_must_be_asked_about_everything_is_named():
    found, run = fired([rule("user:evil"), rule("NOT user:a", "other")], [{"user": "a"}, {"user": "b"}])
    (cost,) = run.costs()
    assert (found, cost.whole, cost.judged) == ([(1, "other")], ["other"], 2)


def test_only_the_fields_that_are_asked_for_are_decoded(decoded):
    @analyzer(where="user:evil", key="host")
    def often(event, seen: SlidingCount = SlidingCount("1h")):
        return Alert("low", event["what"]) if seen.add(event) == 3 else None

    @analyzer(where="user:evil")
    def quiet(event):
        return event["what"] == "" or None

    run = Pipeline([Unit(often, {})], mappings())
    result = run.run(ShardState(), [batch([{"user": "evil", "host": "h", "what": "w", "big": ["x"] * 9}] * 2)])
    assert (result.findings, result.failures, decoded) == ([], [], [])


def test_many_rules_are_chosen_by_the_index():
    units = [rule(f"user:u{n} AND NOT host:x", f"r{n}") for n in range(200)]
    found, run = fired([*units, rule("host:h", "always_one")], [{"user": "u7", "host": "h"}, {"user": "u8", "host": "x"}, {"user": "none"}])
    assert found == [(0, "always_one"), (0, "r7")]
    assert {unit.name for unit in run.counted()} == {unit.name for unit in [*units, rule("", "always_one")]}


def test_the_counters_that_changed_are_told_once():
    run, state = Pipeline([rule("user:a", "a"), rule("user:b", "b")], mappings()), ShardState()
    run.counted()
    run.run(state, [slices(rows([{"user": "a"}], START, 1, "t"))[0]])
    assert {unit.name for unit in run.counted()} == {"a"}
    assert run.counted() == set()


@pytest.mark.parametrize("odd", [{b"user": "a"}, {1: 2, "user": "a"}, {"user": b"\xff"}, {"user": [[[[[[["deep"]]]]]]]}])
def test_odd_records_fall_back_alone(odd):
    import msgpack

    row = rows([{"user": "a"}, {"user": "a"}, {"user": "a"}], START, 1, "t")
    (made,) = items(row)
    plain = msgpack.packb({"user": "a"})
    raws = [plain, msgpack.packb(odd), plain]
    made.data = b"".join(raws)
    made.starts, made.ends = [0, len(raws[0]), len(raws[0]) + len(raws[1])], [len(raws[0]), len(raws[0]) + len(raws[1]), len(made.data)]
    run = Pipeline([rule("user:a"), rule("user:b", "b")], mappings())
    result = run.run(ShardState(), [made])
    assert [one.index for one in result.findings] == ([0, 1, 2] if odd in ({b"user": "a"}, {1: 2, "user": "a"}) else [0, 2])
    assert result.failures == []


def test_a_record_without_a_time_stamp_has_the_time_of_its_event():
    records = [{"user": "a"}, {"@timestamp": "2019-01-01T00:00:00Z"}]
    found, _ = fired([rule("@timestamp:[2020-01-01 TO *]", "later"), rule("user:a", "user")], records)
    assert found == [(0, "later"), (0, "user")]
