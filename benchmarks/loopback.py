"""Records per second through the whole process over loopback: forward in, journal synced, acknowledged, analysed by a worker.

`python benchmarks/loopback.py`. A client packs 1,000 records a frame and keeps eight frames in flight; the clock stops when the
desk has committed the last of them. Five rounds, medians of wall time; the client shares the cores with what it measures.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgpack
import msgspec
from pipeline import record

from pluginhost.host.control import ask
from pluginhost.problem import Problem

FRAMES, RECORDS, ROUNDS, AHEAD = 100, 1000, 5, 8


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        held.close()
        config = {"data": "data", "inputs": [{"type": "forward", "port": port}]}
        Path(folder, "pluginhost.yaml").write_text(json.dumps(config))
        process = subprocess.Popen([sys.executable, "-m", "pluginhost", "run"], cwd=folder, stderr=subprocess.DEVNULL)
        try:
            measure(Path(folder, "data"), port)
        finally:
            process.terminate()
            process.wait(30)


def measure(data: Path, port: int) -> None:
    wait(data)
    acked, analysed, cpu = [], [], []
    for number in range(ROUNDS):
        made = [frame(number * FRAMES + at) for at in range(FRAMES)]
        began, spent = time.perf_counter(), cpu_of(data)
        send(port, made)
        acked.append(FRAMES * RECORDS / (time.perf_counter() - began))
        assert list(ask(data, "analysed", deadline=120.0)) == [True]
        analysed.append(FRAMES * RECORDS / (time.perf_counter() - began))
        cpu.append(FRAMES * RECORDS / (cpu_of(data) - spent))
    size = len(made[0]) / RECORDS
    told = f"{size:.0f}-byte records, {RECORDS} a frame, journal synced, 1 worker, {ROUNDS} rounds"
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {told}")
    for name, found in (("acknowledged", acked), ("analysed and committed", analysed), ("per CPU second of host + worker", cpu)):
        print(f"  {name:<32} {statistics.median(found):>10,.0f} records/s   ({min(found):,.0f} to {max(found):,.0f})")


def wait(data: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            list(ask(data, "ping"))
        except Problem:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the sidecar did not start")


def cpu_of(data: Path) -> float:
    """CPU seconds of the host and its workers so far."""
    status = next(ask(data, "status"))
    worker = status["workers"][0]
    host = int(Path(f"/proc/{worker}/stat").read_text().rsplit(") ", 1)[1].split()[1])
    fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split() for pid in (host, worker)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def frame(number: int) -> bytes:
    second = int(time.time())
    records = (record(number * RECORDS + n) for n in range(RECORDS))
    entries = b"".join(b"\x92\xd7\x00" + struct.pack(">II", second, n) + msgspec.msgpack.encode(one) for n, one in enumerate(records))
    return msgpack.packb(["mixed", entries, {"size": RECORDS, "chunk": f"{number:016}"}])


def send(port: int, frames: list[bytes]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as peer:
        unpacker, acks = msgpack.Unpacker(), 0
        for number, one in enumerate(frames):
            peer.sendall(one)
            while number + 1 - acks >= AHEAD or (number + 1 == len(frames) and acks < len(frames)):
                unpacker.feed(peer.recv(1 << 16))
                acks += sum(1 for _ in unpacker)


if __name__ == "__main__":
    main()
