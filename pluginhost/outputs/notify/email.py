"""Mail over SMTP. All mails of a group refer to one that is never sent, so that a mail program shows them as a thread.

TLS with a proven server is the default and never silently left out. The `Message-ID` comes from the notification's id: a mail that was
sent twice because an answer was lost can be known by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import smtplib
import ssl
from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec

from ...alerts.notification import Notification
from ...options import Secret, doc
from ...problem import Problem, printable
from ...tls import Calling, client_context
from ..port import DONE, Context, Dead, Outcome, Retry, Unavailable
from .mail import address_of, found_in, message
from .redaction import hider, secrets_of
from .sender import Notifier, NotifyOptions, Said, Undeliverable, several

__all__ = ["Email"]

_PORTS = {"starttls": 25, "smtps": 465, "none": 25}
_REMEMBERED = 1000  # notifications that not all have
_Refused = dict[str, tuple[int, bytes]]


class Email(Notifier):
    """Mails through one SMTP server."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Through which server, from whom and to whom."""

        from_: Annotated[str, doc("who it is from, such as `pluginhost <alerts@example.com>`")] = msgspec.field(name="from")
        to: Annotated[str | tuple[str, ...], doc("to whom")] = ()
        cc: Annotated[str | tuple[str, ...], doc("who gets a copy")] = ()
        bcc: Annotated[str | tuple[str, ...], doc("who gets a copy that the others do not see")] = ()
        reply_to: Annotated[str, doc("where an answer goes; default: to all in `to`")] = ""
        to_field: Annotated[str, doc("a field of the alert that names further people, such as `user.email`; needs `domains`")] = ""
        to_domain: Annotated[str, doc("what is put behind an `@` where that field holds a mere name")] = ""
        domains: Annotated[tuple[str, ...], doc("the only domains of addresses that are taken from an alert")] = ()
        host: Annotated[str, doc("the SMTP server")] = "localhost"
        port: Annotated[int, doc("its port; 0: 25, and with `smtps` 465", ge=0, le=65535)] = 0
        security: Annotated[
            Literal["starttls", "smtps", "none"], doc("how the way is secured; `none` sends in clear, for a server on this machine")
        ] = "starttls"
        username: Annotated[str, doc("user, where the server asks for one")] = ""
        password: Annotated[Secret | None, doc("the user's password")] = None
        html: Annotated[bool, doc("whether a mail has an HTML form beside the plain text")] = False

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context)
        self._options, self._port = options, options.port or _PORTS[options.security]
        self._to, self._cc, self._bcc = several(options.to), several(options.cc), several(options.bcc)
        self._domains = frozenset(one.lower().lstrip("@") for one in options.domains)
        _examine(options, [options.from_, *self._to, *self._cc, *self._bcc, *several(options.reply_to)])
        self.address = f"smtp://{options.host}:{self._port}"
        self.hidden = hider([*secrets_of(options), *_spoken(options)])
        self._hello = context.hostname if re.fullmatch("[A-Za-z0-9.-]{1,250}", context.hostname) else "localhost"
        self._tls = None if options.security == "none" else _context(options.tls or Calling())
        self._settled: dict[str, dict[str, str]] = {}  # by notification: who has it (""), and who never will (why)

    async def check(self) -> None:
        """Connects, secures the way and logs in; no mail is sent."""
        await asyncio.to_thread(self._with, lambda server: server.noop())

    async def convey(self, told: Notification, said: Said) -> Outcome:
        """Sends one mail to all. Whom the server refuses for now gets it at the next try, alone."""
        if away := self._away.get(self.address):
            raise away
        mail, people = self._mail(told, said)
        settled = self._settled.get(told.id, {})
        waiting = [one for one in people if one not in settled]
        self._counts["requests"] += 1
        self._counts["request_bytes"] += len(mail)
        try:
            refused = await asyncio.to_thread(self._with, lambda server: self._mailed(server, waiting, mail))
        except Unavailable as error:
            self._away[self.address] = error
            raise
        except smtplib.SMTPResponseException as error:  # of the sender's address or the mail as a whole
            self._counts["refused"] += 1
            return self._refusal(error.smtp_code, error.smtp_error, slow=isinstance(error, smtplib.SMTPSenderRefused))
        return self._noted(told.id, settled, waiting, refused)

    def _mail(self, told: Notification, said: Said) -> tuple[bytes, list[str]]:
        """The mail, and the bare addresses of all who get it."""
        options = self._options
        found = found_in(told.first, options.to_field, options.to_domain, self._domains) if options.to_field else []
        to = [*dict.fromkeys((*self._to, *found))]
        people = [*dict.fromkeys(map(address_of, (*to, *self._cc, *self._bcc)))]
        if not people:
            raise Undeliverable(f"nobody to send to: `{options.to_field}` names nobody in the domains allowed")
        reply_to = options.reply_to or ", ".join(to)
        return message(told, said, sender=options.from_, to=to, cc=self._cc, reply_to=reply_to, html=options.html, now=self.clock()), people

    def _noted(self, name: str, settled: dict[str, str], waiting: Sequence[str], refused: _Refused) -> Outcome:
        """What it comes to when each has it, will never have it, or must wait."""
        outcomes = {who: self._refusal(*refused[who]) if who in refused else DONE for who in waiting}
        self._heard |= DONE in outcomes.values()
        self._counts["refused"] += bool(refused)
        self._settled.pop(name, None)
        settled = settled | {who: getattr(one, "reason", "") for who, one in outcomes.items() if not isinstance(one, Retry)}
        if again := [one for one in outcomes.values() if isinstance(one, Retry)]:
            if len(self._settled) >= _REMEMBERED:
                self._settled.pop(next(iter(self._settled)))
            self._settled[name] = settled
            return again[0]
        never = [f"{who}: {why}" for who, why in settled.items() if why]
        return Dead(", ".join(never)) if never else DONE

    def _mailed(self, server: smtplib.SMTP, people: Sequence[str], mail: bytes) -> _Refused:
        try:
            return server.sendmail(address_of(self._options.from_), people, mail)
        except smtplib.SMTPRecipientsRefused as error:
            return error.recipients

    def _with(self, work: Callable[[smtplib.SMTP], object]) -> _Refused:
        """What `work` gives for a server that listens to us; in a thread. Raises `Unavailable` where none does."""
        with contextlib.ExitStack() as open_:
            try:
                server = open_.enter_context(contextlib.closing(self._opened()))
                self._secured(server)
            except smtplib.SMTPResponseException as error:
                raise Unavailable(self._told(error.smtp_code, error.smtp_error), slow=error.smtp_code >= 500) from None
            except (OSError, ValueError) as error:  # SMTPException is an OSError
                raise self._unreachable(error) from None
            try:
                made = work(server)
            except smtplib.SMTPResponseException as error:
                if error.smtp_code == 421:
                    raise Unavailable(self._told(421, error.smtp_error)) from None
                raise
            except OSError as error:
                raise self._unreachable(error) from None
            with contextlib.suppress(OSError):
                server.quit()
            return made if isinstance(made, dict) else {}

    def _opened(self) -> smtplib.SMTP:
        options = self._options
        if options.security == "smtps":
            return smtplib.SMTP_SSL(options.host, self._port, self._hello, timeout=options.timeout, context=self._tls)
        return smtplib.SMTP(options.host, self._port, self._hello, timeout=options.timeout)

    def _secured(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self._options.security == "starttls":
            server.starttls(context=self._tls)
        if self._options.username:
            server.login(self._options.username, str(self._options.password or ""))

    def _refusal(self, code: int, told: bytes | str, *, slow: bool = False) -> Outcome:
        reason = self._told(code, told)
        return Retry(reason) if 400 <= code < 500 else Retry(reason, slow=True) if slow else Dead(reason)

    def _told(self, code: int, told: bytes | str) -> str:
        text = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
        return f"{code} {printable(self.hidden(' '.join(text.split())), 300)}"

    def _unreachable(self, error: Exception) -> Unavailable:
        slow = isinstance(error, (ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError))
        return Unavailable(self.hidden(f"{type(error).__name__}: {error}".rstrip(": ")), slow=slow)


def _examine(options: Email.Options, addresses: Sequence[str]) -> None:
    def wrong(what: str, todo: str) -> Problem:
        return Problem("output.notify.options", what, todo=todo)

    for one in addresses:
        if not address_of(one):
            raise wrong(f"`{printable(one, 100)}` is no mail address", "write `name@example.com`, or `Name <name@example.com>`")
    if not (options.to_field or options.to or options.cc or options.bcc):
        raise wrong("nobody to send to", "give `to`")
    if options.to_field and not options.domains:
        raise wrong("`to_field` takes addresses from alerts, which anybody may write", "name the `domains` that are meant")
    if options.proxy:
        raise wrong("`proxy` is for http", "take it out")
    if options.security == "none" and options.tls:
        raise wrong("`tls` is set, but `security` is none", "write `security: starttls` or `smtps`")
    if options.security == "none" and options.username:
        raise wrong("a password would go out in clear", "write `security: starttls` or `smtps`")


def _context(calling: Calling) -> ssl.SSLContext:
    context = client_context(calling)
    if calling.server_name:
        named = functools.partial(context.wrap_socket, server_hostname=calling.server_name)
        context.wrap_socket = lambda sock, **_: named(sock)  # type: ignore[method-assign]
    return context


def _spoken(options: Email.Options) -> list[str]:
    """Name and password as AUTH says them."""
    pair = (options.username, str(options.password or ""))
    return [b64encode(one.encode()).decode() for one in (*pair, "\0".join(("", *pair)))] if options.password else []
