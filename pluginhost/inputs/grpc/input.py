"""The gRPC door: it listens, asks who is there, bounds what all calls hold together, and says no the way clients understand.

What a method means is in `services/`, one file for each family; what a call is allowed to do in `call`. A call ends with UNAVAILABLE when
the peer must come back later (overload, shutdown, a bug of ours), and says how long to wait in each way that some client looks for;
with INVALID_ARGUMENT when what it sent can never be accepted.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Annotated, Any, Literal

import grpc
import msgspec

from ...options import Duration, Secret, Size, doc
from ...problem import Busy, PeerError, Problem, printable
from ...tls import Serving
from ...wire.bodies import Limits
from ...wire.status import retry_info, status
from ..access import Access, Caller, Key, Offer
from ..arrivals import written
from ..frames import frameless
from ..once import Once
from ..port import Context
from . import credentials
from .call import Call, Refused, Stream, Work, source_of
from .services import FAMILIES

__all__ = ["Grpc", "GrpcOptions"]

_LOG = logging.getLogger(__name__)
_COUNTERS = (
    "calls", "batches", "records", "rejected", "unreadable", "too_large", "unauthorized", "forbidden", "busy", "garbage", "alerts",
)  # fmt: skip
_PUBLIC = 64  # most open calls of peers that nobody asked who they are
_HANDSHAKE = 10.0  # seconds that a connection may take to begin with HTTP/2, or with TLS: until then it costs memory and says nothing
_AT_ONCE = 1024  # calls that one connection may have open; what is above `streams` is told to wait by us, with words
_Family = Literal["ingest", "analyze", "alerts", "otlp", "health", "reflection"]
_EVERY: tuple[_Family, ...] = ("ingest", "analyze", "alerts", "otlp", "health", "reflection")


class GrpcOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `grpc`."""

    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 24226
    serve: Annotated[tuple[_Family, ...], doc("which families of services are served", min_length=1)] = _EVERY
    token: Annotated[Secret | None, doc("what senders must know: metadata `authorization: Bearer …` or `x-api-key`")] = None
    keys: Annotated[tuple[Key, ...], doc("senders with a token of their own, perhaps bound to tags, addresses, certificates")] = ()
    tls: Annotated[Serving | None, doc("speak TLS")] = None
    allow_unauthenticated: Annotated[bool, doc("take records from other machines without asking who they are")] = False
    tag: Annotated[str, doc("tag of records that come without one", min_length=1)] = "grpc"
    verdict_timeout: Annotated[Duration, doc("how long `Analyze` waits for a verdict before it says `pending`")] = Duration(1)
    max_message: Annotated[Size, doc("most bytes of a message", ge=1)] = Size(64 << 20)
    max_data: Annotated[Size, doc("most bytes of a payload after unpacking", ge=1)] = Size(64 << 20)
    memory: Annotated[Size, doc("most bytes of all batches at work at a time; above it nothing more is read", ge=1)] = Size(256 << 20)
    streams: Annotated[int, doc("most open calls; further ones are told to wait", ge=1)] = 64
    in_flight: Annotated[int, doc("most batches of one stream at work at a time", ge=1)] = 16
    busy_timeout: Annotated[Duration, doc("how long a batch may wait for room before the stream ends")] = Duration(20)
    keepalive: Annotated[Duration, doc("how long a connection may be silent before it is asked whether it lives")] = Duration(60)
    connections: Annotated[int, doc("most open connections; a further one is closed", ge=1, le=1_000_000)] = 4096
    idle_timeout: Annotated[Duration, doc("how long a connection may stay open without a call", ge=1)] = Duration(75)


