"""TLS for doors and outputs: one declaration and one context for all who listen, one for all who call.

TLS 1.2 is the least, renegotiation and compression are off, and nothing weaker is ever fallen back to. What a door reads from files is
looked at again when a connection comes, at most once a second: a renewed certificate, a new authority or a withdrawn one holds for
the next connection without a restart. What cannot be read is told once, and what was read before goes on.
"""

from __future__ import annotations

import functools
import logging
import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from .options import doc
from .problem import Problem, printable

__all__ = ["Calling", "Following", "Serving", "client_context", "names_of", "serving_context"]

_LOG = logging.getLogger(__name__)
_LOOK = 1.0  # seconds between two looks at the files
_LEAST = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_Version = Annotated[Literal["1.2", "1.3"], doc("the least version of TLS that is spoken")]
_Marks = tuple[tuple[int, int, int], ...]


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How a door speaks TLS. The files are followed: what is renewed holds for the next connection."""

    cert: Annotated[Path, doc("the certificate (PEM), with those of its authorities behind it")]
    key: Annotated[Path, doc("its private key (PEM, not encrypted)")]
    client_ca: Annotated[Path | None, doc("authorities (PEM) one of which must have signed the certificate that each client shows")] = None
    min_version: _Version = "1.2"

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read."""
        return (self.cert, self.key, *([self.client_ca] if self.client_ca else []))


class Calling(msgspec.Struct, frozen=True, kw_only=True):
    """How an output speaks TLS."""

    ca: Annotated[Path | None, doc("authorities (PEM) to trust in place of the system's")] = None
    cert: Annotated[Path | None, doc("our own certificate (PEM), for servers that ask for one")] = None
    key: Annotated[Path | None, doc("its private key (PEM, not encrypted)")] = None
    verify: Annotated[bool, doc("whether the server must prove who it is")] = True
    server_name: Annotated[str, doc("the name its certificate must bear, where that is not the host's")] = ""
    min_version: _Version = "1.2"


class Following:
    """A value made of files, made anew when they change. `clock` gives seconds."""

    def __init__(self, files: Iterable[Path], make: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._files, self._make, self._clock = tuple(files), make, clock
        self._marks, self._looked = self._seen(), clock()
        self._made = make()

    def current(self) -> Any:
        """The value as the files say it now; as they said it before if they cannot be read."""
        now = self._clock()
        if now - self._looked >= _LOOK:
            self._looked = now
            marks = self._seen()
            if marks != self._marks:
                self._marks = marks
                self._renew()
        return self._made

    def _renew(self) -> None:
        try:
            self._made = self._make()
        except (Problem, OSError, ValueError) as error:  # half of a renewal may be there: the next change is looked at again
            what = error.what if isinstance(error, Problem) else str(error)
            _LOG.error("TLS goes on with what was read before: %s", printable(what, 500))
        else:
            _LOG.info("TLS: read anew %s", ", ".join(printable(str(file), 200) for file in self._files))

    def _seen(self) -> _Marks:
        marks = []
        for file in self._files:
            try:
                stat = file.stat()
                marks.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
            except OSError:
                marks.append((0, 0, 0))
        return tuple(marks)


def serving_context(
    options: Serving, failed: Callable[[str], object] = bool, clock: Callable[[], float] = time.monotonic
) -> ssl.SSLContext:
    """A server's context that follows its files; `Problem` (code `tls.files`) if they cannot be used now.

    `failed` is told why a handshake came to nothing; who merely connects and hangs up is not told of.
    """

    class Told(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError):
                raise
            except ssl.SSLError as error:
                failed(_reason(error))
                raise

    following = Following(options.files, lambda: _server(options), clock)
    outer = _server(options)
    outer.sslobject_class = Told

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = following.current()

    outer.sni_callback = choose  # is asked at each hello, also of those that name no server
    return outer


def client_context(options: Calling) -> ssl.SSLContext:
    """A caller's context, which knows the `server_name`; `Problem` (code `tls.files`) if its files cannot be used."""
    try:
        context = ssl.create_default_context(cafile=options.ca)
        context.minimum_version = _LEAST[options.min_version]
        if not options.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if options.cert:
            context.load_cert_chain(options.cert, options.key, password=_encrypted)
    except (OSError, ValueError) as error:
        raise _unusable(error, options.ca, options.cert, options.key) from None
    if options.server_name:  # whatever host a client dials: not every one lets the name be said
        named = functools.partial(context.wrap_bio, server_hostname=options.server_name)
        context.wrap_bio = lambda incoming, outgoing, **_: named(incoming, outgoing)  # type: ignore[method-assign]
    return context


def names_of(certificate: dict[str, Any] | None) -> tuple[str, ...]:
    """What a verified certificate, as `getpeercert()` gives it, calls its owner: DNS names, addresses, URIs, then common names."""
    if not certificate:
        return ()
    others = [str(value) for _, value in certificate.get("subjectAltName", ())]
    common = [str(value) for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    return tuple(dict.fromkeys(others + common))


def _server(options: Serving) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _LEAST[options.min_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.options |= ssl.OP_NO_TICKET  # who resumes a session shows no certificate: a withdrawn one would live on
    context.num_tickets = 0
    try:
        context.load_cert_chain(options.cert, options.key, password=_encrypted)
        if options.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(options.client_ca)
    except (OSError, ValueError) as error:
        raise _unusable(error, *options.files) from None
    return context


def _encrypted() -> str:
    """Instead of asking at the terminal."""
    raise ValueError("the private key is encrypted")


def _reason(error: Exception) -> str:
    detail = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
    return detail.lower().replace("_", " ")


def _unusable(error: Exception, *files: Path | None) -> Problem:
    named = ", ".join(str(file) for file in files if file)
    missing = next((f"{file} cannot be read" for file in files if file and not _readable(file)), None)
    reason = missing or _reason(error)
    return Problem("tls.files", f"TLS cannot be set up: {reason}", where=named,
                   todo="name PEM files that this user may read; the key must be the certificate's, and not encrypted")  # fmt: skip


def _readable(file: Path) -> bool:
    try:
        with file.open("rb"):
            return True
    except OSError:
        return False
