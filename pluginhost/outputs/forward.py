"""Flagged records back into the shipper, over the forward protocol. Delivers at least once where acks are required.

One frame is in flight at a time and done when its ack is read. A resend is the same frame under the same chunk id. The
bytes are made in `wire.forward_client`; here are the connection, its fail-over, and what a missing ack means.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from ..alerts.flagged import flagged
from ..alerts.sanitise import plain
from ..options import Duration, Size, doc
from ..problem import PeerError, Problem
from ..wire.forward_client import Acks, chunk_id, entry, frame
from .port import DONE, Context, Dead, Outcome, Outgoing, Retry, Unavailable

__all__ = ["Forward"]

_UNSURE = 64  # frames whose acks were lost that are remembered
_LARGEST = 4 << 20  # Fluent Bit reads no frame of more than 6,144,000 bytes, and Fluentd acks what it then drops
_DEPTH = 32
_ALONE_AFTER, _DEAD_AFTER = 3, 10
_FIELD = re.compile(r"\{(prefix|severity|analyzer)\}")


class _Refusal(Exception):
    """The frame was sent and the receiver closed without an ack: it may be the frame, it may be the receiver."""


class Forward:
    """One receiver out of an ordered list of servers: the first that answers is kept until it fails."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Who receives, under which tags, and how much proof of arrival is asked for."""

        servers: Annotated[tuple[str, ...], doc("receivers, `host:port`; the first to answer is used", min_length=1)] = ("127.0.0.1:24225",)
        profile: Annotated[Literal["fluent", "logstash"], doc("`logstash` suits its fluent codec: no acks, gzip or nanoseconds")] = "fluent"
        tag_prefix: Annotated[str, doc("what every tag begins with", pattern=r"^[a-z0-9_][a-z0-9_.-]*$")] = "flagged"
        tag: Annotated[str, doc("the tag; `{prefix}`, `{severity}` and `{analyzer}` are filled in")] = "{prefix}.{severity}.{analyzer}"
        require_ack: Annotated[bool, doc("whether a frame is done only when the receiver said so; else losses go unnoticed")] = True
        compress: Annotated[Literal["none", "gzip"], doc("how frames are packed")] = "none"
        time: Annotated[Literal["eventtime", "int"], doc("with nanoseconds, or in whole seconds")] = "eventtime"
        ack_timeout: Annotated[Duration, doc("how long an ack may take")] = Duration(60)
        connect_timeout: Annotated[Duration, doc("how long a connection may take")] = Duration(10)
        frame_bytes: Annotated[Size, doc("the size a frame is filled to, at most 4MiB; a larger record goes alone")] = Size(1 << 20)
        batch: Annotated[int, doc("most alerts at once", ge=1, le=5000)] = 500
        evidence: Annotated[bool, doc("whether the events that an alert kept go along")] = False

    def __init__(self, options: Options, context: Context) -> None:
        if options.profile == "logstash":
            options = msgspec.structs.replace(options, require_ack=False, compress="none", time="int")
        self.address = ", ".join(options.servers)
        self.batch = options.batch
        self.prefix = _literal(options)
        self._options, self._hostname = options, context.hostname
        self._servers = [_host_port(server) for server in options.servers]
        self._counts = context.metrics.counts(f"output.{context.name}", "frames", "frame_bytes", "connects", "refused")
        self._link: _Link | None = None
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
        lost = Unavailable("the receiver closes on every frame")
        for tag, part in self._frames(alerts, outcomes):
            try:
                await self._deliver_frame(tag, part)
                outcomes |= {alert.id: DONE for alert, _ in part}
                self._unsure.pop(part[0][0].id, None)
                self._passed(part)
            except _Refusal as refusal:
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
                made = self._entry(alert)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                outcomes[alert.id] = Dead(f"not a document: {error}")
                continue
            if len(made) > _LARGEST:
                outcomes[alert.id] = Dead(f"the record is {len(made)} bytes, more than any receiver takes")
            elif self._refused.get(alert.id, 0) >= _ALONE_AFTER:
                yield self._tag(alert), [(alert, made)]
            else:
                tagged.setdefault(self._tag(alert), []).append((alert, made))
        for tag, entries in tagged.items():
            yield from ((tag, part) for part in self._again(entries))
            for part in _filled(entries, min(self._options.frame_bytes, _LARGEST)):
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

    def _entry(self, alert: Outgoing) -> bytes:
        record = flagged(msgspec.json.decode(alert.document, type=dict[str, Any]), self._hostname, evidence=self._options.evidence)
        return entry(alert.time, plain(record, _DEPTH), eventtime=self._options.time == "eventtime")

    def _tag(self, alert: Outgoing) -> str:
        values = {"prefix": self._options.tag_prefix, "severity": alert.severity, "analyzer": alert.analyzer}
        return re.sub(r"[^a-z0-9_.-]", "_", _FIELD.sub(lambda field: values[field[1]].lower(), self._options.tag))[:128]

    async def _deliver_frame(self, tag: str, part: list[tuple[Outgoing, bytes]]) -> None:
        chunk = chunk_id(alert.id for alert, _ in part) if self._options.require_ack else ""
        made = frame(tag, [made for _, made in part], chunk=chunk, gzipped=self._options.compress == "gzip")
        kept = self._link
        link = await self._connected()
        try:
            await self._send(link, made, chunk)
        except _Refusal:
            if link is not kept:
                raise
            await self._send(await self._connected(), made, chunk)  # it died while idle, which says nothing of the frame

    async def _send(self, link: _Link, made: bytes, chunk: str) -> None:
        self._counts["frames"] += 1
        self._counts["frame_bytes"] += len(made)
        try:
            await link.send(made, chunk, self._options.ack_timeout)
        except BaseException:  # also when cancelled: an ack read later would be taken for the next frame's
            await self.close()
            raise

    async def _connected(self) -> _Link:
        """The connection that stands, or one to the first server that takes it."""
        if self._link and await self._link.stands():
            return self._link
        await self.close()
        reasons = []
        for host, port in self._servers:
            try:
                async with asyncio.timeout(self._options.connect_timeout):
                    self._link = _Link(*await asyncio.open_connection(host, port))
            except (OSError, TimeoutError) as error:
                reasons.append(f"{host}:{port}: {str(error) or type(error).__name__}")
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


