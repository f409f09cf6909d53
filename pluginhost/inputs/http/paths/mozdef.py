"""The paths of MozDef's event collector, so that its senders need only another address: `/events` and `/nxlog`."""

from __future__ import annotations

import functools

from aiohttp import web

from ..visit import Door
from .ingest import probe, taken

__all__ = ["Mozdef"]


class Mozdef:
    """Events in MozDef's form; what its fields mean in ECS is a mapping's affair."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """Posts and puts; and the probe that load balancers send to MozDef."""
        paths = [path for name in ("/events", "/nxlog") for path in (name, f"{name}/")]
        takes = [route for path in paths for route in (web.post(path, self._take), web.put(path, self._take))]
        return [*takes, web.get("/status", probe)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        return await self._door.visited(request, functools.partial(taken, self._door))
