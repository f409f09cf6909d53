from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from pluginhost.options import Duration, Secret, Size, Tree, build, close, convert, describe, doc, parse, read, schema
from pluginhost.problem import Place, Problem, Problems


class Inner(msgspec.Struct, frozen=True, kw_only=True):
    size: Annotated[Size, doc("how large", ge=1)] = Size(1 << 20)
    mode: Annotated[Literal["fast", "slow"], doc("how")] = "fast"


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str, doc("what it is called", min_length=1)]
    port: Annotated[int, doc("where", ge=1, le=65535)] = 80
    wait: Annotated[Duration | None, doc("how long", le=3600)] = Duration(10)
    hosts: Annotated[tuple[str, ...], doc("which", min_length=1, max_length=2)] = ("a",)
    token: Annotated[Secret | None, doc("what nobody may see")] = None
    inner: Annotated[Inner, doc("the rest")] = Inner()
    many: Annotated[list[Inner], doc("several")] = []
    path: Annotated[Path, doc("a file")] = Path("x")
    free: Annotated[dict[str, Any], doc("anything")] = {}
    on: Annotated[bool, doc("whether")] = True


def whole(text: str) -> Whole:
    return build(Whole, parse(text, "c.yaml"))


def refused(text: str) -> list[Problem]:
    with pytest.raises(Problem) as caught:
        whole(text)
    return caught.value.found if isinstance(caught.value, Problems) else [caught.value]


def test_what_is_said_is_read_and_the_rest_has_its_default():
    made = whole("name: x\nwait: 2m\nhosts: [b, c]\ninner: {size: 64k}\nmany: [{}, {mode: slow}]\nfree: {a: [1, {b: 2.5}]}")
    assert made == Whole(name="x", wait=Duration(120), hosts=("b", "c"), inner=Inner(size=Size(64_000)), many=[Inner(), Inner(mode="slow")],
                         free={"a": [1, {"b": 2.5}]})  # fmt: skip
    assert whole("name: x\nwait: null\ninner:\n").wait is None


@pytest.mark.parametrize("text", ["", "---\n", "~", "# nothing\n"])
def test_a_file_of_nothing_is_an_empty_mapping(text):
    assert parse(text).value == {}


@pytest.mark.parametrize(
    ("text", "code", "what", "at", "todo"),
    [
        ("prot: 1\nname: x", "config.unknown", "$.prot: there is no option `prot` here", (1, 1), "did you mean `port`?"),
        ("name: x\ninner: {mood: 1}", "config.unknown", "$.inner.mood: there is no option `mood` here", (2, 9), "did you mean `mode`?"),
        ("name: x\ninner:\n  zzz: 1", "config.unknown", "$.inner.zzz: there is no option `zzz` here", (3, 3), "known are: mode, size"),
        ("port: 1", "config.missing", "$.name is missing", (1, 1), None),
        ("name: x\nport: 0", "config.value", "$.port: expected `int` >= 1", (2, 1), None),
        ("name: x\nport: many", "config.value", "$.port: expected `int`, got text", (2, 1), None),
        ("name: ''", "config.value", "$.name: expected text of length >= 1", (1, 1), None),
        ("name: x\nwait: 2h", "config.value", "$.wait: expected <= 1h, got 2h", (2, 1), None),
        ("name: x\nmany:\n- {}\n- size: 0", "config.value", "$.many[1].size: expected >= 1, got 0", (4, 3), None),
        ("name: x\ninner: {mode: fats}", "config.value", "$.inner.mode: invalid enum value 'fats'", (2, 9), "did you mean `fast`?"),
        ("name: x\nhosts: []", "config.value", "$.hosts: expected 1 to 2 items, got 0", (2, 1), None),
        ("name: x\nhosts: [a, b, c]", "config.value", "$.hosts: expected 1 to 2 items, got 3", (2, 1), None),
        ("name: x\nhosts: [a, 5]", "config.value", "$.hosts[1]: expected text, got `int`", (2, 12), None),
        ("name: x\nhosts: a", "config.value", "$.hosts: expected a list, got text", (2, 1), None),
        ("name: x\nmany: [5]", "config.value", "$.many[0]: expected a mapping, got a number", (2, 8), None),
        ("name: x\npath: 5", "config.value", "$.path: expected text, got a number", (2, 1), None),
        ("name: x\non: 1", "config.value", "$.on: expected `bool`, got `int`", (2, 1), None),
        ("- a", "config.value", "$: expected a mapping, got a list", (1, 1), None),
        ("name: a\nfree: {x: 1, x: 2}", "config.twice", "$.free.x is given twice", (2, 14), None),
        ("name: a${NOPE}", "config.environment", "$.name: the environment has no NOPE", (1, 1), "set it, or give a default: ${NOPE:-…}"),
    ],
)
def test_a_mistake_is_told_with_its_path_and_line(monkeypatch, text, code, what, at, todo):
    monkeypatch.delenv("NOPE", raising=False)
    (problem,) = refused(text)
    assert (problem.code, problem.what, problem.todo) == (code, what, todo)
    assert (problem.where.file, problem.where.line, problem.where.column) == ("c.yaml", *at)


