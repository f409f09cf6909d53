"""A package of somebody else's brings an input, an output, a mapping and an analyzer: pip installs it, a sidecar runs on all four.

The package is examples/foreign, which docs/extending.md explains; it is installed into a folder of the test's own.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from sidecars import free_port, until

from pluginhost.cli import main

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "foreign"
LINES = b"till-3 refund 129.90 ann\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that pip installed the package into, from its source, without a network."""
    target = tmp_path_factory.mktemp("installed")
    made = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index",
         "--target", str(target), str(EXAMPLE)], capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return target


@pytest.fixture
def foreign(sidecar, installed):
    """A sidecar, not started, with all four parts; `lines` is the port of the foreign input."""
    one = sidecar(analyzers=["till"], options={"many_refunds": {"limit": 3}}, outputs=[{"type": "folder", "path": "flagged"}])
    one.lines = free_port()
    one.config["inputs"].append({"type": "tcp_lines", "port": one.lines, "tag": "till.shop"})
    (one.folder / "flagged").mkdir()
    return one


def send(port, data):
    """What the input answers until it closes the connection, as it does once the sender has."""
    with socket.create_connection(("127.0.0.1", port), 30) as peer:
        peer.settimeout(60)
        peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: peer.recv(4096), b""))


@pytest.fixture
def run(installed, foreign, monkeypatch):
    """(status, what a command prints) beside the configuration of `foreign`, where the package is installed or not."""
    monkeypatch.chdir(foreign.folder)
    monkeypatch.setenv("COLUMNS", "140")

    def made(*command, there=True):
        Path("pluginhost.yaml").write_text(json.dumps(foreign.config))
        with monkeypatch.context() as here:
            if there:
                here.syspath_prepend(str(installed))
                here.setenv("PYTHONPATH", str(installed))  # for the process that tries analyzers
            result = CliRunner().invoke(main, command)
        return result.exit_code, result.output

    return made


def flagged(one):
    """The documents in the folder of the foreign output, in the order of their names."""
    return [json.loads(file.read_text()) for file in sorted((one.folder / "flagged").glob("*.json"))]


def test_records_through_all_four(foreign, installed):
    foreign.start("env", f"PYTHONPATH={installed}")
    answers = send(foreign.lines, LINES * 2 + b"till-4 sale 9.99 ann\ntill-3 out of paper\n" + LINES.rstrip())
    assert sum(map(int, answers.split())) == 5  # also the line that has no end
    (document,) = until(lambda: flagged(foreign), what="the file of an alert")
    assert document["message"] == "ann: 3 refunds within an hour, the last at till-3"
    assert (document["rule"]["id"], document["user"]["name"], document["host"]["name"]) == ("many_refunds", "ann", "till-3")
    assert document["pluginhost"]["source"]["tag"] == "till.shop"
    (alert,) = foreign.alerts()
    assert [file.name for file in (foreign.folder / "flagged").iterdir()] == [f"{alert['id']}.json"]
    counts = until(lambda: (made := foreign.status()["counts"])["output.folder"]["delivered"] and made, what="the delivery is noted")
    assert counts["input.tcp_lines"] == {"lines": 5, "refused": 0}
    assert (counts["door.tcp_lines"]["records"], counts["output.folder"]["files"]) == (5, 1)


    assert send(foreign.lines, b"x" * 100_000) == b""  # what a peer does wrong harms nobody else
    assert send(foreign.lines, b"") == send(foreign.lines, b"\n") == b""
    with socket.create_connection(("127.0.0.1", foreign.lines), 30):  # says nothing, and is still there when the sidecar stops
        assert send(foreign.lines, LINES) == b"1\n"
        assert foreign.status()["counts"]["input.tcp_lines"] == {"lines": 6, "refused": 1}
        assert foreign.stop() == 0


def test_an_alert_waits_for_the_foreign_output(foreign, installed):
    (foreign.folder / "flagged").rmdir()
    foreign.start("env", f"PYTHONPATH={installed}")
    send(foreign.lines, LINES * 3)
    until(lambda: "No such file" in foreign.status()["outputs"][0]["trouble"], what="the output is in trouble")
    assert foreign.stop() == 0
    (foreign.folder / "flagged").mkdir()
    foreign.start("env", f"PYTHONPATH={installed}")
    assert len(until(lambda: flagged(foreign), 90, "the file of the alert")) == 1


