"""`pluginhost backtest` with each of its options: what is printed, kept, sent and compared."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from sidecars import free_port

from pluginhost.cli import backtest as backtest_command
from pluginhost.cli import main
from pluginhost.cli.replaying import Bar
from pluginhost.replay.running import Passed
from pluginhost.store.alerts import AlertStore
from pluginhost.wire.times import SECOND, parse

OFTEN = '''from pluginhost import Alert, SlidingCount, analyzer


@analyzer(key="user.name")
def often(event, seen: SlidingCount = SlidingCount("1h"), limit: int = 3):
    """So many records of a user in an hour."""
    count = seen.add(event)
    return Alert("low", f"{event['user.name']} {count}") if count >= limit else None


@analyzer(where="user.name:bob")
def bob(event):
    """Each record of one user."""
    return Alert("high", f"bob {event['n']}")
'''
SLOW = OFTEN.replace("    count =", "    time.sleep(0.001)\n    count =").replace("from pl", "import time\n\nfrom pl")
START = parse("2026-01-01T00:00:00Z")


def often(minute, user, count):
    return f"2026-01-01 00:{minute:02}:00  low       often                 {user} {count}"


def bob(minute):
    return f"2026-01-01 00:{minute:02}:00  high      bob                   bob {minute}"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a configuration without risk, an analyzer, and a record a minute: of ann, then bob, then ann …"""
    monkeypatch.chdir(tmp_path)
    configure(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "often.py").write_text(OFTEN)
    logs(tmp_path, 9)
    return tmp_path


def configure(folder, **more):
    made = {"data": "data", "analyzers": ["mine"], "inputs": [], "risk": {"entities": 0}, **more}
    (folder / "pluginhost.yaml").write_text(json.dumps(made))


