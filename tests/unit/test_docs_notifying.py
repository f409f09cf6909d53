"""What docs/notifying.md shows is run: configurations make notifiers, the receiver's snippet verifies, the hook is called."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest
import yaml
from click.testing import CliRunner
from notifying import NOW, alert, notification, outgoing
from recording import Answer, recording

from pluginhost.alerts.links import Links, linked
from pluginhost.alerts.notification import Kind
from pluginhost.cli import main
from pluginhost.engine.parts import find, names
from pluginhost.host.config import configure
from pluginhost.host.policies import Terms
from pluginhost.metrics import Registry
from pluginhost.outputs.notify import texts
from pluginhost.outputs.notify.templates import WORDS
from pluginhost.outputs.notify.webhook import signature
from pluginhost.outputs.port import DONE, Context, Dead, Retry, Unavailable

PAGE = (Path(__file__).parents[2] / "docs" / "notifying.md").read_text("utf-8")
SHOWN = re.findall(r"^```yaml\n(# pluginhost\.yaml\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
SECRETS = {"SLACK_URL": "https://hooks.slack.com/services/T0/B0/x", "TEAMS_URL": "https://teams.example/w", "TELEGRAM_TOKEN": "1:a",
           "PAGERDUTY_KEY": "k", "DESK_SECRET": "now"}  # fmt: skip


def configured(text, folder, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (folder / "pluginhost.yaml").write_text(text)
    return configure(folder / "pluginhost.yaml")


def made(part):
    return part.type(part.options, Context(part.name, Registry(), lambda: NOW))


def notifiers():
    return {name for name in names("outputs") if getattr(find("outputs", name), "notifies", False)}


def table(head):
    """The first cells of the table with this head, without marks."""
    rows = re.search(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1]
    return [re.search(r"`(\w+)`", row.split("|")[1])[1] for row in rows.splitlines()]


@pytest.mark.parametrize("text", SHOWN)
def test_what_is_configured_makes_notifiers(text, tmp_path, monkeypatch):
    setup = configured(text, tmp_path, monkeypatch)
    assert len(setup.outputs) == len(yaml.safe_load(text)["outputs"])
    for part in setup.outputs:
        assert part.audience is not None
        output = made(part)
        assert output.notifies
        assert "services" not in output.address


def test_the_page_shows_enough_to_be_worth_a_test():
    assert len(SHOWN) == 7
    assert set(FILES) == {"verify.py", "hooks/tell_desk.py"}


def test_the_message_that_is_shown_is_what_is_sent():
    (shown,) = re.findall(r"^```\n(\[high\] .*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)
    document = linked({
        "@timestamp": "2026-03-01T10:00:00.000Z", "message": "203.0.113.9: 10 failed logins in 10 minutes", "log": {"level": "high"},
        "event": {"id": "3f9a01c2b7d4" + "0" * 52, "category": ["authentication"], "risk_score": 73.0, "start": "2026-03-01T09:55:00.000Z",
                  "end": "2026-03-01T10:00:00.000Z"},
        "user": {"name": "root"}, "host": {"name": "web1"}, "rule": {"id": "ssh_bruteforce", "name": "ssh_bruteforce"},
        "source": {"ip": "203.0.113.9", "geo": {"city_name": "Amsterdam", "country_iso_code": "NL"}},
        "threat": {"technique": {"id": ["T1110"]}}, "pluginhost": {"alert": {"count": 10}},
    }, Links("kibana", "https://kibana.example.com"))  # fmt: skip
    told = notification("alert", document)
    assert re.sub(r"_g=\S+", "_g=…", f"{texts.title(told)}\n\n{texts.body(told)}") == shown


def test_every_service_kind_and_word_is_told():
    assert set(table("type")) == notifiers()
    assert set(table("kind")) == set(Kind.__args__)
    assert [word for word in WORDS if f"`{{{word}}}`" not in PAGE] == []


def test_the_terms_of_notifiers_are_all_told():
    assert [field.encode_name for field in msgspec.structs.fields(Terms) if f"`{field.encode_name}" not in PAGE] == []


def test_a_receiver_verifies_what_is_ours(tmp_path, monkeypatch):
    scope = {}
    exec(FILES["verify.py"], scope)
    is_ours = scope["is_ours"]
    text = next(one for one in SHOWN if "signing_secrets" in one)
    with recording() as server:
        part = configured(text.replace("https://desk.example.com", server.url), tmp_path, monkeypatch).outputs[0]
        assert delivered(made(part), notification()) == DONE
    (sent,) = server.received
    signed, now = sent.headers["pluginhost-signature"], NOW / 1e9
    wanted = {"what": "[high] 25 failures for root from 203.0.113.7", "user": "root", "more": {"rule": "ssh_brute_force"}}
    assert json.loads(sent.body) == wanted
    assert is_ours(signed, sent.body, ["now"], now)
    assert is_ours(signed, sent.body, ["other", "now"], now + 299)
    assert is_ours(signature(["new", "now"], int(now), sent.body), sent.body, ["now"], now)
    for header, body, secrets, at in (
        (signed, sent.body + b" ", ["now"], now), (signed, sent.body, ["other"], now), (signed, sent.body, ["now"], now + 301),
        (signed, sent.body, ["now"], now - 301), (signed.replace("t=1", "t=2"), sent.body, ["now"], now), ("", sent.body, ["now"], now),
        ("t=x,v1=é", sent.body, ["now"], now), (f"t={int(now)},v1=é", sent.body, ["now"], now), (f"t={int(now)}", sent.body, ["now"], now),
        (signed, sent.body, ["now"], None),
    ):  # fmt: skip
        assert not is_ours(header, body, secrets, at)


def delivered(output, told):
    async def go():
        try:
            return (await output.deliver([outgoing(told)]))[0]
        except Unavailable as error:
            return Retry(error.reason, error.after, error.slow)
        finally:
            await output.close()

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("answer", "outcome"), [(Answer(201), DONE), (Answer(503), Retry("the hook asks to try later", 60.0)), (Answer(400), Dead)]
)
def test_the_hook_opens_a_ticket(answer, outcome, tmp_path, monkeypatch):
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "tell_desk.py").write_text(FILES["hooks/tell_desk.py"])
    text = next(one for one in SHOWN if "type: hook" in one)
    with recording(answer) as server:
        part = configured(text.replace("https://desk.example.com", server.url), tmp_path, monkeypatch).outputs[0]
        came = delivered(made(part), notification("escalated", alert("critical")))
    (sent,) = server.received
    assert (sent.method, sent.path) == ("POST", "/tickets")
    assert json.loads(sent.body) == {"id": "9f2c" * 16, "text": "25 failures for root from 203.0.113.7", "kind": "escalated"}
    if outcome is Dead:
        assert re.fullmatch(r"HTTPError: HTTP Error 400: Bad Request \(tell_desk.py:\d+\)", came.reason)
    else:
        assert came == outcome


def test_the_list_is_as_shown(tmp_path, monkeypatch):
    configured(SHOWN[0], tmp_path, monkeypatch)
    told = CliRunner().invoke(main, ["notify", "list", "--config", str(tmp_path / "pluginhost.yaml")]).output
    assert told in PAGE
