"""The predicate tree: what a `where`, a route or a mute asks of a record, as plain data.

Every front end makes this tree and the compiler turns it into Python; the tree itself knows no query language and
evaluates nothing. A leaf asks whether *any* element of a field's value passes, so `Not` of a leaf means "no element".
Trees are frozen, hashable, and travel as msgpack (`pack`, `unpack`).

| operator | operand | passes when an element, in the leaf's reading, … |
|---|---|---|
| equals, one_of | a value, a tuple of values | is it, is one of them |
| prefix, suffix, contains | text | begins with, ends with, contains it |
| wildcard | a pattern, escapes `\\*`, `\\?`, `\\\\` | is matched as a whole |
| regex | RE2 syntax | is matched as a whole; `.` matches every character |
| range | `Range` | lies in it |
| cidr | text, `10.0.0.0/8` | is an address of that network |
| phrase | a tuple of tokens | has them side by side in this order (reading tokens) |
| exists, missing, null, empty | none | about the field: has a value; is not there; holds a null; holds "", [] or {} |
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from ..events.fields import Fields

__all__ = [
    "ANY_FIELD", "EVENT_TIME", "EVERYTHING", "NOTHING", "All", "Any", "AtLeast", "Fields", "Leaf", "Node", "Not", "Op", "Operand", "Range",
    "Reading", "Same", "Test", "children", "fields", "leaves", "pack", "relative", "simplify", "size", "unpack",
]  # fmt: skip

Test = Callable[[Fields], bool]
"""What the compiler makes of a tree: whether a record, or a document, passes."""

Reading = Literal["exact", "folded", "tokens", "number", "date", "address"]
Op = Literal[
    "equals", "one_of", "prefix", "suffix", "contains", "wildcard", "regex", "range", "cidr", "phrase",
    "exists", "missing", "null", "empty",
]  # fmt: skip

ANY_FIELD = ""
"""The field of a leaf that is asked of every text (and number, by its text) in the record."""

EVENT_TIME = "@timestamp"
"""The field whose value is `now` in a date expression, so that a replay gives the same answer."""


class Range(msgspec.Struct, frozen=True, tag="range", omit_defaults=True):
    """From `lower` to `upper`; None is unbounded. Text, numbers, date expressions or addresses, as the reading asks."""

    lower: str | int | float | None = None
    upper: str | int | float | None = None
    include_lower: bool = True
    include_upper: bool = True


Operand = str | int | float | tuple[str | int | float, ...] | Range | None


class Leaf(msgspec.Struct, frozen=True, tag="leaf", omit_defaults=True):
    """One question to one field."""

    field: str
    op: Op
    operand: Operand = None
    reading: Reading = "exact"


class All(msgspec.Struct, frozen=True, tag="all"):
    """Every one of `nodes`; of none: true."""

    nodes: tuple[Node, ...]


class Any(msgspec.Struct, frozen=True, tag="any"):
    """At least one of `nodes`; of none: false."""

    nodes: tuple[Node, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """The opposite of `node`."""

    node: Node


class AtLeast(msgspec.Struct, frozen=True, tag="at_least"):
    """At least `n` of `nodes`."""

    n: int
    nodes: tuple[Node, ...]


class Same(msgspec.Struct, frozen=True, tag="same"):
    """`node` holds for one and the same element of the list of objects at `path`; its fields are relative to the element."""

    path: str
    node: Node


Node = Leaf | All | Any | Not | AtLeast | Same

EVERYTHING = All(())
NOTHING = Any(())

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: msgspec.msgpack.Decoder[Node] = msgspec.msgpack.Decoder(Node)


def pack(node: Node) -> bytes:
    """The tree as msgpack."""
    return _ENCODER.encode(node)


def unpack(data: bytes) -> Node:
    """The tree that `pack` made; `msgspec.ValidationError` if it is none."""
    return _DECODER.decode(data)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    match node:
        case Leaf():
            return ()
        case Not(inner) | Same(_, inner):
            return (inner,)
        case _:
            return node.nodes


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf, left to right; those inside `Same` with their full field names."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Same):
        for leaf in leaves(node.node):
            yield msgspec.structs.replace(leaf, field=f"{node.path}.{leaf.field}" if leaf.field else node.path)
    else:
        for child in children(node):
            yield from leaves(child)


def fields(node: Node) -> set[str]:
    """The names of all fields it asks about; `ANY_FIELD` among them means the whole record."""
    found = {leaf.field for leaf in leaves(node)}
    return found | {EVENT_TIME} if any(relative(leaf) for leaf in leaves(node)) else found


def relative(leaf: Leaf) -> bool:
    """Whether it compares with `now`, the time of the record."""
    bounds = (leaf.operand.lower, leaf.operand.upper) if isinstance(leaf.operand, Range) else (leaf.operand,)
    return leaf.reading == "date" and any(isinstance(bound, str) and bound.startswith("now") for bound in bounds)


def size(node: Node) -> tuple[int, int]:
    """(values compared, levels): what the compiler bounds."""
    if isinstance(node, Leaf):
        return (len(node.operand) if isinstance(node.operand, tuple) else 1), 1
    below = [size(child) for child in children(node)]
    return sum(count for count, _ in below) + 1, 1 + max((depth for _, depth in below), default=0)


def simplify(node: Node) -> Node:
    """The same question in fewer nodes: levels flattened, constants folded, alternatives of one field in one `one_of`."""
    match node:
        case Leaf():
            return node
        case All(nodes):
            return _level(All, nodes, neutral=EVERYTHING, absorbing=NOTHING)
        case Any(nodes):
            return _level(Any, nodes, neutral=NOTHING, absorbing=EVERYTHING)
        case Not(inner):
            return _negated(simplify(inner))
        case Same(path, inner):
            inner = simplify(inner)
            return NOTHING if inner == NOTHING else Same(path, inner)
        case AtLeast(n, nodes):
            return _counted(n, [simplify(child) for child in nodes])


def _negated(node: Node) -> Node:
    match node:
        case Not(inner):
            return inner
        case All(()):
            return NOTHING
        case Any(()):
            return EVERYTHING
        case _:
            return Not(node)


def _counted(n: int, nodes: list[Node]) -> Node:
    n -= sum(child == EVERYTHING for child in nodes)
    rest = tuple(child for child in nodes if child not in (EVERYTHING, NOTHING))
    if n <= 0:
        return EVERYTHING
    if n > len(rest):
        return NOTHING
    if n == 1 or n == len(rest):
        return simplify((Any if n == 1 else All)(rest))
    return AtLeast(n, rest)


def _level(kind: type[All | Any], nodes: Iterable[Node], neutral: Node, absorbing: Node) -> Node:
    flat: dict[Node, None] = {}  # a set that keeps the order
    for child in map(simplify, nodes):
        if child == absorbing:
            return absorbing
        flat.update(dict.fromkeys(child.nodes if isinstance(child, kind) else (child,)))
    rest = list(flat) if kind is All else _joined(flat)
    if len(rest) == 1:
        return rest[0]
    return kind(tuple(rest)) if rest else neutral


def _joined(nodes: Iterable[Node]) -> list[Node]:
    """Alternatives with all equalities of one field and reading in the place of the first of them."""
    alternatives: dict[object, dict[str | int | float, None]] = {}
    first: dict[object, Node] = {}
    for node in nodes:
        key: object = node
        if isinstance(node, Leaf) and node.op in ("equals", "one_of"):
            key = (node.field, node.reading)
            values = typing.cast("tuple[str | int | float, ...]", node.operand if isinstance(node.operand, tuple) else (node.operand,))
            alternatives.setdefault(key, {}).update(dict.fromkeys(values))
        first.setdefault(key, node)
    return [_alternatives(node, tuple(alternatives[key])) if key in alternatives else node for key, node in first.items()]


def _alternatives(node: Node, values: tuple[str | int | float, ...]) -> Node:
    """`node`, a leaf of equality, with `values` as its operand."""
    leaf = typing.cast(Leaf, node)
    if len(values) == 1:
        return Leaf(leaf.field, "equals", values[0], leaf.reading)
    return Leaf(leaf.field, "one_of", values, leaf.reading)
