"""Alerts or flagged records as messages of a RabbitMQ exchange: persistent, confirmed by the broker, each under its alert's id.

Delivers at least once: what was not confirmed is sent again under the same `message_id`. A message that no queue takes comes back and is
tried until one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from ..brokers import Rabbit, package, rabbit_address, rabbit_connect
from ..options import Duration, Size, doc
from ..problem import Problem, printable
from .lines import line
from .parts import Part, Refused, in_parts, made_of, settled
from .port import DONE, Context, Dead, Outcome, Outgoing, Retry, Unavailable

__all__ = ["Rabbitmq"]

_FIELD = re.compile(r"\{(severity|analyzer)\}")
_CONFIGURATION = frozenset((
    "AuthenticationError", "ProbableAuthenticationError", "ConnectionNotAllowed", "ChannelAccessRefused", "ChannelNotFoundEntity",
    "ChannelPreconditionFailed", "SSLCertVerificationError",
))  # fmt: skip
"""Errors about us or the exchange, not about what was sent: somebody must act, and nothing is given up meanwhile."""


class Rabbitmq:
    """One exchange."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(Rabbit, frozen=True, kw_only=True):
        """Where to, in which form, and how to be let in."""

        exchange: Annotated[str, doc("the exchange; `\"\"` is the default one, where the routing key is the queue's name")] = ""
        routing_key: Annotated[str, doc("the routing key; `{severity}` and `{analyzer}` are filled in")] = "flagged.{severity}.{analyzer}"
        declare: Annotated[bool, doc("make the exchange (durable) where it is missing")] = False
        exchange_type: Annotated[Literal["topic", "direct", "fanout"], doc("its type, where it must be made")] = "topic"
        what: Annotated[Literal["record", "alert"], doc("the flagged record enriched under `pluginhost`, or the alert document")] = "record"
        timeout: Annotated[Duration, doc("how long the broker may take to confirm", ge=1)] = Duration(30)
        batch: Annotated[int, doc("most alerts at once", ge=1, le=5000)] = 200
        batch_bytes: Annotated[Size, doc("most bytes that wait to be confirmed")] = Size(8 << 20)

    def __init__(self, options: Options, context: Context) -> None:
        self.address = rabbit_address(options, options.exchange)
        self.batch, self.prefix = options.batch, _literal(options)
        self._options, self._hostname, self._clock = options, context.hostname, context.clock
        self._connect = rabbit_connect(options, f"pluginhost {context.name} at {context.hostname}")
        self._library = package("aio_pika", "rabbitmq")
        self._counts = context.metrics.counts(f"output.{context.name}", "messages", "bytes", "connects", "refused", "unroutable")
        self._connection: Any = None
        self._exchange: Any = None

    async def check(self) -> None:
        """Connects and asks for the exchange."""
        try:
            await self._ready()
        finally:
            await self.close()

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Publishes the batch and waits until each is confirmed."""
        outcomes: dict[str, Outcome] = {}
        parts = made_of(alerts, self._made, outcomes)
        outcomes |= await in_parts(parts, self._send, self._options.batch_bytes)
        if parts and all(isinstance(outcome, Retry) for outcome in outcomes.values()):
            first = next(outcome for outcome in outcomes.values() if isinstance(outcome, Retry))
            raise Unavailable(first.reason, slow=first.slow)
        return settled(alerts, outcomes)

    def _made(self, alert: Outgoing) -> Part:
        return Part(alert, line(alert, self._options.what, self._hostname, self._clock())[:-1])

    async def close(self) -> None:
        """Ends the connection."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(connection.close(), 5)

    async def _ready(self) -> Any:
        """The exchange, over the connection that stands or a new one."""
        if self._exchange is not None and not self._exchange.channel.is_closed:
            return self._exchange
        await self.close()
        try:
            self._connection = await self._connect()
            self._counts["connects"] += 1
            channel = await self._connection.channel(on_return_raises=True)
            if not self._options.exchange:
                self._exchange = channel.default_exchange
            else:
                self._exchange = await channel.declare_exchange(self._options.exchange, self._options.exchange_type, durable=True,
                                                                passive=not self._options.declare)  # fmt: skip
        except Exception as error:  # noqa: BLE001  # libraries of the broker raise many kinds
            raise await self._lost(error) from None
        return self._exchange

    async def _send(self, parts: Sequence[Part]) -> list[Outcome]:
        exchange = await self._ready()
        answers = await asyncio.gather(*(self._published(exchange, part) for part in parts), return_exceptions=True)
        broken = next((one for one in answers if isinstance(one, Exception)), None)
        if broken is not None and not any(one is DONE for one in answers):
            raise await self._lost(broken)
        if broken is not None:
            await self.close()
        return [one if isinstance(one, (type(DONE), Retry, Dead)) else Retry(_told(one)) for one in answers]

    async def _published(self, exchange: Any, part: Part) -> Outcome:
        """What the broker says of a message; raises what ended the channel."""
        alert, errors = part.alert, self._library.exceptions
        message = self._library.Message(
            part.body, content_type="application/json", delivery_mode=self._library.DeliveryMode.PERSISTENT, message_id=alert.id,
            timestamp=dt.datetime.fromtimestamp(alert.time // 1_000_000_000, dt.UTC), app_id="pluginhost",
        )  # fmt: skip
        self._counts["messages"] += 1
        self._counts["bytes"] += len(part.body)
        try:
            await exchange.publish(message, self._routing_key(alert), mandatory=True, timeout=self._options.timeout)
        except errors.PublishError:
            self._counts["unroutable"] += 1
            return Retry(f"no queue takes the routing key {self._routing_key(alert)}", slow=True)
        except errors.DeliveryError:
            self._counts["refused"] += 1
            return Retry("the broker refused the message: a queue is full, or cannot be written")
        return DONE

    def _routing_key(self, alert: Outgoing) -> str:
        values = {"severity": alert.severity, "analyzer": alert.analyzer}
        return _FIELD.sub(lambda field: values[field[1]], self._options.routing_key).encode()[:255].decode("utf-8", "ignore")

    async def _lost(self, error: BaseException) -> Exception:
        """What to raise when the connection or the channel has ended."""
        await self.close()
        kinds = {type(one).__name__ for one in (error, error.__cause__) if one is not None}
        if "ChannelPreconditionFailed" in kinds and "message size" in str(error):
            return Refused(_told(error))
        return Unavailable(_told(error), slow=bool(kinds & _CONFIGURATION))


def _told(error: object) -> str:
    return printable(f"{type(error).__name__}: {error}".rstrip(": "), 300)


def _literal(options: Rabbitmq.Options) -> str:
    """What every routing key begins with, whatever the alert: inputs refuse records that come back under it (loop guard)."""
    unknown = [field for field in re.findall(r"\{[^}]*\}?", options.routing_key) if not _FIELD.fullmatch(field)]
    literal = _FIELD.split(options.routing_key)[0]
    if unknown or not literal.rstrip("."):
        raise Problem("output.rabbitmq.routing_key", f"`{options.routing_key}` is no routing key: it must begin with text of its own",
                      todo="write `flagged.{severity}.{analyzer}`, or the queue's name")  # fmt: skip
    return literal
