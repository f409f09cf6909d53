from __future__ import annotations

import sys

import pytest

from pluginhost.engine.loader import Bundle, bundle, is_analyzer_file, load
from pluginhost.problem import Problem

HEAD = "from pluginhost import Alert, SlidingCount, analyzer\n"
LEAST = HEAD + "@analyzer\ndef seen(event): return Alert('low', 'x')\n"


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return tmp_path / "main.py"

    return write


def refused(file) -> Problem:
    with pytest.raises(Problem) as caught:
        load(bundle(file))
    return caught.value


def called(file, name="seen"):
    (one,) = (one for one in load(bundle(file)) if one.name == name)
    return one.body(None)


def test_the_analyzers_of_a_file_in_their_order(folder):
    text = HEAD + "@analyzer\ndef b(event): ...\n@analyzer\ndef a(event): ...\nagain = b\n"
    assert [one.name for one in load(bundle(folder(main=text)))] == ["b", "a"]


def test_a_syntax_error_is_shown_with_its_caret(folder):
    file = folder(main=HEAD + "\ndef f(:\n    pass\n")
    assert refused(file).page() == f"analyzer.syntax: invalid syntax\n  {file}:3:7\n    def f(:\n          ^"


def test_one_over_several_characters(folder):
    assert refused(folder(main="    x = (1\ny = 2\n")).where.line == 1
    assert refused(folder(main="if x = 10:\n  pass")).page().split("\n")[-2:] == ["    if x = 10:", "       ^^^^^^"]


def test_what_is_raised_while_loading_is_shown_at_the_authors_line(folder):
    file = folder(main="import json\n\ndef limit():\n    return int('ten') + 1\n\nLIMIT = limit()\n")
    assert refused(file).page() == (
        "analyzer.import: ValueError: invalid literal for int() with base 10: 'ten'\n"
        f"  {file}:4:12\n    return int('ten') + 1\n           ^^^^^^^^^^"
    )


def test_the_caret_is_right_behind_letters_of_several_bytes(folder):
    problem = refused(folder(main="x = 'äöü日'; y = nope\n"))
    assert problem.page().split("\n")[-2:] == ["    x = 'äöü日'; y = nope", "                    ^^^^"]


def test_one_raised_in_a_helper_is_shown_there(folder):
    file = folder(main="import _rules\n" + LEAST, _rules="X = [][0]\n")
    assert refused(file).where.file == str(file.with_name("_rules.py"))


@pytest.mark.parametrize("line", ["import sys; sys.exit(3)", "raise SystemExit", "raise GeneratorExit", "raise BaseException('x')", "1/0",
"import nope"])
def test_nothing_that_is_raised_gets_out(folder, line):
    problem = refused(folder(main=f"\n{line}\n"))
    assert (problem.code, problem.where.line) == ("analyzer.import", 2)


@pytest.mark.parametrize(
    ("text", "code"),
    [("x = 1", "analyzer.none"), ("", "analyzer.none"), ("\0", "analyzer.syntax"), ("(" * 500, "analyzer.syntax"),
     ("x = " + "-" * 100_000 + "1", "analyzer.syntax"),
     (LEAST + "@analyzer(name='seen')\ndef other(event): ...", "analyzer.twice")],
    ids=["none", "empty", "null byte", "brackets", "deep", "twice"],
)  # fmt: skip
def test_other_mistakes(folder, text, code):
    assert refused(folder(main=text)).code == code


def test_a_file_that_is_no_text_or_gone(tmp_path):
    (tmp_path / "main.py").write_bytes(b"x = '\xe9'\n")
    assert refused(tmp_path / "main.py").code == "analyzer.unreadable"
    assert refused(tmp_path / "gone.py").code == "analyzer.unreadable"


def test_a_byte_order_mark_does_no_harm(folder, tmp_path):
    (tmp_path / "main.py").write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert called(tmp_path / "main.py").message == "x"


@pytest.mark.parametrize(
    "line", ["import _rules", "from _rules import SIGN", "from ._rules import SIGN", "from . import _rules", "import _rules as r",
    "from _rules import *"]
)
def test_helpers_are_found_by_every_form_of_import(folder, line):
    file = folder(main=f"{line}\n{LEAST}", _rules="SIGN = 'sign'\n")
    assert bundle(file).helpers == {"_rules": "SIGN = 'sign'\n"}
    assert called(file).message == "x"


