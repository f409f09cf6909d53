"""Peers that mean ill, or are broken: bad bytes by seed, connections that say nothing, and bytes that drip."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from random import Random

CAPTURES = Path(__file__).parents[1] / "conformance" / "forward_captures.jsonl"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_IDLE = """\
import socket, sys
ports, count = [int(port) for port in sys.argv[1].split(",")], int(sys.argv[2])
held = []
for number in range(count):
    one = socket.socket()
    one.settimeout(20)
    try:
        one.connect(("127.0.0.1", ports[number % len(ports)]))
    except OSError:
        pass
    held.append(one)
print(len(held), flush=True)
sys.stdin.read()
"""


class Idle:
    """`count` connections to `ports`, held open by processes of their own, that never say a word."""

    def __init__(self, ports, count, processes=4):
        command = [sys.executable, "-c", _IDLE, ",".join(map(str, ports)), str(count // processes)]
        self._processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(processes)]

    def __enter__(self):
        self.held = sum(int(one.stdout.readline()) for one in self._processes)
        return self

    def __exit__(self, *_):
        for one in self._processes:
            one.stdin.close()
        for one in self._processes:
            one.wait(30)
            one.stdout.close()


def talk(port, data, answer=4096):
    """Sends bytes, says that no more come, and reads what is answered, if anything is within half a second."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.settimeout(0.5)
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        return peer.recv(answer)
    return b""


class Drip(threading.Thread):
    """Sends `data` byte by byte, `pause` seconds apart, until it is done, told to stop, or hung up on."""

    def __init__(self, port, data, pause=0.05):
        super().__init__(daemon=True)
        self._port, self._data, self._pause, self._ended = port, data, pause, threading.Event()

    def run(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 10) as peer:
            for byte in self._data:
                peer.sendall(bytes([byte]))
                if self._ended.wait(self._pause):
                    return

    def stop(self):
        self._ended.set()
        self.join(10)


def spoiled(rng, data):
    """The bytes with a few of them changed, cut out, doubled or put in."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(made) + 1)
        match rng.randrange(4):
            case 0 if made:
                made[at % len(made)] = rng.randrange(256)
            case 1:
                del made[at : at + rng.randint(1, 40)]
            case 2:
                made[at:at] = made[at : at + rng.randint(1, 40)]
            case _:
                made[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(made)


def bad_frames(count, seed=1):
    """Frames of the forward protocol as real clients sent them, spoiled; and heads that promise gibibytes."""
    rng = Random(seed)
    whole = [base64.b64decode(json.loads(line)["bytes_b64"]) for line in CAPTURES.read_text().splitlines()]
    promises = [b"\x93\xa1t" + head + b"\xff" * 4 for head in (b"\xdd", b"\xdf", b"\xdb", b"\xc6")] + [b"\xc1", b"\x91" * 9999, b"[" * 9999]
    return [*promises, *(spoiled(rng, rng.choice(whole)[:4096]) for _ in range(count - len(promises)))]


def bad_requests(count, seed=2):
    """Requests over HTTP, whole and well-meant at first, then spoiled in head and body."""
    rng = Random(seed)
    paths = ("/", "/v1/ingest", "/v1/ingest/a", "/v1/analyze", "/events", "/_bulk", "/v1/logs", "/services/collector/event", "/v1/firehose")
    bodies = (b'{"message":"a"}', b'[{"a":1},{"b":[1,2]}]', b'{"index":{}}\n{"a":1}\n', b"\x81\xa1a\x01", b"\x1f\x8b\x08\x00" + bytes(20))
    kinds = ("application/json", "application/x-ndjson", "application/msgpack", "application/x-protobuf", "text/plain", "")
    made = []
    for _ in range(count):
        body = rng.choice(bodies)
        more = rng.choice(("Content-Encoding: gzip", "Content-Encoding: zstd", "Transfer-Encoding: chunked", "Expect: 100-continue"))
        head = f"POST {rng.choice(paths)} HTTP/1.1\r\nHost: x\r\nContent-Type: {rng.choice(kinds)}\r\n{more}\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        made.append(spoiled(rng, head.encode() + body))
    return made


def bad_streams(count, seed=3):
    """What is no HTTP/2, or begins as such and goes on as it likes."""
    rng = Random(seed)
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    return [rng.choice((b"", PREFACE, PREFACE + settings)) + rng.randbytes(rng.randint(1, 400)) for _ in range(count)]
