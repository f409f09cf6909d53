"""What can go wrong on the way to a peer: a TCP proxy that cuts, delays and swallows, and an HTTP one that answers in the peer's place.

Loopback only. `Line` knows bytes, `Gate` knows requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

__all__ = ["Answer", "Gate", "Line", "Request"]


class Line:
    """A TCP proxy before the loopback port `target`, while it is a context.

    `delay` holds back what the peer says by so many seconds. A line is `cut` (reset, and no new one), `swallowing` (taken, never
    passed on, never answered) or passes everything on.
    """

    def __init__(self, target: int) -> None:
        self.target, self.delay, self._cut, self._swallowing = target, 0.0, False, False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._writers = set[asyncio.StreamWriter]()
        self._tasks = set[asyncio.Task[None]]()

    def cut(self) -> None:
        """Resets every connection, and each one that is made."""
        self._set(cut=True)

    def swallow(self) -> None:
        """Takes connections and bytes, also on those that stand, and gives nothing back."""
        self._set(swallowing=True)

    def mend(self) -> None:
        """Passes everything on again. What was swallowed is gone, and its connections with it."""
        self._set()

    def _set(self, *, cut: bool = False, swallowing: bool = False) -> None:
        async def change() -> None:
            was, self._cut, self._swallowing = self._swallowing, cut, swallowing
            for writer in list(self._writers) if cut or was else ():
                _reset(writer)

        asyncio.run_coroutine_threadsafe(change(), self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", 0 if self._cut else self.target)
        except OSError:
            return _reset(writer)
        self._writers |= {writer, onward}
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, onward, 0.0))
                both.create_task(self._pass(there, writer, 1.0))
        finally:
            self._writers -= {writer, onward}
            writer.close()
            onward.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: float) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                await asyncio.sleep(self.delay * back)
                if not self._swallowing:
                    writer.write(data)
                    await writer.drain()
            if not self._swallowing:
                writer.write_eof()

    def __enter__(self) -> Self:
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


class Answer(NamedTuple):
    """What a client of a `Gate` gets."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


class Request(NamedTuple):
    """What a client of a `Gate` asks; `passed` asks the real server, with another body if one is given."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    server: str

    def passed(self, body: bytes | None = None) -> Answer:
        """The real server's answer."""
        url, sent = urlsplit(self.server), self.body if body is None else body
        line = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")}
            line.request(self.method, self.path, sent or None, headers)
            answer = line.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() in ("content-type", "x-elastic-product")}
            return Answer(answer.status, answer.read(), kept)
        finally:
            line.close()


Rule = Callable[[Request], Answer | None]


class Gate:
    """An HTTP server before `server`, while it is a context: `rule` gives each answer, or None to hang up without one."""

    def __init__(self, server: str = "", rule: Rule = Request.passed) -> None:
        self.rule, gate = rule, self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def handle_one_request(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle_one_request()

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                told = gate.rule(Request(self.command, self.path, dict(self.headers), body, server))
                if told is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response_only(told.status)
                for name, value in {**told.headers, "Content-Length": str(len(told.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else told.body)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the names are the library's

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
