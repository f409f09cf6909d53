"""Tokens, patterns and regular expressions."""

import pytest

from pluginhost.match.analysis import tokens
from pluginhost.match.patterns import Pattern, expression, pieces, plain, rewritten
from pluginhost.match.regex import translated
from pluginhost.problem import Problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C:\\Windows\\cmd.exe", "c windows cmd.exe"),
        ("sshd[123]:", "sshd 123"),
        ("user@example.com", "user example.com"),
        ("web-01.example.com", "web 01 example.com"),
        ("2024-05-01T12:00:00.123Z", "2024 05 01t12 00 00.123z"),
        ("10.0.0.5", "10.0.0.5"),
        ("1,234;5", "1,234;5"),
        ("v1.a a.1 a:b don't x_y", "v1 a a 1 a:b don't x_y"),
        ("__ _a_ .a. -", "_a_ a"),
        ("Größe ÀÉ", "größe àé"),
        ("", ""),
    ],
)
def test_tokens_are_those_of_the_standard_analyzer(text, expected):
    assert tokens(text) == expected.split()


def test_a_token_has_at_most_255_characters():
    assert [len(token) for token in tokens("a" * 600)] == [255, 255, 90]


def test_pieces_of_a_pattern_go_back_together():
    for pattern in ("", "*", "a*b?c", "\\*\\?\\\\", "**", "a\\"):
        parts = pieces(pattern)
        assert pieces(rewritten(parts)) == parts
    assert pieces("a*\\*?") == [("a", False), ("*", True), ("*", False), ("?", True)]


@pytest.mark.parametrize(
    ("pattern", "simple"),
    [
        ("*a*", ("contains", "a")), ("a*", ("prefix", "a")), ("*a", ("suffix", "a")), ("*", ("contains", "")), ("**", ("contains", "")),
        ("\\**", ("prefix", "*")), ("*\\*", ("suffix", "*")), ("a*b", None), ("a?", None), ("?*", None), ("*a?", None), ("*?", None),
    ],
)  # fmt: skip
def test_simple_patterns_are_string_operations(pattern, simple):
    assert plain(pieces(pattern)) == simple


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [("a*b?c", "a\nbéc", True), ("a*b?c", "abc", False), ("a.c", "abc", False), ("\\*", "*", True), ("\\*", "x", False), ("[x]", "[x]",
    True)],
)
def test_patterns_are_of_the_whole_text(pattern, text, fits):
    assert Pattern(expression(pattern)).fits(text) is fits


@pytest.mark.parametrize(
    ("lucene", "yes", "no"),
    [
        ("fo+", "foo", "xfoo"), ("a.c", "a\nc", "ac"), ("a{2,3}", "aaa", "a"), ("[^a-c]x", "dx", "ax"), ("[\\d.^$]+", "1.^$", "a"),
        ("[[]", "[", "]"), ("[&~]", "&", "a"), ("\\d\\w\\s", "1a ", "aa "), ("a@", "a anything", "b"), ("a#?", "a", "ab"),
        ('"a.c"d', "a.cd", "abcd"), ("a\\.b\\@\\&", "a.b@&", "axb@&"), ("^ab$", "ab", "^ab$"), ("a(^b|c$)", "ac", "a^b"),
        ("a^b$c", "a^b$c", "abc"), ("\\(^a", "(^a", "(a"), ("(?i)root", "ROOT", "toor"), ("a.*?b", "axxb", "a"), ("a|bc", "bc", "ac"),
        ("größe", "größe", "grosse"), ("a b", "a b", "ab"), ("a/b", "a/b", "ab"),
    ],
)
def test_regular_expressions_mean_what_they_mean_in_lucene(lucene, yes, no):
    pattern = Pattern(translated(lucene)[0])
    assert pattern.fits(yes)
    assert not pattern.fits(no)


def test_a_pattern_that_blows_up_elsewhere_is_linear():
    assert not Pattern("(a*)*b").fits("a" * 50_000)


def test_a_malformed_expression_is_a_problem():
    with pytest.raises(Problem) as caught:
        Pattern("a(?=b)")
    assert caught.value.code == "query.regex"
