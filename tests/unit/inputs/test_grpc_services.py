"""The services of the gRPC door beside `Send` and `Export`: verdicts, alerts, health, reflection; and records in other forms."""

import asyncio
import json
import logging

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from grpc_doors import FOLLOW, JUDGE, SEND, become, refused, stream, unary, with_door
from grpc_health.v1 import health_pb2

from pluginhost.inputs.access import Key
from pluginhost.inputs.grpc import GrpcOptions
from pluginhost.options import Duration, Secret, Size
from pluginhost.problem import Busy
from pluginhost.wire.v1 import alerts_pb2
from pluginhost.wire.v1 import ingest_pb2 as pb

KEYS = (Key(name="web", token=Secret("w3b"), tags=("web.*",)), Key(name="all", token=Secret("4ll")))


def struct(**fields):
    made = Struct()
    made.update(fields)
    return made


async def said(call, kind, *messages):
    """Everything that a stream answers to these messages."""
    for one in messages:
        await call.write(one if isinstance(one, bytes) else one.SerializeToString())
    await call.done_writing()
    read = []
    while (answer := await call.read()) is not grpc.aio.EOF:
        read.append(kind.FromString(answer))
    assert await call.code() == grpc.StatusCode.OK
    return read


def batch(sequence, payload=b'{"a":1}', **fields):
    return pb.Batch(sequence=sequence, payload=payload, encoding=pb.ENCODING_JSON, **fields)


class TestStructs:
    def test_records_may_come_as_structs(self):
        async def test(door, host, channel):
            one = struct(n=3, x=1.5, big=2.0**60, t="é", none=None, yes=True, list=[1, {"a": "b"}], time=1_700_000_000)
            (ack,) = await said(stream(channel, SEND), pb.Ack, pb.Batch(sequence=4, tag="app", records=[one, struct(a="b")]))
            assert (ack.sequence, ack.accepted, ack.rejected, ack.error) == (4, 2, 0, "")
            wanted = {"n": 3, "x": 1.5, "big": 2.0**60, "t": "é", "none": None, "yes": True, "list": [1, {"a": "b"}], "time": 1_700_000_000}
            assert host.records == [("app", wanted), ("app", {"a": "b"})]
            assert [type(host.records[0][1][name]) for name in ("n", "x", "big")] == [int, float, float]
            assert list(host.chunks[0].columns.times) == [1_700_000_000 * 10**9, 0]
            assert len(host.chunks[0].chunk_id) == 16

        with_door(test)

    def test_not_both(self):
        async def test(door, host, channel):
            (ack,) = await said(stream(channel, SEND), pb.Ack, batch(1, records=[struct(a="b")]))
            assert (ack.accepted, ack.rejected, ack.error) == (0, 1, "ambiguous: a batch holds a payload or records, not both")

        assert with_door(test)["unreadable"] == 1

    def test_limits(self):
        async def test(door, host, channel):
            sent = [pb.Batch(records=[struct(a="x" * size)]) for size in (300, 1)]
            ack, small = await said(stream(channel, SEND), pb.Ack, *sent)
            assert (ack.accepted, ack.error.partition(":")[0], small.accepted) == (0, "too_large", 1)

        with_door(test, max_data=Size(200))


def test_a_tag_that_the_key_may_not_use_costs_only_its_batch(caplog):
    async def test(door, host, channel):
        call = stream(channel, SEND, authorization="Bearer w3b")
        answers = await said(call, pb.Ack, batch(1, tag="web.a"), batch(2, tag="db.a"), batch(3, tag="web.b"), batch(4))
        assert [(one.accepted, one.rejected, one.error) for one in answers] == [
            (1, 0, ""), (0, 1, "forbidden: this key may not use the tag db.a"), (1, 0, ""),
            (0, 1, "forbidden: this key may not use the tag grpc"),
        ]  # fmt: skip
        assert [(chunk.tag, chunk.count, [one.reason for one in chunk.rejected], chunk.body) for chunk in host.chunks] == [
            ("web.a", 1, [], b'{"a":1}'), ("db.a", 0, ["forbidden"], b'{"a":1}'), ("web.b", 1, [], b'{"a":1}'),
            ("grpc", 0, ["forbidden"], b'{"a":1}'),
        ]  # fmt: skip

    counts = with_door(test, keys=KEYS)
    assert (counts["forbidden"], counts["rejected"], counts["records"]) == (2, 2, 2)
    assert caplog.text.count("a batch of web can never be accepted") == 1  # loud, but once


def alert(id_, action=None, severity="high", tag="t", **more):
    advice = {"action": action} if action else {}
    return {
        "event": {"id": id_, "risk_score": 73.0, "severity": 73, "reason": "because"}, "log": {"level": severity},
        "message": f"alert {id_}", "rule": {"id": "brute", "name": "Brute force"},
        "pluginhost": {"alert": advice, "source": {"tag": tag}}, **more,
    }  # fmt: skip


