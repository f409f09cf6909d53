"""The paths of Splunk's HTTP Event Collector: `/services/collector`, `/event`, `/raw`, `/health`.

The answers are Splunk's own, for some clients compare them. A token is taken from the header alone: one in the query would stand in logs.
There are no acknowledgements by channel, and none are needed: an answer of 200 says that all is durable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import msgspec
from aiohttp import web

from ....problem import printable
from ....wire.bodies import decode_body
from ....wire.chunk import Chunk
from ....wire.hec import read_events
from ..visit import Door, Say, Visit
from .ingest import tag_of

__all__ = ["Splunk"]

_AT = "/services/collector"
_EVENTS = (_AT, f"{_AT}/event", f"{_AT}/event/1.0")
_RAWS = (f"{_AT}/raw", f"{_AT}/raw/1.0")
_HEALTHS = (f"{_AT}/health", f"{_AT}/health/1.0")
_NO_DATA, _INVALID = 5, 6
_WORDS = {200: ("Success", 0), 400: ("No data", _NO_DATA), 403: ("Incorrect index", 7), 503: ("Server is busy", 9)}
_Read = Callable[[web.Request, bytes], list[Chunk]]


class Splunk:
    """200 `Success` once all is durable; what is no event is a dead letter."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """Events, raw lines, and what is asked about them."""
        return [
            *(web.post(path, self._events) for path in _EVENTS), *(web.post(path, self._raw) for path in _RAWS),
            *(web.get(path, _healthy) for path in _HEALTHS), web.route("*", f"{_AT}/ack", self._acks),
        ]  # fmt: skip

    async def _events(self, request: web.Request) -> web.StreamResponse:
        return await self._visited(request, self._read_events)

    async def _raw(self, request: web.Request) -> web.StreamResponse:
        return await self._visited(request, self._read_raw)

    async def _acks(self, request: web.Request) -> web.StreamResponse:
        return await self._door.visited(request, _no_acks, _say(request))

    async def _visited(self, request: web.Request, read: _Read) -> web.StreamResponse:
        say = _say(request)
        return await self._door.visited(request, functools.partial(self._taken, say=say, read=read), say)

    async def _taken(self, visit: Visit, say: Say, read: _Read) -> web.Response:
        chunks = await visit.decoded(functools.partial(read, visit.request, await visit.read()))
        if not chunks:
            return say(400)
        visit.hold(sum(len(chunk.data) for chunk in chunks if chunk.data is chunk.body))
        await visit.keep_all(chunks)
        return await visit.answer(say(200))

    def _read_events(self, request: web.Request, body: bytes) -> list[Chunk]:
        return read_events(body, content_encoding=request.headers.get("Content-Encoding", ""), tag=tag_of(request, ""),
                           default=self._source_type(request), limits=self._door.limits)  # fmt: skip

    def _read_raw(self, request: web.Request, body: bytes) -> list[Chunk]:
        chunk = decode_body(body, content_type="text/plain", content_encoding=request.headers.get("Content-Encoding", ""),
                            tag=tag_of(request, self._source_type(request)), limits=self._door.limits)  # fmt: skip
        return [chunk] if chunk.count or chunk.rejected else []

    def _source_type(self, request: web.Request) -> str:
        return printable(request.query.get("sourcetype") or self._door.options.tag, 256)


async def _healthy(_: web.Request) -> web.Response:
    return _told(200, "HEC is healthy", 17)


async def _no_acks(_: Visit) -> web.Response:
    return _told(400, "ACK is disabled", 14)


def _say(request: web.Request) -> Say:
    """Words answers as Splunk does."""

    def say(status: int, error: str = "", /, **_: int) -> web.Response:
        if status == 401:
            return _stranger(request.headers.get("Authorization", ""))
        text, code = _WORDS.get(status, ("Invalid data format", _INVALID))
        return _told(status, text, code)

    return say


def _stranger(authorization: str) -> web.Response:
    if not authorization:
        return _told(401, "Token is required", 2)
    if authorization.partition(" ")[0].lower() not in ("splunk", "basic", "bearer"):
        return _told(401, "Invalid authorization", 3)
    return _told(403, "Invalid token", 4)


def _told(status: int, text: str, code: int) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode({"text": text, "code": code}), content_type="application/json")
