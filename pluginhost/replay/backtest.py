"""`pluginhost backtest`: what analyzers would have found in records of the past, and what others would not. Nothing live is touched.

The alerts go into a store of their own, each marked as of this backtest; whoever asked for it hears of them as they are committed. A
journal that is judged as it ran gives the very findings that the host had, with the same ids.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..alerts.desk import Policy
from ..engine.desk import Route
from ..engine.generations import Generations
from ..engine.items import Finding
from ..engine.references import File
from ..engine.splitter import FUTURE
from ..engine.worker import Shard
from ..problem import Problem
from ..store.alerts import AlertStore, OutboxRow, StoredAlert
from ..store.row import Kind, Row
from .comparing import Compared, compared
from .judging import Judge, accepted
from .rows import SECOND, Counted, limited, merged, ticking
from .running import Passed, grouped, judged, working
from .sources.journal import JournalSource
from .sources.port import Source, Window
from .timing import Timing

__all__ = ["Outcome", "Plan", "backtest"]

_SPAN = 60 * SECOND
"""Event time of a row where no timer waits for seconds: far below the hour by which state outlives its use."""

_PAGE = 500
_TELL = 0.2  # seconds between two looks for new alerts
_DRAWN = ""  # no output is called so: where scores wait for whoever draws them


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged, by what. `folders` and `against` hold analyzers, the latter to compare with; a journal without `folders` is judged by
    the code that judged it. `lateness` is in ns; `id` is what the alerts are marked with; `scores` are globs: whose scores are wanted."""

    source: Source | JournalSource
    folders: tuple[Path, ...]
    against: tuple[Path, ...] = ()
    options: dict[str, dict[str, Any]]
    references: tuple[File, ...] = ()
    policy: Policy = Policy()
    lateness: int
    observer: str
    id: str
    window: Window = Window()
    limit: int | None = None
    time_field: str = ""
    scores: tuple[str, ...] = ()


class Outcome(msgspec.Struct):
    """What came of it. `alerts` and `failed` are by analyzer, `errors` is one error of each that failed, `problems` are of files that do
    not run; `whole` is False where it was interrupted."""

    passed: Passed
    counted: Counted
    alerts: Counter[str]
    failed: Counter[str]
    errors: dict[str, str]
    problems: list[Problem]
    whole: bool = True
    compared: Compared | None = None


async def backtest(plan: Plan, folder: Path, store: AlertStore, *, route: Route, clock: Callable[[], int],
                   heard: Callable[[StoredAlert], None], progress: Callable[[Passed], None], stopping: Callable[[], bool],
                   first: int = 10, after: Callable[[Judge], Awaitable[None]] | None = None,
                   drawn: Callable[[OutboxRow], None] | None = None) -> Outcome:  # fmt: skip
    """Judges what the plan says, working in the empty `folder`. `heard` gets each alert once, in the order of its commit.

    `after` is awaited with the judge once all is committed; `first` is how many alerts of each analyzer a comparison keeps. `drawn` gets
    each score.
    """
    if drawn is not None:
        plan = msgspec.structs.replace(plan, policy=msgspec.structs.replace(plan.policy, trends=(*plan.policy.trends, _DRAWN)))
    async with contextlib.AsyncExitStack() as held:
        judges, problems, ticks = await _judges(plan, folder, store, route, clock, held)
        outcome = Outcome(Passed(), Counted(), Counter(), Counter(), {}, problems)
        telling = _Telling(judges[0], heard, outcome.alerts, drawn)

        async def between(_: Sequence[Row]) -> None:
            progress(outcome.passed)
            for one in judges:
                one.shard.dismiss()
            await telling.some()

        async with working(judges):
            groups = grouped(_rows(plan, ticks, clock(), outcome.counted))
            outcome.whole = await judged(groups, judges, outcome.passed, stopping=stopping, between=between)
        await telling.all()
        outcome.failed, outcome.errors = judges[0].failed, {name: one.error for name, one in judges[0].failures.items()}
        if plan.against:
            outcome.compared = await judges[0].within(compared, judges[0].store, judges[1].store, first)
        if after is not None:
            await after(judges[0])
    return outcome


