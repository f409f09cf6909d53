"""Templates of titles, bodies and other texts: plain format strings over an alert. Pure.

`{user.name}` is a field of the alert, nested or flat; `{title}`, `{count}` and the other words of `WORDS` are of the notification;
`{{` and `}}` are braces. There is nothing else to a template: no conversions, no attributes, no indexes. What is filled in is data: it
is never looked at again, stands on one line, and is cut where it is long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ...events.fields import MISSING, lookup, text, values
from ...options import Secret
from ...problem import Problem, printable

__all__ = ["LONGEST", "WORDS", "About", "Template", "one_line", "shown", "template"]

LONGEST = 64 << 10
"""The most characters that come of a template."""

WORDS = ("title", "body", "count", "kind", "severity", "table", "link", "id", "group", "why")
"""What may stand in braces beside the names of fields; a field of the same name gives way."""

_VALUE = 2000  # characters of one value
_ITEMS = 50  # of a list
_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_NAME = re.compile(r"[A-Za-z0-9_@-]+(?:\.[A-Za-z0-9_@-]+)*")


class About(msgspec.Struct, frozen=True):
    """What a template is filled from: the first alert's document, the words, and the text for what is missing."""

    document: Mapping[str, Any]
    words: Mapping[str, str]
    missing: str = "<missing>"

    def __getitem__(self, name: str) -> str:
        """A word, or a field's value as one line; the text for what is missing where there is none."""
        return self.words[name] if name in self.words else self.get(name) or self.missing

    def get(self, name: str) -> str:
        """The same, but empty where there is none."""
        return self.words[name] if name in self.words else shown(lookup(self.document, name))


class Template(msgspec.Struct, frozen=True):
    """A compiled template: texts and names by turns. Called with what it is about, it gives the text."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    def __call__(self, about: About) -> str:
        """The template filled in, at most `LONGEST` characters."""
        made, room = [self.texts[0]], LONGEST - len(self.texts[0])
        for name, behind in zip(self.names, self.texts[1:], strict=True):
            made += [about[name], behind]
            room -= len(made[-2]) + len(behind)
            if room < 0:
                break
        return "".join(made)[:LONGEST]

    def whole(self, about: About) -> str:
        """The template filled in, or nothing if a name in it has no value: for what then has a better default."""
        return self(about) if all(map(about.get, self.names)) else ""

    def __bool__(self) -> bool:
        return bool(self.names or self.texts[0])


def template(text: str, option: str) -> Template:
    """The template `text`; a `Problem` that names `option`, and quotes no secret, if it is none."""
    texts, names, at = [""], [], 0
    for piece in _PIECE.finditer(text):
        texts[-1] += text[at : piece.start()]
        at = piece.end()
        if piece[0] in ("{{", "}}"):
            texts[-1] += piece[0][0]
        elif _NAME.fullmatch(piece[0][1:-1]):
            names.append(piece[0][1:-1])
            texts.append("")
        else:
            raise _no_template(option, "{…}" if isinstance(text, Secret) and len(piece[0]) > 1 else piece[0])
    texts[-1] += text[at:]
    return Template(tuple(texts), tuple(names))


def _no_template(option: str, piece: str) -> Problem:
    if len(piece) == 1:
        what, todo = f"a single `{piece}`", f"write `{piece * 2}` where a brace is meant"
    else:
        what, todo = f"`{printable(piece, 80)}` is no name of a field", "write a name alone, such as `{user.name}`; for a brace write two"
    return Problem("output.notify.template", f"`{option}`: {what}", todo=todo)


def shown(value: Any) -> str:
    """A value of a document as one safe line: elements of lists joined by commas, objects as JSON; empty for what is missing or null."""
    if isinstance(value, list):
        items = values(value)
        more = [f"… ({len(items) - _ITEMS} more)"] if len(items) > _ITEMS else []
        return printable(", ".join([*filter(None, map(shown, items[:_ITEMS])), *more]), _VALUE)
    if value is None or value is MISSING:
        return ""
    scalar = text(value)
    return printable(scalar if scalar is not None else msgspec.json.encode(value, enc_hook=str).decode(), _VALUE)


def one_line(text: str, limit: int) -> str:
    """`text` on one line, for titles, subjects and headers; cut to `limit` characters."""
    return printable(" ".join(text[: limit * 4].split()), limit)
