"""The host: the parts of a configuration, connected and supervised. Holds no rules of its own.

Order of starting: stores, desk, analyzers' generation, workers, outputs, then the doors. Order of stopping is the reverse: doors
close first, what was accepted is analysed and committed, workers write a last checkpoint.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Mapping
from random import Random
from typing import IO, Any

from ..engine import committer, delivery, desk, duplicates, guard, shards
from ..engine.committer import Committer
from ..engine.delivery import Delivery
from ..engine.desk import Desk
from ..engine.duplicates import Duplicates
from ..engine.generations import Generations, Manifest
from ..engine.guard import Guard
from ..engine.items import Finding
from ..engine.parts import mappings
from ..engine.reload import Checker, Reloader
from ..engine.shards import Worker
from ..engine.splitter import Control, Routes, control_of, control_row, skipped, tick_row
from ..engine.trace import Call
from ..engine.watermark import Watermarks
from ..events.fields import Document
from ..inputs.port import Context as InputContext
from ..inputs.port import Input, Receipt, Way
from ..match import compile as compile_predicate
from ..metrics import Registry
from ..options import Duration
from ..outputs.port import Context as OutputContext
from ..outputs.port import Output, Tagging
from ..problem import Problem
from ..store.alerts import AlertStore
from ..store.journal import Journal
from ..store.row import Kind, Row
from ..wire.chunk import Chunk
from .config import Configured, Part
from .control import serve
from .questions import Questions
from .sending import sender
from .watch import changes

__all__ = ["Host"]

log = logging.getLogger(__name__)

GRACE = Duration.of("20s")
_RESCAN = 2.0


class Host:
    """One sidecar on one data folder. `clock` gives ns UTC."""

    def __init__(self, configured: Configured, *, clock: Callable[[], int], rng: Random) -> None:
        self.configured, self._clock, self._rng = configured, clock, rng
        self.config, self.data = configured.config, configured.data
        self.metrics = Registry()
        self._lock = self._locked()
        self._check_shards()
        self.journal = Journal(self.data / "journal", clock=clock, segment_bytes=self.config.journal.segment_bytes,
                               **({} if self.config.journal.sync else {"sync": _unsynced}))  # fmt: skip
        self.committer = Committer(self.journal, self.metrics.counts("journal", *committer.COUNTS), most=self.config.journal.max_bytes)
        self.store = AlertStore(self.data / "alerts.db", clock=clock)
        self.generations = Generations(self.data / "generations")
        self.reloader = Reloader(configured.folders, self.config.options, self.generations, Checker())
        self.outputs = {part.name: self._output(part) for part in configured.outputs}
        self.deliveries = {name: self._delivery(name, output) for name, output in self.outputs.items()}
        self._wanted = [(part, compile_predicate(part.when) if part.when is not None else None) for part in configured.outputs]
        self.desk = Desk(self.store, self.committer, self.metrics.counts("desk", *desk.COUNTS), shards=self.config.workers,
                         route=self._route, clock=clock, observer=configured.hostname, told=self._told)  # fmt: skip
        ours = {self.config.loop_tag, *(one.prefix.rstrip(".") for one in self.outputs.values() if isinstance(one, Tagging))}
        self._guard = Guard(configured.hostname, ours, self.metrics.counts("guard", *guard.COUNTS))
        self._duplicates = Duplicates(self.metrics.counts("duplicates", *duplicates.COUNTS), clock)
        self.inputs: list[Input] = [self._input(part) for part in configured.inputs]
        self.workers = [self._worker(number) for number in range(self.config.workers)]
        self._routes_of: dict[int, Routes] = {}
        self._ticks = False  # whether any analyzer waits for time to pass
        self._marks = Watermarks(self.config.lateness.ns)
        self.ready = asyncio.Event()
        self._followers: list[asyncio.Event] = []
        self._mappings = mappings()

    def _locked(self) -> IO[str]:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = (self.data / "lock").open("a")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Problem("host.running", f"another pluginhost runs on {self.data}",
                          todo="stop it, or give this one another `data` folder") from None  # fmt: skip
        held.truncate(0)
        held.write(f"{os.getpid()}\n")
        held.flush()
        return held

    def _check_shards(self) -> None:
        there = len(list(self.data.glob("shard-*.db")))
        if there and there != self.config.workers:
            told = f"the data folder holds the state of {there} workers, not of {self.config.workers}"
            raise Problem("host.workers", told, where=str(self.data),
                          todo="set `workers` as it was; if a shard's file was lost, restore the folder from a backup")  # fmt: skip

    def _input(self, part: Part) -> Input:
        async def accept(chunk: Chunk, *, source: str, carried: Way | None = None) -> Receipt:
            return await self.accept(part.name, chunk, source, carried)

        made: Input = part.type(part.options, InputContext(part.name, accept, self.metrics, self.configured.hostname))
        return made

    def _output(self, part: Part) -> Output:
        context = OutputContext(part.name, self.metrics, self._clock, self.configured.hostname, self.config.namespace)
        made: Output = part.type(part.options, context)
        return made

    def _delivery(self, name: str, output: Output) -> Delivery:
        counts = self.metrics.counts(f"output.{name}", *delivery.COUNTS)
        return Delivery(name, self.store, counts, batch=output.batch, send=sender(output), within=self._within, clock=self._clock,
                        rng=self._rng)  # fmt: skip

    def _within(self, work: Callable[..., Any], *given: Any) -> Any:
        return self.desk.within(work, *given)

    def _worker(self, number: int) -> Worker:
        counts = self.metrics.counts(f"worker.{number}", *shards.COUNTS)
        return Worker(number, self.config.workers, self.data, self.committer, counts, patience=self.config.worker_patience,
                      routes=self._routing, ready=self._worker_ready, report=self.desk.report, saved=self._saved,
                      fatal=self._fatal)  # fmt: skip

    async def accept(self, name: str, chunk: Chunk, source: str, carried: Way | None) -> Receipt:
        """Puts a chunk of input `name` into the journal, once; returns when it is durable."""
        kept = self._guard(chunk)
        if kept is None:
            return Receipt(-1)
        rejected = tuple((one.reason, one.start, one.end) for one in kept.rejected)
        row = Row(Kind.RECORDS, kept.body, input=name, source=source, tag=kept.tag, chunk_id=kept.chunk_id, codec=kept.codec,
                  packing=kept.packing, count=kept.count, columns=kept.columns.pack(), rejected=rejected)  # fmt: skip

        async def store() -> int:
            await self.committer.append([row])
            return row.offset

        if carried is None or not row.chunk_id or not self.config.drop_duplicates:
            return Receipt(await store())
        return Receipt(await self._duplicates.once((name, source, row.tag, row.chunk_id), carried, store))

    def _route(self, finding: Finding, document: Mapping[str, Any]) -> list[str]:
        view = Document(document)
        return [part.name for part, wanted in self._wanted
                if (not (named := part.route.analyzers) or finding.analyzer in named) and (wanted is None or wanted(view))]  # fmt: skip

    def _durable(self, row: Row) -> None:
        """A row is in the journal."""
        self.desk.seen(row)
        if self._ticks:
            self._marks.seen(row)

    def _told(self, frontier: int) -> None:
        """The desk has committed: workers may checkpoint, outputs may send, followers may look."""
        for worker in self.workers:
            worker.committed(frontier)
        for wake in (*(one.wake for one in self.deliveries.values()), *self._followers):
            wake.set()

    def follow(self) -> asyncio.Event:
        """An event that is set after each commit of the desk; whoever waits on it clears it."""
        wake = asyncio.Event()
        self._followers.append(wake)
        return wake

    def unfollow(self, wake: asyncio.Event) -> None:
        """Lets go of an event that `follow` gave."""
        self._followers.remove(wake)

    def _worker_ready(self, number: int) -> None:
        self.desk.ready(number)
        self.workers[number].committed(self.desk.frontier)
        self.ready.set()

    async def _fatal(self, call: Call) -> None:
        """A call has ended a worker twice: it is never made again, and the record goes to the dead letters."""
        log.error("analyzer %s is not called again for row %d, record %d, which goes to the dead letters", *call)
        await self.committer.insist([control_row(Control(skip=call))])
        (row,) = (await self.committer.read(call.offset, 1))[:1]
        self.desk.bury(call.offset, skipped(row, call))

    def _recover(self) -> None:
        """Reads what the journal holds once, for all who must know what was there before this start."""
        for row in self.journal.read(self.journal.start):
            self._duplicates.recover(row)
            if row.offset >= self.desk.frontier:
                self.desk.seen(row)
            if row.kind == Kind.CONTROL and (skip := control_of(row).skip) is not None:
                for worker in self.workers:
                    worker.skips.add(Call(*skip))

    def _saved(self) -> None:
        """A checkpoint was written: what every shard and the desk have behind them is no longer needed."""
        saved = [worker.saved for worker in self.workers]
        self.journal.drop(min(self.desk.frontier, *(one.position for one in saved)))
        oldest = min(one.generation for one in saved)
        self.generations.prune(oldest)
        self._routes_of = {number: routes for number, routes in self._routes_of.items() if number >= oldest}

    async def run(self, stopping: asyncio.Event) -> None:
        """Runs until `stopping` is set, then stops in order; raises what a part could not live with."""
        self._recover()
        self.committer.watchers.append(self._durable)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self.committer.run(), name="committer"), tasks.create_task(self.desk.run(), name="desk")]
            try:
                await self.rescan(start=True)
                background += [tasks.create_task(worker.run(), name=f"worker-{worker.shard}") for worker in self.workers]
                background += [tasks.create_task(one.run(), name=f"output-{name}") for name, one in self.deliveries.items()]
                chores = {"watch": self._watch(), "clock": self._ticking(), "housekeeping": self._keeping()}
                background += [tasks.create_task(chore, name=name) for name, chore in chores.items()]
                await self.ready.wait()
                await self._open_doors()
                server = await serve(self.data, Questions(self).calls())  # who is answered there finds the doors open
                await stopping.wait()
                await self._stop(server)
            finally:
                for task in background:
                    task.cancel()
        await self._close()

    async def _open_doors(self) -> None:
        for one in self.inputs:
            await one.start()
            log.info("listening on %s (%s)", one.address, type(one).__name__.lower())

    async def _stop(self, server: asyncio.Server) -> None:
        await asyncio.gather(*(one.drain(GRACE / 2) for one in self.inputs))
        if not await self.desk.passed(self.journal.end - 1, GRACE):
            log.warning("stopping with %d rows not analysed yet; the next start goes on with them", self.journal.end - self.desk.frontier)
        await asyncio.gather(*(worker.stop(self.desk.frontier, GRACE / 2) for worker in self.workers))
        server.close()
        (self.data / "control.sock").unlink(missing_ok=True)

    async def _close(self) -> None:
        await asyncio.gather(*(output.close() for output in self.outputs.values()))
        await self.reloader.close()
        self.committer.close()
        self.desk.close()
        self._lock.close()

    async def rescan(self, *, start: bool = False, reset: tuple[str, ...] = ()) -> Manifest | None:
        """Looks at the folders again and swaps in what passed; at start the current generation is announced in any case."""
        manifest = await self.reloader.scan(reset)
        if manifest is None and not start:
            return None
        current = self.reloader.manifest
        if current.number:
            self._ticks = any(info.ticks for info in current.infos())
            await self.committer.insist([control_row(Control(current.number, reset))])
            for name in self.config.options.keys() - {info.name for info in current.infos()} if start else ():
                log.warning("options are given for %s, but no such analyzer runs", name)
            log.info("generation %d: %s", current.number, ", ".join(info.name for info in current.infos()) or "no analyzers")
        return manifest

    def _routing(self, generation: int) -> Routes | None:
        """How the records of a generation are shared out among the workers."""
        if self.config.workers == 1:
            return None
        if generation not in self._routes_of:
            infos = self.generations.manifest(generation).infos() if generation else []
            keyed = {info.key for info in infos if info.key and not info.pinned}
            pinned = [info.name for info in infos if info.pinned]
            keyless = any(not info.key and not info.pinned for info in infos)
            self._routes_of[generation] = Routes(keyed, pinned, keyless, self._mappings, self.config.workers)
        return self._routes_of[generation]

    async def _watch(self) -> None:
        async for _ in changes(self.configured.folders, _RESCAN):
            await self.rescan()

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            if self._ticks and (mark := self._marks.now(self._clock())) is not None:
                await self.committer.insist([tick_row(mark)])

    async def _keeping(self) -> None:
        """Lets go of the oldest alerts, and of what waits for outputs that are no longer configured."""
        for name, (count, _) in (await self._within(self.store.backlog)).items():
            if name not in self.outputs:
                await self._within(self.store.drop_output, name)
                log.warning("output %s is no longer configured: %d alerts that waited for it stay in the embedded store only", name, count)
        while True:
            pruned = await self._within(self.store.prune, 0, self.config.keep_alerts)
            await asyncio.sleep(0.1 if pruned else 600)  # a slice at a time, so that the desk is never kept waiting


def _unsynced(_: int) -> None:
    """The `sync: false` of the journal."""
