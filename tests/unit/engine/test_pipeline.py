"""The contract of `Pipeline.run`: findings by offset, chained records, tables, changed state, timers; nothing else."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost.alerts.ids import chained_id, event_id, record_id, timer_event_id
from pluginhost.detect.declaration import analyzer
from pluginhost.detect.finding import Alert, Derived
from pluginhost.detect.seen import FirstSeen
from pluginhost.detect.table import Table
from pluginhost.detect.timers import Timers
from pluginhost.detect.windows import SlidingCount
from pluginhost.engine.gate import START, rows
from pluginhost.engine.items import TableUpdate, Tick
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import slices
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit
from pluginhost.events.keys import key_bytes
from pluginhost.events.mapping import Mappings
from pluginhost.events.slice import Batch, Slice

SECOND = 1_000_000_000
MAPPINGS = Mappings()


@pytest.fixture(autouse=True, params=["plain", "written"])
def way(request, monkeypatch):
    """Every test runs both ways: record by record, and by the function that is written for a tag's records."""
    if request.param == "written":
        run = Pipeline.run
        monkeypatch.setattr(Pipeline, "run", lambda self, state, items: run(self, state, [batch(one) for one in items]))


def batch(one):
    """A slice as a batch of one."""
    if not isinstance(one, Slice):
        return one
    return Batch(one.offset, one.arrival, one.time, one.tag, one.codec, one.input, one.source, one.raw, [0], [len(one.raw)], [one.time],
                 [one.index], None, None, one.id, one.hop)  # fmt: skip


def feed(records, *, offset=0, every=SECOND, tag="t", start=START):
    row = rows(records, start, every, tag)
    row.offset = offset
    return slices(row)


def pipeline(*analyzers, shard=0, shards=1):
    return Pipeline([Unit(one, {}) for one in analyzers], MAPPINGS, shard=shard, shards=shards)


def changes(state):
    """What changed and what was removed since this was last asked."""
    parts = list(state.changes())
    state.settled(written=True)
    return [one for changed, _ in parts for one in changed], [one for _, removed in parts for one in removed]


@analyzer(key="ip")
def third(event, seen: SlidingCount = SlidingCount("10s")):
    """Three within ten seconds."""
    return Alert("low", f"third of {event['ip']}") if seen.add(event) == 3 else None


def test_a_finding_carries_its_place_id_and_document():
    slices = feed([{"ip": "a"}] * 3, offset=7)
    (finding,) = pipeline(third).run(ShardState(), slices).findings
    last = slices[2]
    assert (finding.offset, finding.index, finding.analyzer, finding.n) == (7, 2, "third", 0)
    assert finding.id == event_id("third", b"s\x00\x00\x00\x01a", record_id(last.tag, last.time, last.raw), 0)
    document = msgspec.json.decode(finding.document)
    assert document["pluginhost"]["alert"]["count"] == 3
    assert document["event"]["start"] == "2026-01-01T00:00:00.000Z"
    assert document["event"]["end"] == document["@timestamp"] == "2026-01-01T00:00:02.000Z"
    assert document["pluginhost"]["record"] == {"ip": "a"}


def test_each_key_has_its_own_state_and_what_changed_is_told():
    state = ShardState()
    result = pipeline(third).run(state, feed([{"ip": "a"}, {"ip": "b"}, {"ip": "a"}, {"nothing": 1}, {"ip": None}]))
    changed, removed = changes(state)
    assert result.findings == removed == []
    assert [(name, key) for name, key, _, _ in changed] == [("third", b"s\x00\x00\x00\x01a"), ("third", b"s\x00\x00\x00\x01b")]
    assert changes(state) == ([], [])


def test_records_without_the_key_are_counted_not_judged():
    unit = Unit(third, {})
    Pipeline([unit], MAPPINGS).run(ShardState(), feed([{"ip": "a"}, {"x": 1}, {"ip": None}, {"ip": []}, {"ip": ["a", "b"]}, {"ip": ["a"]}]))
    assert (unit.seen, unit.unkeyed) == (2, 4)


def test_one_that_raises_hurts_only_itself():
    @analyzer
    def broken(event):
        return Alert("low", event["missing"])

    slices = feed([{"ip": "a"}] * 3)
    result = pipeline(broken, third).run(ShardState(), slices)
    assert [one.analyzer for one in result.findings] == ["third"]
    assert result.failures[0].analyzer == "broken"
    assert "missing" in result.failures[0].error


