"""The gRPC door over real sockets, with an `accept` that the test controls."""

import asyncio
import contextlib
import gzip
import logging
import re
import subprocess
import sys
from pathlib import Path

import grpc
import msgpack
import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory

from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, Size
from pluginhost.problem import Busy, Problem
from pluginhost.wire import records
from pluginhost.wire.v1 import ingest_pb2 as pb

REPOSITORY = Path(__file__).parents[3]


class Host:
    """Plays the host: keeps chunks in the order in which they are durable; holds back what the test tells it to."""

    def __init__(self):
        self.chunks, self.entered, self.sources, self.busy = [], [], set(), []
        self.gates = {}

    async def accept(self, chunk, *, source, carried=None):
        self.entered.append(chunk.data)
        self.sources.add(source)
        if gate := self.gates.get(chunk.data):
            await gate.wait()
        if self.busy:
            raise self.busy.pop()
        self.chunks.append(chunk)
        return Receipt(len(self.chunks))

    def hold(self, payload):
        self.gates[payload] = asyncio.Event()
        return self.gates[payload]

    async def until(self, count):
        await become(lambda: len(self.entered) >= count)


async def become(ready):
    async with asyncio.timeout(10):
        while not ready():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.005)


def with_door(test, **options):
    """Runs `test(door, host, channel)` against a listening door; gives back the door's counters."""

    async def main():
        host, metrics = Host(), Registry()
        door = Grpc(GrpcOptions(port=0, **options), Context("grpc", host.accept, metrics))
        await door.start()
        try:
            async with grpc.aio.insecure_channel(door.address) as channel, asyncio.timeout(30):
                await test(door, host, channel)
        finally:
            await door.drain(0.2)
        return metrics.snapshot()["input.grpc"]

    return asyncio.run(main())


def open_stream(channel, serialize=pb.Batch.SerializeToString, **metadata):
    send = channel.stream_stream("/pluginhost.v1.Ingest/Send", request_serializer=serialize, response_deserializer=pb.Ack.FromString)
    return send(metadata=tuple((key.replace("_", "-"), value) for key, value in metadata.items()))


def batch(sequence, payload=b'[{"a":1}]', encoding=pb.ENCODING_JSON, **fields):
    return pb.Batch(sequence=sequence, payload=payload, encoding=encoding, **fields)


async def acks(stream):
    read = []
    while (ack := await stream.read()) is not grpc.aio.EOF:
        read.append((ack.sequence, ack.accepted, ack.rejected, ack.error.partition(":")[0]))
    return read


