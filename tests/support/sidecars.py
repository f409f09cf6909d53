"""A real sidecar as a child process, and a forward client that says what was acknowledged."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

import msgpack
import msgspec

from pluginhost.host.control import ask
from pluginhost.problem import Problem


def until(condition, seconds=20.0, what="the condition"):
    """The first true value of `condition()`; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not come true in {seconds} s"
        time.sleep(0.02)
    return value


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Sidecar:
    """`pluginhost run` on a folder of its own."""

    def __init__(self, folder, **config):
        self.folder, self.data = folder, folder / "data"
        self.forward, self.http = free_port(), free_port()
        self.analyzers = folder / "analyzers"
        self.analyzers.mkdir(exist_ok=True)
        self.config = {
            "data": "data", "analyzers": ["analyzers"], "risk": {"entities": 0},  # else a risk that rises is an alert of its own
            "inputs": [{"type": "forward", "port": self.forward}, {"type": "http", "port": self.http}], **config,
        }  # fmt: skip
        self.process = None

    def start(self, *before):
        (self.folder / "pluginhost.yaml").write_text(json.dumps(self.config))
        with (self.folder / "log").open("ab") as log:
            command = [*before, sys.executable, "-m", "pluginhost", "run"]
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            start_new_session=True)  # fmt: skip
        try:
            until(self._ready, 60, "readiness")
        except AssertionError:
            self.kill()
            raise AssertionError(self.log()) from None
        return self

    def _ready(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(Problem, OSError), socket.create_connection(("127.0.0.1", self.forward), 1):
            return list(ask(self.data, "ping"))
        return None

    def ask(self, call, **args):
        return list(ask(self.data, call, **args))

    def status(self):
        return self.ask("status")[0]

    def settled(self):
        """Waits until everything durable is analysed and committed."""
        assert self.ask("analysed", deadline=120.0) == [True]

    def alerts(self, **filters):
        return self.ask("alerts", limit=100_000, **filters)

    def post(self, records, tag="t"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}/v1/ingest/{tag}", json.dumps(records).encode(),
                                         {"Content-Type": "application/json"})  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def post_and_reset(self, records, tag="t"):
        """Posts, and resets the connection once the answer is there, unread."""
        body = json.dumps(records).encode()
        with socket.create_connection(("127.0.0.1", self.http), 5) as peer:
            head = f"POST /v1/ingest/{tag} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            peer.sendall(head.encode() + body)
            assert select.select([peer], [], [], 10)[0]
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log(self):
        return (self.folder / "log").read_text()

    def says(self, words):
        """Waits until the log has these words: what they tell of may be seen elsewhere a moment sooner."""
        return until(lambda: words in self.log(), what=f"the line {words!r}")

    @property
    def pid(self):
        """The host's own: under strace it is not the child's."""
        return int((self.data / "lock").read_text())

    def kill(self):
        """kill -9 of the host; its workers end because it hung up. A tracer goes with it."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                os.kill(self.pid, signal.SIGKILL)
            self.process.kill()
        if self.process:
            self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
            try:
                return self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode if self.process else None


class Sender:
    """A forward client that packs records, one chunk in flight, and resends what was not acknowledged with the same id."""

    def __init__(self, port, tag="t"):
        self.port, self.tag = port, tag
        self.acked = 0
        self._socket = None

    def send(self, records, when=None, attempts=200, chunk=None):
        """Returns when the chunk is acknowledged."""
        chunk = chunk or base64.b64encode(os.urandom(16)).decode()
        frame = self._frame(records, when, chunk)
        for _ in range(attempts):
            try:
                if self._socket is None:
                    self._socket = socket.create_connection(("127.0.0.1", self.port), 5)
                    self._socket.settimeout(10)
                self._socket.sendall(frame)
                answer = self._socket.recv(512)
                if answer and msgpack.unpackb(answer) == {"ack": chunk}:
                    self.acked += len(records)
                    return
            except OSError:
                pass
            self.close()
            time.sleep(0.1)
        raise AssertionError("the chunk was never acknowledged")

    def _frame(self, records, when, chunk):
        second = when or int(time.time())
        entries = b"".join(b"\x92\xd7\x00" + struct.pack(">II", second, n) + msgspec.msgpack.encode(one) for n, one in enumerate(records))
        return msgpack.packb([self.tag, entries, {"size": len(records), "chunk": chunk}])

    def offer(self, records, chunk, part=1.0):
        """Sends the chunk, or its first part, over a new connection, and waits for nothing."""
        self.close()
        self._socket = socket.create_connection(("127.0.0.1", self.port), 5)
        self.add(records, chunk, part)

    def add(self, records, chunk, part=1.0):
        """The same, behind what was sent over the connection before."""
        frame = self._frame(records, None, chunk)
        self._socket.sendall(frame[: int(len(frame) * part)])

    def reset(self):
        """Ends the connection without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def send_and_reset(self, records, chunk, when=None):
        """Sends the chunk and resets the connection once its ack is there, unread."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as peer:
            peer.sendall(self._frame(records, when, chunk))
            select.select([peer], [], [], 10)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None
