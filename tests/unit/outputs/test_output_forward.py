from __future__ import annotations

import asyncio
import functools
import gzip
import json

import msgpack
import pytest

from pluginhost.metrics import Registry
from pluginhost.options import Duration, Size
from pluginhost.outputs.forward import Forward
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Retry, Unavailable
from pluginhost.problem import Problem

TIME = 1_767_323_045_123_456_789


def asynchronous(test):
    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return run


def outgoing(name, *, severity="high", analyzer="brute", time=TIME, **record):
    document = {"event": {"id": name}, "pluginhost": {"record": {"n": name, **record}, "events": [{"message": "seen"}]}}
    return Outgoing(sequence=1, id=name, time=time, severity=severity, analyzer=analyzer, document=json.dumps(document).encode())


class Receiver:
    """A forward server that writes down what comes. `answer` says what becomes of each frame: its ack, other bytes, or "close"."""

    def __init__(self, answer=None):
        self.frames, self.raw, self.connections, self.writers = [], [], 0, []
        self.arrived = asyncio.Semaphore(0)
        self.answer = answer or (lambda frame: msgpack.packb({"ack": frame[2]["chunk"]}) if "chunk" in frame[2] else b"")

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.drop()
        self.server.close()

    def drop(self):
        for writer in self.writers:
            writer.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        unpacker, seen, start = msgpack.Unpacker(raw=False, max_buffer_size=1 << 26), b"", 0
        while data := await reader.read(65536):
            unpacker.feed(data)
            seen += data
            for frame in unpacker:
                self.raw.append(seen[start : unpacker.tell()])
                start = unpacker.tell()
                self.frames.append(frame)
                self.arrived.release()
                answer = self.answer(frame)
                if answer == "close":
                    writer.close()
                    return
                writer.write(answer)
        writer.close()

    def names(self):
        return [[record["n"] for _, record in entries(frame)] for frame in self.frames]


def entries(frame):
    body = gzip.decompress(frame[1]) if frame[2].get("compressed") == "gzip" else frame[1]
    unpacker = msgpack.Unpacker(raw=False, timestamp=0)
    unpacker.feed(body)
    return list(unpacker)


def output(*receivers, **more):
    servers = tuple(f"127.0.0.1:{port}" for port in (one if isinstance(one, int) else one.port for one in receivers))
    options = Forward.Options(servers=servers, **{"ack_timeout": Duration(5), **more})
    return Forward(options, Context(name="f", metrics=Registry(), clock=lambda: 10**18, hostname="me"))


