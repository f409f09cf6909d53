"""A real sidecar that is told whom not to tell, killed in the middle: who learns of what, whose risk rose, what the command line says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sidecars import until

from pluginhost.cli import main

pytestmark = pytest.mark.xdist_group("suppress_and_risk")

ANALYZER = '''
from pluginhost import Alert, analyzer

@analyzer(where="severity:*", key="user.name")
def strange(event):
    """Whatever says of itself how bad it is."""
    return Alert(event["severity"], f"{event['user.name']} {event['n']}", suppressed=("learning",) if event.get("new") else ())
'''


@pytest.fixture
def lived(sidecar):
    """A sidecar that has judged some, was killed, and judged the rest."""
    one = sidecar(
        risk={},
        suppress=[{"name": "contractors", "when": "user.name:bob AND source.ip:\"10.0.0.0/8\"", "reason": "until the end of March"}],
        outputs=[{"type": "file", "path": "people.jsonl"}, {"type": "file", "path": "all.jsonl", "name": "all", "suppressed": True}],
    )
    (one.analyzers / "strange.py").write_text(ANALYZER)
    one.start()
    told = [("ann", "critical"), ("bob", "critical"), ("ann", "low"), ("cleo", "critical")]
    one.post([record(*each, n, new=each[0] == "cleo") for n, each in enumerate(told)])
    one.settled()
    one.kill()
    one.start()
    one.post([record(*each, n) for n, each in enumerate([*told[:1], ("ann", "low"), ("bob", "high")], 4)])
    one.settled()
    return one


def record(user, severity, n, *, new=False):
    return {"user": {"name": user}, "source": {"ip": "10.1.2.3" if user == "bob" else "192.0.2.7"}, "severity": severity, "n": n,
            "@timestamp": "2026-03-01T10:00:00Z", **({"new": True} if new else {})}  # fmt: skip


def written(one, name):
    file = Path(one.folder / name)
    return [json.loads(line)["message"] for line in file.read_text().splitlines()] if file.exists() else []


def said(one, *words):
    made = CliRunner().invoke(main, [*words[:2], "--config", str(one.folder / "pluginhost.yaml"), *words[2:]], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return made.output


def test_everything_is_stored_once_told_to_whom_it_should_be_and_a_rise_once(lived):
    rise = ["risk of ann rose from no_risk to medium", "risk of ann rose from medium to high"]
    people = ["ann 0", rise[0], "ann 2", "ann 4", rise[1], "ann 5"]
    everything = ["ann 0", rise[0], "bob 1", "ann 2", "cleo 3", "ann 4", rise[1], "ann 5", "bob 6"]
    until(lambda: len(set(written(lived, "people.jsonl"))) >= len(people) and len(set(written(lived, "all.jsonl"))) >= len(everything))
    assert list(dict.fromkeys(written(lived, "people.jsonl"))) == people  # a kill may write a line again
    assert list(dict.fromkeys(written(lived, "all.jsonl"))) == everything
    assert sorted(one["headline"] for one in lived.alerts()) == sorted(people)
    assert {one["headline"]: one["suppressed"] for one in lived.alerts(suppressed=True)} == {
        "bob 1": "contractors", "cleo 3": "learning", "bob 6": "contractors",
    }  # fmt: skip
    (high,) = [one["document"] for one in lived.alerts(severity="high") if one["headline"] == rise[1]]
    assert (high["user"]["risk"], high["event"]["kind"]) == ({"calculated_score": 41.0, "calculated_level": "high"}, "alert")

    listed = said(lived, "alerts", "list", "--suppressed")
    assert "bob 6" in listed
    assert "suppressed: contractors" in listed
    assert [line.split(maxsplit=2) for line in listed.splitlines()[-2:]] == [
        ["2", "contractors", "until the end of March"], ["1", "learning"],
    ]  # fmt: skip
    assert "bob" not in said(lived, "alerts", "list")

    assert [one["name"] for one in lived.ask("risks", kind="user")] == ["ann"]
    assert "by eve: a test" in said(lived, "risk", "set", "ann", "low", "--for", "1h", "--by", "eve", "--note", "a test")
    shown = json.loads(said(lived, "risk", "show", "ann", "--json"))
    assert (shown["level"], shown["override"]["author"], shown["override"]["note"]) == ("low", "eve", "a test")
    assert [cause["severity"] for cause in shown["alerts"]] == ["critical", "low", "critical", "low"]
    lived.post([record("ann", "critical", 9), record("ann", "critical", 10)])
    lived.settled()
    assert len(lived.alerts(analyzer="pluginhost.user_risk")) == 2  # of what was set by hand nobody is told
    lived.stop()
    assert "ann" in said(lived, "risk", "list")
    assert "set until" in said(lived, "risk", "show", "ann")
    lived.start()
    assert said(lived, "risk", "clear", "ann") == "cleared\n"
    assert lived.ask("risk", kind="user", name="ann")[0]["override"] is None
    assert said(lived, "risk", "clear", "ann") == "nothing was set\n"
