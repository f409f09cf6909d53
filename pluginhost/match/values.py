"""A value token of a query string, with the field it is asked of, into a node: escapes, comparisons, ranges, `_exists_`.

What a field's reading makes of a value is `sense.py`'s; how clauses go together is `clauses.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..problem import Problem
from .lexer import Source, Token, edges, pattern, shortened, unescaped
from .patterns import Pattern
from .regex import Unsupported, translated
from .sense import Sense
from .tree import EVERYTHING, Node, Range

__all__ = ["KINDS", "Values"]

KINDS = frozenset({"word", "alone", "pattern", "star", "quoted", "regex", "range"})
"""The kinds of token that are values."""

_COMPARISONS = {">=": (True, True), "<=": (False, True), ">": (True, False), "<": (False, False)}
_EXISTS = "_exists_"


class Values:
    """Reads the values of one query. A field of None is any field; a result of None is a clause of which nothing is left."""

    def __init__(self, source: Source, sense: Sense, warn: Callable[[str], None]) -> None:
        self._source, self._sense, self._warn = source, sense, warn

    def read(self, field: str | None, token: Token) -> Node | None:
        """What `token`, of one of `KINDS`, asks of `field`."""
        match token.kind:
            case "quoted":
                return self._quoted(field, token)
            case "star":
                return EVERYTHING if field is None or field == _EXISTS else self._sense.exists(field)
            case "pattern":
                return self._pattern(field, token)
            case "regex":
                return self._regex(field, token)
            case "range":
                return self._bounds(field, token)
            case _:
                return self._compared(field, token)

    def run(self, field: str | None, words: Sequence[Token]) -> Node | None:
        """Several plain words in a row: one value."""
        shown = shortened(" ".join(word.text for word in words))
        if field is not None and self._sense.whole(field):
            self._warn(f"`{field}:({shown})` is one value with these words; write OR between several values")
        joined = Token("word", " ".join(word.text for word in words), words[0].start, words[-1].end)
        return self._compared(field, joined)

    def _compared(self, field: str | None, token: Token) -> Node | None:
        """A word; with a sign before it, a range open to one side."""
        sign = token.text[:2] if token.text[:2] in _COMPARISONS else token.text[:1]
        if sign not in _COMPARISONS or len(token.text) == len(sign):
            return self._word(field, unescaped(self._source, token, token.text), token)
        upwards, inclusive = _COMPARISONS[sign]
        bound = unescaped(self._source, token, token.text[len(sign) :])
        return self._range(field, Range(bound, None, inclusive) if upwards else Range(None, bound, include_upper=inclusive), token)

    def _word(self, field: str | None, text: str, token: Token, *, quoted: bool = False) -> Node | None:
        if field != _EXISTS:
            return self._sense.word(field, text, quoted=quoted)
        if not text or " " in text:
            raise self._no_field(token)
        return self._sense.exists(text)

    def _no_field(self, token: Token) -> Problem:
        what, todo = f"`{_EXISTS}` takes the name of one field", f"name the fields: `{_EXISTS}:a OR {_EXISTS}:b`"
        return self._source.problem("query.field", what, token.start, token.end, todo)

    def _quoted(self, field: str | None, token: Token) -> Node | None:
        if "*" in token.text:
            self._warn(f"`*` in {token.text} is no wildcard, because it is quoted; write it without quotes, special characters with `\\`")
        return self._word(field, unescaped(self._source, token, token.text[1:-1]), token, quoted=True)

    def _pattern(self, field: str | None, token: Token) -> Node | None:
        if field == _EXISTS:
            raise self._no_field(token)
        return self._sense.pattern(field, pattern(self._source, token))

    def _regex(self, field: str | None, token: Token) -> Node | None:
        written = token.text[1:-1].replace("\\/", "/")
        try:
            expression, warnings = translated(written)
            Pattern(expression)
        except Unsupported as error:
            todo = f"write `\\{error.operator[0]}` for the character"
            raise self._source.problem("query.regex", str(error), token.start, token.end, todo) from None
        except Problem as problem:
            raise self._source.problem("query.regex", problem.what, token.start, token.end, problem.todo or "") from None
        for warning in warnings:
            self._warn(f"{token.text}: {warning}")
        return self._sense.regex(field, expression, written)

    def _bounds(self, field: str | None, token: Token) -> Node | None:
        lower, upper = (self._edge(text, token) for text in edges(token))
        return self._range(field, Range(lower, upper, token.text[0] == "[", token.text[-1] == "]"), token)

    def _edge(self, text: str, token: Token) -> str | None:
        if text == "*":
            return None
        return unescaped(self._source, token, text[1:-1] if text[0] == '"' else text)

    def _range(self, field: str | None, range_: Range, token: Token) -> Node | None:
        if field is None or field == _EXISTS:
            todo = f"write `field:{token.text}`, or quote it if it is a value"
            raise self._source.problem("query.range", "a range needs a field", token.start, token.end, todo)
        return self._sense.range(field, range_)
