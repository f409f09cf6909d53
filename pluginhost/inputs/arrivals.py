"""Connections as they arrive at a TCP door: how many there may be, who goes when there are too many, and TLS before anything else.

A connection counts from the moment it is taken in, before its handshake, so that none of what it costs is unbounded. Until it has said
something sensible it is a newcomer; when the door is full, the newcomer that was silent longest makes room for the next. So ten thousand
that only connect keep nobody out. Nothing here knows a protocol.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, MutableMapping
from typing import cast

from .frames import frameless

__all__ = ["Arrival", "Arrivals", "written"]

_GOODBYE = 1.0  # seconds that a peer gets to answer our close_notify
_Full = Callable[[asyncio.Transport], object]


def written(host: str, port: int) -> str:
    """An address as people write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Arrivals:
    """The protocol factory of a listener.

    `serve` makes what serves a connection that was let in; it must say when it has `heard` something and when it has `left`. `full` is
    called with the transport of a connection that finds no room, which is closed then; `failed` when a handshake takes longer than
    `patience` seconds. Counts `evicted`: newcomers that made room.
    """

    def __init__(self, serve: Callable[[Arrival], asyncio.Protocol], most: int, *, counts: MutableMapping[str, int], full: _Full,
                 tls: ssl.SSLContext | None = None, patience: float = 10.0, failed: Callable[[str], object] = bool) -> None:  # fmt: skip
        self.serve, self.tls, self.patience, self.failed = serve, tls, patience, failed
        self._most, self._counts, self._full, self._open = most, counts, full, 0
        self._newcomers: dict[Arrival, None] = {}
        self.securing: dict[Arrival, asyncio.Task[None]] = {}

    def __call__(self) -> asyncio.Protocol:
        """For the next connection."""
        return Arrival(self, self.tls)

    def plain(self) -> asyncio.Protocol:
        """The same without TLS: for a Unix socket."""
        return Arrival(self, None)

    def enter(self, arrival: Arrival) -> bool:
        """Whether there is room for it."""
        if self._open >= self._most and self._newcomers:
            self._counts["evicted"] += 1
            next(iter(self._newcomers)).abort()
        if self._open >= self._most:
            self._full(arrival.transport)
            arrival.transport.close()
            return False
        self._open += 1
        self._newcomers[arrival] = None
        return True

    def heard(self, arrival: Arrival) -> None:
        """It has said something sensible: from now on it stays."""
        self._newcomers.pop(arrival, None)

    def left(self, arrival: Arrival) -> None:
        """It is gone."""
        self._newcomers.pop(arrival, None)
        self._open -= 1

    def close(self) -> None:
        """Ends those whose handshake is not done."""
        for arrival in list(self.securing):
            arrival.abort()


class Arrival(asyncio.Protocol):
    """One connection, until it is handed over to what serves it; afterwards its place among the others."""

    transport: asyncio.Transport

    def __init__(self, arrivals: Arrivals, tls: ssl.SSLContext | None) -> None:
        self._arrivals, self._tls, self._here = arrivals, tls, False
        self._early, self._ended, self._lost = b"", False, list[Exception | None]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it in, or turns it away."""
        self.transport = cast("asyncio.Transport", transport)
        self._here = self._arrivals.enter(self)
        if self._here and self._tls is None:
            self._hand_over(self.transport)
        elif self._here and self._tls:
            self.transport.pause_reading()  # until TLS is there to read
            task = self._arrivals.securing[self] = asyncio.get_running_loop().create_task(self._secure(self._tls))
            task.add_done_callback(lambda _: self._arrivals.securing.pop(self))

    def data_received(self, data: bytes) -> None:
        """What comes right behind a handshake, before the connection is handed over."""
        self._early += data

    def eof_received(self) -> bool:
        """The same, if nothing more comes behind it."""
        self._ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended before it was handed over; what it said still counts."""
        self._lost.append(exc)

    async def _secure(self, context: ssl.SSLContext) -> None:
        loop, patience = asyncio.get_running_loop(), self._arrivals.patience
        try:
            secured = await loop.start_tls(self.transport, self, context, server_side=True, ssl_handshake_timeout=patience,
                                           ssl_shutdown_timeout=_GOODBYE)  # fmt: skip
        except OSError as error:  # what was wrong, the context tells; a peer that hung up is no fault
            secured = None
            frameless(error)  # its future holds it, and it the future
            if isinstance(error, ConnectionAbortedError) and self._here:
                self._arrivals.failed(f"nothing came of it within {patience:g} s")
        if secured and self._here:
            self._hand_over(secured)
        else:
            self.abort()

    def _hand_over(self, transport: asyncio.Transport) -> None:
        served = self._arrivals.serve(self)
        transport.set_protocol(served)
        served.connection_made(transport)
        if self._early:
            served.data_received(self._early)
            self._early = b""
        if self._ended:
            served.eof_received()
        for exc in self._lost:
            served.connection_lost(exc)

    def heard(self) -> None:
        """It has said something sensible: from now on it stays."""
        self._arrivals.heard(self)

    def left(self) -> None:
        """It is gone; to be told once, or more often."""
        if self._here:
            self._here = False
            self._arrivals.left(self)

    def abort(self) -> None:
        """Ends it at once."""
        self.left()
        self.transport.abort()