class Grpc:
    """The door; see the head of this file."""

    Options = GrpcOptions

    def __init__(self, options: GrpcOptions, context: Context) -> None:
        self._access = Access(context.name, options.bind, token=options.token, keys=options.keys, tls=options.tls,
                              allowed=options.allow_unauthenticated)  # fmt: skip
        self.options, self.context = options, context
        self.limits = Limits(body=options.max_message, data=options.max_data)
        self.counts = context.metrics.counts(f"input.{context.name}", *_COUNTERS)
        self.once = Once(_LOG)
        self.draining = False
        self._credentials = credentials.credentials(options.tls) if options.tls else None
        self._server: grpc.aio.Server | None = None
        self._readers: set[asyncio.Task[Any]] = set()
        self._open = {False: 0, True: 0}  # calls, those of the public apart
        self._held, self._room = 0, asyncio.Event()
        self._room.set()
        made = [FAMILIES[name](self).methods() for name in dict.fromkeys(options.serve)]
        self._methods = {name: methods for family in made for name, methods in family.items()}
        self.address = written(options.bind, options.port)

    @property
    def names(self) -> list[str]:
        """The services that it serves."""
        return list(self._methods)

    async def start(self) -> None:
        """Listens; `Problem` if the address cannot be had."""
        silence = int(self.options.keepalive * 1000)
        server = grpc.aio.server(options=[
            ("grpc.max_receive_message_length", int(self.options.max_message)),
            ("grpc.max_concurrent_streams", _AT_ONCE),
            ("grpc.max_allowed_incoming_connections", self.options.connections),
            ("grpc.max_connection_idle_ms", int(self.options.idle_timeout * 1000)),
            ("grpc.so_reuseport", 0),
            ("grpc.server_handshake_timeout_ms", int(_HANDSHAKE * 1000)),
            ("grpc.keepalive_time_ms", silence),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ])  # fmt: skip
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(*one) for one in self._methods.items()])
        try:
            port = server.add_secure_port(self.address, self._credentials) if self._credentials else server.add_insecure_port(self.address)
        except RuntimeError:
            raise Problem("input.address", f"cannot listen on {self.address}: it is taken, or none of this machine") from None
        self.address = written(self.options.bind, port)
        await server.start()
        self._server = server

    async def drain(self, grace: float) -> None:
        """Takes no more, acknowledges what was read, ends the streams."""
        self.draining = True
        for reader in list(self._readers):
            reader.cancel()
        if self._server:
            await self._server.stop(grace)

    def method(self, work: Work, *, public: bool = False) -> grpc.RpcMethodHandler[bytes, bytes]:
        """A method that `work` answers to peers that were let in; `public`: to everybody."""

        async def called(_: object, stream: Stream) -> None:
            await self._called(stream, work, public)

        return grpc.stream_stream_rpc_method_handler(called)

    async def _called(self, stream: Stream, work: Work, public: bool) -> None:
        self.counts["calls"] += 1
        try:
            call = Call(stream, self._caller(stream, public), self._readers)
            self._open[public] += 1
            try:
                await work(call)
            finally:
                call.line.ended = True
                self._open[public] -= 1
        except Busy as busy:
            frameless(busy)  # here and below: the library keeps the error that ends the call, and with it this one and the message
            self.counts["busy"] += 1
            await _come_back(stream, busy)
        except Refused as refused:
            frameless(refused)
            await stream.abort(refused.code, printable(str(refused), 500))
        except PeerError as error:
            frameless(error)
            await stream.abort(grpc.StatusCode.INVALID_ARGUMENT, printable(str(error), 500))
        except Exception:  # noqa: BLE001  # our own bug: what the sender still has must come again
            _LOG.exception("a call of %s could not be served", source_of(stream))
            await _come_back(stream, Busy("internal error", 2))

    def _caller(self, stream: Stream, public: bool) -> Caller:
        if public:
            if self._open[public] >= _PUBLIC:
                raise Busy("too many calls")
            return Caller()
        if self.draining or self._open[public] >= self.options.streams:
            raise Busy("draining" if self.draining else "too many streams")
        caller = self._access.admit(_offer(stream, bool(self.options.tls)))
        if caller is None:
            self.counts["unauthorized"] += 1
            peer = source_of(stream)
            self.once.warn(f"token {peer}", f"{peer} is turned away: its token is missing or wrong. Its records wait there, or are lost")
            raise Refused(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: token missing or wrong")
        return caller

    @property
    def full(self) -> bool:
        """Whether there is no memory for more."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Waits until there is memory for one more batch."""
        await self._room.wait()

    def hold(self, size: int) -> None:
        """Takes so much of the memory, or gives it back if negative."""
        self._held += size
        if self._held < self.options.memory:
            self._room.set()
        else:
            self._room.clear()


async def _come_back(stream: Stream, busy: Busy) -> None:
    """Ends the call so that every client tries again: UNAVAILABLE, and for those that look at it how long to wait."""
    wait = max(1, math.ceil(busy.retry_after))
    info = retry_info(wait)
    await stream.abort(grpc.StatusCode.UNAVAILABLE, busy.reason, (
        ("grpc-status-details-bin", status(grpc.StatusCode.UNAVAILABLE.value[0], busy.reason, info)),
        ("google.rpc.retryinfo-bin", info),
        ("grpc-retry-pushback-ms", str(wait * 1000)),
    ))  # fmt: skip


def _offer(stream: Stream, tls: bool) -> Offer:
    said = {key: value for key, value in stream.invocation_metadata() or () if isinstance(value, str)}
    return Offer(address=source_of(stream), authorization=said.get("authorization", ""), key=said.get("x-api-key", ""),
                 certificate=credentials.names_of(stream) if tls else ())  # fmt: skip
