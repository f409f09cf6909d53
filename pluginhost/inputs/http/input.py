"""The HTTP door: records in any body that shippers send, answered once they are durable.

It listens, asks who is there, bounds what all requests hold together, and says no the way shippers understand. What a path means is in
`paths/`, one file for each family; what a request is allowed to do in `visit`; what a body means in `wire`.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web

from ...options import Duration, Secret, Size, doc
from ...problem import Busy, PeerError
from ...tls import Serving, names_of
from ...wire.bodies import Limits, Unreadable
from ..access import Access, Caller, Key, Offer
from ..frames import frameless
from ..once import Once
from ..port import Context
from ..web import Listener
from .paths import FAMILIES
from .visit import Forbidden, Say, Visit, later, said

__all__ = ["Http", "HttpOptions"]

_LOG = logging.getLogger(__name__)
_REMEMBERED = 1024  # unreadable bodies
_PATIENCE = 5  # times the same unreadable body of the same peer is refused before it is taken: one client would send it for ever
_COUNTERS = (
    "requests", "records", "rejected", "unreadable", "poison", "too_large", "unauthorized", "forbidden", "busy", "slow", "garbage",
    "evicted", "tls_failed",
)  # fmt: skip
_Family = Literal["ingest", "analyze", "mozdef", "bulk", "otlp", "splunk", "firehose", "openapi"]
_EVERY: tuple[_Family, ...] = ("ingest", "analyze", "mozdef", "bulk", "otlp", "splunk", "firehose", "openapi")


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `http`."""

    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 8088
    serve: Annotated[tuple[_Family, ...], doc("which families of paths are answered", min_length=1)] = _EVERY
    token: Annotated[Secret | None, doc("what senders must know: as bearer token, as password of basic auth, or in `X-Api-Key`")] = None
    keys: Annotated[tuple[Key, ...], doc("senders with a token of their own, perhaps bound to tags, addresses, certificates")] = ()
    tls: Annotated[Serving | None, doc("speak https")] = None
    allow_unauthenticated: Annotated[bool, doc("take records from other machines without asking who they are")] = False
    tag: Annotated[str, doc("tag of records that come without one", min_length=1)] = "http"
    verdict_timeout: Annotated[Duration, doc("how long `/v1/analyze` waits for a verdict before it says `pending`")] = Duration(1)
    elasticsearch_version: Annotated[str, doc("the version that clients of Elasticsearch are told", pattern=r"^\d+\.\d+\.\d+$")] = "8.17.0"
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
        self._access = Access(context.name, options.bind, token=options.token, keys=options.keys, tls=options.tls,
                              allowed=options.allow_unauthenticated)  # fmt: skip
        self.options, self.context = options, context
        self.limits = Limits(body=options.max_body, data=options.max_data)
        self._counts = context.metrics.counts(f"input.{context.name}", *_COUNTERS)
        self._once = Once(_LOG)
        routes = [route for name in dict.fromkeys(options.serve) for route in FAMILIES[name](self).routes()]
        self._listener = Listener(routes, options.bind, options.port, connections=options.connections, idle=options.idle_timeout,
                                  counts=self._counts, tls=options.tls)  # fmt: skip
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

    async def visited(self, request: web.Request, work: Callable[[Visit], Any], say: Say = said) -> web.StreamResponse:
        """What `work` answers to a request of a known peer, or what `say` makes of whatever stands in its way."""
        self._counts["requests"] += 1
        visit: Visit | None = None
        try:
            with self._listener.working(), self._lease() as hold:
                if self._draining:
                    raise Busy("draining")
                caller = self._caller(request)
                if caller is None:
                    return _unknown(say)
                visit = Visit(request, caller, self.context, self.limits, hold=hold, patience=self.options.request_timeout,
                              counts=self._counts)  # fmt: skip
                answer: web.StreamResponse = await work(visit)
                return answer
        except Busy as busy:
            self._counts["busy"] += 1
            return later(say(503, busy.reason), busy)
        except Forbidden as tag:
            return self._forbidden(request, visit, str(tag), say)
        except Unreadable as error:
            return await self._unreadable(error, request, visit, say)
        except PeerError as error:
            self._counts["too_large"] += 1
            self._once.warn(f"413 {request.remote}", f"refused a body of {request.remote}: {error}")
            return say(413, str(error))
        except (web.RequestPayloadError, ConnectionError) as error:
            frameless(error)  # the request keeps it, and it the part of the body that came
            return say(400, "the body broke off")
        except Exception:  # noqa: BLE001  # our own bug: senders must keep the records and try again, which no 500 makes them do
            _LOG.exception("a request of %s could not be served", request.remote)
            return later(say(503, "internal error"), Busy("internal error", 2))

    def _caller(self, request: web.Request) -> Caller | None:
        headers, transport = request.headers, request.transport
        shown = names_of(transport.get_extra_info("peercert")) if transport and self.options.tls else ()
        key = headers.get("X-Api-Key") or headers.get("X-Amz-Firehose-Access-Key") or ""
        offer = Offer(address=request.remote or "", authorization=headers.get("Authorization", ""), key=key, certificate=shown)
        caller = self._access.admit(offer)
        if caller is None:
            self._counts["unauthorized"] += 1
            peer = request.remote
            self._once.warn(f"401 {peer}", f"{peer} is turned away: its token is missing or wrong. Its records wait there, or are lost")
        return caller

    def _forbidden(self, request: web.Request, visit: Visit | None, tag: str, say: Say) -> web.Response:
        self._counts["forbidden"] += 1
        name = visit.caller.name if visit else ""
        self._once.warn(f"403 {name}", f"{name} at {request.remote} may not send records under the tag {tag}: they wait there, or are lost")
        return say(403, "this key may not use the tag")

    async def _unreadable(self, error: Unreadable, request: web.Request, visit: Visit | None, say: Say) -> web.Response:
        """Kept as a dead letter at first sight, refused, and taken when the peer does not stop sending it."""
        peer, body = request.remote or "", visit.body if visit else b""
        key = hashlib.sha256(peer.encode() + b"\0" + body).digest()
        times = self._poison.pop(key, 0) + 1
        if times == 1:
            try:
                await self.context.accept(error.chunk, source=peer)
            except Busy as busy:
                self._counts["busy"] += 1
                return later(say(503, busy.reason), busy)
            self._counts["unreadable"] += 1
            self._once.warn(f"422 {peer}", f"nothing in a body of {peer} can be read, it is with the dead letters: {error}")
        if times >= _PATIENCE:
            self._counts["poison"] += 1
            return say(200, accepted=0, rejected=1)
        if len(self._poison) >= _REMEMBERED:
            del self._poison[next(iter(self._poison))]
        self._poison[key] = times
        return say(422, str(error))

    @contextlib.contextmanager
    def _lease(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that reserves memory for one request or raises `Busy`; all of it is given back at the end."""
        mine = 0

        def hold(size: int) -> None:
            nonlocal mine
            if self._held > mine and self._held + size > self.options.memory:  # alone, a body has all the room it needs
                raise Busy("too many bodies at work")
            self._held += size
            mine += size

        try:
            yield hold
        finally:
            self._held -= mine


def _unknown(say: Say) -> web.Response:
    answer = say(401, "token missing or wrong")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
