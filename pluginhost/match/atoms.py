"""What must be the case for a predicate to hold, as few questions that a table can answer for thousands of rules at once.

An atom asks one thing of one field. A clause is a set of atoms of which at least one holds wherever the predicate does: the
empty clause never does, and no clause at all (None) means that nothing is known. Sound, never exact: what a clause lets
through is still judged by the compiled predicate.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any as Anything
from typing import Literal, NamedTuple, cast

from .literals import LONG_S, required
from .patterns import pieces
from .tree import ANY_FIELD, EVENT_TIME, All, Any, AtLeast, Leaf, Node, Not, Same, children
from .views import address

__all__ = ["Atom", "Clause", "Reading", "costs", "necessary", "proven"]

Reading = Literal["exact", "folded", "number", "address"]


class Atom(NamedTuple):
    """One question to one field: whether an element, as `reading` sees it, is, begins with or contains `key`; or whether it is there."""

    field: str
    reading: Reading | Literal[""]
    shape: Literal["equal", "prefix", "part", "present"]
    key: Anything


Clause = frozenset[Atom]
Cost = Callable[[Clause], float]

_KEYS: dict[str, Callable[[Anything], Anything]] = {
    "exact": lambda value: value, "folded": str.lower, "number": lambda value: value, "address": address,
}  # fmt: skip
"""How a reading brings what an equality compares with into the form of its view."""

_UNREADABLE = frozenset({ANY_FIELD, EVENT_TIME})  # the time is an event's own, whatever stands in its record
_NEVER: Clause = frozenset()
_IPV4_MAPPED = bytes(10) + b"\xff\xff"
_LARGEST = 1e300  # what has more digits is no number to `views.number`

_LOOK = 10.0
"""What reading one more field of every record costs, in the probabilities of one unshared equality."""


def necessary(node: Node, cost: Cost) -> Clause | None:
    """The cheapest clause that follows from `node`, a tree that compiles; None if none does."""
    match node:
        case Leaf():
            return min(_clauses(node), key=cost, default=None)
        case All(nodes):
            return _of(nodes, 1, cost)
        case Any(nodes):
            return _of(nodes, len(nodes), cost)
        case AtLeast(n, nodes):
            return _of(nodes, len(nodes) - n + 1, cost)
        case Same(path):  # not its leaves: the element has `k` where the record, which may have a flat `path.k` beside it, has another
            return min(_present(path), key=cost, default=None)
        case Not():
            return None


def _of(nodes: Sequence[Node], count: int, cost: Cost) -> Clause | None:
    """The union of the `count` cheapest clauses of `nodes`: where so many cannot all fail, one of them holds."""
    found = sorted((clause for node in nodes if (clause := necessary(node, cost)) is not None), key=cost)
    return _NEVER.union(*found[: max(count, 0)]) if len(found) >= count else None


def costs(nodes: Iterable[Node]) -> Cost:
    """How often a clause holds, guessed, and how much it adds to what every record is asked.

    Whatever many rules have in common is common among records; a text may occur in anything the more easily the shorter it
    is; and a field that few rules ask about costs every record a look. The presence of a field is the last resort.
    """
    uses = Counter(atom for node in nodes for clause in _every(node) for atom in clause)
    fields: Counter[str] = Counter()
    for atom, count in uses.items():
        fields[atom.field] += count
    each = {atom: count * _commonness(atom) + _LOOK / fields[atom.field] for atom, count in uses.items()}
    return lambda clause: math.fsum(each[atom] for atom in clause)  # whatever the order of a set


def _commonness(atom: Atom) -> float:
    match atom:
        case Atom(shape="present"):
            return 1e9
        case Atom(shape="prefix", key=text):
            return 1 + 16 / len(text) ** 2
        case Atom(shape="part", key=text):
            return 0 if text == LONG_S else 2 + 64 / len(text) ** 2
        case _:
            return 1


def _every(node: Node) -> Iterable[Clause]:
    """The clauses from which `necessary` chooses."""
    match node:
        case Leaf():
            return _clauses(node)
        case Same(path):
            return _present(path)
        case Not():
            return ()
        case _:
            return (clause for child in children(node) for clause in _every(child))


# --- one leaf ---


def _clauses(leaf: Leaf) -> list[Clause]:
    """What follows from `leaf`, each by itself."""
    if leaf.op == "missing" or leaf.field in _UNREADABLE:
        return []
    if leaf.op in ("equals", "one_of") and (key := _KEYS.get(leaf.reading)):
        values = leaf.operand if isinstance(leaf.operand, tuple) else (leaf.operand,)
        atoms = [Atom(leaf.field, cast("Reading", leaf.reading), "equal", key(value)) for value in values]
        plain = [Atom(leaf.field, "exact", "equal", text) for atom in atoms if (text := _usual(atom)) is not None]
        return [frozenset((*atoms, *plain))]
    if leaf.reading in ("exact", "folded", "tokens"):
        return [*_textual(leaf), *_present(leaf.field)]
    return _present(leaf.field)


def _usual(atom: Atom) -> str | None:
    """How the number or IPv4 address of `atom` is nearly always spelled, so that a look at the text finds it without reading it."""
    match atom:
        case Atom(reading="number", key=number) if -_LARGEST < number < _LARGEST and number == int(number):
            return str(int(number))
        case Atom(reading="address", key=packed) if packed.startswith(_IPV4_MAPPED):
            return ".".join(map(str, packed[12:]))
    return None


def _present(field: str) -> list[Clause]:
    return [] if field in _UNREADABLE else [frozenset({Atom(field, "", "present", None)})]


def _textual(leaf: Leaf) -> list[Clause]:
    """What a test of text asks of it. A token stands, as it is, in the lower-case text that it was found in."""
    lowered = leaf.reading == "folded"
    operand: Anything = leaf.operand.lower() if lowered and isinstance(leaf.operand, str) and leaf.op != "regex" else leaf.operand
    match leaf.op:
        case "equals" | "suffix" | "contains":
            return _parts(leaf, [{operand}])
        case "one_of":
            return _parts(leaf, [operand])
        case "phrase":
            return _parts(leaf, [{token} for token in operand])
        case "prefix":
            return _prefix(leaf, operand)
        case "wildcard":
            return _wildcard(leaf, pieces(operand))
        case "regex":
            sets, folded = required(operand, ignore_case=lowered)
            return _parts(leaf, [texts | {LONG_S} if folded and "s" in "".join(texts) else texts for texts in sets], folded=folded)
    return []


def _wildcard(leaf: Leaf, parts: list[tuple[str, bool]]) -> list[Clause]:
    beginning = parts[0][0] if parts and not parts[0][1] else ""
    return [*_prefix(leaf, beginning), *_parts(leaf, [{text} for text, wild in parts if not wild])]


def _prefix(leaf: Leaf, text: str) -> list[Clause]:
    if leaf.reading == "tokens" or not text:
        return _parts(leaf, [{text}])
    return [frozenset({Atom(leaf.field, cast("Reading", leaf.reading), "prefix", text)})]


def _parts(leaf: Leaf, sets: Iterable[Iterable[str]], *, folded: bool = False) -> list[Clause]:
    """A clause for each set of texts of which one must be contained. Not the empty text, which every value contains."""
    reading: Reading = "exact" if leaf.reading == "exact" and not folded else "folded"
    clauses = (frozenset(Atom(leaf.field, reading, "part", text) for text in texts) for texts in sets)
    return [clause for clause in clauses if all(_searchable(atom.key) for atom in clause)]


def _searchable(text: str) -> bool:
    return text != "" and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def proven(node: Node) -> bool:
    """Whether `node` holds wherever its clause does: equalities only, and alternatives of them."""
    match node:
        case Leaf(field, ("equals" | "one_of"), _, reading):
            return reading in _KEYS and field not in _UNREADABLE
        case Any(nodes):
            return all(map(proven, nodes))
        case _:
            return False
