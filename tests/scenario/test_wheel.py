"""The built wheel in an empty environment: the command is there, with shipped analyzers and configurations, and runs the demo."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd, seconds=170):
    made = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    assert made.returncode == 0, f"{command}\n{made.stdout}\n{made.stderr}"
    return made.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.mark.slow
def test_the_wheel_holds_what_belongs_into_it_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name for name in names if name.startswith("pluginhost/_shipped/")}
    assert {"pluginhost/_shipped/analyzers/ssh_bruteforce.py", "pluginhost/_shipped/fluentd/fluent.conf",
            "pluginhost/_shipped/logstash/pluginhost-ship.conf", "pluginhost/_shipped/protos/pluginhost/v1/ingest.proto",
            "pluginhost/alerts/alerts-template.json"} <= inside | set(names)  # fmt: skip
    sources = {f"pluginhost/_shipped/analyzers/{file.name}" for file in (ROOT / "analyzers").glob("*.py")}
    assert {name for name in inside if name.startswith("pluginhost/_shipped/analyzers/")} == sources  # helpers too, and nothing else
    assert {name.split("/")[0].split("-")[0] for name in names} == {"pluginhost"}
    ours = ("pluginhost/testing/", "pluginhost/cli/test.py", "pluginhost/cli/backtest.py", "pluginhost/replay/backtest.py")
    assert not [name for name in names if "test" in name.lower() and not name.startswith(ours)]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_demo_runs_from_the_wheel_in_an_empty_environment(wheel, tmp_path):
    run(sys.executable, "-m", "venv", str(tmp_path / "env"), cwd=tmp_path)
    run(str(tmp_path / "env/bin/pip"), "install", "-q", "--disable-pip-version-check", "-c", str(ROOT / "constraints.txt"), str(wheel),
        cwd=tmp_path)  # fmt: skip
    command = str(tmp_path / "env/bin/pluginhost")
    assert "everything that must be found was found" in run(command, "demo", "--rate", "0", cwd=tmp_path)
    assert "@label @PLUGINHOST" in run(command, "conf", "fluentd", cwd=tmp_path)
    listed = run(command, "list", cwd=tmp_path)
    assert [name for name in ("new_country", "login_bruteforce", "web_scanner") if f" {name} " not in listed] == []
