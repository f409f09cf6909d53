"""What all notifiers share: a notification in, its words by template, requests out, each answer judged.

A service's module says which requests tell a notification (`requests`, pure) and nothing else; one that must ask before it tells, or
speaks no HTTP, says how it conveys (`convey`). Each notification is settled by itself. Of one that takes several requests those that
went through are remembered in the process, so that the next try sends the rest. Nothing that is shown holds a secret.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import aiohttp
import msgspec
from yarl import URL

from ... import __version__
from ...alerts.notification import Notification, decoded
from ...options import Duration, Secret, doc
from ...problem import Problem
from ...tls import Calling, client_context
from ..answers import meaning, unreachable
from ..port import DONE, Context, Dead, Outcome, Outgoing, Retry, Unavailable
from . import texts
from .redaction import hider, origin, secrets_of
from .templates import About, one_line, template

__all__ = ["Answer", "Notifier", "NotifyOptions", "Request", "Said", "Undeliverable", "each", "json_request", "several"]

_REMEMBERED = 1000  # notifications of which a part went through
_LONGEST_PAUSE = 300.0


class Request(msgspec.Struct, frozen=True):
    """One request that tells a notification, or a part of it."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True):
    """What came back: `body` is its beginning, `means` what it says of the request."""

    status: int
    body: bytes
    means: Outcome


class Said(msgspec.Struct, frozen=True):
    """The words of a notification: a title of one line, and a body of several."""

    title: str
    body: str


class Undeliverable(Exception):
    """Raised by `requests` or `convey`: nobody can ever be told of this notification. It goes to the dead letters with this reason."""


class NotifyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What every notifier can be told."""

    title: Annotated[str, doc("template of the title, such as `{rule.name}: {user.name}`; default: severity and headline")] = ""
    body: Annotated[str, doc("template of the text below it; `{body}` is the default: who, what, where, when, why")] = ""
    missing: Annotated[str, doc("what a template shows for a field that an alert does not have", max_length=100)] = "<missing>"
    timeout: Annotated[Duration, doc("how long a request may take", gt=0)] = Duration(10)
    tls: Annotated[Calling | None, doc("how https is spoken, where the system's authorities are not enough")] = None
    proxy: Annotated[Secret | None, doc("an HTTP proxy to go through, `http://[user:password@]host:port`")] = None


class Notifier:
    """An output that tells people. `places` are the addresses it sends to; of these, scheme and host are shown."""

    notifies: ClassVar[bool] = True
    when_full: Literal["push_back", "dead_letter"] = "dead_letter"
    batch = 10
    reads = 64 << 10
    """Bytes of an answer that are read; what comes behind is not waited for."""

    def __init__(self, options: NotifyOptions, context: Context, places: Sequence[str] = ()) -> None:
        self._title, self._body = template(options.title, "title"), template(options.body, "body")
        self._shared, self.clock = options, context.clock
        self._origins = tuple(dict.fromkeys(_checked(one, context.name) for one in places))
        self.address = ", ".join(self._origins)
        self.hidden = hider(secrets_of(options))
        self._ssl: ssl.SSLContext | bool = client_context(options.tls) if options.tls else True
        self._counts = context.metrics.counts(f"output.{context.name}", "requests", "request_bytes", "refused")
        if options.proxy:
            _checked(options.proxy, context.name, "the proxy")
        self._session: aiohttp.ClientSession | None = None
        self._partly: dict[str, dict[int, Outcome]] = {}  # by notification: what became of its first, second … request
        self._away: dict[str, Unavailable] = {}  # the peers that could not be reached in this batch
        self._heard = False  # whether anything of this batch went through

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The requests that tell it; none if there is nothing to tell this service. Pure but for `clock`."""
        raise NotImplementedError

    def judged(self, request: Request, status: int, body: bytes) -> Outcome | None:
        """What an answer means, where the service has a reading of its own; None leaves it to the status."""
        return None

    async def check(self) -> None:
        """Reaches each host once by a HEAD request for its root, which tells nobody; any answer will do."""
        for place in self._origins:
            await self._exchanged(Request("HEAD", f"{place}/", {}))

    async def deliver(self, alerts: Sequence[Outgoing]) -> Sequence[Outcome]:
        """Tells each notification. Raises `Unavailable` only if nothing of the batch went through and all of it is to be tried again."""
        self._away, self._heard = {}, False
        outcomes = [await self._delivered(alert) for alert in alerts]
        again = [one for one in outcomes if isinstance(one, Retry)]
        if again and len(again) == len(outcomes) and not self._heard:
            raise Unavailable(again[0].reason, after=max(one.after for one in again), slow=all(one.slow for one in again))
        pauses = (min(2.0**alert.attempts, _LONGEST_PAUSE) for alert in alerts)
        return [_later(one, pause) for one, pause in zip(outcomes, pauses, strict=True)]

    async def close(self) -> None:
        """Lets go of the connections."""
        session, self._session = self._session, None
        if session:
            await session.close()

    async def convey(self, told: Notification, said: Said) -> Outcome:
        """Tells one notification: every request that has not gone through before. May raise `Unavailable` and `Undeliverable`."""
        requests = self.requests(told, said)
        if told.id not in self._partly and len(self._partly) >= _REMEMBERED:
            self._partly.pop(next(iter(self._partly)))
        settled = self._partly.setdefault(told.id, {})
        again: list[Retry] = []
        for number, request in enumerate(requests):
            if number not in settled:
                outcome = await self._sent(request)
                if isinstance(outcome, Retry):
                    again.append(outcome)
                else:
                    settled[number] = outcome
        if again:
            return Retry(again[0].reason, max(one.after for one in again), all(one.slow for one in again))
        del self._partly[told.id]
        return next((one for one in settled.values() if isinstance(one, Dead)), DONE)

    async def ask(self, request: Request) -> Answer:
        """The answer to one request, judged. Raises `Unavailable` if none came; then nobody asks that host again in this batch."""
        place = origin(request.url)
        if place in self._away:
            raise self._away[place]
        try:
            status, headers, body = await self._exchanged(request)
        except Unavailable as error:
            self._away[place] = error
            raise
        means = self._means(request, status, headers, body)
        self._heard |= means == DONE
        self._counts["refused"] += means != DONE
        if isinstance(means, Retry) and status in (429, 503):
            self._away[place] = Unavailable(means.reason, after=means.after, slow=means.slow)
        return Answer(status, body, means)

    def about(self, told: Notification, said: Said) -> About:
        """What a service's own templates are filled from."""
        return About(told.first, texts.words(told) | {"title": said.title, "body": said.body}, self._shared.missing)

    def said(self, told: Notification) -> Said:
        """The words of a notification by the templates, or by `texts` where there are none or they fail."""
        plain = Said(texts.title(told), texts.body(told))
        try:
            title = one_line(self._title(self.about(told, plain)), texts.TITLE) or plain.title
            return Said(title, self._body(self.about(told, Said(title, plain.body))) if self._body else plain.body)
        except Exception as error:  # noqa: BLE001 - an alert is told in plain words rather than not at all
            return Said(plain.title, f"{plain.body}\n\n(The template could not be used: {type(error).__name__}.)")

    async def _delivered(self, alert: Outgoing) -> Outcome:
        try:
            told = decoded(alert.document)
            return await self.convey(told, self.said(told))
        except Unavailable as error:
            return Retry(self.hidden(error.reason), error.after, error.slow)
        except Undeliverable as error:
            return Dead(self.hidden(str(error)))
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return Dead(f"not a notification: {self.hidden(str(error))}")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # an odd one must not hold up the next
            return Dead(f"nothing can be made of this notification: {type(error).__name__}: {self.hidden(str(error))}")

    async def _sent(self, request: Request) -> Outcome:
        try:
            return (await self.ask(request)).means
        except Unavailable as error:
            return Retry(error.reason, error.after, error.slow)

    async def _exchanged(self, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and the beginning of the body."""
        self._counts["requests"] += 1
        self._counts["request_bytes"] += len(request.body)
        try:
            async with self._connected().request(
                request.method, _url(request), data=request.body or None, headers=request.headers, ssl=self._ssl,
                proxy=self._shared.proxy, allow_redirects=False,
            ) as answer:  # fmt: skip
                body = b""
                while len(body) < self.reads and (more := await answer.content.read(self.reads - len(body))):
                    body += more
                return answer.status, answer.headers, body
        except aiohttp.InvalidURL:
            raise Undeliverable("the address is none of http") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            away = unreachable(error)
            raise Unavailable(self.hidden(away.reason), slow=away.slow) from None

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": f"pluginhost/{__version__}", "Accept-Encoding": "identity"}, auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=self._shared.timeout), cookie_jar=aiohttp.DummyCookieJar(),
            )  # fmt: skip
        return self._session

    def _means(self, request: Request, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What an answer means, with nothing secret in its reason, whatever the service quoted of our request."""
        def shielded(text: str) -> str:  # before it is cut: half a secret is one, too
            for word in request.headers.get("Authorization", "").split()[1:]:
                text = text.replace(word, "…")
            return self.hidden(text)

        own = self.judged(request, status, body)
        if own is None:
            return meaning(status, headers, shielded(body.decode("utf-8", "replace")).encode(), self.clock())
        return msgspec.structs.replace(own, reason=shielded(own.reason)) if isinstance(own, (Retry, Dead)) else own


def json_request(url: str, value: Any, headers: Mapping[str, str] | None = None, method: str = "POST") -> Request:
    """A request whose body is `value` as JSON."""
    return Request(method, url, {"Content-Type": "application/json", **(headers or {})}, msgspec.json.encode(value, enc_hook=str))


def each(told: Notification) -> tuple[Notification, ...]:
    """One notification for each of its alerts: for a service that gathers by itself."""
    kind = "alert" if told.kind == "digest" else told.kind
    return tuple(msgspec.structs.replace(told, kind=kind, alerts=(one,), count=1, why="", table=None) for one in told.alerts)


def several(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """What an option holds that takes one text or a list of them; none if it is empty."""
    return tuple(one for one in ((given,) if isinstance(given, str) else given) if one)


def _checked(url: str, output: str, what: str = "an address") -> str:
    """What of an address may be shown; a `Problem` that does not quote it if it is none."""
    if shown := origin(url):
        return shown
    raise Problem("output.notify.options", f"{what} is none of http or https", where=f"output {output}", todo="write `https://host/…`")


def _url(request: Request) -> URL:
    """The request's address; without a user where a header says who we are, since the two may not stand together."""
    url = URL(request.url)
    return url.with_user(None) if "Authorization" in request.headers else url


def _later(outcome: Outcome, pause: float) -> Outcome:
    return msgspec.structs.replace(outcome, after=max(outcome.after, pause)) if isinstance(outcome, Retry) else outcome
