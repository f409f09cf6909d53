"""The worker processes as the host sees them: started by exec, fed from the journal, listened to, replaced when they die."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from ..metrics import Counts
from ..store.row import Kind, Row
from .child import started
from .committer import Committer
from .items import Failure, PlanCost
from .link import Committed, Feed, Framed, FromWorker, Part, Ready, Report, Saved, Stop, UnitCounts, frame
from .sampling import Growth, Samples, Spent, oom_kills, size, waited
from .splitter import Routes, control_of
from .trace import Call, Reader

__all__ = ["COUNTS", "Routing", "Worker"]

log = logging.getLogger(__name__)

COUNTS = ("rows", "records", "reports", "restarts")
_FEED = 4 << 20  # bytes of one message
_AHEAD = 32 << 20  # bytes fed but not reported yet
_DEATHS = 2  # at the same call
_FULL = 0.9  # of the memory it may have


class Routing:
    """What of each row goes to one shard, by the generation that holds at the row: a swap changes keys at its own offset only.

    `routes` gives the routes of a generation, None where every record goes everywhere (one shard).
    """

    def __init__(self, shard: int, generation: int, routes: Callable[[int], Routes | None]) -> None:
        self._shard, self._by_generation = shard, routes
        self._routes = routes(generation)

    def parts(self, rows: Iterable[Row]) -> list[Part]:
        """The shard's parts of rows in journal order, going on where the last call ended."""
        parts = []
        for row in rows:
            if row.kind == Kind.CONTROL and (generation := control_of(row).swap) is not None:
                self._routes = self._by_generation(generation)
            if self._routes is None or row.kind not in (Kind.RECORDS, Kind.CHAINED):
                parts.append(Part(row, row.count))
            else:
                parts.append(self._routes.of(row)[self._shard])
        return parts