@asynchronous
async def test_records_go_enriched_under_their_tags_and_are_done_when_acked():
    async with Receiver() as receiver:
        forward = output(receiver)
        alerts = [outgoing("a"), outgoing("b", severity="low"), outgoing("c"), outgoing("d", analyzer="Odd Name/1")]
        assert await forward.deliver(alerts) == [DONE] * 4
        await forward.close()
    assert [frame[0] for frame in receiver.frames] == ["flagged.high.brute", "flagged.low.brute", "flagged.high.odd_name_1"]
    assert receiver.names() == [["a", "c"], ["b"], ["d"]]
    (stamp, record), _ = entries(receiver.frames[0])
    assert (stamp.code, stamp.data) == (0, (TIME // 10**9).to_bytes(4, "big") + (123_456_789).to_bytes(4, "big"))
    assert record == {"n": "a", "pluginhost": {"host": "me", "hop": 1, "alert": {"id": "a"}}}
    assert receiver.frames[0][2] == {"size": 2, "chunk": receiver.frames[0][2]["chunk"]}
    assert receiver.connections == 1


@asynchronous
async def test_a_resend_is_the_same_frame():
    async with Receiver(lambda frame: "close") as receiver:
        forward = output(receiver, compress="gzip")
        for _ in range(2):
            with pytest.raises(Unavailable, match="closes"):
                await forward.deliver([outgoing("a"), outgoing("b")])
        receiver.answer = lambda frame: msgpack.packb({"ack": frame[2]["chunk"].encode()})  # as bin: still the same id
        assert await forward.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
        await forward.close()
    assert receiver.raw[0] == receiver.raw[1] == receiver.raw[2]
    assert receiver.frames[0][2]["compressed"] == "gzip"
    assert receiver.names()[2] == ["a", "b"]


@asynchronous
async def test_a_wrong_ack_closes_the_connection():
    async with Receiver(lambda frame: msgpack.packb({"ack": "another"})) as receiver:
        forward = output(receiver)
        with pytest.raises(Unavailable, match="another chunk: 'another'"):
            await forward.deliver([outgoing("a")])
        receiver.answer = Receiver().answer
        assert await forward.deliver([outgoing("a")]) == [DONE]
        assert receiver.connections == 2
        await forward.close()


@pytest.mark.parametrize(
    ("answer", "reason", "slow"),
    [
        (msgpack.packb(["HELO", {}]), "helo: the receiver asks for a shared key", True),
        (b"HTTP/1.1 400", "not_an_ack", False),
        (b"", "no ack within 1 s", False),
    ],
)
@asynchronous
async def test_no_proper_ack_is_unavailable(answer, reason, slow):
    async with Receiver(lambda frame: answer) as receiver:
        forward = output(receiver, ack_timeout=Duration(1))
        with pytest.raises(Unavailable) as lost:
            await forward.deliver([outgoing("a")])
        assert (lost.value.reason.startswith(reason), lost.value.slow) == (True, slow)
        await forward.close()


@asynchronous
async def test_what_was_acked_before_the_receiver_went_is_done():
    async with Receiver() as receiver:
        good = receiver.answer
        receiver.answer = lambda frame: good(frame) if len(receiver.frames) < 2 else b""
        forward = output(receiver, ack_timeout=Duration(1))
        outcomes = await forward.deliver([outgoing("a"), outgoing("b", severity="low"), outgoing("c", severity="critical")])
        await forward.close()
    assert outcomes == [DONE, Retry("no ack within 1 s"), Retry("no ack within 1 s")]


@asynchronous
async def test_a_connection_closed_while_idle_is_not_written_to():
    async with Receiver() as receiver:
        forward = output(receiver, require_ack=False)  # without acks a frame written there would vanish
        assert await forward.deliver([outgoing("a")]) == [DONE]
        await receiver.arrived.acquire()
        receiver.drop()
        await asyncio.gather(*(writer.wait_closed() for writer in receiver.writers))
        assert await forward.deliver([outgoing("b")]) == [DONE]
        await receiver.arrived.acquire()
        assert (receiver.names(), receiver.connections) == ([["a"], ["b"]], 2)
        await forward.close()


@asynchronous
async def test_servers_are_tried_in_order_and_kept_until_they_fail():
    async with Receiver() as gone:
        dead = gone.port
    async with Receiver() as second, Receiver() as third:
        forward = output(dead, second, third)
        await forward.deliver([outgoing("a")])
        await forward.deliver([outgoing("b")])
        second.drop()
        second.server.close()
        await second.server.wait_closed()
        assert await forward.deliver([outgoing("c")]) == [DONE]
        await forward.close()
    assert (second.names(), third.names(), second.connections) == ([["a"], ["b"]], [["c"]], 1)


@asynchronous
async def test_nobody_there_names_everybody_tried():
    async with Receiver() as one, Receiver() as two:
        pass
    forward = output(one, two)
    for attempt in (forward.deliver([outgoing("a")]), forward.check()):
        with pytest.raises(Unavailable) as lost:
            await attempt
        assert all(f"127.0.0.1:{receiver.port}: " in lost.value.reason for receiver in (one, two))


@asynchronous
async def test_logstash_gets_no_chunk_no_gzip_and_whole_seconds():
    async with Receiver() as receiver:
        forward = output(receiver, profile="logstash", compress="gzip")
        assert await forward.deliver([outgoing("a")]) == [DONE]
        await receiver.arrived.acquire()
        await forward.close()
    assert receiver.frames[0][2] == {"size": 1}
    assert entries(receiver.frames[0])[0][0] == TIME // 10**9


@asynchronous
async def test_frames_are_filled_to_a_size_and_too_large_a_record_is_dead():
    async with Receiver() as receiver:
        forward = output(receiver, frame_bytes=Size(2000))
        broken = Outgoing(sequence=1, id="f", time=1, severity="low", analyzer="a", document=b"{")
        sizes = {"a": 800, "b": 800, "c": 800, "d": 9000, "e": 4 << 20}
        outcomes = await forward.deliver([*(outgoing(name, pad="x" * size) for name, size in sizes.items()), broken])
        await forward.close()
    assert outcomes[:4] == [DONE] * 4
    assert isinstance(outcomes[4], Dead)
    assert "more than any receiver takes" in outcomes[4].reason
    assert isinstance(outcomes[5], Dead)
    assert receiver.names() == [["a", "b"], ["c"], ["d"]]


@asynchronous
async def test_an_alert_the_receiver_always_closes_on_ends_dead_without_its_neighbours():
    def answer(frame):
        good = msgpack.packb({"ack": frame[2]["chunk"]})
        return "close" if any(record["n"] == "bad" for _, record in entries(frame)) else good

    async with Receiver(answer) as receiver:
        forward = output(receiver)
        waiting, ended = [outgoing("a"), outgoing("bad"), outgoing("b")], {}
        for _ in range(12):
            try:
                outcomes = await forward.deliver([*waiting, outgoing("other", severity="low")])
            except Unavailable:
                continue
            ended |= {alert.id: one for alert, one in zip(waiting, outcomes, strict=False) if not isinstance(one, Retry)}
            waiting = [alert for alert in waiting if alert.id not in ended]
        await forward.close()
    assert {"a": ended["a"], "b": ended["b"]} == {"a": DONE, "b": DONE}
    assert ended["bad"] == Dead("refused 10 times while others passed: the receiver closed without an ack: end of stream")


@asynchronous
async def test_a_receiver_that_closes_on_everything_kills_nothing():
    async with Receiver(lambda frame: "close") as receiver:
        forward = output(receiver)
        for _ in range(15):
            with pytest.raises(Unavailable):
                await forward.deliver([outgoing("a")])
        await forward.close()


@asynchronous
async def test_a_delivery_that_is_cancelled_leaves_no_ack_behind():
    async with Receiver(lambda frame: b"") as receiver:
        forward = output(receiver)
        delivering = asyncio.ensure_future(forward.deliver([outgoing("a")]))
        await receiver.arrived.acquire()
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert receiver.names() == [["a"]]
        receiver.answer = Receiver().answer
        assert await forward.deliver([outgoing("b")]) == [DONE]
        assert receiver.connections == 2
        await forward.close()


@asynchronous
async def test_evidence_goes_along_by_option_and_deep_records_are_bounded():
    deep = 1
    for _ in range(50):
        deep = {"d": deep}
    async with Receiver() as receiver:
        forward = output(receiver, evidence=True)
        await forward.deliver([outgoing("a", deep=deep, big=2**70)])
        await forward.close()
    record = entries(receiver.frames[0])[0][1]
    assert record["pluginhost"]["evidence"] == [{"message": "seen"}]
    assert record["big"] == str(2**70)
    levels = 0
    while isinstance(record, dict):
        record, levels = record.get("deep", record.get("d")), levels + 1
    assert (levels, record[:5]) == (32, '{"d":')


@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        ({}, "flagged."),
        ({"tag_prefix": "x.y"}, "x.y."),
        ({"tag": "alerts-{severity}"}, "alerts-"),
        ({"tag": "fixed"}, "fixed"),
        ({"tag": "{prefix}"}, "flagged"),
    ],
)
def test_the_literal_beginning_of_every_tag_is_known(options, prefix):
    assert output(1, **options).prefix == prefix


@pytest.mark.parametrize("tag", ["{severity}.x", "", "{prefix}.{user}", "A.{severity}", "a b{severity}", "a.{severity"])
def test_a_tag_without_a_literal_beginning_is_refused(tag):
    with pytest.raises(Problem) as refused:
        output(1, tag=tag)
    assert refused.value.code == "output.forward.tag"


@pytest.mark.parametrize("server", ["host", "host:", ":1", "host:x", "host:70000", "host:0"])
def test_a_server_is_a_host_and_a_port(server):
    with pytest.raises(Problem, match="is no server"):
        Forward(Forward.Options(servers=(server,)), Context(name="f", metrics=Registry(), clock=lambda: 10**18))
