"""Made-up records go to a real sidecar over forward and HTTP; what it finds is what the labels say."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from sidecars import Sidecar

from pluginhost import shipped_analyzers
from pluginhost.cli import main


@pytest.fixture
def sidecar(tmp_path):
    one = Sidecar(tmp_path)
    for file in (shipped_analyzers() / "ssh_bruteforce.py", shipped_analyzers() / "web_signatures.py", *shipped_analyzers().glob("_*.py")):
        (one.analyzers / file.name).write_text(file.read_text())
    one.start()
    yield one
    one.kill()


def test_attacks_that_are_sent_are_found(sidecar, tmp_path):
    def generate(*given):
        done = CliRunner().invoke(main, ["generate", *map(str, given)])
        assert done.exit_code == 0, done.stderr
        return done

    files = {kind: tmp_path / f"{kind}.labels" for kind in ("hosts", "web")}
    generate("hosts", "-n", 6000, "--rate", 5, "--hosts", 4, "--labels", files["hosts"], "--to", f"forward://127.0.0.1:{sidecar.forward}")
    generate("web", "-n", 6000, "--rate", 10, "--labels", files["web"], "--to", f"http://127.0.0.1:{sidecar.http}")
    sidecar.settled()
    assert sidecar.status()["counts"]["journal"]["records"] == 12_000
    alerts = tmp_path / "alerts"
    alerts.write_text("\n".join(json.dumps(one["document"]) for one in sidecar.alerts()))
    rows = {}
    for labels in files.values():
        for line in generate("score", "--labels", labels, "--alerts", alerts).stdout.splitlines()[1:]:
            name, incidents, caught, *_ = line.split()
            if int(incidents):
                rows[name] = int(incidents), int(caught)
    assert rows.keys() == {"ssh_bruteforce", "web_signatures"}
    assert all(caught == incidents >= 2 for incidents, caught in rows.values())
