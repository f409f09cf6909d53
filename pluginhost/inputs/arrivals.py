"""Connections as they arrive at a TCP door: how many there may be, who goes when there are too many, and TLS before anything else.

A connection counts from the moment it is taken in, before its handshake, so that none of what it costs is unbounded. Until it has said
something sensible it is a newcomer; when the door is full, the newcomer that was silent longest makes room for the next. So ten thousand
that only connect keep nobody out. Nothing here knows a protocol.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from ..metrics import Counts

__all__ = ["Arrival", "Arrivals"]

_HANDSHAKE = 10.0  # seconds


class Arrivals:
    """The protocol factory of a listener. `serve` makes what serves a connection that was let in; it must say when it has `left`.

    Counts `busy` for a connection that found no room (it gets `refusal`), and `evicted` for a newcomer that made room.
    """

    def __init__(self, serve: Callable[[Arrival], asyncio.Protocol], most: int, *, counts: Counts, refusal: bytes = b"",
                 tls: ssl.SSLContext | None = None) -> None:  # fmt: skip
        self.serve, self.tls, self._most, self._counts, self._refusal = serve, tls, most, counts, refusal
        self._open = 0
        self._newcomers: dict[Arrival, None] = {}
        self.securing: set[asyncio.Task[None]] = set()

    def __call__(self) -> asyncio.Protocol:
        """For the next connection."""
        return Arrival(self)

    def enter(self, arrival: Arrival) -> bool:
        """Whether there is room for it."""
        if self._open >= self._most and self._newcomers:
            self._counts["evicted"] += 1
            next(iter(self._newcomers)).abort()
        if self._open >= self._most:
            self._counts["busy"] += 1
            if not self.tls:
                arrival.transport.write(self._refusal)
            arrival.transport.close()
            return False
        self._open += 1
        self._newcomers[arrival] = None
        return True

    def heard(self, arrival: Arrival) -> None:
        """It has said something sensible: from now on it stays."""
        self._newcomers.pop(arrival, None)

    def close(self) -> None:
        """Ends all newcomers, also those whose handshake is not done."""
        for arrival in list(self._newcomers):
            arrival.abort()

    def left(self, arrival: Arrival) -> None:
        """It is gone."""
        self._newcomers.pop(arrival, None)
        self._open -= 1


class Arrival(asyncio.Protocol):
    """One connection, until it is handed over to what serves it; afterwards its place among the others."""

    transport: asyncio.Transport

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals, self._here, self._early = arrivals, False, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it in, or turns it away."""
        self.transport = cast("asyncio.Transport", transport)
        self._here = self._arrivals.enter(self)
        if self._here and self._arrivals.tls is None:
            self._hand_over(self.transport)
        elif self._here and self._arrivals.tls:
            task = asyncio.get_running_loop().create_task(self._secure(self._arrivals.tls))
            self._arrivals.securing.add(task)
            task.add_done_callback(self._arrivals.securing.discard)

    def data_received(self, data: bytes) -> None:
        """What comes right behind a handshake, before the connection is handed over."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended before it was handed over."""
        self.left()

    async def _secure(self, context: ssl.SSLContext) -> None:
        try:
            loop = asyncio.get_running_loop()
            secured = await loop.start_tls(self.transport, self, context, server_side=True, ssl_handshake_timeout=_HANDSHAKE)
        except OSError:  # what was wrong, the context tells; a peer that hung up is no fault
            secured = None
        if secured is None or not self._here:
            self.abort()
        else:
            self._hand_over(secured)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        served = self._arrivals.serve(self)
        transport.set_protocol(served)
        served.connection_made(transport)
        if self._early:
            served.data_received(self._early)
            self._early = b""

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
