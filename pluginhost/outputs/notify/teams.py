"""Microsoft Teams, through a workflow of Power Automate: an adaptive card with title, text, facts and a button. Pure.

The title's colour is the severity. Text of a card is Markdown, and values of an alert are somebody else's: what could make a link or
hide a word in them is escaped. A card is at most 28 KB; a longer one is cut.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from ...alerts.notification import Notification
from ...options import Secret, doc
from ..port import Context
from . import texts
from .sender import Notifier, NotifyOptions, Request, Said, json_request
from .templates import one_line, template

__all__ = ["Fact", "Teams"]

_MOST_BYTES = 28 << 10
_FACTS, _FACT = 20, 200
_LINES = re.compile(r"\n+")  # a single one is a space to Teams
_MARKDOWN = re.compile(r"([\\\[\]*_`])")
_COLORS = {"critical": "attention", "high": "attention", "medium": "warning", "low": "default"}
_Size = Literal["small", "default", "medium", "large", "extraLarge"]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a card's facts."""

    name: Annotated[str, doc("what it is called", min_length=1, max_length=100)]
    value: Annotated[str, doc("template of its value, such as `{user.name}`")]


class Teams(Notifier):
    """One workflow, started by \"When a Teams webhook request is received\"."""

    class Options(NotifyOptions, frozen=True, kw_only=True):
        """Which workflow, and how the card looks."""

        url: Annotated[Secret, doc("the workflow's address; who knows it may post")]
        title_size: Annotated[_Size, doc("size of the title")] = "large"
        body_size: Annotated[_Size, doc("size of the text")] = "default"
        facts: Annotated[tuple[Fact, ...], doc("facts below the text, each with `name` and `value`", max_length=_FACTS)] = ()
        open: Annotated[str, doc("what stands on the button that leads to the alert's `event.url`")] = "Open"
        dashboard: Annotated[str, doc("what stands on the one to the dashboard of its user; empty: there is none")] = "Dashboard"
        full_width: Annotated[bool, doc("whether the card is as wide as the channel")] = True

    def __init__(self, options: Options, context: Context) -> None:
        super().__init__(options, context, [options.url])
        self._options = options
        self._facts = [(fact.name, template(fact.value, f"facts[{number}].value")) for number, fact in enumerate(options.facts)]

    def requests(self, told: Notification, said: Said) -> Sequence[Request]:
        """The card; its text is cut until all of it is within the limit."""
        def cut(limit: int) -> Request:
            return self._posted(told, said, texts.cut(said.body, limit))

        request = self._posted(told, said, said.body)
        if len(request.body) > _MOST_BYTES:
            request = cut(bisect(range(1, _MOST_BYTES), _MOST_BYTES, key=lambda limit: len(cut(limit).body)))
        return [request]

    def _posted(self, told: Notification, said: Said, text: str) -> Request:
        about = self.about(told, said)
        facts = [{"title": name, "value": _plain(one_line(made(about), _FACT))} for name, made in self._facts]
        body: list[dict[str, Any]] = [
            {"type": "TextBlock", "text": _plain(said.title), "weight": "bolder", "size": self._options.title_size, "wrap": True,
             "color": "good" if told.kind == "resolved" else _COLORS[told.severity]},
            {"type": "TextBlock", "text": _LINES.sub("\n\n", _plain(text)), "size": self._options.body_size, "spacing": "large",
             "wrap": True},
            *([{"type": "FactSet", "facts": facts}] if facts else []),
        ]  # fmt: skip
        card: dict[str, Any] = {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
                                "body": body, "actions": self._actions(told)}  # fmt: skip
        if self._options.full_width:
            card["msteams"] = {"width": "Full"}
        attached = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return json_request(self._options.url, {"type": "message", "attachments": [attached]})

    def _actions(self, told: Notification) -> list[dict[str, str]]:
        buttons = ((self._options.open, texts.link(told.first)), (self._options.dashboard, texts.link(told.first, texts.DASHBOARD)))
        return [{"type": "Action.OpenUrl", "title": title, "url": link} for title, link in buttons if title and link]


def _plain(text: str) -> str:
    """`text` as Markdown shows it as it stands."""
    return _MARKDOWN.sub(r"\\\1", text)
