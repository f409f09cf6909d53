"""Slack and what takes its incoming webhooks (Mattermost, Rocket.Chat). That a condition has ended is a message of its own.

Nothing of an alert is read as Slack's own markup for links and mentions: `<`, `>` and `&` are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from ...alerts.notification import Notification
from ...options import Secret, doc
from ..port import Context
from . import texts
from .sender import Notifier, NotifyOptions, Request, Said, json_request, several
from .templates import About, template

__all__ = ["Field", "Slack"]

_LIMIT = 8000  # characters: each may become five by escaping, and a message has room for 40,000
_COLORS = {"critical": "danger", "high": "danger", "medium": "warning", "low": "#439fe0"}
_ALSO = ("footer", "footer_icon", "image_url", "thumb_url", "author_name", "author_link", "author_icon", "pretext")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A small field below the text."""

    title: Annotated[str, doc("what stands above it")]
    value: Annotated[str, doc("template of its value, such as `{source.ip}`")]
    short: Annotated[bool, doc("whether another may stand beside it")] = True


class Slack(Notifier):
    """Messages through incoming webhooks."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which webhook, and how a message looks."""

        url: Annotated[Secret, doc("the incoming webhook's address")]
        urls: Annotated[tuple[Secret, ...], doc("further ones, which are told the same")] = ()
        channel: Annotated[
            str | tuple[str, ...], doc("channel, or several: a message each; webhooks of Slack apps have one of their own and ignore it")
        ] = ()
        username: Annotated[str, doc("who it is from; webhooks of Slack apps ignore it")] = "pluginhost"
        emoji: Annotated[str, doc("icon beside it, such as `:bell:`")] = ""
        icon_url: Annotated[str, doc("an image in place of the emoji")] = ""
        color: Annotated[str, doc("`good`, `warning`, `danger` or `#rrggbb`; default: by severity, and `good` for what has ended")] = ""
        parse: Annotated[Literal["none", "full"], doc("`full` has Slack find names and links in the text")] = "none"
        text: Annotated[str, doc("template of the line above the message")] = ""
        title_link: Annotated[str, doc("where the title leads; default: the alert's own address")] = ""
        fields: Annotated[tuple[Field, ...], doc("fields below the text", max_length=50)] = ()
        pretext: Annotated[str, doc("text above the title")] = ""
        footer: Annotated[str, doc("text at the bottom")] = ""
        footer_icon: Annotated[str, doc("address of an image beside it")] = ""
        image_url: Annotated[str, doc("address of an image below the text")] = ""
        thumb_url: Annotated[str, doc("address of a small image at the side")] = ""
        author_name: Annotated[str, doc("a name above the title")] = ""
        author_link: Annotated[str, doc("where that name leads")] = ""
        author_icon: Annotated[str, doc("address of an image beside that name")] = ""
        attach_link: Annotated[bool, doc("whether the alert's address is attached by itself, too")] = False
        attach_link_title: Annotated[str, doc("what that is called")] = "Discover in Kibana"
        attach_link_color: Annotated[str, doc("its color")] = "#ec4b98"

    def __init__(self, options: Options, context: Context) -> None:
        self._urls = (options.url, *options.urls)
        super().__init__(options, context, self._urls)
        self._options, self._text = options, template(options.text, "text")
        self._fields = tuple((one.title, template(one.value, "fields.value"), one.short) for one in options.fields)
        self._icon = {"icon_url": options.icon_url} if options.icon_url else {"icon_emoji": options.emoji} if options.emoji else {}
        self._also = {name: value for name in _ALSO if (value := getattr(options, name))}

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """A message to each channel of each webhook."""
        about = self.about(told, said)
        message: dict[str, Any] = {
            "username": self._options.username, "parse": self._options.parse, "text": _escaped(self._text(about)), **self._icon,
            "attachments": [*self._attachments(told, said, about)],
        }  # fmt: skip
        channels = [{"channel": one} for one in several(self._options.channel)]
        return [json_request(url, message | to) for url in self._urls for to in channels or [{}]]

    def _attachments(self, told: Notification, said: Said, about: About) -> Iterator[dict[str, Any]]:
        address = texts.link(told.first)
        leads = self._options.title_link or address
        yield {
            "color": self._options.color or ("good" if told.kind == "resolved" else _COLORS[told.severity]),
            "title": _escaped(said.title), **({"title_link": leads} if leads else {}), "text": _body(told, said.body),
            "fallback": _escaped(said.title), "mrkdwn_in": ["text", "pretext"],
            "fields": [{"title": title, "value": _escaped(value(about)), "short": short} for title, value, short in self._fields],
            **self._also,
        }  # fmt: skip
        if self._options.attach_link and address:
            yield {"color": self._options.attach_link_color, "title": self._options.attach_link_title, "title_link": address}


def _body(told: Notification, body: str) -> str:
    """The text, its table in a fixed-width face."""
    text = _escaped(body)
    table = _escaped(texts.table(told.table)) if told.table else ""
    return text.replace(table, f"```\n{table}\n```", 1) if table else text


def _escaped(text: str) -> str:
    return texts.cut(text, _LIMIT).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
