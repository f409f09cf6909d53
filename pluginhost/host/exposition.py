"""Every metric that a host tells, declared once, and samples of them → the text that Prometheus reads.

Names follow Vector's component specification where it has one. What a sample's value is comes from `measures`; nothing here knows a
host. Counters are plain ints in their parts and are read when somebody asks: on the record path nothing of this runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

__all__ = ["METRICS", "Metric", "Sample", "exposed"]

_COMPONENT = ("component_kind", "component_type", "component_id")


class Metric(msgspec.Struct, frozen=True):
    """One declared metric. A counter's name ends in `_total`."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """A value of a metric, with a value for each of its labels in their order."""

    name: str
    labels: tuple[str, ...]
    value: float


def _counter(name: str, help_: str, *labels: str) -> Metric:
    return Metric(f"pluginhost_{name}_total", "counter", help_, labels)


def _gauge(name: str, help_: str, *labels: str) -> Metric:
    return Metric(f"pluginhost_{name}", "gauge", help_, labels)


METRICS: Mapping[str, Metric] = {one.name: one for one in (
    _counter("component_received_events", "Records that an input acknowledged, or that an analyzer was given.", *_COMPONENT),
    _counter("component_received_bytes", "Bytes of the bodies that an input acknowledged, as received.", *_COMPONENT),
    _counter("component_sent_events", "Findings of an analyzer, or alerts that an output delivered.", *_COMPONENT),
    _counter("component_sent_bytes", "Bytes that an output sent, attempts that failed included.", *_COMPONENT),
    _counter("component_errors", "What went wrong at a component; stage is receiving, processing or sending.",
             *_COMPONENT, "stage", "error_type"),
    _counter("component_discarded_events", "What went no further: by intention (sent twice, our own coming back), or as a dead letter "
             "(of an input: parts, for broken records side by side count as one).", *_COMPONENT, "intentional"),
    _gauge("buffer_events", "What waits in a buffer: rows of the journal that are not analysed, alerts that an output has not delivered.",
           *_COMPONENT),
    _gauge("buffer_bytes", "Bytes that a buffer takes on the disk.", *_COMPONENT),
    _gauge("buffer_max_bytes", "Bytes at which a buffer is full and senders are told to wait.", *_COMPONENT),
    _gauge("buffer_oldest_seconds", "Age of the oldest thing that waits in a buffer; 0 if nothing does.", *_COMPONENT),
    _gauge("output_up", "1 while the output's last attempt did not fail.", "component_id"),
    _counter("analyzer_cpu_seconds", "Processor seconds of an analyzer, estimated from samples.", "analyzer"),
    _gauge("analyzer_keys", "Keys that an analyzer remembers.", "analyzer"),
    _counter("analyzer_evicted_keys", "Keys that made room for others because the analyzer's bound was reached.", "analyzer"),
    _counter("analyzer_unkeyed_events", "Records that an analyzer could not judge for want of its key.", "analyzer"),
    _counter("analyzer_unjudged_events", "Records that an analyzer was given and could not judge.", "analyzer", "reason"),
    _gauge("analyzer_quarantined", "1 while an analyzer is kept from judging records.", "analyzer"),
    _counter("desk_suppressed", "Alerts that were told to nobody, kept with their reasons."),
    _counter("risks_evicted", "Users, hosts and addresses whose risk made room for others."),
    _counter("quarantines", "Times an analyzer went into quarantine."),
    _counter("slow_rows", "Rows that an analyzer took too long over."),
    _counter("pressure", "Times it was told that an analyzer's keys run short."),
    _gauge("analyzer_problem", "1 while an analyzer's file has a problem, so that older sources run.", "analyzer"),
    _gauge("generation", "The generation of analyzers that runs."),
    _gauge("generation_problems", "Analyzer files with a problem."),
    _gauge("journal_start_row", "First row that the journal holds."),
    _gauge("journal_end_row", "Row that the journal takes next."),
    _gauge("journal_analysed_row", "First row that is not analysed and committed."),
    _counter("journal_rows", "Rows made durable since the start."),
    _counter("journal_records", "Records made durable since the start."),
    _counter("journal_bytes", "Bytes of bodies made durable since the start."),
    _counter("journal_syncs", "Times the journal was synced to the disk."),
    _counter("journal_refused", "Times a sender was told to wait because journal or queue were full."),
    _counter("journal_failed", "Times the journal could not be written."),
    _gauge("journal_torn_bytes", "Bytes of a batch cut short by a crash, never acknowledged, that were cut off at the start."),
    _gauge("worker_up", "1 while the worker's process runs.", "worker"),
    _counter("worker_records", "Records that a worker's process was given and has reported, since it started.", "worker"),
    _counter("worker_restarts", "Times a worker's process was replaced.", "worker"),
    _gauge("worker_lag_rows", "Rows of the journal that a worker has not reported.", "worker"),
    _gauge("worker_checkpoint_lag_rows", "Rows that a worker would go through again after a crash.", "worker"),
    _counter("worker_cpu_seconds", "Processor seconds of a worker's process.", "worker"),
    _gauge("worker_resident_memory_bytes", "Memory of a worker's process.", "worker"),
    _counter("desk_findings", "Findings that the alert desk took."),
    _counter("desk_alerts", "Alerts stored."),
    _counter("desk_known", "Findings that were stored before, made again by a replay or from an equal record."),
    _counter("desk_chained", "Chained records that analyzers made."),
    _counter("desk_postponed", "Times alerts could not be stored and were held until they could."),
    _counter("desk_pushed_back", "Times the desk waited because an output's buffer was full."),
    _counter("desk_overflowed", "Alerts that became dead letters because an output's buffer was full."),
    _counter("scores", "Scores that were taken, once for each output that takes such."),
    _counter("scores_dropped", "Scores that were not written; reason is minute (more of an analyzer than may be), buffer (the output is "
             "too far behind) or age (they waited too long).", "reason"),
    _counter("dead_letters", "Parts of what was received that became dead letters since the start."),
    _gauge("dead_letters_held", "Dead letters that are kept."),
    _gauge("dead_letters_held_bytes", "Bytes of the dead letters that are kept."),
    _counter("dead_letters_dropped", "Dead letters that made room for others, ever since the data folder exists."),
    _counter("duplicate_chunks", "Chunks that were sent again and taken once."),
    _counter("loop_events", "Records refused because they were our own coming back."),
    _gauge("ready", "1 while `/readyz` says yes."),
    _gauge("uptime_seconds", "Seconds since the host started."),
    _gauge("build_info", "Always 1.", "version", "python_version"),
    Metric("process_cpu_seconds_total", "counter", "Processor seconds of the host's own process."),
    Metric("process_resident_memory_bytes", "gauge", "Memory of the host's own process."),
    Metric("process_open_fds", "gauge", "Files and sockets that the host has open."),
    Metric("process_max_fds", "gauge", "Files and sockets that the host may open."),
    Metric("process_start_time_seconds", "gauge", "When the host's process started, as a Unix time."),
)}  # fmt: skip
"""Every metric by name, in the order they are told."""


def exposed(samples: Iterable[Sample], accept: str = "") -> tuple[bytes, str]:
    """The samples as text, and its content type: OpenMetrics if `accept` asks for it. `KeyError` for an undeclared metric."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(samples))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


class _Samples(Collector):
    """Samples as one collector; a metric without samples is left out."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Family]:
        families: dict[str, Family] = {}
        for name, labels, value in self._samples:
            if name not in families:
                families[name] = _family(METRICS[name])
            families[name].add_metric(labels, value)  # type: ignore[attr-defined]  # both kinds have it
        yield from (families[name] for name in METRICS if name in families)


def _family(one: Metric) -> Family:
    kind = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
    return kind(one.name, one.help, labels=one.labels)
