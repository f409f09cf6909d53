"""`GET /v1/openapi.json`: what our own paths take and answer, for people and generators."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

from ..visit import Door

__all__ = ["OpenApi"]


class OpenApi:
    """One document, the same for everybody: it tells nothing of this sidecar."""

    def __init__(self, _: Door) -> None:
        self._document = files("pluginhost.inputs.http").joinpath("openapi.json").read_bytes()

    def routes(self) -> list[web.RouteDef]:
        """The document."""
        return [web.get("/v1/openapi.json", self._shown)]

    async def _shown(self, _: web.Request) -> web.Response:
        return web.Response(body=self._document, content_type="application/json")
