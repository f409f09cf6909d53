"""What the host does beside records: keeps its stores within their bounds, minds its ballast and memory, tells systemd how it is.

A full disk never ends one of these: it is told to the ballast, and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from . import systemd
from .memory import give_back

if TYPE_CHECKING:
    from .host import Host

__all__ = ["Upkeep"]

log = logging.getLogger(__name__)

_SLICE, _TRIM, _LOOK, _TELL = 0.1, 600.0, 2.0, 10.0  # seconds
_SPARE = 30.0  # seconds between two times that free memory is given back
_END = 2.0  # seconds between two looks for groups that are over
_DROP = 60.0  # seconds between two looks at the journal's files when no checkpoint asks for one


class Upkeep:
    """For one host. `saved` is set when rows of the journal may be no longer needed, `reload` when the folders are to be looked at."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.saved, self.reload = asyncio.Event(), asyncio.Event()
        self._pulse = (0, 0)

    def chores(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Everything to be run beside the host, by name; none of it ends by itself."""
        return {"trimming": self._trim(), "dropping": self._drop(), "ballast": self._mind_ballast(), "reloading": self._reload(),
                "telling": self._tell(), "sparing": self._spare(), "ending": self._end()}  # fmt: skip

    async def _trim(self) -> None:
        """Lets go of what is too much or too old, and of what waits for outputs that are no longer configured."""
        host = self._host
        for name, (count, _) in (await self._tried(host.store.backlog) or {}).items():
            if name not in host.outputs:
                await self._tried(host.store.drop_output, name)
                log.warning("output %s is no longer configured: %d alerts that waited for it stay in the embedded store only", name, count)
        while True:
            gone = await self._tried(host.store.trim, host.config.keep_alerts)
            await asyncio.sleep(_SLICE if gone else _TRIM)  # a slice at a time, so that the desk is never kept waiting

    async def _tried(self, work: Any, *given: Any) -> Any:
        """What `work` on the store gives, 0 if the disk did not let it."""
        try:
            return await self._host.desk.within(work, *given)
        except OSError as error:
            log.error("the store cannot be trimmed just now (%s)", error)  # noqa: TRY400 - no bug of ours
            self._host.ballast.hit(error)
            return 0

    async def _drop(self) -> None:
        """Removes what every shard and the desk have behind them."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.saved.wait(), _DROP)
            self.saved.clear()
            await self._host.committer.drop(self._host.needed())

    async def _mind_ballast(self) -> None:
        """While there is no room: has workers try their checkpoints again, and what they free is used to get the ballast back."""
        host = self._host
        while True:
            await asyncio.sleep(_LOOK)
            if not host.ballast.held:
                for worker in host.workers:
                    worker.committed(host.desk.frontier)
                await host.committer.drop(host.needed())
                host.ballast.restore()

    async def _spare(self) -> None:
        """Gives back what was needed for a while, by a flood of connections or by large records."""
        while True:
            await asyncio.sleep(_SPARE)
            give_back()

    async def _end(self) -> None:
        """Tells of groups of which nothing came for long that they are over."""
        while True:
            try:
                ended = await self._host.desk.end()
            except OSError as error:
                log.error("ends of alerts cannot be stored just now (%s)", error)  # noqa: TRY400 - no bug of ours
                self._host.ballast.hit(error)
                ended = 0
            await asyncio.sleep(_SLICE if ended else _END)

    async def _reload(self) -> None:
        while True:
            await self.reload.wait()
            self.reload.clear()
            systemd.reloading()
            await self._host.rescan()
            systemd.notify("READY=1")

    async def _tell(self) -> None:
        """Signs of life: none while the committer or the desk has work and gets nowhere."""
        patience = systemd.watchdog()
        while "NOTIFY_SOCKET" in os.environ:
            if self._lives():
                systemd.notify(f"STATUS={self._status()}", *(["WATCHDOG=1"] if patience else []))
            await asyncio.sleep(patience / 3 if patience else _TELL)

    def _lives(self) -> bool:
        """Whether each of the two has nothing to do, or has done or tried something since it was last asked."""
        counts, host, before = self._host.metrics.counts, self._host, self._pulse
        journal, desk = counts("journal"), counts("desk")
        self._pulse = (journal["syncs"] + journal["failed"], desk["commits"] + desk["postponed"] + desk["pushed_back"])
        waiting = (host.committer.waiting, host.desk.waiting)
        return not any(busy and new == old for busy, new, old in zip(waiting, self._pulse, before, strict=True))

    def _status(self) -> str:
        host = self._host
        trouble = [f"output {name}: {one.trouble}" for name, one in host.deliveries.items() if one.trouble]
        trouble += [host.ballast.closed()] if host.ballast.closed() else []
        behind = host.journal.end - host.desk.frontier
        return "; ".join([f"generation {host.reloader.manifest.number}, {behind} rows behind", *trouble]).replace("\n", " ")[:300]
