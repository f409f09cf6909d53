"""One request over HTTP from a peer that was let in: read within bounds, made durable, answered.

What every path has in common. Each answer is chosen by what shippers do with it: 503 with `Retry-After` is the only "later" that all of
them try again, 422 the "never" that most drop. How a path words its answers is its own affair (`Say`).
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from aiohttp import web

from ...problem import Busy, PeerError
from ...wire.bodies import TOO_LARGE, Limits
from ...wire.chunk import Chunk
from ..access import Caller
from ..port import Carried, Context, Receipt
from ..web import line_of

__all__ = ["Door", "Forbidden", "Path", "Say", "Visit", "later", "said"]

_HEAVY = 256 << 10  # bodies above this are decoded in a thread, so that others are answered meanwhile
T = TypeVar("T")


class Forbidden(Exception):
    """The peer is known, but may not use this tag."""


class Say(Protocol):
    """How a path words an answer. `error` is for people; `fields` are what the door counted."""

    def __call__(self, status: int, error: str = "", /, **fields: int) -> web.Response:
        """The answer."""
        ...


class Door(Protocol):
    """What a path needs of the door that it belongs to."""

    context: Context
    limits: Limits
    options: Any

    async def visited(self, request: web.Request, work: Callable[[Visit], Any], say: Say = ...) -> web.StreamResponse:
        """What `work` answers to a request of a known peer, or what `say` makes of whatever stands in its way."""
        ...


class Path(Protocol):
    """A family of paths: `Type(door)` in a file of its own under `paths/`."""

    def routes(self) -> list[web.RouteDef]:
        """What it answers."""
        ...


class Visit:
    """See the head of this file. `hold` reserves memory or raises `Busy`; `counts` are the door's."""

    def __init__(self, request: web.Request, caller: Caller, context: Context, limits: Limits, *, hold: Callable[[int], None],
                 patience: float, counts: dict[str, int]) -> None:  # fmt: skip
        self.request, self.caller, self.body = request, caller, b""
        self._context, self._limits, self._hold, self._patience, self._counts = context, limits, hold, patience, counts
        self._carried = Carried(line_of(request))

    @property
    def source(self) -> str:
        """The peer's address."""
        return self.request.remote or ""

    def hold(self, size: int) -> None:
        """Reserves memory until the request is answered; `Busy` if there is none left."""
        self._hold(size)

    async def read(self) -> bytes:
        """The body as sent; `PeerError` if it is too large, `Busy` if it takes too long to come in."""
        largest, pieces = self._limits.body, bytearray()
        if (self.request.content_length or 0) > largest:
            raise PeerError(TOO_LARGE, f"the body is larger than {largest}")
        try:
            async with asyncio.timeout(self._patience):
                async for piece in self.request.content.iter_any():
                    self._hold(len(piece))
                    pieces += piece
                    if len(pieces) > largest:
                        raise PeerError(TOO_LARGE, f"the body is larger than {largest}")
        except TimeoutError:
            self._counts["slow"] += 1
            raise Busy("the body took too long to come in") from None
        self.body = bytes(pieces)
        return self.body

    async def decoded(self, decode: Callable[[], T]) -> T:
        """What `decode` makes of the body that was read, in a thread if that may take long."""
        return await asyncio.to_thread(decode) if len(self.body) > _HEAVY else decode()

    async def keep(self, chunk: Chunk, *, identity: bytes | None = None, repeatable: bool = False) -> Receipt:
        """Makes the chunk durable; `Forbidden` if the peer may not use its tag.

        `identity` is what a request that is sent again has in common with its first copy: by default the sender's own key for it, or a
        hash of the body. With `repeatable` no copy is ever recognised.
        """
        if not self.caller.may(chunk.tag):
            raise Forbidden(chunk.tag)
        if chunk.data is not chunk.body:
            self._hold(len(chunk.data))
        chunk = msgspec.structs.replace(chunk, chunk_id=b"" if repeatable else identity if identity is not None else self._identity())
        receipt = Receipt(-1)
        if chunk.count or chunk.rejected:
            receipt = await self._context.accept(chunk, source=self.source, carried=None if repeatable else self._carried)
        self._counts["records"] += chunk.count
        self._counts["rejected"] += len(chunk.rejected)
        return receipt

    async def keep_all(self, chunks: Sequence[Chunk]) -> None:
        """Makes all chunks of one body durable, in order; they differ in their tags. What is left of a try that failed is recognised."""
        for chunk in chunks:
            if not self.caller.may(chunk.tag):
                raise Forbidden(chunk.tag)
        for kept in await asyncio.gather(*map(self.keep, chunks), return_exceptions=True):  # one sync for all
            if isinstance(kept, BaseException):
                raise kept

    async def answer(self, response: web.Response) -> web.Response:
        """Writes the answer, and notes that it was written: only a body whose answer was lost is ever taken for a copy."""
        await response.prepare(self.request)
        await response.write_eof()
        self._carried.written = True
        return response

    def _identity(self) -> bytes:
        key = self.request.headers.get("Idempotency-Key")
        return key.encode("utf-8", "surrogateescape")[:256] if key else hashlib.blake2b(self.body, digest_size=16).digest()


def said(status: int, error: str = "", /, **fields: int) -> web.Response:
    """The plain answer: a small JSON object."""
    told: dict[str, Any] = {"error": error, **fields} if error else fields
    return web.Response(status=status, body=msgspec.json.encode(told), content_type="application/json")


def later(answer: web.Response, busy: Busy) -> web.Response:
    """The one answer that makes every shipper wait and try again."""
    answer.headers["Retry-After"] = str(max(1, math.ceil(busy.retry_after)))
    answer.force_close()  # what is left of the body need not be read, and a new connection may find another host
    return answer
