"""The forward door: what Fluentd, Fluent Bit and the fluent loggers send, over TCP, with UDP heartbeats on the same port.

Built-in, thin: it listens, bounds the connections and what they hold together, and tells the world about it. What happens
on one connection is in `forward_peer`, what the bytes mean in `wire.forward`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from ..options import Duration, Size, doc
from ..problem import Problem
from ..wire.forward import Limits
from .forward_door import DOOR_COUNTERS, Door, Manners
from .forward_peer import Peer
from .once import Once
from .port import Context

__all__ = ["Forward", "ForwardOptions"]

_LOG = logging.getLogger(__name__)
_TRIES = 5  # how often a port is chosen that may be free for TCP and UDP alike
_MANY = Size(256 << 20)


class ForwardOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `forward`; where Fluentd has the same, it has the same name."""

    port: Annotated[int, doc("port for TCP, and for UDP heartbeats; 0 takes any free one", ge=0, le=65535)] = 24224
    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    backlog: Annotated[int, doc("connections that may wait to be taken in", ge=1)] = 512
    tag: Annotated[str, doc("replaces the tag of every record")] = ""
    add_tag_prefix: Annotated[str, doc("put before every tag, with a dot between")] = ""
    chunk_size_warn_limit: Annotated[Size | None, doc("a larger frame is taken with a warning")] = None
    chunk_size_limit: Annotated[Size, doc("most bytes of a frame as sent; a larger one closes its connection", ge=1)] = Size(32 << 20)
    decompression_size_limit: Annotated[Size, doc("most bytes of a frame unpacked; a larger one is a dead letter", ge=1)] = Size(64 << 20)
    entries_limit: Annotated[int, doc("most records of a frame; more close its connection", ge=1)] = 500_000
    depth_limit: Annotated[int, doc("how deep maps and lists may nest; a deeper record is a dead letter", ge=1, le=128)] = 64
    connections: Annotated[int, doc("most connections at a time", ge=1)] = 1024
    half_frame_bytes: Annotated[Size, doc("most bytes of unfinished frames, over all connections", ge=1)] = _MANY
    waiting_bytes: Annotated[Size, doc("bytes of one connection not yet durable, above which it is not read", ge=1)] = Size(8 << 20)
    waiting_bytes_all: Annotated[Size, doc("the same over all connections, above which none is read", ge=1)] = _MANY
    progress_timeout: Annotated[Duration, doc("how long an unfinished frame may not grow before its connection is closed")] = Duration(30)
    frame_timeout: Annotated[Duration, doc("how long a frame may take to come in before its connection is closed")] = Duration(120)
    idle_timeout: Annotated[Duration | None, doc("how long a connection may send nothing before it is closed; never by default")] = None
    busy_timeout: Annotated[Duration, doc("how long a sender waits for its ack while nothing can be taken, at most")] = Duration(20)
    deny_keepalive: Annotated[bool, doc("whether each connection is closed after its first frame, so that a balancer spreads them")] = False
    heartbeat: Annotated[bool, doc("whether UDP heartbeats are answered")] = True


class Forward:
    """The door; see the head of this file."""

    Options = ForwardOptions

    def __init__(self, options: ForwardOptions, context: Context) -> None:
        self._options, self._log = options, Once(_LOG)
        self._counts = context.metrics.counts(f"input.{context.name}", *DOOR_COUNTERS)
        self._door = Door(_limits(options), _manners(options), context.accept, _retag(options), self._counts, self._log)
        self._server: asyncio.Server | None = None
        self._heartbeats = list[asyncio.DatagramTransport]()
        self.address = _written(options.bind, options.port)

    async def start(self) -> None:
        """Listens; raises `Problem` (code `input.address`) when the address cannot be had."""
        tries = _TRIES if self._options.port == 0 else 1
        while not self._server:
            tries -= 1
            try:
                await self._listen()
            except OSError as error:
                self._stop_listening()
                if not tries:
                    raise _no_address(self.address, error) from None

    async def _listen(self) -> None:
        loop, options = asyncio.get_running_loop(), self._options
        self._server = await loop.create_server(self._peer, options.bind, options.port, backlog=options.backlog)
        names = [bound.getsockname()[:2] for bound in self._server.sockets]
        for name in names if options.heartbeat else []:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Heartbeat(self._counts), local_addr=name)
            self._heartbeats.append(transport)
        self.address = _written(*names[0])

    def _peer(self) -> asyncio.Protocol:
        return Peer(self._door) if len(self._door.members) < self._options.connections else _Refusal(self._counts, self._log)

    def _stop_listening(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for transport in self._heartbeats:
            transport.close()
        self._heartbeats.clear()

    async def drain(self, grace: float) -> None:
        """Stops taking connections, answers what was read, closes at message boundaries; returns within `grace` seconds."""
        self._stop_listening()
        await self._door.drain(grace)


def _limits(options: ForwardOptions) -> Limits:
    return Limits(
        frame=options.chunk_size_limit, data=options.decompression_size_limit, entries=options.entries_limit, depth=options.depth_limit
    )


def _manners(options: ForwardOptions) -> Manners:
    return Manners(
        progress=options.progress_timeout,
        frame=options.frame_timeout,
        idle=options.idle_timeout,
        busy=options.busy_timeout,
        waiting=options.waiting_bytes,
        waiting_all=options.waiting_bytes_all,
        half_all=options.half_frame_bytes,
        once=options.deny_keepalive,
        warn_size=options.chunk_size_warn_limit,
    )


def _retag(options: ForwardOptions) -> Callable[[str], str]:
    """What becomes of a tag, decided once."""
    prefix, fixed = f"{options.add_tag_prefix}." if options.add_tag_prefix else "", options.tag
    if fixed:
        return lambda _: prefix + fixed
    return (lambda tag: prefix + tag) if prefix else (lambda tag: tag)


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _no_address(address: str, error: OSError) -> Problem:
    todo = "another Fluentd, Fluent Bit or pluginhost may have it: stop that, or choose another `port`"
    return Problem("input.address", f"cannot listen on {address}: {error.strerror or error}", todo=todo)


class _Refusal(asyncio.Protocol):
    """One connection too many."""

    def __init__(self, counts: dict[str, int], log: Once) -> None:
        self._counts, self._log = counts, log

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._counts["refused"] += 1
        self._log.warn("connections", "one connection too many was closed; the option `connections` bounds them")
        transport.close()


class _Heartbeat(asyncio.DatagramProtocol):
    """Answers any datagram, also an empty one, with one zero byte."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._counts["heartbeats"] += 1
        self._transport.sendto(b"\0", addr)
