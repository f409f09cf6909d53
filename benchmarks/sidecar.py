"""A real sidecar as a process, on the disk of the cache folder, and a forward client that keeps frames in flight."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgpack
from peer import cache

from pluginhost.host.control import ask
from pluginhost.problem import Problem

__all__ = ["Client", "Sidecar", "Spent", "cpu", "free_port"]


class Sidecar:
    """`pluginhost run` with the analyzers of some files, one worker, journal synced."""

    def __init__(self, analyzers: Sequence[Path], **config: Any) -> None:
        self._held = tempfile.TemporaryDirectory(dir=cache())
        folder = Path(self._held.name)
        self._data, self.port = folder / "data", free_port()
        (folder / "analyzers").mkdir()
        for file in analyzers:
            shutil.copy(file, folder / "analyzers")
        inputs = [{"type": "forward", "port": self.port}]
        (folder / "pluginhost.yaml").write_text(json.dumps({"data": "data", "analyzers": ["analyzers"], "inputs": inputs, **config}))
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen([sys.executable, "-m", "pluginhost", "run"], cwd=folder, stdout=self._log, stderr=self._log)

    def __enter__(self) -> Self:
        end = time.monotonic() + 60
        while True:
            try:
                list(ask(self._data, "ping"))
            except Problem:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise SystemExit(f"the sidecar did not start:\n{Path(self._log.name).read_text()}") from None
                time.sleep(0.05)
            else:
                (self._worker,) = next(ask(self._data, "status"))["workers"]
                return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()
        self._held.cleanup()

    def settled(self) -> None:
        """Returns when everything that was acknowledged is analysed and committed."""
        assert list(ask(self._data, "analysed", deadline=300.0)) == [True]

    def seen(self) -> dict[str, int]:
        """How often each analyzer was called."""
        return {one["name"]: one["counts"]["seen"] for one in ask(self._data, "analyzers")}

    def spent(self) -> Spent:
        """CPU seconds of host and worker so far."""
        return Spent(cpu(self._process.pid), cpu(self._worker))


class Spent:
    """CPU seconds of the host and of its worker."""

    def __init__(self, host: float, worker: float) -> None:
        self.host, self.worker = host, worker

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.host - other.host, self.worker - other.worker)


class Client:
    """A forward client that keeps up to `ahead` frames in flight."""

    def __init__(self, port: int, ahead: int = 8) -> None:
        self._peer, self._ahead = socket.create_connection(("127.0.0.1", port)), ahead
        self._acks = msgpack.Unpacker()
        self._flying = 0

    def send(self, frames: Sequence[bytes]) -> None:
        """Returns when all of them are acknowledged."""
        for one in frames:
            self._peer.sendall(one)
            self._flying += 1
            while self._flying >= self._ahead:
                self._heard()
        while self._flying:
            self._heard()

    def _heard(self) -> None:
        data = self._peer.recv(1 << 16)
        if not data:
            raise SystemExit("the connection was closed")
        self._acks.feed(data)
        self._flying -= sum(1 for _ in self._acks)

    def close(self) -> None:
        self._peer.close()


def cpu(pid: int) -> float:
    """The CPU seconds of another process so far, to the ns: its own clock, as Linux numbers it."""
    return time.clock_gettime((~pid << 3) | 2)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port
