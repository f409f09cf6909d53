"""A host → the samples of its metrics, read from its parts' counters when somebody asks.

What must be asked of the database is asked in the desk's thread, with little patience: while that is stuck the last known numbers
are told, for a host in trouble is what one wants to look at. Names and meanings are declared in `exposition`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector

from .. import __version__
from ..engine.link import UnitCounts
from ..metrics import Counts
from ..store.archive import LetterTotals
from ..store.row import Row
from ..wire.chunk import Chunk
from .exposition import METRICS, Sample

if TYPE_CHECKING:
    from ..engine.shards import Worker
    from .config import Part
    from .host import Host

__all__ = ["DOOR", "Measures", "Tally", "conditions", "count_in"]

DOOR = ("chunks", "records", "bytes", "loops", "duplicates")
"""What the host counts of each input, whatever its type; and `rejected_<reason>` for each reason that occurs."""

_PATIENCE = 1.0  # seconds for what the database is asked
_TICK, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
_REFUSALS = ("unreadable", "too_large", "unauthorized", "busy", "slow", "garbage", "poison", "refused", "junk", "stray", "bad_time",
             "bad_option", "half_frames", "busy_timeouts", "evicted", "forbidden", "handshakes_failed", "tls_failed")  # fmt: skip
_FAILURES = {"failures": "unreachable", "retried": "retried", "refused": "refused", "expired": "expired"}
_SENT = ("bytes", "request_bytes", "frame_bytes")  # what outputs call the bytes they sent
_COUNTED = {"pluginhost_journal_rows_total": ("journal", "rows"), "pluginhost_journal_records_total": ("journal", "records"),
         "pluginhost_journal_bytes_total": ("journal", "bytes"), "pluginhost_journal_syncs_total": ("journal", "syncs"),
         "pluginhost_journal_refused_total": ("journal", "refused"), "pluginhost_journal_failed_total": ("journal", "failed"),
         "pluginhost_desk_findings_total": ("desk", "findings"), "pluginhost_desk_alerts_total": ("desk", "alerts"),
         "pluginhost_desk_known_total": ("desk", "known"), "pluginhost_desk_chained_total": ("desk", "chained"),
         "pluginhost_desk_postponed_total": ("desk", "postponed"), "pluginhost_dead_letters_total": ("desk", "dead_letters"),
         "pluginhost_desk_suppressed_total": ("desk", "suppressed"), "pluginhost_risks_evicted_total": ("desk", "risks_evicted"),
         "pluginhost_desk_pushed_back_total": ("desk", "pushed_back"),
         "pluginhost_desk_overflowed_total": ("desk", "overflowed"),
         "pluginhost_quarantines_total": ("containment", "quarantined"), "pluginhost_slow_rows_total": ("containment", "slow"),
         "pluginhost_pressure_total": ("containment", "pressure"),
         "pluginhost_duplicate_chunks_total": ("duplicates", "duplicates"),
         "pluginhost_loop_events_total": ("guard", "loop_refused")}  # fmt: skip
Told = tuple[int, int, int, int, int]  # seen, fired, failed, unkeyed, evicted
_NOTHING: Told = (0, 0, 0, 0, 0)


class Tally:
    """Analyzers' counters that never go back: a worker's begin at zero with each process and each swap."""

    def __init__(self) -> None:
        self.totals: dict[str, Told] = {}
        self.unjudged: Counter[tuple[str, str]] = Counter()
        self._last: dict[tuple[int, str], Told] = {}
        self._last_unjudged: dict[tuple[int, str], Mapping[str, int]] = {}

    def take(self, worker: int, units: Mapping[str, UnitCounts]) -> None:
        """Adds what a worker has counted since it was last asked."""
        for name, one in units.items():
            now: Told = (one.seen, one.fired, one.failed, one.unkeyed, one.evicted)
            before = self._last.get((worker, name), _NOTHING)
            if any(new < old for new, old in zip(now, before, strict=True)):
                before = _NOTHING
            self.totals[name] = _sum(self.totals.get(name, _NOTHING), now, before)
            self._last[worker, name] = now
            known = self._last_unjudged.get((worker, name), {}) if before is not _NOTHING else {}
            self.unjudged.update({(name, reason): count - known.get(reason, 0) for reason, count in one.unjudged.items()})
            self._last_unjudged[worker, name] = one.unjudged

    def restarted(self, worker: int) -> None:
        """A new process of this worker counts from zero."""
        self._last = {key: told for key, told in self._last.items() if key[0] != worker}
        self._last_unjudged = {key: told for key, told in self._last_unjudged.items() if key[0] != worker}


def _sum(total: Told, now: Told, before: Told) -> Told:
    seen, fired, failed, unkeyed, evicted = (a + b - c for a, b, c in zip(total, now, before, strict=True))
    return seen, fired, failed, unkeyed, evicted


class Measures:
    """Samples of one host; `clock` gives ns."""

    def __init__(self, host: Host, clock: Callable[[], int]) -> None:
        self._host, self._clock, self._began = host, clock, clock()
        self._tally = Tally()
        self._backlog: dict[str, tuple[int, int]] = {}
        self._waiting: dict[str, tuple[int, int]] = {}
        self._letters = LetterTotals(0, 0, 0)
        self._oldest = 0  # arrival of the oldest row that is not analysed; 0 if there is none

    def restarted(self, worker: Worker) -> None:
        """A new process of this worker is about to report; what the old one counted is kept."""
        self._tally.take(worker.shard, worker.units)
        self._tally.restarted(worker.shard)
        worker.units = {}

    async def take(self) -> list[Sample]:
        """Every sample as of now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._look()
        for worker in self._host.workers:
            self._tally.take(worker.shard, worker.units)
        parts = (self._components(), self._buffers(), self._analyzers(), self._journal(), self._workers(), self._desk(), self._own())
        return [sample for part in parts for sample in part]

    async def _look(self) -> None:
        """What must be waited for."""
        desk, store = self._host.desk, self._host.store
        rows = await self._host.committer.read(desk.frontier, 1)
        self._oldest = rows[0].arrival if rows else 0
        self._backlog = await desk.within(store.backlog)
        self._waiting = await desk.within(store.waiting)
        self._letters = await desk.within(store.letter_totals)

    def _components(self) -> Iterator[Sample]:
        counts = self._host.metrics.snapshot()
        for name, kind in _kinds(self._host.configured.inputs):
            yield from _input(("input", kind, name), counts[f"door.{name}"], counts.get(f"input.{name}", {}))
        for one in self._host.reloader.manifest.infos():
            seen, fired, failed, *_ = self._tally.totals.get(one.name, _NOTHING)
            yield from _analyzer(("analyzer", "python", one.name), seen, fired, failed)
        for name, kind in _kinds(self._host.configured.outputs):
            yield from _output(("output", kind, name), counts[f"output.{name}"])
            yield Sample("pluginhost_output_up", (name,), not self._host.deliveries[name].trouble)
        for name, kind in self._host.beside.kinds():
            yield from _output(("output", kind, name), counts[f"output.{name}"])
            yield Sample("pluginhost_output_up", (name,), not self._host.beside.deliveries[name].trouble)

    def _buffers(self) -> Iterator[Sample]:
        journal, now = self._host.journal, self._clock()
        lag, most = journal.end - self._host.desk.frontier, self._host.config.journal.max_bytes
        yield from _buffer(("journal", "journal", "journal"), lag, journal.bytes, most, now - self._oldest if self._oldest else 0)
        for part, (name, kind) in zip(self._host.configured.outputs, _kinds(self._host.configured.outputs), strict=True):
            waiting, since = self._backlog.get(name, (0, now))
            _, size = self._waiting.get(name, (0, 0))
            yield from _buffer(("output", kind, name), waiting, size, part.route.buffer.max_bytes, now - since)

    def _analyzers(self) -> Iterator[Sample]:
        host = self._host
        quarantined = host.containment.quarantine.active()
        for module in host.reloader.manifest.modules:
            for one in module.analyzers:
                _, _, _, unkeyed, evicted = self._tally.totals.get(one.name, _NOTHING)
                keys = sum(worker.units[one.name].keys for worker in host.workers if one.name in worker.units)
                seconds = sum(worker.samples.seconds.get(one.name, 0.0) for worker in host.workers)
                told = {"cpu_seconds_total": seconds, "keys": keys, "evicted_keys_total": evicted, "unkeyed_events_total": unkeyed,
                        "quarantined": one.name in quarantined, "problem": module.file in host.reloader.problems}  # fmt: skip
                yield from (Sample(f"pluginhost_analyzer_{name}", (one.name,), value) for name, value in told.items())
        yield from (Sample("pluginhost_analyzer_unjudged_events_total", key, count) for key, count in self._tally.unjudged.items())
        yield Sample("pluginhost_generation", (), host.reloader.manifest.number)
        yield Sample("pluginhost_generation_problems", (), len(host.reloader.problems))

    def _journal(self) -> Iterator[Sample]:
        journal, counts = self._host.journal, self._host.metrics.snapshot()
        yield Sample("pluginhost_journal_start_row", (), journal.start)
        yield Sample("pluginhost_journal_end_row", (), journal.end)
        yield Sample("pluginhost_journal_analysed_row", (), self._host.desk.frontier)
        yield Sample("pluginhost_journal_torn_bytes", (), journal.torn)
        yield from (Sample(name, (), counts[part][count]) for name, (part, count) in _COUNTED.items())

    def _workers(self) -> Iterator[Sample]:
        end, counts = self._host.journal.end, self._host.metrics.snapshot()
        for worker in self._host.workers:
            name = (str(worker.shard),)
            yield Sample("pluginhost_worker_up", name, bool(worker.pid))
            yield Sample("pluginhost_worker_records_total", name, counts[f"worker.{worker.shard}"]["records"])
            yield Sample("pluginhost_worker_restarts_total", name, counts[f"worker.{worker.shard}"]["restarts"])
            yield Sample("pluginhost_worker_lag_rows", name, max(end - self._host.reported[worker.shard], 0))
            yield Sample("pluginhost_worker_checkpoint_lag_rows", name, max(end - max(worker.saved.position, 0), 0))
            with contextlib.suppress(OSError):  # it has just ended
                seconds, memory = _used(worker.pid)
                yield Sample("pluginhost_worker_cpu_seconds_total", name, seconds)
                yield Sample("pluginhost_worker_resident_memory_bytes", name, memory)

    def _desk(self) -> Iterator[Sample]:
        yield Sample("pluginhost_dead_letters_held", (), self._letters.held)
        yield Sample("pluginhost_dead_letters_held_bytes", (), self._letters.bytes)
        yield Sample("pluginhost_dead_letters_dropped_total", (), self._letters.dropped)
        scores = self._host.store.scores.counts
        yield Sample("pluginhost_scores_total", (), scores["taken"])
        yield from (Sample("pluginhost_scores_dropped_total", (name,), scores[name]) for name in ("minute", "buffer", "age"))

    def _own(self) -> Iterator[Sample]:
        yield Sample("pluginhost_ready", (), all(conditions(self._host).values()))
        yield Sample("pluginhost_uptime_seconds", (), (self._clock() - self._began) / 1e9)
        yield Sample("pluginhost_build_info", (__version__, platform.python_version()), 1)
        for family in ProcessCollector(registry=None).collect():
            yield from (Sample(one.name, (), one.value) for one in family.samples if one.name in METRICS)


