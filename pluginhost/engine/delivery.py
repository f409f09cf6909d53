"""Outbox → output: one task per output takes what is due, in order, and settles each alert by its outcome.

Nothing is lost by a failure here: an alert leaves the outbox only as delivered or as a dead letter. Back-off doubles from 1 s
to 30 s with jitter while the peer cannot be reached, and is a minute where somebody has to act first. What has waited longer than
its output's buffer allows is given up after one more try, so that a host that was away itself delivers first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import Random
from typing import Any, Protocol

import msgspec

from ..metrics import Counts
from ..problem import Problem, printable
from ..store.archive import OutboxRow

__all__ = ["COUNTS", "Delivery", "Outbox", "Unreachable", "Verdicts"]

log = logging.getLogger(__name__)

COUNTS = ("delivered", "retried", "dead", "failures", "expired")
_SLOW = 60.0


class Verdicts(msgspec.Struct):
    """An output's answer, sorted: delivered, to be tried again (number, delay in s, reason, whether slowly), given up."""

    done: list[int] = []
    retry: list[tuple[int, float, str, bool]] = []
    dead: list[tuple[int, str]] = []


class Unreachable(Exception):
    """Nothing of the batch is known to have arrived."""

    def __init__(self, reason: str, after: float, slow: bool) -> None:
        super().__init__(reason)
        self.reason, self.after, self.slow = reason, after, slow


class Outbox(Protocol):
    """What waits for outputs in a store."""

    def due(self, output: str, now: int, limit: int) -> Sequence[OutboxRow]:
        """What `output` is to deliver by `now` (ns), in order: `limit` at most."""
        ...

    def next_due(self, output: str) -> int | None:
        """When (ns) the next is due for `output`; None if nothing waits."""
        ...

    def settle(
        self, output: str, done: Iterable[int] = (), retry: Iterable[tuple[int, int, str]] = (), dead: Iterable[tuple[int, str]] = ()
    ) -> None:
        """What became of rows by number: delivered; to be tried again at (ns); never acceptable, with the reason."""
        ...

    def expire(self, output: str, limit: int = 1000) -> int:
        """How many became dead letters for having waited too long, `limit` at most."""
        ...


class Delivery:
    """Delivers for one output: alerts, or `what` else waits in `outbox`. `send` hands rows to it; `within` runs a function in the desk's
    thread, `failed` hears where that failed."""

    def __init__(self, name: str, outbox: Outbox, counts: Counts, *, batch: int,
                 send: Callable[[Sequence[OutboxRow]], Awaitable[Verdicts]],
                 within: Callable[..., Awaitable[Any]], clock: Callable[[], int], rng: Random,
                 failed: Callable[[OSError], object] = bool, what: str = "alerts") -> None:  # fmt: skip
        self._failed, self.what = failed, what
        self._log = log.getChild(name)  # what is said of one must not count as said of all: see `host.logs`
        self.name, self._outbox, self._counts, self._batch = name, outbox, counts, batch
        self._send, self._within, self._clock, self._rng = send, within, clock, rng
        self.wake = asyncio.Event()
        self.trouble = ""
        self._failures = 0
        self._ending, self._at_rest = False, asyncio.Event()
        self._at_rest.set()

    async def finish(self, grace: float) -> None:
        """Begins nothing more, and waits up to `grace` seconds for the attempt that is under way: cut short, it might be made twice."""
        self._ending = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._at_rest.wait(), grace)

    async def run(self) -> None:
        """Delivers until cancelled or finished."""
        while not self._ending:
            self.wake.clear()
            rows = await self._noted(self._outbox.due, self.name, self._clock(), self._batch)
            if rows:
                await self._attempt(rows)
            else:
                await self._idle()

    async def _idle(self) -> None:
        due = await self._noted(self._outbox.next_due, self.name)
        pause = None if due is None else max((due - self._clock()) / 1e9, 0.001)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), pause)

    async def _attempt(self, rows: Sequence[OutboxRow]) -> None:
        """Sends the rows and notes what came of it; pauses when nothing did."""
        if self._ending:
            return
        self._at_rest.clear()
        pause = 0.0
        try:
            await self._deliver(rows)
        except Unreachable as error:
            pause = await self._backed_off(rows, error)
        except (Problem, OSError) as error:
            pause = await self._backed_off(rows, Unreachable(str(error), 0.0, slow=True))
        finally:
            self._at_rest.set()
        await asyncio.sleep(pause)

    async def _deliver(self, rows: Sequence[OutboxRow]) -> None:
        verdicts = await self._send(rows)
        stuck = [reason for _, _, reason, slow in verdicts.retry if slow]  # until somebody acts, though others went through
        if stuck:
            self._complain(stuck[0], len(stuck), _SLOW)
        elif self.trouble:
            self._log.info("output %s works again", self.name)
            self.trouble = ""
        self._failures = 0
        now = self._clock()
        retry = [(seq, now + round(max(after, _SLOW if slow else 1.0) * 1e9), reason) for seq, after, reason, slow in verdicts.retry]
        await self._noted(self._outbox.settle, self.name, verdicts.done, retry, verdicts.dead)
        self._counts["delivered"] += len(verdicts.done)
        self._counts["retried"] += len(retry)
        self._counts["dead"] += len(verdicts.dead)
        for _, reason in verdicts.dead[:1]:
            self._log.error("output %s: %d %s can never be accepted and went to the dead letters: %s", self.name, len(verdicts.dead),
                            self.what, printable(reason, 300))  # fmt: skip
        if retry:
            await self._give_up()

    async def _noted(self, work: Callable[..., Any], *given: Any) -> Any:
        """What `work` on the outbox gives; while that cannot be done nothing more is sent, or it would be sent twice."""
        while True:
            try:
                return await self._within(work, *given)
            except OSError as error:
                self._log.error("the outbox of output %s cannot be used (%s); trying again", self.name, error)
                self._failed(error)
                await asyncio.sleep(2.0)

    async def _give_up(self) -> None:
        """Has what waited for too long among the dead letters; called after a try that failed."""
        expired = 0
        while more := await self._noted(self._outbox.expire, self.name):
            expired += more
        if expired:
            self._counts["expired"] += expired
            self._log.error("output %s: %d %s have waited too long and went to the dead letters", self.name, expired, self.what)

    async def _backed_off(self, rows: Sequence[OutboxRow], error: Unreachable) -> float:
        """For how long nothing should be tried."""
        self._failures += 1
        self._counts["failures"] += 1
        pause = _SLOW if error.slow else max(error.after, min(2.0 ** (self._failures - 1), 30.0) * self._rng.uniform(0.7, 1.0))
        self._complain(error.reason, len(rows), pause)
        await self._give_up()
        return pause

    def _complain(self, reason: str, count: int, pause: float) -> None:
        """Says what is wrong, once until it is something else."""
        if reason != self.trouble:
            self._log.warning("output %s: %s; %d or more %s wait, next try in %.0f s", self.name, printable(reason, 300), count, self.what,
                              pause)  # fmt: skip
        self.trouble = reason
