from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pluginhost import __version__, shipped_analyzers
from pluginhost.cli import _COMMANDS, main
from pluginhost.cli.alerts.looking import flat
from pluginhost.cli.schema import whole
from pluginhost.engine.parts import find, names
from pluginhost.host.config import Config
from pluginhost.options import parse, schema
from pluginhost.store.alerts import AlertStore

README = Path(__file__).parents[3] / "README.md"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*given: str):
        return CliRunner().invoke(main, given)

    return call


def config(tmp_path, text: str) -> None:
    (tmp_path / "pluginhost.yaml").write_text(text)


# --- commands as such ---


def test_every_command_loads_and_says_what_it_does(run):
    told = run("--help").output
    for name in _COMMANDS:
        assert re.search(rf"^  {name} +\S", told, re.MULTILINE), name
        assert run(name, "--help").exit_code == 0
    assert run("--version").output == f"pluginhost, version {__version__}\n"


def test_an_unknown_command_or_option(run):
    assert (run("nope").exit_code, "No such command 'nope'" in run("nope").output) == (2, True)
    assert run("list", "--nope").exit_code == 2


@pytest.mark.parametrize("command", [["status"], ["reload"], ["alerts", "follow"]])
def test_what_needs_a_host_says_how_to_start_one(run, tmp_path, command):
    done = run(*command)
    assert (done.exit_code, done.stderr) == (
        2, f"host.absent: no host runs on {tmp_path}/pluginhost-data\n  to do: start one: pluginhost run\n",
    )  # fmt: skip


def test_a_configuration_that_is_not_there_or_wrong_is_told_by_every_command(run, tmp_path):
    assert run("list", "-c", "none.yaml").stderr == "config.unreadable: there is no configuration none.yaml\n"
    config(tmp_path, "workers: 0\nzzz: 1\n")
    for command in ("check", "list", "status", "reload", "run", "dead-letters"):
        done = run(command)
        assert (done.exit_code, done.stderr.count("config.")) == (2, 2), command


def test_a_reset_names_analyzers(run):
    assert run("reload", "--reset-state").exit_code == 2
    assert "name the analyzers whose state is to be reset" in run("reload", "--reset-state").output


# --- check ---


def write(tmp_path, name: str, text: str) -> None:
    (tmp_path / "mine").mkdir(exist_ok=True)
    (tmp_path / "mine" / f"{name}.py").write_text(text)


SEEN = "from pluginhost import Alert, analyzer\n@analyzer\ndef seen(event, limit: int = 1): return Alert('low', 'x')\nseen.fires_on('x')\n"


def test_all_is_well(run, tmp_path):
    write(tmp_path, "seen", SEEN)
    parts = "inputs: [{type: http, port: 0}]\noutputs: [{type: file, path: out}]\n"
    config(tmp_path, f"analyzers: [mine]\n{parts}options: {{seen: {{limit: 2}}}}\n")
    done = run("check")
    assert done.output == (
        f"ok   analyzers  {tmp_path}/mine\nok   analyzer   seen\nok   input      http\nok   output     file\n\nall well\n"
    )
    assert done.exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) in (["mine", "pluginhost.yaml"], ["mine", "out", "pluginhost.yaml"])