class TestAnalyze:
    def test_each_batch_is_answered_with_what_was_found(self):
        async def test(door, host, channel):
            host.found = {0: [(1, alert("a", "step_up")), (0, alert("b"))], 2: [(0, alert("c", "deny"))]}
            first, second, third = await said(
                stream(channel, JUDGE), pb.Judgement, batch(7, b'{"a":1}{"a":2}'), batch(8), batch(9)
            )
            assert (first.ack.sequence, first.ack.accepted, first.pending, first.action, first.risk_score) == (
                7, 2, False, pb.ACTION_STEP_UP, 73.0,
            )  # fmt: skip
            assert first.verdicts[0] == pb.Verdict(
                index=1, action=pb.ACTION_STEP_UP, severity="high", risk_score=73, rule="brute", rule_name="Brute force",
                message="alert a", reason="because", id="a",
            )  # fmt: skip
            assert (first.verdicts[1].id, first.verdicts[1].action) == ("b", pb.ACTION_ALLOW)
            assert (second.ack.sequence, second.action, list(second.verdicts)) == (8, pb.ACTION_ALLOW, [])
            assert (third.action, third.verdicts[0].id) == (pb.ACTION_DENY, "c")
            assert [(chunk.chunk_id, carried) for chunk, carried in zip(host.chunks, host.carried, strict=True)] == [(b"", None)] * 3

        with_door(test)

    def test_no_verdict_in_time_is_pending(self):
        async def test(door, host, channel):
            host.found = {0: None}
            (answer,) = await said(stream(channel, JUDGE), pb.Judgement, batch(1))
            assert (answer.ack.accepted, answer.pending, answer.action) == (1, True, pb.ACTION_UNSPECIFIED)

        with_door(test, verdict_timeout=Duration(0.05))

    def test_what_cannot_be_read_has_no_verdict(self):
        async def test(door, host, channel):
            bad, empty = await said(stream(channel, JUDGE), pb.Judgement, batch(1, b"hello"), batch(2, b"[]"))
            assert (bad.ack.error.partition(":")[0], bad.action) == ("malformed", pb.ACTION_UNSPECIFIED)
            assert (empty.ack.accepted, empty.ack.error, empty.action) == (0, "", pb.ACTION_ALLOW)

        with_door(test)

    def test_overload_ends_the_stream(self):
        async def test(door, host, channel):
            host.busy = [Busy("full", 9)]
            error = await refused(said(stream(channel, JUDGE), pb.Judgement, batch(1)))
            assert error.code() == grpc.StatusCode.UNAVAILABLE

        with_door(test, busy_timeout=Duration(0.1))


def follow(channel, where="", after="", **metadata):
    headers = tuple((key.replace("_", "-"), value) for key, value in metadata.items())
    return channel.unary_stream(FOLLOW)(alerts_pb2.FollowRequest(where=where, after=after).SerializeToString(), metadata=headers)


async def read_alerts(call, count):
    read = [alerts_pb2.Alert.FromString(await call.read()) for _ in range(count)]
    return [(one.token, json.loads(one.document)["event"]["id"]) for one in read]


class TestAlerts:
    def test_all_then_each_new_one(self):
        async def test(door, host, channel):
            host.store(alert("a"), alert("b"))
            call = follow(channel, after="0")
            assert await read_alerts(call, 2) == [("1", "a"), ("2", "b")]
            host.store(alert("c"))
            assert await read_alerts(call, 1) == [("3", "c")]
            call.cancel()
            again = follow(channel, after="2")
            assert await read_alerts(again, 1) == [("3", "c")]
            again.cancel()
            await become(lambda: host.followers == 0)

        assert with_door(test)["alerts"] == 4

    def test_without_a_token_only_new_ones(self):
        async def test(door, host, channel):
            host.store(alert("a"))
            call = follow(channel)
            await become(lambda: host.followers == 1)
            host.store(alert("b"))
            assert await read_alerts(call, 1) == [("2", "b")]
            call.cancel()

        with_door(test)

    def test_the_filter(self):
        async def test(door, host, channel):
            host.store(alert("a", severity="low"), alert("b"), alert("c", severity="low"), alert("d", tag="other"))
            call = follow(channel, where="log.level:high AND NOT pluginhost.source.tag:other", after="0")
            host.store(alert("e"))
            assert await read_alerts(call, 2) == [("2", "b"), ("5", "e")]
            call.cancel()

        with_door(test)

    @pytest.mark.parametrize(("where", "after", "details"), [
        ('a:"x', "", "query.quote: "), ("a:[1", "", "query."), ("", "x", "token: "), ("", "-1", "token: "), ("", "3", "behind: "),
        ("", "9" * 19, "behind: "), ("", "9" * 20, "token: "), ("", "٣", "token: "),
    ])  # fmt: skip
    def test_what_can_never_be_served(self, where, after, details):
        async def test(door, host, channel):
            host.store(alert("a"), alert("b"))
            error = await refused(read_alerts(follow(channel, where, after), 1))
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert error.details().startswith(details)

        with_door(test)

    def test_a_key_that_is_bound_to_tags_reads_none(self):
        async def test(door, host, channel):
            host.store(alert("a", tag="web.a"))
            error = await refused(read_alerts(follow(channel, after="0", x_api_key="w3b"), 1))
            assert error.code() == grpc.StatusCode.PERMISSION_DENIED
            call = follow(channel, after="0", x_api_key="4ll")
            assert await read_alerts(call, 1) == [("1", "a")]
            call.cancel()
            assert (await refused(read_alerts(follow(channel), 1))).code() == grpc.StatusCode.UNAUTHENTICATED

        with_door(test, keys=KEYS)

    def test_a_slow_reader_is_waited_for(self):
        async def test(door, host, channel):
            host.store(*(alert(str(n), filler="x" * 100_000) for n in range(1000)))  # 100 MB
            call = follow(channel, after="0")
            assert await read_alerts(call, 1) == [("1", "0")]
            given = -1
            while given != host.given:
                given = host.given
                await asyncio.sleep(0.5)
            assert given < 900
            assert [id_ for _, id_ in await read_alerts(call, 999)] == [str(n) for n in range(1, 1000)]
            call.cancel()

        with_door(test)

    def test_draining_sends_readers_elsewhere(self):
        async def test(door, host, channel):
            call = follow(channel)
            await become(lambda: host.followers == 1)
            before = asyncio.get_running_loop().time()
            await door.drain(60)
            assert asyncio.get_running_loop().time() - before < 40  # not the whole grace
            error = await refused(read_alerts(call, 1))
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "draining")
            assert host.followers == 0

        with_door(test)