def conditions(host: Host) -> dict[str, bool]:
    """What must hold for the host to be ready for records, each by name."""
    return {
        "doors_open": host.stage != "starting",
        "not_draining": host.stage != "draining",
        "worker_ready": host.ready.is_set() and any(worker.pid for worker in host.workers),
        "journal_has_room": host.journal.bytes <= host.config.journal.max_bytes,
        "disk_has_room": host.ballast.held,
    }


def count_in(counts: Counts, chunk: Chunk, row: Row | None) -> None:
    """Counts a chunk that an input may acknowledge: `row` is what was kept of it, without an offset if it was known already."""
    counts["chunks"] += 1
    counts["records"] += chunk.count
    counts["bytes"] += len(chunk.body)
    counts["loops"] += chunk.count - (row.count if row else 0)
    if row is not None and row.offset < 0:
        counts["duplicates"] += row.count
        return
    for one in chunk.rejected if row else ():
        name = f"rejected_{one.reason}"
        counts[name] = counts.get(name, 0) + 1


def _kinds(parts: Iterable[Part]) -> Iterator[tuple[str, str]]:
    return ((part.name, part.type.__name__.lower()) for part in parts)


def _input(component: tuple[str, ...], door: Mapping[str, int], own: Mapping[str, int]) -> Iterator[Sample]:
    yield Sample("pluginhost_component_received_events_total", component, door["records"])
    yield Sample("pluginhost_component_received_bytes_total", component, door["bytes"])
    rejected = {name: count for name, count in door.items() if name.startswith("rejected_")}
    yield Sample("pluginhost_component_discarded_events_total", (*component, "true"), door["loops"] + door["duplicates"])
    yield Sample("pluginhost_component_discarded_events_total", (*component, "false"), sum(rejected.values()))
    errors = {**{name: own[name] for name in _REFUSALS if name in own}, **rejected}
    yield from (Sample("pluginhost_component_errors_total", (*component, "receiving", name), errors[name]) for name in errors)


