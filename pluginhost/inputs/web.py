"""An HTTP listener that peers cannot hang, flood or litter with: what every door over HTTP stands on.

It bounds connections and silence, tells what is not HTTP once instead of with a stack trace each time, and ends at the
borders between requests. It knows no path and no record.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..metrics import Counts
from ..problem import Problem
from ..tls import Serving, serving_context
from .arrivals import Arrival, Arrivals, written
from .frames import frameless
from .once import Once
from .port import Line

__all__ = ["Listener", "line_of"]

_LOG = logging.getLogger(__name__)
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_LINGER = 2.0  # seconds in which the rest of a refused body is read away, so that the sender sees the answer


class Listener:
    """Serves `routes` at `bind`:`port`. Counts `busy` and `evicted` (connections too many), `garbage`, and with `tls` `tls_failed`."""

    def __init__(self, routes: Iterable[web.RouteDef], bind: str, port: int, *, connections: int, idle: float, counts: Counts,
                 tls: Serving | None = None) -> None:  # fmt: skip
        self._bind, self._port, self._counts = bind, port, counts
        self.address = f"{bind}:{port}"
        self._once = Once(_LOG)
        self._at_work, self._rest = 0, asyncio.Event()
        self._arrivals = Arrivals(self._served, connections, counts=counts, full=self._full, failed=self._not_tls,
                                  tls=serving_context(tls, self._not_tls) if tls else None)  # fmt: skip
        app = web.Application(middlewares=[_heard])
        app.add_routes(routes)
        self._runner = web.AppRunner(  # its keep-alive timeout also ends connections whose first request never comes whole
            app, access_log=None, logger=self._logger(), auto_decompress=False, keepalive_timeout=idle, lingering_time=_LINGER
        )

    async def start(self) -> None:
        """Listens; `Problem` if the address cannot be had."""
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(self._arrivals, self._bind, self._port)
        except OSError as error:
            await self._runner.cleanup()
            raise Problem("input.address", f"cannot listen on {self.address}: {error.strerror or error}") from None
        self.address = written(*self._listener.sockets[0].getsockname()[:2])

    async def stop(self, grace: float) -> None:
        """Takes no new connection, lets requests that are at work end, then closes; within `grace` seconds."""
        server = self._runner.server
        if server is None:
            return
        self._listener.close()
        reserve = min(1.0, grace / 2)
        if self._at_work:
            self._rest.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._rest.wait(), grace - reserve)
        self._arrivals.close()
        await server.shutdown(reserve / 2)
        await self._runner.cleanup()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Around each request: `stop` waits for it."""
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            if not self._at_work:
                self._rest.set()

    def _served(self, arrival: Arrival) -> asyncio.Protocol:
        server = self._runner.server
        return _Watched(server(), arrival) if server else _Closed(arrival)

    def _full(self, transport: asyncio.Transport) -> None:
        self._counts["busy"] += 1
        if self._arrivals.tls is None:
            transport.write(_FULL)

    def _not_tls(self, reason: str) -> None:
        self._counts["tls_failed"] += 1
        self._once.warn("tls", f"no TLS came about with a peer of {self.address}: {reason}")

    def _logger(self) -> logging.Logger:
        """For aiohttp, whose words about a peer's garbage are counted and told once, and whose debug lines are not wanted."""
        logger = logging.Logger(__name__)  # noqa: LOG001  # one a listener: its filter counts for this one
        logger.parent = _LOG
        logger.setLevel(logging.DEBUG)  # where it puts some of the garbage

        def wanted(record: logging.LogRecord) -> bool:
            error = record.exc_info[1] if record.exc_info else None
            if not isinstance(error, HttpProcessingError):
                return record.levelno >= logging.WARNING
            frameless(error)  # among its frames are those that read the connection, over TLS or not, and they hold it
            self._counts["garbage"] += 1
            self._once.warn("garbage", f"refused what is not proper HTTP at {self.address}: {type(error).__name__}")
            return False

        logger.addFilter(wanted)
        return logger


@web.middleware
async def _heard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Whoever makes a request is no newcomer any more."""
    protocol = request.transport.get_protocol() if request.transport else None
    if isinstance(protocol, _Watched):
        protocol.arrival.heard()
    return await handler(request)


def line_of(request: web.Request) -> Line:
    """The connection that the request came over; one that has ended if it is gone already."""
    protocol = request.transport.get_protocol() if request.transport else None
    line = protocol.line if isinstance(protocol, _Watched) else Line()
    line.ended = line.ended or request.transport is None
    return line


class _Watched(asyncio.Protocol):
    """A connection of aiohttp's, and how it ended: nobody else is told of a reset that comes after the answer was written."""

    def __init__(self, inner: asyncio.Protocol, arrival: Arrival) -> None:
        self.line, self.arrival, self._inner = Line(), arrival, inner
        self.data_received, self.eof_received = inner.data_received, inner.eof_received  # type: ignore[method-assign]  # no hop for each
        self.pause_writing, self.resume_writing = inner.pause_writing, inner.resume_writing  # type: ignore[method-assign]
        self.connection_made = inner.connection_made  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        """Notes it, and hands it on."""
        self.line.ended, self.line.reset = True, exc is not None
        self.arrival.left()
        self._inner.connection_lost(exc)


class _Closed(asyncio.Protocol):
    """Ends a connection that came while the door closed."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    def connection_made(self, _: asyncio.BaseTransport) -> None:
        self._arrival.abort()