@pytest.mark.parametrize(
    ("text", "source", "told"),
    [
        ("analyzers: [none]", SEEN, "bad  analyzers  {0}/none\n       there is no folder {0}/none"),
        ("analyzers: [mine]", "def f(:",
         "bad  analyzer   {0}/mine/seen.py\n       analyzer.syntax: invalid syntax\n         {0}/mine/seen.py:1:7"),
        ("analyzers: [mine]", SEEN.replace("fires", "quiet"), "       analyzer.example: seen: expected no alert, got 1"),
        ("analyzers: [mine]\noptions: {sene: {limit: 1}}", SEEN, "$.options.sene: there is no analyzer `sene`"),
        ("analyzers: [mine]\noptions: {other: {use: sene}}", SEEN, "$.options.other: there is no analyzer `sene`"),
        ("analyzers: [mine]\noptions: {seen: {limt: 1}}", SEEN, "$.options.seen.limt: seen has no option `limt`"),
        ("analyzers: [mine]\noptions: {seen: {limit: x}}", SEEN, "$.options.seen.limit: expected `int`, got text"),
        ("analyzers: [mine]\ninputs: [{type: http, bind: 203.0.113.1, allow_unauthenticated: true}]", SEEN, "bad  input      http"),
        ("analyzers: [mine]\noutputs: [{type: file, path: none/out}]", SEEN, "bad  output     file"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake(run, tmp_path, text, source, told):
    write(tmp_path, "seen", source)
    config(tmp_path, text + ("" if "inputs" in text else "\ninputs: []"))
    done = run("check")
    assert told.format(tmp_path) in done.output
    assert (done.exit_code, done.output.split("\n")[-2], done.stderr) == (1, "1 to mend", "")


# --- schema ---


KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def misfits(value, wanted, at="$"):
    """What a validator would say of `value`, by as much of JSON Schema as our own schema uses."""
    several = wanted.get("anyOf") or wanted.get("oneOf")
    if several and (fitting := sum(not list(misfits(value, one, at)) for one in several)) != 1:
        yield f"{at}: fits {fitting} of several"
    if "type" in wanted:
        allowed = [wanted["type"]] if isinstance(wanted["type"], str) else wanted["type"]
        if not any(isinstance(value, KINDS[one]) and (one == "boolean" or not isinstance(value, bool)) for one in allowed):
            yield f"{at}: no {allowed}"
    if value not in wanted.get("enum", [value]) or value != wanted.get("const", value):
        yield f"{at}: {value}"
    if isinstance(value, dict) and "properties" in wanted:
        yield from misfits_within(value, wanted, at)
    for index, one in enumerate(value if isinstance(value, list) else ()):
        yield from misfits(one, wanted.get("items", {}), f"{at}[{index}]")


def misfits_within(value, wanted, at):
    yield from (f"{at}.{name}: missing" for name in wanted.get("required", ()) if name not in value)
    for name, inner in value.items():
        if name in wanted["properties"]:
            yield from misfits(inner, wanted["properties"][name], f"{at}.{name}")
        elif wanted.get("additionalProperties") is False:
            yield f"{at}.{name}: unknown"


def test_the_schema_is_printed_as_json(run):
    made = json.loads(run("schema").output)
    assert made == json.loads(json.dumps(whole()))
    assert list(made["properties"]) == list(Config.__struct_fields__)
    for group in ("inputs", "outputs"):
        assert [one["properties"]["type"]["const"] for one in made["properties"][group]["items"]["oneOf"]] == names(group)
    forward = made["properties"]["inputs"]["items"]["oneOf"][names("inputs").index("forward")]["properties"]
    assert forward["chunk_size_limit"]["default"] == "32MiB"
    assert forward["port"]["description"].startswith("port for TCP")


def test_every_part_has_a_schema_whose_defaults_fit_it():
    for group in ("inputs", "outputs"):
        for name in names(group):
            made = json.loads(json.dumps(schema(find(group, name).Options)))
            defaults = {field: one["default"] for field, one in made["properties"].items() if "default" in one}
            assert list(misfits(defaults, {**made, "required": []})) == [], name


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", []),
        ("workers: 2\ninputs:\n- {type: http, port: 1, token: x, max_body: 5MiB}", []),
        ("outputs:\n- {type: file, path: x, when: a, keep: 3}", []),
        ("zzz: 1", ["$.zzz: unknown"]),
        ("workers: x", ["$.workers: fits 0 of several"]),
        ("workers: auto", []),
        ("inputs:\n- {type: nope}", ["$.inputs[0]: fits 0 of several"]),
        ("inputs:\n- {type: http, when: a}", ["$.inputs[0]: fits 0 of several"]),
        ("outputs:\n- {type: file}", ["$.outputs[0]: fits 0 of several"]),
        ("journal: {sync: 5}", ["$.journal.sync: no ['boolean']"]),
    ],
)
def test_the_schema_takes_what_we_take(text, wrong):
    assert list(misfits(parse(text).value, whole())) == wrong


def test_the_schema_takes_the_readmes_example(monkeypatch):
    for name in ("PLUGINHOST_TOKEN", "ES_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    blocks = re.findall(r"```yaml\n(# pluginhost\.yaml\n.*?)```", README.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert list(misfits(parse(block).value, whole())) == []


# --- list, alerts, dead letters ---


def test_the_analyzers_are_listed_without_a_host(run, tmp_path):
    write(tmp_path, "seen", SEEN)
    write(tmp_path, "odd", "1/0")
    config(tmp_path, "analyzers: [mine]\noptions: {seen: {limit: 7}}")
    done = run("list")
    head, row, _, page = done.output.split("\n")[:4]
    assert (head.split(), row) == (["file", "analyzer", "key", "what", "it", "tells"], "seen  seen      –    seen")
    assert page.startswith("analyzer.import: ZeroDivisionError")
    assert (done.exit_code, done.stderr) == (0, "")
    assert run("list", "seen").output.startswith(f"seen  seen\n\n    file     {tmp_path}/mine/seen.py:2\n    where    every record\n"
                                                 "    key      no key\n    options  limit = 7\n")  # fmt: skip
    assert run("list", "odd").output.startswith("analyzer.import: ZeroDivisionError")
    assert "did you mean `seen`?" in run("list", "sene").stderr
    listed = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert [(one["name"], bool(one["problem"])) for one in listed] == [("seen", False), (None, True)]
    config(tmp_path, "analyzers: [none]")
    assert run("list").output == "no analyzers\n"


def test_the_shipped_analyzers_are_listed_by_default(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    listed = [line.split("  ")[0] for line in run("list").output.splitlines()[1:] if line[0] != " "]
    templates = {"count_anomaly", "list_hit", "new_value", "numeric_anomaly", "rare_value"}
    assert listed == sorted({file.stem for file in shipped_analyzers().glob("[!_]*.py")} - templates)


def test_an_absent_store_and_an_empty_one(run, tmp_path):
    assert run("alerts", "list").stderr.startswith(f"alerts.absent: there are no alerts in {tmp_path}/pluginhost-data yet\n")
    assert run("alerts", "list").exit_code == 2
    assert run("dead-letters").output == "no dead letters\n"
    (tmp_path / "pluginhost-data").mkdir()
    AlertStore(tmp_path / "pluginhost-data" / "alerts.db", clock=lambda: 1).close()
    assert (run("alerts", "list").output, run("alerts", "list", "--json").output) == ("no alerts\n", "")
    assert run("alerts", "show", "abc").stderr == "alert.unknown: there is no alert abc\n"
    assert run("dead-letters").output == "no dead letters\n"
    assert run("dead-letters", "--json").output == ""


def test_a_document_laid_flat():
    document = {"a": {"b": 1, "c": []}, "d": ["x", 2], "e": [{"f": None}, 3], "g": {}}
    assert list(flat(document)) == [("a.b", 1), ("a.c", ""), ("d", "x, 2"), ("e[0].f", None), ("e[1]", 3), ("g", {})]


# --- new ---


def test_new_writes_an_analyzer_and_its_test_and_overwrites_nothing(run, tmp_path):
    done = run("new", "failed_users", "-d", "mine")
    assert done.output == "wrote mine/failed_users.py\nwrote mine/test_failed_users.py\ntry it: pluginhost test mine\n"
    before = (tmp_path / "mine" / "failed_users.py").read_text()
    again = run("new", "failed_users", "-d", "mine")
    assert (again.exit_code, again.stderr.split(":")[0]) == (2, "analyzer.exists")
    assert (tmp_path / "mine" / "failed_users.py").read_text() == before
    config(tmp_path, "analyzers: [mine]\ninputs: []")
    assert run("check").output.split("\n")[1:] == ["ok   analyzer   failed_users", "", "all well", ""]


@pytest.mark.parametrize("name", ["Über", "a-b", "1a", "", "class", "json", "test_x", "x_test", "conftest", "pluginhost", "a" * 65, "../x"])
def test_a_name_that_cannot_be_one(run, tmp_path, name):
    done = run("new", name)
    assert (done.exit_code, done.stderr.split(":")[0]) == (2, "analyzer.name")
    assert list(tmp_path.iterdir()) == []


def test_problems_are_printed_without_colours_where_nobody_looks(run):
    assert click.unstyle(run("status").stderr) == run("status").stderr
