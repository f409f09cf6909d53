"""`POST /v1/logs`: OTLP over HTTP, as protobuf or JSON, answered in the form of the request as OTLP words its answers."""

from __future__ import annotations

import asyncio
import functools
from typing import Final

from aiohttp import web

from ....wire import otlp
from ....wire.bodies import Unreadable, opened
from ..visit import Door, Forbidden, Say, Visit
from .ingest import tag_of

__all__ = ["AT_ONCE", "Otlp"]

AT_ONCE: Final = 64
"""How many chunks of a request are at work at a time: it may name as many tags as it has records."""
_HEAVY = 16 << 10  # bodies above this are read in a thread: few bytes can mean many records
_JSON, _PROTOBUF = "application/json", "application/x-protobuf"
_STATUSES = {422: 400}  # what OTLP calls never acceptable
_CODES = {400: 3, 401: 16, 403: 7, 413: 3, 503: 14}  # gRPC's, for the body


class Otlp:
    """200 with the empty answer, or with how many records could not be accepted; every failure is a `google.rpc.Status`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """The path of the specification."""
        return [web.post("/v1/logs", self._take)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        say = _say(request.content_type == _JSON)
        return await self._door.visited(request, functools.partial(self._taken, say=say), say)

    async def _taken(self, visit: Visit, say: Say) -> web.Response:
        await visit.read()
        light = len(visit.body) <= _HEAVY and not visit.request.headers.get("Content-Encoding")
        export = self._export(visit) if light else await asyncio.to_thread(self._export, visit)
        visit.hold(export.size)
        for chunk in export.chunks:
            if not visit.caller.may(chunk.tag):
                raise Forbidden(chunk.tag)
        for start in range(0, len(export.chunks), AT_ONCE):
            await visit.keep_all(export.chunks[start : start + AT_ONCE])
        return await visit.answer(say(200, export.reason, rejected=export.rejected))

    def _export(self, visit: Visit) -> otlp.Export:
        request, limits, tag = visit.request, self._door.limits, tag_of(visit.request, self._door.options.tag)
        _, data = opened(visit.body, request.headers.get("Content-Encoding", ""), tag, limits)
        kind = request.content_type
        if kind not in (_JSON, _PROTOBUF):
            raise Unreadable("content_type", f"OTLP is {_PROTOBUF} or {_JSON}, not {kind!r}", tag=tag, body=data)
        return otlp.read(data, json=kind == _JSON, tag=tag, limits=limits)


def _say(json: bool) -> Say:
    kind = _JSON if json else _PROTOBUF

    def say(status: int, error: str = "", /, **fields: int) -> web.Response:
        if status == 200:
            return web.Response(body=otlp.taken(json, fields.get("rejected", 0), error), content_type=kind)
        status = _STATUSES.get(status, status)
        return web.Response(status=status, body=otlp.failed(json, _CODES.get(status, 2), error), content_type=kind)

    return say
