"""`pluginhost demo` as its user meets it: a command in an empty folder, with a real sidecar and a real client behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pluginhost.cli.demo import _Progress, _summary

COMMAND = (sys.executable, "-m", "pluginhost", "demo")


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TMPDIR": str(folder)}
    return subprocess.Popen([*COMMAND, *options], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sidecar_of(demo: subprocess.Popen[str]) -> int:
    """The child's process id, once it listens."""
    assert demo.stdout is not None
    for line in demo.stdout:
        if "a sidecar of its own listens" in line:
            break
    (child,) = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()
    return int(child)


def test_everything_is_found_and_nothing_is_left_behind(tmp_path):
    demo = start(tmp_path, "--records", "3000", "--rate", "0")
    out, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (0, "")
    rows = dict(re.findall(r"^(new_country|ssh_bruteforce|web_signatures) +(\d+ +\d+ +ok)$", out, re.MULTILINE))
    assert {name: row.split() for name, row in rows.items()} == {
        "new_country": ["2", "2", "ok"], "ssh_bruteforce": ["2", "2", "ok"], "web_signatures": ["8", "8", "ok"],
    }  # fmt: skip
    assert "3,000 sent, 3,000 accepted, 3,000 analysed" in out
    assert len(re.findall(r"^\d\d:\d\d:\d\d  (medium|high) ", out, re.MULTILINE)) == 12
    assert max(map(len, out.splitlines())) <= 110
    assert "\x1b" not in out
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_can_be_looked_at(tmp_path):
    demo = start(tmp_path, "--records", "1000", "--rate", "0", "--keep", "kept")
    out, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (0, "")
    (told,) = re.findall(r"pluginhost (alerts list --config \S+)", out)
    listed = subprocess.run([*COMMAND[:-1], *told.split()], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert len(listed.stdout.splitlines()) == 12

    again = start(tmp_path, "--keep", "kept")
    assert "demo.folder: kept is not empty" in again.communicate(timeout=60)[1]
    assert again.returncode == 2


def test_a_sidecar_that_dies_leaves_its_last_words(tmp_path):
    demo = start(tmp_path, "--rate", "50")
    os.kill(sidecar_of(demo), signal.SIGKILL)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert "the sidecar ended by itself, with status -9" in err
    assert re.search(r"listening on 127\.0\.0\.1:\d+ \(forward\)", err)
    assert not re.search("^Traceback", err, re.MULTILINE)  # what its workers wrote in their last moment is set in


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_the_sidecar_and_cleans_up(tmp_path, by):
    demo = start(tmp_path, "--rate", "50")
    sidecar = sidecar_of(demo)
    demo.send_signal(by)
    _, err = demo.communicate(timeout=60)
    assert (demo.returncode, err) == (130, "interrupted; the sidecar is stopped\n")
    assert not Path(f"/proc/{sidecar}").exists()
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_that_a_finaliser_swallowed_is_heard_all_the_same(tmp_path):
    swallowed = (
        "import os, signal, sys, threading\n"
        "from pluginhost.cli import demo, main\n"
        "class Finaliser:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "send = demo._send\n"
        "def sending(*given):\n"
        "    Finaliser()\n"
        "    send(*given)\n"
        "demo._send = sending\n"
        "sys.unraisablehook = lambda _: None\n"
        "main(['demo', '--rate', '50'])\n"
    )
    run = subprocess.run([sys.executable, "-c", swallowed], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (130, "interrupted; the sidecar is stopped\n")


def test_what_is_missing_is_told(capsys):
    second = 10**9
    expected = Counter({("a", 1 * second): 1, ("a", 2 * second): 1, ("b", 3 * second): 1})
    found = Counter({("a", 1 * second): 1, ("b", 3 * second): 1, ("c", 4 * second): 2})
    assert _summary(9, _Progress(9, 8, 0, 4), 1.0, "", expected, found) is False
    out = capsys.readouterr().out
    assert [line.split(maxsplit=3) for line in out.splitlines()[2:5]] == [
        ["a", "2", "1", "1 not found"], ["b", "1", "1", "ok"], ["c", "0", "2", "2 not expected"],
    ]  # fmt: skip
    assert out.splitlines()[-3:] == [
        "records are missing, or came twice: see the numbers above",
        "not found: a, at 1970-01-01T00:00:02.000Z",
        "not expected: c, 2 times, at 1970-01-01T00:00:04.000Z",
    ]


def test_an_alert_too_many_is_a_mistake_too(capsys):
    found = Counter({("a", 1): 1})
    assert _summary(9, _Progress(9, 9, 0, 1), 1.0, "", found, found) is True
    assert capsys.readouterr().out.endswith("everything that must be found was found, and nothing else\n")
    assert _summary(9, _Progress(9, 9, 0, 2), 1.0, "", found, found + found) is False
    assert capsys.readouterr().out.endswith("not expected: a, at 1970-01-01T00:00:00.000Z\n")
