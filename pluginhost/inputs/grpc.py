"""The gRPC door: `pluginhost.v1.Ingest/Send` takes a stream of batches and acknowledges each, in order, once it is durable.

Several batches of a stream are at work at a time, so that they share a disk sync; more are not read, and HTTP/2 flow
control slows the sender down. A batch that cannot be read is acknowledged with its error, and harms no other. The stream
itself ends only when the sender must come back later: overload or shutdown, told as UNAVAILABLE.

The protocol has no ids: a batch that comes again is known by its content. Only an ack that was not written counts as lost: that a call
was cancelled says nothing, for many senders end theirs so.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import math
from typing import Annotated
from urllib.parse import unquote

import grpc
import msgspec
from google.protobuf.message import DecodeError

from ..options import Duration, Secret, Size, doc
from ..problem import Busy, PeerError, Problem, printable
from ..wire.bodies import Limits, Unreadable, decode_body
from ..wire.chunk import Chunk
from ..wire.v1 import ingest_pb2 as pb
from .access import Access, Offer
from .once import Once
from .port import Carried, Context, Line

__all__ = ["Grpc", "GrpcOptions"]

_LOG = logging.getLogger(__name__)
_TYPES = {pb.ENCODING_MSGPACK: "application/msgpack", pb.ENCODING_JSON: "application/json"}
_COUNTERS = ("streams", "batches", "records", "rejected", "unreadable", "too_large", "unauthorized", "busy", "garbage")
_HEAVY = 256 << 10  # messages above this are read in a thread, so that others are served meanwhile
_Stream = grpc.aio.ServicerContext[bytes, pb.Ack]
_Acks = asyncio.Queue[tuple[Carried, asyncio.Task[pb.Ack]] | None]


class GrpcOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `grpc`."""

    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 24226
    token: Annotated[Secret | None, doc("what senders must know: metadata `authorization: Bearer …` or `x-api-key`")] = None
    allow_unauthenticated: Annotated[bool, doc("take records from other machines without a token")] = False
    tag: Annotated[str, doc("tag of batches that come without one", min_length=1)] = "grpc"
    max_message: Annotated[Size, doc("most bytes of a message", ge=1)] = Size(64 << 20)
    max_data: Annotated[Size, doc("most bytes of a payload after unpacking", ge=1)] = Size(64 << 20)
    memory: Annotated[Size, doc("most bytes of all batches at work at a time; above it nothing more is read", ge=1)] = Size(256 << 20)
    streams: Annotated[int, doc("most open streams; further ones are told to wait", ge=1)] = 64
    in_flight: Annotated[int, doc("most batches of one stream at work at a time", ge=1)] = 16
    busy_timeout: Annotated[Duration, doc("how long a batch may wait for room before the stream ends")] = Duration(20)
    keepalive: Annotated[Duration, doc("how long a connection may be silent before it is asked whether it lives")] = Duration(60)


