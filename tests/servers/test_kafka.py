"""The input and the output `kafka` against a real broker: what is acknowledged is analysed once, whoever dies in the middle."""

from __future__ import annotations

import json
import threading
import time
import uuid

import pytest
from brokers import KAFKA_USER, taken
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from receivers import HttpReceiver
from sidecars import free_port, until

pytestmark = pytest.mark.xdist_group("brokers")

TENTH = '''
from pluginhost import Alert, Event, SlidingCount, analyzer

@analyzer(key="user")
def tenth(event: Event, seen: SlidingCount = SlidingCount("1d")):
    """Every tenth record of a user."""
    count = seen.add(event)
    return Alert("low", f"{event['user']} {count}") if count % 10 == 0 else None
'''
EACH = '''
from pluginhost import Alert, analyzer

@analyzer
def each(event):
    """Every record."""
    return Alert("low", f"record {event['n']}")
'''
PARTITIONS = 4


@pytest.fixture
def topic(kafka):
    """A topic of its own, of four partitions."""
    name = f"logs-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka.address})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(30)
    return name


@pytest.fixture
def reading(sidecar, kafka, topic):
    """Makes sidecars that read the topic as one group."""

    def make(folder="one", analyzer=TENTH, options=None, **config):
        one = sidecar(folder, **config)
        given = {"type": "kafka", "brokers": [kafka.address], "topics": [topic], "group": f"of-{topic}",
                 "settings": {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}, **(options or {})}  # fmt: skip
        one.config["inputs"].append(given)
        (one.analyzers / "found.py").write_text(analyzer)
        return one

    return make


class Load(threading.Thread):
    """Produces `{"n": …}` for each number; `pace` seconds between two hundred."""

    def __init__(self, kafka, topic, numbers, pace=0.0, pad=""):
        super().__init__(daemon=True)
        self.producer = Producer({"bootstrap.servers": kafka.address, "enable.idempotence": True, "linger.ms": 5})
        self.topic, self.numbers, self.pace, self.pad = topic, numbers, pace, pad
        self.sent, self.acknowledged = 0, []

    def run(self):
        for n in self.numbers:
            value = json.dumps({"n": n, "user": "abcd"[n % 4], **({"pad": self.pad} if self.pad else {})})
            self.producer.produce(self.topic, value, str(n), on_delivery=lambda error, _, n=n: error or self.acknowledged.append(n))
            self.sent += 1
            self.producer.poll(0)
            if n % 200 == 199:
                time.sleep(self.pace)
        self.producer.flush(60)

    def done(self):
        self.join(90)
        assert sorted(self.acknowledged) == list(self.numbers)


def counts(one):
    return one.status()["counts"]["input.kafka"]


def committed(kafka, topic):
    """How many messages the group has behind it."""
    asked = Consumer({"bootstrap.servers": kafka.address, "group.id": f"of-{topic}"})
    try:
        found = asked.committed([TopicPartition(topic, number) for number in range(PARTITIONS)], timeout=20)
        return sum(max(one.offset, 0) for one in found)
    finally:
        asked.close()


