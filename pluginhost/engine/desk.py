"""The alert desk's shell: findings of all shards → journal order → one transaction → outboxes and whoever waits.

Takes findings up to the lowest offset that every shard has reported, hands each to the desk's rules, and commits alerts,
groups, outbox rows, dead letters and its positions together. Chained records and table rows are journalled before the report
that made them counts, and recognised by id when a replay makes them again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ..alerts.desk import Group, decide
from ..metrics import Counts
from ..problem import printable
from ..store.alerts import AlertStore, Commit, Letter, NewAlert
from ..store.row import Row
from .committer import Committer
from .items import Failure, Finding, Made, TableUpdate
from .link import Report
from .splitter import chained_row, made_id, rejected, table_row

__all__ = ["COUNTS", "Desk", "Route"]

log = logging.getLogger(__name__)

COUNTS = ("findings", "alerts", "known", "suppressed", "dead_letters", "chained", "tables", "failures", "commits", "postponed")
_PAUSE = 2.0
_RECENT = 10_000  # offsets whose findings stay at hand for doors that owe a verdict

Route = Callable[[Finding, Mapping[str, Any]], list[str]]
"""Which outputs an alert goes to."""


class Desk:
    """One per host. `told` is called after each commit with the new positions' frontier."""

    def __init__(self, store: AlertStore, committer: Committer, counts: Counts, *, shards: int, route: Route, clock: Callable[[], int],
                 observer: str, told: Callable[[int], None]) -> None:  # fmt: skip
        self.store, self._committer, self._counts = store, committer, counts
        self._route, self._clock, self._observer, self._told = route, clock, observer, told
        positions = store.positions()
        self.frontier = min((positions.get(shard, 0) for shard in range(shards)), default=0)
        self._reported = dict.fromkeys(range(shards), self.frontier)
        self._findings: dict[int, list[Finding]] = {shard: [] for shard in range(shards)}
        self._letters: list[tuple[int, Letter]] = []
        self._made: OrderedDict[str, int] = OrderedDict()
        self._recent: OrderedDict[int, list[dict[str, Any]]] = OrderedDict()
        self._passed: dict[int, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "desk")

    def seen(self, row: Row) -> None:
        """Notes a durable row: its rejections become dead letters, its id makes a repetition recognisable.

        At the start it must be told every row behind its position once more.
        """
        if row.rejected:
            self._letters += [(row.offset, letter) for letter in rejected(row)]
        if row.input in ("chain", "table"):
            self._made[made_id(row)] = row.offset

    def bury(self, offset: int, letter: Letter) -> None:
        """Keeps a dead letter about the row at `offset`, once the desk has passed it."""
        self._letters.append((offset, letter))

    def within(self, work: Callable[..., Any], *given: Any) -> Awaitable[Any]:
        """Runs `work` in the one thread that may use the store."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    def ready(self, shard: int) -> None:
        """A worker (re)started: what it reported beyond the desk's position comes again."""
        self._reported[shard] = self.frontier
        self._findings[shard] = []

    async def report(self, shard: int, report: Report) -> None:
        """Takes a worker's report; what it made is journalled first."""
        rows = [row for made in report.chained if (row := self._fresh(made.id, made.offset, chained_row, made))]
        rows += [row for update in report.tables if (row := self._fresh(update.id, update.offset, table_row, update))]
        if rows:
            await self._committer.insist(rows)
        for failure in report.failures:
            self._complain(failure)
        self._findings[shard] += [one for one in report.findings if one.offset >= self.frontier]
        self._reported[shard] = max(self._reported[shard], report.position)
        self._wake.set()

    def _fresh(self, id_: str, offset: int, row: Callable[[Any], Row], made: Made | TableUpdate) -> Row | None:
        """The row for something made at `offset`, unless it is in the journal already."""
        if offset < self.frontier or id_ in self._made:
            return None
        self._made[id_] = 1 << 62  # until its own offset is known
        self._counts["chained" if isinstance(made, Made) else "tables"] += 1
        return row(made)

    def _complain(self, failure: Failure) -> None:
        self._counts["failures"] += failure.count
        where = "".join(f"\n{line}" for line in failure.place.lines()) if failure.place else ""
        log.warning("analyzer %s raised at row %d, record %d (%d times in a row): %s%s", failure.analyzer, failure.offset, failure.index,
                    failure.count, printable(failure.error, 500), where)  # fmt: skip

    async def run(self) -> None:
        """Commits whatever is complete until cancelled; what comes during one commit goes into the next."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            frontier = min(self._reported.values())
            if frontier > self.frontier:
                await self._commit(frontier)

    async def _commit(self, frontier: int) -> None:
        taken: list[Finding] = []
        for shard, findings in self._findings.items():
            taken += [one for one in findings if one.offset < frontier]
            self._findings[shard] = [one for one in findings if one.offset >= frontier]
        taken.sort(key=lambda one: (one.offset, one.index, one.analyzer, one.n))
        letters = [letter for offset, letter in self._letters if offset < frontier]
        told = await self._stored(taken, letters, frontier)
        self._letters = [(offset, letter) for offset, letter in self._letters if offset >= frontier]
        self.frontier = frontier
        for offset, document in told:
            self._recent.setdefault(offset, []).append(document)
        while len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        while self._made and next(iter(self._made.values())) < frontier:
            self._made.popitem(last=False)
        for offset in [offset for offset in self._passed if offset < frontier]:
            for waiting in self._passed.pop(offset):
                if not waiting.done():
                    waiting.set_result(None)
        self._told(frontier)

    async def _stored(self, taken: list[Finding], letters: list[Letter], frontier: int) -> list[tuple[int, dict[str, Any]]]:
        """What `_store` gives; while the disk is full the findings wait, and with them the shards' checkpoints."""
        while True:
            try:
                done: list[tuple[int, dict[str, Any]]] = await self.within(self._store, taken, letters, frontier)
            except OSError as error:
                self._counts["postponed"] += 1
                log.error("alerts cannot be stored (%s); trying again every %.0f s", error, _PAUSE)  # noqa: TRY400 - no bug of ours
                await asyncio.sleep(_PAUSE)
            else:
                return done

    def _store(self, taken: list[Finding], letters: list[Letter], frontier: int) -> list[tuple[int, dict[str, Any]]]:
        """In the desk's thread: decides, and commits. Gives the new alerts' documents by offset."""
        known = self.store.known([one.id for one in taken])
        stored = self.store.groups([one.fingerprint for one in taken])
        groups = {print_: msgspec.msgpack.decode(blob, type=Group) for print_, blob in stored.items()}
        alerts, told, changed = [], [], {}
        now = self._clock()
        for one in taken:
            self._counts["findings"] += 1
            if one.id in known:
                self._counts["known"] += 1
                continue
            known.add(one.id)
            document = msgspec.json.decode(one.document)
            decision = decide(document, one.time, groups.get(one.fingerprint), created=now, observer=self._observer)
            groups[one.fingerprint] = changed[one.fingerprint] = decision.group
            outputs = [] if decision.suppressed else self._route(one, decision.document)
            alerts.append(NewAlert(id=one.id, time=one.time, severity=one.severity, analyzer=one.analyzer, fingerprint=one.fingerprint,
                                sequence=decision.group.sequence, headline=one.message, document=msgspec.json.encode(decision.document),
                                outputs=tuple(outputs)))  # fmt: skip
            told.append((one.offset, decision.document))
        packed = {print_: msgspec.msgpack.encode(group) for print_, group in changed.items()}
        self.store.commit(Commit(positions=dict.fromkeys(self._reported, frontier), alerts=alerts, letters=letters, groups=packed))
        self._counts["alerts"] += len(alerts)
        self._counts["dead_letters"] += len(letters)
        self._counts["commits"] += 1
        return told

    async def passed(self, offset: int, deadline: float) -> bool:
        """Whether the row at `offset` is analysed and committed within `deadline` seconds."""
        if offset < self.frontier:
            return True
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._passed.setdefault(offset, []).append(waiting)
        try:
            await asyncio.wait_for(waiting, deadline)
        except TimeoutError:
            return False
        return True

    async def verdict(self, offset: int, deadline: float) -> list[dict[str, Any]] | None:
        """The alerts that the row at `offset` completed, in order; None ("pending") when `deadline` seconds pass first."""
        return self._recent.get(offset, []) if await self.passed(offset, deadline) else None

    def close(self) -> None:
        """Waits for the commit that runs and lets go of the database."""
        self._thread.shutdown()
        self.store.close()
