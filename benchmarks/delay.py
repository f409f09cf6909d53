"""From the last byte of a frame to the write of its alert at the other side: at half load, and apart from that for bursts.

`python benchmarks/delay.py`. The load is half of the rate that the sidecar kept up with right before (its peak, with ten stateful
analyzers and one that marks). Frames of 1,000 records leave at even times, whatever became of those before; the last record of each is
one to be flagged. A round lasts so long that a checkpoint falls into it. A delay runs from the return of the `sendall` that handed the
frame to the kernel to the moment the receiver of the `http` output has read the request with its alert. A burst is so many frames at
once on an idle sidecar.

The peer is the least that could give the same promises: one process that appends each frame to a file, syncs it, acknowledges, decodes
with msgpack, looks at one field and posts. It gets the same frames at the same times, and has no rules, state, outbox or restarts.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgpack
from common import ANALYZERS, BATCH, Record, conditions, frame, journal, record, size
from peer import cache
from sidecar import Client, Sidecar, free_port

SECONDS, ROUNDS, BURST, PEAK = 12, 3, 20, 60  # a round at half load is longer than a worker goes between two checkpoints
TARGET = 50  # ms, the 99th percentile
_numbers = itertools.count()


class Receiver(ThreadingHTTPServer):
    """Notes when each marked record came back, by its number."""

    daemon_threads = True

    def __init__(self) -> None:
        self.came: dict[str, float] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def wait(self, marks: Sequence[str]) -> None:
        """Returns when all marks have come."""
        end = time.monotonic() + 120
        while not all(mark in self.came for mark in marks):
            if time.monotonic() > end:
                raise SystemExit("alerts are missing")
            time.sleep(0.01)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    server: Receiver

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        now = time.perf_counter()
        for one in json.loads(body):
            self.server.came.setdefault(one["message"], now)
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def floor(port: int, url: str, folder: str) -> None:
    """The peer; one connection at a time."""
    host = url.removeprefix("http://").rstrip("/")
    with socket.create_server(("127.0.0.1", port)) as door, Path(folder, "floor").open("ab", buffering=0) as file:
        sink = http.client.HTTPConnection(host)
        while True:
            line, _ = door.accept()
            unpacker = msgpack.Unpacker(strict_map_key=False)
            while data := line.recv(1 << 16):
                unpacker.feed(data)
                for tag, entries, option in unpacker:
                    file.write(entries)
                    os.fdatasync(file.fileno())
                    line.sendall(msgpack.packb({"ack": option["chunk"]}))
                    judge(entries, sink, tag)


def judge(entries: bytes, sink: http.client.HTTPConnection, tag: str) -> None:
    """Posts the marked records of a frame."""
    inner = msgpack.Unpacker(strict_map_key=False)
    inner.feed(entries)
    found = [{"message": one["path"], "tag": tag} for _, one in inner if one.get("path", "").startswith("mark-")]
    if found:
        sink.request("POST", "/", json.dumps(found))
        sink.getresponse().read()


def marked(count: int) -> tuple[list[bytes], list[str]]:
    """(frames, the mark in the last record of each)."""
    first = next(_numbers) * 10_000

    def made(number: int) -> Record:
        one = record(number)
        return one if number % BATCH != BATCH - 1 else {**one, "type": "web", "path": f"mark-{number}"}

    marks = [f"mark-{(first + at + 1) * BATCH - 1}" for at in range(count)]
    return [frame(row, f"{row.offset:08}") for row in journal(first, count, made=made)], marks


def paced(port: int, receiver: Receiver, interval: float, count: int) -> list[float]:
    """The delays (ms) of `count` frames, one every `interval` seconds."""
    frames, marks = marked(count)
    left = []
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=drain, args=(peer,), daemon=True).start()
        start = time.perf_counter()
        for at, one in enumerate(frames):
            time.sleep(max(0.0, start + at * interval - time.perf_counter()))
            peer.sendall(one)
            left.append(time.perf_counter())
        receiver.wait(marks)
        peer.shutdown(socket.SHUT_RDWR)
    return [(receiver.came[mark] - when) * 1000 for mark, when in zip(marks, left, strict=True)]


def drain(peer: socket.socket) -> None:
    """Reads the acks, which nobody waits for."""
    with contextlib.suppress(OSError):
        while peer.recv(1 << 16):
            pass


def peak(sidecar: Sidecar) -> float:
    """Records per second that the sidecar keeps up with."""
    frames, _ = marked(PEAK)
    client = Client(sidecar.port)
    began = time.perf_counter()
    client.send(frames)
    sidecar.settled()
    client.close()
    return PEAK * BATCH / (time.perf_counter() - began)


@contextlib.contextmanager
def peer(receiver: Receiver) -> Iterator[int]:
    """The port of a running peer."""
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        port = free_port()
        process = subprocess.Popen([sys.executable, __file__, "floor", str(port), receiver.url, folder])
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(10)


def told(name: str, delays: list[float], *, target: bool) -> None:
    """Prints a row."""
    p99 = statistics.quantiles(delays, n=100, method="inclusive")[98]
    end = f"p99 < {TARGET}: {'met' if p99 < TARGET else 'MISSED'}" if target else ""
    print(f"  {name:<56} {len(delays):>7} {statistics.median(delays):>8.1f} {p99:>8.1f} {max(delays):>8.1f}  {end}")


def main() -> None:
    receiver = Receiver()
    output = {"type": "http", "url": receiver.url, "what": "alert"}
    files = [ANALYZERS / "ten.py", ANALYZERS / "mark.py"]
    with ExitStack() as stack:
        sidecar = stack.enter_context(Sidecar(files, outputs=[output]))
        ports = {"pluginhost": sidecar.port, "peer: append, sync, decode, post": stack.enter_context(peer(receiver))}
        peak(sidecar)  # warms up
        most = statistics.median(peak(sidecar) for _ in range(3))
        interval = BATCH / (most / 2)
        even: dict[str, list[float]] = {name: [] for name in ports}
        burst: dict[str, list[float]] = {name: [] for name in ports}
        for found, pace, count in ((even, interval, round(SECONDS / interval)), (burst, 0.0, BURST)):
            for _ in range(ROUNDS):
                for name, port in ports.items():
                    found[name] += paced(port, receiver, pace, count)
        sidecar.settled()
    conditions(f"{size(journal(0, 1))}-byte records, {BATCH:,} a frame, journal on and synced, 1 worker; peak {most:,.0f} records/s, "
               f"load {most / 2:,.0f} records/s", ROUNDS, "delays of all rounds together, wall time")  # fmt: skip
    for title, found, target in (("at half load", even, True), (f"bursts of {BURST} frames", burst, False)):
        print(f"{title:<58} {'frames':>7} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}  target")
        for name, delays in found.items():
            told(name, delays, target=target and name == "pluginhost")
        print()


if __name__ == "__main__":
    if sys.argv[1:2] == ["floor"]:
        floor(int(sys.argv[2]), sys.argv[3], sys.argv[4])
    else:
        main()
