from __future__ import annotations

import pytest

from pluginhost.options import Secret
from pluginhost.outputs.notify.templates import LONGEST, About, one_line, shown, template
from pluginhost.problem import Problem

ABOUT = About(
    {"user": {"name": "ann", "a.b": 1}, "source.ip": "203.0.113.7", "ips": ["a", ["b", None]], "none": None, "empty": "", "yes": True,
     "n": 4.0, "object": {"k": [1]}, "evil": "{user.name} {{7*7}} {0.__class__} %(x)s $x", "crlf": "a\r\nBcc: b\x1b[31m\u202e",
     "title": "a field"},
    {"title": "the title", "empty_word": ""},
    "?",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", ""), ("plain", "plain"), ("{user.name}", "ann"), ("{source.ip}!", "203.0.113.7!"), ("{user.a.b}", "1"), ("{ips}", "a, b"),
        ("{none}|{empty}|{nothing}|{user.name.x}|{source}", "?|?|?|?|?"), ("{yes} {n}", "true 4"), ("{object}", '{"k":[1]}'),
        ("{evil}", "{user.name} {{7*7}} {0.__class__} %(x)s $x"), ("{crlf}", "a\\x0d\\x0aBcc: b\\x1b[31m\\u202e"), ("{title}", "the title"),
        ("{{user.name}}", "{user.name}"), ("{{{user.name}}}", "{ann}"), ("{{}}", "{}"), ("{empty_word}", ""), ("{@timestamp}", "?"),
        ("{0.__class__}", "?"), ("{__class__}", "?"), ("a{user.name}b{user.name}", "aannbann"),
    ],
)  # fmt: skip
def test_what_is_filled_in(text, made):
    assert template(text, "title")(ABOUT) == made


@pytest.mark.parametrize(
    "text", ["{", "}", "a } b", "{user.name", "{}", "{user[name]}", "{a!r}", "{a:>10}", "{a:{b}}", "{ a}", "{a..b}", "{.a}", "{a.}"]
)
def test_what_is_no_template_is_told_at_load(text):
    with pytest.raises(Problem, match=r"`headers\.X`: ") as wrong:
        template(text, "headers.X")
    assert wrong.value.code == "output.notify.template"


def test_a_secret_is_not_quoted():
    with pytest.raises(Problem) as wrong:
        template(Secret("{s3cr3t!}"), "headers.X")
    assert "s3cr3t" not in wrong.value.page()


def test_whole_or_not_at_all():
    assert template("{user.name} on {source.ip}", "x").whole(ABOUT) == "ann on 203.0.113.7"
    assert template("{user.name} on {nothing}", "x").whole(ABOUT) == ""
    assert not template("", "x")
    assert template("{nothing}", "x")


def test_what_comes_of_it_is_bounded():
    huge = About({"a": "x" * 10_000_000, "many": ["y" * 100] * 1000}, {"body": "z" * 50_000})
    assert len(template("{a}", "x")(huge)) == 2000
    assert template("{a}", "x")(huge).endswith("…")
    assert len(template("{a}" * 5000, "x")(huge)) == LONGEST
    assert len(template("{body}" * 5, "x")(huge)) == LONGEST
    assert shown(["y"] * 60).endswith("y, … (10 more)")


def test_one_line():
    assert one_line("a\n b\tc\x00", 100) == "a b c\\x00"
    assert one_line("x" * 300, 250) == "x" * 249 + "…"
