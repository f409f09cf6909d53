"""`pluginhost detect`: real alerts from records that lie in a search cluster, window after window, as others detect periodically.

A run goes from where the task's saved state ends up to a moment ago, and saves state and place together, again and again. Its alerts are
in the task's store, with their ids, before any state is saved that knows of them; so a run that is killed is gone on with, and nothing is
lost or told twice. A window by hand begins with empty state and leaves the task's own as it is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from ..alerts.desk import Policy
from ..alerts.telling import MEMBERS, message
from ..engine.desk import Route
from ..engine.generations import Generations
from ..engine.references import File
from ..engine.splitter import FUTURE
from ..problem import Problem
from ..store.alerts import AlertStore, StoredAlert
from ..store.bounds import Keep
from ..store.row import Row
from .judging import Judge, accepted
from .rows import SECOND, Counted, merged, tick, ticking
from .running import GROUP, Passed, grouped, judged, working
from .sources.port import Source, Window
from .tasks import Task, TaskShard
from .timing import Timing

__all__ = ["Detected", "Order", "detect", "span_of"]

_SAVE = 5.0
"""Seconds between two checkpoints."""

_PAGE = 500


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged by what. `source` opens the source for a window; `by_hand` says that the task's own state is left alone;
    `scores` are globs: whose scores are wanted."""

    source: Callable[[Window], Source]
    window: Window
    by_hand: bool
    folders: tuple[Path, ...]
    options: dict[str, dict[str, Any]]
    references: tuple[File, ...] = ()
    policy: Policy = Policy()
    lateness: int
    observer: str
    time_field: str
    keep: Keep
    keep_alerts: int
    scores: tuple[str, ...] = ()


class Detected(msgspec.Struct):
    """What came of a run, which has come up to the time `reached`; `problems` are of files that do not run."""

    window: Window
    passed: Passed
    counted: Counted
    alerts: int = 0
    problems: list[Problem] = []
    troubles: list[str] = []
    reached: int = 0
    whole: bool = True


def span_of(task: Task, now: int, lag: int, first: int) -> Window:
    """The window that is due: from where the task has come to `lag` ns ago; the first one is `first` ns long."""
    end = (now - lag) // GROUP * GROUP
    shard = TaskShard(task.folder)
    try:
        return Window(min(shard.reached or end - first, end), end)
    finally:
        shard.close()


async def detect(order: Order, task: Task, aside: Path, *, route: Route, clock: Callable[[], int], heard: Callable[[StoredAlert], None],
                 progress: Callable[[Passed, Source], None], stopping: Callable[[], bool],
                 after: Callable[[AlertStore, Judge], Awaitable[None]] | None = None) -> Detected:  # fmt: skip
    """Runs once; `aside` is an empty folder for state that is not kept. `after` is awaited when everything is committed and saved."""
    window = order.window
    source = order.source(window)
    made = Detected(window, Passed(), Counted(), reached=window.start, troubles=source.troubles)
    number = task.begin(f"{source.kind}: {source.label}", window.start, window.end, clock(), by_hand=order.by_hand)
    error = "interrupted"
    try:
        async with contextlib.AsyncExitStack() as held:
            held.enter_context(contextlib.closing(source))
            judge, shard, ticks = await _judge(order, task, aside, made, route, clock, held)
            last = await judge.within(judge.store.last)
            groups = _Groups(grouped(_rows(order, source, shard, ticks, clock(), made.counted)))
            saving = _Saving(judge, shard, by_hand=order.by_hand)

            async def between(_: Sequence[Row]) -> None:
                progress(made.passed, source)
                if groups.border and saving.due():
                    made.reached = await saving.save(groups.border)
                    task.note(number, reached=made.reached, records=made.passed.records, alerts=await judge.within(judge.store.last) - last)

            async with working([judge]):
                made.whole = await judged(groups, [judge], made.passed, stopping=stopping, between=between)
                if made.whole:
                    made.reached, error = await saving.save(window.end), ""
            await _tell(judge, last, heard, made)
            if after is not None:
                await after(judge.store, judge)
            while await judge.within(judge.store.trim, order.keep_alerts):
                pass
    except Problem as problem:
        error = problem.what
        raise
    finally:
        task.note(number, reached=made.reached, records=made.passed.records, alerts=made.alerts, ended=clock(), error=error)
    return made


async def _judge(order: Order, task: Task, aside: Path, made: Detected, route: Route, clock: Callable[[], int],
                 held: contextlib.AsyncExitStack) -> tuple[Judge, TaskShard, bool]:  # fmt: skip
    folder = aside if order.by_hand else task.folder
    generations = Generations(folder / "generations")
    manifest, made.problems = await accepted(order.folders, order.options, order.references, generations)
    if not manifest.modules:
        raise made.problems[0] if made.problems else Problem("replay.analyzers", "there are no analyzers")
    shard = TaskShard(folder, order.scores)
    held.callback(shard.close)
    store = AlertStore(task.folder / "alerts.db", clock=clock, keep=order.keep, composed=message, members=MEMBERS)
    judge = Judge(shard, store, generations, route=route, clock=clock, observer=order.observer, mark={"task": task.name},
                  arrival=order.window.start, policy=order.policy)  # fmt: skip
    held.callback(judge.close)
    await judge.swap(manifest.number)
    return judge, shard, any(info.ticks for info in manifest.infos())


def _rows(order: Order, source: Source, shard: TaskShard, ticks: bool, now: int, counted: Counted) -> Iterator[Row]:
    """The rows of the window, none of which reaches over a border at which state may be saved; a tick says that it is over."""
    timing = Timing("" if order.time_field == "@timestamp" else order.time_field, now + FUTURE)
    window = order.window
    rows = merged(source.streams(), source.kind, timing, window, span=SECOND if ticks else GROUP, latest=now, counted=counted)
    if ticks:
        return ticking(rows, order.lateness, began=window.start if shard.reached else 0, end=window.end)
    return chain(rows, (tick(window.end, window.end),))


class _Groups:
    """The groups, each with a look at the next: `border` (ns) is up to where all was judged and nothing behind, 0 where there is none."""

    def __init__(self, groups: Iterator[list[Row]]) -> None:
        self._groups = groups
        self.border = 0

    def __iter__(self) -> Iterator[list[Row]]:
        before = next(self._groups, None)
        while before is not None:
            after = next(self._groups, None)
            start = after[0].arrival // GROUP * GROUP if after is not None else 0
            self.border = start if start > before[-1].arrival else 0
            yield before
            before = after


class _Saving:
    """Writes down state and place together, now and then; by hand there is nothing to be written."""

    def __init__(self, judge: Judge, shard: TaskShard, *, by_hand: bool) -> None:
        self._judge, self._shard, self._by_hand = judge, shard, by_hand
        self._next = time.monotonic() + _SAVE

    def due(self) -> bool:
        return time.monotonic() >= self._next

    async def save(self, reached: int) -> int:
        """Everything before `reached`, which it gives back, is stored when this returns."""
        await self._judge.settle()
        if not self._by_hand:
            self._shard.checkpoint(reached)
        self._next = time.monotonic() + _SAVE
        return reached


async def _tell(judge: Judge, last: int, heard: Callable[[StoredAlert], None], made: Detected) -> None:
    """Hands on the alerts stored behind number `last` that are to be told."""
    while page := await judge.within(judge.store.since, last, _PAGE):
        made.alerts += len(page)
        for one in page:
            if not one.suppressed:
                heard(one)
        last = page[-1].seq
