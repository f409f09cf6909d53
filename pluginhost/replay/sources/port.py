"""What a source of records and a replay owe each other. A source gives chunks as `wire` makes them; it never sees an analyzer.

A source is one or several *streams*, each in its own order. The replay merges them by time (`rows`), asks for what it needs and no more,
and holds one chunk of each: chunks of bounded size bound the memory of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from ...wire.bodies import Limits
from ...wire.chunk import Chunk

__all__ = ["LIMITS", "Source", "Stream", "Window"]

LIMITS = Limits(entries=1 << 22)
"""Bounds of one chunk and of its records; the size of a block bounds the number of entries well enough."""


class Window(msgspec.Struct, frozen=True):
    """Which records are wanted: those of `start` <= time < `end`, ns UTC."""

    start: int = 0
    end: int = (1 << 63) - 1

    def __contains__(self, time: int) -> bool:
        return self.start <= time < self.end

    @property
    def whole(self) -> bool:
        """Whether every time lies in it."""
        return self == Window()


class Stream(msgspec.Struct, frozen=True):
    """Chunks in the order in which they were written. `name` tells its records' origin, like a live input's peer.

    `written` (ns, 0 where nobody knows) is when the last of it was written: by it a stamp without a year gets one.
    """

    name: str
    chunks: Iterator[Chunk]
    written: int = 0


class Source(Protocol):
    """One source, read once. `kind` is what its records' input is called, `label` what people are shown.

    `troubles` gathers, in words, what could not be read although the rest could.
    """

    kind: str
    label: str
    troubles: list[str]

    def streams(self) -> Sequence[Stream]:
        """The streams; a `Problem` where there is nothing to read."""
        ...

    def progress(self) -> tuple[int, int]:
        """How much was read and how much there is, in a unit of the source's own; (0, 0) where that is not known."""
        ...

    def close(self) -> None:
        """Lets go of files and connections."""
        ...