def test_every_mistake_is_told_in_one_pass():
    found = refused("port: 0\nwait: x\ninner: {mode: x, sise: 1}\nmany: [{size: -1}, {}]\nzzz: 1")
    assert sorted(problem.what.split(":")[0] for problem in found) == [
        "$.inner.mode", "$.inner.sise", "$.many[0].size", "$.name is missing", "$.port", "$.wait", "$.zzz",
    ]  # fmt: skip


def test_the_whole_page():
    (problem,) = refused("name: x\ninner:\n    mood: fast\n")
    assert problem.page() == (
        "config.unknown: $.inner.mood: there is no option `mood` here\n  c.yaml:3:5\n    mood: fast\n    ^\n  to do: did you mean `mode`?"
    )


@pytest.mark.parametrize(
    ("text", "at", "quoted"),
    [("a: [1,\nb: }", (2, 4), "b: }"), ("a: 'x", (1, 6), "a: 'x"), ("a:\n\tb: 1", (2, 1), "\tb: 1"), ("a: !!no x", (1, 4), "a: !!no x"),
     ("a: \x07", (1, 1), "a: \x07")],
)  # fmt: skip
def test_what_is_not_yaml_is_shown_with_a_caret(text, at, quoted):
    with pytest.raises(Problem, match=r"^config\.yaml: not YAML: ") as caught:
        parse(text, "c.yaml")
    assert caught.value.where == Place("c.yaml", *at, quoted)


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 60 + "}" * 60, "a: &a [*a]"])
def test_a_bottomless_file_is_refused(text):
    with pytest.raises(Problem, match="nested too deeply"):
        parse(text)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(Problem, match=r"config\.unreadable"):
        read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(Problem, match=r"config\.unreadable"):
        read(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("${ONE}", "1"), ("a${ONE}b${ONE}", "a1b1"), ("${NONE:-two}", "two"), ("${NONE:-}", ""), ("${ONE:-two}", "1"), ("$$", "$"),
     ("$${ONE}", "${ONE}"), ("$ONE", "$ONE"), ("${1}", "${1}")],
)  # fmt: skip
def test_the_environment_is_filled_in(monkeypatch, text, value):
    monkeypatch.setenv("ONE", "1")
    monkeypatch.delenv("NONE", raising=False)
    assert parse(f"a: [{{b: '{text}'}}]").value == {"a": [{"b": value}]}


def test_what_the_environment_says_may_be_a_number_or_a_truth_value(monkeypatch):
    monkeypatch.setenv("PORT", "3200")
    monkeypatch.setenv("ON", "false")
    made = whole("name: ${PORT}\nport: ${PORT}\non: ${ON}\nwait: ${PORT:-}s\n")
    assert (made.name, made.port, made.on, made.wait) == ("3200", 3200, False, Duration(3200))


def test_text_from_the_environment_is_never_yaml(monkeypatch):
    monkeypatch.setenv("ODD", "x\nport: 1 # ]")
    assert whole("name: ${ODD}").name == "x\nport: 1 # ]"


def test_a_secret_is_text_or_a_files_first_line(tmp_path):
    (tmp_path / "token").write_text("hunter2\nsecond\n")
    assert whole(f"name: x\ntoken: file:{tmp_path}/token").token == "hunter2"
    assert whole("name: x\ntoken: hunter2").token == "hunter2"


def test_a_secret_is_never_shown(tmp_path):
    made = whole("name: x\ntoken: hunter2")
    assert "hunter2" not in repr(made)
    (tmp_path / "odd").write_bytes(b"hunter\xff")
    for line in ("token: 12345", "passwrod: hunter2", "token: {a: hunter2}", f"token: file:{tmp_path}/odd", "password: hunter2",
                 "token: 1\ntoken: hunter2",
                 "inner: {api_key: hunter2}", "token: 'hunter2", "Authorization: Bearer hunter2",
                 "{token: hunter2, prot: 1}", "name: x\nprot: http://ann:hunter2@es1:9200"):  # fmt: skip
        page = "\n".join(problem.page() for problem in refused(line))
        assert "hunter" not in page, page
        assert "12345" not in page, page
    with pytest.raises(Problem, match=r"cannot read the secret's file `/none`: FileNotFoundError"):
        whole("name: x\ntoken: file:/none")


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [(90, 90, "90s"), ("90", 90, "90s"), ("90s", 90, "90s"), ("10m", 600, "10m"), (" 1 h ", 3600, "1h"), ("2d", 172800, "2d"),
     ("14d", 1209600, "2w"), ("1.5s", 1.5, "1500ms"), ("250ms", 0.25, "250ms"), (0, 0, "0s"), ("5us", 5e-6, "5e-06s")],
)  # fmt: skip
def test_durations(text, seconds, shown):
    made = Duration.of(text)
    assert (made, str(made), made.ns) == (pytest.approx(seconds), shown, round(seconds * 1e9))


