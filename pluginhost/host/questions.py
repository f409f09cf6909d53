"""What the command line may ask a running host: each method a call of `control.sock`, each answer a stream of plain items."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec

from .. import __version__
from ..problem import Problem
from ..store.alerts import StoredAlert
from .control import Answers

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Questions", "plain"]

_UNIT_COUNTS = ("seen", "fired", "failed", "unkeyed", "evicted", "keys")


class Questions:
    """Answers for one host."""

    def __init__(self, host: Host) -> None:
        self._host, self._store, self._within = host, host.store, host.desk.within

    def calls(self) -> dict[str, Answers]:
        """Every call by name."""
        return {name: getattr(self, name) for name in vars(type(self)) if not name.startswith("_") and name != "calls"}

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
            "problems": [problem.page() for problem in host.reloader.problems.values()],
            "counts": host.metrics.snapshot(),
        }

    async def analyzers(self) -> AsyncIterator[Any]:
        """Every analyzer with its counts; `{"name": None, …}` for files of which nothing runs."""
        host = self._host
        for one in host.reloader.snapshot():
            counts = [worker.units[one["name"]] for worker in host.workers if one["name"] in worker.units]
            yield {**one, "counts": {name: sum(getattr(count, name) for count in counts) for name in _UNIT_COUNTS}}
        running = {module.file for module in host.reloader.manifest.modules}
        for file, problem in host.reloader.problems.items():
            if file not in running:
                yield {"name": None, "file": file, "problem": problem.page()}

    async def alerts(self, **filters: Any) -> AsyncIterator[Any]:
        """Stored alerts, newest first."""
        for one in await self._within(lambda: self._store.list(**filters)):
            yield plain(one)

    async def alert(self, id: str) -> AsyncIterator[Any]:  # noqa: A002 - the field's own name
        """The alert whose id begins so."""
        found = await self._within(self._store.get, id)
        if found is None:
            raise Problem("alert.unknown", f"there is no alert {id}")
        yield plain(found)

    async def follow(self, after: int | None = None) -> AsyncIterator[Any]:
        """Alerts as they are stored, those behind number `after` first; ends when the asker hangs up."""
        wake = self._host.follow()
        seen = after if after is not None else await self._within(self._store.last)
        try:
            while True:
                wake.clear()
                for one in await self._within(self._store.since, seen, 500):
                    seen = one.seq
                    yield plain(one)
                await wake.wait()
        finally:
            self._host.unfollow(wake)

    async def summary(self) -> AsyncIterator[Any]:
        """Alerts per analyzer and severity."""
        for row in await self._within(self._store.summary):
            yield msgspec.to_builtins(row)

    async def dead_letters(self, limit: int = 100) -> AsyncIterator[Any]:
        """What could not be accepted or delivered, newest first."""
        for row in await self._within(self._store.dead_letters, limit):
            yield msgspec.to_builtins(row)

    async def reload(self, reset: list[str] | None = None) -> AsyncIterator[Any]:
        """Looks at the folders now."""
        manifest = await self._host.rescan(reset=tuple(reset or ()))
        problems = [problem.page() for problem in self._host.reloader.problems.values()]
        yield {"generation": self._host.reloader.manifest.number, "changed": manifest is not None, "problems": problems}

    async def analysed(self, deadline: float = 60.0) -> AsyncIterator[Any]:
        """Whether everything that was durable when asked is analysed and committed within `deadline` seconds."""
        yield await self._host.desk.passed(self._host.journal.end - 1, deadline)


def plain(one: StoredAlert) -> dict[str, Any]:
    """A stored alert as plain data, its document as an object."""
    row: dict[str, Any] = msgspec.to_builtins(one)
    row["document"] = msgspec.json.decode(one.document)
    return row
