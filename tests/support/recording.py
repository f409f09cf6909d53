"""An HTTP server on loopback that records what it is sent and answers by script: well, badly, slowly, or not at all."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["CUT", "Answer", "Received", "recording"]


@dataclass(frozen=True)
class Answer:
    """What is answered. `cut` resets the connection instead; `slow` seconds pass before it, unless the server is closed."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    slow: float = 0.0
    cut: bool = False
    raw: bytes = b""  # in place of all the above: what is no HTTP


CUT = Answer(cut=True)


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # who hung up is what some tests are about


class Recording:
    """`received` are the requests in order; `answers` are given in turn, then `usual`."""

    def __init__(self, *answers, usual=Answer()):
        self.received, self.answers, self.usual = [], [*answers], usual
        self.closing, self._held = threading.Event(), threading.Lock()

    def take(self, request):
        with self._held:
            self.received.append(request)
            if callable(self.usual):
                return self.usual(request)
            return self.answers.pop(0) if self.answers else self.usual


@contextlib.contextmanager
def recording(*answers, usual=Answer(), ssl=None):
    """A server while it is a context: `.url` is its root. `usual` may be a function of the request; `ssl` makes it one of https."""
    made = Recording(*answers, usual=usual)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def _any(self):
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = made.take(Received(self.command, self.path, headers, self.rfile.read(length)))
            if answer.slow:
                made.closing.wait(answer.slow)
            if answer.cut:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            if answer.raw:
                self.close_connection = True
                self.wfile.write(answer.raw)
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_CONNECT = _any  # noqa: N815 - their names

        def log_message(self, *_):
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    if ssl is not None:
        server.socket = ssl.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    made.url = f"{'https' if ssl else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
