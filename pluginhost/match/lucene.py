"""Lucene's query strings, as Elasticsearch runs them, into the predicate tree.

The grammar is that of the classic parser, with its runs of words and its clauses (`clauses.py`); the values are read by
`sense.py`, by the reading that the profile gives to their field. Refused, with the cure: fuzzy words, slop, patterns in
field names, ranges without a field. Beyond the tree come warnings: what is legal and hardly meant.
"""

from __future__ import annotations

from typing import Literal

from ..problem import Problem
from .clauses import Clause, level, mixed, parenthesised
from .compiler import check
from .lexer import Source, Token, shortened, tokenize, unescaped
from .schema import ECS, Profile
from .sense import Sense
from .tree import NOTHING, Node, simplify
from .values import KINDS, Values

__all__ = ["parse", "parse_with_warnings"]

_DEEPEST = 40
_AFTER_RUN = frozenset({"colon", "star", "fuzzy", "boost", "and", "or"})


def parse(text: str, *, profile: Profile = ECS, default_operator: Literal["OR", "AND"] = "OR", file: str | None = None) -> Node:
    """The tree of the query `text`; a `Problem` (`query.…`) with a caret if it is none. `file` is named in problems."""
    return parse_with_warnings(text, profile=profile, default_operator=default_operator, file=file)[0]


def parse_with_warnings(
    text: str, *, profile: Profile = ECS, default_operator: Literal["OR", "AND"] = "OR", file: str | None = None
) -> tuple[Node, list[str]]:
    """(the tree, what is legal but hardly meant)."""
    parser = _Parser(Source(text, file), profile, default_and=default_operator == "AND")
    node = simplify(parser.whole())
    check(node)
    return node, list(parser.warnings)


