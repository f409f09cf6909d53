"""Somebody else's program: started by exec in a group of its own, what it prints bounded, and surely gone in the end.

It gets no pipe to hold open: its input is a file, and its output is read here without waiting for its end, so that a child that it
leaves behind keeps nobody waiting. Nor does it inherit our environment, in which secrets may stand: only what is named here, and what
was configured for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ...problem import Problem, printable
from .sender import NotifyOptions

__all__ = ["Running", "no_http", "started", "status"]

_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR", "TZ")
_KEPT = 4096  # bytes of what it printed last
_LAST_WORDS = 0.5  # seconds; who holds the output open beyond that is not of its group


class Running:
    """A program that was started."""

    def __init__(self, process: Process, printed: _Tail, output: asyncio.ReadTransport) -> None:
        self._process, self._printed, self._output = process, printed, output

    async def ended(self) -> int:
        """Its exit status, once it has ended; negative: the signal that ended it."""
        return await self._process.wait()

    def printed(self) -> list[str]:
        """The last lines that it printed since this was asked before, each safe to show."""
        lines = bytes(self._printed.taken()).decode("utf-8", "replace").splitlines()
        return [printable(line.rstrip(), 300) for line in lines if line.strip()]

    async def end(self) -> None:
        """Ends it, if it has not, and all that it started and left in its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._printed.closed.wait(), _LAST_WORDS)
        self._output.close()


class _Tail(asyncio.Protocol):
    """Keeps the end of what comes."""

    def __init__(self) -> None:
        self._kept, self.closed = bytearray(), asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self._kept += data[-_KEPT:]
        del self._kept[:-_KEPT]

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def taken(self) -> bytearray:
        kept, self._kept = self._kept, bytearray()
        return kept


async def started(command: Sequence[str], variables: Mapping[str, str], *, stdin: IO[bytes] | int = asyncio.subprocess.DEVNULL,
                  folder: Path | None = None, **more: Any) -> Running:  # fmt: skip
    """`command` as it runs, without a shell, with these `variables` in its environment; `OSError` if it cannot be started."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ} | dict(variables)
    heard, said = os.pipe()
    output, tail = await asyncio.get_running_loop().connect_read_pipe(_Tail, os.fdopen(heard, "rb", 0))
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=said, stderr=said, env=environment, cwd=folder,
                                                       start_new_session=True, **more)  # fmt: skip
    except BaseException:
        output.close()
        raise
    finally:
        os.close(said)
    return Running(process, tail, output)


def no_http(options: NotifyOptions, what: str) -> None:
    """Raises a `Problem` where an option is given that is of no use without HTTP."""
    if options.tls or options.proxy:
        raise Problem("output.notify.options", f"`tls` and `proxy` say nothing to a {what}", todo="take them away")


def status(code: int) -> str:
    """What an exit status says, for people."""
    return f"exit status {code}" if code >= 0 else f"signal {-code}"
