"""`POST /v1/analyze`: a record in, the verdict of the analyzers out, in one request.

For a filter that enriches an event while it waits, and for an application that asks before it lets somebody in. The record is an ordinary
one: journalled, counted in every window, and its alerts go out as always. A copy is judged anew, for who asks twice must be answered twice.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from ....alerts.verdict import verdict
from ..visit import Door, Visit, said
from .ingest import probe, read_chunk

__all__ = ["Analyze"]


class Analyze:
    """204: nothing found. 200: the verdict. 202: none yet, the deadline passed; whatever is found goes to the outputs."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """Posts, and the probe."""
        paths = ("/v1/analyze", "/v1/analyze/{tag}")
        return [route for path in paths for route in (web.post(path, self._take), web.get(path, probe))]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        return await self._door.visited(request, self._taken, _say)

    async def _taken(self, visit: Visit) -> web.Response:
        receipt = await visit.keep(await read_chunk(self._door, visit), repeatable=True)
        found = [] if receipt.offset < 0 else await self._door.context.verdict(receipt.offset, self._door.options.verdict_timeout)
        if found is None:
            return await visit.answer(_told(202, {"flagged": False, "pending": True}))
        return await visit.answer(_told(200, verdict(found)) if found else web.Response(status=204))


def _say(status: int, error: str = "", /, **fields: int) -> web.Response:
    """As everywhere; but 200 is for verdicts, and of what cannot be read none can be told."""
    return web.Response(status=204) if status == 200 else said(status, error, **fields)


def _told(status: int, body: object) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
