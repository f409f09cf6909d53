"""One call over gRPC of a peer that was let in: read and written message by message, within bounds.

What every service has in common. Calls of all kinds are served as streams of bytes, also those that the protocol declares with a single
request: on the wire they are the same, and so nothing is read of a peer before it was let in, and no more than we have room for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote

import grpc

from ...metrics import Counts
from ...problem import Busy, PeerError
from ...wire.bodies import Limits
from ..access import Caller
from ..once import Once
from ..port import Context, Line

__all__ = ["HEAVY", "Call", "Door", "Refused", "Service", "Stream", "Work", "source_of"]

HEAVY = 256 << 10
"""Messages above this are decoded in a thread, so that others are served meanwhile."""
Stream = grpc.aio.ServicerContext[bytes, bytes]
T = TypeVar("T")


class Refused(Exception):
    """The call ends with `code`; what it said can never be done, or not for this peer."""

    def __init__(self, code: grpc.StatusCode, why: str) -> None:
        super().__init__(why)
        self.code = code


class Call:
    """See the head of this file. `readers` are the tasks that end when the door closes."""

    def __init__(self, stream: Stream, caller: Caller, readers: set[asyncio.Task[Any]]) -> None:
        self._stream, self._readers = stream, readers
        self.caller, self.source, self.line = caller, source_of(stream), Line()

    async def read(self) -> bytes | None:
        """The next message, None when the peer has said all."""
        message = await self._stream.read()
        return None if message is grpc.aio.EOF else message  # type: ignore[attr-defined]  # missing in the stubs

    async def request(self, patience: float) -> bytes:
        """The only message of a call that has but one; `PeerError` if there is none, `Busy` if it takes too long to come in."""
        try:
            async with asyncio.timeout(patience):
                message = await self.read()
        except TimeoutError:
            raise Busy("the request took too long to come in") from None
        if message is None:
            raise PeerError("garbage", "the call brought no request")
        return message

    async def write(self, message: bytes) -> None:
        """Says it; waits while the peer does not read."""
        await self._stream.write(message)

    def reads(self, task: asyncio.Task[Any]) -> None:
        """`task` is cancelled when the door closes."""
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def while_open(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; `Busy` if the door closes first."""
        task = asyncio.ensure_future(work)
        self.reads(task)
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled():
            raise Busy("draining")
        return task.result()


Work = Callable[[Call], Awaitable[None]]


class Door(Protocol):
    """What a service needs of the door that it belongs to."""

    context: Context
    limits: Limits
    options: Any
    counts: Counts
    once: Once

    @property
    def draining(self) -> bool:
        """Whether it takes no more."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The services that it serves."""
        ...

    def method(self, work: Work, *, public: bool = False) -> grpc.RpcMethodHandler[bytes, bytes]:
        """A method that `work` answers to peers that were let in; `public`: to everybody."""
        ...

    async def room(self) -> None:
        """Waits until there is memory for one more batch."""
        ...

    def hold(self, size: int) -> None:
        """Takes so much of the memory, or gives it back if negative."""
        ...

    @property
    def full(self) -> bool:
        """Whether there is no memory for more."""
        ...


class Service(Protocol):
    """A family of services: `Type(door)` in a file of its own under `services/`."""

    def methods(self) -> dict[str, dict[str, grpc.RpcMethodHandler[bytes, bytes]]]:
        """What it serves: methods by name, by the full name of their service."""
        ...


def source_of(stream: Stream) -> str:
    """The peer's address without its port, or the kind of its socket."""
    kind, _, rest = unquote(stream.peer()).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else kind
