from __future__ import annotations

import pytest

from pluginhost.problem import Busy, PeerError, Place, Problem, Problems, printable


def test_a_whole_page():
    where = Place("rules/a.py", 3, 9, "    if x = 1:\n", 5)
    problem = Problem("analyzer.syntax", "no assignment here", where=where, still="b, as it was before", todo="write ==")
    assert problem.page() == (
        "analyzer.syntax: no assignment here\n"
        "  rules/a.py:3:9\n"
        "    if x = 1:\n"
        "        ^^^^^\n"
        "  still: b, as it was before\n"
        "  to do: write =="
    )
    assert str(problem) == problem.page()


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        (None, []),
        ("some/file", ["  at some/file"]),
        (Place("f"), ["  f"]),
        (Place("f", 7), ["  f:7"]),
        (Place("f", 7, 0, "text"), ["  f:7", "    text"]),
        (Place("f", 7, 1, "text", 4), ["  f:7:1", "    text", "    ^^^^"]),
        (Place("f", 7, 3, "text", 40), ["  f:7:3", "    text", "      ^^"]),
        (Place("f", 7, 5, "text"), ["  f:7:5", "    text", "        ^"]),
        (Place("f", 7, 9, "text"), ["  f:7:9", "    text", "        ^"]),
        (Place("f", 7, 180, "t" * 200), ["  f:7:180", "    " + "t" * 159 + "…"]),
    ],
)  # fmt: skip
def test_where_it_is(where, lines):
    assert Problem("a.b", "what", where=where).page().split("\n")[1:] == lines


@pytest.mark.parametrize(
    ("text", "column", "quoted", "caret"),
    [
        ("  a b", 5, "a b", "  ^"),
        ("a\x1bb!", 4, "a\\x1bb!", "      ^"),
        ("\tx\ty", 4, "x y", "  ^"),
        ("é日b", 3, "é日b", "  ^"),
    ],
)
def test_the_caret_stands_under_its_character_whatever_comes_before(text, column, quoted, caret):
    assert Place("f", 1, column, text).lines() == [f"f:1:{column}", f"  {quoted}", f"  {caret}"]


@pytest.mark.parametrize("sign", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x9b", "\u200e", "\u200f", "\u2028", "\u202e", "\u2066", "\u061c",
                                  "\ud800"])  # fmt: skip
def test_what_a_terminal_would_act_on_is_escaped(sign):
    code = ord(sign)
    assert printable(f"a{sign}b") == (f"a\\x{code:02x}b" if code < 256 else f"a\\u{code:04x}b")


def test_plain_text_stays_and_is_cut():
    assert printable("é日 ✓ a") == "é日 ✓ a"
    assert printable("one\n2026-01-01  critical  forged\ttoo") == "one\\x0a2026-01-01  critical  forged\\x09too"
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 11, 10) == "x" * 9 + "…"


def test_a_page_is_safe_to_print():
    problem = Problem("a.b", "\x1b[2J", where=Place("f\x1b", 1, 1, "\x1b"), still="\x1b", todo="\x1b")
    assert "\x1b" not in problem.page()
    assert "\x1b" not in Problem("a.b", "", where="\x1b").page()


def test_several_problems_are_one():
    one, two = Problem("a.one", "first"), Problem("a.two", "second", todo="mend it")
    both = Problems([one, two])
    assert both.page() == "a.one: first\n\na.two: second\n  to do: mend it"
    assert (both.code, both.what, both.found) == ("a.one", "2 problems", [one, two])
    assert Problems([two]).what == "second"


def test_the_other_side_is_told_apart_from_us():
    assert str(PeerError("bad_frame", "is it TLS?")) == "bad_frame: is it TLS?"
    assert str(PeerError("bad_frame")) == "bad_frame"
    assert (str(Busy("journal full", 5.0)), Busy("x").retry_after) == ("journal full", 1.0)
