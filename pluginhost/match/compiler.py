"""A predicate tree into one Python function.

The source holds no text of a query: fields, operands and tests are constants bound by name. What is cheap comes first,
which changes no answer because nothing has an effect. Inside the function a value of the wrong type does not match;
nothing raises. A field that is asked more than once is read, and tokenised, at most once per call.
"""

from __future__ import annotations

from collections import Counter
from typing import Any as Anything

from ..events.fields import MISSING, Document
from ..problem import Problem
from . import views
from .questions import VIEWS, plain_addresses, question
from .tree import ANY_FIELD, EVENT_TIME, All, Any, AtLeast, Leaf, Node, Not, Same, Test, children, relative, simplify, size

__all__ = ["MOST_LEVELS", "MOST_VALUES", "check", "compile", "source"]

MOST_VALUES = 100_000
"""Values that one tree may compare."""

MOST_LEVELS = 50
"""Levels that one tree may have; Python refuses 200 nested parentheses."""

_PRESENCE = {
    "exists": "present(values({field}))", "missing": "get({field}, MISSING) is MISSING",
    "null": "None in values({field})", "empty": "vacant(get({field}), values({field}))",
}  # fmt: skip
_HELPERS = (*VIEWS.values(), "objects", "present", "vacant")
_READING_COST = {"exact": 1, "folded": 2, "number": 2, "address": 3, "date": 4, "tokens": 8}
_OP_COST = {"regex": 10, "wildcard": 5, "contains": 1}


def compile(node: Node) -> Test:  # noqa: A001 - callers say `match.compile`
    """The function that says whether a record passes; `Problem` if the tree is too large or an operand is malformed."""
    text, names = _written(node)
    exec(text, names)  # noqa: S102 - the text is made here, from names only
    made: Test = names["match"]
    return made


def source(node: Node) -> str:
    """The text of the function that `compile` makes."""
    return _written(node)[0]


def check(node: Node) -> None:
    """Raises a `Problem` if the tree is larger than the compiler takes."""
    values, levels = size(node)
    if values > MOST_VALUES or levels > MOST_LEVELS:
        what = f"the query has {values} values on {levels} levels; at most {MOST_VALUES} on {MOST_LEVELS} are taken"
        raise Problem("query.too_large", what, todo="split it, or keep long lists in a table that the analyzer looks into")


def _written(node: Node) -> tuple[str, dict[str, Anything]]:
    check(node)
    node = simplify(node)
    writer = _Writer(node)
    answer = writer.node(node)
    body = [*writer.tests, "def match(f):", "    get, values = f.get, f.values", *(f"    {name} = None" for name in writer.kept.values()),
            f"    return {answer}"]  # fmt: skip
    return "\n".join(body) + "\n", writer.names


class _Writer:
    """Writes expressions and collects what they refer to."""

    def __init__(self, node: Node) -> None:
        self.names: dict[str, Anything] = {"MISSING": MISSING, "Document": Document, **{name: getattr(views, name) for name in _HELPERS}}
        self.tests: list[str] = []
        self.kept: dict[tuple[str, str], str] = {}
        self._uses = Counter((leaf.field, leaf.reading) for leaf in _own(node) if leaf.op not in _PRESENCE)
        self._fields: dict[str, str] = {}

    def bind(self, value: Anything) -> str:
        """A name for a constant."""
        name = f"c{len(self.names) - len(_HELPERS) - 2}"
        self.names[name] = value
        return name

    def field(self, name: str) -> str:
        """The constant that holds a field's name."""
        if name not in self._fields:
            self._fields[name] = self.bind(name)
        return self._fields[name]

    def node(self, node: Node) -> str:
        """A boolean expression."""
        match node:
            case Leaf():
                return self._leaf(node)
            case All(nodes) | Any(nodes):
                if not nodes:
                    return str(isinstance(node, All))
                word = " and " if isinstance(node, All) else " or "
                return f"({word.join(self.node(child) for child in sorted(nodes, key=_cost))})"
            case Not(inner):
                return f"(not {self.node(inner)})"
            case AtLeast(n, nodes):
                return f"(sum(({', '.join(self.node(child) for child in nodes)},)) >= {n:d})"
            case Same(path, inner):
                return f"any(map({self.bind(compile(inner))}, map(Document, objects(get({self.field(path)})))))"

    def _leaf(self, leaf: Leaf) -> str:
        field = self.field(leaf.field)
        if leaf.op in _PRESENCE:
            return f"({_PRESENCE[leaf.op].format(field=field)})"
        try:
            asked = question(leaf, self.bind)
        except ValueError as error:
            raise Problem("query.operand", f"`{leaf.field}` cannot be compared: {error}") from None
        if relative(leaf):
            return f"any([{asked} for now in dates(values({self.field(EVENT_TIME)}))[:1] for x in dates(values({field}))])"
        test = f"t{len(self.tests)}"
        self.tests.append(f"{test} = lambda x: {asked}")
        if leaf.reading == "exact" and leaf.field != ANY_FIELD and self._uses[leaf.field, leaf.reading] < 2:  # by far the most common
            return f"({asked} if (x := get({field})).__class__ is str else x is not None and any(map({test}, exact(values({field})))))"
        view = self._view(leaf, field)
        if leaf.reading in ("exact", "folded") and leaf.field != ANY_FIELD:
            return f"({asked} if (x := {view}).__class__ is str else any(map({test}, x)))"
        found = f"any(map({test}, {view}))"
        if (texts := plain_addresses(leaf)) and leaf.field != ANY_FIELD:
            return f'(x in {self.bind(texts)} if (x := get({field})).__class__ is str and ":" not in x else {found})'
        return found

    def _view(self, leaf: Leaf, field: str) -> str:
        """The field's values as the reading sees them; exact and folded give the bare text where there is one value."""
        key, view = (leaf.field, leaf.reading), VIEWS[leaf.reading]
        if leaf.field == ANY_FIELD:
            made = f"{view}(f.texts())"
        elif leaf.reading == "exact":
            made = f"x if (x := get({field})).__class__ is str else exact(values({field}))"
        elif leaf.reading == "folded":
            made = f"x.lower() if (x := get({field})).__class__ is str else folded(values({field}))"
        else:
            made = f"{view}(values({field}))"
        if self._uses[key] < 2:
            return f"({made})"
        kept = self.kept.setdefault(key, f"v{len(self.kept)}")
        return f"({kept} if {kept} is not None else ({kept} := ({made})))"


def _own(node: Node) -> list[Leaf]:
    """The leaves that are asked of the record itself, not of an element in it."""
    if isinstance(node, Leaf):
        return [node]
    return [] if isinstance(node, Same) else [leaf for child in children(node) for leaf in _own(child)]


def _cost(node: Node) -> int:
    if isinstance(node, Leaf):
        return _READING_COST[node.reading] + _OP_COST.get(node.op, 0) + (50 if node.field == ANY_FIELD else 0)
    return 1 + sum(map(_cost, children(node))) + (20 if isinstance(node, Same) else 0)
