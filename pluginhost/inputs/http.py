"""The HTTP door: `POST /v1/ingest` takes records in any body that shippers send and answers once they are durable.

Every answer is chosen by what shippers do with it. 503 with `Retry-After` is the only "later" that all of them try again;
422 the "never" that most drop; one client repeats even that for ever, so a body refused again and again is taken at last.
What a body means is `wire.bodies`' business. Further paths are further files: each brings routes that call `Http.take`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import math
from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec
from aiohttp import web

from ..options import Duration, Secret, Size, doc
from ..problem import Busy, PeerError, printable
from ..wire.bodies import TOO_LARGE, Limits, Unreadable, decode_body
from .guard import Once, admitted, require_token
from .port import Carried, Context
from .web import Listener, line_of

__all__ = ["Http", "HttpOptions"]

_LOG = logging.getLogger(__name__)
_HEAVY = 256 << 10  # bodies above this are read in a thread, so that others are answered meanwhile
_REMEMBERED = 1024  # unreadable bodies
_PATIENCE = 5  # times the same unreadable body of the same peer is refused before it is taken
_COUNTERS = ("requests", "records", "rejected", "unreadable", "poison", "too_large", "unauthorized", "busy", "slow", "garbage")


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `http`."""

    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 8088
    token: Annotated[Secret | None, doc("what senders must know: as bearer token, as password of basic auth, or in `X-Api-Key`")] = None
    allow_unauthenticated: Annotated[bool, doc("take records from other machines without a token")] = False
    tag: Annotated[str, doc("tag of records that come without one", min_length=1)] = "http"
    max_body: Annotated[Size, doc("most bytes of a body as sent", ge=1)] = Size(32 << 20)
    max_data: Annotated[Size, doc("most bytes of a body after unpacking", ge=1)] = Size(64 << 20)
    memory: Annotated[Size, doc("most bytes of all bodies at work at a time; above it senders are told to wait", ge=1)] = Size(256 << 20)
    connections: Annotated[int, doc("most open connections", ge=1)] = 512
    idle_timeout: Annotated[Duration, doc("how long a connection may stay open without a request")] = Duration(75)
    request_timeout: Annotated[Duration, doc("how long a body may take to come in")] = Duration(30)