@pytest.mark.parametrize("given", [True, "alert", [Alert("low", "x"), 7], ({"severity": "low"},), 1.5])
def test_nonsense_is_a_failure_and_gives_nothing(given):
    @analyzer
    def nonsense(event):
        return given

    result = pipeline(nonsense).run(ShardState(), feed([{"a": 1}]))
    assert result.findings == []
    assert "expected Alert, Resolved, Derived, Scored, Unjudged or None" in result.failures[0].error


def test_an_endless_generator_is_stopped():
    @analyzer
    def endless(event):
        while True:
            yield Alert("low", "again")

    result = pipeline(endless).run(ShardState(), feed([{"a": 1}]))
    assert result.findings == []
    assert "more than 1000" in result.failures[0].error


def test_several_alerts_of_one_call_differ_in_n_and_id():
    @analyzer
    def twice(event):
        return [Alert("low", "one"), None, Alert("high", "two")]

    found = pipeline(twice).run(ShardState(), feed([{"a": 1}])).findings
    assert [(one.n, one.severity) for one in found] == [(0, "low"), (1, "high")]
    assert found[0].id != found[1].id


def test_a_derived_record_has_an_id_from_its_parent_and_a_hop():
    @analyzer
    def derive(event):
        return Derived("made", {"user": event["user"], "n": 1})

    slices = feed([{"user": "alice"}], offset=3)
    (made,) = pipeline(derive).run(ShardState(), slices).chained
    parent = record_id("t", slices[0].time, slices[0].raw)
    assert (made.offset, made.id, made.tag, made.time, made.hop) == (3, chained_id(parent, "derive", 0), "made", slices[0].time, 1)
    assert msgspec.msgpack.decode(made.raw) == {"user": "alice", "n": 1}


def test_the_fifth_derivation_is_refused():
    @analyzer
    def derive(event):
        return Derived("made", {})

    (slice_,) = feed([{}])
    slice_.id, slice_.hop = "x", 4
    result = pipeline(derive).run(ShardState(), [slice_])
    assert result.chained == []
    assert "5 times in a row" in result.failures[0].error


@analyzer(key="user")
class Silence:
    """Nobody heard of the user for a minute."""

    timers: Timers = Timers()
    seen: FirstSeen = FirstSeen("1d")

    def on_event(self, event):
        self.timers.set("quiet", event.time + 60 * SECOND)

    def on_timer(self, timer):
        return Alert("medium", f"quiet since {(timer.due - 60 * SECOND - START) // SECOND}")


def tick(seconds, offset=99):
    return Tick(offset, START + seconds * SECOND, START + seconds * SECOND)


def test_timers_fire_at_ticks_only_in_order_of_time_and_once():
    state, run = ShardState(), pipeline(Silence)
    first = run.run(state, [*feed([{"user": "b"}, {"user": "a"}]), tick(59)])
    assert first.findings == []
    found = run.run(state, [tick(300), tick(400)]).findings
    assert [(one.message, one.index) for one in found] == [("quiet since 0", 0), ("quiet since 1", 1)]
    key = b"s\x00\x00\x00\x01b"
    assert found[0].id == timer_event_id("silence", key, "quiet", START + 60 * SECOND, 0)
    assert "record" not in msgspec.json.decode(found[0].document)["pluginhost"]


def test_a_timer_that_was_moved_fires_at_its_new_time_only():
    state, run = ShardState(), pipeline(Silence)
    run.run(state, feed([{"user": "a"}, {"user": "a"}], every=30 * SECOND))
    assert run.run(state, [tick(61)]).findings == []
    (found,) = run.run(state, [tick(90)]).findings
    assert found.message == "quiet since 30"


def test_a_table_is_seen_from_the_next_tick_on_and_expires():
    @analyzer(where="bad:true")
    def publish(event, listed: Table = Table("listed", expire="10s")):
        listed.put(event["ip"], {"why": 1})

    @analyzer
    def read(event, listed: Table = Table("listed")):
        return Alert("low", str(listed.get(event["ip"], event)))

    state, run = ShardState(), pipeline(publish, read)
    result = run.run(state, feed([{"ip": "a", "bad": True}]))
    (update,) = result.tables
    assert (update.table, update.key, update.value, update.expires) == ("listed", "a", {"why": 1}, START + 10 * SECOND)
    before = run.run(state, [update, *feed([{"ip": "a"}], offset=1)])
    after = run.run(state, [tick(1), *feed([{"ip": "a"}], offset=2), tick(10), *feed([{"ip": "a"}], offset=4)])
    assert [one.message for one in (*before.findings, *after.findings)] == ["None", "{'why': 1}", "None"]


