"""Flagged records or alerts to whoever takes JSON over HTTP; Logstash's `http` input in the first place.

Delivers at least once. Every element carries its alert's id, and equal batches carry an equal `Idempotency-Key`.
"""

from __future__ import annotations

import gzip
import ssl
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import aiohttp
import msgspec

from ..options import Duration, Secret, Size, doc
from ..problem import Problem
from ..tls import Calling, client_context
from .answers import meaning, unreachable
from .lines import line
from .parts import Part, Refused, in_parts, made_of, settled
from .port import DONE, Context, Dead, Done, Outcome, Outgoing, Retry, Unavailable

__all__ = ["Http"]


class Http:
    """One URL that takes JSON arrays or lines."""

    when_full: Literal["push_back", "dead_letter"] = "dead_letter"  # who is told of alerts must not hold up everybody else

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        """Where to, in which form, and how to be let in."""

        url: Annotated[str, doc("where to send", pattern="^https?://")]
        method: Annotated[Literal["POST", "PUT"], doc("the request's method")] = "POST"
        what: Annotated[Literal["record", "alert"], doc("the flagged record enriched under `pluginhost`, or the alert document")] = "record"
        format: Annotated[Literal["json_array", "ndjson"], doc("a JSON array (what Logstash takes), or a line for each")] = "json_array"
        headers: Annotated[dict[str, Secret], doc("headers to add")] = {}
        token: Annotated[Secret | None, doc("sent as `Authorization: Bearer …`")] = None
        username: Annotated[str, doc("user, in place of a token")] = ""
        password: Annotated[Secret | None, doc("the user's password")] = None
        tls: Annotated[Calling | None, doc("how https is spoken, where the system's authorities are not enough")] = None
        ca_certs: Annotated[Path | None, doc("certificates (PEM) to trust in place of the system's; short for `tls.ca`")] = None
        timeout: Annotated[Duration, doc("how long a request may take")] = Duration(30)
        gzip: Annotated[bool, doc("whether requests are packed")] = False
        batch: Annotated[int, doc("most alerts in a request", ge=1, le=5000)] = 100
        batch_bytes: Annotated[Size, doc("most bytes in a request")] = Size(5 << 20)

    def __init__(self, options: Options, context: Context) -> None:
        self.address = options.url
        self.batch = options.batch
        self._options, self._hostname, self._clock = options, context.hostname, context.clock
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "refused")
        self._headers, self._ssl = _headers(options), _trust(options)
        self._session: aiohttp.ClientSession | None = None

    async def check(self) -> None:
        """Connects; any answer to a HEAD request will do."""
        try:
            async with self._connected().head(self._options.url, ssl=self._ssl, allow_redirects=False):
                pass
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(error) from None

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Posts the batch. What the peer refuses for good is dead; its neighbours get through."""
        outcomes: dict[str, Outcome] = {}
        parts = made_of(alerts, self._made, outcomes)
        return settled(alerts, outcomes | await in_parts(parts, self._send, self._options.batch_bytes))

    def _made(self, alert: Outgoing) -> Part:
        return Part(alert, line(alert, self._options.what, self._hostname, self._clock(), original=True))

    async def close(self) -> None:
        """Lets go of the connections."""
        session, self._session = self._session, None
        if session:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=self._options.timeout))
        return self._session

    async def _send(self, parts: Sequence[Part]) -> list[Outcome]:
        body = self._body(parts)
        self._counts["requests"] += 1
        self._counts["request_bytes"] += len(body)
        key = {"Idempotency-Key": sha256("\n".join(part.alert.id for part in parts).encode()).hexdigest()}
        try:
            async with self._connected().request(
                self._options.method, self._options.url, data=body, headers=key, ssl=self._ssl, allow_redirects=False
            ) as answer:
                told = await answer.content.read(300)
                status, headers = answer.status, answer.headers
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(error) from None
        answered = meaning(status, headers, told, self._clock())
        if not isinstance(answered, Done):
            self._counts["refused"] += 1
            raise _raised(answered)
        return [DONE] * len(parts)

    def _body(self, parts: Sequence[Part]) -> bytes:
        bodies = [part.body for part in parts]
        body = b"".join(bodies) if self._options.format == "ndjson" else b"[%b]" % b",".join(one[:-1] for one in bodies)
        return gzip.compress(body, mtime=0) if self._options.gzip else body


def _raised(answer: Retry | Dead) -> Refused | Unavailable:
    return Refused(answer.reason) if isinstance(answer, Dead) else Unavailable(answer.reason, after=answer.after, slow=answer.slow)


def _headers(options: Http.Options) -> dict[str, str]:
    made = {name: str(value) for name, value in options.headers.items()}
    made["Content-Type"] = "application/json" if options.format == "json_array" else "application/x-ndjson"
    if options.gzip:
        made["Content-Encoding"] = "gzip"
    if options.token and options.username:
        raise Problem("output.http.options", "a token and a user are two ways in", todo="give one of them")
    if options.token:
        made["Authorization"] = f"Bearer {options.token}"
    if options.username:
        pair = f"{options.username}:{options.password or ''}".encode()
        made["Authorization"] = f"Basic {b64encode(pair).decode()}"
    return made


def _trust(options: Http.Options) -> ssl.SSLContext | bool:
    if not (options.tls or options.ca_certs):
        return True
    if options.tls and options.ca_certs:
        raise Problem("output.http.options", "`tls` and the short `ca_certs` say the same", todo="keep `tls`")
    if options.tls and not options.url.startswith("https:"):
        raise Problem("output.http.options", "`tls` is set, but the url begins with http:", todo="write `https://…`")
    return client_context(options.tls or Calling(ca=options.ca_certs))