class Worker:
    """Worker `shard` of `shards`, in `memory` bytes. `report` is awaited for every report, in order; `ready` is called when it
    (re)starts, `died` is awaited when it ended in a call (with the first row that nobody has heard of) and nobody else had killed it,
    `fatal` when it ended so twice. One that is silent over its work for more than `patience` seconds is ended. `scores` are globs: the
    analyzers whose scores are wanted.

    `units` has each analyzer's counters as last reported, `failures` its last failure, `samples` where its time goes.
    """

    def __init__(self, shard: int, shards: int, data: Path, committer: Committer, counts: Counts, *,
                 patience: float, memory: int, routes: Callable[[int], Routes | None], ready: Callable[[int], None],
                 report: Callable[[int, Report], Awaitable[None]], saved: Callable[[], None],
                 died: Callable[[Call, int], Awaitable[None]], fatal: Callable[[Call], Awaitable[None]],
                 scores: Sequence[str] = ()) -> None:  # fmt: skip
        self.shard, self._shards, self._data, self._committer, self._counts = shard, shards, data, committer, counts
        self._scores = scores
        self._routes, self._ready, self._report, self._saved = routes, ready, report, saved
        self._patience, self._memory, self._died, self._fatal = patience, memory, died, fatal
        self._trace = data / f"shard-{shard}.trace"
        self._reader = Reader(self._trace)
        self._deaths: dict[Call, int] = {}
        self._heard, self._held = 0.0, False  # when it last said something, and whether we have not let it say more since
        self.skips: set[Call] = set()
        self._grown = committer.grown()
        self._room = asyncio.Event()
        self._outstanding: list[tuple[int, int]] = []  # (offset behind the message, its bytes)
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = self._renewing = self._silent = False
        self._oom_kills = 0  # of the machine, when the process was started
        self._renew_behind = -1
        self.saved = Saved(-1, 0)
        self.units: dict[str, UnitCounts] = {}
        self.costs: list[PlanCost] = []
        self.failures: dict[str, Failure] = {}
        self.samples = Samples()
        self._growth, self._waited = Growth(), 0.0  # of the process: how large it is, how long it has waited for a processor
        self.position = 0
        self.pid = 0

    async def run(self) -> None:
        """Keeps a process alive until cancelled or stopped; each new one is fed from its own position."""
        delay = 0.2
        while not self._stopping:
            started = asyncio.get_running_loop().time()
            await self._live()
            if self._stopping:
                return
            if self._renewing:
                self._renewing = False
                continue
            self._counts["restarts"] += 1
            await self._autopsy()
            delay = 0.2 if asyncio.get_running_loop().time() - started > 60 else min(delay * 2, 10.0)
            log.error("worker %d ended with status %s; a new one starts in %.1f s and replays from its last checkpoint", self.shard,
                      self._process.returncode if self._process else "?", delay)  # fmt: skip
            await asyncio.sleep(delay)

    async def _autopsy(self) -> None:
        """Notes at which call the process ended; one that ended it twice is not made again.

        One that ran out of memory may end anywhere: that is laid to the analyzer that has taken most of it. One that somebody has killed
        ends somewhere, which says nothing of the analyzer, unless it is at the same record once more.
        """
        call = self._reader.call()
        if call is None and self._memory and self._growth.size > self._memory * _FULL:
            call = self._growth.most()
        if call is None:
            return
        self._deaths[call] = self._deaths.get(call, 0) + 1
        log.error("worker %d ended in analyzer %s, at row %d, record %d", self.shard, call.analyzer, call.offset, call.record)
        if self._deaths[call] >= _DEATHS and call not in self.skips:
            self.skips.add(call)
            await self._fatal(call)
        if not self._killed():
            await self._died(call, max(call.offset, self.position))

    def _killed(self) -> bool:
        """Whether it was killed, and neither by us for its silence nor for want of memory."""
        killed = self._process is not None and self._process.returncode == -signal.SIGKILL
        return killed and not self._silent and oom_kills() == self._oom_kills

    async def _watch(self) -> None:
        """Ends a process that has been given work and says nothing for longer than it may."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(min(self._patience / 4, 1.0))
            silent = self._outstanding and not self._held and clock() - self._heard > self._patience
            if silent and self._process is not None:
                log.error("worker %d has not answered for %.0f s and is ended", self.shard, self._patience)
                self._silent = True
                self._process.kill()

    async def _live(self) -> None:
        self._reader.close()
        self._trace.unlink(missing_ok=True)  # one that dies before its first call must not be taken to have died at the last one's
        given = (self.shard, self._shards, self._data, json.dumps(sorted(self.skips)), json.dumps(self._scores))
        self._process, reader, self._writer = await started(f"worker {self.shard}", "pluginhost.engine.worker", *given, memory=self._memory)
        self.pid = self._process.pid
        self._growth, self._waited = Growth(), 0.0
        self._outstanding.clear()
        self._held = self._silent = False
        self._oom_kills = oom_kills()
        self._room.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._listen(reader, tasks)
        finally:
            self._writer.close()
            await self._ended()

    async def _listen(self, reader: asyncio.StreamReader, tasks: asyncio.TaskGroup) -> None:
        """Handles what the process says until it hangs up; feeds it meanwhile."""
        feeding: list[asyncio.Task[None]] = []
        framed = Framed(FromWorker)
        with contextlib.suppress(ConnectionError):  # the process is gone: its status says more
            while data := await reader.read(1 << 20):
                for message in framed.receive(data):
                    if isinstance(message, Ready):
                        self.saved = Saved(message.position, message.generation)
                        if message.position < self._committer.journal.start:
                            log.error("the state of shard %d is older than the journal: %d rows it has not seen are gone; was its file "
                                      "lost or restored?", self.shard, self._committer.journal.start - message.position)  # fmt: skip
                        self._ready(self.shard)
                        routing = Routing(self.shard, message.generation, self._routes)
                        feeding = [tasks.create_task(self._feed(message.position, routing)), tasks.create_task(self._watch())]
                    elif isinstance(message, Report):
                        self._reported(message)
                        self._held = True
                        await self._report(self.shard, message)
                        self._held, self._heard = False, asyncio.get_running_loop().time()
                    else:
                        self.saved = message
                        self._saved()
                        self._renew()
        for task in feeding:
            task.cancel()

    def renew(self, offset: int) -> None:
        """Replaces the process as soon as a checkpoint lies behind the row at `offset`: the next one needs nothing before it."""
        self._renew_behind = offset

    def again(self, skip: Call) -> None:
        """Replaces the process at once: what was judged since its last checkpoint is judged anew, without what is to be skipped.

        The desk has committed nothing behind the row that is skipped from, hence no checkpoint lies there.
        """
        self.skips.add(skip)
        if self._process is not None and self._process.returncode is None:
            self._renewing = True
            self._process.kill()

    def _renew(self) -> None:
        if 0 <= self._renew_behind < self.saved.position and self._writer is not None:
            log.info("worker %d is replaced, so that the memory an analyzer has taken is given back", self.shard)
            self._renew_behind, self._renewing = -1, True
            self._writer.write(frame(Stop(self.saved.position)))

    async def _ended(self) -> None:
        self.pid = 0
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _reported(self, report: Report) -> None:
        self._heard, self.position = asyncio.get_running_loop().time(), report.position
        self.costs = report.costs
        self.units |= report.counts  # not replaced: those in quarantine are not in it
        self.failures |= {failure.analyzer: failure for failure in report.failures}
        self._counts["reports"] += 1
        self._counts["records"] = report.records
        while self._outstanding and self._outstanding[0][0] <= report.position:
            self._outstanding.pop(0)
        if sum(size for _, size in self._outstanding) < _AHEAD:
            self._room.set()

    async def _feed(self, offset: int, routing: Routing) -> None:
        with contextlib.suppress(ConnectionError):
            await self._fed(offset, routing)

    async def _fed(self, offset: int, routing: Routing) -> None:
        while self._writer is not None:
            self._grown.clear()
            rows = await self._committer.read(offset, _FEED)
            if not rows:
                await self._grown.wait()
                continue
            offset = rows[-1].offset + 1
            self._counts["rows"] += len(rows)
            message = frame(Feed(routing.parts(rows)))
            self._writer.write(message)
            if not self._outstanding:
                self._heard = asyncio.get_running_loop().time()
            self._outstanding.append((offset, len(message)))
            if sum(size for _, size in self._outstanding) >= _AHEAD:
                self._room.clear()
            await self._writer.drain()
            await self._room.wait()

    def look(self, seconds: float) -> Spent | None:
        """Takes a sample for the last `seconds`: what the analyzer that is being called has spent on this row."""
        if not self.pid:
            return None
        call = self._reader.call()
        if self._memory:
            self._growth.add(call, size(self.pid) or self._growth.size)
        before, self._waited = self._waited, waited(self.pid)
        return self.samples.add(call, max(seconds - max(self._waited - before, 0.0), 0.0))  # a busy machine is nobody's fault

    def committed(self, offset: int) -> None:
        """Tells the worker how far the desk has come."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(Committed(offset)))

    async def stop(self, committed: int, grace: float) -> None:
        """Lets it write a last checkpoint and end; ends it when it takes longer than `grace` seconds."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(frame(Stop(committed)))
        try:
            await asyncio.wait_for(self._process.wait(), grace)
        except TimeoutError:
            log.warning("worker %d did not stop in time and was ended; it replays from its last checkpoint", self.shard)
            self._process.kill()