class _Parser:
    """Recursive descent over the tokens of one query. A field of None is any field."""

    def __init__(self, source: Source, profile: Profile, *, default_and: bool) -> None:
        self.warnings: dict[str, None] = {}
        self._source, self._tokens, self._at, self._default_and = source, tokenize(source), 0, default_and
        self._values = Values(source, Sense(profile, self._warn, default_and=default_and), self._warn)

    def _warn(self, text: str) -> None:
        self.warnings[text] = None

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _problem(self, code: str, what: str, token: Token, todo: str) -> Problem:
        return self._source.problem(code, what, token.start, token.end, todo)

    def whole(self) -> Node:
        """The tree of the whole text."""
        if self._peek().kind == "end":
            self._warn("the query is empty: it matches nothing; `*` matches everything")
            return NOTHING
        found = self._level(None, 0)
        if self._peek().kind == "close":
            raise self._problem("query.bracket", "this `)` closes nothing", self._peek(), "remove it, or write `\\)` for the character")
        return NOTHING if found is None else found

    def _level(self, field: str | None, depth: int) -> Node | None:
        """Clauses up to a closing bracket or the end."""
        if depth > _DEEPEST:
            raise self._problem("query.too_large", f"more than {_DEEPEST} brackets stand in one another", self._peek(), "split the query")
        start, clauses = self._peek(), list[Clause]()
        while self._peek().kind not in ("end", "close"):
            clauses.append(self._clause(field, depth, first=not clauses))
        if not clauses:
            todo = "remove the brackets, or write `*` for everything"
            raise self._problem("query.empty", "there is nothing between these brackets", self._peek(), todo)
        node = level(clauses, default_and=self._default_and)
        if mixed(clauses, default_and=self._default_and):
            meant = parenthesised(clauses, default_and=self._default_and)
            self._warn(f"`{shortened(self._text(start))}` mixes AND, OR and NOT on one level, where Lucene knows only required, excluded "
                       f"and optional clauses, the last without a say beside the first; write `{shortened(meant)}`")  # fmt: skip
        return node

    def _clause(self, field: str | None, depth: int, *, first: bool) -> Clause:
        start = self._peek()
        if words := self._run():
            self._lint_words(words)
            return Clause(self._values.run(field, words), self._text(start))
        conjunction: Literal["and", "or", ""] = ""
        if start.kind in ("and", "or"):
            if first:
                todo = "remove it, or quote it if it is a value"
                raise self._problem("query.operator", f"`{start.text}` has nothing before it", start, todo)
            conjunction = "and" if start.kind == "and" else "or"
            self._take()
        modifier: Literal["plus", "not", ""] = ""
        if self._peek().kind in ("plus", "minus", "not"):
            modifier = "plus" if self._take().kind == "plus" else "not"
        start = self._peek()
        node = self._subject(field, depth)
        return Clause(node, self._text(start), conjunction, modifier)

    def _text(self, start: Token) -> str:
        return self._source.text[start.start : self._tokens[self._at - 1].end]

    def _run(self) -> list[Token]:
        """The words from here that are one value, two at least: plain ones in a row, the last without an operator of its own."""
        length = int(self._peek().kind == "word")
        while length and self._peek(length).kind == "word" and self._peek(length + 1).kind not in _AFTER_RUN:
            length += 1
        return [self._take() for _ in range(length)] if length > 1 else []

    def _lint_words(self, words: list[Token]) -> None:
        for word in words:
            if word.text in ("and", "or", "not"):
                self._warn(f"`{word.text}` is an ordinary word here; operators are in capitals: `{word.text.upper()}`")
            if word.kind == "alone":
                self._warn(f"`{word.text}` before a space is an ordinary word; as an operator it stands directly before its clause")

    def _subject(self, field: str | None, depth: int) -> Node | None:
        """`field:value`, `field:(…)`, a value or brackets."""
        outer, named = field, self._peek(1).kind == "colon"
        if named:
            field = self._field()
        if self._peek().kind == "open":
            return self._brackets(field, depth)
        if not named:
            self._lint_words([self._peek()])
        node = self._value(field)
        if self._peek().kind == "colon":
            todo = 'write `\\:` for the character, or quote the value: "…"'
            raise self._problem("query.colon", "this `:` follows a value; only a field's name can stand before it", self._peek(), todo)
        if named and outer is None and field is not None and self._peek().kind == "word" and self._peek(1).kind != "colon":
            self._warn(f"`{self._peek().text}` after the value of `{field}` is searched for in any field; quote a value of several words")
        return node

    def _field(self) -> str | None:
        name, _ = self._take(), self._take()
        if name.kind == "star":
            return None
        if name.kind == "quoted":
            raise self._problem("query.field", "a field's name is not quoted", name, f"write `{name.text[1:-1]}:`, with `\\ ` for a space")
        field = unescaped(self._source, name, name.text) if name.kind == "word" else name.text
        if name.kind != "word" or ("*" in field and field != "*"):
            raise self._problem("query.field", "patterns in a field's name are not supported", name, "name the fields: `a:x OR b:x`")
        return None if field == "*" else field

    def _brackets(self, field: str | None, depth: int) -> Node | None:
        opened = self._take()
        node = self._level(field, depth + 1)
        if self._peek().kind != "close":
            raise self._problem("query.bracket", "this `(` is not closed", opened, "close it with `)`, or write `\\(` for the character")
        self._take()
        self._boost()
        return node

    def _boost(self) -> None:
        if self._peek().kind == "boost":
            self._take()  # it changes the score, and there is none
        if self._peek().kind == "fuzzy":
            what = "`~` asks for words like this one or near it, which is not supported"
            todo = "use `*` and `?`, a /regular expression/, or AND; `\\~` is the character"
            raise self._problem("query.fuzzy", what, self._peek(), todo)

    def _value(self, field: str | None) -> Node | None:
        token = self._take()
        if token.kind not in KINDS:
            raise self._no_value(token)
        node = self._values.read(field, token)
        self._lint_slash(token)
        self._boost()
        return node

    def _no_value(self, token: Token) -> Problem:
        before = self._tokens[self._at - 2].kind if self._at > 1 else ""
        if token.kind in ("minus", "plus", "not") and before == "colon":
            todo = f"write `\\{token.text}` for the character, or quote the value"
            return self._problem("query.value", f"`{token.text}` is an operator here", token, todo)
        if before == "colon":
            todo = 'write `field:*` for any value, `field:""` for the empty text'
            return self._problem("query.value", "a value is missing after the `:`", token, todo)
        if before in ("and", "or", "not", "plus", "minus"):
            return self._problem("query.operator", "an operator has nothing after it", token, "remove it, or quote it if it is a value")
        return self._problem("query.syntax", f"`{token.text}` is not expected here", token, "write `\\` before it, or quote the value")

    def _lint_slash(self, token: Token) -> None:
        """`/usr/bin`: a regular expression that a word touches was a path."""
        before, after = self._tokens[max(self._at - 2, 0)], self._peek()
        touching = (before.kind if before.end == token.start else "", after.kind if after.start == token.end else "")
        if token.kind == "regex" and not {"word", "pattern"}.isdisjoint(touching):
            self._warn(f"`{token.text}` is a regular expression; if the `/` belong to a value, write `\\/` or quote it")
