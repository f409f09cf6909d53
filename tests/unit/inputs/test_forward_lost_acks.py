"""What the forward door says of an ack: by it the host tells a resend from an equal chunk."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
from msgpack import packb

from pluginhost.inputs.forward import Forward, ForwardOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.problem import Busy

FRAME = packb(["t", [[1_700_000_000, {"n": 1}]], {"chunk": "id"}])
ACK = packb({"ack": "id"})


class Host:
    def __init__(self):
        self.carried, self.go, self.busy = None, asyncio.Event(), False

    async def accept(self, chunk, *, source, carried=None):
        self.carried = carried
        if self.busy:
            raise Busy("full", 0.01)
        await self.go.wait()
        return Receipt(0)


@contextlib.asynccontextmanager
async def door(**options):
    host, registry = Host(), Registry()
    made = Forward(ForwardOptions(port=0, **options), Context("forward", host.accept, registry))
    await made.start()
    try:
        yield made, host, registry.counts("input.forward")
    finally:
        host.go.set()
        await made.drain(0.05)


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)


def hang_up(writer, reset):
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


@pytest.mark.parametrize(("answered", "reset", "lost"), [(True, False, False), (True, True, True), (False, True, True)])
def test_an_answer_is_lost_with_a_line_that_ends_before_it_or_is_reset(answered, reset, lost):
    async def scene():
        async with door() as (made, host, counts):
            reader, writer = await asyncio.open_connection(*made.address.rsplit(":", 1))
            writer.write(FRAME)
            await until(lambda: host.carried is not None)
            assert not host.carried.lost
            if answered:
                host.go.set()
                assert await reader.readexactly(len(ACK)) == ACK
            hang_up(writer, reset)
            await until(lambda: counts["open"] == 0)
            assert host.carried.lost is lost

    asyncio.run(scene())


@pytest.mark.parametrize("reset", [True, False])
def test_a_chunk_that_was_refused_is_not_tried_again_once_its_sender_is_gone(reset):
    async def scene():
        async with door() as (made, host, counts):
            host.busy = True
            _, writer = await asyncio.open_connection(*made.address.rsplit(":", 1))
            writer.write(FRAME)
            await until(lambda: counts["busy"] == 1)
            hang_up(writer, reset)
            await writer.wait_closed()
            host.busy, host.carried = False, None  # by now its copy may have been taken over another line
            host.go.set()
            await asyncio.sleep(0.1)
            assert host.carried is None

    asyncio.run(scene())


def test_an_answer_is_lost_when_we_give_up_on_it():
    async def scene():
        from pluginhost.options import Duration

        async with door(busy_timeout=Duration(0.05)) as (made, host, counts):
            host.busy = True
            reader, writer = await asyncio.open_connection(*made.address.rsplit(":", 1))
            writer.write(FRAME)
            assert await reader.read() == b""
            assert host.carried.lost
            assert counts["busy_timeouts"] == 1
            writer.close()

    asyncio.run(scene())
