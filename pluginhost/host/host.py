"""The host: the parts of a configuration, connected and supervised. Holds no rules of its own.

Order of starting: stores, desk, analyzers' generation, workers, outputs, then the doors. Order of stopping is the reverse: doors
close first, what was accepted is analysed and committed, workers write a last checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from random import Random
from typing import Any, Literal

import msgspec

from ..alerts.cases import composed
from ..alerts.telling import MEMBERS, message
from ..engine import committer, containment, delivery, desk, duplicates, guard, resharding, shards
from ..engine.committer import Committer
from ..engine.containment import Containment
from ..engine.delivery import Delivery
from ..engine.desk import Desk
from ..engine.duplicates import Duplicates
from ..engine.generations import Generations, Manifest
from ..engine.guard import Guard
from ..engine.link import Report
from ..engine.parts import mappings
from ..engine.reload import Checker, Reloader
from ..engine.sampling import sampling
from ..engine.shards import Worker
from ..engine.splitter import Control, Routes, control_of, control_row, skipped
from ..engine.standing import lists_of
from ..engine.swaps import Swaps
from ..engine.trace import Call
from ..inputs.port import Context as InputContext
from ..inputs.port import Input, Receipt, Way
from ..metrics import Counts, Registry
from ..outputs.port import Context as OutputContext
from ..outputs.port import Output, Tagging
from ..problem import PeerError, Problem
from ..store.alerts import AlertStore
from ..store.bounds import Buffer
from ..store.journal import Journal
from ..store.row import Kind, Row
from ..wire.chunk import Chunk
from . import ballast, systemd
from .ballast import Ballast
from .beside import Beside
from .config import Configured, Part
from .control import serve
from .health import tell_health
from .lock import locked
from .measures import DOOR, Measures, conditions, count_in
from .observe import Observer
from .questions import Questions
from .routing import routing
from .sending import sender
from .stopping import countdown, unless
from .taps import Taps
from .ticking import Ticking
from .upkeep import Upkeep
from .watch import changes

__all__ = ["Host"]

log = logging.getLogger(__name__)

_RESCAN = 2.0
_TRIES, _SETTLE, _LOOK = 3, 60.0, 0.05  # how often workers of another number are run to be level; how long their end may take (s)


class Host:
    """One sidecar on one data folder. `clock` gives ns UTC."""

    def __init__(self, configured: Configured, *, clock: Callable[[], int], rng: Random) -> None:
        self.configured, self._clock, self._rng = configured, clock, rng
        self.config, self.data = configured.config, configured.data
        self._began = clock() - time.monotonic_ns()
        self._lock = locked(self.data)
        self.upkeep = Upkeep(self)
        self._assemble()

    def _assemble(self) -> None:
        """Makes all parts, for as many workers as the state in the data folder is of: see `run`."""
        configured, clock = self.configured, self._clock
        self.metrics = Registry()
        self.ballast = Ballast(self.data / "ballast", self.config.ballast, self.metrics.counts("ballast", *ballast.COUNTS))
        bounds = self.config.journal
        self.journal = Journal(self.data / "journal", clock=clock, segment_bytes=min(bounds.segment_bytes, bounds.max_bytes // 4),
                               max_age=bounds.max_age.ns, **({} if bounds.sync else {"sync": _unsynced}))  # fmt: skip
        self.committer = Committer(self.journal, self.metrics.counts("journal", *committer.COUNTS), most=bounds.max_bytes,
                                   closed=self.ballast.closed, failed=self.ballast.hit)  # fmt: skip
        buffers = {part.name: _buffer(part) for part in configured.outputs}
        self.store = AlertStore(self.data / "alerts.db", clock=self._steady, keep=self.config.keep, buffers=buffers, composed=message,
                                members=MEMBERS, stated=composed)  # fmt: skip
        self.shards = self._shared_out()
        self.generations = Generations(self.data / "generations")
        self.reloader = Reloader(configured.folders, self.config.options, self.generations, Checker(), configured.references)
        self.outputs = {part.name: self._output(part) for part in configured.outputs}
        self.deliveries = {name: self._delivery(name, output) for name, output in self.outputs.items()}
        self.desk = Desk(self.store, self.committer, self.metrics.counts("desk", *desk.COUNTS), shards=self.shards,
                         route=routing(configured.outputs), clock=clock, observer=configured.hostname, told=self._told,
                         failed=self.ballast.hit, policy=configured.policy,
                         lists=lists_of(self.generations, configured.policy.lists))  # fmt: skip
        self.beside = Beside(configured, {"scores": self.store.scores, "states": self.store.states}, self.metrics, within=self._within,
                             clock=clock, steady=self._steady, rng=self._rng, failed=self.ballast.hit)  # fmt: skip
        ours = {self.config.loop_tag, *(one.prefix.rstrip(".") for one in self.outputs.values() if isinstance(one, Tagging))}
        self._guard = Guard(configured.hostname, ours, self.metrics.counts("guard", *guard.COUNTS))
        self._duplicates = Duplicates(self.metrics.counts("duplicates", *duplicates.COUNTS), clock, self.config.keep)
        self.inputs: list[Input] = [] if self._settling else [self._input(part) for part in configured.inputs]
        self.workers = [self._worker(number) for number in range(self.shards)]
        self.containment = Containment(
            self.data / "quarantine.json", self.workers, self.committer, self.metrics.counts("containment", *containment.COUNTS),
            rate=self.config.error_rate, budget=self.config.budget, first=self.config.quarantine.ns, tell=self.desk.tell, clock=clock,
        )  # fmt: skip
        self._routes_of: dict[int, Routes] = {}
        self._swaps = Swaps()
        self._lasts: dict[tuple[str, str], bytes] = {}  # chunk ids by input and source, of the newest rows there were at the start
        self._ticking = Ticking(self.committer, self.config.lateness.ns, clock)
        self.ready = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.stage: Literal["starting", "open", "draining"] = "starting"
        self.reported = dict.fromkeys(range(self.shards), self.desk.frontier)  # the row behind each worker's last report
        self.measures = Measures(self, clock)
        self._vital: tuple[asyncio.Task[None], ...] = ()
        self._observer = self._observed()
        self._followers: list[asyncio.Event] = []
        self._mappings = mappings()
        self.taps = Taps(self.committer.watchers, self._mappings)

    def _shared_out(self) -> int:
        """How many workers the state is of: as many as are configured, once the shards of another number stood at one row."""
        wanted = self.configured.workers
        resharding.finish(self.data, self.store)
        before = resharding.former(self.data, self.store) or wanted
        if before == wanted or not resharding.level(self.data, before):
            return before
        resharding.reshard(self.data, before, wanted, self.store)
        return wanted

    @property
    def _settling(self) -> bool:
        """Whether this run is that of another number of workers, which brings all of them to one row."""
        return self.shards != self.configured.workers

    def _input(self, part: Part) -> Input:
        async def accept(chunk: Chunk, *, source: str, carried: Way | None = None) -> Receipt:
            return await self.accept(part.name, chunk, source, carried, counts)

        counts = self.metrics.counts(f"door.{part.name}", *DOOR)
        context = InputContext(part.name, accept, self.metrics, self.configured.hostname, self.desk.verdict, self._alerts,
                               lambda source: self._lasts.get((part.name, source)), self.data / "inputs" / part.name)  # fmt: skip
        made: Input = part.type(part.options, context)
        return made

    async def _alerts(self, after: int | None = None) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
        if after is not None and after > await self._within(self.store.last):
            raise PeerError("behind", f"there is no alert {after} here yet: the store was put back, or it is another")
        async with contextlib.aclosing(Questions(self).follow(after)) as alerts:
            async for one in alerts:
                yield one["seq"], one["document"]

    def _output(self, part: Part) -> Output:
        context = OutputContext(part.name, self.metrics, self._clock, self.configured.hostname, self.config.namespace)
        try:
            made: Output = part.type(part.options, context)
        except Problem as problem:
            problem.where = problem.where or f"output {part.name}"
            raise
        return made

    def _delivery(self, name: str, output: Output) -> Delivery:
        counts = self.metrics.counts(f"output.{name}", *delivery.COUNTS)
        tells = getattr(output, "notifies", False)
        return Delivery(name, self.store.notifications if tells else self.store, counts, batch=output.batch, send=sender(output),
                        within=self._within, clock=self._steady, rng=self._rng, failed=self.ballast.hit,
                        what="messages" if tells else "alerts")  # fmt: skip

    def _observed(self) -> Observer | None:
        if self.config.metrics is None:
            return None
        return Observer(self.config.metrics, self.measures, alive=lambda: bool(self._vital) and not any(one.done() for one in self._vital),
                        conditions=lambda: conditions(self),
                        counts=self.metrics.counts("metrics", "busy", "evicted", "garbage"))  # fmt: skip

    def _steady(self) -> int:
        """The time by which outboxes go, ns: a clock that is put back does not make alerts wait for it."""
        return self._began + time.monotonic_ns()

    def _within(self, work: Callable[..., Any], *given: Any) -> Any:
        return self.desk.within(work, *given)

    def _worker(self, number: int) -> Worker:
        counts = self.metrics.counts(f"worker.{number}", *shards.COUNTS)
        return Worker(number, self.shards, self.data, self.committer, counts, patience=self.config.worker_patience,
                      memory=self.config.worker_memory, died=self._died,
                      routes=self._routing, ready=self._worker_ready, report=self._reported, saved=self._saved,
                      fatal=self._fatal, scores=self.configured.scores)  # fmt: skip

    async def accept(self, name: str, chunk: Chunk, source: str, carried: Way | None, counts: Counts) -> Receipt:
        """Puts a chunk of input `name` into the journal, once; returns when it is durable."""
        kept = self._guard(chunk)
        row = None if kept is None else self._row(name, kept, source)
        offset = -1 if row is None else await self._stored(row, carried)
        count_in(counts, chunk, row)
        return Receipt(offset)

    def _row(self, name: str, kept: Chunk, source: str) -> Row:
        rejected = tuple((one.reason, one.start, one.end) for one in kept.rejected)
        return Row(Kind.RECORDS, kept.body, input=name, source=source, tag=kept.tag, chunk_id=kept.chunk_id, codec=kept.codec,
                   packing=kept.packing, count=kept.count, columns=kept.columns.pack(), rejected=rejected)  # fmt: skip

    async def _stored(self, row: Row, carried: Way | None) -> int:
        """The row's offset once it is durable; that of an earlier copy if it is one."""

        async def store() -> int:
            await self.committer.append([row])
            return row.offset

        if carried is None or not row.chunk_id or not self.config.drop_duplicates:
            return await store()
        return await self._duplicates.once((row.input, row.source, row.tag, row.chunk_id), carried, store)

    def _durable(self, row: Row) -> None:
        """A row is in the journal."""
        self._swaps.seen(row)
        self.desk.seen(row)
        self._ticking.seen(row)

    def _told(self, frontier: int) -> None:
        """The desk has committed: workers may checkpoint, outputs may send, followers may look."""
        self.committer.judged(frontier)
        for worker in self.workers:
            worker.committed(frontier)
        self.beside.wake()
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

    async def _reported(self, number: int, report: Report) -> None:
        await self.desk.report(number, report)
        self.reported[number] = report.position

    def _worker_ready(self, number: int) -> None:
        self.measures.restarted(self.workers[number])
        self.desk.ready(number)
        self.workers[number].committed(self.desk.frontier)
        if all(worker.saved.position >= 0 for worker in self.workers):  # each has its file: none can be missing at the next start
            self.ready.set()

    async def _died(self, call: Call, row: int) -> None:
        await self.containment.died(call, row)

    async def _fatal(self, call: Call) -> None:
        """A call has ended a worker twice: it is never made again, and the record goes to the dead letters."""
        log.error("analyzer %s is not called again for row %d, record %d, which goes to the dead letters", *call)
        await self.committer.insist([control_row(Control(skip=call))])
        (row,) = (await self.committer.read(call.offset, 1))[:1]
        self.desk.bury(call.offset, skipped(row, call))

    def _recover(self) -> None:
        """Reads what the journal holds once, for all who must know what was there before this start."""
        if self.desk.frontier > self.journal.end:  # what was judged is gone: the files are not of one moment
            self.journal.read(self.desk.frontier)
        self.store.awaken(self._steady())
        for row in self.journal.read(self.journal.start):
            self._swaps.seen(row)
            self._duplicates.recover(row)
            self._ticking.recall(row)
            if row.kind == Kind.RECORDS and row.chunk_id:
                self._lasts[row.input, row.source] = row.chunk_id
            if row.offset >= self.desk.frontier:
                self.desk.seen(row)
            else:
                self.desk.standing.recall(row)
            if row.kind == Kind.CONTROL and (skip := control_of(row).skip) is not None:
                for worker in self.workers:
                    worker.skips.add(Call(*skip))

    def needed(self) -> int:
        """The first row that a shard or the desk may still need."""
        return min(self.desk.frontier, *(worker.saved.position for worker in self.workers))

    def _saved(self) -> None:
        """A checkpoint was written: what every shard and the desk have behind them is no longer needed."""
        saved = [worker.saved for worker in self.workers]
        self.upkeep.saved.set()
        oldest = min(one.generation for one in saved)
        self.generations.prune(min(oldest, self._swaps.oldest(self.journal.start)))
        self._routes_of = {number: routes for number, routes in self._routes_of.items() if number >= oldest}

    async def run(self, stopping: asyncio.Event, hurry: asyncio.Event) -> None:
        """Runs until `stopping` is set, then stops in order, or at once when `hurry` is; raises what a part could not live with.

        Where another number of workers ran before and they did not stop at one row, that many are run first, without doors, until all
        that was taken in is analysed.
        """
        tries = 0
        while self._settling:
            if (tries := tries + 1) > _TRIES:
                raise Problem("host.workers", f"the {self.shards} workers there were do not come to one row", where=str(self.data),
                              still="nothing was changed", todo=f"start with `workers: {self.shards}`, and see to what the log tells")
            log.info("%d workers instead of %d: these analyse first what is left", self.configured.workers, self.shards)
            await self._lived(stopping, hurry)
            if stopping.is_set():
                break
            self._assemble()
        else:
            await self._lived(stopping, hurry)
        self._lock.close()

    async def _lived(self, stopping: asyncio.Event, hurry: asyncio.Event) -> None:
        """One life, from the start of all parts to their end."""
        self._recover()
        self.committer.watchers.append(self._durable)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self.committer.run(), name="committer"), tasks.create_task(self.desk.run(), name="desk")]
            self._vital = tuple(background)
            try:
                if self._observer is not None:
                    await self._observer.start()
                if await unless(stopping, self._start(tasks, background)) and not self._settling:
                    systemd.notify("READY=1")
                    await stopping.wait()
                if stopping.is_set():
                    systemd.notify("STOPPING=1")
                await self._stop(hurry)
                if self._observer is not None:
                    await self._observer.stop()
            finally:
                for task in background:
                    task.cancel()
        await self._close()

    async def _start(self, tasks: asyncio.TaskGroup, background: list[asyncio.Task[None]]) -> None:
        """Starts everything, the doors last; what must be cancelled in the end goes into `background`."""
        await self.rescan(start=True)
        background += [tasks.create_task(worker.run(), name=f"worker-{worker.shard}") for worker in self.workers]
        background += [tasks.create_task(one.run(), name=f"output-{name}") for name, one in self.deliveries.items()]
        chores = {**self.upkeep.chores(), **self.beside.chores()}
        chores |= {"sampling": sampling(self.containment.look), "containment": self.containment.run()}
        chores |= {} if self._settling else {"watch": self._watch(), "clock": self._ticking.run(self.ready)}
        if self.config.scores.health and self.desk.policy.trends and not self._settling:
            chores["health"] = tell_health(self, self._clock)
        background += [tasks.create_task(chore, name=name) for name, chore in chores.items()]
        await self.ready.wait()
        if self._settling:
            await self._settled()
            return
        await self._open_doors()
        self._server = await serve(self.data, Questions(self).calls())  # who is answered there finds the doors open

    async def _settled(self) -> None:
        """Waits until all that was taken in, and whatever analyzers make of it, is analysed and committed."""
        while True:
            if min(self.desk.frontier, *(max(one.position, one.saved.position) for one in self.workers)) >= self.journal.end:
                return
            await asyncio.sleep(_LOOK)

    async def _open_doors(self) -> None:
        for one in self.inputs:
            await one.start()
            log.info("listening on %s (%s)", one.address, type(one).__name__.lower())
        self.stage = "open"

    async def _stop(self, hurry: asyncio.Event) -> None:
        """In order within the grace; without it everything ends at once, and what is not done is in the journal and the outboxes."""
        self.stage = "draining"
        if not await unless(hurry, self._drained(max(self.config.stop_grace, _SETTLE * self._settling))):
            log.warning("told to stop again: nothing more is waited for")
            self.desk.release()
            await asyncio.gather(*(one.drain(0) for one in self.inputs), *(one.stop(self.desk.frontier, 0) for one in self.workers))
        if self._server is not None:
            self._server.close()
        (self.data / "control.sock").unlink(missing_ok=True)

    async def _drained(self, grace: float) -> None:
        """Closes the doors, waits for what came through them, then for checkpoints and for the deliveries that are under way."""
        left = countdown(grace)
        await asyncio.gather(*(one.drain(left() / 2) for one in self.inputs))
        if not await self.desk.passed(self.journal.end - 1, left() * 0.8):
            log.warning("stopping with %d rows not analysed yet; the next start goes on with them", self.journal.end - self.desk.frontier)
        self.desk.release()
        await asyncio.gather(*(worker.stop(self.desk.frontier, left()) for worker in self.workers),
                             *(one.finish(left()) for one in self.deliveries.values()), self.beside.finish(left()))  # fmt: skip

    async def _close(self) -> None:
        await asyncio.gather(*(output.close() for output in self.outputs.values()), self.beside.close())
        await self.reloader.close()
        self.committer.close()
        self.desk.close()

    async def rescan(self, *, start: bool = False, reset: tuple[str, ...] = ()) -> Manifest | None:
        """Looks at the folders again and swaps in what passed; at start the current generation is announced in any case."""
        manifest = await self.reloader.scan(reset)
        if manifest is None and not start:
            return None
        current = self.reloader.manifest
        if current.number:
            self._ticking.wanted = any(info.ticks for info in current.infos())
            control = self.containment.start(current) if start else self.containment.swap(current, reset)
            await self.committer.insist([control_row(control)])
            for name in self.config.options.keys() - {info.name for info in current.infos()} if start else ():
                log.warning("options are given for %s, but no such analyzer runs", name)
            self.taps.mappings = self._mappings.beside(self.generations.references(current, lists=False))
            log.info("generation %d: %s", current.number, ", ".join(info.name for info in current.infos()) or "no analyzers")
        return manifest

    def _routing(self, generation: int) -> Routes | None:
        """How the records of a generation are shared out among the workers."""
        if self.shards == 1:
            return None
        if generation not in self._routes_of:
            manifest = self.generations.manifest(generation) if generation else Manifest(0, ())
            beside = self._mappings.beside(self.generations.references(manifest, lists=False))
            self._routes_of[generation] = Routes([info.want for info in manifest.infos()], beside, self.shards)
        return self._routes_of[generation]

    async def _watch(self) -> None:
        async for _ in changes(self.configured.folders, _RESCAN, tuple(one.path for one in self.configured.references)):
            await self.rescan()


def _buffer(part: Part) -> Buffer:
    """The bounds of an output's outbox, with what its type does when they are reached unless it was said."""
    given = part.route.buffer
    return msgspec.structs.replace(given, when_full=given.when_full or getattr(part.type, "when_full", "push_back"))


def _unsynced(_: int) -> None:
    """The `sync: false` of the journal."""
