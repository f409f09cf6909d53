"""What goes to systemd, over a real datagram socket; and the shipped unit."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from pluginhost.host import systemd

UNIT = Path(__file__).parents[3] / "systemd" / "pluginhost.service"


@pytest.fixture
def listener():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.settimeout(5)
        yield made


@pytest.mark.parametrize("abstract", [False, True])
def test_lines_arrive_as_one_datagram(listener, monkeypatch, tmp_path, abstract):
    name = f"@pluginhost-{os.getpid()}" if abstract else str(tmp_path / "notify")
    listener.bind(name.replace("@", "\0"))
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    systemd.notify("READY=1", "STATUS=all is well")
    assert listener.recv(1000) == b"READY=1\nSTATUS=all is well"
    systemd.reloading()
    first, second = listener.recv(1000).decode().splitlines()
    assert (first, second.partition("=")[0], int(second.partition("=")[2]) > 0) == ("RELOADING=1", "MONOTONIC_USEC", True)


@pytest.mark.parametrize("where", [None, "", "vsock:1:2", "/nobody/listens/here"])
def test_where_nobody_listens_nothing_happens(monkeypatch, where):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if where is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", where)
    systemd.notify("READY=1")


@pytest.mark.parametrize(("usec", "pid", "patience"), [
    ("30000000", None, 30.0), ("30000000", "own", 30.0), ("30000000", "1", None), ("0", None, None), ("", None, None), (None, None, None),
])  # fmt: skip
def test_the_watchdog_is_ours_only_if_it_is_meant_for_us(monkeypatch, usec, pid, patience):
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert systemd.watchdog() == patience


def test_the_shipped_unit_is_one(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "pluginhost.service"
    unit.write_text(UNIT.read_text().replace("/opt/pluginhost/bin/pluginhost", shutil.which("true")))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    assert [line for line in found.stderr.splitlines() if "pluginhost.service" in line] == []
