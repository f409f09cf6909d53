"""Telegram: a message of a bot to a chat, or to one topic of a group.

Every text is escaped for its parse mode. Should Telegram still find it wrong, it is sent once more as plain text: a message without bold
type is better than none.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec

from ...alerts.notification import Notification
from ...options import Secret, doc
from ..answers import wait
from ..port import Context, Outcome, Retry
from . import texts
from .asking import welcomed
from .sender import Notifier, NotifyOptions, Request, Said, json_request

__all__ = ["Telegram"]

_LIMIT = 4096  # characters of a message, counted in UTF-16 and after the parse mode has been read
_WRONG = b"parse entities"
_Mode = Literal["html", "markdown", "markdownV2", "none"]
_SAID = {"html": "HTML", "markdown": "Markdown", "markdownV2": "MarkdownV2"}


class _Parameters(msgspec.Struct, frozen=True):
    retry_after: int = 0


class _Refusal(msgspec.Struct, frozen=True):
    parameters: _Parameters = _Parameters()


def _escaping(found: str) -> Callable[[str], str]:
    pattern = re.compile(found)
    return lambda text: pattern.sub(r"\\\g<0>", text)


_ESCAPED: dict[_Mode, Callable[[str], str]] = {
    "html": lambda text: html.escape(text, quote=False), "none": str,
    "markdown": _escaping(r"[_*`\[]"), "markdownV2": _escaping(r"[_*\[\]()~`>#+\-=|{}.!\\]"),
}  # fmt: skip
_BOLD: dict[_Mode, str] = {"html": "<b>{}</b>", "markdownV2": "*{}*"}  # the old `markdown` knows no escapes within bold type


class Telegram(Notifier):
    """One bot and one chat."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which bot tells whom."""

        token: Annotated[Secret, doc("the bot's token, as BotFather gave it")]
        chat: Annotated[str, doc("the chat's number (a group's begins with `-`), or `@name` of a channel", pattern=r"^(-?\d+|@\w+)$")]
        thread: Annotated[int | None, doc("number of the topic, in a group that has some")] = None
        parse_mode: Annotated[_Mode, doc("how the text is marked up; `none` is plain")] = "html"
        silent: Annotated[bool, doc("whether it comes without a sound")] = False
        address: Annotated[str, doc("the Bot API's address, for a server of your own", pattern="^https?://")] = "https://api.telegram.org"

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, [options.address])
        self._options = options
        self._bot = f"{options.address.rstrip('/')}/bot{quote(options.token, safe=':')}"

    async def check(self) -> None:
        """Asks who the bot is."""
        await welcomed(self, Request("GET", f"{self._bot}/getMe", {}))

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The message as it is first tried."""
        return [self._message(said, self._options.parse_mode)]

    async def convey(self, told: Notification, said: Said) -> Outcome:
        """Sends the message, and once more without its markup if that was not understood."""
        answer = await self.ask(*self.requests(told, said))
        if answer.status == 400 and _WRONG in answer.body and self._options.parse_mode != "none":
            answer = await self.ask(self._message(said, "none"))
        return answer.means

    def judged(self, request: Request, status: int, body: bytes) -> Outcome | None:
        """How long to wait is told in the answer's body."""
        if status != 429:
            return None
        try:
            after = msgspec.json.decode(body, type=_Refusal).parameters.retry_after
        except (msgspec.MsgspecError, UnicodeError):
            return None
        return Retry("429 too many messages", wait(str(after), self.clock()))

    def _message(self, said: Said, mode: _Mode) -> Request:
        escaped = _ESCAPED[mode]
        title = _BOLD.get(mode, "{}").format(escaped(said.title))
        text = f"{title}\n\n{escaped(_cut(said.body, _LIMIT - _width(said.title) - 2))}"
        message: dict[str, Any] = {"chat_id": self._options.chat, "text": text, "disable_web_page_preview": True}
        if mode in _SAID:
            message["parse_mode"] = _SAID[mode]
        if self._options.thread is not None:
            message["message_thread_id"] = self._options.thread
        if self._options.silent:
            message["disable_notification"] = True
        return json_request(f"{self._bot}/sendMessage", message)


def _width(text: str) -> int:
    """Its length in UTF-16 units."""
    return len(text) + sum(one > "\uffff" for one in text)


def _cut(text: str, limit: int) -> str:
    """`text` cut to so many UTF-16 units."""
    made = texts.cut(text, limit)
    return made if _width(made) <= limit else texts.cut(text, limit // 2)