async def _judges(plan: Plan, folder: Path, store: AlertStore, route: Route, clock: Callable[[], int],
                  held: contextlib.AsyncExitStack) -> tuple[list[Judge], list[Problem], bool]:  # fmt: skip
    """(the judge, and the one to compare with; what is wrong with files; whether any analyzer waits for time to pass)."""
    mark = {"backtest": {"id": plan.id, "source": f"{plan.source.kind}: {plan.source.label}"}}
    if not plan.folders and isinstance(plan.source, JournalSource):
        number = plan.source.generations(folder / "new" / "generations")
        shard = Shard(0, 1, folder / "new", plan.source.skips, plan.scores)
        judges = [Judge(shard, store, Generations(folder / "new" / "generations"), route=route, clock=clock, observer=plan.observer,
                        mark=mark, keep=False, policy=plan.policy, mutes=plan.source.mutes())]  # fmt: skip
        held.callback(judges[0].close)
        await judges[0].swap(number)
        return judges, [], False
    mutes = plan.source.mutes() if isinstance(plan.source, JournalSource) else ()
    stores = [(folder / "new", plan.folders, store, route)]
    if plan.against:
        (folder / "old").mkdir()
        stores.append((folder / "old", plan.against, AlertStore(folder / "old" / "alerts.db", clock=clock), _nowhere))
    judges, problems, ticks = [], [], False
    for at, folders, kept, way in stores:
        generations = Generations(at / "generations")
        manifest, found = await accepted(folders, plan.options, plan.references, generations)
        shard = Shard(0, 1, at, scores=() if judges else plan.scores)
        judges.append(Judge(shard, kept, generations, route=way, clock=clock, observer=plan.observer, mark=mark, policy=plan.policy,
                            mutes=mutes))  # fmt: skip
        held.callback(judges[-1].close)
        if not manifest.modules:
            raise found[0] if found else Problem("replay.analyzers", "there are no analyzers", where=", ".join(map(str, folders)))
        problems += found
        ticks = ticks or any(info.ticks for info in manifest.infos())
        await judges[-1].swap(manifest.number)
    return judges, problems, ticks


def _nowhere(_: Finding, __: Mapping[str, Any]) -> list[str]:
    return []


def _rows(plan: Plan, ticks: bool, now: int, counted: Counted) -> Iterator[Row]:
    """What is judged, in order. Of a journal the window is by arrival, for so it is sorted."""
    source = plan.source
    if isinstance(source, JournalSource):
        rows = _wanted(source.records() if plan.folders else source.as_it_ran(), plan, counted)
        ticks = ticks and not source.ticks
    else:
        span = SECOND if ticks else _SPAN
        rows = merged(source.streams(), source.kind, Timing(plan.time_field, now + FUTURE), plan.window, span=span, latest=now,
                      counted=counted)  # fmt: skip
    rows = ticking(rows, plan.lateness) if ticks else rows
    return rows if plan.limit is None else limited(rows, plan.limit)


def _wanted(rows: Iterator[Row], plan: Plan, counted: Counted) -> Iterator[Row]:
    """The journal's rows. For other code they are numbered anew, since what was derived is left out."""
    for row in rows:
        if row.kind == Kind.RECORDS:
            counted.rejected += len(row.rejected)
            if row.arrival not in plan.window:
                counted.outside += row.count
                continue
            counted.records += row.count
        if plan.folders:
            row.offset = -1
        yield row


class _Telling:
    """Hands on what the judge's desk has committed."""

    def __init__(self, judge: Judge, heard: Callable[[StoredAlert], None], alerts: Counter[str],
                 drawn: Callable[[OutboxRow], None] | None) -> None:  # fmt: skip
        self._judge, self._heard, self._alerts, self._drawn = judge, heard, alerts, drawn
        self._seen, self._next = 0, 0.0

    async def some(self) -> None:
        """Now and then."""
        if self._judge.committed.is_set() and time.monotonic() >= self._next:
            await self.all()

    async def all(self) -> None:
        """Everything so far."""
        self._judge.committed.clear()
        while page := await self._judge.within(self._judge.store.since, self._seen, _PAGE):
            for one in page:
                self._alerts[one.analyzer] += 1
                self._heard(one)
            self._seen = page[-1].seq
        if self._drawn is not None:
            await self._scores(self._drawn)
        self._next = time.monotonic() + _TELL

    async def _scores(self, drawn: Callable[[OutboxRow], None]) -> None:
        within, scores = self._judge.within, self._judge.store.scores
        while rows := await within(scores.due, _DRAWN, 1 << 62, _PAGE):
            for one in rows:
                drawn(one)
            await within(scores.settle, _DRAWN, [one.seq for one in rows])
