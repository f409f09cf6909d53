"""Alerts or flagged records as messages of a Kafka topic, by an idempotent producer that waits for all replicas.

A lost answer costs no double as long as the producer lives: librdkafka sends again under the same number until `timeout` has passed.
After that, and over a restart, an alert may come twice; each carries its id. Alerts of one group have one key, hence keep their order.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from ..brokers import Sasl, kafka_settings, made, package
from ..options import Duration, doc
from ..tls import Calling
from .lines import line
from .parts import Part, made_of, settled
from .port import DONE, Context, Dead, Outcome, Outgoing, Retry, Unavailable

__all__ = ["Kafka"]

_NEVER = ("MSG_SIZE_TOO_LARGE", "INVALID_MSG", "INVALID_MSG_SIZE", "INVALID_RECORD")
"""What is told of a whole request though one message may be to blame."""
_CONFIGURATION = (
    "TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED", "TOPIC_EXCEPTION", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC",
    "_UNKNOWN_PARTITION", "_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "_SSL", "POLICY_VIOLATION",
)  # fmt: skip
"""Errors about us or the topic, not about what was sent: somebody must act, and nothing is given up meanwhile."""
_POLL = 0.1  # seconds
_FLUSH = 5.0  # seconds
_Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Told(msgspec.Struct, frozen=True):
    """What the broker or librdkafka says of a message that was not delivered."""

    name: str
    reason: str
    fatal: bool = False


class _Path(msgspec.Struct, frozen=True):
    pluginhost: dict[str, Any] = {}


class Kafka:
    """One topic."""

    when_full: Literal["push_back", "dead_letter"] = "push_back"

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Where to, in which form, and how to be let in."""

        brokers: Annotated[tuple[_Name, ...], doc("brokers to begin with, `host:port`", min_length=1)] = ("127.0.0.1:9092",)
        topic: Annotated[str, doc("the topic", pattern=r"^[A-Za-z0-9._-]{1,249}$")]
        what: Annotated[Literal["record", "alert"], doc("the flagged record enriched under `pluginhost`, or the alert document")] = "record"
        tls: Annotated[Calling | None, doc("speak TLS")] = None
        sasl: Annotated[Sasl | None, doc("say who we are")] = None
        compression: Annotated[Literal["none", "gzip", "snappy", "lz4", "zstd"], doc("how requests are packed")] = "none"
        timeout: Annotated[Duration, doc("how long a message is tried before all that wait begin anew", ge=1, le=900)] = Duration(60)
        batch: Annotated[int, doc("most alerts at once", ge=1, le=5000)] = 500
        settings: Annotated[dict[str, str], doc("more settings of librdkafka, such as `linger.ms`")] = {}

    def __init__(self, options: Options, context: Context) -> None:
        self.address = f"kafka://{','.join(options.brokers)}/{options.topic}"
        self.batch = options.batch
        self._options, self._hostname, self._clock = options, context.hostname, context.clock
        self._counts = context.metrics.counts(f"output.{context.name}", "messages", "bytes", "refused", "producers")
        self._library, self._trouble = package("confluent_kafka", "kafka"), ""
        self._config = _config(options, context) | {"error_cb": lambda error: self._noted("", error.str())}
        made(self._library.Producer, self._config, self._noted)  # so that what cannot be is told at once
        self._producer: Any = None
        self._closing = False

    async def check(self) -> None:
        """Asks a broker what it knows."""
        await asyncio.to_thread(self._asked)

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Produces the batch and waits for what comes of each. What was refused in company is sent once more, alone."""
        return await asyncio.to_thread(self._delivered, alerts)

    def _made(self, alert: Outgoing) -> Part:
        return Part(alert, line(alert, self._options.what, self._hostname, self._clock())[:-1])

    async def close(self) -> None:
        """Waits a little for what is on its way, and drops the rest: it is in the outbox still."""
        self._closing = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await asyncio.to_thread(_let_go, producer)

    def _asked(self) -> None:
        try:
            self._connected().list_topics(timeout=min(self._options.timeout, 10.0))
        except self._library.KafkaException as error:
            raise Unavailable(self._why(error.args[0].str())) from None

    def _delivered(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        outcomes: dict[str, Outcome] = {}
        parts = made_of(alerts, self._made, outcomes)
        told = self._produced(parts)
        for part in parts:
            answer = told[part.alert.id]
            if answer is not None and answer.name in _NEVER and len(parts) > 1:
                answer = self._produced([part])[part.alert.id]
            outcomes[part.alert.id] = self._outcome(answer)
        if parts and all(isinstance(outcome, Retry) for outcome in outcomes.values()):
            first = next(outcome for outcome in outcomes.values() if isinstance(outcome, Retry))
            raise Unavailable(first.reason, slow=first.slow)
        return settled(alerts, outcomes)

    def _produced(self, parts: Sequence[Part]) -> dict[str, _Told | None]:
        """What came of each alert, by id: None if it is in the topic."""
        told: dict[str, _Told | None] = {}
        producer = self._connected()
        for part in parts:
            self._produce(producer, part, told)
        end = time.monotonic() + self._options.timeout + _FLUSH
        while len(told) < len(parts) and time.monotonic() < end and not self._closing:
            producer.poll(_POLL)
        if len(told) < len(parts):  # or it would go out later, unnoticed
            producer.purge()
            producer.poll(_POLL)
        if any(one is not None and one.fatal for one in told.values()):
            self._producer = None  # it has lost its place in the topic; the next one begins anew
        return {part.alert.id: None for part in parts} | {part.alert.id: _Told("_TIMED_OUT", "no answer") for part in parts
                                                         if part.alert.id not in told} | told  # fmt: skip

    def _produce(self, producer: Any, part: Part, told: dict[str, _Told | None]) -> None:
        headers = [("content-type", b"application/json"), ("event.id", part.alert.id.encode())]
        self._counts["messages"] += 1
        self._counts["bytes"] += len(part.body)
        try:
            producer.produce(self._options.topic, part.body, _key(part.alert), headers=headers,
                             on_delivery=functools.partial(_settle, told, part.alert.id))  # fmt: skip
        except BufferError:
            told[part.alert.id] = _Told("_QUEUE_FULL", "the producer's queue is full")
        except self._library.KafkaException as error:
            told[part.alert.id] = _told(error.args[0])

    def _outcome(self, told: _Told | None) -> Outcome:
        if told is None:
            self._trouble = ""
            return DONE
        self._counts["refused"] += 1
        if told.name in _NEVER:
            return Dead(told.reason)
        return Retry(self._why(told.reason), slow=told.name in _CONFIGURATION)

    def _connected(self) -> Any:
        if self._producer is None:
            self._producer = made(self._library.Producer, self._config, self._noted)
            self._counts["producers"] += 1
        return self._producer

    def _noted(self, _: str, text: str) -> None:
        self._trouble = text

    def _why(self, reason: str) -> str:
        return f"{reason} ({self._trouble})" if self._trouble and self._trouble != reason else reason


def _config(options: Kafka.Options, context: Context) -> dict[str, Any]:
    own = {"client.id": f"pluginhost-{context.hostname}"[:200], "enable.idempotence": True, "acks": "all",
           "compression.type": options.compression, "message.timeout.ms": round(options.timeout * 1000)}  # fmt: skip
    return kafka_settings(own, options.brokers, options.tls, options.sasl, options.settings, {"linger.ms": 5})


def _key(alert: Outgoing) -> bytes:
    """The fingerprint of the alert's group, or its id where the document has none."""
    try:
        ours = msgspec.json.decode(alert.document, type=_Path).pluginhost.get("alert")
    except msgspec.MsgspecError:
        ours = None
    found = ours.get("fingerprint") if isinstance(ours, dict) else None
    return (found if isinstance(found, str) and found else alert.id).encode("utf-8", "backslashreplace")


def _settle(told: dict[str, _Told | None], id_: str, error: Any, _: object) -> None:
    told[id_] = None if error is None else _told(error)


def _told(error: Any) -> _Told:
    return _Told(error.name(), error.str(), bool(error.fatal()))


def _let_go(producer: Any) -> None:
    if producer.flush(_FLUSH):
        producer.purge()
        producer.flush(_POLL)