class Grpc:
    """The door; see the head of this file."""

    Options = GrpcOptions

    def __init__(self, options: GrpcOptions, context: Context) -> None:
        self._access = Access(context.name, options.bind, token=options.token, allowed=options.allow_unauthenticated)
        self._options, self._context = options, context
        self._limits = Limits(body=options.max_message, data=options.max_data)
        self._counts = context.metrics.counts(f"input.{context.name}", *_COUNTERS)
        self._once = Once(_LOG)
        self._server: grpc.aio.Server | None = None
        self._readers: set[asyncio.Task[None]] = set()
        self._draining, self._open, self._held = False, 0, 0
        self._room = asyncio.Event()
        self._room.set()
        self.address = _address(options.bind, options.port)

    async def start(self) -> None:
        """Listens; `Problem` if the address cannot be had."""
        silence = int(self._options.keepalive * 1000)
        server = grpc.aio.server(options=[
            ("grpc.max_receive_message_length", int(self._options.max_message)),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_time_ms", silence),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ])  # fmt: skip
        method = grpc.stream_stream_rpc_method_handler(self._send, response_serializer=pb.Ack.SerializeToString)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pluginhost.v1.Ingest", {"Send": method}),))
        try:
            port = server.add_insecure_port(self.address)
        except RuntimeError:
            raise Problem("input.address", f"cannot listen on {self.address}: it is taken, or none of this machine") from None
        self.address = _address(self._options.bind, port)
        await server.start()
        self._server = server

    async def drain(self, grace: float) -> None:
        """Takes no more, acknowledges what was read, ends the streams."""
        self._draining = True
        for reader in self._readers:
            reader.cancel()
        if self._server:
            await self._server.stop(grace)

    async def _send(self, _: object, stream: _Stream) -> None:
        self._counts["streams"] += 1
        failure = self._turned_away(stream)
        if not failure:
            self._open += 1
            try:
                failure = await self._serve(stream)
            finally:
                self._open -= 1
        if isinstance(failure, Busy):
            self._counts["busy"] += 1
            await _come_back(stream, failure)
        elif failure:
            code = grpc.StatusCode.UNAUTHENTICATED if failure.reason == "unauthorized" else grpc.StatusCode.INVALID_ARGUMENT
            await stream.abort(code, str(failure))

    def _turned_away(self, stream: _Stream) -> Busy | PeerError | None:
        if self._draining or self._open >= self._options.streams:
            return Busy("draining" if self._draining else "too many streams")
        said = {key: value for key, value in stream.invocation_metadata() or () if isinstance(value, str)}
        if self._access.admit(Offer(authorization=said.get("authorization", ""), key=said.get("x-api-key", ""))):
            return None
        self._counts["unauthorized"] += 1
        peer = _source(stream)
        self._once.warn(f"token {peer}", f"{peer} is turned away: its token is missing or wrong. Its records wait there, or are lost")
        return PeerError("unauthorized", "token missing or wrong")

    async def _serve(self, stream: _Stream) -> Busy | PeerError | None:
        """Acknowledges until the sender is done, or returns why it must stop; what is unacknowledged then comes again."""
        failure: Busy | PeerError | None = None
        line = Line()
        acks: _Acks = asyncio.Queue()
        slots = asyncio.Semaphore(self._options.in_flight)
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(stream, line, group, acks, slots))
                self._readers.add(reader)
                reader.add_done_callback(self._readers.discard)
                while (owed := await acks.get()) is not None:
                    carried, ack = owed
                    await stream.write(await ack)
                    carried.written = True
                    slots.release()
        except* (Busy, PeerError) as failures:
            failure = next(one for one in failures.exceptions if isinstance(one, (Busy, PeerError)))
        except* Exception:  # noqa: BLE001  # our own bug: what the sender still has must come again
            _LOG.exception("a stream of %s could not be served", _source(stream))
            failure = Busy("internal error", 2)
        finally:
            line.ended = True
        return failure or (Busy("draining") if reader.cancelled() else None)

    async def _read(self, stream: _Stream, line: Line, group: asyncio.TaskGroup, acks: _Acks, slots: asyncio.Semaphore) -> None:
        """Reads ahead and starts each batch in its order; ends with the stream, or when `drain` cancels it."""
        source = _source(stream)
        try:
            while True:
                await slots.acquire()
                await self._room.wait()
                if (message := await stream.read()) is grpc.aio.EOF:  # type: ignore[attr-defined]  # missing in the stubs
                    break
                chunk, ack = await self._decoded(message, source)
                carried = Carried(line)
                acks.put_nowait((carried, group.create_task(self._kept(chunk, ack, source, carried))))
        finally:
            acks.put_nowait(None)

    async def _decoded(self, message: bytes, source: str) -> tuple[Chunk | None, pb.Ack]:
        """What to keep of a batch, if anything, and what to say once it is kept."""
        try:
            batch = pb.Batch.FromString(message)
        except DecodeError:
            self._counts["garbage"] += 1
            raise PeerError("garbage", "this is no pluginhost.v1.Batch") from None
        self._counts["batches"] += 1
        decode = functools.partial(
            decode_body, batch.payload, content_type=_TYPES.get(batch.encoding, ""), content_encoding=batch.compression,
            tag=printable(batch.tag, 256) or self._options.tag, limits=self._limits,
        )  # fmt: skip
        try:
            chunk = await asyncio.to_thread(decode) if len(message) > _HEAVY else decode()
        except PeerError as error:
            unreadable = isinstance(error, Unreadable)
            self._counts["unreadable" if unreadable else "too_large"] += 1
            self._once.warn(f"batch {source}", f"a batch of {source} can never be accepted: {error}")
            return error.chunk if isinstance(error, Unreadable) else None, pb.Ack(sequence=batch.sequence, rejected=1, error=str(error))
        chunk = msgspec.structs.replace(chunk, chunk_id=hashlib.blake2b(batch.payload, digest_size=16).digest())
        return chunk, pb.Ack(sequence=batch.sequence, accepted=chunk.count, rejected=len(chunk.rejected))

    async def _kept(self, chunk: Chunk | None, ack: pb.Ack, source: str, carried: Carried) -> pb.Ack:
        """The ack, once it is true."""
        if chunk and (chunk.count or chunk.rejected):
            size = len(chunk.data)
            self._hold(size)
            try:
                await self._accepted(chunk, source, carried)
            finally:
                self._hold(-size)
            self._counts["records"] += chunk.count
            self._counts["rejected"] += len(chunk.rejected)
        return ack

    async def _accepted(self, chunk: Chunk, source: str, carried: Carried) -> None:
        """Waits while nothing more can be taken: unread messages slow the sender down. Raises the last `Busy` in the end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.busy_timeout
        while True:
            try:
                await self._context.accept(chunk, source=source, carried=carried)
            except Busy as busy:
                if self._draining or loop.time() + busy.retry_after > until:
                    raise
                await asyncio.sleep(busy.retry_after)
            else:
                return

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held < self._options.memory:
            self._room.set()
        else:
            self._room.clear()


async def _come_back(stream: _Stream, busy: Busy) -> None:
    """Ends the stream so that every client tries again: UNAVAILABLE, and for those that look at it how long to wait."""
    wait = min(max(1, math.ceil(busy.retry_after)), 127)
    details = (("grpc-status-details-bin", _retry_info(wait)), ("grpc-retry-pushback-ms", str(wait * 1000)))
    await stream.abort(grpc.StatusCode.UNAVAILABLE, busy.reason, details)


def _retry_info(seconds: int) -> bytes:
    """A `google.rpc.Status` whose only detail is a `google.rpc.RetryInfo`; small enough to need no generated code."""

    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    duration = bytes([1 << 3, seconds])
    detail = field(1, b"type.googleapis.com/google.rpc.RetryInfo") + field(2, field(1, duration))
    return bytes([1 << 3, grpc.StatusCode.UNAVAILABLE.value[0]]) + field(3, detail)


def _source(stream: _Stream) -> str:
    """The peer's address without its port, or the kind of its socket."""
    kind, _, rest = unquote(stream.peer()).partition(":")
    return rest.rpartition(":")[0].strip("[]") if kind in ("ipv4", "ipv6") else kind


def _address(bind: str, port: int) -> str:
    return f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}"
