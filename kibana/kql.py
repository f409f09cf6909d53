"""KQL as far as our dashboards use it: what a condition says, which fields it names, which query a product makes of it.

Held to the grammar of both products: `field: value`, `field: (a or not b)`, `field: *`, `field: text*`, `field >= 3`, and, or, not,
brackets, quoted values. What they take beyond that (values without a field, fields by a pattern, nested fields, null) is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

__all__ = ["And", "Is", "KqlError", "Like", "Node", "Not", "Or", "Range", "dsl", "fields", "parse"]

Comparison = Literal["lt", "lte", "gt", "gte"]


class KqlError(ValueError):
    """A text that neither product would take as a condition, or that is outside of what we use."""


class Is(msgspec.Struct, frozen=True):
    """The field has this value; `quoted`: as a phrase, where the field is a text."""

    field: str
    value: str | bool
    quoted: bool = False


class Like(msgspec.Struct, frozen=True):
    """The field has a value that these parts make up, with anything between them; ("", "") is any value at all."""

    field: str
    parts: tuple[str, ...]


class Range(msgspec.Struct, frozen=True):
    """The field's value compared with another."""

    field: str
    op: Comparison
    value: str


class And(msgspec.Struct, frozen=True):
    """All of them."""

    nodes: tuple[Node, ...]


class Or(msgspec.Struct, frozen=True):
    """At least one of them."""

    nodes: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True):
    """The contrary."""

    node: Node


Node: TypeAlias = Is | Like | Range | And | Or | Not


def parse(text: str) -> Node | None:
    """What a condition says, None of a blank one; `KqlError` if it says nothing that we use."""
    reader = _Reader(text)
    if not reader.kind:
        return None
    node = reader.joined(reader.condition)
    if reader.kind:
        raise reader.error()
    return node


def fields(text: str) -> set[str]:
    """The fields that a condition names."""
    return {one.field for one in _leaves(parse(text))}


def dsl(text: str, mapped: Mapping[str, str]) -> dict[str, Any]:
    """The query that a product makes of a condition.

    `mapped` are types by field. Kibana 8 and 9 ask keywords for the exact term; products that do not tell them from other texts (older
    ones, and OpenSearch Dashboards) are given a mapping without them.
    """
    node = parse(text)
    return {"match_all": {}} if node is None else _query(node, mapped)


# Reading.

_TOKEN = re.compile(r'(?P<space>[ \t\r\n\xa0]+)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign><=|>=|[():<>])'
                    r'|(?P<word>(?:[^ \t\r\n\xa0\\():<>"{}]|\\.)+)', re.DOTALL)  # fmt: skip
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|or|and|not|.)", re.DOTALL | re.IGNORECASE)
_PIECE = re.compile(r"\*|(?:[^\\*]|\\.)+", re.DOTALL)
_WHITE = {"t": "\t", "r": "\r", "n": "\n"}
_SIGNS: dict[str, Comparison] = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_DEEPEST = 50


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


class _Reader:
    """The tokens of a text one after the other; `kind` of the one that comes next is "" at the end."""

    def __init__(self, text: str) -> None:
        self.text, self.depth = text, 0
        self.tokens = _tokens(text)
        self.advance()

    def advance(self) -> None:
        self.next = next(self.tokens, _Token("", "", len(self.text)))
        self.kind = self.next.kind

    def error(self) -> KqlError:
        return KqlError(f"{self.text!r}: not expected at {self.next.at}: {self.next.text or 'the end'!r}")

    def took(self, kind: str) -> str:
        """The text of the next token, which must be of that kind."""
        if self.kind != kind:
            raise self.error()
        text = self.next.text
        self.advance()
        return text

    def joined(self, one: Callable[[], Node]) -> Node:
        """Conditions, or values in brackets, joined by words: `not` binds closest, `or` loosest."""
        return self._each("or", Or, lambda: self._each("and", And, lambda: self._negated(one)))

    def _each(self, word: str, kind: type[And | Or], one: Callable[[], Node]) -> Node:
        nodes = [one()]
        while self.kind == word:
            self.advance()
            nodes.append(one())
        return kind(tuple(nodes)) if len(nodes) > 1 else nodes[0]

    def _negated(self, one: Callable[[], Node]) -> Node:
        if self.kind == "not":
            self.advance()
            return Not(self._bracketed(one))
        return self._bracketed(one)

    def _bracketed(self, one: Callable[[], Node]) -> Node:
        if self.kind != "(":
            return one()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise KqlError(f"{self.text[:80]!r}: more than {_DEEPEST} brackets within each other")
        self.advance()
        node = self.joined(one)
        self.took(")")
        self.depth -= 1
        return node

    def condition(self) -> Node:
        """A field and what is said of it."""
        field = self._field()
        if self.kind in _SIGNS:
            sign = _SIGNS[self.took(self.kind)]
            return Range(field, sign, self._literal())
        self.took(":")
        if self.kind == "(":
            return self._bracketed(lambda: self._value(field))
        return self._value(field)

    def _field(self) -> str:
        start = self.next
        field = self._literal()
        if "*" in start.text:
            raise KqlError(f"{self.text!r}: a field by a pattern at {start.at}")
        return field

    def _literal(self) -> str:
        if self.kind == "quoted":
            return _unquoted(self.took("quoted"))
        return _unescaped(self._words())

    def _words(self) -> str:
        """Words with blanks between them are one value."""
        words = [self.took("word")]
        while self.kind == "word":
            words.append(self.took("word"))
        return " ".join(words)

    def _value(self, field: str) -> Node:
        if self.kind == "quoted":
            return Is(field, _unquoted(self.took("quoted")), quoted=True)
        words = self._words()
        parts = _parts(words)
        if len(parts) > 1:
            return Like(field, parts)
        if parts[0] == "null":
            raise KqlError(f"{self.text!r}: null, which no document has")
        return Is(field, {"true": True, "false": False}.get(words, parts[0]))