async def ended(stream):
    """The error that the stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:  # noqa: PT012  # either may be the one that raises
        await acks(stream)
        await stream
    return caught.value


def test_batches_are_acknowledged_in_order():
    sent = [
        batch(7, b'{"a":1}{"a":2}', tag="web"),
        batch(8, gzip.compress(msgpack.packb([{"a": 3}])), pb.ENCODING_MSGPACK, compression="gzip"),
        batch(9, msgpack.packb([5, {"a": 4}]), pb.ENCODING_UNSPECIFIED, tag="\x1b"),
    ]

    async def test(door, host, channel):
        stream = open_stream(channel)
        for one in sent:
            await stream.write(one)
        await stream.done_writing()
        assert await acks(stream) == [(7, 2, 0, ""), (8, 1, 0, ""), (9, 1, 0, "")]
        assert await stream.code() == grpc.StatusCode.OK
        assert [(chunk.tag, chunk.codec, chunk.packing, chunk.body) for chunk in host.chunks] == [
            ("web", "json", "", sent[0].payload),
            ("standard", "msgpack", "gzip", sent[1].payload),
            ("\\x1b", "msgpack", "", sent[2].payload),
        ]  # fmt: skip
        first = host.chunks[0]
        bounds = zip(first.columns.starts, first.columns.ends, strict=True)
        assert [records.decode("json", first.data[start:end]) for start, end in bounds] == [{"a": 1}, {"a": 2}]
        assert list(host.chunks[2].columns.times) == [5 * 10**9]
        assert host.sources == {"127.0.0.1"}

    counts = with_door(test, tag="standard")
    assert (counts["calls"], counts["batches"], counts["records"]) == (1, 3, 4)


def test_several_batches_are_at_work_but_acknowledged_in_order():
    async def test(door, host, channel):
        gate, stream = host.hold(b'{"n":0}'), open_stream(channel)
        for n in range(3):
            await stream.write(batch(n, b'{"n":%d}' % n))
        await host.until(3)
        assert [chunk.data for chunk in host.chunks] == [b'{"n":1}', b'{"n":2}']  # durable before the first, which they must wait for
        reading = asyncio.ensure_future(stream.read())
        assert (await asyncio.wait([reading], timeout=0.1))[0] == set()
        gate.set()
        assert (await reading).sequence == 0
        await stream.done_writing()
        assert await acks(stream) == [(1, 1, 0, ""), (2, 1, 0, "")]

    with_door(test)


def test_no_more_than_in_flight_are_read():
    async def test(door, host, channel):
        gate, stream = host.hold(b'{"n":0}'), open_stream(channel)
        for n in range(5):
            await stream.write(batch(n, b'{"n":%d}' % n))
        await host.until(2)
        await asyncio.sleep(0.1)
        assert len(host.entered) == 2
        gate.set()
        await stream.done_writing()
        assert [one[0] for one in await acks(stream)] == [0, 1, 2, 3, 4]

    with_door(test, in_flight=2)


def test_memory_is_bounded_by_not_reading():
    async def test(door, host, channel):
        gate, stream, other = host.hold(b'{"n":0}'), open_stream(channel), open_stream(channel)
        await stream.write(batch(0, b'{"n":0}'))
        await host.until(1)
        await other.write(batch(1))
        await other.write(batch(2))
        await other.done_writing()
        await asyncio.sleep(0.1)
        assert len(host.entered) <= 2  # the other stream may have been reading already
        gate.set()
        assert [one[0] for one in await acks(other)] == [1, 2]
        await stream.done_writing()

    with_door(test, memory=Size(5))


def test_a_bad_batch_is_acknowledged_with_its_error_and_kept_as_dead_letter():
    async def test(door, host, channel):
        stream = open_stream(channel)
        for n, payload in enumerate((b"{}", b"hello", b"[{},7]", b"[" + b" " * 300 + b"]", b"[]", b"{}"), 1):
            await stream.write(batch(n, payload))
        await stream.done_writing()
        wanted = [(1, 1, 0, ""), (2, 0, 1, "malformed"), (3, 1, 1, ""), (4, 0, 1, "too_large"), (5, 0, 0, ""), (6, 1, 0, "")]
        assert await acks(stream) == wanted
        assert [(chunk.count, len(chunk.rejected)) for chunk in host.chunks] == [(1, 0), (0, 1), (1, 1), (1, 0)]
        assert host.chunks[1].body == b"hello"

    counts = with_door(test, max_data=Size(200))
    assert (counts["unreadable"], counts["too_large"], counts["rejected"]) == (1, 1, 2)


def test_a_large_batch_is_read_beside_the_loop_and_keeps_its_place():
    async def test(door, host, channel):
        stream = open_stream(channel)
        await stream.write(batch(1, b"[" + b",".join([b'{"message":"' + b"x" * 1000 + b'"}'] * 5000) + b"]"))  # above gRPC's own 4 MiB
        await stream.write(batch(2))
        await stream.done_writing()
        assert await acks(stream) == [(1, 5000, 0, ""), (2, 1, 0, "")]
        assert [chunk.count for chunk in host.chunks] == [5000, 1]

    with_door(test)


def test_a_message_above_the_limit_ends_the_stream():
    async def test(door, host, channel):
        stream = open_stream(channel)
        await stream.write(batch(1, b" " * 2000))
        assert (await ended(stream)).code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    with_door(test, max_message=Size(1000))


def test_a_message_that_is_no_batch_ends_the_stream(caplog):
    async def test(door, host, channel):
        stream = open_stream(channel, serialize=None)
        await stream.write(b"\xff\xff\xff")
        error = await ended(stream)
        assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "garbage: this is no pluginhost.v1.Batch")

    assert with_door(test)["garbage"] == 1
    assert "Traceback" not in caplog.text


def test_a_short_overload_is_waited_out():
    async def test(door, host, channel):
        host.busy = [Busy("full", 0.01)] * 3
        stream = open_stream(channel)
        await stream.write(batch(1))
        assert (await stream.read()).sequence == 1
        assert len(host.entered) == 4
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF  # the door is done with it before it is closed

    assert with_door(test)["busy"] == 0


def retry_delay(details):
    """Reads `google.rpc.Status` with descriptors made here, not with the code under test."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, duration_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        file.dependency.append(known.DESCRIPTOR.name)
    status, info = file.message_type.add(name="Status"), file.message_type.add(name="RetryInfo")
    status.field.add(name="code", number=1, type="TYPE_INT32", label="LABEL_OPTIONAL")
    status.field.add(name="details", number=3, type="TYPE_MESSAGE", label="LABEL_REPEATED", type_name=".google.protobuf.Any")
    info.field.add(name="retry_delay", number=1, type="TYPE_MESSAGE", label="LABEL_OPTIONAL", type_name=".google.protobuf.Duration")
    pool.AddSerializedFile(file.SerializeToString())
    read = {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}")).FromString for name in ("Status", "RetryInfo")}
    found = read["Status"](details)
    (detail,) = found.details
    assert detail.type_url == "type.googleapis.com/google.rpc.RetryInfo"
    return found.code, read["RetryInfo"](detail.value).retry_delay.seconds


