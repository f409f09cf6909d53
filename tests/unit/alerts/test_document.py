from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

import pluginhost
from pluginhost import Alert, Event
from pluginhost.alerts.desk import resolves
from pluginhost.alerts.document import EVIDENCE, Rule, document, merge
from pluginhost.alerts.sanitise import clean
from pluginhost.alerts.template import mapped_type
from pluginhost.engine.gate import START, played, prepared
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.events.slice import Slice

LISTS = {"event.category", "event.type", "threat.technique.id", "threat.technique.reference", "related.ip", "related.user", "related.hosts",
         "tags"}  # fmt: skip
SCALARS = {"message", "event.kind", "event.action", "event.outcome", "event.module", "event.dataset", "event.provider", "event.reason",
           "event.id", "rule.id", "rule.name", "rule.description", "rule.ruleset", "user.name", "source.ip", "log.level"}  # fmt: skip
CATEGORIES = {"api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam", "intrusion_detection",
              "library",
              "malware", "network", "package", "process", "registry", "session", "threat", "vulnerability", "web"}  # fmt: skip
TYPES = {"access", "admin", "allowed", "change", "connection", "creation", "deletion", "denied", "device", "end", "error", "group",
         "indicator",
         "info", "installation", "protocol", "start", "user"}  # fmt: skip
RULE = Rule("probe", "A probe", "A probe.\n\nMore.", "probes")
MAPPINGS = mappings()


def flat(value, name=""):
    if isinstance(value, dict) and value and not (name and mapped_type(name) is None and name.count(".") > 6):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def check(made: dict) -> None:
    """Whether a document is one that the index and the security apps take."""
    assert clean(made) == made
    fields = dict(flat({name: value for name, value in made.items() if name != "pluginhost"}))
    assert fields["event.kind"] == ("event" if resolves(made) else "alert")
    assert {"low": 21, "medium": 47, "high": 73, "critical": 99}[fields["log.level"]] == fields["event.severity"]
    assert type(fields["event.severity"]) is int
    assert type(fields["event.risk_score"]) is float
    assert 0 <= fields["event.risk_score"] == fields["event.risk_score_norm"] <= 100
    assert set(fields["event.category"]) <= CATEGORIES
    assert set(fields["event.type"]) <= TYPES
    assert fields.get("event.outcome", "unknown") in ("failure", "success", "unknown")
    for field, value in fields.items():
        assert isinstance(value, list) == (field in LISTS) or field not in LISTS | SCALARS, field
    times = [datetime.fromisoformat(fields[field]) for field in ("event.start", "event.end", "@timestamp")]
    assert times[0] <= times[1] == times[2]
    assert all(fields[field].endswith("Z") for field in ("event.start", "event.end", "@timestamp"))
    assert made["tags"][0] == "pluginhost.alert"
    assert (made["event"]["module"], made["event"]["dataset"], made["ecs"]["version"]) == ("pluginhost", "pluginhost.alerts", "8.17.0")


def firing():
    for file in sorted(pluginhost.shipped_analyzers().glob("[!_]*.py")):
        for unit in ready(bundle(Path(file)), {}):
            for number, example in enumerate(unit.analyzer.examples):
                if example.want == "fires":
                    yield pytest.param(unit, example, id=f"{unit.name}:{number}")


@pytest.mark.parametrize(("unit", "example"), list(firing()))
def test_every_firing_example_of_the_shipped_analyzers_gives_a_valid_document(unit, example):
    result = played(prepared(unit, example), example, MAPPINGS)
    assert result.findings
    for finding in result.findings:
        made = msgspec.json.decode(finding.document)
        check(made)
        assert made["event"]["id"] == finding.id
        assert made["rule"]["name"] == unit.analyzer.title
        if not unit.analyzer.has_timers:  # a timer's finding has no record
            assert made["pluginhost"]["record"]
            assert made["tags"] == ["pluginhost.alert", example.tag]


def event(record, tag="app.auth") -> Event:
    return Event(Slice(0, 0, START + 5_123_456_789, START, tag, "msgpack", msgspec.msgpack.encode(record), "forward", "peer"), MAPPINGS)


def made(alert: Alert, record=None, **given) -> dict:
    given = {"key": {}, "event_id": "e1", "fingerprint": "f1", "time": START + 5_123_456_789, "window": None} | given
    return document(RULE, alert, event=event(record) if record is not None else None, **given)


