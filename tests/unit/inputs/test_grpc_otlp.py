"""OTLP over gRPC, with an `accept` that the test controls."""

import asyncio
import logging

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_doors import EXPORT, become, refused, unary, with_door
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from pluginhost.inputs.access import Key
from pluginhost.options import Secret, Size
from pluginhost.problem import Busy


def request(*texts, service=None, tags=()):
    tags = tags or [None] * len(texts)
    logs = [LogRecord(body=AnyValue(string_value=text), attributes=[attribute("fluent.tag", tag)] if tag else [])
            for text, tag in zip(texts, tags, strict=True)]  # fmt: skip
    resource = Resource(attributes=[attribute("service.name", service)] if service else [])
    scoped = [ResourceLogs(resource=resource, scope_logs=[ScopeLogs(log_records=logs)])]
    return ExportLogsServiceRequest(resource_logs=scoped).SerializeToString()


def attribute(key, text):
    return KeyValue(key=key, value=AnyValue(string_value=text))


def test_a_request_is_answered_once_it_is_durable():
    async def test(door, host, channel):
        host.gate.clear()
        answer = asyncio.ensure_future(unary(channel, EXPORT, request("a", "b", service="shop")))
        await host.entered.wait()
        assert (await asyncio.wait([answer], timeout=0.1))[0] == set()
        host.gate.set()
        assert await answer == b""
        assert host.records == [("shop", {"service.name": "shop", "message": "a"}), ("shop", {"service.name": "shop", "message": "b"})]

    counts = with_door(test)
    assert (counts["calls"], counts["batches"], counts["records"], counts["rejected"]) == (1, 1, 2, 0)


def test_each_tag_is_a_chunk_and_all_share_an_id():
    async def test(door, host, channel):
        tags = [f"t{n}" for n in range(100)]
        await unary(channel, EXPORT, request(*tags, tags=tags))
        assert [chunk.tag for chunk in host.chunks] == tags
        assert len({chunk.chunk_id for chunk in host.chunks}) == 1
        await unary(channel, EXPORT, request("other"))
        assert (host.chunks[-1].tag, host.chunks[-1].chunk_id != host.chunks[0].chunk_id) == ("standard", True)
        assert not any(one.lost for one in host.carried)

    with_door(test, tag="standard")


def test_what_cannot_be_accepted_is_told_as_partial_success():
    async def test(door, host, channel):
        raw = ExportLogsServiceRequest.FromString(request("good"))
        data = raw.SerializeToString()
        bad = data.replace(b"\x2a\x06\x0a\x04good", b"\x2a\x06\x0a\x7fgood") + data  # its first record says that it is longer than it is
        partial = ExportLogsServiceResponse.FromString(await unary(channel, EXPORT, bad)).partial_success
        assert (partial.rejected_log_records, partial.error_message) == (1, "malformed")
        assert host.records == [("grpc", {"message": "good"})]
        assert [len(chunk.rejected) for chunk in host.chunks] == [1]

    counts = with_door(test)
    assert (counts["records"], counts["rejected"]) == (1, 1)


def test_what_is_no_request_is_a_dead_letter_and_refused():
    async def test(door, host, channel):
        error = await refused(unary(channel, EXPORT, b"\xff\xff"))
        assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "malformed: this is no ExportLogsServiceRequest")
        (chunk,) = host.chunks
        assert (chunk.count, chunk.body, chunk.rejected[0].reason) == (0, b"\xff\xff", "malformed")
        error = await refused(unary(channel, EXPORT, request(*"x" * 200, service="s" * 100)))
        assert (error.code(), error.details().partition(":")[0]) == (grpc.StatusCode.INVALID_ARGUMENT, "too_large")
        assert await unary(channel, EXPORT, request("x")) == b""

    counts = with_door(test, max_data=Size(10_000))
    assert (counts["unreadable"], counts["too_large"], counts["records"]) == (1, 1, 1)


def test_overload_says_how_long_to_wait_in_every_way_that_clients_know():
    async def test(door, host, channel):
        host.busy = [Busy("full", 200)]
        error = await refused(unary(channel, EXPORT, request("x")))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "full")
        trailing = dict(error.trailing_metadata())
        info, found = RetryInfo(), Status.FromString(trailing["grpc-status-details-bin"])
        assert found.details[0].Unpack(info)
        assert (found.code, found.message, info.retry_delay.seconds) == (14, "full", 200)
        assert RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"]).retry_delay.seconds == 200
        assert trailing["grpc-retry-pushback-ms"] == "200000"

    assert with_door(test)["busy"] == 1


