"""What the demo makes of alerts: the table, what is wrong, the alert that stands for its family, and that alert's evidence."""

from __future__ import annotations

import click
import pytest

from pluginhost.cli.evidence import evidence, told
from pluginhost.cli.tally import FAMILIES, family, foremost, tally
from pluginhost.replay.generators import Label
from pluginhost.replay.score import Truth

SECOND = 10**9
RAN = {"new_country": "new_country", "new_device": "new_device", "ssh_bruteforce": "ssh_bruteforce"}
TRUTH = [(1 * SECOND, Label("new_country", "alice", 1)), (2 * SECOND, Label("ssh_bruteforce", "192.0.2.1", 2)),
         (3 * SECOND, Label("own_new_device", "bob", 3))]  # fmt: skip


def alert(analyzer, second, severity="medium", **document):
    number = {"low": 21, "medium": 47, "high": 73, "critical": 99}[severity]
    stored = {"@timestamp": f"1970-01-01T00:00:{second:02}.000Z", "rule": {"id": analyzer, "ruleset": RAN[analyzer]},
              "event": {"severity": number, **document.pop("event", {})}, **document}  # fmt: skip
    return {"analyzer": analyzer, "severity": severity, "headline": f"{analyzer} at {second}", "document": stored}


def judged(*alerts):
    return tally(Truth(TRUTH), alerts, 100, RAN)


COUNTRY, GUESSING = alert("new_country", 1), alert("ssh_bruteforce", 2, "high")


def test_all_found_and_a_look_alike_and_a_low_one_are_no_mistake():
    made = judged(COUNTRY, GUESSING, alert("new_device", 3), alert("new_device", 40, "low"))
    silent = [name for name in FAMILIES if name not in ("logins", "hosts and accounts")]
    assert made.wrong() == [f"no alert at all: {name}" for name in silent]
    lines = [click.unstyle(line) for line in made.lines()]
    assert [line.split() for line in lines[1:3]] == [["logins", "2", "1", "1", "3", "2"], ["geoprofile", "0", "0", "0", "0", "0"]]
    assert lines[-2:] == [
        "    1  a user's own login from a device of another kind, 0 of them low", "    1  nothing out of the ordinary, low",
    ]  # fmt: skip


def test_what_is_missing_or_false_is_told():
    wrong = judged(COUNTRY, alert("new_country", 40), alert("new_country", 41, "low")).wrong()
    assert wrong[:2] == ["not found: 1 of 1 that ssh_bruteforce must find", "false: 1 of new_country, at medium severity or above"]


def test_for_a_family_stands_an_alert_about_an_attack_that_is_severe_and_tells_much():
    bare, rich = alert("new_country", 1), alert("new_country", 1, user={"name": "alice"}, event={"reason": "never there"})
    false = alert("new_country", 40, "critical")
    assert dict(foremost(Truth(TRUTH), [false, bare, rich, alert("new_country", 1, "low")])) == {"logins": rich}
    assert dict(foremost(Truth(TRUTH), [false])) == {"logins": false}


def test_every_shipped_analyzer_has_a_family():
    from pluginhost import shipped_analyzers

    assert {file.stem for file in shipped_analyzers().glob("[!_]*.py") if family(file.stem) == "others"} == set()


def test_evidence_is_all_that_a_document_tells():
    document = {
        "@timestamp": "2026-11-17T12:01:10.000Z", "user": {"name": "jonas", "target": {"name": "root"}}, "host": {"name": "web1"},
        "source": {"ip": "203.0.113.9", "as": {"organization": {"name": "Example"}}, "geo": {"city_name": "Rome", "country_name": "Italy"}},
        "event": {"start": "2026-11-17T10:00:10.000Z", "end": "2026-11-17T12:01:10.000Z", "reason": "3 signs"},
        "pluginhost": {"alert": {"count": 8}, "signs": ["a", "b"],
                       "score": {"value": 10.834, "threshold": 6.0, "actual": 5.0, "expected": 0.0126},
                       "travel": {"from": {"city_name": "Berlin"}, "distance_km": 1197.3}},
        "threat": {"technique": {"id": ["T1078"]}},
    }  # fmt: skip
    assert told(document) == [
        ("who", "jonas on the account root from 203.0.113.9 (Example) on web1"),
        ("where", "Rome, Italy; before that Berlin, 1,197 km away"),
        ("when", "2026-11-17 12:01:10 UTC, over 2 h"), ("why", "3 signs"), ("counted", "8 records"),
        ("score", "10.83, limit 6, 5 counted, 0.0126 expected"), ("signs", "a, b"), ("technique", "T1078"),
    ]  # fmt: skip


@pytest.mark.parametrize("odd", [None, 7, [], {}, "x", [None], {"name": 7}, {"ip": []}])
def test_odd_documents_are_evidence_of_what_can_be_read(odd):
    document = {"@timestamp": odd, "user": odd, "source": odd, "event": odd, "pluginhost": odd, "threat": odd}
    assert [label for label, _ in told(document)] == ["when"]


def test_no_line_is_longer_than_the_terminal_or_acts_on_it():
    document = {"@timestamp": "2026-11-17T12:01:10.000Z", "event": {"reason": "\x1b[2J" + "very " * 300}}
    lines = list(evidence("web", {"analyzer": "a", "severity": "high", "headline": "x\ny\x07", "document": document}, 60))
    assert max(len(click.unstyle(line)) for line in lines) <= 60
    assert "\\x0a" in lines[1]
    assert not [line for line in lines if "\x1b[2J" in line or "\x07" in line]
    assert len(lines) < 15
