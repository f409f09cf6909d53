"""Where a forward door listens: TCP, UDP for heartbeats on the same port, a Unix socket. No protocol is known here."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ...problem import Problem
from ..arrivals import written

__all__ = ["Listener", "Where"]

_TRIES = 5  # how often a port is chosen that may be free for TCP and UDP alike
_Serve = Callable[[], asyncio.Protocol]


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses to listen on: TCP at `bind` and `port` (None: not), and a Unix socket at `path` (None: not)."""

    bind: str
    port: int | None
    backlog: int
    heartbeat: bool
    path: Path | None
    mode: int


class Listener:
    """Listens. `tcp` and `unix` make what serves a connection, `beat` hears of each heartbeat."""

    def __init__(self, where: Where, tcp: _Serve, unix: _Serve, beat: Callable[[], object]) -> None:
        self._where, self._tcp, self._unix, self._beat = where, tcp, unix, beat
        self._servers = list[asyncio.Server]()
        self._heartbeats = list[asyncio.DatagramTransport]()
        self._file: tuple[int, int] | None = None

    async def start(self) -> str:
        """Listens, and returns where; raises `Problem` (code `input.address`) when an address cannot be had."""
        where, told = self._where, []
        tries = _TRIES if where.port == 0 else 1
        while where.port is not None and not self._servers:
            tries -= 1
            try:
                told = [await self._listen()]
            except OSError as error:
                self.stop()
                if not tries:
                    raise _no_address(written(where.bind, where.port), error) from None
        if where.path:
            try:
                await self._listen_locally(where.path)
            except (OSError, Problem) as error:
                self.stop()
                raise error if isinstance(error, Problem) else _no_address(str(where.path), error) from None
            told.append(f"unix:{where.path}")
        return ", ".join(told)

    async def _listen(self) -> str:
        loop, where = asyncio.get_running_loop(), self._where
        server = await loop.create_server(self._tcp, where.bind, where.port or 0, backlog=where.backlog)
        self._servers.append(server)
        names = [bound.getsockname()[:2] for bound in server.sockets]
        for name in names if where.heartbeat else []:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Heartbeat(self._beat), local_addr=name)
            self._heartbeats.append(transport)
        return written(*names[0])

    async def _listen_locally(self, path: Path) -> None:
        with contextlib.ExitStack() as undo:
            bound = undo.enter_context(socket.socket(socket.AF_UNIX))
            self._file = _bind(bound, path, self._where.mode)
            server = await asyncio.get_running_loop().create_unix_server(self._unix, sock=bound, backlog=self._where.backlog)
            self._servers.append(server)
            undo.pop_all()

    def stop(self) -> None:
        """Listens no more; connections stay."""
        for server in self._servers:
            server.close()
        for transport in self._heartbeats:
            transport.close()
        self._servers.clear()
        self._heartbeats.clear()
        if self._file and self._where.path:
            with contextlib.suppress(OSError):
                if _identity(self._where.path) == self._file:
                    self._where.path.unlink()
            self._file = None


def _bind(bound: socket.socket, path: Path, mode: int) -> tuple[int, int]:
    """Binds to a new file at `path`, and returns which it is."""
    _make_room(path)
    bound.bind(str(path))
    path.chmod(mode)  # nobody can connect yet
    return _identity(path)


def _identity(path: Path) -> tuple[int, int]:
    file = path.stat()
    return file.st_dev, file.st_ino


def _make_room(path: Path) -> None:
    """Takes away the socket of somebody who is gone; `Problem` if it is in use, or no socket."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise Problem("input.address", f"cannot listen on {path}: it is no socket", todo="name another `path`")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            raise _no_address(str(path), error) from None
        else:
            raise _no_address(str(path), OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))


def _no_address(address: str, error: OSError) -> Problem:
    todo = "another Fluentd, Fluent Bit or pluginhost may have it: stop that, or choose another `port` or `path`"
    return Problem("input.address", f"cannot listen on {address}: {error.strerror or error}", todo=todo)


class _Heartbeat(asyncio.DatagramProtocol):
    """Answers any datagram, also an empty one, with one zero byte."""

    def __init__(self, beat: Callable[[], object]) -> None:
        self._beat = beat

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._beat()
        self._transport.sendto(b"\0", addr)
