"""What only a tree can say, and what the generated function owes: no text of the query, one reading, no errors."""

import pytest

from pluginhost import match
from pluginhost.events.fields import Document
from pluginhost.match import EVERYTHING, NOTHING, All, Any, AtLeast, Leaf, Not, Range, Same, parse, source
from pluginhost.match.compiler import MOST_LEVELS
from pluginhost.match.tree import size
from pluginhost.problem import Problem


def matches(tree, record):
    return match.compile(tree)(Document(record))


@pytest.mark.parametrize(
    ("record", "exists", "missing", "null", "empty"),
    [
        ({}, False, True, False, False),
        ({"a": None}, False, False, True, False),
        ({"a": ""}, True, False, False, True),
        ({"a": []}, False, False, False, True),
        ({"a": {}}, False, False, False, True),
        ({"a": 0}, True, False, False, False),
        ({"a": False}, True, False, False, False),
        ({"a": ["x", None]}, True, False, True, False),
        ({"a": ["x", ""]}, True, False, False, True),
        ({"a": {"b": None}}, False, False, False, False),
        ({"a": {"b": "x"}}, True, False, False, False),
        ({"a": [{"b": "x"}, {}]}, True, False, False, True),
    ],
)
def test_missing_null_and_empty_are_three_things(record, exists, missing, null, empty):
    assert [matches(Leaf("a", op), record) for op in ("exists", "missing", "null", "empty")] == [exists, missing, null, empty]


def test_at_least_n():
    tree = AtLeast(2, tuple(Leaf(name, "exists") for name in "abc"))
    assert not matches(tree, {"a": 1})
    assert matches(tree, {"a": 1, "c": 1})
    assert matches(tree, {"a": 1, "b": 1, "c": 1})


def test_same_element():
    both = All((Leaf("k", "equals", "x"), Leaf("v", "equals", 2, "number")))
    crossed, straight = {"o": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]}, {"o": [{"k": "y"}, [{"k": "x", "v": 2}]]}
    assert not matches(Same("o", both), crossed)
    assert matches(Same("o", both), straight)
    assert matches(Same("o", both), {"o": {"k": "x", "v": 2}})
    assert matches(Same("p.o", Same("q", Leaf("k.l", "prefix", "x"))), {"p": [{"o": {"q": [{"k": {"l": "xy"}}]}}]})
    for record in ({}, {"o": None}, {"o": "x"}, {"o": [1, "x", None]}):
        assert not matches(Same("o", EVERYTHING), record)
    assert not matches(Not(Same("o", both)), straight)


@pytest.mark.parametrize(
    ("leaf", "yes", "no"),
    [
        (Leaf("a", "equals", "ABc", "folded"), "abC", "abd"),
        (Leaf("a", "one_of", ("X", "y"), "folded"), ["z", "Y"], ["z"]),
        (Leaf("a", "contains", "Bc", "folded"), "xABCx", "xAxC"),
        (Leaf("a", "wildcard", "a*C", "folded"), "AbbC", "bC"),
        (Leaf("a", "wildcard", "a?C*", "folded"), "AbCd", "bC"),
        (Leaf("a", "regex", "A[b-d]+", "folded"), "aBC", "aX"),
        (Leaf("a", "range", Range("B", "C"), "folded"), "bx", "d"),
        (Leaf("a", "wildcard", "ab*ba"), "abba", "aba"),
        (Leaf("a", "wildcard", "a*b*c"), "abxc", "acb"),
        (Leaf("a", "prefix", "x", "tokens"), "a-xy", "ax"),
        (Leaf("a", "equals", "xy", "tokens"), "a-XY", "axy"),
        (Leaf("a", "phrase", ("x", "x", "y"), "tokens"), "x x x y", "x x z y"),
        (Leaf("a", "one_of", (5, 7.5), "number"), "7.50", 6),
        (Leaf("a", "one_of", ("2024-05", "2023"), "date"), "2023-07-01", "2024-06-01"),
        (Leaf("a", "one_of", ("10.0.0.1", "::1"), "address"), "0:0::1", "10.0.0.2"),
        (Leaf("a", "range", Range(), "number"), 5, "x"),
        (Leaf("", "equals", "Whole text"), "Whole text", "whole text"),
        (Leaf("", "range", Range(5, 6), "number"), "5.5", "7"),
        (Leaf("a", "equals", "4"), 4.0, 4.5),
    ],
)
def test_leaves_that_no_query_string_makes(leaf, yes, no):
    assert matches(leaf, {"a": yes})
    assert not matches(leaf, {"a": no})


