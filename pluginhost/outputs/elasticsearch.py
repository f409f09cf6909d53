"""Alerts into Elasticsearch: bulk `create` into the alert stream, `_id` = `event.id`, so that a resend meets its first copy.

`_id` is unique per backing index only. After an attempt of unknown outcome a rollover could make a second copy, so the
next attempt asks the stream for those ids first, where its key may read. Retrying is the host's: the client never does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import elasticsearch as client
import msgspec
from elastic_transport import TlsError

from ..alerts import template
from ..options import Duration, Secret, Size, doc
from ..problem import Problem
from ..wire.times import iso
from .bulk import create, item_outcome, reason_of
from .parts import Part, Refused, in_parts, settled
from .port import DONE, Context, Dead, Outcome, Outgoing, Unavailable

__all__ = ["Elasticsearch"]

_LOG = logging.getLogger(__name__)
_JSON = {"accept": "application/json", "content-type": "application/json"}
_NDJSON = {"accept": "application/json", "content-type": "application/x-ndjson"}
_ANSWER = "errors,items.*.status,items.*.failure_store,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
_NOT_OUR_BODY = ("media_type_header_exception", "unrecognized parameter")


class Elasticsearch:
    """One cluster. Puts its index templates at first contact, and asks for them again whenever contact was lost."""

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

    def __init__(self, options: Options, context: Context, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.address = ", ".join(options.hosts)
        self.batch = options.batch
        self.stream = template.alerts_stream(context.namespace)
        self._most_bytes = options.batch_bytes
        self._clock = clock
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "present", "refused")
        self._client = _connect(options)
        self._doubtful: set[str] | None = None  # ids whose last attempt nobody knows of; None: all, we only just started
        self._parameters: dict[str, str] | None = None  # of a bulk request; None: no contact yet
        self._said: set[str] = set()

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
        if self._parameters is None:
            await self._contact()
        outcomes = await self._present(alerts)
        parts = [made for alert in alerts if alert.id not in outcomes and (made := self._part(alert, outcomes))]
        return settled(alerts, outcomes | await in_parts(parts, self._send, self._most_bytes))

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
        self._doubtful = self._doubtful or set()
        try:
            answer = await self._bulk(body)
        except Refused:
            self._counts["refused"] += 1
            self._doubtful -= ids
            raise
        self._doubtful -= ids
        items = [item["create"] for item in answer["items"]]
        self._counts["present"] += sum(item["status"] == 409 for item in items)
        if any(item["status"] == 404 for item in items):
            self._parameters = None  # the template may be gone: look again before the next attempt
        return [item_outcome(item) for item in items]

    async def _present(self, alerts: Sequence[Outgoing]) -> dict[str, Outcome]:
        """Those of doubtful outcome that the stream holds after all."""
        doubtful = self._doubtful
        ids = [alert.id for alert in alerts if doubtful is None or alert.id in doubtful]
        if not ids:
            return {}
        query = {"query": {"ids": {"values": ids}}, "_source": False, "size": len(ids)}
        everywhere = {"ignore_unavailable": "true"}
        try:
            await self._client.perform_request("POST", f"/{self.stream}/_refresh", params=everywhere, headers=_JSON)
            answer = await self._client.perform_request("POST", f"/{self.stream}/_search", params=everywhere, headers=_JSON, body=query)
        except client.ApiError as error:
            if error.status_code in (403, 404):
                self._say(logging.INFO, "the key may not read %s: a resend around a rollover may be there twice", self.stream)
                self._doubtful = set()
                return {}
            raise _unavailable(error) from None
        except (client.TransportError, OSError) as error:
            raise self._lost(error) from None
        found = {hit["_id"] for hit in answer.body["hits"]["hits"]}
        self._counts["present"] += len(found)
        self._doubtful = (doubtful or set()) - set(ids)
        return dict.fromkeys(found, DONE)

    async def _bulk(self, body: bytes) -> Any:
        try:
            path = f"/{self.stream}/_bulk"
            return (await self._client.perform_request("POST", path, params=self._parameters, headers=_NDJSON, body=body)).body
        except client.ApiError as error:
            reason = _reason(error)
            if error.status_code in (400, 413) and not any(sign in reason for sign in _NOT_OUR_BODY):
                raise Refused(reason) from None
            raise _unavailable(error) from None
        except (client.TransportError, OSError) as error:
            raise self._lost(error) from None

    def _lost(self, error: Exception) -> Unavailable:
        self._parameters = None  # whoever answers next may be another server
        return _unreachable(error)

    async def _contact(self) -> None:
        """Learns which server this is and sees to the templates."""
        try:
            version = str((await self._client.info())["version"]["number"])
            for name, body in ((template.ALERTS_TEMPLATE, template.alerts_template(version)),
                               (template.STATE_TEMPLATE, template.state_template(version))):  # fmt: skip
                await self._put_template(name, body)
        except client.ApiError as error:
            raise _unavailable(error) from None
        except (client.TransportError, OSError) as error:
            raise _unreachable(error) from None
        self._parameters = {"filter_path": _ANSWER}
        if template.release(version) >= (8, 13):  # else a missing template would make an ordinary index of that name
            self._parameters["require_data_stream"] = "true"

    async def _put_template(self, name: str, body: dict[str, Any]) -> None:
        """Ours, unless there is a newer or a foreign one. Without the right to do so, what stands must do."""
        try:
            there = await self._client.options(ignore_status=404).perform_request("GET", f"/_index_template/{name}", headers=_JSON)
            known = there.body.get("index_templates") or []
            meta = known[0]["index_template"].get("_meta") or {} if known else {"managed_by": "pluginhost", "version": 0}
            ours = body["_meta"]["version"]
            if meta.get("managed_by") != "pluginhost":
                self._say(logging.WARNING, "the index template %s is not pluginhost's: it is left as it is", name)
            elif meta.get("version", 0) > ours:
                self._say(logging.WARNING, "the index template %s is newer than ours (%s): it is left as it is", name, ours)
            elif meta.get("version", 0) < ours:
                await self._client.perform_request("PUT", f"/_index_template/{name}", headers=_JSON, body=body)
        except client.ApiError as error:
            if error.status_code not in (400, 403):
                raise
            self._say(logging.WARNING, "cannot see to the index template %s (%s): put it with a key that may", name, _reason(error))

    def _say(self, level: int, message: str, *values: object) -> None:
        """Logs a thing once, however often contact is made."""
        if message % values not in self._said:
            self._said.add(message % values)
            _LOG.log(level, message, *values)


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


def _reason(error: client.ApiError) -> str:
    told = error.body.get("error") if isinstance(error.body, dict) else None
    return f"{error.status_code} {reason_of(told or error.message)}".rstrip()


def _unavailable(error: client.ApiError) -> Unavailable:
    """The whole request was answered with no: overload passes by itself, everything else waits for a person."""
    return Unavailable(_reason(error), slow=error.status_code < 500 and error.status_code not in (408, 429))


def _unreachable(error: Exception) -> Unavailable:
    untrusted = isinstance(error, (client.UnsupportedProductError, TlsError))
    return Unavailable(f"{type(error).__name__}: {error}", slow=untrusted)


def _problem(address: str, error: client.ApiError) -> Problem | Unavailable:
    if error.status_code in (401, 403):
        return Problem("output.elasticsearch.credentials", f"{address} does not let us in: {_reason(error)}", todo="mend the credentials")
    return _unavailable(error)
