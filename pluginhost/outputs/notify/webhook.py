"""Any service that takes JSON over HTTP: the notification whole, the alert's document, or what a payload of templates says.

With `signing_secrets` each request bears `Pluginhost-Signature: t=<seconds>,v1=<hex>`, where the hex is HMAC-SHA256, under the secret,
of `<seconds>.` and the body as it was sent; there is one `v1` for each secret, so that a new one can be laid beside the old. Who
receives it compares in constant time, and refuses a `t` more than five minutes away: what is replayed later is then no use.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec

from ...alerts.notification import Notification
from ...events.fields import lookup
from ...options import Secret, doc
from ...problem import Problem, printable
from ..port import Context
from .sender import Notifier, NotifyOptions, Request, Said, each
from .templates import About, one_line, template

__all__ = ["Webhook", "signature"]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OURS = ("host", "content-length", "transfer-encoding", "connection", "idempotency-key", "pluginhost-signature")
_HEADER = 4000


class Webhook(Notifier):
    """One request to each address."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Where to, and what is in a request."""

        url: Annotated[Secret, doc("where to send")]
        urls: Annotated[tuple[Secret, ...], doc("further addresses, which are told the same")] = ()
        method: Annotated[Literal["POST", "PUT", "PATCH"], doc("the request's method")] = "POST"
        headers: Annotated[dict[str, Secret], doc("templates of headers to add")] = msgspec.field(default_factory=dict)
        payload: Annotated[dict[str, Any], doc("what is sent, as JSON; every text in it, at any depth, is a template")] = msgspec.field(
            default_factory=dict
        )
        raw_fields: Annotated[
            dict[str, str], doc("further names, with the alert's field whose value each has as it is, not as text")
        ] = msgspec.field(default_factory=dict)
        base: Annotated[
            Literal["auto", "nothing", "alert", "notification"],
            doc("what `payload` and `raw_fields` are laid over: nothing, the alert's document, or the notification with all its alerts; "
                "`auto`: nothing if there are any, else the notification"),
        ] = "auto"
        each: Annotated[bool, doc("whether each alert of a notification has a request of its own")] = False
        signing_secrets: Annotated[tuple[Secret, ...], doc("secrets by which the receiver knows us; each makes a signature")] = ()

    def __init__(self, options: Options, context: Context) -> None:
        self._urls = (options.url, *options.urls)
        super().__init__(options, context, self._urls)
        if not all(options.signing_secrets):
            raise Problem("output.notify.options", "`signing_secrets`: one of them is empty", todo="see to the variable that it comes from")
        self._options = options
        self._base = options.base if options.base != "auto" else "nothing" if options.payload or options.raw_fields else "notification"
        self._payload = _compiled(options.payload, "payload")
        self._headers = {_header(name): template(value, f"headers.{name}") for name, value in options.headers.items()}

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """One request to each address, or for each alert one."""
        if not self._options.each:
            return [*self._to_all(told, said, told.id)]
        return [made for number, one in enumerate(each(told)) for made in self._to_all(one, self.said(one), f"{told.id}.{number}")]

    def _to_all(self, told: Notification, said: Said, key: str) -> Iterable[Request]:
        about = self.about(told, said)
        value = self._begun(told, said) | self._payload(about)
        value |= {name: lookup(told.first, field, None) for name, field in self._options.raw_fields.items()}
        body = msgspec.json.encode(value, enc_hook=str)
        headers = {"Content-Type": "application/json", "Accept": "application/json;charset=utf-8", "Idempotency-Key": one_line(key, 200)}
        headers |= {name: one_line(one(about), _HEADER) for name, one in self._headers.items()}
        if self._options.signing_secrets:
            headers["Pluginhost-Signature"] = signature(self._options.signing_secrets, self.clock() // 10**9, body)
        return (Request(self._options.method, url, headers, body) for url in self._urls)

    def _begun(self, told: Notification, said: Said) -> dict[str, Any]:
        if self._base == "nothing":
            return {}
        if self._base == "alert":
            return dict(told.first)
        words = {name: self.about(told, said)[name] for name in ("title", "body", "severity", "link", "group")}
        return {**msgspec.to_builtins(told), **words}


def signature(secrets: Sequence[str], seconds: int, body: bytes) -> str:
    """The value of `Pluginhost-Signature` for `body`, sent at `seconds` (UTC)."""
    signed = f"{seconds}.".encode() + body
    return ",".join([f"t={seconds}", *(f"v1={hmac.new(one.encode(), signed, sha256).hexdigest()}" for one in secrets)])


def _compiled(value: Any, option: str) -> Callable[[About], Any]:
    """A function that fills in every text of `value`."""
    if isinstance(value, str):
        return template(value, option)
    if isinstance(value, dict):
        parts = {name: _compiled(one, f"{option}.{name}") for name, one in value.items()}
        return lambda about: {name: made(about) for name, made in parts.items()}
    if isinstance(value, list):
        items = [_compiled(one, f"{option}[{number}]") for number, one in enumerate(value)]
        return lambda about: [made(about) for made in items]
    return lambda _: value


def _header(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise Problem("output.notify.options", f"`headers`: `{printable(name, 80)}` cannot be set", todo="give another name")
    return "-".join(part.capitalize() for part in name.split("-"))
