"""The input `rabbitmq`: messages of a queue, acknowledged one by one once they are durable.

As many messages as `prefetch` are at work at a time, so that they share a disk sync; the broker sends no more before some are acknowledged.
A connection that ends is made anew. What was not acknowledged then comes again, marked by the broker as redelivered: only such a
message is ever taken for a copy of one that is in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec

from ..brokers import Rabbit, rabbit_address, rabbit_connect
from ..options import Size, doc
from ..problem import Busy, printable
from ..wire.bodies import Limits
from .messages import Message, read
from .once import Once
from .port import Context, Line

__all__ = ["Rabbitmq", "RabbitmqOptions"]

_LOG = logging.getLogger(__name__)
_COUNTERS = ("messages", "records", "rejected", "unreadable", "redelivered", "busy", "acks", "connects", "unacknowledged")
_HEAVY = 256 << 10  # messages above this are read in a thread
_LOOK = 30.0  # seconds between two looks at whether the queue is still there
_LONGEST = 30.0  # seconds between two attempts to connect


class RabbitmqOptions(Rabbit, frozen=True, kw_only=True):
    """The options of an input of type `rabbitmq`."""

    queue: Annotated[str, doc("the queue to read", min_length=1, max_length=255)]
    declare: Annotated[bool, doc("make the durable queue, the exchange and the binding where they are missing")] = False
    exchange: Annotated[str, doc("the exchange to bind the queue to; none: as it stands")] = ""
    exchange_type: Annotated[Literal["direct", "topic", "fanout"], doc("its type, where it must be made")] = "direct"
    routing_key: Annotated[str, doc("the binding's key; default: the queue's name")] = ""
    prefetch: Annotated[int, doc("most messages at work at a time", ge=1, le=65535)] = 500
    tag: Annotated[str, doc("the records' tag; `{routing_key}`, `{exchange}` and `{queue}` are filled in", min_length=1)] = "{routing_key}"
    max_message: Annotated[Size, doc("most bytes of a message; a larger one is a dead letter", ge=1)] = Size(32 << 20)
    max_data: Annotated[Size, doc("most bytes of a message after unpacking", ge=1)] = Size(64 << 20)


class _Delivery:
    """How a message came: `first` unless the broker says that it sent it before. Acks are not answered: any may be lost with its line."""

    __slots__ = ("first", "line")

    def __init__(self, line: Line, first: bool) -> None:
        self.line, self.first = line, first

    @property
    def lost(self) -> bool:
        """Whether the broker may send the message again."""
        return self.line.ended


class Rabbitmq:
    """The input; see the head of this file."""

    Options = RabbitmqOptions

    def __init__(self, options: RabbitmqOptions, context: Context) -> None:
        self.address = rabbit_address(options, options.queue)
        self._options, self._context = options, context
        self._connect: Callable[[], Awaitable[Any]] = rabbit_connect(options, f"pluginhost {context.name} at {context.hostname}")
        self._counts = context.metrics.counts(f"input.{context.name}", *_COUNTERS)
        self._limits = Limits(body=options.max_message, data=options.max_data)
        self._once = Once(_LOG)
        self._task: asyncio.Task[None] | None = None
        self._at_work: set[asyncio.Task[None]] = set()
        self._draining, self._grace, self._open = asyncio.Event(), 0.0, False

    async def start(self) -> None:
        """Begins to read. A broker that cannot be reached is tried again for as long as it takes."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"rabbitmq-{self._context.name}")

    async def drain(self, grace: float) -> None:
        """Takes no more, makes durable and acknowledges what came, gives the rest back to the queue."""
        self._grace = grace * 0.8
        self._draining.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=grace if self._open else 0)  # nothing came over a connection that is not there
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = 1.0
        while not self._draining.is_set():
            before = self._counts["acks"]
            try:
                await self._belong()
            except Exception as error:  # noqa: BLE001  # libraries of the broker raise many kinds
                pause = 1.0 if self._counts["acks"] > before else pause
                self._say("connection", f"{self.address}: {error or type(error).__name__}; trying again in {pause:.0f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), pause)
            pause = min(pause * 2, _LONGEST)

    async def _belong(self) -> None:
        """Reads over one connection until it ends or `drain` is called; raises what ended it."""
        connection = await self._connect()
        self._open = True
        line, gone, reasons = Line(), asyncio.Event(), list[object]()

        def ended(_: object, reason: object = None) -> None:
            reasons.append(reason)
            gone.set()

        self._counts["connects"] += 1
        try:
            channel = await connection.channel(publisher_confirms=False)
            connection.close_callbacks.add(ended)
            channel.close_callbacks.add(ended)
            await channel.set_qos(prefetch_count=self._options.prefetch)
            queue = await self._declared(channel)

            async def came(message: Any) -> None:
                self._begin(message, line)

            consumer = await queue.consume(came)
            await self._while_it_lasts(channel, gone)
            if gone.is_set():
                raise ConnectionError(f"the connection ended: {next(filter(None, reasons), 'without a reason')}")
            await queue.cancel(consumer)
            await self._at_rest()
        finally:
            self._open, line.ended = False, True  # whoever waits for room gives up: the broker gives the message to somebody, perhaps to us
            await self._closed(connection)

    async def _while_it_lasts(self, channel: Any, gone: asyncio.Event) -> None:
        """Returns when the connection has ended, the queue is gone, or `drain` is called."""
        loop = asyncio.get_running_loop()
        ends = [loop.create_task(event.wait()) for event in (gone, self._draining)]
        try:
            while not (gone.is_set() or self._draining.is_set()):
                done, _ = await asyncio.wait(ends, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                if not done:  # a queue that is deleted ends nothing by itself
                    found = await channel.declare_queue(self._options.queue, passive=True)
                    if not found.declaration_result.consumer_count:
                        raise ConnectionError("the queue was deleted and made anew")
        finally:
            for one in ends:
                one.cancel()

    async def _declared(self, channel: Any) -> Any:
        options = self._options
        queue = await channel.declare_queue(options.queue, durable=True, passive=not options.declare)
        if options.exchange:
            exchange = await channel.declare_exchange(options.exchange, options.exchange_type, durable=True, passive=not options.declare)
            if options.declare:
                await queue.bind(exchange, options.routing_key or options.queue)
        return queue

    async def _at_rest(self) -> None:
        """Waits until what came is acknowledged or given up."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=self._grace)

    async def _closed(self, connection: Any) -> None:
        """Ends the connection: the broker puts back into the queue what was not acknowledged."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(connection.close(), 5)

    def _begin(self, message: Any, line: Line) -> None:
        """Starts on a message in a task of ours: the library ends its own with the connection, in the middle of a sync."""
        self._counts["messages"] += 1
        self._counts["redelivered"] += bool(message.redelivered)
        task = asyncio.get_running_loop().create_task(self._served(message, line))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def _served(self, message: Any, line: Line) -> None:
        try:
            if await self._kept(message, line):
                await message.ack()
                self._counts["acks"] += 1
                return
        except Exception as error:  # noqa: BLE001  # the connection ended meanwhile: it comes again; or a bug of ours, and it stays there
            self._say("message", f"a message of {self.address} is not acknowledged: {error or type(error).__name__}")
        self._counts["unacknowledged"] += 1

    async def _kept(self, message: Any, line: Line) -> bool:
        """Whether the message is durable; False if there was no room for it before the line ended or the input was drained."""
        body: bytes = message.body
        made = Message(body, 0, _time(message), message.content_type or "", message.content_encoding or "")
        tag = self._tag(message)
        chunk = await asyncio.to_thread(read, made, tag, self._limits) if len(body) > _HEAVY else read(made, tag, self._limits)
        if not (chunk.count or chunk.rejected):
            return True
        chunk = msgspec.structs.replace(chunk, chunk_id=_identity(message))
        way = _Delivery(line, not message.redelivered)
        while not line.ended:
            try:
                await self._context.accept(chunk, source=self._options.queue, carried=way)
            except Busy as busy:
                self._counts["busy"] += 1
                if self._draining.is_set():
                    return False
                await asyncio.sleep(busy.retry_after)
            else:
                self._counts["records"] += chunk.count
                self._counts["rejected"] += len(chunk.rejected)
                self._counts["unreadable"] += not chunk.count
                return True
        return False

    def _tag(self, message: Any) -> str:
        tag, queue = self._options.tag, self._options.queue
        named = {"routing_key": message.routing_key or queue, "exchange": message.exchange or "", "queue": queue}
        for name, value in named.items():
            tag = tag.replace(f"{{{name}}}", value)
        return printable(tag, 256)

    def _say(self, subject: str, text: str) -> None:
        self._once.warn(subject, f"input {self._context.name}: {text}")


def _time(message: Any) -> int:
    """The time in ns that the sender gave the message, 0 if none."""
    return int(message.timestamp.timestamp()) * 1_000_000_000 if message.timestamp else 0


def _identity(message: Any) -> bytes:
    """What a message that is sent again has in common with its first copy: the sender's own id for it, and all its bytes."""
    told = f"{message.message_id or ''}\n{_time(message)}\n".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(told + message.body, digest_size=16).digest()