def test_a_long_overload_ends_the_stream_with_retry_info():
    async def test(door, host, channel):
        host.busy = [Busy("full", 3)] * 9
        stream = open_stream(channel)
        await stream.write(batch(1))
        error = await ended(stream)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "full")
        trailing = dict(error.trailing_metadata())
        assert retry_delay(trailing["grpc-status-details-bin"]) == (14, 3)
        assert trailing["grpc-retry-pushback-ms"] == "3000"
        host.busy = []
        again = open_stream(channel)
        await again.write(batch(1))
        await again.done_writing()
        assert await acks(again) == [(1, 1, 0, "")]

    assert with_door(test, busy_timeout=Duration(0.1))["busy"] == 1


def test_our_own_bug_ends_the_stream_so_that_the_client_tries_again(caplog):
    async def test(door, host, channel):
        host.busy = [RuntimeError("our own bug")]
        stream = open_stream(channel)
        await stream.write(batch(1))
        error = await ended(stream)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "internal error")

    with_door(test)
    assert "our own bug" in caplog.text


def test_draining_acknowledges_what_was_read_and_sends_the_client_elsewhere():
    async def test(door, host, channel):
        gate, stream, idle = host.hold(b'[{"a":1}]'), open_stream(channel), open_stream(channel)
        await idle.write(batch(1, b"[]"))
        assert (await idle.read()).sequence == 1
        await stream.write(batch(2))
        await host.until(1)
        draining = asyncio.ensure_future(door.drain(60))
        assert (await ended(idle)).code() == grpc.StatusCode.UNAVAILABLE
        gate.set()
        assert (await stream.read()).sequence == 2
        error = await ended(stream)
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "draining")
        await asyncio.wait_for(draining, 20)

    with_door(test)


def test_draining_keeps_its_grace():
    async def test(door, host, channel):
        host.hold(b'[{"a":1}]')
        stream = open_stream(channel)
        await stream.write(batch(1))
        await host.until(1)
        before = asyncio.get_running_loop().time()
        await door.drain(0.3)
        assert 0.2 < asyncio.get_running_loop().time() - before < 10  # not for ever

    with_door(test)


def test_a_client_that_goes_away_leaves_nothing_behind(caplog):
    async def test(door, host, channel):
        host.hold(b'[{"a":1}]')
        stream = open_stream(channel)
        await stream.write(batch(1))
        await host.until(1)
        stream.cancel()
        await become(lambda: not door._open[False] and not door._held)
        assert not door._readers

    with caplog.at_level(logging.WARNING):
        with_door(test)
    said = [record.getMessage() for record in caplog.records]
    assert [line for line in said if "PollerCompletionQueue" not in line] == []  # that is gRPC, about the loops of earlier tests