class _Link:
    """One connection, with what the receiver says on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._acks = reader, writer, Acks()

    async def stands(self) -> bool:
        """False if the receiver has closed it meanwhile: what is written into such a connection is lost."""
        for _ in range(2):  # the first turn of the loop polls the socket, the second lets the end of the stream be noted
            await asyncio.sleep(0)
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def send(self, made: bytes, chunk: str, patience: float) -> None:
        """Returns when the frame is acked (or, without `chunk`, handed to the system). Raises `_Refusal` or `Unavailable`."""
        try:
            async with asyncio.timeout(patience):
                self._writer.write(made)
                await self._writer.drain()
                acked = [chunk] if not chunk else await self._ack()
        except TimeoutError:
            raise Unavailable(f"no ack within {patience:g} s") from None
        except OSError as error:
            raise _Refusal(f"the receiver closed without an ack: {error}") from None
        except PeerError as error:
            raise Unavailable(str(error), slow=error.reason == "helo") from None
        if acked != [chunk]:
            raise Unavailable(f"the ack is for another chunk: {acked[0]!r:.100}")

    async def _ack(self) -> list[str]:
        while data := await self._reader.read(4096):
            if acked := self._acks.feed(data):
                return acked
        raise ConnectionResetError("end of stream")

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()


def _filled(entries: list[tuple[Outgoing, bytes]], most: int) -> Iterator[list[tuple[Outgoing, bytes]]]:
    part: list[tuple[Outgoing, bytes]] = []
    size = 0
    for one in entries:
        if part and size + len(one[1]) > most:
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one[1])
    if part:
        yield part


def _literal(options: Forward.Options) -> str:
    """What every tag begins with, whatever the alert: inputs refuse records that come back under it (loop guard)."""
    unknown = [field for field in re.findall(r"\{[^}]*\}?", options.tag) if not _FIELD.fullmatch(field)]
    literal = _FIELD.split(options.tag.replace("{prefix}", options.tag_prefix))[0]
    if unknown or not re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", literal):
        raise Problem("output.forward.tag", f"`{options.tag}` is no tag: it must begin with `{{prefix}}` or text of a-z 0-9 _ . -",
                      todo="write `{prefix}.{severity}.{analyzer}`, or leave it out")  # fmt: skip
    return literal


def _host_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Problem("output.forward.server", f"`{server}` is no server", todo="write it as `host:port`")
    return host.removeprefix("[").removesuffix("]"), int(port)
