"""What an input and the host owe each other. An input is a thin shell: it turns bytes into chunks and says yes or no."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ..metrics import Registry
from ..wire.chunk import Chunk

__all__ = ["Accept", "Carried", "Context", "Feed", "Input", "Judge", "Line", "Receipt", "Way"]


class Receipt(msgspec.Struct, frozen=True):
    """The chunk is durable. `offset` is its row; -1 if there was nothing to keep (a loop, a duplicate)."""

    offset: int


class Way(Protocol):
    """How a chunk came in, as far as its answer is concerned."""

    @property
    def first(self) -> bool:
        """Whether it comes for the first time, by its peer's word: then it is no copy of anything."""
        ...

    @property
    def lost(self) -> bool:
        """Whether the peer may never have seen the answer, so that it will send the chunk again."""
        ...


class Line:
    """A connection as its chunks see it: whether it has `ended`, so that no answer can follow, and whether by a `reset`."""

    __slots__ = ("ended", "reset")

    def __init__(self) -> None:
        self.ended = self.reset = False


class Carried:
    """A chunk's way in: the line that carried it, and whether its answer was `written` there.

    Only a chunk whose answer was lost is ever sent again by an honest peer; by this a copy is told from an equal chunk.
    """

    __slots__ = ("line", "written")
    first = False  # most protocols do not tell

    def __init__(self, line: Line) -> None:
        self.line, self.written = line, False

    @property
    def lost(self) -> bool:
        """Whether the peer may never have seen the answer: the line ended before it was written, or by a reset."""
        return self.line.ended and (self.line.reset or not self.written)


class Accept(Protocol):
    """Hands a chunk to the journal."""

    async def __call__(self, chunk: Chunk, *, source: str, carried: Way | None = None) -> Receipt:
        """Returns once the chunk is durable; raises `Busy` when nothing more can be taken just now.

        With `carried`, a chunk with an id that was taken before, whose answer was lost, is not taken again.
        """
        ...


class Judge(Protocol):
    """Waits for the verdict on a row."""

    async def __call__(self, offset: int, deadline: float) -> list[tuple[int, dict[str, Any]]] | None:
        """The alerts that the row completed, each with the index of its record; None when `deadline` seconds pass first."""
        ...


class Feed(Protocol):
    """The alerts that are stored."""

    def __call__(self, after: int | None = None) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
        """(number, document) of each alert behind number `after`, then of each new one, for ever; None: new ones only.

        `PeerError` where the store has not come to number `after` yet.
        """
        ...


async def _unjudged(offset: int, deadline: float) -> None:
    """No verdict."""


async def _silent(after: int | None = None) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
    """No alerts."""
    nothing: tuple[tuple[int, dict[str, Any]], ...] = ()
    for one in nothing:
        yield one


class Context(msgspec.Struct, frozen=True):
    """What the host gives to an input: its name, where chunks go, the counters, and what it calls itself to peers.

    Few need the rest: `verdict` and `alerts` for doors that answer with what was found; `last` gives the chunk id of the newest row
    that the journal holds of a source, and `folder` is where an input may keep what it must remember over a restart.
    """

    name: str
    accept: Accept
    metrics: Registry
    hostname: str = "pluginhost"
    verdict: Judge = _unjudged
    alerts: Feed = _silent
    last: Callable[[str], bytes | None] = lambda _: None
    folder: Path | None = None


class Input(Protocol):
    """One door. Built as `Type(options, context)`; the class attribute `Options` is its declaration."""

    address: str  # where it listens, for people: "127.0.0.1:24224"

    async def start(self) -> None:
        """Listens; raises `Problem` (code `input.address`) when the address cannot be had."""
        ...

    async def drain(self, grace: float) -> None:
        """Stops taking connections, answers what was read, closes at message boundaries; returns within `grace` seconds."""
        ...
