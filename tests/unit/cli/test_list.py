"""How analyzers look in a terminal: a line each, by file; all there is to know of one."""

from __future__ import annotations

import click
import pytest

from pluginhost.cli.list import _details, _named, _overview
from pluginhost.problem import Problem

COUNTS = {"seen": 12_345, "fired": 6, "failed": 0, "unkeyed": 1, "evicted": 0, "keys": 2}


def info(name, file="/x/logins.py", **more):
    return {"name": name, "title": f"What {name} tells", "doc": f"What {name} tells.\n\nAnd more\x1b[31m.", "where": "a:1",
            "key": ["user.name"], "group": ["user.name"], "tags": [], "pinned": False, "options": {"limit": 3},
            "line": 7, "file": file, "problem": None,
            "counts": COUNTS, "seconds": 1.25, "unjudged": {}, "quarantine": None, **more}  # fmt: skip


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


def lines(found, live=False):
    return [click.unstyle(line) for line in _overview(found, live)]


def test_analyzers_stand_by_file_and_only_the_first_of_a_file_names_it():
    found = [info("zeta", "/x/b.py", key=[], pinned=True), info("beta"), info("alpha", key=["source.ip", "user.name"])]
    assert lines(found) == [
        "file    analyzer  key                    what it tells",
        "b       zeta      one for all            What zeta tells",
        "logins  alpha     source.ip + user.name  What alpha tells",
        "        beta      user.name              What beta tells",
    ]


def test_a_host_that_runs_tells_counts_and_what_must_not_be_overlooked():
    found = [info("a"), info("b", counts={**COUNTS, "failed": 1200}),
             info("c", quarantine={"until": 0, "reason": "slow"}),
             info("d", problem="analyzer.syntax: odd"),
             {"name": None, "file": "/x/new.py", "problem": "analyzer.import: gone"}]  # fmt: skip
    assert lines(found, live=True) == [
        "file    analyzer  key        records  alerts  what it tells",
        "logins  a         user.name   12,345       6  What a tells",
        "        b         user.name   12,345       6  failed 1,200 times: What b tells",
        "        c         user.name   12,345       6  quarantined: What c tells",
        "        d         user.name   12,345       6  old version: What d tells",
        "\nanalyzer.syntax: odd",
        "\nanalyzer.import: gone",
    ]


def test_what_is_too_long_is_cut_to_the_terminal():
    (_, row) = lines([info("a", title="x" * 300)])
    assert len(row) <= 100
    assert row.endswith("x…")
    (_, row) = lines([info("n" * 60, key=["k" * 200])])
    assert row == f"logins  {'n' * 31}…  {'k' * 31}…  What {'n' * 18}…"


def test_nothing_is_said_to_be_nothing():
    assert lines([]) == ["no analyzers"]


def test_one_by_its_name_or_all_of_a_file():
    found = [info("alpha"), info("beta"), info("other", "/x/other.py"), {"name": None, "file": "/x/new.py", "problem": "p"}]
    assert [one["name"] for one in _named(found, "beta")] == ["beta"]
    assert [one["name"] for one in _named(found, "logins")] == ["alpha", "beta"]
    assert _named(found, "new") == [found[3]]
    with pytest.raises(Problem, match=r"(?s)there is no analyzer bet.*did you mean `beta`"):
        _named(found, "bet")


def test_the_details_hold_everything_and_no_control_characters():
    one = info("alpha", tags=["app.*"], group=["host.name"], unjudged={"no_value": 4}, problem="odd\nat line 3")
    told = click.unstyle(_details(one, True))
    assert told.split("\n") == [
        "alpha  What alpha tells", "", "    And more\\x1b[31m.", "",
        "    file     /x/logins.py:7", "    where    a:1", "    tags     app.*",
        "    key      user.name", "    group    host.name", "    options  limit = 3",
        "    counts   seen 12345, fired 6, failed 0, unkeyed 1, evicted 0, keys 2, 1.2 s", "    could not judge: no_value 4",
        "    odd", "    at line 3",
    ]  # fmt: skip