def test_constants():
    assert matches(EVERYTHING, {})
    assert not matches(NOTHING, {"a": 1})
    assert match.compile(AtLeast(1, (EVERYTHING, NOTHING)))(Document({})) is True


def test_a_field_asked_twice_is_tokenised_once():
    asked = []

    class Counting(Document):
        def values(self, field):
            asked.append(field)
            return super().values(field)

    test = match.compile(parse('message:("x y" OR z* OR /w+/ OR q)'))
    assert test(Counting({"message": "w"}))
    assert asked == ["message"]


def test_cheap_questions_come_first():
    asked = []

    class Counting(Document):
        def get(self, field, default=None):
            asked.append(field)
            return super().get(field, default)

    assert not match.compile(parse("cmd:/x.*/ AND (cmd:*a* OR cmd:b) AND NOT code:z AND user:root"))(Counting({"cmd": "x", "user": "bob"}))
    assert asked == ["user"]


def test_the_source_holds_no_text_of_the_query():
    text = source(parse('fäld:"sécret\\"" AND peer:10.9.8.7\\/31 AND message:/qqq+/ AND source.port:31337 AND @timestamp:>1999-12'))
    assert not any(part in text for part in ("fäld", "sécret", "peer", "10.9", "qqq", "31337", "1999", "message", "timestamp"))
    assert match.compile(parse('k:"\\"); import os #"'))(Document({"k": '"); import os #'}))


def test_what_is_too_large_is_a_problem():
    deep = Leaf("a", "exists")
    for _ in range(60):
        deep = AtLeast(2, (deep, Leaf("b", "exists"), Leaf("c", "exists")))
    wide = Any(tuple(Leaf(f"f{number}", "exists") for number in range(100_001)))
    for tree in (deep, wide, Leaf("a", "one_of", tuple(range(100_001)), "number")):
        with pytest.raises(Problem) as caught:
            match.compile(tree)
        assert caught.value.code == "query.too_large"


@pytest.mark.parametrize(
    "leaf",
    [
        Leaf("a", "equals", "x", "address"), Leaf("a", "cidr", "10.0.0.0/40", "address"), Leaf("a", "equals", "soon", "date"),
        Leaf("a", "contains", 5), Leaf("a", "phrase", ("x",)), Leaf("a", "prefix", "x", "number"), Leaf("a", "equals"),
        Leaf("a", "equals", 5), Leaf("a", "equals", 5, "folded"), Leaf("a", "equals", "5", "number"), Leaf("a", "range", "x"),
        Leaf("a", "range", Range(5, "x")), Leaf("a", "phrase", (), "tokens"), Leaf("a", "range", Range("1"), "number"),
    ],
)  # fmt: skip
def test_an_operand_that_does_not_fit_is_a_problem(leaf):
    with pytest.raises(Problem) as caught:
        match.compile(leaf)
    assert caught.value.code == "query.operand"


def test_the_deepest_tree_compiles():
    deep = Leaf("a", "regex", "x+", "folded")
    for number in range((MOST_LEVELS - 1) // 2):
        deep = Not((Any if number % 2 else All)((deep, Leaf("a", "contains", "y", "folded"))))
    assert size(deep)[1] == MOST_LEVELS - 1
    assert not matches(deep, {"a": "X"})
    assert matches(Not(deep), {"a": "X"})
