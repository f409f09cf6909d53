"""What goes out beside alerts: for each output that takes scores, or the states of alerts, a second one of its type for them alone, with a
delivery and counters of its own under `<name>.scores` and `<name>.states`. How long a thing waits and what becomes of it is its store's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from random import Random
from typing import Any, Literal, Protocol

import msgspec

from ..engine import delivery
from ..engine.delivery import Delivery, Outbox
from ..metrics import Registry
from ..outputs.port import Context, Output
from .config import Configured, Part
from .sending import sender

__all__ = ["Beside", "Waiting", "What", "output_beside", "takers"]

What = Literal["scores", "states"]
_FORGET = 5000


class Waiting(Outbox, Protocol):
    """What waits for outputs, as their deliveries see it, and can be dropped when they take it no more."""

    def drop(self, outputs: Collection[str], limit: int) -> int:
        """How many went, about `limit` at most, that wait for none of `outputs`."""
        ...


def takers(configured: Configured) -> Iterator[tuple[What, Part]]:
    """Each output that takes something beside alerts, with what it takes."""
    wanted: dict[What, Collection[str]] = {"scores": configured.policy.trends, "states": configured.policy.states}
    return ((what, part) for what, names in wanted.items() for part in configured.outputs if part.name in names)


def output_beside(part: Part, context: Context, what: What) -> Output:
    """A new output for `what` the configured one takes; `context` is as for its alerts."""
    made: Output = part.type(part.options, msgspec.structs.replace(context, name=f"{context.name}.{what}", what=what))
    return made


class Beside:
    """For one host. `outboxes` hold what waits; `within` runs a function in the desk's thread, `steady` gives the ns that they go by,
    `failed` hears of a disk that does not write. `deliveries` are by `<name>.<what>`."""

    def __init__(self, configured: Configured, outboxes: Mapping[What, Waiting], metrics: Registry, *,
                 within: Callable[..., Awaitable[Any]], clock: Callable[[], int], steady: Callable[[], int], rng: Random,
                 failed: Callable[[OSError], object]) -> None:  # fmt: skip
        self._takers = [(f"{part.name}.{what}", what, part) for what, part in takers(configured)]
        self._outboxes, self._within = outboxes, within
        namespace = configured.config.namespace
        self._outputs = {name: output_beside(part, Context(part.name, metrics, clock, configured.hostname, namespace), what)
                         for name, what, part in self._takers}  # fmt: skip
        self.deliveries = {
            name: Delivery(part.name, outboxes[what], metrics.counts(f"output.{name}", *delivery.COUNTS), batch=self._outputs[name].batch,
                           send=sender(self._outputs[name]), within=within, clock=steady, rng=rng, failed=failed, what=what)
            for name, what, part in self._takers
        }  # fmt: skip

    def kinds(self) -> Iterator[tuple[str, str]]:
        """(name, kind) of each output."""
        return ((name, part.type.__name__.lower()) for name, _, part in self._takers)

    def chores(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What is to be run beside the host, by name."""
        return {"beside": self._forget(), **{name: one.run() for name, one in self.deliveries.items()}}

    async def _forget(self) -> None:
        """Drops what waits for outputs that take it no more; a disk that fails now is asked again at the next start."""
        for what, outbox in self._outboxes.items():
            still = [part.name for _, one, part in self._takers if one == what]
            with contextlib.suppress(OSError):
                while await self._within(outbox.drop, still, _FORGET):
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
