"""What the gRPC door says of an ack: by it the host tells a resend from an equal batch."""

from __future__ import annotations

import asyncio
import contextlib

import grpc
import pytest

from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.wire.v1 import ingest_pb2 as pb


class Host:
    def __init__(self):
        self.taken, self.go = [], asyncio.Event()

    async def accept(self, chunk, *, source, carried=None):
        self.taken.append((chunk.chunk_id, carried))
        await self.go.wait()
        return Receipt(0)


@contextlib.asynccontextmanager
async def door():
    host = Host()
    made = Grpc(GrpcOptions(port=0), Context("grpc", host.accept, Registry()))
    await made.start()
    channel = grpc.aio.insecure_channel(made.address)
    try:
        yield host, channel
    finally:
        host.go.set()
        await channel.close()
        await made.drain(0.2)


def opened(channel):
    return channel.stream_stream("/pluginhost.v1.Ingest/Send", request_serializer=pb.Batch.SerializeToString,
                                 response_deserializer=pb.Ack.FromString)()  # fmt: skip


def batch(sequence, payload):
    return pb.Batch(sequence=sequence, payload=payload, encoding=pb.ENCODING_JSON)


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(("answered", "ending", "lost"), [
    (True, "done", False), (True, "cancel", False), (True, "channel", False), (False, "cancel", True), (False, "channel", True),
])  # fmt: skip
def test_an_ack_is_lost_with_a_call_that_ends_before_it_was_written(answered, ending, lost):
    async def scene():
        async with door() as (host, channel):
            call = opened(channel)
            await call.write(batch(1, b'{"a":1}'))
            await until(lambda: host.taken)
            ((_, carried),) = host.taken
            assert not carried.lost
            if answered:
                host.go.set()
                assert (await call.read()).sequence == 1
                assert not carried.lost
            if ending == "done":
                await call.done_writing()
                assert await call.read() is grpc.aio.EOF
            elif ending == "cancel":
                call.cancel()
            else:
                await channel.close()
            await until(lambda: carried.line.ended)
            await asyncio.sleep(0.05)
            assert carried.lost is lost

    asyncio.run(scene())


def test_a_batch_is_known_by_its_content_whatever_its_sequence():
    async def scene():
        async with door() as (host, channel):
            host.go.set()
            call = opened(channel)
            for sequence, payload in ((1, b'{"a":1}'), (2, b'{"a":1}'), (3, b'{"a":2}')):
                await call.write(batch(sequence, payload))
                await call.read()
            first, second, other = (chunk_id for chunk_id, _ in host.taken)
            assert (first == second, first == other, len(first)) == (True, False, 16)

    asyncio.run(scene())
