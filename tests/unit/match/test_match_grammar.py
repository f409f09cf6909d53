"""What the query string's grammar takes, what it makes of it, and what it refuses with which cure."""

import pytest

from pluginhost.match import EVERYTHING, NOTHING, All, Any, Leaf, Not, Range, parse, parse_with_warnings
from pluginhost.problem import Place, Problem


def eq(field, value):
    return Leaf(field, "equals", value)


A, B, C = eq("a", "x"), eq("b", "x"), eq("c", "x")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a:x", A),
        ("a : x", A),
        ("a:\n\tx\u3000", A),
        ("(a:x)", A),
        ("((a:x))^2", A),
        ("a:x AND b:x", All((A, B))),
        ("a:x && b:x", All((A, B))),
        ("a:x OR b:x", Any((A, B))),
        ("a:x || b:x", Any((A, B))),
        ("a:x b:x", Any((A, B))),
        ("+a:x +b:x", All((A, B))),
        ("a:x AND NOT b:x", All((A, Not(B)))),
        ("a:x AND !b:x", All((A, Not(B)))),
        ("a:x AND -b:x", All((A, Not(B)))),
        ("-(a:x b:x)", Not(Any((A, B)))),
        ("NOT (NOT a:x)", A),
        ("a:(x OR y)", Leaf("a", "one_of", ("x", "y"))),
        ("a:x OR a:y OR a:(z OR x)", Leaf("a", "one_of", ("x", "y", "z"))),
        ("a:(x OR b:x)", Any((A, B))),
        ("*", EVERYTHING),
        ("*:*", EVERYTHING),
        ("a:*", Leaf("a", "exists")),
        ("_exists_:a", Leaf("a", "exists")),
        ('_exists_:"a"', Leaf("a", "exists")),
        ("a:[* TO *]", Leaf("a", "exists")),
        ("*:x AND \\*:y", All((Leaf("", "equals", "x", "tokens"), Leaf("", "equals", "y", "tokens")))),
        ("@timestamp:*", Leaf("@timestamp", "exists")),
        ("host-name:x", eq("host-name", "x")),
        ("größe:x", eq("größe", "x")),
        ("a\\ b:x", eq("a b", "x")),
        ('a:""', eq("a", "")),
        ('a:"x \\" \\\\ y"', eq("a", 'x " \\ y')),
        ("a:web-01+x", eq("a", "web-01+x")),
        ("a:\\*x\\:\\/\\ y", eq("a", "*x:/ y")),
        ("a:\\u0041\\-5", eq("a", "A-5")),
        ("a:=1", eq("a", "=1")),
        ("a:\\>5", eq("a", ">5")),
        ("a:x^2.5", A),
        ("a:*x*", Leaf("a", "contains", "x")),
        ("a:x*", Leaf("a", "prefix", "x")),
        ("a:*x", Leaf("a", "suffix", "x")),
        ("a:**x**", Leaf("a", "wildcard", "**x**")),
        ("a:x*y", Leaf("a", "wildcard", "x*y")),
        ("a:x?", Leaf("a", "wildcard", "x?")),
        ("a:\\*x*", Leaf("a", "prefix", "*x")),
        ("a:?\\*\\?\\\\\\/", Leaf("a", "wildcard", "?\\*\\?\\\\/")),
        ("a:/x.y/", Leaf("a", "regex", "x.y")),
        ("a:/(^|\\/)x/", Leaf("a", "regex", "(^|\\/)x")),
        ("a:>5", Leaf("a", "range", Range(5, None, include_lower=False), "number")),
        ("a:<=x", Leaf("a", "range", Range(None, "x"))),
        ("a:[m TO z}", Leaf("a", "range", Range("m", "z", include_upper=False))),
        ('a:{ "m n"  TO\t* ]', Leaf("a", "range", Range("m n", None, include_lower=False))),
        ("a:[TO TO TO]", Leaf("a", "range", Range("TO", "TO"))),
        ("a:[2 TO 10]", Leaf("a", "range", Range(2, 10), "number")),
        ("a:[2 TO x]", Leaf("a", "range", Range("2", "x"))),
        ("a:[now-1d TO now]", Leaf("a", "range", Range("now-1d", "now"), "date")),
        ("a:(x y)", eq("a", "x y")),
        ("a:(x y AND z)", All((eq("a", "y"), eq("a", "z")))),
        ("a:10.1.0.0\\/16", Any((eq("a", "10.1.0.0/16"), Leaf("a", "cidr", "10.1.0.0/16", "address")))),
        ("", NOTHING),
        (" \n", NOTHING),
    ],
)
def test_trees(text, tree):
    assert parse(text) == tree


def test_a_run_ends_before_the_word_that_has_an_operator_of_its_own():
    assert parse("k:(x y z OR w)") == Leaf("k", "one_of", ("x y", "z", "w"))
    assert parse("k:(x y NOT z)") == All((eq("k", "x y"), Not(eq("k", "z"))))


def test_a_value_with_spaces_asks_any_field_for_the_rest():
    assert parse("a:x err msg") == Any((A, Leaf("", "one_of", ("err", "msg"), "tokens")))


def test_a_word_of_no_field_is_looked_for_as_a_token_and_a_pattern_also_in_the_whole_text():
    assert parse("Fire-Fox") == Leaf("", "one_of", ("fire", "fox"), "tokens")
    assert parse('"Fire Fox"') == Leaf("", "phrase", ("fire", "fox"), "tokens")
    assert parse("*Fire*") == Any((Leaf("", "contains", "Fire"), Leaf("", "contains", "fire", "tokens")))
    assert parse('"--"') == Leaf("", "equals", "--")