HEALTH = "/grpc.health.v1.Health/"


def health(name=""):
    return health_pb2.HealthCheckRequest(service=name).SerializeToString()


class TestHealth:
    def test_anybody_may_ask(self):
        async def test(door, host, channel):
            for name in ("", "pluginhost.v1.Ingest", "opentelemetry.proto.collector.logs.v1.LogsService"):
                assert health_pb2.HealthCheckResponse.FromString(await unary(channel, f"{HEALTH}Check", health(name))).status == 1
            error = await refused(unary(channel, f"{HEALTH}Check", health("no.Such")))
            assert error.code() == grpc.StatusCode.NOT_FOUND

        assert with_door(test, token=Secret("s3cret"))["unauthorized"] == 0

    def test_who_watches_is_told_of_the_end(self):
        async def test(door, host, channel):
            known, unknown = (channel.unary_stream(f"{HEALTH}Watch")(health(name)) for name in ("", "no.Such"))
            assert [health_pb2.HealthCheckResponse.FromString(await one.read()).status for one in (known, unknown)] == [1, 3]
            await asyncio.wait_for(door.drain(60), 40)
            assert health_pb2.HealthCheckResponse.FromString(await known.read()).status == 2
            assert (await known.read(), await unknown.read()) == (grpc.aio.EOF, grpc.aio.EOF)

        with_door(test)

    def test_strangers_do_not_take_the_room_of_senders(self):
        async def test(door, host, channel):
            watching = [channel.unary_stream(f"{HEALTH}Watch")(health()) for _ in range(64)]
            for one in watching:
                await one.read()
            error = await refused(unary(channel, f"{HEALTH}Check", health()))
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert len(await said(stream(channel, SEND), pb.Ack, batch(1))) == 1
            for one in watching:
                one.cancel()

        with_door(test, streams=1)


def test_only_what_is_to_be_served_is():
    async def test(door, host, channel):
        for path in (SEND, JUDGE, FOLLOW, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"):
            assert (await refused(unary(channel, path))).code() == grpc.StatusCode.UNIMPLEMENTED
        assert await unary(channel, f"{HEALTH}Check")

    with_door(test, serve=("health",))


def test_garbage_in_place_of_requests():
    async def test(door, host, channel):
        for path in (SEND, JUDGE, FOLLOW, f"{HEALTH}Check", f"{HEALTH}Watch",
                     "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"):  # fmt: skip
            error = await refused(unary(channel, path, b"\xff\xff\xff"))
            assert (path, error.code()) == (path, grpc.StatusCode.INVALID_ARGUMENT)

    with_door(test)


def test_a_token_never_shows(caplog):
    async def test(door, host, channel):
        for path in (JUDGE, FOLLOW, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"):
            error = await refused(unary(channel, path, authorization="Bearer wrong"))
            assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "unauthorized: token missing or wrong")

    with caplog.at_level(logging.DEBUG, logger="pluginhost"):
        assert with_door(test, token=Secret("s3cret"))["unauthorized"] == 3
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(GrpcOptions(token=Secret("s3cret")))
    assert len([one for one in caplog.records if "turned away" in one.getMessage()]) == 1
