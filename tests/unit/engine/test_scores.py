"""What analyzers return as `Scored` → points in journal order; nothing where nobody asked."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost import Alert, Scored, Timers, analyzer, shipped_analyzers
from pluginhost.detect.windows import SlidingCount
from pluginhost.engine.gate import START, rows
from pluginhost.engine.generations import used
from pluginhost.engine.items import Tick
from pluginhost.engine.loader import bundle, load
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import items
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit

SECOND, MINUTE = 10**9, 60 * 10**9


@analyzer(key="user.name")
def counted(event, window: SlidingCount = SlidingCount("10m"), interval: int = MINUTE):
    """How many events of a user."""
    count = window.add(event)
    start = event.time - event.time % interval
    yield Scored(count, 5.0, at=start, span=interval, entity={"source.ip": event.get("source.ip")}, expected=2, parts={"all": count})
    if count == 5:
        yield Alert("low", "five")


@analyzer(key="user.name")
def each(event):
    """A score of the event at hand."""
    return Scored(0.5)


@analyzer(key="user.name")
class Later:
    """A score by a timer."""

    timers: Timers = Timers()

    def on_event(self, event):
        self.timers.set("end", event.time + 5 * SECOND)

    def on_timer(self, timer):
        return [Scored(1.0), Scored(2.0, of="b", at=timer.due), Scored(3.0, of="c", at=timer.due)]


def run(records, *units, scores=("*",), every=SECOND, parts=1, tick=None):
    """The points and findings of records that come in so many rows."""
    pipeline, state, points, findings = Pipeline(units, mappings(), scores=scores), ShardState(), [], []
    size = -(-len(records) // parts)
    for part in range(parts):
        row = rows(records[part * size : (part + 1) * size], START + part * size * every, every, "t")
        row.offset = part
        result = pipeline.run(state, items(row))
        assert not result.failures, result.failures[0].error
        points += result.scores
        findings += result.findings
    if tick is not None:
        points += pipeline.run(state, [Tick(parts, tick, tick)]).scores
    return points, findings


def document(point):
    return msgspec.json.decode(point.document)


def user(name="alice", ip="203.0.113.9"):
    return {"user": {"name": name}, "source": {"ip": ip}}


def test_nothing_comes_of_a_score_that_nobody_asked_for():
    for scores in ((), ("other*",)):
        points, findings = run([user()] * 5, Unit(counted, {}), scores=scores)
        assert (points, [one.message for one in findings]) == ([], ["five"])


def test_a_score_is_a_metric_about_its_interval_and_entity():
    points, findings = run([user()] * 5, Unit(counted, {}))
    assert len(findings) == 1
    made = document(points[4])
    assert made["@timestamp"] == made["event"]["start"] == "2026-01-01T00:00:00.000Z"
    assert made["event"]["end"] == "2026-01-01T00:01:00.000Z"
    assert (made["event"]["kind"], made["event"]["dataset"], made["event"]["duration"]) == ("metric", "pluginhost.scores", MINUTE)
    assert made["rule"] == {"id": "counted", "name": "How many events of a user", "ruleset": ""}
    assert (made["user"], made["source"]) == ({"name": "alice"}, {"ip": "203.0.113.9"})
    assert made["pluginhost"] == {"analyzer": "counted",
                                  "score": {"value": 5, "threshold": 5.0, "expected": 2, "parts": {"all": 5}}}  # fmt: skip
    assert not {"severity", "risk_score", "sequence"} & made["event"].keys()
    assert not {"message", "log", "related"} & made.keys()
    assert (points[4].time, points[4].reached, points[4].id) == (START, START + 4 * SECOND, made["event"]["id"])


def test_the_same_interval_is_the_same_document_and_another_one_is_not():
    points, _ = run([user(), user(), user("bob"), user(ip="203.0.113.10")], Unit(counted, {}))
    first, second, other_key, other_entity = (one.id for one in points)
    assert first == second
    assert len({first, other_key, other_entity}) == 3
    later, _ = run([user()] * 2, Unit(counted, {}), every=MINUTE)
    assert later[0].id == first != later[1].id


def test_a_score_without_an_interval_is_known_by_its_record():
    points, _ = run([user()] * 3, Unit(each, {}))
    assert len({one.id for one in points}) == 3
    assert [one.time - START for one in points] == [0, SECOND, 2 * SECOND]
    again, _ = run([user()] * 3, Unit(each, {}), parts=3)
    assert [one.id for one in again] == [one.id for one in points]


def test_a_timer_scores_at_its_time():
    first, second, third = run([user()], Unit(Later, {}), tick=START + 9 * SECOND)[0]
    assert {one.time for one in (first, second, third)} == {START + 5 * SECOND}
    assert len({one.id for one in (first, second, third)}) == 3
    assert document(second)["pluginhost"]["score"] == {"value": 2.0, "of": "b"}
    assert document(second)["user"] == {"name": "alice"}


def test_any_cut_of_the_records_gives_the_same_scores():
    records = [user(f"u{n % 7}") for n in range(100)]
    whole = [(one.id, one.document) for one in run(records, Unit(counted, {}), Unit(each, {}))[0]]
    for parts in (2, 7, 100):
        assert [(one.id, one.document) for one in run(records, Unit(counted, {}), Unit(each, {}), parts=parts)[0]] == whole


@pytest.mark.parametrize("wrong", [
    {"value": float("nan")}, {"value": None}, {"value": "7"}, {"value": True}, {"value": 1, "threshold": float("inf")},
    {"value": 1, "at": -1}, {"value": 1, "at": 1 << 63}, {"value": 1, "span": "1m"}, {"value": 1, "parts": {"a": None}},
    {"value": 1, "parts": dict.fromkeys(map(str, range(33)), 1)},
])  # fmt: skip
def test_what_is_no_score_is_the_authors_mistake(wrong):
    with pytest.raises(ValueError, match="score"):
        Scored(**wrong)


def test_odd_entities_hurt_nobody():
    odd = {"source.ip": None, "host": "x", "host.name": 7, "event.kind": "alert", "pluginhost.score": 1, "a..b": {}, "x" * 9000: [1, {}],
           "user.target.name": "\ud800"}  # fmt: skip

    @analyzer(key="user.name")
    def odd_one(event):
        """Odd."""
        return Scored(1.0, at=START, entity=odd, expected="\ud800", actual="x" * 100_000)

    ((point,), _) = run([user()], Unit(odd_one, {}))
    made = document(point)
    assert (made["event"]["kind"], made["pluginhost"]["score"]["value"], made["host"]["name"]) == ("metric", 1.0, 7)
    assert len(made["pluginhost"]["score"]["actual_value"]) == 1024


# --- what the shipped analyzers write


def shipped(file, name, records, every=SECOND, **options):
    (found,) = (one for one in load(bundle(shipped_analyzers() / f"{file}.py")) if one.name == name)
    given = {**options, "use": name} if found.declared.template else options
    points, findings = run(records, used(found, name, given, "", {}), every=every)
    return [document(one) for one in points], findings


def test_numbers_and_rare_values_have_the_highest_score_of_each_interval():
    cpu = [{"host": {"name": "web1"}, "cpu": 0.9 if n == 70 else 0.2 + 0.01 * (n % 3)} for n in range(200)]
    points, findings = shipped("numeric_anomaly", "numeric_anomaly", cpu, key="host.name", field="cpu", interval="10s")
    assert [one["@timestamp"][17:19] for one in points] == ["00", "10", "20", "30", "40", "50"] * 3 + ["00"]
    assert len(findings) == 1
    (high,) = [one for one in points if one["pluginhost"]["score"]["grade"]]
    assert high["@timestamp"] == "2026-01-01T00:01:10.000Z"
    assert (high["pluginhost"]["score"]["actual"], high["host"]["name"]) == (0.9, "web1")

    methods = [{"host": {"name": "web1"}, "method": "TRACE" if n == 150 else ("GET", "GET", "POST")[n % 3]} for n in range(200)]
    points, findings = shipped("rare_value", "rare_value", methods, key="host.name", field="method", threshold=6, warmup=100,
                               interval="10s")  # fmt: skip
    assert (len(points), len(findings)) == (19, 1)
    assert [one["pluginhost"]["score"]["actual_value"] for one in points if one["pluginhost"]["score"]["grade"]] == ["TRACE"]


def test_counts_have_a_score_for_each_interval():
    logins = [{"host": {"name": "web1"}}] * 205
    points, _ = shipped("count_anomaly", "count_anomaly", logins, key="host.name", interval="10s", model="ewma", delay=0)
    assert len(points) == 20
    assert {one["pluginhost"]["score"]["actual"] for one in points[1:]} == {10.0}
    assert {one["event"]["duration"] for one in points} == {10 * SECOND}


def test_the_firewall_has_its_counts_as_parts():
    requests = [{"action": "BLOCK" if n > 1150 else "ALLOW", "httpSourceName": "CF", "httpStatus": "200",
                 "httpRequest": {"httpMethod": "GET", "country": "US"}} for n in range(1300)]  # fmt: skip
    points, findings = shipped("waf", "waf", requests, every=3 * SECOND)
    assert len(points) == 64
    calm, loud = points[0]["pluginhost"]["score"], points[60]["pluginhost"]["score"]
    assert calm["parts"] == {"unusual_action": 0, "usual_action": 20, "unusual_source": 0, "usual_source": 20, "unusual_status": 0,
                             "usual_status": 20, "unusual_country": 0, "usual_country": 20, "unusual_method": 0, "usual_method": 20}
    assert (loud["parts"]["unusual_action"], loud["grade"]) == (20, 1.0)
    assert [one["pluginhost"]["score"]["grade"] > 0 for one in points].count(True) == len(findings)


def test_the_busiest_address_of_each_minute_is_told():
    ask = {"event": {"category": ["web"], "type": ["access"]}, "url": {"path": "/"}}
    others = [{**ask, "source": {"ip": f"198.51.100.{n % 8}"}} for n in range(60)]
    points, findings = shipped("web_rates", "web_outlier", [*others, *[{**ask, "source": {"ip": "203.0.113.9"}}] * 120], least=5)
    assert len(findings) == 1
    assert [(one["source"]["ip"], one["pluginhost"]["score"]["threshold"]) for one in points] == [
        ("198.51.100.0", 5.0), ("203.0.113.9", 5.0)]  # fmt: skip
