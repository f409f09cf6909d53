"""The page "Silence what you know": its commands are run as written, and say what the page says; its configurations do what it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from muting_host import NOW, Host

from pluginhost.alerts.calendar import Hours, Schedule, Span
from pluginhost.host.config import configure
from pluginhost.host.policies import Grouping, Suppression

PAGE = (Path(__file__).parents[2] / "docs" / "suppressing.md").read_text("utf-8")
CONSOLE = re.compile(r"^```\n(\$ pluginhost alerts mute.*?)^```$", re.DOTALL | re.MULTILINE)
YAML = re.compile(r"^```yaml\n(# pluginhost\.yaml\n.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    made.put("3f9a01c2b7d4", fingerprint="9b1d4c02e7aa51")
    yield made
    made.close()


def test_the_commands_say_what_the_page_says(host):
    (text,) = CONSOLE.findall(PAGE)
    for block in text.split("$ ")[1:]:
        command, _, shown = block.partition("\n")
        assert host.said(*shlex.split(command)[1:]) == shown
    assert host.held() == ["mute_1"]


def test_the_configurations_say_what_the_page_says(tmp_path):
    rules, pace = YAML.findall(PAGE)
    (tmp_path / "pluginhost.yaml").write_text(rules)
    policy = configure(tmp_path / "pluginhost.yaml").policy
    assert [one.name for one in policy.suppress] == ["service_accounts", "office", "upgrade", "weekend_jobs", "minor"]
    assert [type(when) for one in policy.suppress for when in one.during] == [Span, Schedule, Hours]
    assert (policy.suppress[1].list, policy.suppress[1].field, policy.suppress[4].below_risk) == ("offices", "source.ip", "medium")
    assert (policy.vip.values, policy.hears) == ({"ceo", "cfo"}, {"everything"})
    assert not any(when.holds(NOW) for one in policy.suppress for when in one.during)
    (tmp_path / "pluginhost.yaml").write_text(pace)
    web, rest = configure(tmp_path / "pluginhost.yaml").policy.grouping
    assert (web.scope.analyzers, web.threshold.count, web.threshold.distinct) == (("web_*",), 5, "source.ip")
    assert (rest.realert, rest.realert_most, rest.resolve_after) == tuple(seconds * 10**9 for seconds in (3600, 86_400, 7200))


def test_every_field_of_a_rule_and_of_a_grouping_is_told():
    told = set(re.findall(r"`([a-z_]+)`", " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))))
    assert set(Suppression.__struct_fields__) <= told
    assert set(Grouping.__struct_fields__) - {"when", "analyzers"} <= told
