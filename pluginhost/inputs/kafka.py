"""The input `kafka`: messages of topics, read as a member of a consumer group, committed once they are durable.

What is said to the broker happens in a thread of its own (`kafka_member`); here messages become chunks and go to the journal, each
partition's in order, partitions side by side so that they share a disk sync. The journal itself knows how far a partition was taken:
each row bears the offsets it holds, so a crash between the sync and the commit costs no second look.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Annotated, Any, Literal

import msgspec

from ..brokers import Sasl, kafka_settings, made, package
from ..options import Size, doc
from ..problem import Busy, printable
from ..tls import Calling
from ..wire.bodies import Limits
from ..wire.chunk import Chunk
from .kafka_member import COUNTERS, Member, Share
from .messages import Message, portions
from .once import Once
from .port import Context

__all__ = ["Kafka", "KafkaOptions"]

_LOG = logging.getLogger(__name__)
_SIDE_BY_SIDE = 8  # partitions that are read at a time: each may unpack to `max_data`
_BEAT = 0.25  # seconds between two looks at whether to go on waiting for room
_Name = Annotated[str, msgspec.Meta(min_length=1)]


class KafkaOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an input of type `kafka`."""

    brokers: Annotated[tuple[_Name, ...], doc("brokers to begin with, `host:port`", min_length=1)] = ("127.0.0.1:9092",)
    topics: Annotated[tuple[_Name, ...], doc("topics to read; one that begins with `^` is a pattern", min_length=1)]
    group: Annotated[str, doc("the consumer group; sidecars of one group share the partitions", min_length=1)] = "pluginhost"
    start: Annotated[Literal["earliest", "latest"], doc("where a partition begins that the group has never read")] = "earliest"
    tag: Annotated[str, doc("the records' tag; `{topic}` is filled in", min_length=1)] = "{topic}"
    tls: Annotated[Calling | None, doc("speak TLS")] = None
    sasl: Annotated[Sasl | None, doc("say who we are")] = None
    batch: Annotated[int, doc("most messages that are taken at a time", ge=1, le=100_000)] = 5000
    batch_bytes: Annotated[Size, doc("the size a chunk is filled to; a larger message goes alone", ge=1)] = Size(4 << 20)
    queued_bytes: Annotated[Size, doc("most bytes that are fetched ahead", ge=1024, le=2 << 30)] = Size(64 << 20)
    max_message: Annotated[Size, doc("most bytes of a message; a larger one is a dead letter", ge=1)] = Size(32 << 20)
    max_data: Annotated[Size, doc("most bytes of a message after unpacking", ge=1)] = Size(64 << 20)
    settings: Annotated[dict[str, str], doc("more settings of librdkafka, such as `session.timeout.ms`")] = {}


class Kafka:
    """The input; see the head of this file."""

    Options = KafkaOptions

    def __init__(self, options: KafkaOptions, context: Context) -> None:
        self.address = f"kafka://{','.join(options.brokers)}/{','.join(options.topics)}"
        self._options, self._context = options, context
        self._counts = context.metrics.counts(f"input.{context.name}", *COUNTERS)
        self._limits = Limits(body=options.max_message, data=options.max_data)
        self._once, self._heard = Once(_LOG), threading.Lock()
        library, config = package("confluent_kafka", "kafka"), _config(options, context)
        made(library.Consumer, config, self._say).close()  # so that what cannot be is told at once
        config |= {"error_cb": self._trouble, "on_commit": self._committed}
        self._life = secrets.token_hex(4)
        self._member = Member(library, lambda: made(library.Consumer, config, self._say), options.topics, start=options.start,
                              batch=options.batch, mark=_mark(context), life=self._life, counts=self._counts, keep=self._submit,
                              last=context.last, say=self._say)  # fmt: skip

    async def start(self) -> None:
        """Begins to read. A broker that cannot be reached is tried again for as long as it takes."""
        self._loop, self._slots = asyncio.get_running_loop(), asyncio.Semaphore(_SIDE_BY_SIDE)
        self._member.begin()

    async def drain(self, grace: float) -> None:
        """Takes no more, makes durable and commits what was read, and leaves the group."""
        await asyncio.to_thread(self._member.end, grace)

    def _submit(self, shares: Sequence[Share]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self._keep_all(shares), self._loop)

    async def _keep_all(self, shares: Sequence[Share]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for one in shares:
                tasks.create_task(self._keep(one))

    async def _keep(self, share: Share) -> None:
        """Makes one partition's messages durable, in order; leaves off when `share.leave` is set and there is no room."""
        tag = printable(self._options.tag.replace("{topic}", share.topic), 256)
        async with self._slots:
            found = portions(map(_message, share.messages), tag, self._limits, self._options.batch_bytes)
            while (portion := await asyncio.to_thread(next, found, None)) is not None:
                if portion.chunk is not None and not await self._accepted(portion.chunk, share):
                    return
                share.durable(portion.next)
                self._counts["unreadable"] += portion.unreadable

    async def _accepted(self, chunk: Chunk, share: Share) -> bool:
        named = msgspec.structs.replace(chunk, chunk_id=chunk.chunk_id + f"@{self._life}".encode())
        while True:
            try:
                await self._context.accept(named, source=share.source)
            except Busy as busy:
                self._counts["busy"] += 1
                left = busy.retry_after
                while left > 0 and not share.leave.is_set():
                    await asyncio.sleep(min(left, _BEAT))
                    left -= _BEAT
                if share.leave.is_set():
                    return False
            else:
                self._counts["records"] += chunk.count
                self._counts["rejected"] += len(chunk.rejected)
                return True

    def _trouble(self, error: Any) -> None:
        self._say(f"broker {error.code()}", error.str())

    def _committed(self, error: Any, offsets: list[Any]) -> None:
        if error is not None:
            self._member.uncommitted(error.str(), offsets)

    def _say(self, subject: str, text: str) -> None:
        with self._heard:  # librdkafka's words come from another thread than ours
            self._once.warn(subject, f"input {self._context.name}: {text}")


def _config(options: KafkaOptions, context: Context) -> dict[str, Any]:
    own = {
        "group.id": options.group, "client.id": printable(f"pluginhost-{context.hostname}", 200), "auto.offset.reset": options.start,
        "enable.auto.commit": False, "enable.auto.offset.store": False, "enable.partition.eof": False,
        "partition.assignment.strategy": "range,roundrobin", "queued.max.messages.kbytes": options.queued_bytes // 1024,
    }  # fmt: skip
    defaults = {"topic.metadata.refresh.interval.ms": 30_000, "allow.auto.create.topics": False}
    return kafka_settings(own, options.brokers, options.tls, options.sasl, options.settings, defaults)


def _mark(context: Context) -> str:
    """What our commits bear: nobody else's do, so that an offset that somebody set by hand is known for one."""
    return "pluginhost " + hashlib.blake2b(f"{context.hostname}\n{context.folder}".encode(), digest_size=12).hexdigest()


def _message(message: Any) -> Message:
    """What we read of a message of the library."""
    kind, time = message.timestamp()
    said = {name.lower(): given.decode("utf-8", "replace") for name, given in message.headers() or () if given}
    return Message(message.value() or b"", message.offset(), time * 1_000_000 if kind else 0,
                   said.get("content-type", ""), said.get("content-encoding", ""))  # fmt: skip