@pytest.mark.parametrize("text", ["", "x", "5x", "-1", -1, "1 0", True, None, [], "5S", float("nan"), float("inf"), "1h30m"])
def test_no_durations(text):
    with pytest.raises(ValueError, match="expected a duration such as `10m`"):
        Duration.of(text)


@pytest.mark.parametrize(
    ("text", "size", "shown"),
    [(5, 5, "5"), ("5", 5, "5"), ("5b", 5, "5"), ("64k", 64_000, "64000"), ("1MiB", 1 << 20, "1MiB"), ("1.5KiB", 1536, "1536"),
     ("2 gib", 2 << 30, "2GiB"), ("3GB", 3_000_000_000, "3000000000"), (0, 0, "0")],
)  # fmt: skip
def test_sizes(text, size, shown):
    assert (Size.of(text), str(Size.of(text))) == (size, shown)


@pytest.mark.parametrize("text", ["", "x", "5x", -1, "-5k", True, None, 1.5, "1TiB"])
def test_no_sizes(text):
    with pytest.raises(ValueError, match="expected a size such as `64MiB`"):
        Size.of(text)


def test_one_value_is_converted_by_itself():
    assert convert(int, "5", "limit") == 5
    with pytest.raises(Problem, match=r"config\.value: limit: expected `int`, got text"):
        convert(int, "five", "limit", "somewhere")


def test_the_nearest_word_or_all_of_them():
    assert close("prot", ["port", "host"]) == "did you mean `port`?"
    assert close("zzz", ["port", "host"]) == "known are: host, port"
    assert close("zzz", []) == "known are: none"


def test_a_part_of_the_tree_with_keys_that_are_not_its():
    tree = parse("parts:\n- {type: x, size: 5}\n")
    assert build(Inner, tree, ("parts", 0), skip=("type",)) == Inner(size=Size(5))
    with pytest.raises(Problems, match=r"\$\.parts\[0\]\.type"):
        build(Inner, tree, ("parts", 0))
    assert build(Inner, Tree({"size": 5})) == Inner(size=Size(5))


def test_options_describe_themselves():
    assert describe(Whole) == [
        ("name", "text", "required", "what it is called"),
        ("port", "integer", "80", "where"),
        ("wait", "duration", "10s", "how long"),
        ("hosts", "list of text", '["a"]', "which"),
        ("token", "secret", "null", "what nobody may see"),
        ("inner", "inner", '{"size":"1MiB","mode":"fast"}', "the rest"),
        ("many", "list of inner", "[]", "several"),
        ("path", "path", "x", "a file"),
        ("free", "dict", "{}", "anything"),
        ("on", "true or false", "true", "whether"),
    ]
    assert describe(Inner)[1] == ("mode", "fast \\| slow", "fast", "how")


def test_the_schema():
    made = schema(Whole)
    assert (made["required"], made["additionalProperties"]) == (["name"], False)
    assert made["properties"]["port"] == {"type": "integer", "minimum": 1, "maximum": 65535, "default": 80, "description": "where"}
    assert made["properties"]["inner"] == {
        "type": "object", "required": [], "additionalProperties": False, "description": "the rest",
        "default": {"size": "1MiB", "mode": "fast"},
        "properties": {
            "size": {"type": ["string", "integer"], "examples": ["64MiB"], "description": "how large", "default": "1MiB"},
            "mode": {"enum": ["fast", "slow"], "description": "how", "default": "fast"},
        },
    }  # fmt: skip
    assert made["properties"]["many"]["items"] == schema(Inner)
    assert {"type": "null"} in made["properties"]["wait"]["anyOf"]
    assert made["properties"]["path"] == {"type": "string", "description": "a file", "default": "x"}


@pytest.mark.parametrize("told", ["2026-03-01", "2026-03-01T22:00:00Z", "2026-13-01", "08:00", "18:00", "18:00:30"])
def test_dates_and_times_of_the_day_are_text_with_or_without_quotes(tmp_path, told):
    file = tmp_path / "a.yaml"
    file.write_text(f"a: {told}\nb: '{told}'\nc: 1_800\nd: 1.5")
    assert read(file).value == {"a": told, "b": told, "c": 1800, "d": 1.5}
