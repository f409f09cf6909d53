"""`control.sock`: how the command line speaks to the host that runs. JSON lines over a Unix socket in the data folder.

A request is `{"call": name, "args": {…}}`. Answers are `{"item": …}` lines, then `{"end": true}` or
`{"problem": {"code", "what", "todo"}}`. Whoever may open the data folder (mode 0700) may ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..problem import Problem

__all__ = ["Answers", "ask", "running", "serve"]

Answers = Callable[..., AsyncIterator[Any]]
_LINE = 1 << 20


@contextlib.contextmanager
def _short(data: Path) -> Iterator[str]:
    """A path to the socket that fits into a socket address (108 bytes), however deep the data folder lies."""
    path = str(data / "control.sock")
    if len(path.encode()) < 100:
        yield path
        return
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/control.sock"
    finally:
        os.close(folder)


async def serve(data: Path, calls: dict[str, Answers]) -> asyncio.Server:
    """Answers the calls by name until closed. A socket left by a host that died is replaced."""
    (data / "control.sock").unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async for line in _answers(calls, await reader.readline()):
                writer.write(msgspec.json.encode(line) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # whoever asked is gone, asked with too long a line, or the host stops: this task ends in any case
        finally:
            writer.close()

    with _short(data) as path:
        server = await asyncio.start_unix_server(answer, path, limit=_LINE)
    (data / "control.sock").chmod(0o600)
    return server


async def _answers(calls: dict[str, Answers], line: bytes) -> AsyncIterator[dict[str, Any]]:
    try:
        request = msgspec.json.decode(line, type=dict[str, Any])
        call = calls.get(str(request.get("call")))
        if call is None:
            raise Problem("control.call", f"there is no call {request.get('call')!r}")
        async for item in call(**(request.get("args") or {})):
            yield {"item": item}
    except Problem as problem:
        yield {"problem": {"code": problem.code, "what": problem.what, "todo": problem.todo}}
    except (msgspec.MsgspecError, TypeError) as error:
        yield {"problem": {"code": "control.request", "what": str(error), "todo": None}}
    else:
        yield {"end": True}


def running(data: Path) -> bool:
    """Whether a host answers for this data folder."""
    try:
        list(ask(data, "ping", patience=5.0))
    except Problem:
        return False
    return True


def ask(data: Path, call: str, *, patience: float | None = None, **args: Any) -> Iterator[Any]:
    """The items a host answers; raises `Problem` when none runs or answers within `patience` seconds, or the one it tells."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(patience)
        try:
            with _short(data) as path:
                peer.connect(path)
        except OSError:
            raise Problem("host.absent", f"no host runs on {data}", todo="start one: pluginhost run") from None
        with contextlib.suppress(ConnectionError, TimeoutError), peer.makefile("rb") as lines:
            peer.sendall(msgspec.json.encode({"call": call, "args": args}) + b"\n")
            for line in lines:
                answer = msgspec.json.decode(line)
                if "problem" in answer:
                    raise Problem(answer["problem"]["code"], answer["problem"]["what"], todo=answer["problem"]["todo"])
                if "end" in answer:
                    return
                yield answer["item"]
        raise Problem("host.absent", f"the host on {data} did not answer", todo="its log may say why; is it stopping?")
