"""The page about the embedded store: its commands run in order, and what it shows is what they print."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from pluginhost import shipped_analyzers
from pluginhost.cli import main
from pluginhost.host.sheet import COLUMNS
from pluginhost.store.rollups import KINDS, NAMES
from pluginhost.store.words import FIELDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "store.md").read_text("utf-8")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def shown():
    """(command, what it prints or nothing) of all commands of the page."""
    for block in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, told = part.partition("\n")
            yield shlex.split(command), told


def test_every_command_runs_and_prints_what_is_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for name in ("other", "elsewhere"):
        (tmp_path / f"{name}.yaml").write_text(f"data: {name}\n")
    commands = list(shown())
    assert len(commands) >= 18
    for (program, *given), told in commands:
        done = CliRunner().invoke(main, given)
        assert (program, done.exit_code) == ("pluginhost", 0), done.output
        whole, cut, _ = told.partition("…\n")
        assert done.stdout.startswith(whole) if cut or not told else done.stdout == whole, given
    assert (tmp_path / "elsewhere" / "alerts.db").exists()
    texts = [given for (_, *given), _ in commands if "--text" in given]
    assert all("no alerts" not in CliRunner().invoke(main, given).stdout for given in texts[:2])


def test_what_is_counted_and_found_is_told():
    words = PAGE.partition("## Words")[2].partition("## ")[0]
    assert [field for field in FIELDS if f"`{field}`" not in words] == []
    counts = PAGE.partition("## Counts")[2].partition("## ")[0]
    assert [kind for kind in KINDS if f"`{kind}`" not in counts] == []
    assert f"{NAMES:,}" in counts
    assert f"CSV has {len(COLUMNS)} fields" in PAGE


def test_the_fixture_has_alerts_of_every_family_each_with_its_label():
    documents = [json.loads(line) for line in gzip.decompress((ROOT / "tests" / "fixtures" / "alerts.ndjson.gz").read_bytes()).splitlines()]
    assert len(documents) == len({one["event"]["id"] for one in documents}) == 1000
    assert all(one["labels"]["made_up"] == "true" and one["labels"]["incident"] for one in documents)
    files = {one["rule"]["ruleset"] for one in documents}
    families = {"logins": {"new_device", "impossible_travel", "login_bruteforce", "mfa_fatigue"},
                "web": {"waf", "visits", "web_signatures"},
                "hosts": {"accounts", "scans", "disks", "privileges"}, "generic": {"new_value", "count_anomaly"}}  # fmt: skip
    assert {family for family, names in families.items() if names <= files} == set(families), sorted(files)
    assert len(files & {path.stem for path in shipped_analyzers().glob("*.py")}) >= 27
    assert {one["log"]["level"] for one in documents} == {"low", "medium", "high", "critical"}
    assert any(one["pluginhost"]["alert"].get("suppressed") for one in documents)