def test_a_whole_document():
    record = {"message": "Failed", "pid": 7, "user": {"name": "root"}, "source": {"ip": "203.0.113.7"}, "host": {"name": "web1"}}
    alert = Alert("high", "SSH brute force", technique="T1110.001", reason="25 failures", fields={"url.path": "/x"}, risk=80)
    whole = made(alert, record, key={"source.ip": "203.0.113.7"}, window=(25, START))
    check(whole)
    assert whole == {
        "@timestamp": "2026-01-01T00:00:05.123Z", "ecs": {"version": "8.17.0"}, "message": "SSH brute force", "log": {"level": "high"},
        "event": {"id": "e1", "kind": "alert", "action": "probe", "module": "pluginhost", "dataset": "pluginhost.alerts",
                  "provider": "probe", "severity": 73, "reason": "25 failures", "risk_score": 80.0, "risk_score_norm": 80.0,
                  "start": "2026-01-01T00:00:00.000Z", "end": "2026-01-01T00:00:05.123Z", "category": ["intrusion_detection"],
                  "type": ["info"], "original": "Failed"},
        "rule": {"id": "probe", "name": "A probe", "description": "A probe.\n\nMore.", "ruleset": "probes"},
        "observer": {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": pluginhost.__version__},
        "threat": {"framework": "MITRE ATT&CK",
                   "technique": {"id": ["T1110.001"], "reference": ["https://attack.mitre.org/techniques/T1110/001/"]}},
        "user": {"name": "root"}, "host": {"name": "web1"}, "source": {"ip": "203.0.113.7", "address": "203.0.113.7"},
        "process": {"pid": 7}, "url": {"path": "/x"},
        "related": {"ip": ["203.0.113.7"], "user": ["root"], "hosts": ["web1"]}, "tags": ["pluginhost.alert", "app.auth"],
        "pluginhost": {"analyzer": "probe", "alert": {"fingerprint": "f1", "count": 25},
                       "source": {"tag": "app.auth", "input": "forward", "message": "Failed"}, "record": record},
    }  # fmt: skip


def test_what_the_analyzer_says_goes_before_what_the_window_holds():
    whole = made(Alert("low", "x", count=3, since=START + 10**9), {}, window=(25, START))
    assert (whole["pluginhost"]["alert"]["count"], whole["event"]["start"]) == (3, "2026-01-01T00:00:01.000Z")
    whole = made(Alert("low", "x", since=START + 10**12), {})
    assert (whole["pluginhost"]["alert"]["count"], whole["event"]["start"]) == (1, whole["event"]["end"])


def test_a_timers_finding_has_no_record():
    whole = made(Alert("low", "silent"), key={"host.name": "web1"})
    check(whole)
    assert (whole["related"], whole["tags"], "original" in whole["event"]) == ({"hosts": ["web1"]}, ["pluginhost.alert"], False)
    assert whole["pluginhost"] == {"analyzer": "probe", "alert": {"fingerprint": "f1", "count": 1}}


def test_at_most_so_many_contributing_events_are_kept_the_newest():
    whole = made(Alert("low", "x", evidence=[event({"message": str(n)}) for n in range(EVIDENCE + 3)]), {})
    kept = whole["pluginhost"]["events"]
    assert [one["message"] for one in kept] == [str(n) for n in range(3, EVIDENCE + 3)]
    assert kept[0]["@timestamp"] == "2026-01-01T00:00:05.123456789Z"


@pytest.mark.parametrize(
    "record",
    [{}, {"event": 5}, {"event": {"kind": "signal", "category": 7, "severity": "x", "type": [[]]}}, {"source": "x", "user": ["a"],
     "host": None},
     {"pluginhost": 5, "rule": 5, "threat": [], "tags": {"a": 1}, "related": "x", "log": 1, "": 2, "a..b": 3, "@timestamp": "never"},
     {"message": {"a": 1}}, {"message": 5}, {"x" * 40_000: "y" * 40_000}, {f"f{n}": n for n in range(3000)}],
    ids=lambda record: repr(record)[:40],
)  # fmt: skip
def test_a_garbage_record_does_not_break_it(record):
    whole = made(Alert("low", "x"), record)
    assert whole["pluginhost"]["record"] == msgspec.json.decode(msgspec.json.encode(record))
    whole["event"].pop("category")  # what the record says of it is the shipper's word
    check({**whole, "event": {**whole["event"], "category": ["web"]}})


@pytest.mark.parametrize(
    "fields",
    [{"event": 5}, {"event.id": "mine", "event.kind": "signal"}, {"pluginhost": "x"}, {"rule.id": {"a": 1}}, {"log": "x"},
     {"observer": []}, {"tags": "x"},
     {"event.category": "malware"}, {"related": 5}, {"threat": 5}, {"source": "x", "source.ip": "y"}, {"a..b": 1, "": 2, "x": object(),
      "y": float("nan")}],
)  # fmt: skip
def test_odd_fields_of_an_author_do_not_break_it(fields):
    whole = made(Alert("low", "x", fields=fields), {"message": "m"})
    check(whole)
    assert (whole["event"]["id"], whole["rule"]["id"], whole["pluginhost"]["analyzer"]) == ("e1", "probe", "probe")


def test_a_record_that_is_no_text_is_shown_by_its_bytes():
    assert made(Alert("low", "x"), {"a": b"\xff"})["event"]["original"] == "\\x81\\xa1a\\xc4\x01\\xff"


def test_objects_are_laid_over_one_another():
    into = {"a": {"b": 1, "c": 2}, "d": 1, "e": {"x": 1}}
    merge(into, {"a": {"b": 5}, "d": {"x": 1}, "e": 2})
    assert into == {"a": {"b": 5, "c": 2}, "d": {"x": 1}, "e": 2}
