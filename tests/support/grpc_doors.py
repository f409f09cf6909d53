"""A gRPC door over real sockets, with a host that the test plays, and calls by name."""

from __future__ import annotations

import asyncio
import contextlib

import grpc

from pluginhost.inputs.grpc import Grpc, GrpcOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.problem import PeerError
from pluginhost.wire import records

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
SEND = "/pluginhost.v1.Ingest/Send"
JUDGE = "/pluginhost.v1.Analyze/Judge"
FOLLOW = "/pluginhost.v1.Alerts/Follow"


class Host:
    """Plays the host: keeps chunks, is busy, waits for `gate`; verdicts and alerts are what the test says."""

    def __init__(self):
        self.chunks, self.carried, self.busy, self.found, self.stored = [], [], [], {}, []
        self.gate, self.entered, self.news = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.gate.set()
        self.followers, self.given = 0, 0

    async def accept(self, chunk, *, source, carried=None):
        self.entered.set()
        await self.gate.wait()
        if self.busy:
            raise self.busy.pop()
        self.chunks.append(chunk)
        self.carried.append(carried)
        return Receipt(len(self.chunks) - 1)

    async def verdict(self, offset, deadline):
        found = self.found.get(offset, [])
        if found is None:
            await asyncio.sleep(deadline)
        return found

    async def alerts(self, after=None):
        if after is not None and after > len(self.stored):
            raise PeerError("behind", "no such alert yet")
        self.followers += 1
        seen = len(self.stored) if after is None else after
        try:
            while True:
                self.news.clear()
                while seen < len(self.stored):
                    seen += 1
                    self.given += 1
                    yield seen, self.stored[seen - 1]
                await self.news.wait()
        finally:
            self.followers -= 1

    def store(self, *documents):
        self.stored += documents
        self.news.set()

    @property
    def records(self):
        return [
            (chunk.tag, records.decode(chunk.codec, chunk.data[start:end]))
            for chunk in self.chunks for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)
        ]  # fmt: skip


async def become(ready):
    async with asyncio.timeout(20):
        while not ready():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def opened(**options):
    """(door, host, counts) of a listening door."""
    host, metrics = Host(), Registry()
    door = Grpc(GrpcOptions(port=0, **options), Context("grpc", host.accept, metrics, verdict=host.verdict, alerts=host.alerts))
    await door.start()
    try:
        async with asyncio.timeout(60):
            yield door, host, door.counts
    finally:
        host.gate.set()
        await door.drain(0.2)


def with_door(test, **options):
    """Runs `test(door, host, channel)` against a listening door; gives back the door's counters."""

    async def main():
        async with opened(**options) as (door, host, counts), grpc.aio.insecure_channel(door.address) as channel:
            await test(door, host, channel)
        return dict(counts)

    return asyncio.run(main())


async def unary(channel, path, message=b"", timeout=30, **metadata):  # noqa: ASYNC109  # of the call
    """The answer's bytes."""
    return await channel.unary_unary(path)(message, timeout=timeout, metadata=_headers(metadata))


def stream(channel, path, **metadata):
    """A bidirectional call of bytes."""
    return channel.stream_stream(path)(metadata=_headers(metadata))


async def refused(awaitable):
    """The error that a call ends with."""
    try:
        await awaitable
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call was served")


def _headers(metadata):
    return tuple((key.replace("_", "-"), value) for key, value in metadata.items())
