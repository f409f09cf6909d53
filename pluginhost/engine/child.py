"""Processes of our own: started by exec, never by fork, and spoken to over a socket pair."""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, Process

__all__ = ["started"]


async def started(module: str, *given: object) -> tuple[Process, asyncio.StreamReader, asyncio.StreamWriter]:
    """`python -m module FD …` with its end of the pair as FD, and our end as streams; when one side ends, the other reads its end."""
    ours, theirs = socket.socketpair()
    command = (sys.executable, "-m", module, str(theirs.fileno()), *map(str, given))
    process = await asyncio.create_subprocess_exec(*command, pass_fds=(theirs.fileno(),), stdin=DEVNULL)
    theirs.close()
    return process, *await asyncio.open_connection(sock=ours, limit=1 << 22)
