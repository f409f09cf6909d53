"""A connection of the forward output to one receiver: how it is made, secured and let in, and how a frame gets its ack on it.

Nothing but the handshake is sent before the receiver has proven that it knows the shared key, and nothing at all without TLS where TLS
is wanted: there is no falling back. Which receiver to take, and what a failure means for the alerts, is known in `forward`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import Callable

import msgspec

from ...problem import PeerError, Problem
from ...wire.forward_client import Acks
from ...wire.handshake import Account, ClientHandshake
from ..port import Unavailable

__all__ = ["Caller", "Link", "Refusal", "Server", "server_of"]

_GOODBYE = 1.0  # seconds that a receiver gets to answer our close_notify


class Refusal(Exception):
    """The frame was sent and the receiver closed without an ack: it may be the frame, it may be the receiver."""


class Server(msgspec.Struct, frozen=True):
    """Where a receiver listens: a host and port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """How a receiver is called: with TLS (`tls` gives the context), as whom, and for how many seconds each step is waited for."""

    hostname: str
    key: str | None
    user: Account | None
    tls: Callable[[], ssl.SSLContext] | None
    connect_timeout: float
    handshake_timeout: float

    async def connected(self, server: Server) -> Link:
        """A link to `server` that may be sent frames; raises `Unavailable` with what went wrong."""
        try:
            async with asyncio.timeout(self.connect_timeout):
                link = Link(*await self._opened(server))
        except TimeoutError:
            raise Unavailable(f"{server}: no connection within {self.connect_timeout:g} s") from None
        except Problem as problem:  # the files of TLS
            raise Unavailable(f"{server}: {problem.what}") from None
        except OSError as error:
            closed = self.tls and isinstance(error, ConnectionResetError)
            raise Unavailable(f"{server}: {'closed: does it speak TLS?' if closed else reason_of(error)}") from None
        if self.key is not None:
            try:
                await self._introduce(link, self.key)
            except BaseException as error:
                await link.close()
                if isinstance(error, Unavailable):
                    raise Unavailable(f"{server}: {error.reason}") from None
                raise
        return link

    async def _opened(self, server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if server.path:
            return await asyncio.open_unix_connection(server.path)
        if not self.tls:
            return await asyncio.open_connection(server.host, server.port)
        return await asyncio.open_connection(
            server.host, server.port, ssl=self.tls(),  # which knows the name to look for, if it is not the host's
            ssl_handshake_timeout=self.connect_timeout, ssl_shutdown_timeout=_GOODBYE,
        )  # fmt: skip

    async def _introduce(self, link: Link, key: str) -> None:
        handshake = ClientHandshake(hostname=self.hostname, key=key, salt=secrets.token_hex(16), user=self.user)
        try:
            async with asyncio.timeout(self.handshake_timeout):
                await link.introduce(handshake)
        except TimeoutError:
            what = "no PONG" if handshake.greeted else "no HELO"
            hint = "" if handshake.greeted else ": has the server a shared key at all?"
            raise Unavailable(f"{what} within {self.handshake_timeout:g} s{hint}") from None
        except OSError as error:
            raise Unavailable(f"closed during handshake: shared key? ({link.reason(error)})") from None
        except PeerError as error:
            raise Unavailable(error.hint) from None


class Link:
    """One connection, with what the receiver says on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._acks = reader, writer, Acks()
        self._doubt = writer.get_extra_info("ssl_object") is not None  # since TLS 1.3 a refused certificate shows after the handshake only

    async def _read(self) -> bytes:
        data = await self._reader.read(4096)
        if not data:
            raise ConnectionResetError("end of stream")
        self._doubt = False
        return data

    def reason(self, error: OSError) -> str:
        """Why the connection ended, as far as that can be told."""
        return f"{reason_of(error)}{'; does it ask for another certificate?' if self._doubt else ''}"

    async def introduce(self, handshake: ClientHandshake) -> None:
        """Returns when the receiver has let us in and proven itself; raises `PeerError` or `OSError`."""
        while not handshake.done:
            if answer := handshake.receive_data(await self._read()):
                self._writer.write(answer)

    async def stands(self) -> bool:
        """False if the receiver has closed it meanwhile: what is written into such a connection is lost."""
        for _ in range(2):  # the first turn of the loop polls the socket, the second lets the end of the stream be noted
            await asyncio.sleep(0)
        return not (self._reader.at_eof() or self._writer.is_closing())

    async def send(self, made: bytes, chunk: str, patience: float) -> None:
        """Returns when the frame is acked (or, without `chunk`, handed to the system). Raises `Refusal` or `Unavailable`."""
        try:
            async with asyncio.timeout(patience):
                self._writer.write(made)
                await self._writer.drain()
                acked = [chunk] if not chunk else await self._ack()
        except TimeoutError:
            raise Unavailable(f"no ack within {patience:g} s") from None
        except OSError as error:
            raise Refusal(f"the receiver closed without an ack: {self.reason(error)}") from None
        except PeerError as error:
            raise Unavailable(str(error), slow=error.reason == "helo") from None
        if acked != [chunk]:
            raise Unavailable(f"the ack is for another chunk: {acked[0]!r:.100}")

    async def _ack(self) -> list[str]:
        while not (acked := self._acks.feed(await self._read())):
            pass
        return acked

    async def close(self) -> None:
        """Ends it, over TLS with a close_notify."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE):
                await self._writer.wait_closed()


def server_of(text: str) -> Server:
    """What `host:port` or `unix:/path` means; a `Problem` for anything else."""
    if text.startswith("unix:/"):
        return Server(path=text[5:])
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Problem("output.forward.server", f"`{text}` is no server", todo="write it as `host:port` or `unix:/path`")
    return Server(host.removeprefix("[").removesuffix("]"), int(port))


def reason_of(error: OSError) -> str:
    """What went wrong, in a few words; of TLS what was wrong with the certificate, or what the receiver said."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the receiver's certificate: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or str(error)).lower().replace('_', ' ')}"
    return str(error) or type(error).__name__
