"""The alert desk's shell: findings of all shards → journal order → one transaction → outboxes and whoever waits.

Takes findings up to the lowest offset that every shard has reported, hands each to the desk's rules (`sitting.py`), and commits alerts,
groups, risks, outbox rows, dead letters and its positions together. Chained records and table rows are journalled before the report
that made them counts, and recognised by id when a replay makes them again.

While the disk is full, or an output that pushes back has all it may hold, nothing is committed; then findings wait up to a bound, then
the workers, then the journal, then the senders. Nothing here grows meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from ..alerts.cases import Action
from ..alerts.desk import Group, Policy, resolves, silenced
from ..alerts.ending import over
from ..alerts.suppression import Lists
from ..metrics import Counts
from ..problem import printable
from ..store.alerts import AlertStore, Letter
from ..store.row import Row
from ..store.scores import NewScore
from .cases import act
from .committer import Committer
from .items import Failure, Finding, Made, Point, TableUpdate
from .link import Report
from .recent import Recent
from .sitting import Route, Sitting
from .splitter import chained_row, made_id, rejected, table_row
from .standing import Standing

__all__ = ["COUNTS", "Desk", "Route"]

log = logging.getLogger(__name__)

COUNTS = ("findings", "alerts", "known", "suppressed", "dead_letters", "chained", "tables", "failures", "commits", "postponed",
          "pushed_back", "overflowed", "risks_evicted", "scores")  # fmt: skip
_PAUSE = 2.0
_ENDINGS = 500  # groups whose end is told in one transaction
_ROOM = 0.5  # seconds between two looks whether an output has room again
_HELD = 16 << 20  # bytes of findings of one shard that may wait for their commit; above it the shard is not listened to
_OVERHEAD = 500  # bytes that a finding takes beside its texts

_Told = tuple[int, int, str, bytes]
"""A row's offset, the record's index, the alert's id, and its document if it is new."""


class _Full(Exception):
    """Outputs that push back have no room."""


