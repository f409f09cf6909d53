"""Flagged records back into the shipper, over the forward protocol. Delivers at least once where acks are required.

One frame is in flight at a time and done when its ack is read. A resend is the same frame under the same chunk id. The
bytes are made in `wire.forward_client`, a connection in `link`, the frames in `frames`; here are fail-over, and what a
missing ack means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import msgspec

from ...options import Duration, Secret, Size, doc
from ...problem import Problem
from ...tls import Calling, Following, client_context
from ...wire.forward_client import chunk_id, frame
from ...wire.handshake import Account
from ..port import DONE, Context, Dead, Outcome, Outgoing, Retry, Unavailable
from .frames import LARGEST, Shape, filled, literal
from .link import Caller, Link, Refusal, Server, server_of

__all__ = ["Forward"]

_UNSURE = 64  # frames whose acks were lost that are remembered
_ALONE_AFTER, _DEAD_AFTER = 3, 10


class Forward:
    """One receiver out of an ordered list of servers: the first that answers is kept until it fails."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Who receives, under which tags, and how much proof of arrival is asked for."""

        servers: Annotated[tuple[str, ...], doc("receivers, `host:port` or `unix:/path`; the first to answer is used", min_length=1)] = (
            "127.0.0.1:24225",
        )
        tls: Annotated[Calling | None, doc("speak TLS, and nothing else")] = None
        shared_key: Annotated[Secret | None, doc("what the receiver asks for, and must know itself")] = None
        username: Annotated[str, doc("the user, where the receiver asks for one")] = ""
        password: Annotated[Secret | None, doc("the user's password")] = None
        self_hostname: Annotated[str, doc("what it calls itself in the handshake; by default its name and `hostname`")] = ""
        handshake_timeout: Annotated[Duration, doc("how long the handshake may take", gt=0)] = Duration(10)
        profile: Annotated[Literal["fluent", "logstash"], doc("`logstash` suits its fluent codec: no acks, gzip or nanoseconds")] = "fluent"
        tag_prefix: Annotated[str, doc("what every tag begins with", pattern=r"^[a-z0-9_][a-z0-9_.-]*$")] = "flagged"
        tag: Annotated[str, doc("the tag; `{prefix}`, `{severity}` and `{analyzer}` are filled in")] = "{prefix}.{severity}.{analyzer}"
        require_ack: Annotated[bool, doc("whether a frame is done only when the receiver said so; else losses go unnoticed")] = True
        compress: Annotated[Literal["none", "gzip"], doc("how frames are packed")] = "none"
        time: Annotated[Literal["eventtime", "int"], doc("with nanoseconds, or in whole seconds")] = "eventtime"
        ack_timeout: Annotated[Duration, doc("how long an ack may take")] = Duration(60)
        connect_timeout: Annotated[Duration, doc("how long a connection may take, TLS included", gt=0)] = Duration(10)
        frame_bytes: Annotated[Size, doc("the size a frame is filled to, at most 4MiB; a larger record goes alone")] = Size(1 << 20)
        batch: Annotated[int, doc("most alerts at once", ge=1, le=5000)] = 500
        evidence: Annotated[bool, doc("whether the events that an alert kept go along")] = False

    def __init__(self, options: Options, context: Context) -> None:
        if options.profile == "logstash":
            options = msgspec.structs.replace(options, require_ack=False, compress="none", time="int")
        self.address = ", ".join(options.servers)
        self.batch = options.batch
        self.prefix = literal(options.tag, options.tag_prefix)
        self._options, self._shape = options, _shape(options, context.hostname)
        self._servers = [server_of(server) for server in options.servers]
        _make_sense(options, self._servers)
        self._caller = _caller(options, context)
        self._counts = context.metrics.counts(f"output.{context.name}", "frames", "frame_bytes", "connects", "refused")
        self._link: Link | None = None
        self._unsure: dict[str, list[str]] = {}  # frames whose ack was lost: their alerts, by the first
        self._refused: dict[str, int] = {}  # by alert: how often a receiver closed on it
        self._proven: set[str] = set()  # of those, whom others passed since: it is the alert, not the receiver

    async def check(self) -> None:
        """Connects to a receiver and lets go again."""
        await self._connected()
        await self.close()

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Sends frame by frame. A frame that the receiver closes on does not hold up the others."""
        outcomes: dict[str, Outcome] = {}
        lost = Unavailable("no frame could be made")
        for tag, part in self._frames(alerts, outcomes):
            try:
                await self._deliver_frame(tag, part)
                outcomes |= {alert.id: DONE for alert, _ in part}
                self._unsure.pop(part[0][0].id, None)
                self._passed(part)
            except Refusal as refusal:
                lost = Unavailable(f"the receiver closes on every frame: {refusal}")
                outcomes |= {alert.id: self._refusal(alert, str(refusal)) for alert, _ in part}
            except Unavailable as unavailable:
                lost = unavailable
                self._doubt(part)
                break
        if alerts and all(isinstance(outcome, Retry) for outcome in outcomes.values()):
            raise lost
        return [outcomes.get(alert.id) or Retry(lost.reason, lost.after, lost.slow) for alert in alerts]

    async def close(self) -> None:
        """Closes the connection, if there is one."""
        link, self._link = self._link, None
        if link:
            await link.close()

    def _frames(self, alerts: Sequence[Outgoing], outcomes: dict[str, Outcome]) -> Iterator[tuple[str, list[tuple[Outgoing, bytes]]]]:
        """(tag, alerts with their entries) of each frame. An alert refused three times travels alone, to harm no neighbour."""
        tagged: dict[str, list[tuple[Outgoing, bytes]]] = {}
        for alert in alerts:
            try:
                made = self._shape.entry(alert)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                outcomes[alert.id] = Dead(f"not a document: {error}")
                continue
            if len(made) > LARGEST:
                outcomes[alert.id] = Dead(f"the record is {len(made)} bytes, more than any receiver takes")
            elif self._refused.get(alert.id, 0) >= _ALONE_AFTER:
                yield self._shape.tag(alert), [(alert, made)]
            else:
                tagged.setdefault(self._shape.tag(alert), []).append((alert, made))
        for tag, entries in tagged.items():
            yield from ((tag, part) for part in self._again(entries))
            for part in filled(entries, min(self._options.frame_bytes, LARGEST)):
                yield tag, part

    def _doubt(self, part: list[tuple[Outgoing, bytes]]) -> None:
        """Remembers a frame that may have arrived; few at a time can be in doubt, so what is old was given up by others."""
        self._unsure[part[0][0].id] = [alert.id for alert, _ in part]
        while len(self._unsure) > _UNSURE:
            del self._unsure[next(iter(self._unsure))]

    def _again(self, entries: list[tuple[Outgoing, bytes]]) -> Iterator[list[tuple[Outgoing, bytes]]]:
        """Takes out of `entries` the frames that may have arrived: only as the same frame, with its chunk id, are they known there."""
        places = {alert.id: place for place, (alert, _) in enumerate(entries)}
        again = [ids for first, ids in self._unsure.items() if first in places and all(id_ in places for id_ in ids)]
        parts = [[entries[places[id_]] for id_ in ids] for ids in again]
        taken = {id_ for ids in again for id_ in ids}
        entries[:] = [one for one in entries if one[0].id not in taken]
        yield from parts

    async def _deliver_frame(self, tag: str, part: list[tuple[Outgoing, bytes]]) -> None:
        chunk = chunk_id(alert.id for alert, _ in part) if self._options.require_ack else ""
        made = frame(tag, [made for _, made in part], chunk=chunk, gzipped=self._options.compress == "gzip")
        kept = self._link
        link = await self._connected()
        try:
            await self._send(link, made, chunk)
        except Refusal:
            if link is not kept:
                raise
            await self._send(await self._connected(), made, chunk)  # it died while idle, which says nothing of the frame

    async def _send(self, link: Link, made: bytes, chunk: str) -> None:
        self._counts["frames"] += 1
        self._counts["frame_bytes"] += len(made)
        try:
            await link.send(made, chunk, self._options.ack_timeout)
        except BaseException:  # also when cancelled: an ack read later would be taken for the next frame's
            await self.close()
            raise

    async def _connected(self) -> Link:
        """The connection that stands, or one to the first server that takes it."""
        if self._link and await self._link.stands():
            return self._link
        await self.close()
        reasons = []
        for server in self._servers:
            try:
                self._link = await self._caller.connected(server)
            except Unavailable as unavailable:
                reasons.append(unavailable.reason)
            else:
                self._counts["connects"] += 1
                return self._link
        raise Unavailable("; ".join(reasons))

    def _refusal(self, alert: Outgoing, reason: str) -> Outcome:
        self._counts["refused"] += 1
        times = self._refused[alert.id] = self._refused.get(alert.id, 0) + 1
        if times < _DEAD_AFTER or alert.id not in self._proven:
            return Retry(reason)
        del self._refused[alert.id]
        self._proven.discard(alert.id)
        return Dead(f"refused {times} times while others passed: {reason}")

    def _passed(self, part: list[tuple[Outgoing, bytes]]) -> None:
        for alert, _ in part:
            self._refused.pop(alert.id, None)
        self._proven = set(self._refused)


def _shape(options: Forward.Options, hostname: str) -> Shape:
    return Shape(
        hostname=hostname,
        prefix=options.tag_prefix,
        template=options.tag,
        eventtime=options.time == "eventtime",
        evidence=options.evidence,
    )


def _caller(options: Forward.Options, context: Context) -> Caller:
    tls = options.tls
    following = Following((file for file in (tls.ca, tls.cert, tls.key) if file), lambda: client_context(tls)) if tls else None
    return Caller(
        hostname=options.self_hostname or f"{context.name}.{context.hostname}",  # no receiver may have the same
        key=options.shared_key,
        user=Account(options.username, options.password) if options.username and options.password else None,
        tls=following.current if following else None,
        connect_timeout=options.connect_timeout,
        handshake_timeout=options.handshake_timeout,
    )


def _make_sense(options: Forward.Options, servers: Sequence[Server]) -> None:
    for wrong, what, todo in (
        (options.shared_key == "" or options.password == "", "a key or password is empty", "write one, or leave the option out"),
        (bool(options.username) != bool(options.password), "a user is half given", "give `username` and `password`"),
        (options.username and not options.shared_key, "a user without a `shared_key`: no receiver asks for that", "set `shared_key`"),
        (options.shared_key and options.profile == "logstash", "Logstash knows no shared key", "leave `shared_key` out; `tls` it knows"),
        (options.tls and any(server.path for server in servers), "TLS is not spoken over a Unix socket",
         "leave `tls` out, or give the receiver an output of its own"),
    ):  # fmt: skip
        if wrong:
            raise Problem("output.forward.security", what, todo=todo)
