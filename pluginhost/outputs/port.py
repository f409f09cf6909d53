"""What an output and the host owe each other. An output turns alerts into bytes for one peer; it never sees state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from ..metrics import Registry

__all__ = ["DONE", "Context", "Dead", "Done", "Outcome", "Outgoing", "Output", "Retry", "Tagging", "Unavailable"]


class Outgoing(msgspec.Struct, frozen=True):
    """One alert on its way out. `document` is the ECS alert as JSON; `time` is event time in ns UTC; `id` is `event.id`.

    Where people are told, one notification: `document` is that as JSON and `id` its own, the same at every try.
    """

    sequence: int
    id: str
    time: int
    severity: str
    analyzer: str
    document: bytes
    attempts: int = 0


class Done(msgspec.Struct, frozen=True):
    """The peer has it."""


class Retry(msgspec.Struct, frozen=True):
    """Not now: try this alert again, not before `after` seconds. `slow` means minutes and a loud log: somebody must act."""

    reason: str
    after: float = 0.0
    slow: bool = False


class Dead(msgspec.Struct, frozen=True):
    """Never acceptable: goes to the dead letters with its reason."""

    reason: str


DONE = Done()
Outcome = Done | Retry | Dead


class Unavailable(Exception):
    """The peer cannot be reached, or its answer is unknown: all of the batch is tried again with back-off."""

    def __init__(self, reason: str, *, after: float = 0.0, slow: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.after, self.slow = reason, after, slow


class Context(msgspec.Struct, frozen=True):
    """What the host gives to an output. `hostname` marks re-emitted records (loop guard), `namespace` names the data stream.

    `clock` gives ns UTC. `what` says what comes in: alerts, or scores or states, where the type takes such (see `Output`).
    """

    name: str
    metrics: Registry
    clock: Callable[[], int]
    hostname: str = "pluginhost"
    namespace: str = "default"
    what: Literal["alerts", "scores", "states"] = "alerts"


@runtime_checkable
class Tagging(Protocol):
    """An output that gives records tags of its own: `prefix` is what all of them begin with (loop guard)."""

    prefix: str


class Output(Protocol):
    """One way out. Built as `Type(options, context)`; the class attribute `Options` is its declaration.

    A type with the class attribute `scores = True` takes scores, too: then a second one is built of the same options for them alone; the
    same with `states = True` and the states of alerts. One with `notifies = True` tells people: what it is given are notifications, each
    of one alert or of many (`alerts.notification`), and never plain alerts.
    """

    address: str  # for people: "http://127.0.0.1:9200"
    batch: int  # the most alerts it wants at once
    when_full: Literal["push_back", "dead_letter"]  # of the class: what becomes of alerts when no more may wait for it, unless configured

    async def check(self) -> None:
        """Reaches the peer once without sending an alert; raises `Unavailable` or `Problem`. For `pluginhost check`."""
        ...

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """One outcome per alert, in order. Raises `Unavailable` when nothing is known of the whole batch."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
