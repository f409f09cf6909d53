"""Whatever stands in an alert: telling it never raises, never expands, never changes the host, never forges a header."""

from __future__ import annotations

import email
import email.policy
import json
from urllib.parse import urlsplit

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from notifying import alert, made, notification

from pluginhost.alerts.notification import Notification, Table

ODD = st.sampled_from([
    "{{7*7}}", "{0.__class__}", "{title}", "{user.name}", "a\r\nX-Forged: yes", "\x00\x1b[31m", "\u202e\u2028", "é😀" * 50, "x" * 5000,
    "@evil.example", "http://evil.example/", "../..", "?a=b#c", "<!channel>", "</b>", "${X}", "%s", "a@evil.example\nBcc: b@c.example",
])  # fmt: skip
NUMBER = st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALAR = st.one_of(st.none(), st.booleans(), NUMBER, ODD, st.text(max_size=20))
NAME = st.text(max_size=6)
ANY = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3), max_leaves=8)
FIELDS = ("@timestamp", "message", "event", "rule", "user", "host", "source", "threat", "destination", "tags", "nothing")
DOCUMENT = st.dictionaries(st.sampled_from(FIELDS), ANY, max_size=8)
NESTED = st.fixed_dictionaries({"event": st.fixed_dictionaries(dict.fromkeys(("id", "url", "reason", "start", "risk_score"), ANY)),
                                "user": st.fixed_dictionaries({"name": ANY, "email": ANY}), "message": ANY,
                                "source": st.fixed_dictionaries({"ip": ANY, "geo": ANY})})  # fmt: skip
LEVEL = st.sampled_from(["low", "medium", "high", "critical"])
KIND = st.sampled_from(["alert", "escalated", "resolved", "digest", "test"])


@st.composite
def notifications(draw):
    """A notification of which only severity and group are as they should be."""
    level, text, kind = draw(LEVEL), draw(ODD), draw(KIND)
    alerts = tuple(alert(level, **one) for one in draw(st.lists(DOCUMENT | NESTED, min_size=1, max_size=2)))
    return Notification(text, kind, alerts, len(alerts), text, Table(("user.name",), (((text,), 1),)))



HOST = "https://service.example:8443"
TEMPLATES = {"title": "{rule.name} {user.name} {message}", "body": "{body} {event.url} {id}"}
NOTIFIERS = {
    name: made(name, TEMPLATES | options) for name, options in {
        "slack": {"url": f"{HOST}/a", "text": "{message}", "fields": [{"title": "t", "value": "{user}"}], "attach_link": True},
        "webhook": {"url": f"{HOST}/a", "headers": {"X-User": "{user.name}", "X-All": "{body}"}, "payload": {"a": "{message}"},
                    "raw_fields": {"u": "user"}, "signing_secrets": ["s3cr3t"]},
        "pagerduty": {"routing_key": "k", "address": HOST, "dedup_key": "{user.name}", "details": {"u": "{user}"}},
        "opsgenie": {"key": "k", "address": f"{HOST}/v2/alerts", "alias": "{user.name}", "teams": "{user.name}", "priority": "{message}"},
        "alertmanager": {"url": HOST, "labels": {"user": "{user.name}"}},
    }.items()
}  # fmt: skip
MAIL = made("email", TEMPLATES | {"from": "a@example.com", "to": "b@example.com", "security": "none", "html": True,
                                  "to_field": "user.email", "domains": ["example.com"]})  # fmt: skip


@settings(max_examples=150)
@given(notifications())
def test_requests(told):
    for name, notifier in NOTIFIERS.items():
        for request in notifier.requests(told, notifier.said(told)):
            address = urlsplit(request.url)
            assert (address.scheme, address.netloc) == ("https", "service.example:8443"), name
            assert not [value for value in request.headers.values() if not value.isprintable() and value.isascii()], name
            assert "X-Forged" not in request.headers
            json.loads(request.body)


@settings(max_examples=150)
@given(notifications())
def test_mails(told):
    body, people = MAIL._mail(told, MAIL.said(told))
    assert all(one.endswith("@example.com") for one in people)
    mail = email.message_from_bytes(body, policy=email.policy.default)
    assert {name.lower() for name in mail} <= {
        "from", "to", "reply-to", "subject", "date", "message-id", "references", "in-reply-to", "auto-submitted", "x-pluginhost-severity",
        "mime-version", "content-type", "content-transfer-encoding",
    }  # fmt: skip
    assert "\n" not in mail["Subject"]


@given(ODD, LEVEL)
def test_values_are_never_expanded(text, level):
    told = notification("alert", alert(level, message=text, user={"name": "ann"}))
    said = NOTIFIERS["webhook"].said(told)
    assert "49" not in said.title
    assert ("{{7*7}}" in said.title) == (text == "{{7*7}}")
    assert text != "{user.name}" or "{user.name}" in said.title
    assert msgspec.json.decode(NOTIFIERS["webhook"].requests(told, said)[0].body)["u"] == {"name": "ann"}
