"""The tree as plain data: simplified, listed, packed."""

import msgspec
import pytest

from pluginhost.match import EVERYTHING, NOTHING, All, Any, AtLeast, Leaf, Not, Range, Same, fields, pack, parse, simplify, unpack
from pluginhost.match.tree import size

A, B, C = (Leaf(name, "equals", "x") for name in "abc")


@pytest.mark.parametrize(
    ("tree", "simple"),
    [
        (A, A),
        (All((A,)), A),
        (All((A, All((B, C)))), All((A, B, C))),
        (Any((A, Any((B, Any((C,)))))), Any((A, B, C))),
        (All((A, A, B)), All((A, B))),
        (Not(Not(A)), A),
        (Not(EVERYTHING), NOTHING),
        (Not(All((A, NOTHING))), EVERYTHING),
        (All((A, EVERYTHING)), A),
        (All((A, NOTHING)), NOTHING),
        (Any((A, EVERYTHING)), EVERYTHING),
        (Any((NOTHING, NOTHING)), NOTHING),
        (All(()), EVERYTHING),
        (Any((A, Leaf("a", "equals", "y"), B, Leaf("a", "one_of", ("z", "x")))), Any((Leaf("a", "one_of", ("x", "y", "z")), B))),
        (Any((A, Leaf("a", "equals", "x", "folded"))), Any((A, Leaf("a", "equals", "x", "folded")))),
        (Any((A, Leaf("a", "prefix", "x"))), Any((A, Leaf("a", "prefix", "x")))),
        (All((A, Leaf("a", "equals", "y"))), All((A, Leaf("a", "equals", "y")))),
        (AtLeast(1, (A, B)), Any((A, B))),
        (AtLeast(2, (A, B)), All((A, B))),
        (AtLeast(0, (A, B)), EVERYTHING),
        (AtLeast(3, (A, B)), NOTHING),
        (AtLeast(2, (A, B, C, EVERYTHING)), Any((A, B, C))),
        (AtLeast(2, (A, B, C, NOTHING)), AtLeast(2, (A, B, C))),
        (AtLeast(2, (A, A, B)), AtLeast(2, (A, A, B))),
        (Same("o", All((A,))), Same("o", A)),
        (Same("o", NOTHING), NOTHING),
        (Same("o", EVERYTHING), Same("o", EVERYTHING)),
    ],
)
def test_simplified(tree, simple):
    assert simplify(tree) == simple


def test_a_tree_travels_as_msgpack():
    tree = All((
        Leaf("a", "one_of", ("x", "y")), Not(Leaf("n", "range", Range(1, 2.5, include_lower=False), "number")),
        Leaf("p", "phrase", ("a", "b"), "tokens"),
        AtLeast(2, (A, B, C)), Same("o", Any((A, Leaf("k", "missing")))), EVERYTHING, NOTHING,
    ))  # fmt: skip
    assert unpack(pack(tree)) == tree
    assert hash(unpack(pack(tree))) == hash(tree)
    with pytest.raises(msgspec.ValidationError):
        unpack(msgspec.msgpack.encode({"type": "leaf", "field": "a", "op": "guess"}))


def test_fields_are_all_that_have_to_be_read():
    tree = All((A, Not(B), Same("o", All((Leaf("k", "equals", "x"), Same("p", Leaf("q", "exists")))))))
    assert fields(tree) == {"a", "b", "o.k", "o.p.q"}
    assert fields(parse("a:x AND err*")) == {"a", ""}
    assert fields(parse("a:*")) == {"a"}
    assert fields(EVERYTHING) == set()


def test_size_counts_values_and_levels():
    assert size(A) == (1, 1)
    assert size(All((Leaf("a", "one_of", ("x", "y", "z")), Not(B)))) == (6, 3)