def logs(folder, count):
    lines = [json.dumps({"@timestamp": START // SECOND + 60 * n, "user": {"name": ("ann", "bob")[n % 2]}, "n": n}) for n in range(count)]
    (folder / "logs.ndjson").write_text("\n".join(lines))


def run(*given):
    """(status, lines of stdout without short ids, stderr)."""
    done = CliRunner().invoke(main, [str(one) for one in given])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, [re.sub(r"  [0-9a-f]{12}$", "", line) for line in done.stdout.splitlines()], done.stderr


def test_alerts_are_printed_as_they_come_and_a_summary_behind_them(place):
    code, lines, told = run("backtest", "logs.ndjson")
    assert code == 0
    assert lines == [bob(1), bob(3), often(4, "ann", 3), bob(5), often(5, "bob", 3), often(6, "ann", 4), bob(7), often(7, "bob", 4),
                     often(8, "ann", 5)]  # fmt: skip
    assert not (place / "data").exists()  # nothing is kept
    summary = told.splitlines()
    assert re.fullmatch(r"9 records, 9 alerts in \d+\.\d s \([\d,]+/s\)", summary[0])
    assert summary[1:] == ["from 2026-01-01 00:00:00 to 2026-01-01 00:08:00 UTC", "         5  often", "         4  bob"]


def test_a_window(place):
    _, lines, told = run("backtest", "logs.ndjson", "--start", "2026-01-01T00:02:00Z", "--end", "2026-01-01T00:07:00Z")
    assert [line for line in lines if "often" in line] == [often(6, "ann", 3)]
    assert told.startswith("5 records, 3 alerts")
    assert told.endswith("4 outside of the time asked for\n")


# --- kept


class TestStore:
    def test_its_alerts_are_listed_and_shown_by_its_name(self, place):
        assert run("backtest", "--list")[:2] == (0, [])
        told = run("backtest", "logs.ndjson", "--store", "-q")[2]
        name = re.search(r"kept as (\d{8}T\d{6}Z): pluginhost alerts list --backtest \1\n", told)[1]
        code, lines, told = run("alerts", "list", "--backtest", name, "--analyzer", "often")
        assert lines == [often(8, "ann", 5), often(7, "bob", 4), often(6, "ann", 4), often(5, "bob", 3), often(4, "ann", 3)]
        assert (code, told) == (0, "")
        one = json.loads(run("alerts", "list", "--backtest", name, "-n", 1, "--json")[1][0])
        assert one["pluginhost"]["backtest"] == {"id": name, "source": "files: logs.ndjson"}
        shown = run("alerts", "show", "--backtest", name, one["event"]["id"][:8])[1]
        assert (shown[0], "  user.name                          ann" in shown) == (often(8, "ann", 5), True)
        listed = f"{name}    2026-01-01T00:00:00Z to 2026-01-01T00:08:00Z           9 records       9 alerts  files: logs.ndjson"
        assert run("backtest", "--list")[:2] == (0, [listed])

    def test_two_of_one_second_are_kept_apart_and_one_that_did_not_end_is_told(self, place, monkeypatch):
        monkeypatch.setattr(backtest_command, "_clock", lambda: START + 86_400 * SECOND)
        for _ in range(2):
            assert run("backtest", "logs.ndjson", "--store", "-q")[0] == 0
        (place / "data" / "backtests" / "20260102T000000Z" / "backtest.json").unlink()
        assert run("backtest", "--list")[1] == [
            "20260102T000000Z-2  2026-01-01T00:00:00Z to 2026-01-01T00:08:00Z           9 records       9 alerts  files: logs.ndjson",
            "20260102T000000Z    no records       9 alerts  runs, or did not come to its end",
        ]
        one = json.loads(run("alerts", "list", "--backtest", "20260102T000000Z-2", "--json", "-n", 1)[1][0])
        assert one["pluginhost"]["backtest"]["id"] == "20260102T000000Z-2"


class TestAlertsOfOthers:
    """`pluginhost alerts` and the stores that are not the host's."""

    @pytest.fixture
    def stores(self, place):
        for folder in ("", "tasks/logins", "tasks/web", "backtests/20260101T000000Z"):
            (place / "data" / folder).mkdir(parents=True, exist_ok=True)
            AlertStore(place / "data" / folder / "alerts.db", clock=lambda: START).close()
        return place

    def test_the_hosts_list_says_that_there_are_others(self, stores):
        assert run("alerts", "list") == (
            0, ["no alerts"], "alerts of their own have: 2 tasks (--task web …) and 1 backtest (--backtest 20260101T000000Z)\n",
        )  # fmt: skip
        assert run("alerts", "list", "--task", "logins") == (0, ["no alerts"], "")

    def test_it_says_so_too_where_there_never_was_a_host(self, stores):
        (stores / "data" / "alerts.db").unlink()
        code, lines, told = run("alerts", "list")
        assert (code, lines) == (2, [])
        assert told.startswith("alerts of their own have: 2 tasks")
        assert "alerts.absent" in told

    @pytest.mark.parametrize("name", ["login", "../logins", "", "log\x1bins"])
    def test_one_that_is_not_there_is_told_with_the_nearest(self, stores, name):
        code, lines, told = run("alerts", "list", "--task", name)
        assert (code, lines) == (2, [])
        assert "alerts.absent: there are no alerts of a task" in told
        assert ("did you mean `logins`?" if name else "known are: logins, web") in told
        assert "\x1b[" not in told

    def test_only_one_of_them_is_named(self, stores):
        assert run("alerts", "list", "--task", "logins", "--backtest", "x")[0] == 2
        assert run("alerts", "show", "abc", "--task", "logins")[2] == "alert.unknown: there is no alert abc\n"


# --- sent


class TestOutput:
    def test_those_named_get_what_they_want_of_them_and_what_cannot_be_sent_is_told(self, place):
        configure(place, outputs=[{"type": "file", "path": "high.ndjson", "name": "high", "when": "event.severity:>=73"},
                                  {"type": "file", "path": "often.ndjson", "name": "often", "analyzers": ["often"]},
                                  {"type": "http", "url": f"http://127.0.0.1:{free_port()}/", "name": "gone"},
                                  {"type": "file", "path": "all.ndjson", "name": "all"}])  # fmt: skip
        code, _, told = run("backtest", "logs.ndjson", "-q", "--output", "high", "--output", "often", "--output", "gone")
        assert (code, "output gone: 9 alerts wait: " in told, "output high" in told) == (0, True, False)
        sent = {name: [json.loads(line) for line in (place / f"{name}.ndjson").read_text().splitlines()] for name in ("high", "often")}
        assert [one["message"] for one in sent["high"]] == ["bob 1", "bob 3", "bob 5", "bob 7"]
        assert [one["message"] for one in sent["often"]] == ["ann 3", "bob 3", "ann 4", "bob 4", "ann 5"]
        assert {one["pluginhost"]["backtest"]["source"] for one in sent["high"] + sent["often"]} == {"files: logs.ndjson"}
        assert not (place / "all.ndjson").exists()

    def test_one_that_is_not_there_and_the_namespace_of_live_alerts_are_refused(self, place):
        configure(place, outputs=[{"type": "file", "path": "all.ndjson", "name": "all"}])
        code, _, told = run("backtest", "logs.ndjson", "--output", "al")
        assert (code, "replay.output: there is no output al" in told, "did you mean `all`?" in told) == (2, True, True)
        code, _, told = run("backtest", "logs.ndjson", "--output", "all", "--namespace", "default")
        assert (code, "replay.namespace: default is the namespace of live alerts" in told) == (2, True)


# --- compared


class TestAgainst:
    TABLE = ("analyzer                             come       go     stay", "bob                                     0        0        4",
             "often                                   3        0        2")  # fmt: skip

    def test_a_folder_whose_threshold_is_higher(self, place):
        (place / "old").mkdir()
        (place / "old" / "often.py").write_text(OFTEN.replace("= 3", "= 4").replace(">= limit", ">= limit and event['user.name'] == 'ann'"))
        code, lines, _ = run("backtest", "logs.ndjson", "--against", "old")
        assert code == 0
        assert lines == [*self.TABLE, f"+ {often(4, 'ann', 3)}", f"+ {often(5, 'bob', 3)}", f"+ {often(7, 'bob', 4)}"]

    def test_a_git_revision_of_the_folder(self, place):
        def git(*given):
            subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *given], cwd=place, check=True, capture_output=True)

        git("init")
        (place / "mine" / "often.py").write_text(OFTEN.replace("= 3", "= 4"))
        git("add", "mine")
        git("commit", "-m", "before")
        (place / "mine" / "often.py").write_text(OFTEN)
        code, lines, _ = run("backtest", "logs.ndjson", "--against", "HEAD")
        assert (code, lines) == (0, [self.TABLE[0], self.TABLE[1], "often                                   2        0        3",
                                     f"+ {often(4, 'ann', 3)}", f"+ {often(5, 'bob', 3)}"])  # fmt: skip
        for name, why in (("nowhere", "not a valid object name"), ("--output=x", "is no revision")):
            code, lines, told = run("backtest", "logs.ndjson", f"--against={name}")
            assert (code, lines, why in told) == (2, [], True)

    def test_what_goes_over_a_part_of_the_records_and_only_the_first_of_each(self, place):
        (place / "old").mkdir()
        (place / "old" / "often.py").write_text(OFTEN.replace("= 3", "= 1"))
        lines = run("backtest", "logs.ndjson", "--against", "old", "--limit", "5", "--first", "1")[1]
        zero = often(0, "ann", 1)
        assert lines == [self.TABLE[0], "bob                                     0        0        2",
                         "often                                   0        4        1", f"- {zero}", "- 3 more of often"]  # fmt: skip


# --- the bar


class TestBar:
    def test_how_much_how_fast_and_how_long(self, monkeypatch):
        now = [100.0]
        monkeypatch.setattr("pluginhost.cli.replaying.time.monotonic", lambda: now[0])
        done = [0, 0]
        bar = Bar(lambda: tuple(done))
        bar.show(Passed())
        now[0] += 10.0
        assert bar.text(Passed(records=5000)) == "5,000 records  500/s"  # nobody knows how much there is
        done[:] = 25, 100
        assert bar.text(Passed(records=5000)).endswith(" 25%  5,000 records  500/s  0:30 left")
        assert [bar.text(Passed())[:30].count(sign) for sign in "━─"] in ([8, 22], [0, 0])
        done[:] = 1, 1000
        assert bar.text(Passed(records=1)).endswith("  0%  1 records  0/s")  # too early to tell
        done[:] = 1, 500
        now[0] += 70.0
        assert bar.text(Passed(records=1)).split("/s")[1] == ""
        done[:] = 20, 1000
        assert bar.text(Passed(records=1)).endswith("  1:05:20 left")
        done[:] = 120, 100
        assert bar.text(Passed(records=1)).endswith("100%  1 records  0/s  0:00 left")  # a log that grew meanwhile

    def test_it_is_drawn_on_a_terminal_and_taken_away_for_each_alert(self, place):
        (place / "mine" / "often.py").write_text(SLOW)
        logs(place, 600)
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "pluginhost", "backtest", "logs.ndjson", "--to", "found.ndjson"]
        child = subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env={**os.environ, "PYTHONUTF8": "1"})
        os.close(slave)
        shown = b""
        while part := _read(master):
            shown += part
        assert child.wait(30) == 0
        screen = shown.decode()
        bars = re.findall(r"\r\x1b\[2K([━─]{30})  ( *\d+)%  ([\d,]+) records  ([\d,]+)/s  (\d+:\d\d) left", screen)
        assert len(bars) >= 3
        percents, counts = [int(one[1]) for one in bars], [int(one[2].replace(",", "")) for one in bars]
        assert percents == sorted(percents)
        assert counts == sorted(counts)
        assert 0 < counts[0] < counts[-1] <= 600
        assert all(full.count("━") == round(0.3 * percent) or abs(full.count("━") - 0.3 * percent) < 1 for full, percent in
                   zip((one[0] for one in bars), percents, strict=True))  # fmt: skip
        for line in click.unstyle(screen.replace("\r\x1b[2K", "\n")).splitlines():
            assert not ("often" in line and "left" in line), line
        assert "600 records, " in screen.splitlines()[-4]

    def test_it_is_not_drawn_into_a_pipe(self, place):
        (place / "mine" / "often.py").write_text(SLOW)
        logs(place, 200)
        code, lines, told = run("backtest", "logs.ndjson")
        assert (code, "\r" in told, "\x1b" in told, " left" in told) == (0, False, False, False)
        assert len(lines) == 198 + 98


def _read(master):
    try:
        return os.read(master, 1 << 16)
    except OSError:  # how Linux says that nobody holds the other end any more
        return b""
