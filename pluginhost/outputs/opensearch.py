"""Alerts into OpenSearch 2 and 3: what is its own beside `search`, the common part: its client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from ..alerts import template
from ..problem import Problem
from ..tls import Calling, client_context
from .cluster import Answered, Body, Foreign, told
from .port import Context, Unavailable
from .search import SearchOptions, SearchOutput, secured

__all__ = ["OpenSearch"]

_NDJSON = {"content-type": "application/x-ndjson"}


class OpenSearch(SearchOutput):
    """One cluster."""

    Options = SearchOptions

    def __init__(self, options: SearchOptions, context: Context) -> None:
        super().__init__(options, context, _Cluster(options))

    async def check(self) -> None:
        """Reaches the cluster as the user that is named."""
        try:
            await self.cluster.ask("GET", "/")
        except Foreign as error:
            raise Problem("output.opensearch.product", f"{self.address}: {error.reason}", todo="name one of 2.x or 3.x") from None
        except Answered as error:
            if error.status in (401, 403):
                raise Problem("output.opensearch.credentials", f"{self.address} does not let us in: {error.reason}",
                              todo="mend `username` and `password`") from None  # fmt: skip
            raise error.unavailable from None


class _Cluster:
    """OpenSearch's own client, asked plainly."""

    product: template.Product = "opensearch"

    def __init__(self, options: SearchOptions) -> None:
        try:
            import opensearchpy  # noqa: PLC0415  # an extra
        except ImportError:
            raise Problem("output.opensearch.missing", "the client of OpenSearch is not installed",
                          todo="pip install 'pluginhost[opensearch]'") from None  # fmt: skip
        self._errors = opensearchpy.exceptions
        settings: dict[str, Any] = {"timeout": float(options.timeout), "max_retries": 0}
        if options.sniff:
            settings |= {"sniff_on_start": True, "sniff_on_connection_fail": True}
        if options.username:
            settings["http_auth"] = (options.username, str(options.password or ""))
        try:
            if secured(options):
                settings["ssl_context"] = client_context(options.tls or Calling())
            self._client = opensearchpy.AsyncOpenSearch(list(options.hosts), **settings)
        except (ValueError, OSError, self._errors.OpenSearchException) as error:
            raise Problem("output.opensearch.options", f"no way to reach a cluster: {error}", todo="write `https://host:9200`") from None

    async def ask(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Body = None) -> Any:
        headers = _NDJSON if isinstance(body, bytes) else None
        try:
            answer = await self._client.transport.perform_request(method, path, params=dict(params or {}), body=body, headers=headers)
        except self._errors.TransportError as error:
            if not isinstance(error.status_code, int):  # no answer: the status is a word then
                raise Unavailable(f"{type(error).__name__}: {error.error}", slow=isinstance(error.info, aiohttp.ClientSSLError)) from None
            raise Answered(error.status_code, told(error.status_code, error.info, str(error.error))) from None
        except (self._errors.OpenSearchException, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from None
        if not isinstance(answer, Mapping) or (path == "/" and answer.get("version", {}).get("distribution") != "opensearch"):
            raise Foreign("who answers there is not OpenSearch")
        return answer

    async def close(self) -> None:
        for seed in getattr(self._client.transport, "seed_connections", ()):  # those that sniffing replaced are forgotten
            await seed.close()
        await self._client.close()
