"""Processes of our own: started by exec, never by fork, and spoken to over a socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import resource
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process

__all__ = ["bound", "started"]

_PDEATHSIG = 1  # prctl's PR_SET_PDEATHSIG


def bound() -> None:
    """Ends this process when the one that started it dies: stuck in somebody's endless loop it would never notice that by itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)


async def started(module: str, *given: object, memory: int = 0) -> tuple[Process, asyncio.StreamReader, asyncio.StreamWriter]:
    """`python -m module FD …` with its end of the pair as FD, and our end as streams; when one side ends, the other reads its end.

    `memory` bounds its address space, in bytes: what it cannot have is a MemoryError there. 0 is no bound.
    """
    ours, theirs = socket.socketpair()
    command = (sys.executable, "-m", module, str(theirs.fileno()), *map(str, given))
    process = await asyncio.create_subprocess_exec(*command, pass_fds=(theirs.fileno(),), stdin=DEVNULL)
    if memory and sys.platform == "linux":  # elsewhere nobody could keep such a bound
        with contextlib.suppress(ProcessLookupError):  # it has ended already, which is told elsewhere
            resource.prlimit(process.pid, resource.RLIMIT_AS, (memory, memory))
    theirs.close()
    return process, *await asyncio.open_connection(sock=ours, limit=1 << 22)
