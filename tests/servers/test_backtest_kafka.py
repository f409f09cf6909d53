"""Records out of a real Kafka: a span of time of all partitions, once and in order of time, without a group."""

from __future__ import annotations

import json
import uuid
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from sidecars import until

from pluginhost.inputs.kafka import KafkaOptions
from pluginhost.problem import Problem
from pluginhost.replay.rows import Counted, merged
from pluginhost.replay.sources import kafka as source_kafka
from pluginhost.replay.sources.kafka import KafkaSource
from pluginhost.replay.sources.port import Window
from pluginhost.replay.timing import Timing
from pluginhost.wire.chunk import Columns
from pluginhost.wire.times import SECOND

pytestmark = pytest.mark.xdist_group("brokers")

START = 1_767_225_600
COUNT = 900


@pytest.fixture
def topic(kafka: Any) -> str:
    """A message each second in three of four partitions; all are of one transaction, so the last offset of each is no message."""
    name = f"past-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka.address})
    admin.create_topics([NewTopic(name, 4, 1)])[name].result(30)
    producer = Producer({"bootstrap.servers": kafka.address, "linger.ms": 5, "transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    for n in range(COUNT):
        producer.produce(name, json.dumps({"n": n}), partition=(0, 0, 1, 2)[n % 4], timestamp=(START + n) * 1000)
    producer.commit_transaction(30)
    consumer = Consumer({"bootstrap.servers": kafka.address, "group.id": "none"})
    until(lambda: all(consumer.get_watermark_offsets(TopicPartition(name, n), timeout=10)[1] for n in range(3)))  # the end is marked
    consumer.close()
    return name


def numbers(kafka: Any, topic: str, window: Window = Window()) -> list[int]:
    source = KafkaSource(KafkaOptions(brokers=(kafka.address,), topics=(topic,), tag="a.{topic}"), window)
    try:
        rows = merged(source.streams(), "kafka", Timing("", 1 << 62), window, span=SECOND, latest=1 << 62, counted=Counted())
        found = []
        for row in rows:
            columns = Columns.unpack(row.columns)
            assert row.tag == f"a.{topic}"
            found += [msgspec.json.decode(row.body[start:end])["n"] for start, end in zip(columns.starts, columns.ends, strict=True)]
        assert source.progress()[0] == source.progress()[1] > 0
        return found
    finally:
        source.close()


def test_all_partitions_come_in_order_of_time(kafka: Any, topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_kafka, "_AHEAD", 20)
    monkeypatch.setattr(source_kafka, "_CHUNK", 200)
    assert numbers(kafka, topic) == list(range(COUNT))


def test_a_span_of_time(kafka: Any, topic: str) -> None:
    window = Window((START + 100) * SECOND, (START + 200) * SECOND)
    assert numbers(kafka, topic, window) == list(range(100, 200))


def test_a_topic_that_is_not_there_is_told(kafka: Any) -> None:
    with pytest.raises(Problem, match="there is no topic"):
        numbers(kafka, "nothing-here")
