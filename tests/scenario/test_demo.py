"""`pluginhost demo` as its user meets it: a command in an empty folder, with a real sidecar and a real client behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pluginhost.cli.demo import _Progress, _summary
from pluginhost.cli.tally import Tally

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


FAMILIES = ("logins", "geoprofile", "web", "WAF", "hosts and accounts", "risk", "anomalies")


@pytest.mark.slow
def test_everything_is_found_nothing_is_left_behind_and_what_is_kept_can_be_looked_at(tmp_path):
    demo = start(tmp_path, "--rate", "0", "--keep", "kept")
    out, err = demo.communicate(timeout=100)
    assert (demo.returncode, err) == (0, ""), out
    shown, _, told = out.partition("the first of each analyzer")
    first = re.findall(r"^\d\d-\d\d \d\d:\d\d  (medium|high|critical) +(\w[\w.]*)  ", shown, re.MULTILINE)
    assert len(first) == len({name for _, name in first}) > 15
    assert [one[0] for one in re.findall(r"^([A-Za-z ]+): [\w.]+, (low|medium|high|critical)$", told, re.MULTILINE)] == list(FAMILIES)
    for line in ("why        198.19.0.200 is in the list watched_sources", "signs      ", "score      ", "technique  T1"):
        assert f"\n  {line}" in told
    table = re.findall(r"^(\w[\w ]*?) {2,}((?:\d+ *){5})$", told, re.MULTILINE)
    rows = {name: [int(cell) for cell in cells.split()] for name, cells in table}
    assert tuple(rows) == FAMILIES
    assert all(found == wanted for _, wanted, found, _, _ in rows.values())
    assert sum(wanted for _, wanted, *_ in rows.values()) > 30
    (sent, accepted, analysed), = re.findall(r"([\d,]+) sent, ([\d,]+) accepted, ([\d,]+) analysed", told)
    assert sent == accepted == analysed
    assert max(map(len, out.splitlines())) <= 110
    assert "\x1b" not in out
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]

    (command,) = re.findall(r"pluginhost (alerts list --config \S+)", told)
    listing = [*COMMAND[:-1], *command.split(), "--limit", "1000"]
    listed = subprocess.run(listing, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert len(listed.stdout.splitlines()) == sum(row[3] for row in rows.values())

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


def test_records_that_are_missing_are_told(capsys):
    assert _summary(9, _Progress(9, 8, 0, 4), "1.0 s", Tally((), (), {})) is False
    assert "records are missing, or came twice: see the numbers above" in capsys.readouterr().out
