"""Alerts into Elasticsearch: bulk `create` into the alert stream, `_id` = `event.id`, so that a resend meets its first copy.

`_id` is unique per backing index only. After an attempt of unknown outcome a rollover could make a second copy, so the
next attempt asks the stream for those ids first, where its key may read. Retrying is the host's: the client never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import elasticsearch as client
import msgspec
from elastic_transport import TlsError

from ..alerts import template
from ..options import Duration, Secret, Size, doc
from ..problem import Problem
from ..wire.times import iso
from .bulk import create, item_outcome
from .parts import Part, Refused, in_parts, settled
from .port import DONE, Context, Dead, Outcome, Outgoing, Unavailable
from .templates import Templates, told

__all__ = ["Elasticsearch"]

_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}
_ANSWER = "errors,items.*.status,items.*.failure_store,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
_NOT_OUR_BODY = ("media_type_header_exception", "unrecognized parameter")


class Elasticsearch:
    """One cluster. Puts its index templates at first contact, and asks for them again whenever contact was lost."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Where the cluster is and how to be let in."""

        hosts: Annotated[tuple[str, ...], doc("nodes, each `http(s)://host:port`", min_length=1)] = ("http://127.0.0.1:9200",)
        api_key: Annotated[Secret | None, doc("API key; needs `create_doc` and `auto_configure` on the stream and `monitor`")] = None
        username: Annotated[str, doc("user, in place of an API key")] = ""
        password: Annotated[Secret | None, doc("the user's password")] = None
        ca_certs: Annotated[Path | None, doc("certificates (PEM) to trust in place of the system's")] = None
        verify_certs: Annotated[bool, doc("whether the server must prove who it is")] = True
        timeout: Annotated[Duration, doc("how long a request may take")] = Duration(30)
        batch: Annotated[int, doc("most alerts in a request", ge=1, le=5000)] = 500
        batch_bytes: Annotated[Size, doc("most bytes in a request")] = Size(5 << 20)

    def __init__(self, options: Options, context: Context) -> None:
        self.address = ", ".join(options.hosts)
        self.batch = options.batch
        self.stream = template.alerts_stream(context.namespace)
        self._most_bytes = options.batch_bytes
        self._clock = context.clock
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "present", "refused")
        self._client = _connect(options)
        self._doubtful: set[str] | None = None  # ids whose last attempt nobody knows of; None: all, we only just started
        self._parameters: dict[str, str] = {}  # of a bulk request, as the server met last takes them
        self._met = False
        self._templates = Templates(self._client)

    async def check(self) -> None:
        """Reaches the cluster and asks whether we may write."""
        try:
            await self._client.info()
            asked = {"index": [{"names": [self.stream], "privileges": ["create_doc"]}]}
            answer = await self._client.perform_request("POST", "/_security/user/_has_privileges", headers=_JSON, body=asked)
        except client.UnsupportedProductError:
            raise Problem("output.elasticsearch.product", f"{self.address} is not Elasticsearch", todo="name one of 8.x or 9.x") from None
        except client.ApiError as error:
            if error.status_code not in (400, 404, 405):  # a server without security knows no such question
                raise _problem(self.address, error) from None
        except (client.TransportError, OSError) as error:
            raise _unreachable(error) from None
        else:
            if not answer.body.get("has_all_requested", True):
                raise Problem("output.elasticsearch.rights", f"the key may not write to {self.stream}", where=self.address,
                              todo="give it `create_doc` and `auto_configure` on `logs-pluginhost.alerts-*`")  # fmt: skip

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Creates what is not there yet. An alert that can never be indexed is dead; its neighbours are written."""
        if not self._met:
            await self._meet()
        present = await self._present(alerts)
        outcomes: dict[str, Outcome] = dict.fromkeys(present, DONE)
        parts = [made for alert in alerts if alert.id not in outcomes and (made := self._part(alert, outcomes))]
        outcomes |= await in_parts(parts, self._send, self._most_bytes)
        self._doubtful = (self._doubtful or set()) - present  # not before: had the rest failed, they are asked for again
        return settled(alerts, outcomes)

    async def close(self) -> None:
        """Lets go of the connections."""
        await self._client.close()

    def _part(self, alert: Outgoing, outcomes: dict[str, Outcome]) -> Part | None:
        try:
            document = msgspec.json.decode(alert.document, type=dict[str, Any])
            return Part(alert, create(alert.id, document, iso(alert.time, 3), iso(self._clock(), 3)))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            outcomes[alert.id] = Dead(f"not a document: {error}")
            return None

    async def _send(self, parts: Sequence[Part]) -> list[Outcome]:
        ids = {part.alert.id for part in parts}
        body = b"".join(part.body for part in parts)
        self._counts["requests"] += 1
        self._counts["request_bytes"] += len(body)
        self._doubtful = (self._doubtful or set()) | ids
        try:
            answer = await self._bulk(body)
        except Refused:
            self._counts["refused"] += 1
            self._doubtful -= ids
            raise
        items = [item["create"] for item in answer.get("items", [])]
        if len(items) != len(parts):
            raise Unavailable("the answer to a bulk request is of another shape")
        self._doubtful -= ids
        self._counts["present"] += sum(item["status"] == 409 for item in items)
        if any(item["status"] == 404 for item in items):
            self._met = False  # the template may be gone: look again before the next attempt
        return [item_outcome(item) for item in items]

    async def _present(self, alerts: Sequence[Outgoing]) -> set[str]:
        """Those of doubtful outcome that the stream holds after all."""
        ids = [alert.id for alert in alerts if self._doubtful is None or alert.id in self._doubtful]
        if not ids:
            return set()
        query = {"query": {"ids": {"values": ids}}, "_source": False, "size": len(ids)}
        if_there = {"ignore_unavailable": "true"}
        whole = {**if_there, "allow_partial_search_results": "false"}  # a shard that does not answer may hold them
        try:
            await self._client.perform_request("POST", f"/{self.stream}/_refresh", params=if_there, headers=_JSON)
            answer = await self._client.perform_request("POST", f"/{self.stream}/_search", params=whole, headers=_JSON, body=query)
        except client.ApiError as error:
            if error.status_code in (403, 404):  # the key may not read, so a resend around a rollover may be there twice
                return set()
            raise _unavailable(error) from None
        except (client.TransportError, OSError) as error:
            raise self._lost(error) from None
        found = {hit["_id"] for hit in answer.body["hits"]["hits"]}
        self._doubtful = (self._doubtful or set()) | found  # until `deliver` has said so
        self._counts["present"] += len(found)
        return found

    async def _bulk(self, body: bytes) -> Any:
        try:
            path = f"/{self.stream}/_bulk"
            return (await self._client.perform_request("POST", path, params=self._parameters, headers=_NDJSON, body=body)).body
        except client.ApiError as error:
            reason = told(error)
            if error.status_code in (400, 413) and not any(sign in reason for sign in _NOT_OUR_BODY):
                raise Refused(reason) from None
            raise _unavailable(error) from None
        except (client.TransportError, OSError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> Unavailable:
        self._met = False  # whoever answers next may be another server
        return _unreachable(error)

    async def _meet(self) -> None:
        """Learns which server this is and sees to the templates."""
        try:
            version = str((await self._client.info()).body.get("version", {}).get("number", ""))
            await self._templates.put(version)
        except client.ApiError as error:
            raise _unavailable(error) from None
        except (client.TransportError, OSError) as error:
            raise _unreachable(error) from None
        self._parameters = {"filter_path": _ANSWER}
        if template.release(version) >= (8, 13):  # else a missing template would make an ordinary index of that name
            self._parameters["require_data_stream"] = "true"
        self._met = True


def _connect(options: Elasticsearch.Options) -> client.AsyncElasticsearch:
    settings: dict[str, Any] = {"request_timeout": float(options.timeout), "max_retries": 0, "retry_on_timeout": False}
    if any(host.startswith("https:") for host in options.hosts):
        settings |= {"verify_certs": options.verify_certs, "ssl_show_warn": False}
        if options.ca_certs:
            settings["ca_certs"] = str(options.ca_certs)
    if options.api_key:
        settings["api_key"] = str(options.api_key)
    if options.username:
        settings["basic_auth"] = (options.username, str(options.password or ""))
    try:
        return client.AsyncElasticsearch(list(options.hosts), **settings)
    except (ValueError, OSError) as error:
        raise Problem("output.elasticsearch.options", f"no way to reach a cluster: {error}", todo="write `https://host:9200`") from None


def _unavailable(error: client.ApiError) -> Unavailable:
    """The whole request was answered with no: overload passes by itself, everything else waits for a person."""
    return Unavailable(told(error), slow=error.status_code < 500 and error.status_code not in (408, 429))


def _unreachable(error: Exception) -> Unavailable:
    return Unavailable(f"{type(error).__name__}: {error}", slow=isinstance(error, TlsError))


def _problem(address: str, error: client.ApiError) -> Problem | Unavailable:
    if error.status_code in (401, 403):
        return Problem("output.elasticsearch.credentials", f"{address} does not let us in: {told(error)}", todo="mend the credentials")
    return _unavailable(error)
