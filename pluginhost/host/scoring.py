"""The scores' ways out: beside each output that takes scores a second one of its type, with a delivery of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from random import Random
from typing import Any

import msgspec

from ..engine import delivery
from ..engine.delivery import Delivery
from ..metrics import Registry
from ..outputs.port import Context, Output
from ..store.scores import Scores
from .config import Configured, Part
from .sending import sender

__all__ = ["Scoring", "score_output"]

_FORGET = 5000


def score_output(part: Part, context: Context) -> Output:
    """A new output for the scores that the configured one takes; `context` is as for its alerts."""
    made: Output = part.type(part.options, msgspec.structs.replace(context, name=f"{context.name}.scores", what="scores"))
    return made


class Scoring:
    """For one host; of nothing where scores are off. `within` runs a function in the desk's thread, `steady` gives the ns that outboxes go
    by, `failed` hears of a disk that does not write. `deliveries` are by the configured output's name."""

    def __init__(self, configured: Configured, scores: Scores, metrics: Registry, *, within: Callable[..., Awaitable[Any]],
                 clock: Callable[[], int], steady: Callable[[], int], rng: Random,
                 failed: Callable[[OSError], object]) -> None:  # fmt: skip
        self._parts = [part for part in configured.outputs if part.name in configured.policy.trends]
        self._outputs = {part.name: score_output(part, Context(part.name, metrics, clock, configured.hostname, configured.config.namespace))
                         for part in self._parts}  # fmt: skip
        self._scores, self._within = scores, within
        self.deliveries = {
            name: Delivery(name, scores, metrics.counts(f"output.{name}.scores", *delivery.COUNTS), batch=output.batch,
                           send=sender(output), within=within, clock=steady, rng=rng, failed=failed, what="scores")
            for name, output in self._outputs.items()
        }  # fmt: skip

    def kinds(self) -> Iterator[tuple[str, str]]:
        """(name, kind) of each output that takes scores."""
        return ((part.name, part.type.__name__.lower()) for part in self._parts)

    def chores(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What is to be run beside the host, by name."""
        return {"scores": self._forget(), **{f"scores-{name}": one.run() for name, one in self.deliveries.items()}}

    async def _forget(self) -> None:
        """Drops what waits for outputs that take scores no more; a disk that fails now is asked again at the next start."""
        with contextlib.suppress(OSError):
            while await self._within(self._scores.drop, self.deliveries.keys(), _FORGET):
                pass

    def wake(self) -> None:
        """The desk has committed."""
        for one in self.deliveries.values():
            one.wake.set()

    async def finish(self, grace: float) -> None:
        """Waits up to `grace` seconds for the attempts that are under way; begins no more."""
        await asyncio.gather(*(one.finish(grace) for one in self.deliveries.values()))

    async def close(self) -> None:
        """Lets go of connections and files."""
        await asyncio.gather(*(output.close() for output in self._outputs.values()))