def test_a_chunk_that_was_taken_before_another_was_not_counts_as_unanswered():
    async def test(door, host, channel):
        host.busy = [Busy("full", 1)]
        tags = ("a", "b")
        await refused(unary(channel, EXPORT, request(*tags, tags=tags)))
        (carried,) = host.carried
        assert carried.lost
        await unary(channel, EXPORT, request(*tags, tags=tags))
        assert host.chunks[0].chunk_id == host.chunks[1].chunk_id
        assert [one.lost for one in host.carried] == [True, False, False]

    with_door(test)


def test_our_own_bug_is_an_overload_to_the_sender(caplog):
    async def test(door, host, channel):
        host.busy = [RuntimeError("our own bug")]
        error = await refused(unary(channel, EXPORT, request("x")))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "internal error")

    with_door(test)
    assert "our own bug" in caplog.text


def test_a_call_is_not_waited_for_after_its_deadline():
    async def test(door, host, channel):
        host.gate.clear()
        error = await refused(unary(channel, EXPORT, request("x"), timeout=0.3))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        await become(lambda: not door._open[False] and not door._held)
        assert host.chunks == []

    with_door(test)


def test_no_more_calls_and_no_more_memory_than_allowed():
    async def test(door, host, channel):
        host.gate.clear()
        first = asyncio.ensure_future(unary(channel, EXPORT, request("x")))
        await host.entered.wait()
        error = await refused(unary(channel, EXPORT, request("y")))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "too much at work")
        host.gate.set()
        assert await first == b""
        assert await unary(channel, EXPORT, request("z" * 500)) == b""  # alone, a request of any size goes through
        assert await unary(channel, EXPORT, request("y")) == b""

    assert with_door(test, memory=Size(10))["busy"] == 1


KEYS = (Key(name="web", token=Secret("w3b"), tags=("web.*",)), Key(name="all", token=Secret("4ll")))


@pytest.mark.parametrize(("metadata", "code"), [
    ({}, "UNAUTHENTICATED"), ({"x_api_key": "no"}, "UNAUTHENTICATED"), ({"authorization": "Bearer w3b"}, "PERMISSION_DENIED"),
    ({"x_api_key": "4ll"}, "OK"),
])  # fmt: skip
def test_keys(metadata, code, caplog):
    async def test(door, host, channel):
        both = request("a", "b", tags=("web.a", "db.a"))
        if code == "OK":
            assert await unary(channel, EXPORT, both, **metadata) == b""
        else:
            assert (await refused(unary(channel, EXPORT, both, **metadata))).code().name == code
        assert len(host.chunks) == (2 if code == "OK" else 0)  # all of them or none
        assert await unary(channel, EXPORT, request("a", tags=["web.a"]), authorization="Bearer w3b") == b""

    with caplog.at_level(logging.DEBUG, logger="pluginhost"):
        counts = with_door(test, keys=KEYS)
    assert (counts["unauthorized"], counts["forbidden"]) == (code == "UNAUTHENTICATED", code == "PERMISSION_DENIED")
    assert "w3b" not in caplog.text


def test_draining_answers_what_was_read():
    async def test(door, host, channel):
        host.gate.clear()
        answer = asyncio.ensure_future(unary(channel, EXPORT, request("x")))
        await host.entered.wait()
        draining = asyncio.ensure_future(door.drain(60))
        await asyncio.sleep(0.05)
        host.gate.set()
        assert await answer == b""
        await asyncio.wait_for(draining, 20)

    with_door(test)


def test_packed_requests():
    async def test(door, host, channel):
        call = channel.unary_unary(EXPORT)
        assert await call(request("x" * 10_000), compression=grpc.Compression.Gzip) == b""
        error = await refused(call(request("x" * 1_000_000), compression=grpc.Compression.Gzip))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # a bomb is stopped where it is unpacked
        assert [len(record["message"]) for _, record in host.records] == [10_000]

    with_door(test, max_message=Size(100_000))
