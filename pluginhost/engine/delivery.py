"""Outbox → output: one task per output takes what is due, in order, and settles each alert by its outcome.

Nothing is lost by a failure here: an alert leaves the outbox only as delivered or as a dead letter. Back-off doubles from 1 s
to 30 s with jitter while the peer cannot be reached, and is a minute where somebody has to act first.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import msgspec

from ..metrics import Counts
from ..problem import Problem, printable
from ..store.alerts import AlertStore, OutboxRow

__all__ = ["COUNTS", "Delivery", "Unreachable", "Verdicts"]

log = logging.getLogger(__name__)

COUNTS = ("delivered", "retried", "dead", "failures")
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


class Delivery:
    """Delivers for one output. `send` hands rows to it; `within` runs a function in the desk's thread."""

    def __init__(self, name: str, outbox: AlertStore, counts: Counts, *, batch: int,
                 send: Callable[[Sequence[OutboxRow]], Awaitable[Verdicts]],
                 within: Callable[..., Awaitable[Any]], clock: Callable[[], int], rng: Random) -> None:  # fmt: skip
        self.name, self._outbox, self._counts, self._batch = name, outbox, counts, batch
        self._send, self._within, self._clock, self._rng = send, within, clock, rng
        self.wake = asyncio.Event()
        self.trouble = ""
        self._failures = 0

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            self.wake.clear()
            rows = await self._within(self._outbox.due, self.name, self._clock(), self._batch)
            if rows:
                await self._deliver(rows)
            else:
                await self._idle()

    async def _idle(self) -> None:
        due = await self._within(self._outbox.next_due, self.name)
        pause = None if due is None else max((due - self._clock()) / 1e9, 0.001)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wake.wait(), pause)

    async def _deliver(self, rows: Sequence[OutboxRow]) -> None:
        try:
            verdicts = await self._send(rows)
        except Unreachable as error:
            await self._back_off(rows, error)
            return
        except (Problem, OSError) as error:
            await self._back_off(rows, Unreachable(str(error), 0.0, slow=True))
            return
        if self.trouble:
            log.info("output %s works again", self.name)
        self._failures, self.trouble = 0, ""
        now = self._clock()
        retry = [(seq, now + round(max(after, _SLOW if slow else 1.0) * 1e9), reason) for seq, after, reason, slow in verdicts.retry]
        await self._settle(verdicts, retry)
        self._counts["delivered"] += len(verdicts.done)
        self._counts["retried"] += len(retry)
        self._counts["dead"] += len(verdicts.dead)
        for _, reason in verdicts.dead[:1]:
            log.error("output %s: %d alerts can never be accepted and went to the dead letters: %s", self.name, len(verdicts.dead),
                      printable(reason, 300))  # fmt: skip

    async def _settle(self, verdicts: Verdicts, retry: list[tuple[int, int, str]]) -> None:
        """Writes down the outcomes; while that cannot be done nothing more is sent, or it would be sent twice."""
        while True:
            try:
                await self._within(self._outbox.settle, self.name, verdicts.done, retry, verdicts.dead)
            except OSError as error:
                log.error("what output %s delivered cannot be noted (%s); trying again", self.name, error)  # noqa: TRY400 - no bug of ours
                await asyncio.sleep(2.0)
            else:
                return

    async def _back_off(self, rows: Sequence[OutboxRow], error: Unreachable) -> None:
        self._failures += 1
        self._counts["failures"] += 1
        pause = _SLOW if error.slow else max(error.after, min(2.0 ** (self._failures - 1), 30.0) * self._rng.uniform(0.7, 1.0))
        if error.reason != self.trouble:
            log.warning("output %s: %s; %d or more alerts wait, next try in %.0f s", self.name, printable(error.reason, 300), len(rows),
                        pause)  # fmt: skip
        self.trouble = error.reason
        await asyncio.sleep(pause)
