"""`pluginhost check --records`: what a sample shows, told in plain text."""

import io
import json

import pytest
from click.testing import CliRunner

from pluginhost.cli import main
from pluginhost.cli.coverage import survey, told
from pluginhost.events.advice import KINDS
from pluginhost.events.event import Event
from pluginhost.events.mapping import Mappings
from pluginhost.events.slice import Slice
from pluginhost.match import compile as compile_predicate
from pluginhost.match import parse_with_warnings

SAMPLE = b"""\
Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 5 ssh2
Nov 21 10:00:01 web1 sshd[42]: Failed password for root from 203.0.113.9 port 5 ssh2
{"message": "203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] \\"GET / HTTP/1.1\\" 200 1", "stream": "stdout"}
{"msg": "hello", "n": 1}
not json \x1b[2J either
third
{"event": {"category": "iam", "type": ["user", "creation"]}, "user": {"target": {"name": "bob"}}}
"""
SHOWN = {
    "authentication success": {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}},
    "authentication failure": {"event": {"category": ["authentication"], "type": ["start"], "outcome": "failure"}},
    "second factor": {"event": {"action": "mfa_challenge"}},
    "session end": {"event": {"category": ["session"], "type": ["end"]}},
    "authorization": {"event": {"category": ["process"], "type": ["start", "denied"]}},
    "account life cycle": {"event": {"category": ["iam"], "type": ["group", "change"]}},
    "account lock": {"event": {"action": "user_unlocked"}},
    "password and key": {"event": {"action": "key_added"}},
    "activation": {"event": {"action": "service_stopped"}},
    "configuration": {"event": {"action": "audit_disabled"}},
    "application exception": {"error": {"message": "x"}},
    "web access": {"event": {"category": ["web"], "type": ["access"]}},
    "network connection": {"event": {"category": ["network"]}},
}


def test_it_counts_by_mapping_and_by_kind() -> None:
    coverage = survey(io.BytesIO(SAMPLE), "")
    assert (coverage.read, coverage.unread) == ({"sshd": 2, "access-line": 1}, 4)
    assert coverage.kinds == {"authentication failure": 2, "web access": 1, "account life cycle": 1}
    assert coverage.samples == ['{"msg": "hello", "n": 1}', "not json \\x1b[2J either"]


def test_what_is_printed(tmp_path) -> None:
    (tmp_path / "sample").write_bytes(SAMPLE)
    done = CliRunner().invoke(main, ["check", "--records", str(tmp_path / "sample")])
    lines = done.output.splitlines()
    assert (done.exit_code, "\x1b" in done.output) == (0, False)
    assert lines[1].split() == ["sshd", "2", "28.6%"]
    assert [line.split()[-2:] for line in lines if line.startswith("(none)")] == [["4", "57.1%"]]
    missing = [kind for kind in KINDS if kind.name not in ("authentication failure", "web access", "account life cycle")]
    assert [line for line in lines if " never  " in line] == [f"{kind.name:<28}{'never':>12}  {kind.advice}" for kind in missing]


def test_standard_input_and_a_tag() -> None:
    line = json.dumps({"message": "till"}) + "\n"
    done = CliRunner().invoke(main, ["check", "--records", "-", "--tag", "shop"], input=line * 3)
    assert [one.split() for one in done.output.splitlines()[:2]] == [["mapping", "records", "share"], ["(none)", "3", "100.0%"]]


def test_no_records_at_all_and_a_line_beyond_all_bounds() -> None:
    assert [line for line in told(survey(io.BytesIO(b""), "")) if "%" in line] == [f"{'(none)':<28}{0:>12}{'0.0%':>8}"]
    coverage = survey(io.BytesIO(b"x" * (9 << 20) + b"\nafter\n"), "")
    assert (coverage.too_long, coverage.unread) == (1, 1)
    assert any("1 lines are longer than 8,388,608 bytes" in line for line in told(coverage))


def test_a_file_that_is_not_there() -> None:
    assert CliRunner().invoke(main, ["check", "--records", "/nowhere"]).exit_code == 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_query_finds_its_kind_and_means_what_it_says(kind) -> None:
    node, warnings = parse_with_warnings(kind.query)
    test = compile_predicate(node)
    found = {name for name, record in SHOWN.items() if test(event(record))}
    assert (warnings, found) == ([], {kind.name})


def event(record) -> Event:
    return Event(Slice(0, 0, 1, 1, "", "json", json.dumps(record).encode()), Mappings())