def tenths(total):
    return sorted(f"{user} {count}" for user in "abcd" for count in range(10, total // 4 + 1, 10))


def headlines(one):
    return sorted(alert["headline"] for alert in one.alerts())


def test_each_message_is_analysed_once_and_committed(kafka, topic, reading):
    one = reading().start()
    load = Load(kafka, topic, range(4000))
    load.start()
    load.done()
    until(lambda: counts(one)["records"] == 4000, 60)
    until(lambda: committed(kafka, topic) == 4000, 30)
    one.settled()
    assert headlines(one) == tenths(4000)
    told = counts(one)
    assert (told["messages"], told["rejected"], told["skipped"], told["lost"], told["rejoins"]) == (4000, 0, 0, 0, 0)
    assert one.status()["inputs"][-1] == f"kafka://{kafka.address}/{topic}"
    assert one.stop() == 0
    assert sorted(taken(one)) == list(range(4000))


def test_kill_9_between_the_disk_and_the_commit_loses_and_doubles_nothing(kafka, topic, reading):
    one = reading().start()
    for first in (0, 2000):
        load = Load(kafka, topic, range(first, first + 2000), pace=0.1)
        load.start()
        until(lambda: counts(one)["records"] >= 300, 60)
        one.kill()
        one.start()
        load.done()
    load = Load(kafka, topic, range(4000, 6000))
    load.start()
    load.done()
    until(lambda: committed(kafka, topic) == 6000, 60)
    one.settled()
    assert headlines(one) == tenths(6000)
    assert one.stop() == 0
    assert sorted(taken(one)) == list(range(6000))


def test_a_second_sidecar_joins_and_leaves_and_nothing_is_lost_or_doubled(kafka, topic, reading):
    one, two = reading().start(), reading("two")
    load = Load(kafka, topic, range(6000), pace=0.25)
    load.start()
    until(lambda: counts(one)["records"] > 500, 60)
    two.start()
    until(lambda: counts(two)["records"] > 300, 60)
    before = counts(one)["rebalances"]
    assert two.stop() == 0
    load.done()
    until(lambda: committed(kafka, topic) == 6000, 60)
    assert counts(one)["rebalances"] > before
    assert one.stop() == 0
    mine, others = taken(one), taken(two)
    assert len(others) > 300
    assert sorted(mine + others) == list(range(6000))


def test_a_broker_that_dies_and_comes_back_loses_and_doubles_nothing(kafka, topic, reading):
    one = reading().start()
    load = Load(kafka, topic, range(4000), pace=0.2)
    load.start()
    until(lambda: counts(one)["records"] > 500, 60)
    kafka.kill9()
    try:
        one.says("Connection refused")
    finally:
        kafka.start()
    load.done()
    until(lambda: committed(kafka, topic) == 4000, 90)
    assert one.stop() == 0
    assert sorted(taken(one)) == list(range(4000))


POISON = [
    b"\x00\x01\xff", b'{"n": 1', b'{"a":', b'"n"}', b"[1, 2]", b"{" * 200, b'{"n": ' + b"[" * 100 + b"]" * 100 + b"}", b"]",
    b"\xff" * 70_000,
]  # fmt: skip


def test_poison_goes_to_the_dead_letters_and_holds_up_nobody(kafka, topic, reading):
    one = reading(analyzer=EACH).start()
    producer = Producer({"bootstrap.servers": kafka.address})
    for n, poison in enumerate(POISON):
        producer.produce(topic, poison, partition=0, headers={"content-type": "application/json"})
        producer.produce(topic, json.dumps({"n": n}), partition=0)
    producer.produce(topic, b"\x1f\x8bjunk", partition=0, headers={"content-encoding": "gzip"})
    producer.produce(topic, b'{"n": 90}', partition=0, headers={"content-encoding": "sheepskin"})
    producer.produce(topic, b"Obj\x01", partition=0, headers={"content-type": "application/avro"})
    producer.produce(topic, None, "a", partition=0)
    producer.produce(topic, b'{"n": 99}\n{"n": 100}', partition=0)
    producer.flush(30)
    total = 2 * len(POISON) + 5
    until(lambda: committed(kafka, topic) == total, 60)
    one.settled()
    assert headlines(one) == sorted(f"record {n}" for n in [*range(len(POISON)), 99, 100])
    assert counts(one)["unreadable"] == len(POISON) + 3
    letters = one.ask("dead_letters", limit=1000)
    assert len(letters) >= len(POISON) + 3
    assert counts(one)["rejected"] == len(letters)


def test_what_a_message_says_beside_its_value_is_heeded(kafka, topic, reading):
    one = reading(analyzer=EACH.replace("record {event['n']}", "{event.message} {event.tag}"), options={"tag": "kafka.{topic}"}).start()
    sent = 1_700_000_000_123
    producer = Producer({"bootstrap.servers": kafka.address})
    producer.produce(topic, "first line\nsecond line", headers={"content-type": "text/plain"}, timestamp=sent)
    producer.produce(topic, "third", timestamp=sent)
    producer.flush(30)
    until(lambda: counts(one)["records"] == 3, 60)
    one.settled()
    found = sorted((alert["document"]["message"], alert["document"]["@timestamp"]) for alert in one.alerts())
    assert found == [(f"{line} kafka.{topic}", "2023-11-14T22:13:20.123Z") for line in ("first line", "second line", "third")]


@pytest.mark.slow
def test_a_full_journal_pauses_the_partitions_and_the_group_keeps_its_member_until_it_stops(kafka, topic, reading):
    receiver = HttpReceiver(free_port())
    output = {"type": "http", "url": f"http://127.0.0.1:{receiver.port}/", "buffer": {"max_bytes": "64KiB", "when_full": "push_back"}}
    brief = {"session.timeout.ms": "6000", "max.poll.interval.ms": "6000"}  # who does not poll for so long is put out of the group
    options = {"batch_bytes": "100KiB", "settings": brief}
    one = reading(analyzer=EACH, outputs=[output], journal={"max_bytes": "1MiB"}, options=options, stop_grace="4s").start()
    load = Load(kafka, topic, range(150), pad="x" * 20_000)
    load.start()
    load.done()
    until(lambda: counts(one)["busy"] > 0, 60)
    time.sleep(8)
    assert one.status()["journal"]["bytes"] < 2 << 20
    assert (counts(one)["rebalances"], counts(one)["lost"], counts(one)["rejoins"]) == (1, 0, 0)
    assert one.stop() == 0  # what waits for room is given back
    before = taken(one)
    assert 0 < committed(kafka, topic) == len(before) < 150
    receiver.start()
    try:
        one.start()
        until(lambda: counts(one)["records"] == 150 - len(before), 90)
        until(lambda: committed(kafka, topic) == 150, 30)
        one.settled()
        assert headlines(one) == sorted(f"record {n}" for n in range(150))
    finally:
        receiver.stop()


def test_offsets_that_an_operator_sets_are_obeyed(kafka, topic, reading):
    one = reading().start()
    load = Load(kafka, topic, range(400))
    load.start()
    load.done()
    until(lambda: committed(kafka, topic) == 400, 60)
    assert one.stop() == 0
    with_hand = Consumer({"bootstrap.servers": kafka.address, "group.id": f"of-{topic}"})
    with_hand.commit(offsets=[TopicPartition(topic, number, 0) for number in range(PARTITIONS)], asynchronous=False)
    with_hand.close()
    one.start()
    until(lambda: counts(one)["records"] == 400, 60)
    one.kill()
    one.start()
    until(lambda: committed(kafka, topic) == 400, 60)
    assert one.stop() == 0
    assert sorted(taken(one)) == sorted([*range(400)] * 2)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_tls_and_a_password_let_it_in_and_stay_out_of_the_log(kafka, topic, reading, mechanism):
    secured = {"brokers": [f"127.0.0.1:{kafka.tls_port}"], "tls": {"ca": str(kafka.run / "tls/ca.pem")},
               "sasl": {"mechanism": mechanism, **KAFKA_USER}}  # fmt: skip
    output = {"type": "kafka", "topic": f"{topic}-found", "what": "alert", **secured}
    one = reading(options=secured, outputs=[output]).start()
    load = Load(kafka, topic, range(40))
    load.start()
    load.done()
    until(lambda: counts(one)["records"] == 40, 60)
    assert len(found(kafka, f"{topic}-found", 4)) == 4
    one.stop()
    one.config["inputs"][-1]["sasl"] = {**secured["sasl"], "password": "wr0ng-one"}
    one.start()
    one.says("uthentication")
    one.stop()
    assert KAFKA_USER["password"] not in one.log()
    assert "wr0ng-one" not in one.log()


def found(kafka, topic, least, seconds=60):
    """The messages of a topic, once there are `least`, and what comes in the second after that."""
    asked = Consumer({"bootstrap.servers": kafka.address, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
                      "topic.metadata.refresh.interval.ms": 500})  # fmt: skip
    asked.subscribe([topic])
    messages, end = [], time.monotonic() + seconds
    try:
        while len(messages) < least and time.monotonic() < end:
            messages += [one for one in asked.consume(1000, 0.5) if not one.error()]
        messages += [one for one in asked.consume(1000, 1.0) if not one.error()]
    finally:
        asked.close()
    return messages


def test_alerts_are_in_the_topic_once_over_a_broker_that_dies(kafka, sidecar, topic):
    """Once as long as the producer goes on trying; with a timeout shorter than the broker is away, at least once under one id."""
    outputs = [{"type": "kafka", "name": what, "brokers": [kafka.address], "topic": f"{topic}-{what}", "what": what, "batch": 50,
                "timeout": timeout} for what, timeout in (("record", "2s"), ("alert", "60s"))]  # fmt: skip
    one = sidecar(outputs=outputs)
    (one.analyzers / "each.py").write_text(EACH)
    one.start()

    def delivered(least):
        told = one.status()["counts"]
        return min(told[f"output.{what}"]["delivered"] for what in ("record", "alert")) >= least

    for number in range(20):
        one.post([{"n": number * 25 + n} for n in range(25)])
        if number == 10:
            until(lambda: delivered(50), 60)
            kafka.kill9()
    try:
        one.settled()
        one.says("output record: ")  # has given up for a time
    finally:
        kafka.start()
    until(lambda: delivered(500), 90)
    alerts = {alert["id"]: alert["document"] for alert in one.alerts()}
    assert len(alerts) == 500
    for what in ("record", "alert"):
        messages = found(kafka, f"{topic}-{what}", 500)
        ids = [dict(one.headers())["event.id"].decode() for one in messages]
        assert set(ids) == alerts.keys()
        assert len(ids) - len(alerts) <= (50 if what == "record" else 0)  # what was under way when the broker died
        for message, id_ in zip(messages, ids, strict=True):
            value, document = json.loads(message.value()), alerts[id_]
            assert message.key().decode() == document["pluginhost"]["alert"]["fingerprint"]
            assert dict(message.headers())["content-type"] == b"application/json"
            if what == "record":
                assert (value["n"], value["pluginhost"]["alert"]["id"]) == (document["pluginhost"]["record"]["n"], id_)
            else:
                assert (value["event"]["id"], value["message"]) == (id_, document["message"])


def test_flagged_records_that_come_back_are_taken_for_a_loop(kafka, topic, reading):
    one = reading(analyzer=EACH, outputs=[{"type": "kafka", "brokers": [kafka.address], "topic": topic}]).start()
    one.post([{"n": n} for n in range(20)])
    until(lambda: one.status()["counts"]["guard"]["loop_refused"] == 20, 60)
    until(lambda: committed(kafka, topic) == 20, 30)
    one.settled()
    assert len(one.alerts()) == 20
