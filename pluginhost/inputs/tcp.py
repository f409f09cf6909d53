"""The TCP door: a record a line, for senders that know nothing better (syslog over TCP, JSON lines of loggers).

The protocol has no answers. A line counts as taken once it is durable, but its sender is never told: what was on its way when a connection
or a machine failed is lost. So nothing is ever dropped here while it can be held: when nothing can be taken, nothing is read, and
the sender waits. What lines mean is in `wire.lines`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, cast

import msgspec

from ..metrics import Counts
from ..options import Duration, Size, doc
from ..problem import Busy, Problem, printable
from ..tls import Serving, serving_context
from ..wire.lines import Form, Lines, chunk_of
from ..wire.sieve import Limits
from .access import Access, inside, networks
from .arrivals import Arrival, Arrivals, written
from .once import Once
from .port import Context

__all__ = ["Tcp", "TcpOptions"]

_LOG = logging.getLogger(__name__)
_COUNTERS = ("connections", "open", "records", "rejected", "busy", "refused", "evicted", "unauthorized", "tls_failed", "lost")
_LIMITS = Limits()
_LINES = 20_000  # most lines of a chunk


class TcpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `tcp`."""

    bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
    port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 5170
    tls: Annotated[Serving | None, doc("speak TLS")] = None
    networks: Annotated[tuple[str, ...], doc("addresses that senders may come from, such as `10.1.0.0/16`; none named: any")] = ()
    allow_unauthenticated: Annotated[bool, doc("take records from other machines without asking who they are")] = False
    tag: Annotated[str, doc("tag of the records", min_length=1)] = "tcp"
    format: Annotated[
        Form, doc("`auto`: a line that is a JSON object is a record, any other a message; `lines`: each is a message; `json`: only objects")
    ] = "auto"
    max_line: Annotated[Size, doc("most bytes of a line; a longer one is a dead letter", ge=1024, le=8 << 20)] = Size(1 << 20)
    waiting_bytes: Annotated[Size, doc("bytes of one connection not yet durable, above which it is not read", ge=1)] = Size(1 << 20)
    connections: Annotated[int, doc("most connections at a time", ge=1)] = 256
    idle_timeout: Annotated[Duration | None, doc("how long a connection may send nothing before it is closed; never by default")] = None


class Tcp:
    """The door; see the head of this file."""

    Options = TcpOptions

    def __init__(self, options: TcpOptions, context: Context) -> None:
        Access(context.name, options.bind, tls=options.tls, allowed=options.allow_unauthenticated)  # the protocol has no place for a token
        self.options, self.context, self.once, self.closing = options, context, Once(_LOG), False
        self.counts: Counts = context.metrics.counts(f"input.{context.name}", *_COUNTERS)
        self.networks = networks(options.networks, f"input {context.name}")
        self.address = f"{options.bind}:{options.port}"
        tls = serving_context(options.tls, self._no_tls) if options.tls else None
        self._arrivals = Arrivals(self._served, options.connections, counts=self.counts, full=self._full, tls=tls, failed=self._no_tls)
        self._open, self._server = set[_Connection](), list[asyncio.Server]()

    async def start(self) -> None:
        """Listens; `Problem` if the address cannot be had."""
        try:
            server = await asyncio.get_running_loop().create_server(self._arrivals, self.options.bind, self.options.port)
        except OSError as error:
            raise Problem("input.address", f"cannot listen on {self.address}: {error.strerror or error}") from None
        self._server.append(server)
        self.address = written(*server.sockets[0].getsockname()[:2])

    async def drain(self, grace: float) -> None:
        """Reads no more, makes durable what was read, closes; what is not durable after `grace` seconds is lost, and said so."""
        self.closing = True
        for server in self._server:
            server.close()
        self._arrivals.close()
        working = {connection.end() for connection in list(self._open)}
        if working:
            await asyncio.wait(working, timeout=grace)
        for connection in list(self._open):
            connection.abort()

    def _served(self, arrival: Arrival) -> asyncio.Protocol:
        connection = _Connection(self, arrival)
        self._open.add(connection)
        return connection

    def gone(self, connection: _Connection) -> None:
        """All that a connection brought is durable, or lost."""
        self._open.discard(connection)

    def _full(self, _: asyncio.Transport) -> None:
        self.counts["refused"] += 1
        self.once.warn("connections", "one connection too many was closed; the option `connections` bounds them")

    def _no_tls(self, reason: str) -> None:
        self.counts["tls_failed"] += 1
        self.once.warn("tls", f"no TLS came about with a peer of {self.address}: {reason}")


