"""What the command line may ask a running host: each method a call of `control.sock`, each answer a stream of plain items."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from .. import __version__
from ..problem import Problem
from ..store.alerts import Archive, StoredAlert
from ..store.risks import Risk
from .casework import Casework, states_of
from .control import Answers
from .keeping import Keeping
from .muting import Muting
from .risks import kind_of, override, risk_of

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Questions", "listed", "plain"]

_UNIT_COUNTS = ("seen", "fired", "failed", "unkeyed", "evicted", "keys")


class Questions:
    """Answers for one host."""

    def __init__(self, host: Host) -> None:
        self._host, self._store, self._within = host, host.store, host.desk.within

    def calls(self) -> dict[str, Answers]:
        """Every call by name, with those of the other families: the public methods of each."""
        families = (self, Casework(self._host), Muting(self._host), Keeping(self._host))
        return {name: getattr(family, name) for family in families for name in vars(type(family))
                if not name.startswith("_") and name != "calls"}  # fmt: skip

    async def ping(self) -> AsyncIterator[Any]:
        """The version."""
        yield __version__

    async def status(self) -> AsyncIterator[Any]:
        """One item: what the host is, how far it is, every counter."""
        host = self._host
        outputs = [{"name": name, "address": one.address, "trouble": host.deliveries[name].trouble} for name, one in host.outputs.items()]
        yield {
            "version": __version__,
            "data": str(host.data),
            "inputs": [one.address for one in host.inputs],
            "outputs": outputs,
            "journal": {"start": host.journal.start, "end": host.journal.end, "bytes": host.journal.bytes, "analysed": host.desk.frontier},
            "workers": [worker.pid for worker in host.workers],
            "generation": host.reloader.manifest.number,
            "quarantine": msgspec.to_builtins(host.containment.quarantine.active()),
            "problems": [problem.page() for problem in host.reloader.problems.values()],
            "counts": host.metrics.snapshot(),
        }

    async def metrics(self) -> AsyncIterator[Any]:
        """One item: the samples that Prometheus would read, as [name, label values, value]."""
        yield [[one.name, one.labels, float(one.value)] for one in await self._host.measures.take()]

    async def analyzers(self) -> AsyncIterator[Any]:
        """Every analyzer with its counts; `{"name": None, …}` for files of which nothing runs."""
        host = self._host
        out = msgspec.to_builtins(host.containment.quarantine.active())
        for one in host.reloader.snapshot():
            counts = [worker.units[one["name"]] for worker in host.workers if one["name"] in worker.units]
            seconds = sum(worker.samples.seconds.get(one["name"], 0.0) for worker in host.workers)
            unjudged = sum((Counter(count.unjudged) for count in counts), Counter[str]())
            summed = {name: sum(getattr(count, name) for count in counts) for name in _UNIT_COUNTS}
            yield {**one, "counts": summed, "unjudged": dict(unjudged),
                   "seconds": round(seconds, 3), "quarantine": out.get(one["name"])}  # fmt: skip
        running = {module.file for module in host.reloader.manifest.modules}
        for file, problem in host.reloader.problems.items():
            if file not in running:
                yield {"name": None, "file": file, "problem": problem.page()}

    async def costs(self) -> AsyncIterator[Any]:
        """What records cost, by worker and kind, dearest first."""
        for worker in self._host.workers:
            for one in sorted(worker.costs, key=lambda one: -one.judged):
                yield {"worker": worker.shard, **msgspec.structs.asdict(one)}

    async def alerts(self, **filters: Any) -> AsyncIterator[Any]:
        """Stored alerts, newest first, each with the state of its group, if it has one."""
        for one in await self._within(listed, self._store, filters):
            yield one

    async def alert(self, id: str) -> AsyncIterator[Any]:  # noqa: A002 - the field's own name
        """The alert whose id begins so."""
        found = await self._within(self._store.get, id)
        if found is None:
            raise Problem("alert.unknown", f"there is no alert {id}")
        yield plain(found)

    async def follow(self, after: int | None = None) -> AsyncGenerator[Any, None]:
        """Alerts as they are stored, those behind number `after` first, without those that nobody is told; ends when the asker hangs up."""
        wake = self._host.follow()
        seen = after if after is not None else await self._within(self._store.last)
        try:
            while True:
                wake.clear()
                for one in await self._within(self._store.since, seen, 500):
                    seen = one.seq
                    if not one.suppressed:
                        yield plain(one)
                await wake.wait()
        finally:
            self._host.unfollow(wake)

    async def tap(self, tag: str = "", where: str = "") -> AsyncIterator[Any]:
        """A sample of the records that come in, until the asker hangs up; see `Taps.records`."""
        async for one in self._host.taps.records(tag, where):
            yield one

    async def suppressions(self) -> AsyncIterator[Any]:
        """One item: how many alerts nobody was told, by reason, ever since the data folder exists."""
        yield await self._within(self._store.suppressions)

    async def risks(self, kind: str, limit: int = 50) -> AsyncIterator[Any]:
        """The riskiest of a kind, the highest score first."""
        for one in await self._within(self._store.risks.highest, kind, limit):
            yield self._risk(one)

    async def risk(self, kind: str, name: str) -> AsyncIterator[Any]:
        """The risk of one entity, with the latest alerts that made it."""
        yield self._risk(await self._within(self._store.risks.get, kind, name))

    async def risk_set(self, kind: str, name: str, level: str, seconds: float, author: str = "", note: str = "") -> AsyncIterator[Any]:
        """Keeps what an analyst says of an entity, for so many seconds; gives its risk then."""
        said = override(level, seconds, author, note, self._host.desk.clock())
        await self._within(self._store.risks.say, kind_of(kind), name, said)
        yield self._risk(await self._within(self._store.risks.get, kind, name))

    async def risk_clear(self, kind: str, name: str) -> AsyncIterator[Any]:
        """Whether an analyst had said something of the entity; it is forgotten."""
        yield await self._within(self._store.risks.unsay, kind, name)

    def _risk(self, one: Risk) -> dict[str, Any]:
        return risk_of(one, self._host.desk.policy.risk, self._host.desk.clock())

    async def dead_letters(self, limit: int = 100) -> AsyncIterator[Any]:
        """What could not be accepted or delivered, newest first."""
        for row in await self._within(self._store.dead_letters, limit):
            yield msgspec.to_builtins(row)

    async def reload(self, names: Sequence[str] = (), reset: Sequence[str] = ()) -> AsyncIterator[Any]:
        """Looks at the folders now; `names` come out of quarantine, and the state of those in `reset` is forgotten."""
        manifest = await self._host.rescan(reset=tuple(reset))
        out = await self._host.containment.release(names)
        problems = [problem.page() for problem in self._host.reloader.problems.values()]
        yield {"generation": self._host.reloader.manifest.number, "changed": manifest is not None, "released": out, "problems": problems}

    async def analysed(self, deadline: float = 60.0) -> AsyncIterator[Any]:
        """Whether everything that was durable when asked is analysed and committed within `deadline` seconds."""
        yield await self._host.desk.passed(self._host.journal.end - 1, deadline)


def listed(archive: Archive, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Stored alerts as plain data, newest first, each with the state of its group (None: it has none)."""
    found = archive.list(**filters)
    states = states_of(archive, {one.fingerprint for one in found})
    return [{**plain(one), "state": states.get(one.fingerprint)} for one in found]


def plain(one: StoredAlert) -> dict[str, Any]:
    """A stored alert as plain data, its document as an object."""
    row: dict[str, Any] = msgspec.to_builtins(one)
    row["document"] = msgspec.json.decode(one.document)
    return row
