"""The input and the output `rabbitmq` against a real broker: what is confirmed is analysed, whoever dies in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import struct
import threading
import time
import uuid

import aio_pika
import pamqp.encode
import pytest
from brokers import taken
from receivers import HttpReceiver
from sidecars import free_port, until

pytestmark = pytest.mark.xdist_group("brokers")

EACH = '''
from pluginhost import Alert, analyzer

@analyzer
def each(event):
    """Every record."""
    return Alert("low", f"record {event['n']} {event.tag}")
'''
GUEST = {"username": "guest", "password": "guest"}


@pytest.fixture
def queue(rabbit):
    """A durable queue of its own."""
    name = f"events-{uuid.uuid4().hex[:8]}"
    talk(rabbit, lambda channel: channel.declare_queue(name, durable=True))
    return name


@pytest.fixture
def reading(sidecar, rabbit, queue):
    """Makes sidecars that read the queue."""

    def make(folder="one", options=None, **config):
        one = sidecar(folder, **config)
        one.config["inputs"].append({"type": "rabbitmq", "port": rabbit.port, "queue": queue, "prefetch": 100, **(options or {})})
        (one.analyzers / "each.py").write_text(EACH)
        return one

    return make


def talk(rabbit, work):
    """What `work` makes of a channel that confirms; a broker that has just started may still hang up."""

    async def talked():
        async with await aio_pika.connect(host="127.0.0.1", port=rabbit.port, timeout=10) as connection:
            return await work(await connection.channel(on_return_raises=True))

    for attempt in range(50):
        try:
            return asyncio.run(talked())
        except (aio_pika.exceptions.AMQPConnectionError, OSError):
            if attempt == 49:
                raise
            time.sleep(0.2)
    return None


def publish(rabbit, queue, *messages):
    async def work(channel):
        await asyncio.gather(*(channel.default_exchange.publish(one, queue) for one in messages))

    talk(rabbit, work)


def message(n, **more):
    return aio_pika.Message(json.dumps({"n": n}).encode(), delivery_mode=2, **more)


def waiting(rabbit, queue):
    """How many messages wait in the queue for a consumer; those that are unacknowledged do not count."""
    return talk(rabbit, lambda channel: channel.declare_queue(queue, passive=True)).declaration_result.message_count


def drained(rabbit, queue):
    """Every message in the queue, taken out of it."""

    async def work(channel):
        there, got = await channel.declare_queue(queue, passive=True), []
        while (one := await there.get(no_ack=True, fail=False)) is not None:
            got.append(one)
        return got

    return talk(rabbit, work)


class Load(threading.Thread):
    """Publishes `{"n": …}` for each number, each until it is confirmed; what is in doubt is sent again under its id."""

    def __init__(self, rabbit, queue, numbers):
        super().__init__(daemon=True)
        self.rabbit, self.queue, self.numbers, self.confirmed, self.doubtful = rabbit, queue, list(numbers), 0, 0

    def run(self):
        for at in range(0, len(self.numbers), 50):
            part = [message(n, message_id=f"m{n}") for n in self.numbers[at : at + 50]]
            while True:
                try:
                    publish(self.rabbit, self.queue, *part)
                    break
                except (aio_pika.exceptions.AMQPError, OSError, asyncio.CancelledError, RuntimeError):
                    self.doubtful += 1
                    time.sleep(0.2)
            self.confirmed += len(part)

    def done(self):
        self.join(120)
        assert self.confirmed == len(self.numbers)


def counts(one):
    return one.status()["counts"]["input.rabbitmq"]


def headlines(one):
    return sorted(alert["headline"] for alert in one.alerts())


def records(numbers, tag):
    return sorted(f"record {n} {tag}" for n in numbers)


def test_each_message_is_analysed_once_and_acknowledged(rabbit, queue, reading):
    one = reading().start()
    load = Load(rabbit, queue, range(2000))
    load.start()
    load.done()
    until(lambda: counts(one)["acks"] == 2000, 60)
    one.settled()
    assert headlines(one) == records(range(2000), queue)
    told = counts(one)
    assert (told["messages"], told["records"], told["redelivered"], told["unacknowledged"], told["connects"]) == (2000, 2000, 0, 0, 1)
    assert one.status()["inputs"][-1] == f"amqp://127.0.0.1:{rabbit.port}/%2F/{queue}"
    assert one.stop() == 0
    assert sorted(taken(one)) == list(range(2000))
    assert waiting(rabbit, queue) == 0


def test_kill_9_between_the_disk_and_the_ack_loses_and_doubles_nothing(rabbit, queue, reading):
    one = reading().start()
    load = Load(rabbit, queue, range(3000))
    load.start()
    for _ in range(2):
        until(lambda: counts(one)["records"] >= 300, 60)
        one.kill()
        one.start()
    load.done()
    until(lambda: waiting(rabbit, queue) == 0, 60)
    until(lambda: counts(one)["messages"] == counts(one)["acks"], 60)
    assert one.stop() == 0
    assert sorted(taken(one)) == list(range(3000))


def test_a_stop_in_the_middle_gives_back_what_is_not_durable(rabbit, queue, reading):
    one = reading().start()
    load = Load(rabbit, queue, range(3000))
    load.start()
    until(lambda: counts(one)["records"] >= 300, 60)
    assert one.stop() == 0
    before = len(taken(one))
    one.start()
    load.done()
    until(lambda: counts(one)["acks"] == 3000 - before, 60)
    assert one.stop() == 0
    assert sorted(taken(one)) == list(range(3000))


def test_two_sidecars_share_a_queue_and_one_that_dies_leaves_its_messages_to_the_other(rabbit, queue, reading):
    one, two = reading().start(), reading("two").start()
    load = Load(rabbit, queue, range(3000))
    load.start()
    until(lambda: counts(one)["records"] >= 300 and counts(two)["records"] >= 300, 60)
    two.kill()
    load.done()
    until(lambda: waiting(rabbit, queue) == 0, 60)
    until(lambda: counts(one)["messages"] == counts(one)["acks"], 60)
    one.stop()
    mine, others = taken(one), taken(two)
    assert set(mine) | set(others) == set(range(3000))
    assert len(mine) == len(set(mine))
    assert len(set(mine) & set(others)) <= 100  # what the dead one had on its disk and could not say: at most its prefetch


def test_a_broker_that_dies_and_comes_back_loses_nothing(rabbit, queue, reading):
    one = reading().start()
    load = Load(rabbit, queue, range(3000))
    load.start()
    until(lambda: counts(one)["records"] >= 300, 60)
    rabbit.kill9()
    try:
        one.says("trying again")
    finally:
        rabbit.start()
    load.done()
    until(lambda: counts(one)["connects"] == 2, 60)
    until(lambda: waiting(rabbit, queue) == 0 and counts(one)["acks"] >= 2900, 60)
    until(lambda: set(range(3000)) == {int(told.split()[1]) for told in headlines(one)}, 60)
    one.stop()
    found = taken(one)
    assert set(found) == set(range(3000))
    assert len(found) - 3000 <= 100 + 50 * load.doubtful  # a broker that forgot an ack, and what was sent again in doubt


POISON = [b"\x00\x01\xff", b'{"n": 1', b'{"a":', b"[1, 2]", b"{" * 200, b"\xff" * 70_000]


def test_poison_goes_to_the_dead_letters_and_holds_up_nobody(rabbit, queue, reading, monkeypatch):
    one = reading().start()
    plain = pamqp.encode.METHODS["timestamp"]
    odd = [aio_pika.Message(body, content_type="application/json") for body in POISON]
    odd += [message(90, content_encoding="sheepskin"), aio_pika.Message(b"Obj\x01", content_type="application/avro"), aio_pika.Message(b"")]
    odd += [aio_pika.Message(b"\x1f\x8bjunk", content_encoding="gzip")]
    publish(rabbit, queue, *odd)
    for time_of in (2**63 + 5, 1_700_000_000_000_000_000):  # a library that cannot read such a time hangs up, for ever
        monkeypatch.setitem(pamqp.encode.METHODS, "timestamp", lambda _, given=time_of: struct.pack(">Q", given))
        publish(rabbit, queue, message(time_of % 100, timestamp=dt.datetime.now(dt.UTC)))
    monkeypatch.setitem(pamqp.encode.METHODS, "timestamp", plain)
    publish(rabbit, queue, message(1), message(2))
    until(lambda: counts(one)["acks"] == len(odd) + 4, 60)
    one.settled()
    assert headlines(one) == records([0, 1, 2, (2**63 + 5) % 100], queue)
    assert counts(one)["unreadable"] == len(POISON) + 3
    assert counts(one)["connects"] == 1
    assert counts(one)["rejected"] == len(one.ask("dead_letters", limit=1000))
    assert waiting(rabbit, queue) == 0


def test_a_full_journal_leaves_messages_with_the_broker(rabbit, queue, reading):
    receiver = HttpReceiver(free_port())
    output = {"type": "http", "url": f"http://127.0.0.1:{receiver.port}/", "buffer": {"max_bytes": "64KiB", "when_full": "push_back"}}
    one = reading(outputs=[output], journal={"max_bytes": "1MiB"}, options={"prefetch": 20}).start()
    padded = [aio_pika.Message(json.dumps({"n": n, "pad": "x" * 20_000}).encode(), delivery_mode=2) for n in range(150)]
    publish(rabbit, queue, *padded)
    until(lambda: counts(one)["busy"] > 20, 60)
    assert one.status()["journal"]["bytes"] < 2 << 20
    assert waiting(rabbit, queue) > 0
    assert counts(one)["records"] < 150
    receiver.start()
    try:
        until(lambda: counts(one)["acks"] == 150, 90)
        one.settled()
        assert headlines(one) == records(range(150), queue)
        assert (counts(one)["connects"], waiting(rabbit, queue)) == (1, 0)
    finally:
        receiver.stop()


def test_equal_messages_are_as_many_records_as_they_are(rabbit, queue, reading):
    one = reading().start()
    publish(rabbit, queue, *[message(7, message_id="always this")] * 5)
    until(lambda: counts(one)["acks"] == 5, 60)
    one.kill()  # after which every earlier id might be that of a message whose ack was lost
    one.start()
    publish(rabbit, queue, *[message(7, message_id="always this")] * 5)
    until(lambda: counts(one)["acks"] == 5, 60)
    assert one.stop() == 0
    assert taken(one) == [7] * 10


def test_mozdef_s_senders_need_only_the_name_of_the_queue(rabbit, sidecar):
    """An exchange, a durable queue and a key of one name; kombu says `utf-8` where others say how a body is packed."""
    one = sidecar()
    name = f"eventtask-{uuid.uuid4().hex[:8]}"
    bound = {"queue": name, "exchange": name, "declare": True}
    one.config["inputs"].append({"type": "rabbitmq", "port": rabbit.port, "tag": "mozdef", **bound})
    (one.analyzers / "each.py").write_text(EACH)
    one.start()
    until(lambda: counts(one)["connects"] == 1)
    sent = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)

    async def work(channel):
        exchange = await channel.declare_exchange(name, "direct", durable=True)
        made = message(1, content_type="application/json", content_encoding="utf-8", timestamp=sent)
        with contextlib.suppress(aio_pika.exceptions.PublishError):  # the binding comes a moment after the connection
            await exchange.publish(made, name)
            return True

    until(lambda: talk(rabbit, work))
    until(lambda: counts(one)["acks"] == 1, 30)
    one.settled()
    (alert,) = one.alerts()
    assert (alert["headline"], alert["document"]["@timestamp"]) == ("record 1 mozdef", "2026-01-02T03:04:05.000Z")


def test_a_queue_that_is_missing_and_a_wrong_password_are_told_and_tried_again(rabbit, sidecar):
    one = sidecar()
    name = f"late-{uuid.uuid4().hex[:8]}"
    one.config["inputs"] += [{"type": "rabbitmq", "port": rabbit.port, "queue": name, "tag": "late"},
                             {"type": "rabbitmq", "name": "out", "port": rabbit.port, "queue": name, "password": "wr0ng-one"}]  # fmt: skip
    (one.analyzers / "each.py").write_text(EACH)
    one.start()
    one.says("NOT_FOUND")
    one.says("ACCESS_REFUSED")
    talk(rabbit, lambda channel: channel.declare_queue(name, durable=True))
    publish(rabbit, name, message(1))
    until(lambda: headlines(one) == records([1], "late"), 60)
    assert "wr0ng-one" not in one.log()
    assert "Traceback" not in one.log()


def test_tls_is_spoken_both_ways(rabbit, queue, reading):
    secured = {"port": rabbit.tls_port, "tls": {"ca": str(rabbit.run / "tls/ca.pem")}, **GUEST}
    output = {"type": "rabbitmq", "routing_key": f"{queue}-found", **secured}
    talk(rabbit, lambda channel: channel.declare_queue(f"{queue}-found", durable=True))
    one = reading(options=secured, outputs=[output]).start()
    publish(rabbit, queue, message(1))
    until(lambda: waiting(rabbit, f"{queue}-found") == 1, 60)
    assert headlines(one) == records([1], queue)
    assert one.status()["inputs"][-1].startswith("amqps://127.0.0.1:")


def delivered(one, name="rabbitmq"):
    return one.status()["counts"][f"output.{name}"]["delivered"]


def test_alerts_reach_the_queues_over_a_broker_that_dies(rabbit, sidecar):
    name, exchange = f"found-{uuid.uuid4().hex[:8]}", f"alerts-{uuid.uuid4().hex[:8]}"
    outputs = [{"type": "rabbitmq", "name": what, "port": rabbit.port, "exchange": exchange, "declare": True, "what": what, "batch": 20,
                "routing_key": f"{what}.{{severity}}.{{analyzer}}"} for what in ("record", "alert")]  # fmt: skip
    one = sidecar(outputs=outputs)
    (one.analyzers / "each.py").write_text(EACH)

    async def bound(channel):
        made = await channel.declare_exchange(exchange, "topic", durable=True)
        for what in ("record", "alert"):
            await (await channel.declare_queue(f"{name}-{what}", durable=True)).bind(made, f"{what}.low.#")

    talk(rabbit, bound)
    one.start()
    for number in range(20):
        one.post([{"n": number * 25 + n} for n in range(25)])
        if number == 10:
            until(lambda: min(delivered(one, "record"), delivered(one, "alert")) >= 50, 60)
            rabbit.kill9()
    try:
        one.settled()
    finally:
        rabbit.start()
    until(lambda: delivered(one, "record") == delivered(one, "alert") == 500, 90)
    alerts = {alert["id"]: alert["document"] for alert in one.alerts()}
    assert len(alerts) == 500
    for what in ("record", "alert"):
        messages = {message.message_id: message for message in drained(rabbit, f"{name}-{what}")}
        assert messages.keys() == alerts.keys()
        for id_, got in messages.items():
            value, document = json.loads(got.body), alerts[id_]
            assert (got.routing_key, got.content_type, got.delivery_mode) == (f"{what}.low.each", "application/json", 2)
            assert value["message" if what == "alert" else "n"] == (
                document["message"] if what == "alert" else document["pluginhost"]["record"]["n"]
            )


def test_alerts_that_no_queue_takes_wait_and_nobody_loses_them(rabbit, sidecar):
    one = sidecar(outputs=[{"type": "rabbitmq", "port": rabbit.port, "routing_key": f"nobody-{uuid.uuid4().hex[:8]}"}])
    (one.analyzers / "each.py").write_text(EACH)
    one.start()
    one.post([{"n": 1}])
    one.says("no queue takes the routing key nobody-")
    assert one.status()["counts"]["output.rabbitmq"]["dead"] == 0
    assert one.status()["counts"]["output.rabbitmq"]["unroutable"] >= 1


def test_flagged_records_that_come_back_are_taken_for_a_loop(rabbit, queue, reading):
    one = reading(outputs=[{"type": "rabbitmq", "port": rabbit.port, "routing_key": queue}]).start()
    one.post([{"n": n} for n in range(20)])
    until(lambda: one.status()["counts"]["guard"]["loop_refused"] == 20, 60)
    until(lambda: counts(one)["acks"] == 20, 30)
    one.settled()
    assert len(one.alerts()) == 20
