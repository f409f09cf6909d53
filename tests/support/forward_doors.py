"""A forward door in the running loop, and peers of all kinds that knock at it."""

from __future__ import annotations

import asyncio
import contextlib
import functools

import msgpack
import msgspec

from pluginhost.inputs.forward import Forward, ForwardOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.wire.handshake import Account, ClientHandshake

KEY = "sekrit"


class Journal:
    """A host that takes all chunks."""

    def __init__(self):
        self.chunks, self.sources = [], []

    async def accept(self, chunk, *, source, carried=None):
        await asyncio.sleep(0)
        self.chunks.append(chunk)
        self.sources.append(source)
        return Receipt(len(self.chunks))

    @property
    def numbers(self):
        return [msgspec.msgpack.decode(chunk.data[start:end])["n"] for chunk in self.chunks
                for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)]  # fmt: skip


@contextlib.asynccontextmanager
async def door(**options):
    """A listening door, its journal, its counters."""
    journal, registry = Journal(), Registry()
    made = Forward(ForwardOptions(**{"port": 0, **options}), Context("forward", journal.accept, registry, "server.example"))
    await made.start()
    try:
        yield made, journal, registry.counts("input.forward")
    finally:
        await made.drain(0.5)


async def connect(made, ssl=None):
    """(reader, writer) of a connection to the door's port, or to its Unix socket if it has no port."""
    address = made.address.split(", ")[0]
    if address.startswith("unix:"):
        return await asyncio.open_unix_connection(address[5:])
    host, port = address.rsplit(":", 1)
    return await asyncio.open_connection(host, int(port), ssl=ssl, server_hostname="localhost" if ssl else None)


async def introduce(reader, writer, key=KEY, user="", password="", behind=b""):
    """Goes through the handshake as a good client does; `behind` is written with the PING."""
    handshake = ClientHandshake(hostname="client.example", key=key, salt="0123456789abcdef", user=Account(user, password) if user else None)
    while not handshake.done:
        data = await asyncio.wait_for(reader.read(4096), 20)
        assert data, "closed during the handshake"
        if answer := handshake.receive_data(data):
            writer.write(answer + behind)


def frame(number, tag="t", chunk=True):
    return msgpack.packb([tag, [[1_795_923_297, {"n": number}]], {"chunk": f"id{number}"} if chunk else {}])


def ack(number):
    return msgpack.packb({"ack": f"id{number}"})


async def read(reader, size):
    return await asyncio.wait_for(reader.readexactly(size), 20)


async def ended(reader):
    """What still came before the other side closed."""
    return await asyncio.wait_for(reader.read(), 20)


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)


def run(test):
    """Runs an async test."""

    @functools.wraps(test)
    def wrapped(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return wrapped
