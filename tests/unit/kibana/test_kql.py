"""Conditions as the products read them."""

from __future__ import annotations

import pytest

from kibana.kql import And, Is, KqlError, Like, Not, Or, Range, dsl, fields, parse


@pytest.mark.parametrize(("text", "node"), [
    ("", None),
    (" \t", None),
    ("a: b", Is("a", "b")),
    ("a:b", Is("a", "b")),
    ("a: new york", Is("a", "new york")),
    ('a: "x \\"y\\" \\z"', Is("a", 'x "y" \\z', quoted=True)),
    ('"a b": "\\u00e9\\t"', Is("a b", "é\t", quoted=True)),
    ("a: false", Is("a", False)),
    ('a: "false"', Is("a", "false", quoted=True)),
    ("a: *", Like("a", ("", ""))),
    ("a: T1110*", Like("a", ("T1110", ""))),
    ("a: *b*c", Like("a", ("", "b", "c"))),
    ("a: \\*b\\:c\\\\*", Like("a", ("*b:c\\", ""))),
    ("a: \\*", Is("a", "*")),
    ("a: \\and", Is("a", "and")),
    ("@timestamp >= now-7d", Range("@timestamp", "gte", "now-7d")),
    ("a<3", Range("a", "lt", "3")),
    ("a: (b or c)", Or((Is("a", "b"), Is("a", "c")))),
    ("a: (b AND not c)", And((Is("a", "b"), Not(Is("a", "c"))))),
    ("a: b or c: d and not e: *", Or((Is("a", "b"), And((Is("c", "d"), Not(Like("e", ("", "")))))))),
    ("(a: b or c: d) and e > 1", And((Or((Is("a", "b"), Is("c", "d"))), Range("e", "gt", "1")))),
    ("not (a: b and c: d)", Not(And((Is("a", "b"), Is("c", "d"))))),
    ("android: nothing or notes: andorra", Or((Is("android", "nothing"), Is("notes", "andorra")))),
])  # fmt: skip
def test_what_is_said(text, node):
    assert parse(text) == node


@pytest.mark.parametrize("text", [
    "a", "a:", ": b", "a: b c: d", "(a: b", "a: b)", "a: (b", "a: ()", "not", "not not a: b", "a: b and", "or a: b", "* : b", "a.*: b",
    "a: {b: c}", "a: null", 'a: "b', "a: \\", "a >= (1)", "a: b:c", "(" * 60 + "a: b" + ")" * 60])  # fmt: skip
def test_what_says_nothing_that_we_use(text):
    with pytest.raises(KqlError):
        parse(text)


def test_long_texts_are_read_at_once():
    assert len(parse(" or ".join(["a: b"] * 20_000)).nodes) == 20_000
    assert len(parse("a: " + "*" * 100_000).parts) == 100_001
    for bad in ("a: " + "\\" * 100_001, '"' + "\\" * 100_001, "a: " + "(" * 100_000):
        with pytest.raises(KqlError):
            parse(bad)


def test_the_fields_that_are_named():
    assert fields("a.b: (c or d) and not (e > 1 or f: *)") == {"a.b", "e", "f"}
    assert fields("") == set()


def one(query):
    return {"bool": {"should": [query], "minimum_should_match": 1}}


@pytest.mark.parametrize(("text", "keyword", "other"), [
    ("a: b", {"term": {"a": {"value": "b"}}}, {"match": {"a": "b"}}),
    ('a: "b c"', {"term": {"a": {"value": "b c"}}}, {"match_phrase": {"a": "b c"}}),
    ("a: true", {"term": {"a": {"value": True}}}, {"match": {"a": True}}),
    ("a: *", {"exists": {"field": "a"}}, {"exists": {"field": "a"}}),
    ("a: T1.0*", {"wildcard": {"a": {"value": "T1.0*"}}}, {"query_string": {"fields": ["a"], "query": "T1.0*"}}),
    ("a: x\\*y z*", {"wildcard": {"a": {"value": "x\\*y\\ z*"}}}, {"query_string": {"fields": ["a"], "query": "x\\*y\\ z*"}}),
    ("a <= 3", {"range": {"a": {"lte": "3"}}}, {"range": {"a": {"lte": "3"}}}),
])  # fmt: skip
def test_the_query_of_a_value_minds_the_type(text, keyword, other):
    assert dsl(text, {"a": "keyword"}) == one(keyword)
    assert dsl(text, {}) == dsl(text, {"a": "ip"}) == one(other)


def test_the_query_of_a_moment_is_a_range():
    assert dsl("a: 2026-03-01", {"a": "date"}) == one({"range": {"a": {"gte": "2026-03-01", "lte": "2026-03-01"}}})


def test_the_query_of_a_whole_condition():
    a, b = one({"match": {"a": "1"}}), one({"match": {"b": "2"}})
    assert dsl("a: 1 and not b: 2", {}) == {"bool": {"filter": [a, {"bool": {"must_not": b}}]}}
    assert dsl("a: 1 or b: 2", {}) == {"bool": {"should": [a, b], "minimum_should_match": 1}}
    assert dsl(" ", {}) == {"match_all": {}}
