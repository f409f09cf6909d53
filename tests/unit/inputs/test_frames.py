"""Errors that a peer causes at will leave nothing of what it sent for the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import types

import grpc
import pytest
from http_doors import Client, request, with_door

from pluginhost.inputs.frames import frameless
from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.http.visit import Visit
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry


@pytest.fixture(autouse=True)
def uncollected():
    """The garbage collector does not run."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def visits():
    """How many requests over HTTP are in memory with what was read of them."""
    return sum(type(one) is Visit for one in gc.get_objects())


def batches():
    """The functions that have a batch in hand, as far as their frames are still in memory."""
    names = ("Batches._decoded", "Batches._read", "Batches.__call__", "Otlp._read", "Otlp._export")
    return [one.f_code.co_qualname for one in gc.get_objects() if isinstance(one, types.FrameType) and one.f_code.co_qualname in names]


def test_an_error_and_those_that_led_to_it_lose_their_frames():
    def deepest():
        raise KeyError("first")

    def middle():
        try:
            deepest()
        except KeyError:
            raise ValueError("second") from None

    def highest():
        try:
            middle()
        except ValueError as error:
            raise OSError("third") from error

    with pytest.raises(OSError, match="third") as caught:
        highest()
    error = caught.value
    frameless(error)
    assert [error.__traceback__, error.__cause__.__traceback__, error.__cause__.__context__.__traceback__] == [None] * 3


def test_a_body_over_http_that_broke_off_is_let_go():
    async def test(door, host):
        async with Client(door) as client:
            await client.send(request(b"x" * 1000, Content_Length=9000))
            async with asyncio.timeout(5):
                while not visits():  # noqa: ASYNC110  # it has no event
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            while visits():  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    with_door(test)


@pytest.mark.parametrize("method", ["pluginhost.v1.Ingest/Send", "opentelemetry.proto.collector.logs.v1.LogsService/Export"])
def test_a_message_over_grpc_that_means_nothing_is_let_go(method):
    async def accept(chunk, *, source, carried=None):
        return Receipt(1)

    async def main():
        metrics = Registry()
        door = Grpc(GrpcOptions(port=0), Context("grpc", accept, metrics))
        await door.start()
        async with grpc.aio.insecure_channel(door.address) as channel, asyncio.timeout(10):
            call = channel.stream_stream(f"/{method}")()
            await call.write(b"\xff" * 1000)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call.read()
            assert await call.code() == grpc.StatusCode.INVALID_ARGUMENT
        await door.drain(0.2)
        assert batches() == []

    asyncio.run(main())