def _tokens(text: str) -> Iterator[_Token]:
    """Words, quoted texts and signs; `and`, `or`, `not` and signs are kinds of their own."""
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise KqlError(f"{text!r}: not expected at {at}: {text[at]!r}")
        kind, said = match.lastgroup or "", match[0]
        if kind != "space":
            word = said.lower()
            yield _Token(said if kind == "sign" else word if word in {"and", "or", "not"} else kind, said, at)
        at = match.end()


def _parts(words: str) -> tuple[str, ...]:
    """What stands between stars that are not escaped."""
    parts = [""]
    for piece in _PIECE.findall(words):
        if piece == "*":
            parts.append("")
        else:
            parts[-1] = _unescaped(piece)
    return tuple(parts)


def _unquoted(text: str) -> str:
    """In quotes only quotes, backslashes, blanks and code points are escaped: another backslash stands for itself."""
    return _ESCAPE.sub(lambda found: _sign(found[1]) if found[1][0] in '\\"trnu' else found[0], text[1:-1])


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _sign(found[1]), text)


def _sign(escaped: str) -> str:
    if len(escaped) == 5:
        return chr(int(escaped[1:], 16))
    return _WHITE.get(escaped, escaped)


def _leaves(node: Node | None) -> Iterator[Is | Like | Range]:
    match node:
        case And(nodes) | Or(nodes):
            for one in nodes:
                yield from _leaves(one)
        case Not(one):
            yield from _leaves(one)
        case Is() | Like() | Range():
            yield node


# The products' queries.

_MEANT = re.compile(r'([-+=&|><!(){}\[\]^"~*?:\\/ ])')


def _query(node: Node, mapped: Mapping[str, str]) -> dict[str, Any]:
    match node:
        case And(nodes):
            return {"bool": {"filter": [_query(one, mapped) for one in nodes]}}
        case Or(nodes):
            return {"bool": {"should": [_query(one, mapped) for one in nodes], "minimum_should_match": 1}}
        case Not(one):
            return {"bool": {"must_not": _query(one, mapped)}}
    return {"bool": {"should": [_leaf(node, mapped.get(node.field, ""))], "minimum_should_match": 1}}


def _leaf(node: Is | Like | Range, kind: str) -> dict[str, Any]:
    match node:
        case Range(field, op, value):
            return {"range": {field: {op: value}}}
        case Like(field, parts):
            return _like(field, parts, kind)
    if kind == "date":
        return {"range": {node.field: {"gte": node.value, "lte": node.value}}}
    if kind == "keyword":
        return {"term": {node.field: {"value": node.value}}}
    return {"match_phrase" if node.quoted else "match": {node.field: node.value}}


def _like(field: str, parts: tuple[str, ...], kind: str) -> dict[str, Any]:
    if not any(parts):
        return {"exists": {"field": field}}
    pattern = "*".join(_MEANT.sub(r"\\\1", part) for part in parts)
    if kind == "keyword":
        return {"wildcard": {field: {"value": pattern}}}
    return {"query_string": {"fields": [field], "query": pattern}}
