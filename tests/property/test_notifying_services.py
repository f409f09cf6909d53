"""Whatever stands in an alert: cards, messages, tickets, commands and hooks are made of it, to the same host, within their limits."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st
from notifying import alert, made, notification

ODD = st.sampled_from([
    "{{7*7}}", "{0.__class__}", "{user.name}", "a\r\nX-Forged: yes", "\x00\x1b[31m", "\u202e\u2028", "\U0001f600" * 3000, "x" * 9000,
    "[a](http://evil.example)", "@evil.example",
    "../..", "?a=b#c", "</b>", "```", "{noformat}", "{NOFORMAT:x}", '" OR project = "HR', "$(id)", "_*`",
])  # fmt: skip
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(allow_nan=False, allow_infinity=False), ODD)
ANY = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ODD, inner, max_size=3), max_leaves=8)
FIELDS = ("@timestamp", "message", "event", "rule", "user", "host", "source", "threat", "destination", "url", "file")
NAMED = st.fixed_dictionaries({"name": ANY})
NESTED = st.fixed_dictionaries({"event": st.fixed_dictionaries(dict.fromkeys(("id", "url", "reason"), ANY)), "rule": NAMED, "user": NAMED,
                                "message": ANY, "threat": ANY})  # fmt: skip
DOCUMENT = st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=8) | NESTED
HOST = "https://service.example:8443"
WORDS = {"title": "{rule.name} {user.name} {message}", "body": "{body} {event.url} {user} {message}"}
SERVICES = {
    "teams": {"url": f"{HOST}/a", "facts": [{"name": "u", "value": "{user} {message}"}] * 20},
    "telegram": {"address": HOST, "token": "1:a", "chat": "@ops"},
    "telegram plain": {"address": HOST, "token": "1:a", "chat": "@ops", "parse_mode": "none"},
    "jira": {"url": HOST, "project": "SEC", "token": "t"},
    "thehive": {"url": HOST, "key": "k", "tags": ["{user.name}"], "custom_fields": {"u": "{user}"},
                "observables": {"user": "other", "event.id": "x"}},
    "kibana_cases": {"url": HOST, "tags": ["{user.name}", "{user} {message}"]},
}  # fmt: skip
NOTIFIERS = {name: made(name.partition(" ")[0], WORDS | options) for name, options in SERVICES.items()}
COMMAND = made("command", WORDS | {"command": ["true"], "allow": True})
HOOK = made("hook", {"file": "hook.py"})


@st.composite
def notifications(draw):
    """A notification of which only severity and group are as they should be."""
    kind = draw(st.sampled_from(["alert", "escalated", "resolved", "digest", "test"]))
    level = draw(st.sampled_from(["low", "medium", "high", "critical"]))
    alerts = [alert(level, **one) for one in draw(st.lists(DOCUMENT, min_size=1, max_size=2))]
    return notification(kind, *alerts, id=draw(ODD), count=len(alerts))


@settings(max_examples=40)
@given(notifications())
def test_requests(told):
    sent = {}
    for name, notifier in NOTIFIERS.items():
        (request,) = notifier.requests(told, notifier.said(told))
        assert urlsplit(request.url).netloc == "service.example:8443"
        assert all(value.isprintable() and value.isascii() for value in request.headers.values())
        sent[name] = json.loads(request.body)
    assert len(NOTIFIERS["teams"].requests(told, NOTIFIERS["teams"].said(told))[0].body) <= 28 << 10
    assert len(sent["telegram plain"]["text"].encode("utf-16-le")) // 2 <= 4096
    assert sent["telegram"]["text"].count("<") == 2
    fields = sent["jira"]["fields"]
    assert fields["description"].lower().count("{noformat") == 2
    assert all(label.replace("-", "").isalnum() for label in fields["labels"])
    assert len(fields["summary"]) <= 255
    assert "\n" not in fields["summary"]
    assert sent["thehive"]["description"].count("```") == 2
    assert all(len(tag) <= 128 for tag in sent["thehive"]["tags"])
    assert 0 < len(sent["thehive"]["sourceRef"]) <= 128
    case = sent["kibana_cases"]
    assert case["description"].count("```") == 2
    assert 0 < len(case["title"].encode("utf-16-le")) // 2 <= 160
    assert all(0 < len(tag.encode("utf-16-le")) // 2 <= 256 for tag in case["tags"])
    assert len([tag for tag in case["tags"] if tag.startswith("pluginhost-")]) == 1


@settings(max_examples=40)
@given(notifications())
def test_programs_of_others(told):
    variables = COMMAND._variables(told, COMMAND.said(told))
    assert set(variables) == {f"PLUGINHOST_{name}" for name in ("TITLE", "KIND", "SEVERITY", "COUNT", "ID", "GROUP", "LINK")}
    assert all(value.isprintable() and len(value) <= 2048 for value in variables.values())
    calls = [json.loads(one.body) for one in HOOK.requests(told, HOOK.said(told))]
    assert [one["pluginhost"]["notification"]["kind"] for one in calls] == [told.kind] * len(told.alerts)
