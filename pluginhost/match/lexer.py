"""A query string into tokens with their places, as Lucene's classic parser cuts it: always the longest token.

Knows characters, not meaning. Every text either gives tokens or a `Problem` with a caret and the cure.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from ..problem import Place, Problem

__all__ = ["LONGEST", "Source", "Token", "edges", "pattern", "shortened", "tokenize", "unescaped"]

LONGEST = 1 << 20
"""Characters that a query may have; the longest of some 6,000 public rules has 250,220."""

Kind = Literal[
    "word", "pattern", "star", "quoted", "regex", "range", "alone", "and", "or", "not", "plus", "minus", "open", "close", "colon", "fuzzy",
    "boost", "end",
]  # fmt: skip

_SPACE = " \\t\\n\\r\\u3000"
_PLAIN = rf'[^{_SPACE}+\-!():^\[\]"{{}}~*?\\/]|\\.'
_EDGE = r'(?:"(?:[^"\\]|\\.)+"|(?!")[^\s\]}]+)'
_TOKEN = re.compile(
    rf"""
      (?P<space>  [{_SPACE}]+)
    | (?P<alone>  [+\-!](?=[{_SPACE}]))  # `a - b`: the `-` is a word
    | (?P<word>   (?:{_PLAIN}|[*?])(?:{_PLAIN}|[-+*?])*)
    | (?P<quoted> "(?:[^"\\]|\\.)*")
    | (?P<regex>  /(?:\\/|[^*/])(?:\\/|[^/])*/)
    | (?P<range>  [\[{{]\s*{_EDGE}\s+TO\s+{_EDGE}\s*[\]}}])
    | (?P<fuzzy>  ~\d*(?:\.\d+)?)
    | (?P<boost>  \^\d+(?:\.\d+)?)
    | (?P<open>   \()  | (?P<close> \))  | (?P<colon> :)
    | (?P<not>    !)   | (?P<plus>  \+)  | (?P<minus> -)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_RANGE = re.compile(rf".\s*({_EDGE})\s+TO\s+({_EDGE})\s*.", re.DOTALL | re.ASCII)
_OPERATORS: dict[str, Kind] = {"AND": "and", "&&": "and", "OR": "or", "||": "or", "NOT": "not", "*": "star"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_CURES = {
    '"': ("query.quote", "a quote is opened and not closed", 'close it, or write `\\"` for the character'),
    "/": ("query.slash", "a `/` begins a regular expression without an end", 'write `\\/` for the character, or quote it'),
    "\\": ("query.escape", "the text ends in a single backslash", "write `\\\\` for the character"),
    "[": ("query.range", "this is no range", "write `[a TO b]`, or `\\[` for the character"),
    "{": ("query.range", "this is no range", "write `{a TO b}`, or `\\{` for the character"),
    "]": ("query.bracket", "this bracket closes nothing", "write `\\]` for the character"),
    "}": ("query.bracket", "this bracket closes nothing", "write `\\}` for the character"),
    "^": ("query.boost", "`^` is followed by a number, and changes no answer", "leave it out, or write `\\^` for the character"),
}


class Token(msgspec.Struct, frozen=True):
    """`text` is as written, escapes and quotes included; it stands at `start` to `end`."""

    kind: Kind
    text: str
    start: int
    end: int


class Source:
    """The text of a query and the name of the file it stands in: makes problems with places."""

    def __init__(self, text: str, file: str | None = None) -> None:
        self.text, self.file = text, file or "query"

    def problem(self, code: str, what: str, start: int, end: int, todo: str) -> Problem:
        """A `Problem` with its caret under `start` to `end`."""
        first = self.text.rfind("\n", 0, start) + 1
        line = self.text[first:].split("\n", 1)[0]
        at = start - first
        cut = max(at - 100, 0)  # the mistake has to be seen, whatever the length of the line
        place = Place(self.file, self.text.count("\n", 0, start) + 1, at - cut + 1, line[cut:], max(end - start, 1))
        return Problem(code, what, where=place, todo=todo)


def tokenize(source: Source) -> list[Token]:
    """All tokens of the text, the last of kind `end`."""
    text, found, at = source.text, [], 0
    if len(text) > LONGEST:
        raise Problem("query.too_large", f"the query has {len(text)} characters; at most {LONGEST} are taken", where=source.file)
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            code, what, todo = _CURES[text[at]]
            raise source.problem(code, what, at, at + 1, todo)
        if match.lastgroup != "space":
            found.append(_token(match))
        at = match.end()
    return [*found, Token("end", "", at, at)]


def _token(match: re.Match[str]) -> Token:
    kind, text = str(match.lastgroup), match[0]
    if kind == "word":
        kind = _OPERATORS.get(text) or ("pattern" if "*" in (bare := _ESCAPE.sub("", text)) or "?" in bare else "word")
    return Token(kind, text, match.start(), match.end())  # type: ignore[arg-type]  # the groups are the kinds


def unescaped(source: Source, token: Token, text: str) -> str:
    """`text` of `token` without its escapes: `\\x` is x, `\\u0041` is A."""

    def plain(match: re.Match[str]) -> str:
        if match[2] == "u":
            what, todo = "`\\u` is followed by four hexadecimal digits", "write `\\\\u` for a backslash and a u"
            raise source.problem("query.escape", what, token.start, token.end, todo)
        return chr(int(match[1], 16)) if match[1] else match[2]

    return _ESCAPE.sub(plain, text)


def pattern(source: Source, token: Token) -> str:
    """The wildcard pattern of `token`, in which only `*`, `?` and the backslash are escaped."""
    found, at = [], 0
    for escape in _ESCAPE.finditer(token.text):
        char = unescaped(source, token, escape[0])
        found += [token.text[at : escape.start()], f"\\{char}" if char in "*?\\" else char]
        at = escape.end()
    return "".join([*found, token.text[at:]])


def edges(token: Token) -> tuple[str, str]:
    """The two bounds of a range, as written."""
    found = _RANGE.fullmatch(token.text)
    return (found[1], found[2]) if found else ("*", "*")  # the token is a range, so that it is found


def shortened(text: str, limit: int = 200) -> str:
    """`text` cut to `limit` characters, for messages."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
