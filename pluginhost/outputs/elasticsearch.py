"""Alerts into Elasticsearch 8 and 9: what is its own beside `search`, the common part. Its client, API keys, and the question of rights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import elasticsearch as client
from elastic_transport import TlsError

from ..alerts import template
from ..alerts.template import Home, Kind
from ..options import Secret, doc
from ..problem import Problem, printable
from ..tls import client_context
from .cluster import Answered, Body, Foreign, told
from .port import Context, Unavailable
from .search import HOSTS, SearchOptions, SearchOutput, secured

__all__ = ["Elasticsearch", "role"]

_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}
_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "alerts": ("create_doc", "auto_configure"), "scores": ("create_doc", "auto_configure"), "states": ("index",),
}  # fmt: skip
"""The first is to write, the second to have the stream made by that."""


class Elasticsearch(SearchOutput):
    """One cluster."""

    class Options(SearchOptions, frozen=True, kw_only=True):
        """Where the cluster is and how to be let in."""

        cloud_id: Annotated[str, doc("the cloud id of an Elastic Cloud deployment, in place of `hosts`")] = ""
        api_key: Annotated[Secret | None, doc("API key, as it is given out encoded; what it needs: `pluginhost setup elasticsearch "
                                              "--print-role`")] = None  # fmt: skip
        ca_certs: Annotated[Path | None, doc("certificates (PEM) to trust in place of the system's; short for `tls.ca`")] = None
        verify_certs: Annotated[bool, doc("whether the server must prove who it is; short for `tls.verify`")] = True

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, _Cluster(options))
        if options.cloud_id:
            self.address = f"Elastic Cloud {printable(options.cloud_id.partition(':')[0], 100)}"

    async def check(self) -> None:
        """Reaches the cluster and asks whether we may write."""
        privileges = _NEEDED[self.home.kind]
        asked = {"index": [{"names": [self.home.target], "privileges": privileges[:1]}]}
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
                raise Problem("output.elasticsearch.rights", f"the key may not write to {self.home.target}", where=self.address,
                              todo=f"give it {' and '.join(f'`{one}`' for one in privileges)} there: "
                                   "pluginhost setup elasticsearch --print-role")  # fmt: skip

    async def prepare(self, version: str) -> dict[str, str]:
        """Sees to what must stand; without a template, what we write must not make an ordinary index of that name."""
        await super().prepare(version)
        return {"require_data_stream": "true"} if self.home.stream and template.release(version) >= (8, 13) else {}


def role(homes: Iterable[Home]) -> dict[str, Any]:
    """The role of least privilege, as `PUT /_security/role/…` and the role descriptors of an API key take it."""
    indices = [{"names": [one.target], "privileges": list(_NEEDED[one.kind])} for one in homes]
    return {"cluster": ["monitor"], "indices": indices}


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
    if options.sniff:
        settings |= {"sniff_on_start": True, "sniff_on_node_failure": True}
    try:
        settings |= _where(options)
        return client.AsyncElasticsearch(**settings)
    except (ValueError, OSError) as error:
        raise Problem("output.elasticsearch.options", f"no way to reach a cluster: {error}", todo="write `https://host:9200`") from None


def _where(options: Elasticsearch.Options) -> dict[str, Any]:
    if not options.cloud_id:
        return {"hosts": list(options.hosts), **(_trust(options) if secured(options) else {})}
    if options.hosts != HOSTS:
        raise Problem("output.elasticsearch.options", "`cloud_id` and `hosts` both say where the cluster is", todo="keep one")
    if options.sniff:
        raise Problem("output.elasticsearch.options", "`sniff` finds nothing behind a `cloud_id`: there is one way in", todo="take it away")
    return {"cloud_id": options.cloud_id, **_trust(options)}


def _trust(options: Elasticsearch.Options) -> dict[str, Any]:
    if not options.tls:
        named = {"ca_certs": str(options.ca_certs)} if options.ca_certs else {}
        return {"verify_certs": options.verify_certs, "ssl_show_warn": False, **named}
    if options.ca_certs or not options.verify_certs:
        raise Problem("output.elasticsearch.options", "`tls` and the short `ca_certs` or `verify_certs` say the same", todo="keep `tls`")
    return {"ssl_context": client_context(options.tls), "ssl_show_warn": False}
