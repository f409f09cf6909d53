"""Booleans that are not booleans: each level as Lucene's classic parser reads it."""

from itertools import product

import pytest

from pluginhost import match
from pluginhost.events.fields import Document
from pluginhost.match import parse, parse_with_warnings

RECORDS = [Document({name: "x" for name, there in zip("abc", bits, strict=True) if there}) for bits in product((True, False), repeat=3)]


def answers(text, **options):
    for name in "abc":
        text = text.replace(name, f"{name}:x")
    return [match.compile(parse(text, **options))(record) for record in RECORDS]


@pytest.mark.parametrize(
    ("mixed", "same"),
    [
        ("a AND b OR c", "a AND b"),
        ("a OR b AND c", "b AND c"),
        ("NOT a OR b", "b AND NOT a"),
        ("a OR NOT c", "a AND NOT c"),
        ("a OR NOT b OR NOT c", "a AND NOT b AND NOT c"),
        ("a OR b NOT c", "(a OR b) AND NOT c"),
        ("(NOT a) OR b", "(*:* AND NOT a) OR b"),
        ("NOT (a OR b)", "(NOT a) AND (NOT b)"),
        ("+a b", "a"),
        ("a NOT b", "a AND NOT b"),
    ],
)
def test_a_level_is_required_excluded_and_optional_clauses(mixed, same):
    assert answers(mixed) == answers(same)


def test_the_table_says_something():
    assert answers("a AND b OR c") != answers("(a AND b) OR c")
    assert answers("NOT a OR b") != answers("(NOT a) OR b")
    assert answers("NOT a") == [record.get("a") is None for record in RECORDS]


def test_with_and_as_the_default_operator():
    assert answers("a AND b OR c", default_operator="AND") == answers("a")
    assert answers("a b", default_operator="AND") == answers("a AND b")
    assert answers("a OR b", default_operator="AND") == answers("a OR b")
    assert answers("a OR b c", default_operator="AND") == answers("c")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("a:x AND b:x OR c:x", "(a:x AND b:x) OR c:x"),
        ("a:x OR b:x AND c:x", "a:x OR (b:x AND c:x)"),
        ("NOT a:x OR b:x", "(NOT a:x) OR b:x"),
        ("b:(x AND y OR z)", "(x AND y) OR z"),
    ],
)
def test_a_mixed_level_is_warned_of_with_the_version_in_parentheses(text, cure):
    (warning,) = parse_with_warnings(text)[1]
    assert f"write `{cure}`" in warning


@pytest.mark.parametrize("text", ["a:x AND b:x", "a:x OR b:x", "a:x AND NOT b:x", "(a:x AND b:x) OR c:x", "NOT a:x", "a:x OR (NOT b:x)"])
def test_an_unmixed_level_is_not(text):
    assert parse_with_warnings(text)[1] == []


def test_a_clause_of_which_analysis_leaves_nothing_is_dropped():
    record = Document({"message": "hello", "a": "x"})
    assert match.compile(parse('message:"--" AND a:x'))(record)
    assert match.compile(parse('(message:"--") AND a:x'))(record)
    assert not match.compile(parse('message:"--"'))(record)
    assert not match.compile(parse('NOT message:"--"'))(record)
