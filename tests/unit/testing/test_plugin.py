"""`pluginhost test` on a folder as `pluginhost new` leaves it, in a process of its own: pytest inside pytest shares too much."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pluginhost import Alert, SlidingCount, analyzer
from pluginhost.problem import Problem

ALONE = os.environ | {"PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in ("schemathesis", "hypothesispytest", "pytest_httpserver"))}
"""Without the plugins that only our own tests use: pytest would load them each time."""


def run(folder, *given: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", "from pluginhost.cli import main; main()", *given], cwd=folder, env=ALONE,
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    code, told = run(folder, "new", "failed_users")
    assert code == 0, told
    return folder


@pytest.fixture
def analyzers(started, tmp_path):
    (tmp_path / "analyzers").mkdir()
    for file in (started / "analyzers").glob("*.py"):
        (tmp_path / "analyzers" / file.name).write_text(file.read_text())
    return tmp_path / "analyzers"


def test_what_new_writes_passes(analyzers):
    code, told = run(analyzers.parent, "test", "-v")
    assert code == 0, told
    assert "warning" not in told
    for name in ("fires:1", "quiet:2", "survives:3"):
        assert f"analyzers/failed_users.py::failed_users:{name} PASSED" in told
    assert "analyzers/test_failed_users.py::test_each_user_is_counted_alone PASSED" in told
    assert "5 passed" in told


def test_a_broken_example_and_a_broken_file_fail_with_their_pages(analyzers):
    file = analyzers / "failed_users.py"
    file.write_text(file.read_text().replace("quiet_on([FAILED] * 4)", "quiet_on([FAILED] * 5)"))
    (analyzers / "odd.py").write_text("def f(:\n")
    (analyzers / "_helper.py").write_text("1/0\n")
    code, told = run(analyzers.parent, "test", "-q", "--continue-on-collection-errors")
    assert code == 1, told
    assert "analyzer.example: failed_users: expected no alert, got 1, the first at record 5: alice: 5 failed logins in 10 minutes" in told
    assert "analyzer.syntax: invalid syntax\n" in told
    assert "def f(:\n" in told
    assert "Traceback" not in told
    assert "1 failed, 4 passed, 1 error" in told


def test_one_file_one_test_and_options_of_pytest(analyzers):
    code, told = run(analyzers.parent, "test", "analyzers/failed_users.py", "-k", "fires", "-q")
    assert (code, "1 passed, 2 deselected" in told) == (0, True), told
    code, told = run(analyzers.parent, "test", "-k", "limit", "-q")
    assert (code, "1 passed, 4 deselected" in told) == (0, True), told
    assert run(analyzers.parent, "test", "nowhere.py")[0] != 0


def test_without_the_option_the_plugin_collects_nothing(analyzers):
    done = subprocess.run([sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "analyzers"],
                          cwd=analyzers.parent, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert "failed_users:" not in done.stdout
    assert "2 passed" in done.stdout


@analyzer(key="k")
def probe(event, window: SlidingCount = SlidingCount("10s"), limit: int = 2):
    return Alert("low", f"{event['m']} {limit}") if window.add(event) == limit else None


RECORDS = [{"k": 1, "m": "a"}, {"k": 1, "m": "b"}, {"k": 1, "m": "c"}]


def test_play_gives_the_alert_documents(play):
    assert [one["message"] for one in play(probe, RECORDS)] == ["b 2"]
    assert [one["message"] for one in play(probe, RECORDS, limit="3")] == ["c 3"]
    assert play(probe, RECORDS, every="6s", limit=3) == []
    assert play(probe, RECORDS, tag="app.x")[0]["tags"] == ["pluginhost.alert", "app.x"]


def test_play_knows_the_options_and_shows_what_is_raised(play):
    with pytest.raises(Problem, match=r"(?s)probe has no option `limti`.*did you mean `limit`\?"):
        play(probe, RECORDS, limti=3)
    with pytest.raises(AssertionError, match="MissingField: the record has no field `m`"):
        play(probe, [{"k": 1}] * 2)
