"""What all connections of one forward door share: limits, counters, the bytes held for all of them, and the way to close them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any, Final, Protocol

import msgspec

from ...problem import PeerError
from ...wire.chunk import Chunk, Columns, Rejection
from ...wire.forward import COUNTERS, Limits
from ..access import Caller
from ..once import Once
from ..port import Accept

__all__ = ["DOOR_COUNTERS", "Door", "Manners", "Member"]

DOOR_COUNTERS: Final = (
    *COUNTERS, "connections", "open", "refused", "heartbeats", "acks", "closed", "half_frames", "busy", "busy_timeouts",
    "evicted", "handshakes", "handshakes_failed", "tls_failed", "unauthorized", "rejected_forbidden_tag",
)  # fmt: skip
"""What a forward door counts, its connections included."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """How connections are borne: times in seconds (None: for ever), bytes that may wait, and whether each serves one frame only."""

    progress: float
    frame: float
    idle: float | None
    busy: float
    waiting: int
    waiting_all: int
    half_all: int
    once: bool
    warn_size: int | None


class Member(Protocol):
    """A connection, as far as the others are concerned."""

    def pace(self) -> None:
        """Reads on, or stops reading."""
        ...

    def end_at_boundary(self) -> None:
        """Ends between two frames, if it is to end."""
        ...

    def abort(self) -> None:
        """Ends at once."""
        ...


class Door:
    """See the head of this file."""

    def __init__(
        self, limits: Limits, manners: Manners, accept: Accept, retag: Callable[[str], str], counts: MutableMapping[str, int], once: Once
    ) -> None:
        self.limits, self.manners, self.accept, self.counts, self.once = limits, manners, accept, counts, once
        self.draining = False
        self.members = set[Member]()
        self._retag, self._tasks = retag, set[asyncio.Task[bool]]()
        self._half = self._waiting = 0
        self._empty = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether nobody should be read, because all connections together wait for too much to become durable."""
        return self._waiting >= self.manners.waiting_all

    def enter(self, member: Member, instead_of: Member | None = None) -> None:
        """A connection is open, or goes on as another member."""
        self.members.add(member)
        if instead_of:
            self.members.discard(instead_of)
            return
        self.counts["connections"] += 1
        self.counts["open"] += 1

    def leave(self, member: Member) -> None:
        """It is gone."""
        self.members.discard(member)
        self.counts["open"] -= 1
        self._settle()

    def hold(self, *, half: int = 0, waiting: int = 0) -> None:
        """So many more bytes are held of unfinished frames, or wait to become durable. `PeerError` if the former are too many now."""
        was_full = self.full
        self._half += half
        self._waiting += waiting
        if was_full and not self.full:
            for member in self.members:
                member.pace()
        if half > 0 and self._half > self.manners.half_all:
            raise PeerError("half_frames", "too many bytes of unfinished frames over all connections")

    def prepare(self, chunk: Chunk, source: str) -> Chunk:
        """The chunk as it goes on, under the tag that the operator wants."""
        size = len(chunk.body)
        if self.manners.warn_size is not None and size > self.manners.warn_size:
            self.once.warn("chunk_size_warn_limit", f"{source}: a frame of {size} bytes, tag {chunk.tag}: above chunk_size_warn_limit")
        tag = self._retag(chunk.tag)
        return chunk if tag == chunk.tag else msgspec.structs.replace(chunk, tag=tag)

    def prepares(self, caller: Caller) -> Callable[[Chunk, str], Chunk]:
        """`prepare` for what this caller sends: a chunk under a tag that it may not use becomes a dead letter."""
        if not caller.tags:
            return self.prepare

        def checked(chunk: Chunk, source: str) -> Chunk:
            return self.prepare(chunk, source) if caller.may(chunk.tag) else self._forbidden(chunk, source, caller)

        return checked

    def _forbidden(self, chunk: Chunk, source: str, caller: Caller) -> Chunk:
        told = f"{source}: the user {caller.name} may not send the tag {chunk.tag}: such records go to the dead letters"
        self.once.warn(f"tag {caller.name}", told)
        self.counts["rejected_forbidden_tag"] += 1
        self.counts["records"] -= chunk.count
        rejected = (Rejection("forbidden_tag", 0, len(chunk.data)),)
        return msgspec.structs.replace(chunk, columns=Columns.of([], [], []), rejected=rejected)

    def spawn(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        """Work that outlives its connection, but not the door."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[bool]) -> None:
        self._tasks.discard(task)
        self._settle()

    def _settle(self) -> None:
        if not self.members and not self._tasks:
            self._empty.set()

    async def drain(self, grace: float) -> None:
        """Has connections closed at their next frame boundary, and what was read made durable; after `grace` seconds all are cut off."""
        self.draining = True
        self._empty.clear()
        for member in list(self.members):
            member.end_at_boundary()
        self._settle()
        try:
            async with asyncio.timeout(grace):
                await self._empty.wait()
        except TimeoutError:
            for task in list(self._tasks):
                task.cancel()
            for member in list(self.members):
                member.abort()