def test_a_connection_that_never_begins_is_ended(monkeypatch):
    async def test(door, host, channel):
        reader, writer = await asyncio.open_connection(*door.address.split(":"))
        with contextlib.suppress(ConnectionResetError):
            await reader.read()  # the server's own beginning, then the end
        writer.close()
        stream = open_stream(channel)
        await stream.write(batch(1))
        assert (await stream.read()).accepted == 1

    monkeypatch.setattr("pluginhost.inputs.grpc.input._HANDSHAKE", 0.2)
    with_door(test)


def test_one_connection_too_many_is_closed_and_who_calls_nothing_makes_room():
    async def test(door, host, channel):
        begun = [await asyncio.open_connection(*door.address.split(":")) for _ in range(3)]
        for reader, writer in begun:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))  # and settings that say nothing
            assert await reader.read(1)
        over, writer = await asyncio.open_connection(*door.address.split(":"))
        with contextlib.suppress(ConnectionResetError):
            assert await over.read() == b""
        for reader, other in [*begun, (over, writer)]:
            with contextlib.suppress(ConnectionResetError):
                await reader.read()
            other.close()
        stream = open_stream(channel)
        await stream.write(batch(1))
        assert (await stream.read()).accepted == 1

    with_door(test, connections=3, idle_timeout=Duration(1))


def test_one_stream_too_many_is_told_to_wait():
    async def test(door, host, channel):
        first = open_stream(channel)
        await first.write(batch(1))
        assert (await first.read()).sequence == 1
        error = await ended(open_stream(channel))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "too many streams")
        await first.done_writing()
        assert await acks(first) == []
        third = open_stream(channel)
        await third.write(batch(3))
        assert (await third.read()).sequence == 3
        await third.done_writing()

    with_door(test, streams=1)


@pytest.mark.parametrize(("metadata", "code"), [
    ({}, "UNAUTHENTICATED"), ({"authorization": "Bearer wrong"}, "UNAUTHENTICATED"),
    ({"authorization": "Bearer s3cret"}, "OK"), ({"x_api_key": "s3cret"}, "OK"),
])  # fmt: skip
def test_the_token(metadata, code, caplog):
    async def test(door, host, channel):
        stream = open_stream(channel, **metadata)
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await stream.write(batch(1))
            await stream.done_writing()
            await acks(stream)
        assert (await stream.code()).name == code
        assert len(host.chunks) == (code == "OK")

    with caplog.at_level(logging.DEBUG, logger="pluginhost"):
        with_door(test, token=Secret("s3cret"))
    assert "s3cret" not in caplog.text
    assert ("turned away" in caplog.text) == (code != "OK")


def test_an_open_door_to_the_network_is_refused():
    with pytest.raises(Problem) as caught:
        Grpc(GrpcOptions(bind="0.0.0.0"), Context("grpc", None, Registry()))
    assert caught.value.code == "input.unauthenticated"


def test_a_taken_address_is_a_problem():
    async def test(door, host, channel):
        second = Grpc(GrpcOptions(port=int(door.address.rpartition(":")[2])), Context("grpc", host.accept, Registry()))
        with pytest.raises(Problem) as caught:
            await second.start()
        assert caught.value.code == "input.address"

    with_door(test)


def test_the_committed_messages_are_those_of_the_proto_file(tmp_path):
    files = [str(file.relative_to(REPOSITORY / "protos")) for file in sorted((REPOSITORY / "protos/pluginhost/v1").glob("*.proto"))]
    assert len(files) == 2
    out = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-Iprotos", *out, *files], cwd=REPOSITORY, check=True)
    made = sorted((tmp_path / "pluginhost/v1").iterdir())
    assert len(made) == 4
    for fresh in made:
        committed = REPOSITORY / "pluginhost/wire/v1" / fresh.name
        for settled in (described, declared):
            assert settled(fresh) == settled(committed), "run `make protos`"


def described(file):
    """What a generated file says to the library."""
    return re.findall(r"AddSerializedFile\((.*)\)$", file.read_text(), re.MULTILINE)


def declared(file):
    """What a generated file says to type checkers, but for how its compiler writes types."""
    return re.findall(r"^ *(class \w+|[A-Za-z_]+: _?\w+)", file.read_text(), re.MULTILINE) if file.suffix == ".pyi" else None
