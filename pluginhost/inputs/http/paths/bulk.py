"""`_bulk`, and what a client of Elasticsearch asks before it sends: shippers with such an output need only another address.

Every answer names the product, without which clients refuse it. A whole request waits or none of it, for shippers lose single items that
are told to wait. A peer that does not say who it is (rsyslog) drops what is answered 503, and sends again where the connection ends
without an answer instead. What is told to those who ask is in `elastic`.
"""

from __future__ import annotations

import asyncio
import functools
import re

import msgspec
from aiohttp import web

from ....wire.elastic import ITEM, bulk_answer, read_bulk
from ..visit import Door, Say, Visit
from .elastic import told
from .ingest import tag_of

__all__ = ["Bulk"]

_INDEX = "/{index:[^/_][^/]*}"
_BULKS = ("/_bulk", f"{_INDEX}/_bulk")
_WAIT = 1.0  # seconds before a connection is ended that will be back at once
_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+(?:json|x-ndjson);\s*compatible-with=(\d{1,2})")
_KINDS = {401: "security_exception", 403: "security_exception", 404: "resource_not_found_exception", 413: "content_too_long_exception",
          422: "parse_exception", 503: "unavailable_shards_exception"}  # fmt: skip


class Bulk:
    """200 with an item for each action once all is durable; what cannot be read is a dead letter, and answered like the rest."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> list[web.RouteDef]:
        """The bulk paths, then whatever begins with `_`, the root, and indices."""
        takes = [web.route(method, path, self._take) for path in _BULKS for method in ("POST", "PUT")]
        asks = [web.get("/", self._ask), web.get(_INDEX, self._ask), web.put(_INDEX, self._ask)]
        return [*takes, *asks, *(web.route("*", f"{at}/_{{rest:.*}}", self._ask) for at in ("", _INDEX))]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        answer = await self._door.visited(request, functools.partial(self._taken, say=_say(request)), _say(request))
        if answer.status == 503 and "User-Agent" not in request.headers:
            await asyncio.sleep(_WAIT)
            if request.transport:
                request.transport.close()
        return answer

    async def _taken(self, visit: Visit, say: Say) -> web.Response:
        request, body = visit.request, await visit.read()
        index = request.match_info.get("index", "")[:256]
        decode = functools.partial(
            read_bulk, body, content_encoding=request.headers.get("Content-Encoding", ""), index=index, tag=tag_of(request, ""),
            default=self._door.options.tag, limits=self._door.limits,
        )  # fmt: skip
        bulk = await visit.decoded(decode)
        visit.hold((ITEM + len(index)) * len(bulk.actions))
        if len(bulk.chunks) > 1:
            visit.hold(sum(len(chunk.data) for chunk in bulk.chunks))
        await visit.keep_all(bulk.chunks)
        answer = say(200)
        answer.body = await visit.decoded(functools.partial(bulk_answer, bulk, request.query.get("filter_path", "")))
        return await visit.answer(answer)

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        return await self._door.visited(request, functools.partial(self._asked, say=_say(request)), _say(request))

    async def _asked(self, visit: Visit, say: Say) -> web.Response:
        await visit.read()  # a template, perhaps; it is not needed
        path, method = visit.request.path.strip("/"), visit.request.method
        known = told(method, path, version=self._door.options.elasticsearch_version, name=self._door.context.hostname)
        if known is None:
            return say(404, f"{method} is not known here, only what shippers ask before they send")
        answer = say(200)
        if isinstance(known, str):
            answer.text, answer.content_type = known, "text/plain"
        else:
            answer.body = msgspec.json.encode(known)
        return answer


def _say(request: web.Request) -> Say:
    """Words answers as Elasticsearch does, in the media type that the client asked for."""
    compatible = _COMPATIBLE.search(request.headers.get("Accept", ""))
    kind = f"application/vnd.elasticsearch+json;compatible-with={compatible[1]}" if compatible else "application/json"

    def say(status: int, error: str = "", /, **_: int) -> web.Response:
        told = {"error": {"type": _KINDS.get(status, "exception"), "reason": error}, "status": status} if error else None
        body = msgspec.json.encode(told) if told else b'{"took":0,"errors":false,"items":[]}'
        return web.Response(status=status, body=body, headers={"Content-Type": kind, "X-Elastic-Product": "Elasticsearch"})

    return say
