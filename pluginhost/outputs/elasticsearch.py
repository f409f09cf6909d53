"""Alerts into Elasticsearch 8 and 9: what is its own beside `search`, the common part. Its client, API keys, and the question of rights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import elasticsearch as client
from elastic_transport import TlsError

from ..alerts import template
from ..options import Secret, doc
from ..problem import Problem
from ..tls import client_context
from .cluster import Answered, Body, Foreign, told
from .port import Context, Unavailable
from .search import SearchOptions, SearchOutput, secured

__all__ = ["Elasticsearch"]

_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}


class Elasticsearch(SearchOutput):
    """One cluster."""

    class Options(SearchOptions, frozen=True, kw_only=True):
        """Where the cluster is and how to be let in."""

        api_key: Annotated[Secret | None, doc("API key; needs `create_doc` and `auto_configure` on the stream and `monitor`")] = None
        ca_certs: Annotated[Path | None, doc("certificates (PEM) to trust in place of the system's; short for `tls.ca`")] = None
        verify_certs: Annotated[bool, doc("whether the server must prove who it is; short for `tls.verify`")] = True

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, _Cluster(options))

    async def check(self) -> None:
        """Reaches the cluster and asks whether we may write."""
        asked = {"index": [{"names": [self.stream], "privileges": ["create_doc"]}]}
        try:
            await self.cluster.ask("GET", "/")
            answer = await self.cluster.ask("POST", "/_security/user/_has_privileges", body=asked)
        except Foreign:
            raise Problem("output.elasticsearch.product", f"{self.address} is not Elasticsearch", todo="name one of 8.x or 9.x") from None
        except Answered as error:
            if error.status in (401, 403):
                raise Problem("output.elasticsearch.credentials", f"{self.address} does not let us in: {error.reason}",
                              todo="mend the credentials") from None  # fmt: skip
            if error.status not in (400, 404, 405):  # a server without security knows no such question
                raise error.unavailable from None
        else:
            if not answer.get("has_all_requested", True):
                raise Problem("output.elasticsearch.rights", f"the key may not write to {self.stream}", where=self.address,
                              todo=f"give it `create_doc` and `auto_configure` on `{self.stream.rpartition('-')[0]}-*`")  # fmt: skip

    async def prepare(self, version: str) -> dict[str, str]:
        """Sees to the templates; without one, what we write must not make an ordinary index of that name."""
        await super().prepare(version)
        return {"require_data_stream": "true"} if template.release(version) >= (8, 13) else {}


class _Cluster:
    """Elasticsearch's own client, asked plainly."""

    product: template.Product = "elasticsearch"

    def __init__(self, options: Elasticsearch.Options) -> None:
        self._client = _connect(options)

    async def ask(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Body = None) -> Any:
        headers = _NDJSON if isinstance(body, bytes) else _JSON
        try:
            return (await self._client.perform_request(method, path, params=params, headers=headers, body=body)).body
        except client.UnsupportedProductError as error:
            raise Foreign(error.message) from None
        except client.ApiError as error:
            raise Answered(error.status_code, told(error.status_code, error.body, error.message)) from None
        except (client.TransportError, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}", slow=isinstance(error, TlsError)) from None

    async def close(self) -> None:
        await self._client.close()


def _connect(options: Elasticsearch.Options) -> client.AsyncElasticsearch:
    settings: dict[str, Any] = {"request_timeout": float(options.timeout), "max_retries": 0, "retry_on_timeout": False}
    if options.api_key:
        settings["api_key"] = str(options.api_key)
    if options.username:
        settings["basic_auth"] = (options.username, str(options.password or ""))
    try:
        settings |= _trust(options) if secured(options) else {}
        return client.AsyncElasticsearch(list(options.hosts), **settings)
    except (ValueError, OSError) as error:
        raise Problem("output.elasticsearch.options", f"no way to reach a cluster: {error}", todo="write `https://host:9200`") from None


def _trust(options: Elasticsearch.Options) -> dict[str, Any]:
    if not options.tls:
        named = {"ca_certs": str(options.ca_certs)} if options.ca_certs else {}
        return {"verify_certs": options.verify_certs, "ssl_show_warn": False, **named}
    if options.ca_certs or not options.verify_certs:
        raise Problem("output.elasticsearch.options", "`tls` and the short `ca_certs` or `verify_certs` say the same", todo="keep `tls`")
    return {"ssl_context": client_context(options.tls), "ssl_show_warn": False}
