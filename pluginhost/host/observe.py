"""The listener for those who watch: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever starts and stops us.

It opens before the doors and closes after them. It shows numbers and names, never a record, and takes nothing. `/healthz` and
`/readyz` answer without the token: probes have none, and there is nothing in them to hide.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from ..inputs.access import knows
from ..inputs.web import Listener
from ..metrics import Counts
from ..problem import Problem
from .config import Metrics
from .exposition import exposed
from .measures import Measures

__all__ = ["Observer"]

log = logging.getLogger(__name__)

_CONNECTIONS, _IDLE = 32, 75.0
_ASKERS = 4  # at a time: a scrape asks the database


class Observer:
    """Answers at the paths above. `alive` says whether the host's tasks run; `conditions` what readiness needs."""

    def __init__(self, options: Metrics, measures: Measures, *, alive: Callable[[], bool], conditions: Callable[[], dict[str, bool]],
                 counts: Counts) -> None:  # fmt: skip
        _require_token(options)
        self._token, self._measures, self._alive, self._conditions = options.token, measures, alive, conditions
        self._asking = asyncio.Semaphore(_ASKERS)
        routes = [web.get("/metrics", self._metrics), web.get("/healthz", self._health), web.get("/readyz", self._readiness)]
        self._listener = Listener(routes, options.bind, options.port, connections=_CONNECTIONS, idle=_IDLE, counts=counts)

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._listener.address

    async def start(self) -> None:
        """Listens; `Problem` if the address cannot be had."""
        await self._listener.start()
        log.info("metrics at http://%s/metrics", self.address)

    async def stop(self) -> None:
        """Closes."""
        await self._listener.stop(1.0)

    async def _metrics(self, request: web.Request) -> web.Response:
        if not knows(self._token, authorization=request.headers.get("Authorization", "")):
            return _said(401, {"error": "token missing or wrong"}, {"WWW-Authenticate": "Bearer"})
        async with self._asking:
            samples = await self._measures.take()
            text, kind = await asyncio.to_thread(exposed, samples, request.headers.get("Accept", ""))  # thousands of rules take their time
        return web.Response(body=text, headers={"Content-Type": kind})

    async def _health(self, _: web.Request) -> web.Response:
        alive = self._alive()
        return _said(200 if alive else 503, {"alive": alive})

    async def _readiness(self, _: web.Request) -> web.Response:
        found = self._conditions()
        failing = [name for name, holds in found.items() if not holds]
        return _said(503 if failing else 200, {"ready": not failing, "failing": failing, "conditions": found})


def _said(status: int, told: dict[str, Any], headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, headers=headers, body=msgspec.json.encode(told), content_type="application/json")


def _require_token(options: Metrics) -> None:
    """Raises a `Problem` if other machines could look without being asked who they are."""
    local = options.bind == "localhost"
    with contextlib.suppress(ValueError):
        local = local or ipaddress.ip_address(options.bind).is_loopback
    if not (local or options.token or options.allow_unauthenticated):
        raise Problem(
            "metrics.unauthenticated",
            f"metrics listens on {options.bind} and asks for no token: whoever reaches it learns what runs here",
            todo="set `metrics.token`, or `bind: 127.0.0.1`; if the network keeps strangers out, `allow_unauthenticated: true`",
        )
