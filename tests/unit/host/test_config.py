from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pluginhost import shipped_analyzers
from pluginhost.events.fields import Document
from pluginhost.host.config import Config, Configured, configure, default_file
from pluginhost.match import compile as compile_predicate
from pluginhost.options import Size
from pluginhost.problem import Problem, Problems


@pytest.fixture
def written(tmp_path):
    def read(text: str) -> Configured:
        (tmp_path / "pluginhost.yaml").write_text(text)
        return configure(tmp_path / "pluginhost.yaml")

    return read


def refused(written, text: str) -> list[Problem]:
    with pytest.raises(Problem) as caught:
        written(text)
    return caught.value.found if isinstance(caught.value, Problems) else [caught.value]


def test_without_a_file_safe_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    setup = configure(None)
    assert [part.name for part in setup.inputs] == ["forward", "http", "grpc"]
    assert {part.options.bind for part in setup.inputs} == {"127.0.0.1"}
    assert (setup.outputs, setup.config.workers, setup.data) == ((), 1, tmp_path / "pluginhost-data")
    assert setup.folders == (shipped_analyzers(),)
    assert setup.hostname == f"pluginhost.{socket.gethostname()}"


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n"])
def test_a_file_of_nothing_means_the_same(written, text):
    assert written(text).config == Config()


def test_paths_are_relative_to_the_file(written, tmp_path):
    setup = written("data: state\nanalyzers: [mine, shipped, /else/where, mine]\noutputs: [{type: file, path: out.jsonl}]\n")
    assert setup.data == tmp_path / "state"
    assert setup.folders == (tmp_path / "mine", shipped_analyzers(), Path("/else/where"))
    assert setup.outputs[0].options.path == tmp_path / "out.jsonl"


def test_parts_have_their_own_options_and_what_all_outputs_share(written):
    setup = written(
        "hostname: me\ninputs:\n- {type: forward, port: 1, name: one}\n- {type: forward, port: 2, waiting_bytes: 1MiB}\n"
        "outputs:\n- type: file\n  path: x\n  name: mine\n  analyzers: [a, b]\n  when: event.severity:>=73\n- {type: file, path: y}\n"
    )
    assert [(part.name, part.options.port) for part in setup.inputs] == [("one", 1), ("forward", 2)]
    assert setup.inputs[1].options.waiting_bytes == Size(1 << 20)
    mine, other = setup.outputs
    assert (mine.name, mine.route.analyzers, other.name, other.when) == ("mine", ("a", "b"), "file", None)
    wanted = compile_predicate(mine.when)
    assert [wanted(Document({"event": {"severity": number}})) for number in (47, 73, 99)] == [False, True, True]
    assert setup.hostname == "me"


def test_options_of_analyzers_are_taken_as_they_are(written):
    assert written("options: {ssh_bruteforce: {limit: 3}, x: {}}").config.options == {"ssh_bruteforce": {"limit": 3}, "x": {}}


@pytest.mark.parametrize(
    ("text", "code", "what", "line", "todo"),
    [
        ("inputs:\n- {type: forwrd}", "part.unknown", "$.inputs[0].type: there is no input `forwrd`", 2, "did you mean `forward`?"),
        ("inputs:\n- port: 1", "config.missing", "$.inputs[0].type is missing", 2, None),
        ("inputs:\n- forward", "config.value", "$.inputs[0]: expected a mapping, got text", 2, None),
        ("inputs: forward", "config.value", "$.inputs: expected a list, got text", 1, None),
        ("inputs:\n- {type: http}\n- {type: http}", "config.twice",
         "$.inputs[1]: there are two inputs called `http`", 3, "give one a `name`"),
        ("inputs:\n- type: http\n  prot: 1", "config.unknown",
         "$.inputs[0].prot: there is no option `prot` here", 3, "did you mean `port`?"),
        ("inputs:\n- type: http\n  when: a", "config.unknown", "$.inputs[0].when: there is no option `when` here", 3, None),
        ("outputs:\n- type: file", "config.missing", "$.outputs[0].path is missing", 2, None),
        ("outputs:\n- type: file\n  path: x\n  analyzers: a", "config.value", "$.outputs[0].analyzers: expected a list, got text", 4, None),
        ("outputs:\n- type: elasticsearch\n  hosts: []", "config.value",
         "$.outputs[0].hosts: expected 1 to any number of items, got 0", 3, None),
        ("inputs:\n- type: forward\n  waiting_bytes: 0", "config.value", "$.inputs[0].waiting_bytes: expected >= 1, got 0", 3, None),
        ("workers: 65", "config.value", "$.workers: expected `int` <= 64", 1, None),
        ("namespace: A-b", "config.value", "$.namespace: expected text matching regex '^[a-z0-9_.]{1,100}$'", 1, None),
        ("loop_tag: ''", "config.value", "$.loop_tag: expected text of length >= 1", 1, None),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_path_and_line(written, text, code, what, line, todo):
    (problem,) = refused(written, text)
    assert (problem.code, problem.what, problem.where.line) == (code, what, line)
    assert problem.todo == todo or todo is None


def test_a_query_that_does_not_parse_is_shown_in_its_line(written, tmp_path):
    (problem,) = refused(written, "outputs:\n- type: file\n  path: x\n  when: 'a:('\n")
    assert (problem.code, problem.what.split(": ")[0]) == ("query.empty", "$.outputs[0].when")
    assert (problem.where.file, problem.where.line, problem.still) == (str(tmp_path / "pluginhost.yaml"), 4, None)


def test_every_mistake_of_the_file_is_told_at_once(written):
    inputs = "inputs:\n- 5\n- {type: forwrd}\n- {type: http, prot: 1, port: x}\n"
    found = refused(written, f"workers: 0\nzzz: 1\n{inputs}outputs:\n- {{}}\n- {{type: file}}\n")
    assert [problem.what.split(":")[0] for problem in found] == [
        "$.zzz", "$.workers", "$.inputs[0]", "$.inputs[1].type", "$.inputs[2].prot", "$.inputs[2].port", "$.outputs[0].type is missing",
        "$.outputs[1].path is missing",
    ]  # fmt: skip


def test_where_the_configuration_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert default_file() in (None, Path("/etc/pluginhost/pluginhost.yaml"))
    (tmp_path / "pluginhost.yaml").write_text("")
    assert default_file() == Path("pluginhost.yaml")
