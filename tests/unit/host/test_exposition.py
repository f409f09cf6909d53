"""Samples → text that Prometheus takes; counters of analyzers that never go back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from promtool import promtool

from pluginhost.engine.link import UnitCounts
from pluginhost.host.exposition import METRICS, Sample, exposed
from pluginhost.host.measures import DOOR, Measures, Tally, count_in
from pluginhost.metrics import Counts
from pluginhost.store.row import Kind, Row
from pluginhost.wire.chunk import Chunk, Columns, Rejection


def counts(seen, fired=0, failed=0, unkeyed=0, evicted=0, keys=0):
    return UnitCounts(seen, fired, failed, unkeyed, evicted, keys)


class TestText:
    def test_a_sample_is_told_with_its_help_and_type(self):
        text, kind = exposed([Sample("pluginhost_generation", (), 3)])
        assert text.decode().splitlines() == [
            f"# HELP pluginhost_generation {METRICS['pluginhost_generation'].help}", "# TYPE pluginhost_generation gauge",
            "pluginhost_generation 3.0",
        ]  # fmt: skip
        assert kind.startswith("text/plain; version=0.0.4")

    def test_names_that_people_chose_cannot_break_a_line(self):
        text, _ = exposed([Sample("pluginhost_output_up", ('a"b\\c\nd',), 1)])
        assert text.decode().splitlines()[-1] == r'pluginhost_output_up{component_id="a\"b\\c\nd"} 1.0'

    def test_openmetrics_is_told_to_who_asks_for_it(self):
        text, kind = exposed([Sample("pluginhost_desk_alerts_total", (), 1)], "application/openmetrics-text; version=1.0.0")
        assert text.endswith(b"pluginhost_desk_alerts_total 1.0\n# EOF\n")
        assert kind.startswith("application/openmetrics-text")

    def test_a_metric_that_nobody_declared_is_a_mistake(self):
        with pytest.raises(KeyError):
            exposed([Sample("pluginhost_no_such_thing", (), 1)])

    def test_promtool_finds_nothing_to_say_about_any_metric(self):
        text, _ = exposed([Sample(one.name, tuple(f"v{n}" for n in range(len(one.labels))), 1) for one in METRICS.values()])
        assert promtool("check", "metrics", text=text.decode()) == (0, "")

    @pytest.mark.parametrize("one", METRICS.values(), ids=METRICS)
    def test_names_say_what_they_are(self, one):
        assert one.name.endswith("_total") == (one.kind == "counter")
        assert one.name.startswith(("pluginhost_", "process_"))
        assert one.help.endswith(".")
        assert "\n" not in one.help


class TestTally:
    def test_what_a_worker_counts_is_told(self):
        tally = Tally()
        tally.take(0, {"a": counts(3, fired=1)})
        tally.take(0, {"a": counts(5, fired=2, evicted=7)})
        assert tally.totals == {"a": (5, 2, 0, 0, 7)}

    def test_workers_add_up(self):
        tally = Tally()
        tally.take(0, {"a": counts(3)})
        tally.take(1, {"a": counts(4, unkeyed=1)})
        assert tally.totals["a"] == (7, 0, 0, 1, 0)

    def test_a_swap_that_begins_at_zero_does_not_take_anything_back(self):
        tally = Tally()
        tally.take(0, {"a": counts(10, failed=2)})
        tally.take(0, {"a": counts(4)})
        assert tally.totals["a"] == (14, 0, 2, 0, 0)

    def test_a_new_process_that_has_already_counted_more_is_not_taken_for_the_old_one(self):
        tally = Tally()
        tally.take(0, {"a": counts(10)})
        tally.restarted(0)
        tally.take(0, {"a": counts(12)})
        assert tally.totals["a"][0] == 22


    def test_what_the_old_process_said_last_is_counted_once(self):
        worker = SimpleNamespace(shard=0, units={"a": counts(10)})
        measures = Measures(SimpleNamespace(), clock=lambda: 0)
        measures.restarted(worker)
        measures.restarted(worker)  # before the new one has said anything
        assert measures._tally.totals["a"] == (10, 0, 0, 0, 0)


def taken(count, rejected=(), offset=0, tag="t"):
    parts = tuple(Rejection(one, 0, 1) for one in rejected)
    chunk = Chunk(tag, "msgpack", b"12345", b"12345", Columns.of([(0, 1)] * count), rejected=parts)
    return chunk, Row(Kind.RECORDS, b"12345", offset=offset, count=count)


class TestCountIn:
    def test_what_was_stored(self):
        door = Counts(*DOOR)
        count_in(door, *taken(3, ["cut_off", "garbage", "cut_off"]))
        assert door == {"chunks": 1, "records": 3, "bytes": 5, "loops": 0, "duplicates": 0, "rejected_cut_off": 2, "rejected_garbage": 1}

    def test_what_was_known_already(self):
        door = Counts(*DOOR)
        count_in(door, *taken(3, ["cut_off"], offset=-1))
        assert door == {"chunks": 1, "records": 3, "bytes": 5, "loops": 0, "duplicates": 3}

    def test_what_went_in_a_circle(self):
        door = Counts(*DOOR)
        chunk, _ = taken(3)
        count_in(door, chunk, None)
        count_in(door, chunk, Row(Kind.RECORDS, b"", offset=1, count=1))
        assert (door["records"], door["loops"]) == (6, 5)