def _analyzer(component: tuple[str, ...], seen: int, fired: int, failed: int) -> Iterator[Sample]:
    yield Sample("pluginhost_component_received_events_total", component, seen)
    yield Sample("pluginhost_component_sent_events_total", component, fired)
    yield Sample("pluginhost_component_errors_total", (*component, "processing", "raised"), failed)


def _output(component: tuple[str, ...], counts: Mapping[str, int]) -> Iterator[Sample]:
    yield Sample("pluginhost_component_sent_events_total", component, counts["delivered"])
    yield from (Sample("pluginhost_component_sent_bytes_total", component, counts[name]) for name in _SENT if name in counts)
    yield Sample("pluginhost_component_discarded_events_total", (*component, "false"), counts["dead"])
    for name, error in _FAILURES.items():
        if name in counts:
            yield Sample("pluginhost_component_errors_total", (*component, "sending", error), counts[name])


def _buffer(component: tuple[str, ...], waiting: int, size: int, most: int, age: int) -> Iterator[Sample]:
    yield Sample("pluginhost_buffer_events", component, waiting)
    yield Sample("pluginhost_buffer_bytes", component, size)
    yield Sample("pluginhost_buffer_max_bytes", component, most)
    yield Sample("pluginhost_buffer_oldest_seconds", component, max(age, 0) / 1e9 if waiting else 0.0)


def _used(pid: int) -> tuple[float, int]:
    """Processor seconds and bytes of memory of a process; `OSError` if there is none."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK, int(fields[21]) * _PAGE
