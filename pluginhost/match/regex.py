"""Lucene's regular expressions in RE2's syntax.

They are of the whole value. What Lucene knows and RE2 does not is refused by name; what can never match in Lucene although
its author clearly meant something (`^` and `$` at an edge, `(?i)`, lazy quantifiers) does what is meant, with a warning.
"""

from __future__ import annotations

import re

from .patterns import quoted

__all__ = ["Unsupported", "translated"]

_PART = re.compile(
    r"""(?P<class>\[\^?(?:\\.|[^\\])(?:\\.|[^\]\\])*\])|\\(?P<escaped>.)|"(?P<quoted>[^"]*)"|(?P<group>\(\?(?:i\)|:|i:))|(?P<interval><\d+-\d+>)"""
    r"""|(?P<repeat>\{\d*(?:,\d*)?\}|[*+?])(?P<lazy>\??)|(?P<any>@)|(?P<none>\#)|(?P<refused>[~&])|(?P<edge>[\^$])|(?P<syntax>[.|()\[])|(?P<text>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLASSES = frozenset("dDwWsS")
_REFUSED = {"~": "complement", "&": "intersection", "<": "a numeric interval"}


class Unsupported(ValueError):
    """The expression uses what RE2 does not have; `operator` is how it is written."""

    def __init__(self, operator: str) -> None:
        super().__init__(f"`{operator}` is {_REFUSED[operator[0]]} in Lucene's regular expressions, which is not supported")
        self.operator = operator


def translated(pattern: str) -> tuple[str, list[str]]:
    """(the expression for RE2, warnings); raises `Unsupported`."""
    made: list[str] = []
    warnings: dict[str, None] = {}
    for part in _PART.finditer(pattern):
        made.append(_part(part, made[-1] if made else "", pattern[part.end() :], warnings))
    return "".join(made), list(warnings)


def _part(part: re.Match[str], before: str, after: str, warnings: dict[str, None]) -> str:  # noqa: C901, PLR0912 - one arm a kind of part
    text = part[0]
    match part.lastgroup if part.lastgroup != "lazy" else "repeat":
        case "class":
            return _class(text)
        case "escaped":
            return f"\\{part['escaped']}" if part["escaped"] in _CLASSES else quoted(part["escaped"])
        case "quoted":
            return f"(?:{quoted(part['quoted'])})"
        case "interval" | "refused":
            raise Unsupported(text)
        case "any":
            return "(?:.*)"
        case "none":
            return r"[^\x00-\x{10FFFF}]"
        case "repeat":
            if part["lazy"]:
                warnings["a lazy quantifier means something else in Lucene; it is taken as meant"] = None
            return text
        case "group":
            if "i" in text:
                warnings["Lucene knows no `(?i)`; it is taken as meant: case is ignored"] = None
            return text
        case "edge":
            return _edge(text, before, after, warnings)
        case "syntax":
            return text
        case _:
            return quoted(text)


def _edge(edge: str, before: str, after: str, warnings: dict[str, None]) -> str:
    """`^` or `$`: an edge of the value where it stands at an edge of an alternative, else the plain character."""
    if before in ("", "(", "(?:", "(?i)", "(?i:", "|") if edge == "^" else after[:1] in ("", ")", "|"):
        warnings[f"`{edge}` is a plain character in Lucene, whose expressions are of the whole value; it is taken as the edge"] = None
        return edge
    return quoted(edge)


def _class(text: str) -> str:
    """A character class: in Lucene only `]`, `-`, a first `^` and the backslash are special in it."""
    head, body = ("[^", text[2:-1]) if text.startswith("[^") else ("[", text[1:-1])
    return head + re.sub(r"\\(.)|([^\\])", _member, body, flags=re.DOTALL) + "]"


def _member(match: re.Match[str]) -> str:
    escaped, plain = match[1], match[2]
    if escaped:
        return f"\\{escaped}" if escaped in _CLASSES else quoted(escaped)
    return plain if plain == "-" else quoted(plain)
