"""Alerts, or scores, or the states of alerts, into a search cluster.

Alerts and scores are created (bulk `create`) in their data stream, `_id` = `event.id`, so that a resend meets its first copy. `_id` is
unique per backing index only: after an attempt of unknown outcome a rollover could make a second copy, so the next attempt asks the
stream for those ids first, where we may read. A state is written whole into an ordinary index, `_id` = fingerprint, and its revision is
the document's version there: whatever comes late loses. Retrying is the host's: no client ever does. What must stand in the cluster is
`standing`'s; what the products do differently is in `elasticsearch` and `opensearch`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

from ..alerts.scores import sent
from ..alerts.template import home
from ..options import Duration, Secret, Size, doc
from ..tls import Calling
from .bulk import create, item_outcome, replace
from .cluster import Answered, Cluster, version_of
from .parts import Part, Refused, in_parts, made_of, settled
from .port import DONE, Context, Outcome, Outgoing, Unavailable
from .standing import Step, absent, carry_out, steps

__all__ = ["HOSTS", "SearchOptions", "SearchOutput", "secured"]

log = logging.getLogger(__name__)

HOSTS = ("http://127.0.0.1:9200",)
"""Where a cluster is looked for unless it is said."""
_ANSWER = ",".join(("errors", *(f"items.*.{one}" for one in ("_index", "status", "failure_store", "error.type", "error.reason",
                                                             "error.caused_by.reason"))))  # fmt: skip
_NOT_OUR_BODY = ("media_type_header_exception", "unrecognized parameter")


class SearchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the cluster is and how to be let in."""

    hosts: Annotated[
        tuple[str, ...], doc("nodes, each `http(s)://host:port`; asked in turn, and one that is away is left out for a while", min_length=1)
    ] = HOSTS
    sniff: Annotated[bool, doc("whether the cluster is asked for its other nodes, which are spoken to as well")] = False
    username: Annotated[str, doc("who we are")] = ""
    password: Annotated[Secret | None, doc("the user's password")] = None
    tls: Annotated[Calling | None, doc("how https is spoken, where the system's authorities are not enough")] = None
    timeout: Annotated[Duration, doc("how long a request may take")] = Duration(30)
    batch: Annotated[int, doc("most alerts in a request", ge=1, le=5000)] = 500
    batch_bytes: Annotated[Size, doc("most bytes in a request")] = Size(5 << 20)
    retention: Annotated[
        Duration | None, doc("how long the data streams keep alerts and scores, such as `90d`; default: as is set there", ge=86400)
    ] = None
    states: Annotated[bool, doc("also the current state of each alert, in an index of its own")] = True


def secured(options: SearchOptions) -> bool:
    """Whether TLS is spoken; `ValueError` if it is set up for nothing."""
    found = any(host.startswith("https:") for host in options.hosts)
    if options.tls and not found:
        raise ValueError("`tls` is set, but no host begins with https:")
    return found


class SearchOutput:
    """One cluster. Sees to what must stand there at first contact, and again whenever contact was lost."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"
    scores = states = True

    def __init__(self, options: SearchOptions, context: Context, cluster: Cluster) -> None:
        self.address = ", ".join(options.hosts)
        self.batch = options.batch
        self._context, self.home = context, home(context.what, context.namespace)
        self.cluster = cluster
        self._most_bytes, self.retention = options.batch_bytes, options.retention
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "present", "refused")
        self._doubtful: set[str] | None = None  # ids whose last attempt nobody knows of; None: all, we only just started
        self._parameters: dict[str, str] = {}  # of a bulk request, as the server met last takes them
        self._met = False
        self._said: set[str] = set()

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
        async for step in steps(self.cluster, self.home, version, self.retention):
            await self._see_to(step)
        return {}

    async def _see_to(self, step: Step) -> None:
        """Does what is to be done. What we may not do, or what cannot be done, is told, and what stands must do."""
        if step.state == "cannot" and step.vital:
            raise Unavailable(f"{step.what}: {step.why}", slow=True)
        if step.state in ("leave", "cannot"):
            self._say(f"{step.what}: {step.why}; it is left as it is", _level(step))
        try:
            await carry_out(self.cluster, step)
        except Answered as error:
            if step.vital and error.status != 403:
                raise Unavailable(f"the {step.what} cannot be made: {error.reason}", slow=True) from None
            if error.status not in (400, 403) and not absent(error):
                raise
            cure = step.cure if step.cure and error.status == 400 else "have it done with a key that may: pluginhost setup"
            self._say(f"{step.what}: cannot {step.state} it ({error.reason}); {cure}", _level(step))
        else:
            if step.requests:
                log.info("%s: %sd, %s", step.what, step.state, step.why)

    def _say(self, message: str, level: int = logging.WARNING) -> None:
        """Tells the operator, once, however often contact is made."""
        if message not in self._said:
            self._said.add(message)
            log.log(level, "%s", message)

    def _made(self, alert: Outgoing) -> Part:
        document = msgspec.json.decode(alert.document, type=dict[str, Any])
        time, now = alert.time, self._context.clock()
        if self.home.kind == "states":
            return Part(alert, replace(alert.id, msgspec.convert(document, _Stated).pluginhost.state.revision, document, time, now))
        if self.home.kind == "scores":
            document = sent(document, self._context.namespace, self._context.hostname)
        return Part(alert, create(alert.id, document, time, now))

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
        items = [next(iter(item.values())) for item in answer.get("items", [])]
        if len(items) != len(parts):
            raise Unavailable("the answer to a bulk request is of another shape")
        self._doubtful -= ids
        self._counts["present"] += sum(item["status"] == 409 for item in items)
        if any(item["status"] == 404 or (item["status"] < 300 and self._astray(item)) for item in items):
            self._met = False  # what stood there may be gone: look again before the next attempt
        return [item_outcome(item) for item in items]

    def _astray(self, item: Mapping[str, Any]) -> bool:
        """Whether stream and template were gone, so that this made an ordinary index of the stream's name."""
        return self.home.stream and item.get("_index") == self.home.target

    async def _present(self, alerts: Sequence[Outgoing]) -> set[str]:
        """Those of doubtful outcome that the stream holds after all."""
        ids = [alert.id for alert in alerts if self._doubtful is None or alert.id in self._doubtful]
        if not ids or not self.home.stream:
            return set()
        query = {"query": {"ids": {"values": ids}}, "_source": False, "size": len(ids)}
        if_there = {"ignore_unavailable": "true"}
        whole = {**if_there, "allow_partial_search_results": "false"}  # a shard that does not answer may hold them
        try:
            await self._ask("POST", f"/{self.home.target}/_refresh", params=if_there)
            answer = await self._ask("POST", f"/{self.home.target}/_search", params=whole, body=query)
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
            return await self._ask("POST", f"/{self.home.target}/_bulk", params=self._parameters, body=body)
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
            more = await self.prepare(await version_of(self.cluster))
        except Answered as error:
            raise error.unavailable from None
        self._parameters = {"filter_path": _ANSWER, **more}
        self._met = True


def _level(step: Step) -> int:
    return logging.INFO if step.unseen else logging.WARNING


class _State(msgspec.Struct):
    revision: Annotated[int, msgspec.Meta(ge=0)]


class _Own(msgspec.Struct):
    state: _State


class _Stated(msgspec.Struct):
    """What is read of a state's document; without it, it is none."""

    pluginhost: _Own