@pytest.mark.parametrize(
    ("text", "code", "column", "cure"),
    [
        ("(a:x", "query.bracket", 1, "close it with `)`"),
        ("a:x)", "query.bracket", 4, "`\\)`"),
        ('a:"x', "query.quote", 3, "close it"),
        ("a:()", "query.empty", 4, "`*` for everything"),
        ("a:", "query.value", 3, "`field:*`"),
        ("a: AND b:x", "query.value", 4, "`field:*`"),
        ("a:-5", "query.value", 3, "`\\-`"),
        ("a:!x", "query.value", 3, "`\\!`"),
        ("AND a:x", "query.operator", 1, "remove it"),
        ("a:x AND", "query.operator", 8, "remove it"),
        ("a:x AND OR b:x", "query.operator", 9, "remove it"),
        ("NOT NOT a:x", "query.operator", 5, "remove it"),
        ("a:b:c", "query.colon", 4, "`\\:`"),
        ("path:C:\\\\Windows*", "query.colon", 7, "quote the value"),
        ("a:1/2", "query.slash", 4, "`\\/`"),
        ("ip:10.0.0.0/8", "query.slash", 12, "`\\/`"),
        ("a:x\\", "query.escape", 4, "`\\\\`"),
        ("a:\\uZZ", "query.escape", 3, "`\\\\u`"),
        ("a:[1 TO", "query.range", 3, "`[a TO b]`"),
        ("a:[1 2]", "query.range", 3, "`[a TO b]`"),
        ("a:{1 TO 2", "query.range", 3, "`{a TO b}`"),
        ("a:x]", "query.bracket", 4, "`\\]`"),
        ("[1 TO 2]", "query.range", 1, "field:[1 TO 2]"),
        (">5", "query.range", 1, "field:>5"),
        ("user.*:bob", "query.field", 1, "`a:x OR b:x`"),
        ("user.\\*:bob", "query.field", 1, "`a:x OR b:x`"),
        ('"a":x', "query.field", 1, "`a:`"),
        ("_exists_:a*", "query.field", 10, "`_exists_:a OR _exists_:b`"),
        ("_exists_:(a b)", "query.field", 11, "`_exists_:a OR _exists_:b`"),
        ("a:x~", "query.fuzzy", 4, "`\\~`"),
        ('a:"x y"~3', "query.fuzzy", 8, "AND"),
        ("a:x^", "query.boost", 4, "`\\^`"),
        ("a:/(/", "query.regex", 3, "RE2"),
        ("a:/[x/", "query.regex", 3, "RE2"),
        ("a:/x&y/", "query.regex", 3, "`\\&`"),
        ("a:/x~y/", "query.regex", 3, "`\\~`"),
        ("a:/<1-20>/", "query.regex", 3, "`\\<`"),
        ("a:x\n  AND b:y:z", "query.colon", 10, "`\\:`"),
    ],
)
def test_problems_have_a_caret_and_a_cure(text, code, column, cure):
    with pytest.raises(Problem) as caught:
        parse(text, file="rule.yml")
    problem = caught.value
    assert (problem.code, problem.where.file, problem.where.column) == (code, "rule.yml", column)
    assert cure in problem.todo
    assert isinstance(problem.where, Place)
    assert problem.where.text in text


def test_a_problem_far_right_or_on_a_later_line_is_still_shown():
    with pytest.raises(Problem) as caught:
        parse("a:x OR " * 1000 + "b:y:z")
    assert "b:y:z" in caught.value.page()
    with pytest.raises(Problem) as caught:
        parse("a:x\nAND b:y:z")
    assert caught.value.where.line == 2


def test_what_is_too_large_is_refused():
    for text in ("(" * 60 + "a:x" + ")" * 60, "a" * (1 << 20) + "a"):
        with pytest.raises(Problem) as caught:
            parse(text)
        assert caught.value.code == "query.too_large"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a:x and b:y", "`AND`"),
        ("a:x or b:y", "`OR`"),
        ("not a:x", "`NOT`"),
        ("a:x - y", "`-` before a space"),
        ("a:x some thing", "`some` after the value of `a`"),
        ("a:(4624 4625)", "write OR between several values"),
        ('a:"*Failed*"', "is no wildcard"),
        ("message:*\\\\cmd.exe", "`message.keyword` is the whole text"),
        ("message:/Failed/", "`message.keyword` is the whole text"),
        ("path:/usr/bin", "is a regular expression"),
        ("a:/^x.*/", "plain character in Lucene"),
        ("a:/(?i)x/", "case is ignored"),
        ("a:/x.*?/", "lazy"),
        ("source.ip:10.*", "`10.0.0.0\\/8`"),
        ("source.port:http", "which `http` is not"),
        ("event.created:soon", "holds a date"),
        ('message:"--" AND a:x', "no effect"),
        ("", "matches nothing"),
    ],
)
def test_what_is_hardly_meant_is_warned_of(text, part):
    _, warnings = parse_with_warnings(text)
    assert any(part in warning for warning in warnings), warnings


@pytest.mark.parametrize("text", ["a:x AND b:x", "a:(x OR y) AND NOT b:z", "message:(failed password)", 'message:"a b"', "a:*\\\\cmd.exe"])
def test_what_is_meant_is_not_warned_of(text):
    assert parse_with_warnings(text)[1] == []


def test_four_thousand_values_become_one_set():
    values = tuple(f"{number:064x}" for number in range(4432))
    assert parse("file.hash.sha256:(" + " OR ".join(values) + ")") == Leaf("file.hash.sha256", "one_of", values)
