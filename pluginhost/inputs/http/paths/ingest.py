"""`POST /v1/ingest`, `POST /v1/ingest/TAG` and `POST /`: records in any body that `wire.bodies` reads."""

from __future__ import annotations

import functools

from aiohttp import web

from ....problem import printable
from ....wire.bodies import decode_body
from ....wire.chunk import Chunk
from ..visit import Door, Visit, said

__all__ = ["Ingest", "probe", "read_chunk", "tag_of", "taken"]


class Ingest:
    """The door's own paths, which every shipper that can post a body can use."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """Posts; and probes, which want exactly 200."""
        paths = ("/v1/ingest", "/v1/ingest/{tag}")
        return [web.post("/", self._take), *(route for path in paths for route in (web.post(path, self._take), web.get(path, probe)))]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        return await self._door.visited(request, functools.partial(taken, self._door))


async def taken(door: Door, visit: Visit) -> web.Response:
    """The records of a request made durable, and answered with their counts."""
    chunk = await read_chunk(door, visit)
    await visit.keep(chunk)
    return await visit.answer(said(200, accepted=chunk.count, **({"rejected": len(chunk.rejected)} if chunk.rejected else {})))


async def probe(_: web.Request) -> web.Response:
    """The answer to a health check."""
    return web.Response()


def tag_of(request: web.Request, default: str) -> str:
    """The tag that a request names: in its path, a header or its query; else `default`."""
    named = request.match_info.get("tag") or request.headers.get("X-Pluginhost-Tag") or request.query.get("tag")
    return printable(named or default, 256)


async def read_chunk(door: Door, visit: Visit) -> Chunk:
    """The records of a request, by its declared type, else by the first byte."""
    headers = visit.request.headers
    decode = functools.partial(
        decode_body, await visit.read(), content_type=headers.get("Content-Type", ""), content_encoding=headers.get("Content-Encoding", ""),
        tag=tag_of(visit.request, door.options.tag), limits=door.limits,
    )  # fmt: skip
    return await visit.decoded(decode)
