from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner
from recording import Answer, recording

from pluginhost.cli import main


def ran(tmp_path, outputs, *words):
    """The exit code and what was printed."""
    file = tmp_path / "pluginhost.yaml"
    file.write_text(yaml.safe_dump({"data": str(tmp_path / "data"), "outputs": outputs}))
    result = CliRunner().invoke(main, ["notify", words[0], "--config", str(file), *words[1:]])
    return result.exit_code, result.output


def test_who_is_told(tmp_path):
    outputs = [
        {"type": "file", "path": str(tmp_path / "alerts.ndjson")},
        {"type": "slack", "name": "chat", "url": "https://hooks.slack.example/services/T0/s3cr3t", "when": "event.severity:>=73",
         "resolved": True},
        {"type": "pagerduty", "routing_key": "s3cr3t-key", "analyzers": ["login_*"]},
        {"type": "webhook", "url": "nonsense-s3cr3t"},
    ]  # fmt: skip
    code, said = ran(tmp_path, outputs, "list")
    chat, pager, broken = said.splitlines()
    assert code == 0
    assert chat.split(None, 3) == ["chat", "slack", "https://hooks.slack.example", "alerts with event.severity:>=73 and when it is over"]
    assert pager.split(None, 3) == ["pagerduty", "pagerduty", "https://events.pagerduty.com", "every alert of login_*"]
    assert "cannot be used: an address is none of http or https" in broken
    assert "s3cr3t" not in said
    assert ran(tmp_path, [], "list") == (0, "nobody is told: no output of the configuration is a notifier\n")


def test_a_trial_arrives_and_says_what_it_is(tmp_path):
    with recording() as server:
        outputs = [{"type": "webhook", "name": "hook", "url": f"{server.url}/s3cr3t"}]
        assert ran(tmp_path, outputs, "test", "hook") == (0, f"hook: delivered to {server.url}\n")
        ran(tmp_path, outputs, "test", "hook", "--kind", "resolved", "--severity", "critical")
        ran(tmp_path, outputs, "test", "hook", "--kind", "digest")
        begun, ended, digest = (json.loads(one.body) for one in server.received)
    assert begun["title"] == "Test: [high] a trial of the notifier hook: nothing has happened"
    assert begun["kind"] == "test"
    assert ended["title"] == "Resolved: a trial of the notifier hook: nothing has happened"
    assert ended["severity"] == "critical"
    assert ended["group"] == begun["group"]
    assert (digest["kind"], digest["count"], digest["why"]) == ("digest", 3, "a trial")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(400, b"no such s3cr3t-key"), "refused by {url}: 400 no such …"),
        (Answer(403, b"who?"), "refused by {url}: 403 who? (see to its settings)"),
        (Answer(500, b"oh"), "refused by {url}: 500 oh (an alert would be tried again)"),
    ],
)
def test_what_came_of_it(tmp_path, answer, said):
    with recording(usual=answer) as server:
        outputs = [{"type": "opsgenie", "key": "s3cr3t-key", "address": server.url}]
        assert ran(tmp_path, outputs, "test", "opsgenie") == (1, f"opsgenie: {said.replace('{url}', server.url)}\n")


def test_who_cannot_be_reached_or_is_not_known(tmp_path):
    outputs = [{"type": "slack", "url": "http://127.0.0.1:9/s3cr3t"}]
    code, said = ran(tmp_path, outputs, "test", "slack")
    assert code == 1
    assert said.startswith("slack: cannot reach http://127.0.0.1:9: ")
    assert "s3cr3t" not in said
    code, said = ran(tmp_path, outputs, "test", "chat")
    assert code == 2
    assert "there is no notifier `chat`" in said
    assert "known are: slack" in said
