"""What a host tells of itself: which samples make which number, and that nothing counted is told twice or lost."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from pluginhost.alerts.desk import Policy
from pluginhost.alerts.scores import Health, health_identity
from pluginhost.host.exposition import METRICS, Sample
from pluginhost.host.health import health, tell_health
from pluginhost.store.alerts import AlertStore

SPAN = 20 * 10**6
INPUT, OUTPUT, PYTHON, JOURNAL = (("input", "http", "http"), ("output", "file", "file"), ("analyzer", "python", "brute"),
                                  ("journal", "journal", "journal"))  # fmt: skip
SAMPLES = {
    ("component_received_events_total", INPUT): 100, ("component_received_events_total", ("input", "grpc", "grpc")): 20,
    ("component_received_events_total", PYTHON): 7000, ("desk_alerts_total", ()): 9, ("desk_suppressed_total", ()): 2,
    ("dead_letters_total", ()): 3, ("desk_overflowed_total", ()): 4, ("component_discarded_events_total", (*OUTPUT, "false")): 5,
    ("component_discarded_events_total", (*INPUT, "false")): 1000, ("component_discarded_events_total", (*OUTPUT, "true")): 1000,
    ("component_errors_total", (*OUTPUT, "sending", "unreachable")): 6, ("component_errors_total", (*PYTHON, "processing", "raised")): 1,
    ("component_errors_total", (*OUTPUT, "sending", "expired")): 10, ("worker_restarts_total", ("0",)): 2,
    ("buffer_events", JOURNAL): 11, ("buffer_events", OUTPUT): 12, ("buffer_events", ("output", "notify", "jira")): 1,
    ("buffer_oldest_seconds", JOURNAL): 1.5, ("buffer_oldest_seconds", OUTPUT): 90.25,
    ("buffer_oldest_seconds", ("output", "notify", "jira")): 7.0, ("analyzer_quarantined", ("brute",)): True,
    ("analyzer_quarantined", ("other",)): False, ("process_resident_memory_bytes", ()): 100 << 20,
    ("worker_resident_memory_bytes", ("0",)): 50 << 20, ("worker_resident_memory_bytes", ("1",)): 50 << 20,
}  # fmt: skip


def told(values):
    return [Sample(name if name in METRICS else f"pluginhost_{name}", labels, value) for (name, labels), value in values.items()]


def test_each_number_is_made_of_its_samples():
    assert {one.name for one in told(SAMPLES)} <= METRICS.keys()
    assert health(told(SAMPLES), {}) == Health(
        records=120, alerts=9, suppressed=2, dead_letters=3 + 4 + 5 + 10, errors=6 + 1 + 10 + 2, journal_rows=11, journal_age=1.5,
        undelivered=13, undelivered_age=90.25, quarantined=1, memory=200 << 20,
    )  # fmt: skip
    assert health([], {}) == Health()


def test_of_totals_only_what_was_added_counts():
    before = {(one.name, one.labels): one.value for one in told(SAMPLES)}
    now = {**SAMPLES, ("component_received_events_total", INPUT): 150, ("desk_alerts_total", ()): 4}
    assert health(told(now), before) == Health(records=50, journal_rows=11, journal_age=1.5, undelivered=13, undelivered_age=90.25,
                                               quarantined=1, memory=200 << 20)  # fmt: skip


class Host:
    """What is asked of a host: a real store, and samples that grow. The writes numbered in `fails` find the disk full."""

    def __init__(self, folder, fails=()):
        self.store = AlertStore(folder / "alerts.db", clock=lambda: 1)
        self.measures = self.desk = self.beside = self.ballast = self
        self.policy, self.configured = Policy(trends=("es",), per_minute=10), SimpleNamespace(hostname="sidecar-1")
        self.records, self.writes, self.fails, self.hits, self.woken = 0, 0, fails, [], asyncio.Event()
        self.gone = False

    async def take(self):
        self.records += 10
        values = {("component_received_events_total", INPUT): self.records}
        return told(values if self.writes % 2 else values | {("component_errors_total", (*PYTHON, "processing", "raised")): 3})

    async def within(self, work, *given):
        self.writes += 1
        if self.writes in self.fails:
            raise OSError(28, "no space left on device")
        return work(*given)

    def hit(self, error):
        self.hits.append(error.errno)

    def wake(self):
        self.woken.set()

    def documents(self):
        return [(row.id, json.loads(row.document)) for row in self.store.scores.due("es", 1 << 62, 100)]


def lived(host, documents):
    """Lets the host tell so many; the clock goes on by spans, and a little more, whenever it is asked."""
    now = [1_800_000_000 * 10**9]

    def clock():
        now[0] += SPAN // 2 + 7
        return now[0]

    async def go():
        task = asyncio.ensure_future(tell_health(host, clock, SPAN))
        for _ in range(documents):
            await asyncio.wait_for(host.woken.wait(), 10)
            host.woken.clear()
        task.cancel()

    asyncio.run(go())
    return [(name, one["pluginhost"]["health"]) for name, one in host.documents()]


@pytest.mark.parametrize(("fails", "records"), [((), [10, 10, 10]), ((1, 2), [30, 10, 10]), ((2,), [10, 20, 10])])
def test_what_no_disk_took_is_told_with_the_next_and_nothing_twice(tmp_path, fails, records):
    host = Host(tmp_path, fails)
    found = lived(host, 3)
    assert [one["records"] for _, one in found] == records
    assert sum(one["errors"] for _, one in found) == 3  # though the analyzer was away in between, its count was not forgotten
    assert host.hits == [28] * len(fails)
    assert host.store.scores.counts["taken"] == 3


def test_each_span_has_its_own_document(tmp_path):
    host = Host(tmp_path)
    lived(host, 3)
    ends = [one["event"]["end"] for _, one in host.documents()]
    assert len(set(ends)) == 3
    assert [name for name, _ in host.documents()] == [health_identity("sidecar-1", 1_800_000_000 * 10**9 + n * SPAN) for n in (1, 2, 3)]
