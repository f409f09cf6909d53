"""What the families of paths of the HTTP door are tried with: a host that keeps records by tag, and answers that may not come at all."""

from __future__ import annotations

import asyncio

from http_doors import Answer, Client, request

from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.wire import records


class Host:
    """Keeps chunks; raises what is in `busy` first, one for each chunk, where it is not None."""

    def __init__(self):
        self.chunks, self.ways, self.busy = [], [], []

    async def accept(self, chunk, *, source, carried=None):
        if self.busy and (error := self.busy.pop(0)):
            raise error
        self.chunks.append(chunk)
        self.ways.append(carried)
        return Receipt(len(self.chunks))

    @property
    def records(self):
        """{tag: records}, of all chunks."""
        found = {}
        for chunk in self.chunks:
            bounds = zip(chunk.columns.starts, chunk.columns.ends, strict=True)
            found.setdefault(chunk.tag, []).extend(records.decode(chunk.codec, chunk.data[start:end]) for start, end in bounds)
        return found


async def ask(door, method, path, body=b"", **headers):
    """The answer to one request over a connection of its own; status 0 if the connection ends without one."""
    async with Client(door) as client, asyncio.timeout(20):
        await client.send(request(body, path, method, **headers))
        try:
            answer = Answer(await client.reader.readuntil(b"\r\n\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return Answer(b"")
        if method != "HEAD":
            answer.body = await client.reader.readexactly(int(answer.headers.get("content-length", 0)))
        return answer


def with_door(test, **options):
    """Runs `test(door, host)` against a listening door; gives back the door's counters."""

    async def main():
        host, metrics = Host(), Registry()
        door = Http(HttpOptions(port=0, **options), Context("http", host.accept, metrics))
        await door.start()
        try:
            await test(door, host)
        finally:
            await door.drain(0.2)
        return metrics.snapshot()["input.http"]

    return asyncio.run(main())