class Http:
    """The door; see the head of this file."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions, context: Context) -> None:
        require_token(context.name, options.bind, token=options.token, allowed=options.allow_unauthenticated)
        self._options, self._context = options, context
        self._limits = Limits(body=options.max_body, data=options.max_data)
        self._counts = context.metrics.counts(f"input.{context.name}", *_COUNTERS)
        self._once = Once(_LOG)
        self._listener = Listener(
            self._routes(), options.bind, options.port, connections=options.connections, idle=options.idle_timeout, counts=self._counts
        )
        self._draining, self._held = False, 0
        self._poison: dict[bytes, int] = {}

    async def start(self) -> None:
        """Listens; `Problem` if the address cannot be had."""
        await self._listener.start()

    async def drain(self, grace: float) -> None:
        """Takes no more, answers what was read, closes."""
        self._draining = True
        await self._listener.stop(grace)

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._listener.address

    async def take(self, request: web.Request, tag: str) -> web.Response:
        """The answer to a request whose body holds records: read, made durable, and only then said so."""
        self._counts["requests"] += 1
        try:
            with self._listener.working(), self._lease() as hold:
                if self._draining:
                    raise Busy("draining")
                if not self._admitted(request):
                    return _said(401, {"WWW-Authenticate": "Bearer"}, error="token missing or wrong")
                return await self._taken(request, tag, hold)
        except Busy as busy:
            self._counts["busy"] += 1
            return _later(busy)
        except PeerError as error:
            self._counts["too_large"] += 1
            self._once.warn(f"413 {request.remote}", f"refused a body of {request.remote}: {error}")
            return _said(413, error=str(error))
        except (web.RequestPayloadError, ConnectionError):
            return _said(400, error="the body broke off")
        except Exception:  # noqa: BLE001  # our own bug: senders must keep the records and try again, which no 500 makes them do
            _LOG.exception("a request of %s could not be served", request.remote)
            return _later(Busy("internal error", 2))

    def _routes(self) -> list[web.RouteDef]:
        paths = ("/v1/ingest", "/v1/ingest/{tag}")
        return [route for path in paths for route in (web.post(path, self._ingest), web.get(path, self._probe))]

    async def _ingest(self, request: web.Request) -> web.Response:
        tag = request.match_info.get("tag") or request.headers.get("X-Pluginhost-Tag") or request.query.get("tag") or self._options.tag
        return await self.take(request, printable(tag, 256))

    async def _probe(self, _: web.Request) -> web.Response:
        return web.Response()  # health checks of shippers want exactly 200

    async def _taken(self, request: web.Request, tag: str, hold: Callable[[int], None]) -> web.Response:
        body = await self._read(request, hold)
        kind, packing = request.headers.get("Content-Type", ""), request.headers.get("Content-Encoding", "")
        decode = functools.partial(decode_body, body, content_type=kind, content_encoding=packing, tag=tag, limits=self._limits)
        try:
            chunk = await asyncio.to_thread(decode) if len(body) > _HEAVY else decode()
        except Unreadable as error:
            return await self._unreadable(error, request.remote or "", body)
        if chunk.packing:
            hold(len(chunk.data))
        chunk = msgspec.structs.replace(chunk, chunk_id=_identity(request, body))
        answer = _said(200, accepted=chunk.count, **({"rejected": len(chunk.rejected)} if chunk.rejected else {}))
        carried = Carried(line_of(request))
        if chunk.count or chunk.rejected:
            await self._context.accept(chunk, source=request.remote or "", carried=carried)
        self._counts["records"] += chunk.count
        self._counts["rejected"] += len(chunk.rejected)
        await answer.prepare(request)
        await answer.write_eof()
        carried.written = True
        return answer

    async def _read(self, request: web.Request, hold: Callable[[int], None]) -> bytes:
        largest, pieces = self._limits.body, bytearray()
        if (request.content_length or 0) > largest:
            raise PeerError(TOO_LARGE, f"the body is larger than {largest}")
        try:
            async with asyncio.timeout(self._options.request_timeout):
                async for piece in request.content.iter_any():
                    hold(len(piece))
                    pieces += piece
                    if len(pieces) > largest:
                        raise PeerError(TOO_LARGE, f"the body is larger than {largest}")
        except TimeoutError:
            self._counts["slow"] += 1
            raise Busy("the body took too long to come in") from None
        return bytes(pieces)

    async def _unreadable(self, error: Unreadable, peer: str, body: bytes) -> web.Response:
        """Kept as a dead letter at first sight, refused, and taken when the peer does not stop sending it."""
        key = hashlib.sha256(peer.encode() + b"\0" + body).digest()
        times = self._poison.pop(key, 0) + 1
        if times == 1:
            await self._context.accept(error.chunk, source=peer)
            self._counts["unreadable"] += 1
            self._once.warn(f"422 {peer}", f"nothing in a body of {peer} can be read, it is with the dead letters: {error}")
        if times >= _PATIENCE:
            self._counts["poison"] += 1
            return _said(200, accepted=0, rejected=1)
        if len(self._poison) >= _REMEMBERED:
            del self._poison[next(iter(self._poison))]
        self._poison[key] = times
        return _said(422, error=str(error))

    def _admitted(self, request: web.Request) -> bool:
        headers, peer = request.headers, request.remote
        if admitted(self._options.token, authorization=headers.get("Authorization", ""), key=headers.get("X-Api-Key", "")):
            return True
        self._counts["unauthorized"] += 1
        self._once.warn(f"401 {peer}", f"{peer} is turned away: its token is missing or wrong. Its records wait there, or are lost")
        return False

    @contextlib.contextmanager
    def _lease(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that reserves memory for one request or raises `Busy`; all of it is given back at the end."""
        mine = 0

        def hold(size: int) -> None:
            nonlocal mine
            if self._held > mine and self._held + size > self._options.memory:  # alone, a body has all the room it needs
                raise Busy("too many bodies at work")
            self._held += size
            mine += size

        try:
            yield hold
        finally:
            self._held -= mine


def _identity(request: web.Request, body: bytes) -> bytes:
    """What a request that is sent again has in common with its first copy: the sender's own key for it, or its body."""
    key = request.headers.get("Idempotency-Key")
    return key.encode("utf-8", "surrogateescape")[:256] if key else hashlib.blake2b(body, digest_size=16).digest()


def _later(busy: Busy) -> web.Response:
    """The one answer that makes every shipper wait and try again."""
    answer = _said(503, {"Retry-After": str(max(1, math.ceil(busy.retry_after)))}, error=busy.reason)
    answer.force_close()  # what is left of the body need not be read, and a new connection may find another host
    return answer


def _said(status: int, headers: dict[str, str] | None = None, /, **fields: int | str) -> web.Response:
    return web.Response(status=status, headers=headers, body=msgspec.json.encode(fields), content_type="application/json")
