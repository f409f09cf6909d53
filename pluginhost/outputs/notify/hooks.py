"""The process in which a hook of yours is called, and what its file may import from here: `TryLater`.

It loads one file, says so, and calls `on_alert` with each alert that comes down the socket, one after another. Whatever the file raises
becomes an answer; for all else (it hangs, exits, eats memory) this process can be ended at any time, and the host starts another.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Literal

import msgspec

from ...problem import printable

__all__ = ["Answer", "TryLater", "framed", "main"]

_SIZE = 4  # bytes that say how long a frame is
_LONGEST_WAIT = 3600.0  # seconds
_PDEATHSIG = 1  # prctl's PR_SET_PDEATHSIG

_Call = Callable[[Any], object]


class TryLater(Exception):
    """Raise it in `on_alert` where the alert cannot be taken just now: it comes again after so many seconds, or somewhat later."""

    def __init__(self, seconds: float = 0.0, reason: str = "the hook asks to try later") -> None:
        super().__init__(reason)
        self.seconds = max(0.0, min(float(seconds), _LONGEST_WAIT))


class Answer(msgspec.Struct, frozen=True):
    """What came of loading the file, or of one alert: done, to be tried again `after` seconds, or raised, for `reason`."""

    word: Literal["done", "later", "raised"]
    reason: str = ""
    after: float = 0.0


def framed(alert: bytes) -> bytes:
    """An alert's JSON as it goes down the socket."""
    return len(alert).to_bytes(_SIZE, "big") + alert


def main(fd: str, path: str, memory: str) -> None:
    """Serves until the host hangs up: on socket `fd`, with the file at `path`. `memory` (bytes) bounds the address space; 0: no bound."""
    file = Path(path)
    _bounded(int(memory))
    os.set_inheritable(int(fd), False)
    sys.path.insert(0, str(file.parent))
    with socket.socket(fileno=int(fd)) as host, host.makefile("rb") as heard, contextlib.suppress(ConnectionError):
        call, answer = _loaded(file)
        _say(host, answer)
        if call is not None:
            _serve(host, heard, file, call)


def _bounded(memory: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)  # stuck in an endless loop it would never notice that the host is gone
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _serve(host: socket.socket, heard: BinaryIO, file: Path, call: _Call) -> None:
    ourselves = os.getpid()
    for alert in _frames(heard):
        answer = _called(file, partial(_decoded, call, alert))
        if os.getpid() != ourselves:
            os._exit(0)  # the hook forked, and its child came back as well: one of them answers
        _say(host, answer)


def _decoded(call: _Call, alert: bytes) -> None:
    call(msgspec.json.decode(alert))


def _frames(heard: BinaryIO) -> Iterator[bytes]:
    while len(head := heard.read(_SIZE)) == _SIZE:
        yield heard.read(int.from_bytes(head, "big"))


def _say(host: socket.socket, answer: Answer) -> None:
    host.sendall(msgspec.json.encode(answer) + b"\n")


def _loaded(file: Path) -> tuple[_Call | None, Answer]:
    """The file's `on_alert`, or None and what keeps it out."""
    module = ModuleType("pluginhost_hook")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module

    def load() -> None:
        exec(compile(file.read_bytes(), str(file), "exec"), module.__dict__)  # noqa: S102 - running the author's file is what this is for

    answer = _called(file, load)
    call = getattr(module, "on_alert", None)
    if answer.word == "done" and (not callable(call) or inspect.iscoroutinefunction(call)):
        return None, Answer("raised", f"{file.name} has no function on_alert, or it is `async`")
    return (call, answer) if answer.word == "done" else (None, answer)


def _called(file: Path, run: Callable[[], object]) -> Answer:
    try:
        run()
    except TryLater as later:
        return Answer("later", _told(later), later.seconds)
    except BaseException as error:  # noqa: BLE001 - also sys.exit: whatever an author's file raises is an answer
        return Answer("raised", _reason(file, error))
    return Answer("done")


def _reason(file: Path, error: BaseException) -> str:
    """The last line of the traceback, and the author's own last line in it."""
    line = next((frame.lineno for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename == str(file)), None)
    if isinstance(error, SyntaxError) and error.filename == str(file):
        line = error.lineno
    return f"{type(error).__name__}: {_told(error)}".rstrip(": ") + (f" ({file.name}:{line})" if line else "")


def _told(error: BaseException) -> str:
    try:
        return printable(error.msg if isinstance(error, SyntaxError) else str(error), 500)
    except Exception:  # noqa: BLE001 - an author's exception need not know what it says
        return ""
