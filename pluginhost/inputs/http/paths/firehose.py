"""`POST /v1/firehose`, `POST /v1/firehose/TAG`: where Amazon Data Firehose delivers a stream to.

An answer must name the request and bear a time in ms; the time is that of the delivery, for the door reads no clock and nobody compares
it. Firehose sends anything but a 200 again until its own patience ends, so a delivery of which single records cannot be read is taken.
"""

from __future__ import annotations

import functools

import msgspec
from aiohttp import web

from ....problem import printable
from ....wire.firehose import read_delivery
from ..visit import Door, Say, Visit
from .ingest import probe, tag_of

__all__ = ["Firehose"]

_ID = "X-Amz-Firehose-Request-Id"
_LONGEST = 256  # characters of an id that is given back


class Firehose:
    """200 once all records of the delivery are durable."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """Posts, and the probe."""
        paths = ("/v1/firehose", "/v1/firehose/{tag}")
        return [route for path in paths for route in (web.post(path, self._take), web.get(path, probe))]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        return await self._door.visited(request, self._taken, _say(request))

    async def _taken(self, visit: Visit) -> web.Response:
        request = visit.request
        decode = functools.partial(
            read_delivery, await visit.read(), content_encoding=request.headers.get("Content-Encoding", ""),
            tag=tag_of(request, self._door.options.tag), limits=self._door.limits,
        )  # fmt: skip
        delivery = await visit.decoded(decode)
        visit.hold(len(delivery.chunk.data))
        named = (request.headers.get(_ID) or delivery.request_id)[:_LONGEST]
        await visit.keep(delivery.chunk, identity=named.encode("utf-8", "surrogateescape") or None)
        return await visit.answer(_told(200, named, delivery.timestamp))


def _say(request: web.Request) -> Say:
    """Words answers as Firehose wants them."""

    def say(status: int, error: str = "", /, **_: int) -> web.Response:
        return _told(status, request.headers.get(_ID, "")[:_LONGEST], 0, error)

    return say


def _told(status: int, named: str, timestamp: int, error: str = "") -> web.Response:
    told = {"requestId": printable(named), "timestamp": timestamp, **({"errorMessage": error} if error else {})}
    return web.Response(status=status, body=msgspec.json.encode(told), content_type="application/json")