def test_the_key_idle_longest_goes_when_there_are_too_many():
    @analyzer(key="ip", keys=2)
    def few(event, seen: SlidingCount = SlidingCount("1h")):
        return Alert("low", "second") if seen.add(event) == 2 else None

    unit, state = Unit(few, {}), ShardState()
    found = [Pipeline([unit], MAPPINGS).run(state, feed([{"ip": ip}], offset=n, start=START + n)).findings
             for n, ip in enumerate(("b", "a", "b", "c", "a"))]  # fmt: skip
    assert [len(one) for one in found] == [0, 0, 1, 0, 0]  # a had gone when it came again
    assert (unit.evicted, len(state.memories["few"].cells)) == (2, 2)


def test_state_that_outlived_itself_is_forgotten():
    hour = 3600 * SECOND
    state, run = ShardState(), pipeline(third)
    run.run(state, feed([{"ip": "a"}, {"ip": "b"}]))
    changes(state)
    run.run(state, feed([{"ip": "c"}, {"ip": "d"}], start=START + 3 * hour))
    assert len(state.memories["third"].cells) == 2
    assert sorted(key for _, key in changes(state)[1]) == [b"s\x00\x00\x00\x01a", b"s\x00\x00\x00\x01b"]


def test_tags_choose_by_glob():
    @analyzer(tags=["auth.*", "app"])
    def tagged(event):
        return Alert("low", event.tag)

    run = pipeline(tagged)
    found = [one.message for tag in ("auth.ssh", "app", "apps", "x.auth.y") for one in run.run(ShardState(), feed([{}], tag=tag)).findings]
    assert found == ["auth.ssh", "app"]


def test_a_pinned_one_keeps_one_state_in_one_shard():
    @analyzer(pinned=True)
    def total(event, seen: SlidingCount = SlidingCount("1h")):
        return Alert("low", f"{seen.add(event)}")

    found = [[one.message for one in pipeline(total, shard=shard, shards=4).run(ShardState(), feed([{"a": n} for n in range(3)])).findings]
             for shard in range(4)]  # fmt: skip
    assert sorted(found) == [[], [], [], ["1", "2", "3"]]


def test_an_update_of_a_table_is_journalled_with_an_id_of_its_own():
    @analyzer
    def publish(event, one: Table = Table("one")):
        one.put("k", 1)
        one.put("k", 2)

    updates = pipeline(publish).run(ShardState(), feed([{}], offset=5)).tables
    assert [(update.value, update.offset) for update in updates] == [(1, 5), (2, 5)]
    assert len({update.id for update in updates}) == 2
    assert all(isinstance(update, TableUpdate) for update in updates)


def test_key_bytes_are_what_groups_are_made_of():
    (slice_,) = feed([{"ip": "a", "port": 22.0}])
    from pluginhost.events.event import Event

    assert key_bytes(Event(slice_, MAPPINGS), ("ip", "port")) == b"s\x00\x00\x00\x01ai\x00\x00\x00\x0222"


def test_a_timer_that_every_event_moves_on_is_noted_once():
    state, run = ShardState(), pipeline(Silence)
    run.run(state, feed([{"user": "a"}] * 1000, every=SECOND // 10))
    assert len(state._due) == 1
    (found,) = run.run(state, [tick(300)]).findings
    assert found.time == START + 999 * SECOND // 10 + 60 * SECOND


def test_a_timer_that_sets_itself_again_in_the_past_waits_for_the_next_tick():
    @analyzer(key="user")
    class Again:
        timers: Timers = Timers()

        def on_event(self, event):
            self.timers.set("t", event.time)

        def on_timer(self, timer):
            self.timers.set("t", timer.due)
            return Alert("low", "again")

    state, run = ShardState(), pipeline(Again)
    run.run(state, feed([{"user": "a"}]))
    assert [len(run.run(state, [tick(at)]).findings) for at in (1, 2, 3)] == [1, 1, 1]


class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no")


def says(event):
    return Alert("low", "a\ud800b")


def derives_nowhen(event):
    return Derived("t", {}, time="now")


def derives_odd_tag(event):
    return Derived("\ud800", {})


def raises_unspeakably(event):
    raise Unspeakable


def raises_a_surrogate(event):
    raise ValueError("\udcff")


@pytest.mark.parametrize("body", [says, derives_nowhen, derives_odd_tag, raises_unspeakably, raises_a_surrogate])
def test_what_cannot_travel_as_it_is_harms_nobody(body):
    result = pipeline(analyzer(body), third).run(ShardState(), feed([{"ip": "a"}] * 3))
    msgspec.msgpack.encode(result)  # this is how it goes to the host
    assert [one.analyzer for one in result.findings if one.analyzer == "third"] == ["third"]
    assert len(result.failures) + len(result.findings) + len(result.chained) >= 2
