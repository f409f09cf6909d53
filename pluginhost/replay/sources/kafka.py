"""The source `kafka`: what partitions of topics hold of a time, by the broker's word for when a message came. No group, no commit.

Each partition is a stream, read ahead a little and paused while others are behind, so that all come together in order of time. Where a
range ends is found once at the beginning: what is written meanwhile is not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from ...brokers import kafka_settings, made, package
from ...inputs.kafka import KafkaOptions
from ...inputs.messages import Message, portions
from ...problem import Problem
from ...wire.chunk import Chunk
from .port import LIMITS, Stream, Window

__all__ = ["KafkaSource"]

_BATCH = 2000
_AHEAD = 10_000  # messages of a partition
_WAIT, _PATIENCE = 0.5, 30.0  # seconds
_CHUNK = 1 << 20
_MS = 1_000_000


class _Partition(msgspec.Struct):
    """One partition from `begin` to `end`; `next` is the first offset that has not come yet."""

    topic: str
    number: int
    begin: int
    end: int
    next: int
    held: deque[Message] = msgspec.field(default_factory=deque)
    paused: bool = False


class KafkaSource:
    """Messages of the topics that `options` names, of the time in `window`; the tag is made as live."""

    kind = "kafka"

    def __init__(self, options: KafkaOptions, window: Window) -> None:
        self.label = ",".join(options.topics)
        self.troubles: list[str] = []
        self._options, self._window = options, window
        self._library = package("confluent_kafka", "kafka")
        own = {"group.id": "pluginhost-replay", "enable.auto.commit": False, "auto.offset.reset": "error", "enable.partition.eof": True}
        defaults = {"allow.auto.create.topics": False}
        config = kafka_settings(own, options.brokers, options.tls, options.sasl, options.settings, defaults)
        self._said = ""
        self._consumer = made(self._library.Consumer, config, self._say)
        self._partitions: dict[tuple[str, int], _Partition] = {}

    def _say(self, _: str, text: str) -> None:
        self._said = text

    def streams(self) -> list[Stream]:
        """A stream for each partition that holds anything of the time."""
        found = self._asked(lambda: [one for topic in self._options.topics for one in self._range(topic)])
        self._partitions = {(one.topic, one.number): one for one in found if one.begin < one.end}
        self._consumer.assign([self._library.TopicPartition(one.topic, one.number, one.begin) for one in self._partitions.values()])
        return [Stream(f"{one.topic}/{one.number}", self._chunks(one)) for one in self._partitions.values()]

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self._library.KafkaException as error:
            raise Problem("replay.kafka", f"the broker does not answer: {error}. {self._said}".rstrip(". "), where=self.label,
                          todo="see to --brokers and --topic, or to the input in the configuration") from None  # fmt: skip

    def _range(self, topic: str) -> list[_Partition]:
        known = self._consumer.list_topics(topic, timeout=_PATIENCE).topics[topic]
        if known.error is not None:
            raise Problem("replay.kafka", f"there is no topic {topic}: {known.error.str()}", where=", ".join(self._options.brokers))
        return [self._bounds(topic, number) for number in sorted(known.partitions)]

    def _bounds(self, topic: str, number: int) -> _Partition:
        low, high = self._consumer.get_watermark_offsets(self._library.TopicPartition(topic, number), timeout=_PATIENCE)
        begin = self._offset(topic, number, self._window.start, low) if self._window.start else low
        end = self._offset(topic, number, self._window.end, high) if self._window.end < Window().end else high
        return _Partition(topic, number, begin if begin >= 0 else high, end if end >= 0 else high, begin)

    def _offset(self, topic: str, number: int, time: int, else_: int) -> int:
        """The first offset whose message is of `time` (ns) or later; negative if there is none."""
        asked = [self._library.TopicPartition(topic, number, time // _MS)]
        (found,) = self._consumer.offsets_for_times(asked, timeout=_PATIENCE)
        return else_ if found.error is not None else int(found.offset)

    def _chunks(self, one: _Partition) -> Iterator[Chunk]:
        tag = self._options.tag.replace("{topic}", one.topic)
        for portion in portions(self._messages(one), tag, LIMITS, _CHUNK):
            if portion.chunk is not None:
                yield portion.chunk

    def _messages(self, one: _Partition) -> Iterator[Message]:
        silent = 0.0
        while True:
            while one.held:
                silent = 0.0
                yield one.held.popleft()
            if one.next >= one.end:
                return
            self._resume(one)
            silent = silent + _WAIT if not self._fetched() else 0.0
            if silent >= _PATIENCE:
                raise Problem("replay.kafka", f"nothing comes of {one.topic}/{one.number} from offset {one.next} on. {self._said}".strip(),
                              where=", ".join(self._options.brokers), todo="is the broker well?")  # fmt: skip

    def _resume(self, one: _Partition) -> None:
        if one.paused:
            one.paused = False
            self._consumer.resume([self._library.TopicPartition(one.topic, one.number)])

    def _fetched(self) -> int:
        """How many messages came; those behind the range are let go."""
        count = 0
        for message in self._asked(lambda: self._consumer.consume(_BATCH, _WAIT)):
            if message.error() is not None and message.error().code() != self._library.KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                self._said = message.error().str()
                continue
            one = self._partitions[message.topic(), message.partition()]
            if message.error() is not None:  # the last offsets may be no messages but a transaction's marks
                one.next = max(one.next, message.offset())
                continue
            one.next = message.offset() + 1
            count += 1
            if message.offset() < one.end:
                one.held.append(_message(message))
            if not one.paused and (len(one.held) >= _AHEAD or one.next >= one.end):
                one.paused = True
                self._consumer.pause([self._library.TopicPartition(one.topic, one.number)])
        return count

    def progress(self) -> tuple[int, int]:
        """Offsets."""
        found: Sequence[_Partition] = list(self._partitions.values())
        return sum(min(one.next, one.end) - one.begin for one in found), sum(one.end - one.begin for one in found)

    def close(self) -> None:
        """Lets go of the broker."""
        self._consumer.close()


def _message(message: Any) -> Message:
    kind, time = message.timestamp()
    said = {name.lower(): given.decode("utf-8", "replace") for name, given in message.headers() or () if given}
    return Message(message.value() or b"", message.offset(), time * _MS if kind else 0,
                   said.get("content-type", ""), said.get("content-encoding", ""))  # fmt: skip
