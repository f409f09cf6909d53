"""Processes of our own: started by exec, never by fork, and spoken to over a socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import resource
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process

from ..problem import printable

__all__ = ["bound", "started"]

log = logging.getLogger(__name__)

_LONGEST = 500  # characters of a line that are told
_PDEATHSIG = 1  # prctl's PR_SET_PDEATHSIG


def bound() -> None:
    """Ends this process when the one that started it dies: stuck in somebody's endless loop it would never notice that by itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


async def started(name: str, module: str, *given: object, memory: int = 0) -> tuple[Process, asyncio.StreamReader, asyncio.StreamWriter]:
    """`python -m module FD …` with its end of the pair as FD, and our end as streams; when one side ends, the other reads its end.

    `memory` bounds its address space, in bytes: what it cannot have is a MemoryError there. 0 is no bound. What it prints, or says at
    its death, is logged under `name`: analyzers print what they like.
    """
    ours, theirs = socket.socketpair()
    command = (sys.executable, "-u", "-X", "faulthandler", "-m", module, str(theirs.fileno()), *map(str, given))
    heard, said = os.pipe()
    await asyncio.get_running_loop().connect_read_pipe(lambda: _Lines(name), os.fdopen(heard, "rb", 0))
    try:
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(theirs.fileno(),), stdin=DEVNULL, stdout=said, stderr=said)
    finally:
        os.close(said)
    if memory and sys.platform == "linux":  # elsewhere nobody could keep such a bound
        with contextlib.suppress(ProcessLookupError):  # it has ended already, which is told elsewhere
            resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
    theirs.close()
    return process, *await asyncio.open_connection(sock=ours, limit=1 << 22)


class _Lines(asyncio.Protocol):
    """Logs what a process says, line by line, until all who hold the other end have closed it; a line without an end in parts."""

    def __init__(self, name: str) -> None:
        self._name, self._rest = name, b""

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            lines, self._rest = [*lines, self._rest], b""
        self._say(lines)

    def connection_lost(self, exc: Exception | None) -> None:
        self._say([self._rest])

    def _say(self, lines: list[bytes]) -> None:
        for line in filter(bytes.strip, lines):
            log.warning("%s: %s", self._name, printable(line.decode("utf-8", "backslashreplace"), _LONGEST))
