"""Alerts, or scores, into a search cluster: bulk `create` into their stream, `_id` = `event.id`, so that a resend meets its first copy.

`_id` is unique per backing index only. After an attempt of unknown outcome a rollover could make a second copy, so the
next attempt asks the stream for those ids first, where we may read. Retrying is the host's: no client ever does. What the products
do differently is in `elasticsearch` and `opensearch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from ..alerts import template
from ..alerts.scores import sent
from ..options import Duration, Secret, Size, doc
from ..tls import Calling
from ..wire.times import iso
from .bulk import create, item_outcome
from .cluster import Answered, Cluster, Templates
from .parts import Part, Refused, in_parts, made_of, settled
from .port import DONE, Context, Outcome, Outgoing, Unavailable

__all__ = ["SearchOptions", "SearchOutput", "secured"]

_ANSWER = "errors,items.*.status,items.*.failure_store,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason"
_NOT_OUR_BODY = ("media_type_header_exception", "unrecognized parameter")


class SearchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the cluster is and how to be let in."""

    hosts: Annotated[tuple[str, ...], doc("nodes, each `http(s)://host:port`", min_length=1)] = ("http://127.0.0.1:9200",)
    username: Annotated[str, doc("who we are")] = ""
    password: Annotated[Secret | None, doc("the user's password")] = None
    tls: Annotated[Calling | None, doc("how https is spoken, where the system's authorities are not enough")] = None
    timeout: Annotated[Duration, doc("how long a request may take")] = Duration(30)
    batch: Annotated[int, doc("most alerts in a request", ge=1, le=5000)] = 500
    batch_bytes: Annotated[Size, doc("most bytes in a request")] = Size(5 << 20)


def secured(options: SearchOptions) -> bool:
    """Whether TLS is spoken; `ValueError` if it is set up for nothing."""
    found = any(host.startswith("https:") for host in options.hosts)
    if options.tls and not found:
        raise ValueError("`tls` is set, but no host begins with https:")
    return found


class SearchOutput:
    """One cluster. Puts its index templates at first contact, and asks for them again whenever contact was lost."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"
    scores = True

    def __init__(self, options: SearchOptions, context: Context, cluster: Cluster) -> None:
        self.address = ", ".join(options.hosts)
        self.batch = options.batch
        self._context, self._of_scores = context, context.what == "scores"
        self.stream = (template.scores_stream if self._of_scores else template.alerts_stream)(context.namespace)
        self.cluster, self.templates = cluster, Templates(cluster)
        self._most_bytes = options.batch_bytes
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "present", "refused")
        self._doubtful: set[str] | None = None  # ids whose last attempt nobody knows of; None: all, we only just started
        self._parameters: dict[str, str] = {}  # of a bulk request, as the server met last takes them
        self._met = False

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Creates what is not there yet. An alert that can never be indexed is dead; its neighbours are written."""
        if not self._met:
            await self._meet()
        present = await self._present(alerts)
        outcomes: dict[str, Outcome] = dict.fromkeys(present, DONE)
        parts = made_of(alerts, self._made, outcomes)
        outcomes |= await in_parts(parts, self._send, self._most_bytes)
        self._doubtful = (self._doubtful or set()) - present  # not before: had the rest failed, they are asked for again
        return settled(alerts, outcomes)

    async def close(self) -> None:
        """Lets go of the connections."""
        await self.cluster.close()

    async def prepare(self, version: str) -> dict[str, str]:
        """Sees to what must stand on a server of `version` before the first write; what to add to each bulk request."""
        await (self.templates.put_scores if self._of_scores else self.templates.put)(version)
        return {}

    def _made(self, alert: Outgoing) -> Part:
        document = msgspec.json.decode(alert.document, type=dict[str, Any])
        if self._of_scores:
            document = sent(document, self._context.namespace, self._context.hostname)
        return Part(alert, create(alert.id, document, iso(alert.time, 3), iso(self._context.clock(), 3)))

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
            await self._ask("POST", f"/{self.stream}/_refresh", params=if_there)
            answer = await self._ask("POST", f"/{self.stream}/_search", params=whole, body=query)
        except Answered as error:
            if error.status in (403, 404):  # we may not read, so a resend around a rollover may be there twice
                return set()
            raise error.unavailable from None
        found = {hit["_id"] for hit in answer["hits"]["hits"]}
        self._doubtful = (self._doubtful or set()) | found  # until `deliver` has said so
        self._counts["present"] += len(found)
        return found

    async def _bulk(self, body: bytes) -> Any:
        try:
            return await self._ask("POST", f"/{self.stream}/_bulk", params=self._parameters, body=body)
        except Answered as error:
            if error.status in (400, 413) and not any(sign in error.reason for sign in _NOT_OUR_BODY):
                raise Refused(error.reason) from None
            raise error.unavailable from None

    async def _ask(self, method: str, path: str, **what: Any) -> Any:
        try:
            return await self.cluster.ask(method, path, **what)
        except Unavailable:
            self._met = False  # whoever answers next may be another server
            raise

    async def _meet(self) -> None:
        """Learns which server this is and sees to what must stand there."""
        try:
            version = str((await self.cluster.ask("GET", "/")).get("version", {}).get("number", ""))
            more = await self.prepare(version)
        except Answered as error:
            raise error.unavailable from None
        self._parameters = {"filter_path": _ANSWER, **more}
        self._met = True
