"""Analyzers over rows of the past, in this process: a worker's own code without its process, and the host's desk without a journal.

Whatever decides live decides here, too: the shard, the pipeline, the desk with its rules and its store. What analyzers derive is judged at
once behind the rows that it was made of; a replay of a journal as it ran finds it in the journal and makes nothing anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from ..alerts.desk import Policy
from ..engine import desk
from ..engine.committer import Committer
from ..engine.desk import Desk, Route
from ..engine.generations import Generations, Manifest
from ..engine.items import Failure, Finding, Point
from ..engine.link import Part
from ..engine.references import File
from ..engine.reload import Checker, Reloader
from ..engine.splitter import Control, control_row
from ..engine.standing import lists_of
from ..engine.worker import Shard
from ..metrics import Counts
from ..problem import Problem
from ..store.alerts import AlertStore, Commit
from ..store.mutes import StoredMute
from ..store.row import Row

__all__ = ["Judge", "Mark", "accepted"]

Found = TypeVar("Found", Finding, Point)
Mark = Mapping[str, Any]
"""What every alert's document says of the replay that made it, under `pluginhost`."""

_TOLD = 20  # kinds of failures that are remembered


async def accepted(folders: Sequence[Path], options: Mapping[str, dict[str, Any]], references: Sequence[File],
                   into: Generations) -> tuple[Manifest, list[Problem]]:  # fmt: skip
    """The generation that the folders' files make with these lists and databases, each passed by its own examples as live, and what is
    wrong with the others."""
    reloader = Reloader(folders, options, into, Checker(), references)
    try:
        await reloader.scan()
        return reloader.manifest, list(reloader.problems.values())
    finally:
        await reloader.close()


class Judge:
    """One set of analyzers. `shard` holds their state, `store` takes the alerts; `route` says which outputs get them.

    `generations` is where those that the rows name lie. `policy` is what the operator laid down, `mutes` what people had laid down before
    the first row; `mark` is added to each alert; `keep` is False where derived rows are in the journal already; `arrival` (ns) is when it
    begins. `failed` counts the calls that failed, by analyzer; `failures` has the first of each.
    """

    def __init__(self, shard: Shard, store: AlertStore, generations: Generations, *, route: Route, clock: Callable[[], int], observer: str,
                 mark: Mark | None = None, keep: bool = True, arrival: int = 0, policy: Policy = Policy(),  # noqa: B008  # a frozen value
                 mutes: Sequence[StoredMute] = ()) -> None:  # fmt: skip
        self.shard, self.store, self._mark, self._keep = shard, store, mark, keep
        self.counts = Counts(*desk.COUNTS)
        self.failures: dict[str, Failure] = {}
        self.failed: Counter[str] = Counter()
        self.position, self.arrival = shard.position, arrival
        self._made: list[Row] = []
        with store.turn():
            for place, one in enumerate(mutes, -len(mutes)):  # they hold before its first row, in their order
                store.mutes.put(msgspec.structs.replace(one, row=place, ended=None))
            store.commit(Commit())
        store.share(1, self.position)  # what lies behind the last checkpoint is judged anew: what is known already is known by its id
        committer = cast(Committer, self)  # the desk asks it for `insist`, and nothing else
        self._desk = Desk(store, committer, self.counts, shards=1, route=route, clock=clock, observer=observer, told=self._told,
                          # people work where a host runs: there are states, and there links lead to
                          policy=msgspec.structs.replace(policy, mark=mark or {}, states=(), links=None),
                          lists=lists_of(generations, policy.lists))  # fmt: skip
        self.committed = asyncio.Event()
        self.within = self._desk.within

    def _told(self, frontier: int) -> None:
        self.shard.committed(frontier)
        self.committed.set()

    async def run(self) -> None:
        """Commits what is found, until cancelled."""
        await self._desk.run()

    async def insist(self, rows: Sequence[Row]) -> None:
        """Takes rows that analyzers have made, for the next turn: here is no journal to put them into."""
        if self._keep:
            self._made += rows

    async def swap(self, generation: int) -> None:
        """Lets this generation run from here on; 0 is none."""
        if generation and generation != self.shard.generation:
            row = control_row(Control(swap=generation))
            row.arrival = self.arrival
            await self.take([row])

    async def take(self, rows: Sequence[Row]) -> None:
        """Judges rows that follow each other, numbering those without an offset, and then what was derived from them."""
        while rows:
            self.arrival = rows[-1].arrival
            self._number(rows)
            report = self.shard.feed([Part(row, row.count) for row in rows])
            for failure in report.failures:
                self._complain(failure)
            if report.findings or report.chained or report.tables or report.scores:
                findings, scores = [self._marked(one) for one in report.findings], [self._marked(one) for one in report.scores]
                await self._desk.report(0, msgspec.structs.replace(report, findings=findings, scores=scores, failures=[]))
            rows, self._made = self._made, []
            for row in rows:
                row.arrival = self.arrival

    def _number(self, rows: Iterable[Row]) -> None:
        """Gives the rows their places, and has the desk know what they say to it."""
        for row in rows:
            if row.offset < 0:
                row.offset = self.position
            self.position = row.offset + 1
            self._desk.standing.seen(row)

    def _complain(self, failure: Failure) -> None:
        self.failed[failure.analyzer] += failure.count
        if len(self.failures) < _TOLD:
            self.failures.setdefault(failure.analyzer, failure)

    def _marked(self, found: Found) -> Found:
        if self._mark is None:
            return found
        document = msgspec.json.decode(found.document)
        document["pluginhost"] |= self._mark
        return msgspec.structs.replace(found, document=msgspec.json.encode(document))

    async def settle(self) -> None:
        """Returns when everything that was found is committed."""
        if self.position > self._desk.frontier:
            await self._desk.report(0, self.shard.feed([]))
            await self._desk.passed(self.position - 1, 1e9)

    def close(self) -> None:
        """Lets go of the store."""
        self._desk.close()