class TestTheCommandLineKnowsThem:
    def test_check(self, foreign, run):
        status, told = run("check")
        assert status == 0, told
        for line in ("ok   analyzer   many_refunds", "ok   input      tcp_lines", "ok   output     folder"):
            assert line in told
        (foreign.folder / "flagged").rmdir()
        status, told = run("check")
        assert status == 1
        assert "output.folder.path: cannot write into the folder" in told

    def test_list(self, run):
        status, told = run("list")
        assert status == 0
        assert re.search(r"^many_refunds .* Many refunds by one cashier within an hour$", told, re.MULTILINE)
        status, told = run("list", "many_refunds")
        assert status == 0
        assert told.splitlines()[0] == "many_refunds  Many refunds by one cashier within an hour"
        assert re.search(r"^ +options +limit = 3$", told, re.MULTILINE)

    def test_schema(self, run):
        status, told = run("schema")
        assert status == 0
        kinds = {group: {one["properties"]["type"]["const"]: one for one in json.loads(told)["properties"][group]["items"]["oneOf"]}
                 for group in ("inputs", "outputs")}  # fmt: skip
        longest = kinds["inputs"]["tcp_lines"]["properties"]["longest"]
        assert longest["description"] == "most bytes of a line; a longer one closes its connection"
        assert kinds["outputs"]["folder"]["required"] == ["type", "path"]

    def test_mistakes_are_told_like_those_in_built_in_parts(self, foreign, run):
        foreign.config["inputs"][-1] |= {"prot": 1, "bind": "0.0.0.0"}
        foreign.config["outputs"].append({"type": "foldr"})
        status, told = run("check")
        assert status == 2
        assert "there is no option `prot` here" in told
        assert "did you mean `port`?" in told
        assert "did you mean `folder`?" in told
        del foreign.config["inputs"][-1]["prot"], foreign.config["outputs"][-1]
        status, told = run("check")
        assert status == 1
        assert "input.unauthenticated: input tcp_lines listens on 0.0.0.0" in told

    def test_without_the_package_they_are_unknown(self, run):
        status, told = run("check", there=False)
        assert status == 2
        assert "there is no input `tcp_lines`" in told

    def test_its_own_configuration(self, foreign, run):
        foreign.config = {}
        (foreign.folder / "own.yaml").write_text((EXAMPLE / "pluginhost.yaml").read_text().replace("5170", str(free_port())))
        status, told = run("check", "-c", "own.yaml")
        assert status == 0, told


def test_its_mapping_reads_what_its_examples_say(installed):
    code = ("from pluginhost.engine.parts import mappings\nfrom pluginhost.events.event import Event\n"
            "from pluginhost.engine.gate import rows\nfrom pluginhost.engine.splitter import slices\n"
            "known = mappings()\n(till,) = [one for one in known if one.name == 'till']\n"
            "for one in till.examples:\n"
            "    made = Event(next(iter(slices(rows([one.record], 10**18, 10**9, one.tag)))), known)\n"
            "    assert all(made[field] == value for field, value in one.expected.items()), one\n"
            "    assert not any(field in made for field in one.absent), one\n"
            "print(len(till.examples))\n")  # fmt: skip
    made = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip
    assert (made.returncode, made.stdout) == (0, "2\n"), made.stderr


def test_the_page_shows_the_package():
    """Every block of code in docs/extending.md is cut from a file of the package that it names before."""
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    shown = re.findall(r"^`([\w./]+)`:?\n\n```(?:python(?: analyzer)?|toml)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert {name for name, _ in shown} == {"pyproject.toml", *(f"pluginhost_till/{name}" for name in (
        "__init__.py", "tcp_lines.py", "folder.py", "till.py", "analyzers/many_refunds.py"))}  # fmt: skip
    assert len(shown) == len(re.findall(r"^```(?:python|toml)", page, re.MULTILINE))
    for name, text in shown:
        assert text in (EXAMPLE / name).read_text("utf-8"), name
