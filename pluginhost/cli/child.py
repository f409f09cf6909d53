"""A sidecar of one's own: `pluginhost run` as a real child process, on a folder and a free loopback port of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from ..host.control import ask
from ..problem import Problem, printable

__all__ = ["Child", "Ended"]

T = TypeVar("T")

_CONFIG = """\
# made by `pluginhost demo`
data: data
inputs:
  - {type: forward, port: 0}  # any free port
"""
_LOOK = 0.05  # seconds between two looks
_START, _STOP = 30.0, 45.0  # seconds; the host itself gives everything 20 s to end in order
_MOMENT = 1.0  # seconds


class Ended(Exception):
    """The sidecar did not do what it should; the text says what, `log` holds its last words."""

    def __init__(self, what: str, log: list[str]) -> None:
        super().__init__(what)
        self.log = log


class Child:
    """The sidecar on `folder`; as a context it is started, and surely gone in the end. `settings` are more lines of its configuration."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self._settings = settings
        self.config, self.data, self._log = folder / "pluginhost.yaml", folder / "data", folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.config.write_text(_CONFIG + self._settings)
        command = (sys.executable, "-m", "pluginhost", "run", "--config", str(self.config))
        with self._log.open("wb") as log:
            # a group of its own: Ctrl-C is for us, and we stop it in order
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)  # noqa: S603 - ourselves
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(Ended):
            self.stop()

    def ready(self) -> tuple[str, int]:
        """Host and port of its forward input, once it listens."""
        for host, port in self.looks(self._address, _START):
            if port:
                return host, port
        raise Ended(f"the sidecar did not listen within {_START:.0f} seconds", self.tail())

    def looks(self, at: Callable[[], T], patience: float) -> Iterator[T]:
        """What `at` gives, again and again, until it has stayed the same for `patience` seconds; `Ended` when the sidecar dies."""
        seen, since = None, time.monotonic()
        while time.monotonic() - since < patience:
            self.alive()
            if (now := at()) != seen:
                seen, since = now, time.monotonic()
            yield now
            time.sleep(_LOOK)

    def _address(self) -> tuple[str, int]:
        """Port 0 while it does not listen yet."""
        try:
            host, _, port = str(next(ask(self.data, "status"))["inputs"][0]).rpartition(":")
        except (Problem, StopIteration, OSError):
            return "", 0
        return host, int(port)

    def alive(self, moment: float = 0.0) -> None:
        """Raises `Ended` if it is not, or is no more within a `moment` (seconds): a connection breaks before the process is gone."""
        if self._process is None:
            raise Ended("the sidecar was stopped", [])
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise Ended(f"the sidecar ended by itself, with status {self._process.wait(moment)}", self.tail())

    def ask(self, call: str, **args: Any) -> Any:
        """The one item that it answers to a control call."""
        try:
            return self.asked(call, **args)[0]
        except IndexError:
            self.alive(_MOMENT)
            raise Ended(f"the sidecar gave no answer to `{call}`", self.tail()) from None

    def asked(self, call: str, **args: Any) -> list[Any]:
        """All items that it answers to a control call."""
        try:
            return list(ask(self.data, call, **args))
        except Problem:
            self.alive(_MOMENT)
            raise
        except (OSError, msgspec.DecodeError):
            self.alive(_MOMENT)
            raise Ended(f"the sidecar gave no answer to `{call}`", self.tail()) from None

    def follow(self) -> Iterator[dict[str, Any]]:
        """Its alerts from the first one on, as they come; ends with the sidecar."""
        with contextlib.suppress(Problem, OSError, msgspec.DecodeError):
            yield from ask(self.data, "follow", after=0)

    def tail(self, lines: int = 12) -> list[str]:
        """The last lines of its log, safe to print."""
        text = self._log.read_text("utf-8", "backslashreplace") if self._log.exists() else ""
        return [printable(line, 300) for line in text.splitlines()[-lines:]]

    def stop(self) -> None:
        """Asks it to stop, and waits; `Ended` if it does not end well."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            status = process.wait(_STOP)
        except subprocess.TimeoutExpired:
            raise Ended(f"the sidecar did not stop within {_STOP:.0f} seconds and was ended", self.tail()) from None
        finally:  # also when whoever waits has lost patience: nothing of it may stay behind
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if status:
            raise Ended(f"the sidecar ended with status {status}", self.tail())