def test_helpers_of_helpers_in_a_circle_and_at_call_time(folder):
    file = folder(
        main=HEAD + "from _a import one\n@analyzer\ndef seen(event):\n    from _c import three\n    return one() + three\n",
        _a="import _b\ndef one(): return _b.TWO\nTHREE = 3\n",
        _b="import _a\nTWO = 2\n",
        _c="from ._a import THREE as three\n",
        _unused="1/0\n",
    )
    assert sorted(bundle(file).helpers) == ["_a", "_b", "_c"]
    assert called(file) == 5


def test_a_helper_runs_once_and_keeps_what_it_holds(folder):
    file = folder(main=HEAD + "import _a, _b\n@analyzer\ndef seen(event): return _a.RUNS is _b._a.RUNS\n", _a="RUNS = []\n",
    _b="import _a\n")
    assert called(file) is True


@pytest.mark.parametrize("line", ["from ._gone import x", "from . import _gone", "import _gone"])
def test_a_helper_that_is_missing_is_named(folder, line):
    assert "_gone" in refused(folder(main=f"{line}\n{LEAST}")).what
    assert refused(folder(main=f"{line}\n{LEAST}")).where.line == 1


def test_the_standard_librarys_own_underscores_are_no_helpers(folder):
    text = "import _thread, os.path\nfrom _collections_abc import Mapping\n@analyzer\ndef seen(event): return _thread.get_ident()\n"
    file = folder(main=HEAD + text)
    assert bundle(file).helpers == {}
    assert isinstance(called(file), int)


def test_nothing_is_left_behind(folder):
    before, path = set(sys.modules), list(sys.path)
    file = folder(main="import _rules\n" + LEAST, _rules="from dataclasses import dataclass\n@dataclass\nclass R: x: int = 1\n")
    for _ in range(3):
        load(bundle(file))
    refused(folder(main="import _rules\n1/0"))
    assert (set(sys.modules) - before, sys.path) == (set(), path)
    assert not [name for name in sys.modules if "dropped_in" in name]


POSTPONED = """\
from __future__ import annotations
import enum
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple
from pluginhost import SlidingCount, analyzer

class Kind(enum.Enum):
    ONE = 1

@dataclass
class Rule:
    kind: Kind
    all: ClassVar[int] = 0
    more: list[Rule] = field(default_factory=list)

class Pair(NamedTuple):
    one: Kind

@analyzer(key="a")
def seen(event, window: SlidingCount = SlidingCount("1m"), limit: int = 3):
    return Rule(Kind.ONE)
"""


def test_dataclasses_and_enums_work_under_postponed_annotations(folder):
    (one,) = load(bundle(folder(main=POSTPONED)))
    assert (one.options["limit"].kind, one.states.keys()) == (int, {"window"})
    assert one.body(None).kind.name == "ONE"


def test_two_loads_share_nothing(folder):
    file = folder(main=HEAD + "SEEN = []\n@analyzer\ndef seen(event):\n    SEEN.append(1)\n    return len(SEEN)\n")
    assert [called(file), called(file)] == [1, 1]


def test_the_digest_covers_every_source():
    one = Bundle("a", "a.py", "x", {"_b": "y"})
    others = [Bundle("a", "a.py", "x2", {"_b": "y"}), Bundle("a", "a.py", "x", {"_b": "z"}), Bundle("a", "a.py", "x", {}), Bundle("a",
    "a.py", "x", {"_c": "y"})]
    assert len({other.digest for other in [one, *others]}) == 5
    assert Bundle("other", "other.py", "x", {"_b": "y"}).digest == one.digest


def test_what_is_an_analyzer_file(tmp_path):
    names = ["a.py", "_a.py", ".a.py", "test_a.py", "a_test.py", "conftest.py", "a.txt", "a.py~", "testing.py", "conftests.py"]
    assert [name for name in names if is_analyzer_file(tmp_path / name)] == ["a.py", "testing.py", "conftests.py"]