class _Connection(asyncio.Protocol):
    """One connection, and the task that makes durable what comes over it, as much at a time as came during the last sync."""

    def __init__(self, door: Tcp, arrival: Arrival) -> None:
        self._door, self._arrival, self._lines = door, arrival, Lines(door.options.max_line)
        self._waiting, self._size, self._over, self._paused = list[bytes](), 0, False, False
        self._wake, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._heard, self._timer = self._loop.time(), cast("asyncio.TimerHandle | None", None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it in, if it comes from where it may."""
        self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername")
        self._source = str(name[0]) if name else ""
        self._door.counts["connections"] += 1
        self._door.counts["open"] += 1
        self._task = self._loop.create_task(self._keep())
        if self._door.networks and not inside(self._source, self._door.networks):
            self._door.counts["unauthorized"] += 1
            self._door.once.warn(f"network {self._source}", f"{self._source} is turned away: it is in none of `networks`")
            self._transport.abort()
        self._look()

    def data_received(self, data: bytes) -> None:
        """Takes the lines that are whole."""
        self._heard = self._loop.time()
        self._add(self._lines.feed(data))

    def eof_received(self) -> bool:
        """The last line may lack its end."""
        self._add(self._lines.rest())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """What came is still made durable."""
        if self._timer:
            self._timer.cancel()
        self._arrival.left()
        self._door.counts["open"] -= 1
        self._over = True
        self._wake.set()

    def end(self) -> asyncio.Task[None]:
        """Reads no more; the task that ends when all is durable."""
        self._transport.close()
        return self._task

    def abort(self) -> None:
        """Gives up what is not durable."""
        self._door.counts["lost"] += len(self._waiting)
        if self._waiting:
            _LOG.error("%d lines of %s came in and could not be kept before the stop", len(self._waiting), printable(self._source, 100))
        self._task.cancel()
        self._door.gone(self)

    def _add(self, lines: list[bytes]) -> None:
        if not (lines or self._lines.cut):
            return
        self._arrival.heard()
        self._waiting += lines
        self._size += sum(map(len, lines))
        self._wake.set()
        if self._size > self._door.options.waiting_bytes and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _look(self) -> None:
        """Closes a connection that has been silent for too long."""
        patience = self._door.options.idle_timeout
        if patience is None:
            return
        if self._loop.time() - self._heard >= patience and not self._paused:
            self._transport.close()
        else:
            self._timer = self._loop.call_later(max(patience - (self._loop.time() - self._heard), 0.05), self._look)

    async def _keep(self) -> None:
        while not (self._over and not self._waiting and not self._lines.cut):
            await self._wake.wait()
            self._wake.clear()
            while self._waiting or self._lines.cut:
                lines, cut = self._waiting[:_LINES], self._lines.cut
                self._lines.cut = []
                await self._durable(lines, cut)
                del self._waiting[: len(lines)]
                self._size -= sum(map(len, lines))
                self._go_on()
        self._door.gone(self)

    async def _durable(self, lines: list[bytes], cut: list[bytes]) -> None:
        """Returns once they are; while nothing can be taken it waits, and the connection is not read."""
        options, counts = self._door.options, self._door.counts
        chunk = chunk_of(lines, options.format, tag=options.tag, limits=_LIMITS, cut=cut)
        while True:
            try:
                await self._door.context.accept(chunk, source=self._source)
            except Busy as busy:
                counts["busy"] += 1
                await asyncio.sleep(min(max(busy.retry_after, 0.01), 1.0))
            else:
                break
        counts["records"] += chunk.count
        counts["rejected"] += len(chunk.rejected)

    def _go_on(self) -> None:
        if self._paused and self._size <= self._door.options.waiting_bytes and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
