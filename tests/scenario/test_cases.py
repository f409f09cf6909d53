"""A real sidecar whose alerts people work through: killed after each answer, stopped, and asked again from its file."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from sidecars import until

from pluginhost.alerts.cases import ACTIONS
from pluginhost.cli import main

pytestmark = pytest.mark.xdist_group("cases")

ANALYZER = '''
from pluginhost import Alert, analyzer

@analyzer(where="severity:*", key=("user.name", "kind"))
def strange(event):
    """Whatever says of itself how bad it is."""
    return Alert(event["severity"], f"{event['user.name']}: {event['kind']}")
'''


def record(user, kind, severity="high", host="web1"):
    return {"user": {"name": user}, "host": {"name": host}, "kind": kind, "severity": severity, "@timestamp": "2026-03-01T10:00:00Z"}


def said(one, *words, code=0):
    made = CliRunner().invoke(main, [*words[:2], "--config", str(one.folder / "pluginhost.yaml"), *words[2:]], catch_exceptions=False)
    assert made.exit_code == code, made.output
    return made.output


def ids(one):
    return {alert["headline"]: alert["id"][:12] for alert in one.alerts()}


def killed(one):
    one.kill()
    return one.start()


@pytest.fixture
def lived(sidecar):
    one = sidecar(outputs=[{"type": "file", "path": "alerts.ndjson"}])
    (one.analyzers / "strange.py").write_text(ANALYZER)
    one.start()
    one.post([record("ann", "failed logins"), record("bob", "odd \x1b[2Jhour", "low", "db1"), record("ann", "new country", "critical")])
    one.settled()
    return one


def test_alerts_are_worked_through(lived):
    names = ids(lived)
    told = said(lived, "alerts", "open").splitlines()
    assert [line.split()[:2] for line in told] == [["open", "critical"], ["open", "high"], ["open", "low"]]
    assert "ann: new country" in told[0]
    assert told[0].endswith("1 alert, 2026-03-01 10:00  incident 1")
    assert "\x1b" not in told[2]
    assert "\\x1b[2J" in told[2]

    done = said(lived, "alerts", "ack", names["ann: failed logins"], names["ann: new country"], "--by", "eve", "--note", "on it\nnow")
    assert [line.split()[:2] for line in done.splitlines()] == [["acknowledged", "high"], ["acknowledged", "critical"]]
    killed(lived)  # what was answered is durable
    first = names["ann: failed logins"]
    assert "acknowledged" in said(lived, "alerts", "open").splitlines()[0]
    said(lived, "alerts", "assign", first, "--to", "cleo", "--by", "eve")
    said(lived, "alerts", "start", first, "--by", "cleo")
    said(lived, "alerts", "tag", first, "-t", "vpn", "-t", "office", "--by", "cleo")
    said(lived, "alerts", "untag", first, "-t", "office", "--by", "cleo")
    said(lived, "alerts", "link", first, "--url", "https://wiki/case/7", "--by", "cleo")
    killed(lived)
    assert "case.status: `ack` does not fit what is in progress" in said(lived, "alerts", "ack", first, code=2)
    assert "resolved:false" in said(lived, "alerts", "resolve", first, "--as", "false", "--note", "a scanner of ours", "--by", "cleo")
    killed(lived)
    lived.post([record("ann", "failed logins", "medium")])
    lived.settled()

    assert lived.stop() == 0
    shown = said(lived, "alerts", "show", first)  # from the file
    assert "open, assigned to cleo, tags vpn, incident 1" in shown
    assert "https://wiki/case/7" in shown
    history = said(lived, "alerts", "history", first).splitlines()
    assert [re.split(r"\s{2,}", line)[1:] for line in history] == [
        ["pluginhost", "opened: status open, severity high"], ["pluginhost", "joined: incident 1"], ["user.name=ann, host.name=web1"],
        ["eve", "ack: status open → acknowledged"], ["on it"], ["now"], ["eve", "assign: assignee cleo"],
        ["cleo", "start: status acknowledged → in_progress"], ["cleo", "tag: +vpn +office"], ["cleo", "untag: -office"],
        ["cleo", "link: +https://wiki/case/7"], ["cleo", "resolve: status in_progress → resolved, verdict false"], ["a scanner of ours"],
        ["pluginhost", "reopened: status resolved → open, verdict false → none, severity high → medium"],
    ]  # fmt: skip
    assert "(acknowledged, incident 1)" in said(lived, "alerts", "list", "--status", "acknowledged")
    assert said(lived, "alerts", "list", "--status", "in_progress") == "no alerts\n"
    assert said(lived, "alerts", "list", "--assignee", "cleo", "--severity", "medium").count("failed logins") == 1
    assert "host.absent" in said(lived, "alerts", "ack", first, code=2)


def test_what_belongs_together_is_worked_through_at_once(lived):
    lived.post([record("ann", "new device", "medium")])
    lived.settled()
    assert re.split(r"\s{2,}", said(lived, "incidents", "list").strip()) == [
        "1", "open", "critical", "ann: failed logins; ann: new country", "3 alerts of 3 groups since 2026-03-01 10:00",
    ]  # fmt: skip
    written = Path(lived.folder / "alerts.ndjson")
    until(lambda: len(written.read_text().splitlines()) == 4)
    documents = [json.loads(line) for line in written.read_text().splitlines()]
    assert [one["pluginhost"].get("incident") for one in documents] == [None, None, 1, 1]
    said(lived, "incidents", "assign", "1", "--by", "eve")
    assert "resolved:true" in said(lived, "incidents", "resolve", "1", "--as", "true", "--by", "eve", "--note", "account locked")
    killed(lived)
    assert said(lived, "incidents", "list") == "no incident is open\n"
    assert [line.split()[1] for line in said(lived, "alerts", "open").splitlines()] == ["low"]
    shown = said(lived, "incidents", "show", "1")
    assert [line for line in shown.splitlines() if "resolve: status" in line] != []
    assert shown.count("resolve: status open → resolved, verdict true") == 4  # the incident, and each of its groups
    assert shown.count("account locked") == 4
    assert "joined: incident 1  (ann: new device)" in shown
    assert shown.count(" alert: ") == 3  # that they are over is no alert
    assert shown.index("alert: ann: failed logins") < shown.index("opened: ") < shown.index("assign: assignee eve")
    lived.stop()
    assert said(lived, "incidents", "show", "1") == shown
    assert "incident.unknown" in said(lived, "incidents", "show", "2", code=2)


def test_an_analyzer_that_is_gone_leaves_what_can_be_closed(lived):
    (lived.analyzers / "strange.py").unlink()
    killed(lived)
    assert len(said(lived, "alerts", "open").splitlines()) == 3
    said(lived, "alerts", "resolve", *ids(lived).values(), "--as", "benign")
    assert said(lived, "alerts", "open") == "nothing is open\n"


def test_what_the_page_says_is_done(lived):
    page = (Path(__file__).parents[2] / "docs" / "cases.md").read_text("utf-8")
    shown = re.findall(r"^\$ pluginhost (.*)$", page, re.MULTILINE)
    names = dict(zip(dict.fromkeys(re.findall(r"\b[0-9a-f]{12}\b", page)), ids(lived).values(), strict=False))
    for line in shown:
        words = [names.get(word, word) for word in shlex.split(line)]
        said(lived, *words)
    assert len(shown) == 21
    (incident,) = lived.ask("incident", number=1)
    assert (incident["incident"]["status"], incident["incident"]["assignee"]) == ("resolved", "eve")
    told = set(re.findall(r"^\| `(\w+)[` ]", page, re.MULTILINE)) | {"untag", "link", "note", "tag"}
    assert told >= set(ACTIONS)