class Desk:
    """One per host. `told` is called after each commit with the new positions' frontier, `failed` with every write that went wrong."""

    def __init__(self, store: AlertStore, committer: Committer, counts: Counts, *, shards: int, route: Route, clock: Callable[[], int],
                 observer: str, told: Callable[[int], None], failed: Callable[[OSError], object] = bool,
                 held: int = _HELD, policy: Policy = Policy(),  # noqa: B008  # a frozen value
                 lists: Callable[[int], Lists] = lambda _: {}) -> None:  # fmt: skip
        self._failed, self._most_held = failed, held
        self.store, self._committer, self._counts = store, committer, counts
        self._route, self.clock, self._observer, self._told, self.policy = route, clock, observer, told, policy
        positions = store.positions()
        self.frontier = min((positions.get(shard, 0) for shard in range(shards)), default=0)
        self.standing = Standing(store.mutes, lists if policy.lists else lambda _: {}, self.frontier)
        self._reported = dict.fromkeys(range(shards), self.frontier)
        self._findings: dict[int, list[Finding]] = {shard: [] for shard in range(shards)}
        self._points: dict[int, list[Point]] = {shard: [] for shard in range(shards)}
        self._own: list[Finding] = []
        self._held = dict.fromkeys(range(shards), 0)
        self._freed, self._released = asyncio.Event(), False
        self._letters: deque[tuple[int, Letter]] = deque()
        self._letters_bytes = 0
        self._made: OrderedDict[str, int] = OrderedDict()
        self._recent = Recent(clock)
        self._overflowing: dict[str, int] = {}
        self._passed: dict[int, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "desk")

    def seen(self, row: Row) -> None:
        """Notes a durable row: its rejections become dead letters, its id makes a repetition recognisable.

        At the start it must be told every row behind its position once more.
        """
        for letter in rejected(row) if row.rejected else ():
            self.bury(row.offset, letter)
        self.standing.seen(row)
        if row.input in ("chain", "table"):
            self._made[made_id(row)] = row.offset

    def bury(self, offset: int, letter: Letter) -> None:
        """Keeps a dead letter about the row at `offset`, once the desk has passed it. No more wait than are kept then: the oldest go."""
        self._letters.append((offset, letter))
        self._letters_bytes += letter.size
        keep = self.store.keep
        while len(self._letters) > keep.dead_letters or self._letters_bytes > keep.dead_letters_bytes:
            self._letters_bytes -= self._letters.popleft()[1].size

    def within(self, work: Callable[..., Any], *given: Any) -> Awaitable[Any]:
        """Runs `work` in the one thread that may use the store."""
        return asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    def ready(self, shard: int) -> None:
        """A worker (re)started: what it reported beyond the desk's position comes again."""
        self._reported[shard] = self.frontier
        self._findings[shard], self._points[shard] = [], []
        self._weigh()

    async def report(self, shard: int, report: Report) -> None:
        """Takes a worker's report; what it made is journalled first. Returns once there is room for another."""
        rows = [row for made in report.chained if (row := self._fresh(made.id, made.offset, chained_row, made))]
        rows += [row for update in report.tables if (row := self._fresh(update.id, update.offset, table_row, update))]
        if rows:
            await self._committer.insist(rows)
        for failure in report.failures:
            self._complain(failure)
        fresh = [one for one in report.findings if one.offset >= self.frontier]
        points = [one for one in report.scores if one.offset >= self.frontier]
        self._findings[shard] += fresh
        self._points[shard] += points
        self._held[shard] += _weight(fresh) + _heavy(points)
        self._reported[shard] = max(self._reported[shard], report.position)
        self._wake.set()
        while self._held[shard] > self._most_held and not self._released:
            self._freed.clear()
            await self._freed.wait()

    def tell(self, finding: Finding) -> None:
        """Takes a finding of pluginhost's own, which no row has made (its offset is -1): an alert like any other, once per id."""
        self._own.append(finding)
        self._wake.set()

    def release(self) -> None:
        """Listens to every shard from now on, whatever waits: they are about to end."""
        self._released = True
        self._freed.set()

    def _weigh(self) -> None:
        self._held = {shard: _weight(findings) + _heavy(self._points[shard]) for shard, findings in self._findings.items()}
        self._freed.set()

    @property
    def waiting(self) -> bool:
        """Whether something complete waits for its commit."""
        return min(self._reported.values()) > self.frontier

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
            frontier = max(min(self._reported.values()), self.frontier)
            if frontier > self.frontier or self._own:
                await self._commit(frontier)

    async def _commit(self, frontier: int) -> None:
        taken, self._own = self._own, []
        for shard, findings in self._findings.items():
            taken += [one for one in findings if one.offset < frontier]
            self._findings[shard] = [one for one in findings if one.offset >= frontier]
        scores = [one for points in self._points.values() for one in points if one.offset < frontier]
        self._points = {shard: [one for one in points if one.offset >= frontier] for shard, points in self._points.items()}
        self._weigh()
        taken.sort(key=_order)
        scores.sort(key=_order)
        letters = [letter for offset, letter in self._letters if offset < frontier]
        told = await self._stored(taken, scores, letters, frontier)
        self._letters = deque((offset, letter) for offset, letter in self._letters if offset >= frontier)
        self._letters_bytes = sum(letter.size for _, letter in self._letters)
        self.frontier = frontier
        for one in told:
            if one[0] >= 0:
                self._recent.add(*one)
        self._recent.trim()
        while self._made and next(iter(self._made.values())) < frontier:
            self._made.popitem(last=False)
        for offset in [offset for offset in self._passed if offset < frontier]:
            for waiting in self._passed.pop(offset):
                if not waiting.done():
                    waiting.set_result(None)
        self._told(frontier)

    async def _stored(self, taken: list[Finding], scores: list[Point], letters: list[Letter], frontier: int) -> list[_Told]:
        """What `_store` gives; while the disk or an output is full the findings wait, and with them the shards' checkpoints."""
        full = ""
        while True:
            try:
                done: list[_Told] = await self.within(self._store, taken, scores, letters, frontier)
            except OSError as error:
                self._counts["postponed"] += 1
                log.error("alerts cannot be stored (%s); trying again every %.0f s", error, _PAUSE)  # noqa: TRY400 - no bug of ours
                self._failed(error)
                await asyncio.sleep(_PAUSE)
            except _Full as told:
                self._counts["pushed_back"] += 1
                if not full:
                    log.warning("as much waits for output %s as may; senders wait in the end, until it takes some of it", told)
                full = str(told)
                await asyncio.sleep(_ROOM)
            else:
                if full:
                    log.info("output %s has room again", full)
                return done

    def _store(self, taken: list[Finding], scores: list[Point], letters: list[Letter], frontier: int) -> list[_Told]:
        """In the desk's thread: decides, and commits. Gives what each row has completed, be it new or known."""
        if full := self.store.full():
            raise _Full(", ".join(full))
        told: list[_Told] = []
        with self.store.turn():
            known = self.store.known([one.id for one in taken])
            look = self.standing.look()
            sitting = Sitting(self.store, self.policy, self._route, taken, now=self.clock(), observer=self._observer, standing=look)
            for one in taken:
                fresh = one.id not in known
                known.add(one.id)
                told.append((one.offset, one.index, one.id, sitting.decide(one) if fresh else b""))
            drawn = [NewScore(one.id, one.time, one.reached, one.analyzer, one.document) for one in scores]
            counted = self.store.scores.add(drawn, self.policy.trends, self.policy.per_minute) if drawn else {}
            look.until(frontier)
            done = self.store.commit(sitting.commit(dict.fromkeys(self._reported, frontier), letters))
        self.standing.took(look, frontier)
        self._overflow(done.overflowed)
        for name, count in counted.items():
            self.store.scores.counts[name] += count
        self._counts["scores"] += len(scores)
        self._counts["findings"] += len(taken)
        self._counts["known"] += sum(not document for *_, document in told)
        self._counts["alerts"] += len(sitting.alerts)
        self._counts["suppressed"] += sum(bool(one.suppressed) for one in sitting.alerts)
        self._counts["risks_evicted"] += sitting.evicted
        self._counts["dead_letters"] += len(letters)
        self._counts["commits"] += 1
        return told

    async def end(self, fingerprints: Sequence[str] | None = None, *, by: str = "", note: str = "") -> int:
        """Says of groups that they are over, if anybody was told of them: of these, or of those that nothing came of for long enough. How
        many there were; each becomes an alert of its own."""
        ended: int = await self.within(self._end, fingerprints, by, note)
        if ended:
            self._told(self.frontier)
        return ended

    def _end(self, fingerprints: Sequence[str] | None, by: str, note: str) -> int:
        now = self.clock()
        with self.store.turn():
            over = self.store.ending(now, _ENDINGS) if fingerprints is None else fingerprints
            groups = {print_: msgspec.msgpack.decode(state, type=Group) for print_, state in self.store.groups(over).items()}
            taken = [finding for print_, group in groups.items() if group.told and (last := self.store.latest(print_))
                     and (finding := _over(msgspec.json.decode(last.document), group, now, by, note))]  # fmt: skip
            sitting = Sitting(self.store, self.policy, self._route, taken, now=now, observer=self._observer, standing=self.standing.look())
            for one in taken:
                sitting.decide(one)
            for print_ in groups.keys() - {one.fingerprint for one in taken}:
                sitting.forget(print_)
            done = self.store.commit(sitting.commit({}, []))
        self._overflow(done.overflowed)
        self._counts["alerts"] += len(taken)
        return len(taken)

    async def act(self, action: Action, groups: Sequence[str] = (), incidents: Sequence[int] = ()) -> list[str]:
        """Does to groups and incidents what somebody wants done (see `cases.act`); says of those that are resolved that they are over."""
        meant: list[str] = await self.within(lambda: act(self.store, self.policy, action, groups, incidents, self.clock()))
        if action.name != "resolve" or not await self.end(meant, by=action.by, note=action.note):
            self._told(self.frontier)
        return meant

    def _overflow(self, overflowed: Mapping[str, int]) -> None:
        """Counts what went past full outputs into the dead letters; says so when it begins and when it ends."""
        for name, count in overflowed.items():
            if name not in self._overflowing:
                log.error("as much waits for output %s as may; alerts for it go to the dead letters from now on", name)
            self._overflowing[name] = self._overflowing.get(name, 0) + count
            self._counts["overflowed"] += count
        for name in self._overflowing.keys() - overflowed.keys() - self.store.brimming():
            log.warning("output %s has room again; %d alerts for it went to the dead letters", name, self._overflowing.pop(name))

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

    async def verdict(self, offset: int, deadline: float) -> list[tuple[int, dict[str, Any]]] | None:
        """The alerts that the row at `offset` completed, in order, each with the index of its record; also those that an equal record
        completed before. Not those that nobody is told. None ("pending") when `deadline` seconds pass first.
        """
        if not await self.passed(offset, deadline):
            return None
        found = []
        for index, id_, document in self._recent.of(offset):
            if not document:
                stored = await self.within(self.store.get, id_)
                document = stored.document if stored else b"{}"  # noqa: PLW2901
            found.append((index, msgspec.json.decode(document)))
        return [one for one in found if not silenced(one[1]) and not resolves(one[1])]

    def close(self) -> None:
        """Waits for the commit that runs and lets go of the database."""
        self._thread.shutdown()
        self.store.close()


def _over(last: Mapping[str, Any], group: Group, now: int, by: str, note: str) -> Finding:
    """The finding that a group is over."""
    one = over(last, group.sequence + 1, max(now, group.last), by, note)
    return Finding(-1, 0, one.analyzer, 0, one.id, one.fingerprint, one.time, group.told, one.message, one.document)


def _order(one: Finding | Point) -> tuple[int, int, str, int]:
    return one.offset, one.index, one.analyzer, one.n


def _heavy(points: Iterable[Point]) -> int:
    return sum(len(one.document) + _OVERHEAD for one in points)


def _weight(findings: Iterable[Finding]) -> int:
    """About how many bytes of memory they take."""
    return sum(len(one.document) + len(one.message) + _OVERHEAD for one in findings)
