"""A predicate tree into one Python function.

The source holds no text of a query: fields, operands and tests are constants bound by name. What is cheap comes first,
which changes no answer because nothing has an effect. Inside the function a value of the wrong type does not match;
nothing raises. A field that is asked more than once is read, and tokenised, at most once per call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any as Anything
from typing import NamedTuple

from ..events.fields import MISSING, Document
from ..problem import Problem
from . import views
from .questions import VIEWS, plain_addresses, question
from .tree import ANY_FIELD, EVENT_TIME, All, Any, AtLeast, Leaf, Node, Not, Same, Test, children, relative, simplify, size

__all__ = ["MOST_LEVELS", "MOST_VALUES", "Expressions", "check", "compile", "expressions", "source"]

MOST_VALUES = 100_000
"""Values that one tree may compare."""

MOST_LEVELS = 50
"""Levels that one tree may have; Python refuses 200 nested parentheses."""

_PRESENCE = {
    "exists": "((x := {value}).__class__ is str or (x is not MISSING and present(values({field}))))", "missing": "{value} is MISSING",
    "null": "None in values({field})", "empty": "vacant({value}, values({field}))",
}  # fmt: skip
_HELPERS = (*VIEWS.values(), "bare", "objects", "present", "vacant")
_READING_COST = {"exact": 1, "folded": 2, "number": 2, "address": 3, "date": 4, "tokens": 8}
_OP_COST = {"regex": 10, "wildcard": 5, "contains": 1}


def compile(node: Node) -> Test:  # noqa: A001 - callers say `match.compile`
    """The function that says whether a record passes; `Problem` if the tree is too large or an operand is malformed."""
    written = expressions([node])
    exec(_text(written), written.names)  # noqa: S102 - the text is made here, from names only
    made: Test = written.names["match"]
    return made


def source(node: Node) -> str:
    """The text of the function that `compile` makes."""
    return _text(expressions([node]))


class Expressions(NamedTuple):
    """Predicates as Python expressions over the record's `f`, `get` and `values`, and the fields at hand.

    `names` are the constants they refer to and `tests` the definitions they call. For each record the `kept` variables must be
    None and the statements `prepared` run first: what several expressions ask is read, and compared, once.
    """

    each: list[str]
    names: dict[str, Anything]
    tests: list[str]
    kept: list[str]
    prepared: list[str]


def expressions(nodes: Iterable[Node], at_hand: Mapping[str, str] | None = None) -> Expressions:
    """The predicates, to be written into one function; `Problem` if one is too large or has a malformed operand.

    `at_hand` names, by field, the variables that hold values already, `MISSING` ones too; other fields are asked for by `get`.
    """
    simple = []
    for node in nodes:
        check(node)
        simple.append(simplify(node))
    writer = _Writer(simple, at_hand or {})
    each = [writer.node(node) for node in simple]
    return Expressions(each, writer.names, writer.tests, list(writer.kept.values()), writer.prepared)


def _text(written: Expressions) -> str:
    body = [*written.tests, "def match(f):", "    get, values = f.get, f.values",
            *(f"    {name} = None" for name in written.kept), f"    return {written.each[0]}"]  # fmt: skip
    return "\n".join(body) + "\n"


def check(node: Node) -> None:
    """Raises a `Problem` if the tree is larger than the compiler takes."""
    values, levels = size(node)
    if values > MOST_VALUES or levels > MOST_LEVELS:
        what = f"the query has {values} values on {levels} levels; at most {MOST_VALUES} on {MOST_LEVELS} are taken"
        raise Problem("query.too_large", what, todo="split it, or keep long lists in a table that the analyzer looks into")


class _Writer:
    """Writes expressions and collects what they refer to."""

    def __init__(self, nodes: Iterable[Node], at_hand: Mapping[str, str]) -> None:
        self._at_hand = at_hand
        self.names: dict[str, Anything] = {"MISSING": MISSING, "Document": Document, **{name: getattr(views, name) for name in _HELPERS}}
        self.tests: list[str] = []
        self.kept: dict[tuple[str, str], str] = {}
        self.prepared: list[str] = []
        leaves = [leaf for node in nodes for leaf in _own(node) if leaf.op not in _PRESENCE]
        self._uses, self._asked = Counter((leaf.field, leaf.reading) for leaf in leaves), Counter(leaves)
        self._texts: dict[str, str] = {}
        self._answers: dict[Leaf, str] = {}
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

    def value(self, name: str) -> str:
        """The expression for a field's value, `MISSING` if it has none."""
        return self._at_hand.get(name) or f"get({self.field(name)}, MISSING)"

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
            return f"({_PRESENCE[leaf.op].format(field=field, value=self.value(leaf.field))})"
        try:
            asked = question(leaf, self.bind)
        except ValueError as error:
            raise Problem("query.operand", f"`{leaf.field}` cannot be compared: {error}") from None
        if relative(leaf):
            return f"any([{asked} for now in dates(values({self.field(EVENT_TIME)}))[:1] for x in dates(values({field}))])"
        test = f"t{len(self.tests)}"
        self.tests.append(f"{test} = lambda x: {asked}")
        if leaf.reading in ("exact", "folded") and leaf.field != ANY_FIELD:
            return self._of_text(leaf, field, asked, test)
        view = self._view(leaf, field)
        found = f"any(map({test}, {view}))"
        if (texts := plain_addresses(leaf)) and leaf.field != ANY_FIELD:
            return f'(x in {self.bind(texts)} if (x := {self.value(leaf.field)}).__class__ is str and ":" not in x else {found})'
        return found

    def _of_text(self, leaf: Leaf, field: str, asked: str, test: str) -> str:
        """By far the most common: a field that holds one text."""
        if leaf.reading == "exact" and self._uses[leaf.field, leaf.reading] < 2:
            others = f"x is not MISSING and ({asked} if (x := bare(x)).__class__ is str else any(map({test}, x)))"
            return f"({asked} if (x := {self.value(leaf.field)}).__class__ is str else {others})"
        others = f"{asked.removeprefix('x == ')} in x" if leaf.op == "equals" else f"any(map({test}, x))"
        if leaf.reading == "folded" or leaf.field not in self._at_hand:
            return f"({asked} if (x := {self._view(leaf, field)}).__class__ is str else {others})"
        made = f"({asked} if (x := {self._text(leaf.field)}).__class__ is str else x is not MISSING and {others})"
        if self._asked[leaf] < 2:
            return made
        if leaf not in self._answers:
            self._answers[leaf] = f"q{len(self._answers)}"
            self.prepared.append(f"{self._answers[leaf]} = {made}")
        return self._answers[leaf]

    def _text(self, name: str) -> str:
        """The variable with the text of a field at hand, or the texts, or `MISSING`."""
        if name not in self._texts:
            made = self._texts[name] = f"w{len(self._texts)}"
            self.prepared.append(f"{made} = x if (x := {self.value(name)}).__class__ is str or x is MISSING else bare(x)")
        return self._texts[name]

    def _view(self, leaf: Leaf, field: str) -> str:
        """The field's values as the reading sees them; exact and folded give the bare text where there is one value."""
        key, view = (leaf.field, leaf.reading), VIEWS[leaf.reading]
        if leaf.field == ANY_FIELD:
            made = f"{view}(f.texts())"
        elif leaf.reading == "exact":
            made = f"x if (x := {self.value(leaf.field)}).__class__ is str else bare(x)"
        elif leaf.reading == "folded":
            made = f"x.lower() if (x := {self.value(leaf.field)}).__class__ is str else folded(values({field}))"
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
