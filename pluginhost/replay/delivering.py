"""What was found, out to the outputs that want it, by the same task that delivers live: until all is delivered, or one cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from ..alerts.scope import named
from ..engine import delivery
from ..engine.delivery import Delivery, Outbox, Verdicts
from ..engine.desk import Route
from ..engine.items import Finding
from ..events.fields import Document
from ..match import Test
from ..metrics import Counts
from ..store.alerts import AlertStore, OutboxRow

__all__ = ["Way", "deliver", "route_to"]

_LOOK = 0.1


class Way(msgspec.Struct, frozen=True):
    """One output: what it sends by, and the alerts it wants: of these analyzers (globs; none: any) that pass `when` (None: all); or
    `scores`. One that `tells` people is given messages."""

    name: str
    batch: int
    send: Callable[[Sequence[OutboxRow]], Awaitable[Verdicts]]
    analyzers: tuple[str, ...] = ()
    when: Test | None = None
    scores: bool = False
    tells: bool = False

    def outbox(self, store: AlertStore) -> Outbox:
        """Where what it is to deliver waits."""
        return store.scores if self.scores else store.notifications if self.tells else store


def route_to(ways: Sequence[Way]) -> Route:
    """Which of them an alert goes to."""

    def route(finding: Finding, document: Mapping[str, Any]) -> list[str]:
        view = Document(document)
        return [way.name for way in ways
                if not way.scores and named(finding.analyzer, way.analyzers) and (way.when is None or way.when(view))]  # fmt: skip

    return route


async def deliver(store: AlertStore, within: Callable[..., Awaitable[Any]], ways: Sequence[Way], *, clock: Callable[[], int], rng: Random,
                  grace: float) -> dict[str, str]:  # fmt: skip
    """What is still to be delivered by which output, and why, in words; nothing where all went out within `grace` seconds. What is
    gathered for longer waits for a later run."""
    await within(store.awaken, clock())
    made = [Delivery(way.name, way.outbox(store), Counts(*delivery.COUNTS), batch=way.batch, send=way.send, within=within, clock=clock,
                     rng=rng, what="scores" if way.scores else "messages" if way.tells else "alerts") for way in ways]  # fmt: skip
    until = asyncio.get_running_loop().time() + grace
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one.run(), name=f"output-{one.name}") for one in made]
        while True:
            left_ns = round(max(until - asyncio.get_running_loop().time(), 0) * 1e9)
            told = await within(store.notifications.ready, clock() + left_ns)
            waiting = {"alerts": await within(store.waiting), "scores": await within(store.scores.waiting), "messages": told}
            left = [one for one in made if one.name in waiting[one.what]]
            if all(one.trouble for one in left) or asyncio.get_running_loop().time() >= until:
                break
            await asyncio.sleep(_LOOK)
        await asyncio.gather(*(one.finish(max(until - asyncio.get_running_loop().time(), 1.0)) for one in made))
        for task in running:
            task.cancel()
    return {one.name: f"{waiting[one.what][one.name][0]} {one.what} wait: {one.trouble or 'it takes too long'}" for one in left}
