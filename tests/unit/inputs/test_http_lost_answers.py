"""What the HTTP door says of an answer: by it the host tells a resend from an equal body."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest

from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry


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
    made = Http(HttpOptions(port=0), Context("http", host.accept, Registry()))
    await made.start()
    try:
        yield made, host
    finally:
        host.go.set()
        await made.drain(0.2)


async def post(made, body, *headers):
    reader, writer = await asyncio.open_connection(*made.address.rsplit(":", 1))
    head = "".join(f"{line}\r\n" for line in ("POST /v1/ingest/t HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers))
    writer.write(head.encode() + b"\r\n" + body)
    return reader, writer


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)


def test_an_answer_that_was_written_is_not_lost_whatever_happens_then():
    async def scene():
        async with door() as (made, host):
            reader, writer = await post(made, b'{"a":1}')
            await until(lambda: host.taken)
            ((_, carried),) = host.taken
            assert not carried.lost
            host.go.set()
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            writer.close()
            await asyncio.sleep(0.05)
            assert not carried.lost

    asyncio.run(scene())


def reset(writer):
    """Ends the connection with a RST, as a peer does that has crashed, or does not read what was said."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


@pytest.mark.parametrize("read", [True, False])
def test_an_answer_is_lost_by_a_reset_also_after_it_was_written(read):
    async def scene():
        async with door() as (made, host):
            reader, writer = await post(made, b'{"a":1}')
            await until(lambda: host.taken)
            ((_, carried),) = host.taken
            host.go.set()
            await until(lambda: carried.written)
            if read:
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            assert not carried.lost
            reset(writer)
            await until(lambda: carried.lost)

    asyncio.run(scene())


def test_a_reset_of_a_line_loses_its_own_answers_only():
    async def scene():
        async with door() as (made, host):
            host.go.set()
            lines = [await post(made, b'{"a":%d}' % number) for number in range(2)]
            for reader, _ in lines:
                await reader.readline()
            reset(lines[0][1])
            first, second = host.taken[0][1], host.taken[1][1]
            await until(lambda: first.lost or second.lost)
            await asyncio.sleep(0.05)
            assert first.lost is not second.lost
            lines[1][1].close()

    asyncio.run(scene())


def test_an_answer_is_lost_when_the_sender_has_given_up():
    async def scene():
        async with door() as (made, host):
            _, writer = await post(made, b'{"a":1}')
            await until(lambda: host.taken)
            ((_, carried),) = host.taken
            writer.close()  # as a sender does whose timeout has passed
            await until(lambda: carried.lost)
            host.go.set()
            await asyncio.sleep(0.05)
            assert carried.lost

    asyncio.run(scene())


@pytest.mark.parametrize(("first", "second", "same"), [
    ((b'{"a":1}',), (b'{"a":1}',), True),
    ((b'{"a":1}',), (b'{"a":2}',), False),
    ((b'{"a":1}', "Idempotency-Key: k"), (b'{"a":2}', "Idempotency-Key: k"), True),
    ((b'{"a":1}', "Idempotency-Key: k"), (b'{"a":1}', "Idempotency-Key: l"), False),
])  # fmt: skip
def test_what_makes_two_requests_the_same(first, second, same):
    async def scene():
        async with door() as (made, host):
            host.go.set()
            for one in (first, second):
                reader, writer = await post(made, *one)
                await reader.readline()
                writer.close()
            (a, _), (b, _) = host.taken
            assert (a == b) is same

    asyncio.run(scene())
