"""Apprise: whatever service it has an address for. It gets a title, a text and how grave it is.

The library is loaded when the first such output is made. It speaks to one address at a time, in a thread of the output's own, and says
of a failure only that there was one: everything that fails is tried again, with the reason out of its log.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from ...alerts.notification import Notification
from ...options import Secret, doc
from ...problem import Problem, printable
from ..port import DONE, Context, Outcome, Retry
from .processes import no_http
from .redaction import hider
from .sender import Answer, Notifier, NotifyOptions, Request, Said

__all__ = ["Apprise"]

_TYPES = {"critical": "failure", "high": "failure", "medium": "warning", "low": "info"}
_BRAND = {"app_id": "pluginhost", "app_desc": "pluginhost", "app_url": "", "image_url_mask": "", "image_url_logo": ""}
_PARTS = re.compile(r"[:/?&=@#,+]+")
_PIECE = 4  # characters: shorter pieces of an address are too common to be hidden
_GRACE = 30.0  # seconds beyond what its sockets may take: names are resolved, texts are split
_CAPTURED = threading.Lock()  # the log is one for all


class Apprise(Notifier):
    """Services by their Apprise addresses."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Whom to tell."""

        urls: Annotated[tuple[Secret, ...], doc("Apprise addresses, such as `ntfy://ntfy.sh/topic`; each is told", min_length=1)]
        overflow: Annotated[
            Literal["split", "truncate", "upstream"],
            doc("a text too long for a service: several messages, one that is cut, or what the service makes of it"),
        ] = "split"

    def __init__(self, options: Options, context: Context) -> None:
        no_http(options, "service of Apprise")
        super().__init__(options, context)
        self.hidden = hider(piece for url in options.urls for piece in (url, *_PARTS.split(url)[1:]) if len(piece) >= _PIECE)
        self._library = _loaded()
        self._options = options
        self._services = {str(url): self._service(number, url) for number, url in enumerate(options.urls)}
        self.address = ", ".join(dict.fromkeys(f"{url.partition(':')[0]}:" for url in options.urls))
        self._thread = ThreadPoolExecutor(1, "apprise")

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """What each address is to be told."""
        kind = "success" if told.kind == "resolved" else _TYPES[told.severity]
        return [Request(kind, url, {"title": said.title}, said.body.encode("utf-8", "replace")) for url in self._services]

    async def check(self) -> None:
        """Nothing can be asked of Apprise without telling somebody: that the addresses are ones is known already."""

    async def ask(self, request: Request) -> Answer:
        """Has Apprise tell one address."""
        self._counts["requests"] += 1
        patience = 2 * self._options.timeout + _GRACE
        told = asyncio.get_running_loop().run_in_executor(self._thread, self._notified, request)
        try:
            outcome = await asyncio.wait_for(told, patience)
        except TimeoutError:
            outcome = Retry(f"Apprise did not return within {patience:.0f} seconds")
        self._heard |= outcome == DONE
        self._counts["refused"] += outcome != DONE
        return Answer(0, b"", outcome)

    async def close(self) -> None:
        """Begins nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _notified(self, request: Request) -> Outcome:
        """Runs in the output's thread."""
        one = self._library.Apprise(asset=self._services[request.url].asset)
        one.add(self._services[request.url])
        with _CAPTURED, self._captured() as log:
            done = one.notify(request.body.decode(), title=request.headers["title"], notify_type=request.method, body_format="text")
            return DONE if done else Retry(self._reason(log.getvalue()) or "Apprise says no more than that it failed")

    def _service(self, number: int, url: Secret) -> Any:
        """The service of an address; a `Problem` that quotes none of it if there is none."""
        asset = self._library.AppriseAsset(async_mode=False, **_BRAND)
        with _CAPTURED, self._captured() as log:
            service = self._library.Apprise.instantiate(str(url), asset=asset)
            reason = self._reason(log.getvalue())
        if service is None:
            raise Problem("output.notify.options", f"`urls[{number}]` is no address of Apprise's: {reason}",
                          todo="see its list of services, https://github.com/caronc/apprise/wiki")  # fmt: skip
        service.retry = 0  # the outbox tries again, and waits in between
        service.socket_connect_timeout = service.socket_read_timeout = float(self._options.timeout)
        service.overflow_mode = type(service.overflow_mode)(self._options.overflow)
        return service

    def _captured(self) -> Any:
        return self._library.LogCapture(level=logging.WARNING, fmt="%(message)s")

    def _reason(self, logged: str) -> str:
        return printable(" | ".join(self.hidden(logged).split("\n")[-4:]).strip(" |"), 300)


def _loaded() -> Any:
    """The library. Neither it nor what it sends with says anything to our log: whole addresses stand in what they say."""
    try:
        import apprise  # noqa: PLC0415 - an extra
    except ImportError:
        raise Problem("output.apprise.missing", "Apprise is not installed", todo="pip install 'pluginhost[apprise]'") from None
    logging.getLogger("apprise").propagate = False  # its LogCapture listens there itself
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    return apprise
