"""Lines over TCP, each a record. What is durable is answered with its number of lines, so that a sender knows what it may forget."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec

from pluginhost.inputs.access import Access
from pluginhost.inputs.port import Context
from pluginhost.options import Size, doc
from pluginhost.problem import Busy, PeerError, Problem
from pluginhost.wire.bodies import Unreadable, decode_body
from pluginhost.wire.chunk import Chunk

__all__ = ["TcpLines"]

_PIECE = 64 << 10


class TcpLines:
    """The input; `type: tcp_lines` in a configuration."""

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Each field is an option; its documentation and its bounds are shown by `pluginhost schema`."""

        port: Annotated[int, doc("port to listen on; 0 takes any free one", ge=0, le=65535)] = 5170
        bind: Annotated[str, doc("address to listen on")] = "127.0.0.1"
        tag: Annotated[str, doc("tag of the records", min_length=1)] = "lines"
        longest: Annotated[Size, doc("most bytes of a line; a longer one closes its connection", ge=1)] = Size(64 << 10)
        connections: Annotated[int, doc("most connections at a time", ge=1)] = 100

    def __init__(self, options: Options, context: Context) -> None:
        Access(context.name, options.bind)  # this protocol knows no password: only this machine may send
        self._options, self._context = options, context
        self._counts = context.metrics.counts(f"input.{context.name}", "lines", "refused")
        self._tasks, self._idle = set[asyncio.Task[None]](), set[asyncio.Task[None]]()
        self._draining = False
        self.address = f"{options.bind}:{options.port}"

    async def start(self) -> None:
        """Listens; a `Problem` when the address cannot be had."""
        try:
            self._server = await asyncio.start_server(self._connected, self._options.bind, self._options.port)
        except OSError as error:
            raise Problem("input.address", f"cannot listen on {self.address}: {error.strerror}", todo="choose another `port`") from None
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"

    async def drain(self, grace: float) -> None:
        """Takes nothing more, answers what was read."""
        self._draining = True
        self._server.close()
        for task in self._idle:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if len(self._tasks) >= self._options.connections or task is None:
            self._counts["refused"] += 1
            writer.close()
            return
        self._tasks.add(task)
        try:
            await self._conversation(task, reader, writer)
        except (OSError, PeerError):
            self._counts["refused"] += 1
        except asyncio.CancelledError:
            pass  # the sidecar stops: what was not answered is the sender's to send again
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _conversation(self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest, source = b"", str(writer.get_extra_info("peername")[0])
        while not self._draining:
            self._idle.add(task)  # between two pieces nobody waits for an answer
            try:
                piece = await reader.read(_PIECE)
            finally:
                self._idle.discard(task)
            whole, newline, rest = (rest + piece).rpartition(b"\n") if piece else (rest, b"", b"")
            if len(rest) > self._options.longest:
                raise PeerError("too_long", "a line has no end")
            if whole:
                writer.write(b"%d\n" % await self._kept(whole + newline, source))
                await writer.drain()
            if not piece:
                return

    async def _kept(self, lines: bytes, source: str) -> int:
        """How many lines were taken: they are durable. Meanwhile nothing is read, so that overload is the sender's to wait for."""
        chunk = self._chunk(lines)
        while True:
            try:
                await self._context.accept(chunk, source=source)
            except Busy as busy:
                await asyncio.sleep(busy.retry_after)
            else:
                break
        self._counts["lines"] += chunk.count
        return chunk.count

    def _chunk(self, lines: bytes) -> Chunk:
        try:
            return decode_body(lines, content_type="text/plain", tag=self._options.tag)
        except Unreadable as error:
            return error.chunk  # it holds no record; accepted, it becomes a dead letter with its reason
