"""The forward door: what Fluentd, Fluent Bit and the fluent loggers send, over TCP, TLS or a Unix socket.

Built-in, thin: it puts the parts of a door together, bounds the connections and tells the world about it. Where it listens is in
`listen`, who may come in in `rules`, how one is let in in `guest`, what happens on a connection in
`peer`, and what the bytes mean in `wire.forward`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...problem import Problem
from ...tls import serving_context
from ...wire.forward import Limits
from ..arrivals import Arrival, Arrivals, written
from ..once import Once
from ..port import Context
from .door import DOOR_COUNTERS, Door, Manners
from .guest import Guest
from .listen import Listener, Where
from .options import ForwardOptions
from .peer import Peer
from .rules import Rules

__all__ = ["Forward", "ForwardOptions"]

_LOG = logging.getLogger(__name__)
_PLAIN = ("http request", "wrong version number", "record layer failure", "unknown protocol")  # what OpenSSL says of what is no TLS


class Forward:
    """The door; see the head of this file."""

    Options = ForwardOptions

    def __init__(self, options: ForwardOptions, context: Context) -> None:
        _make_sense(context.name, options)
        self._options, self._log = options, Once(_LOG)
        self._counts = context.metrics.counts(f"input.{context.name}", *DOOR_COUNTERS)
        self._door = Door(_limits(options), _manners(options), context.accept, _retag(options), self._counts, self._log)
        self._rules = Rules(context.name, options, options.self_hostname or context.hostname)
        tls = serving_context(options.tls, self._no_tls) if options.tls else None
        self._arrivals = Arrivals(self._served, options.connections, counts=self._counts, full=self._full, tls=tls,
                                  patience=options.handshake_timeout, failed=self._no_tls)  # fmt: skip
        self._listener = Listener(_where(options), self._arrivals, self._arrivals.plain, self._beat)
        self.address = written(options.bind, options.port) if options.port is not None else f"unix:{options.path}"

    async def start(self) -> None:
        """Listens; raises `Problem` (code `input.address`) when an address cannot be had."""
        self.address = await self._listener.start()

    def _served(self, arrival: Arrival) -> asyncio.Protocol:
        if self._rules.open:
            return Peer(self._door, arrival)
        return Guest(self._door, arrival, self._rules, self._options.handshake_timeout)

    def _full(self, _: asyncio.Transport) -> None:
        self._counts["refused"] += 1
        self._log.warn("connections", "one connection too many was closed; the option `connections` bounds them")

    def _no_tls(self, reason: str) -> None:
        self._counts["tls_failed"] += 1
        cause = ": the peer does not speak TLS" if reason.startswith(_PLAIN) else ""
        self._log.warn(f"tls {reason}", f"no TLS came about with a peer of {self.address}: {reason}{cause}")

    def _beat(self) -> None:
        self._counts["heartbeats"] += 1

    async def drain(self, grace: float) -> None:
        """Stops taking connections, answers what was read, closes at message boundaries; returns within `grace` seconds."""
        self._listener.stop()
        self._arrivals.close()
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


def _where(options: ForwardOptions) -> Where:
    return Where(
        bind=options.bind,
        port=options.port,
        backlog=options.backlog,
        heartbeat=options.heartbeat,
        path=options.path,
        mode=int(options.mode, 8),
    )


def _make_sense(name: str, options: ForwardOptions) -> None:
    if options.port is None and options.path is None:
        raise Problem("input.address", f"input {name} listens nowhere", todo="set `port` or `path`")
    if options.port is None and options.tls:
        raise Problem("input.forward.security", f"input {name}: TLS is spoken on the port only, and there is none",
                      todo="set `port`, or leave `tls` out: the mode of the socket's file says who may use it")  # fmt: skip
