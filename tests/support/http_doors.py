"""The HTTP door over real sockets, with an `accept` that the test controls, and a client whose every byte is the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import json

from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.wire import records

GOOD = b'[{"a":1},{"a":2}]'


class Host:
    """Plays the host: keeps chunks, or is busy, or waits for `gate`."""

    def __init__(self):
        self.chunks, self.busy, self.broken = [], [], False
        self.gate, self.entered = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def accept(self, chunk, *, source, carried=None):
        self.entered.set()
        await self.gate.wait()
        if self.broken:
            raise RuntimeError("our own bug")
        if self.busy:
            raise self.busy.pop()
        self.chunks.append((chunk, source))
        return Receipt(len(self.chunks))

    @property
    def records(self):
        return [
            records.decode(chunk.codec, chunk.data[start:end])
            for chunk, _ in self.chunks for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)
        ]  # fmt: skip


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def json(self):
        return json.loads(self.body)


class Client:
    """One connection, every byte the test's own."""

    def __init__(self, door):
        self.host, _, self.port = door.address.rpartition(":")

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(self.host.strip("[]"), int(self.port))
        return self

    async def __aexit__(self, *_):
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, raw):
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self):
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            answer = Answer(head)
            answer.body = await self.reader.readexactly(int(answer.headers.get("content-length", 0)))
        return answer

    async def closed(self):
        async with asyncio.timeout(10):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


def request(body=GOOD, path="/v1/ingest", method="POST", **headers):
    lines = {"Host": "x", "Content-Type": "application/json", "Content-Length": len(body)}
    lines |= {key.replace("_", "-"): value for key, value in headers.items()}
    return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{key}: {value}" for key, value in lines.items()), "", ""]).encode() + body


async def ask(door, *args, **headers):
    async with Client(door) as client:
        await client.send(request(*args, **headers))
        return await client.answer()


def with_door(test, verdict=None, **options):
    """Runs `test(door, host)` against a listening door; gives back the door's counters. `verdict` plays the analyzers."""

    async def main():
        host, metrics = Host(), Registry()
        context = Context("http", host.accept, metrics, **({"verdict": verdict} if verdict is not None else {}))
        door = Http(HttpOptions(port=0, **options), context)
        await door.start()
        try:
            await test(door, host)
        finally:
            await door.drain(0.2)
        return metrics.snapshot()["input.http"]

    return asyncio.run(main())
