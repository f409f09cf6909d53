"""No secret is shown: not by any notifier, whatever its service answers."""

from __future__ import annotations

import msgspec
import pytest
from notifying import delivered, made, notification
from recording import Answer, recording

from pluginhost.engine.parts import find, names
from pluginhost.options import Secret
from pluginhost.outputs.notify.redaction import hider, origin
from pluginhost.outputs.port import Dead, Unavailable
from pluginhost.problem import Problem

HIDDEN = ("s3cr3t", "t0k3n", "pa55word", "hunter")
OPTIONS = {
    "slack": {"url": "{server}/services/T0t0k3n/B0s3cr3t/s3cr3tX?x=t0k3n-2"},
    "webhook": {"url": "{server}/in/s3cr3t-path?key=s3cr3t-key", "headers": {"Authorization": "Bearer t0k3n-head", "X-Key": "s3cr3t-x"},
                "signing_secrets": ["s3cr3t-sign"]},
    "pagerduty": {"address": "{server}", "routing_key": "s3cr3t-key"},
    "opsgenie": {"address": "{server}/v2/alerts", "key": "s3cr3t-key"},
    "alertmanager": {"url": "{user}/s3cr3t-path", "username": "me", "password": "pa55word-1"},
    "teams": {"url": "{server}/workflows/s3cr3t-id?sig=s3cr3t-sig"},
    "telegram": {"address": "{server}", "token": "12345:t0k3n-telegram", "chat": "-100"},
    "jira": {"url": "{server}", "user": "me@example.com", "token": "t0k3n-jira", "project": "SOC"},
    "thehive": {"url": "{server}", "key": "s3cr3t-hive"},
    "kibana_cases": {"url": "{server}", "api_key": "s3cr3t-case"},
}  # fmt: skip
ELSEWHERE = {"email", "apprise", "command", "hook"}  # no HTTP of ours: each has tests of its own


def filled(value, server):
    if isinstance(value, dict):
        return {name: filled(one, server) for name, one in value.items()}
    if isinstance(value, list):
        return [filled(one, server) for one in value]
    return value.replace("{server}", server).replace("{user}", server.replace("//", "//hunter2:pa55word-2@"))


def notifiers():
    return {name for name in names("outputs") if getattr(find("outputs", name), "notifies", False)}


def test_every_notifier_is_among_these():
    assert notifiers() == OPTIONS.keys() | ELSEWHERE


def echo(status):
    """An answer that quotes all it was sent."""
    return lambda request: Answer(status, f"{request.method} {request.path} {request.headers} {request.body!r}".encode())


@pytest.mark.parametrize("service", OPTIONS)
@pytest.mark.parametrize("status", [400, 403, 500])
def test_what_a_service_quotes_is_hidden(service, status):
    with recording(usual=echo(status)) as server:
        try:
            ((outcome,),) = delivered(service, filled(OPTIONS[service], server.url), [notification()])
            reason = outcome.reason
            assert isinstance(outcome, Dead)
        except Unavailable as error:
            reason = error.reason
        assert server.received
    assert str(status) in reason
    assert not [word for word in HIDDEN if word in reason], reason


@pytest.mark.parametrize("service", OPTIONS)
def test_neither_address_nor_trouble_shows_a_secret(service):
    options = filled(OPTIONS[service], "http://127.0.0.1:9") | {"timeout": "1s"}
    output = made(service, options)
    assert output.address == "http://127.0.0.1:9"
    for attempt in ({"check": True}, {}):
        with pytest.raises(Unavailable) as away:
            delivered(service, options, *([] if attempt else [[notification()]]), **attempt)
        assert not [word for word in HIDDEN if word in away.value.reason]
    with pytest.raises(Problem) as wrong:
        made(service, {name: "{s3cr3t" if name in ("title",) else one for name, one in ({"title": ""} | options).items()})
    assert "pa55word" not in wrong.value.page()


def test_pieces_of_an_address_are_hidden_in_every_form():
    address = Secret("https://me:p%40ssw0rd@h.example/a/B00000/tok%2Fen?sig=ab/cdefgh#x")
    hidden = hider([address, Secret("top"), Secret("plain secret"), Secret("")])
    said = "B00000 tok%2Fen tok/en p%40ssw0rd p@ssw0rd ab/cdefgh cdefgh plain%20secret plain secret top h.example a"
    assert hidden(said) == "… … … … … ab/… … … … top h.example a"
    assert hider([])("as it is") == "as it is"


def test_half_a_secret_is_one():
    body = b"x" * 290 + b" s3cr3t-key-that-is-long"
    with recording(usual=Answer(400, body)) as server:
        ((outcome,),) = delivered("opsgenie", {"address": server.url, "key": "s3cr3t-key-that-is-long"}, [notification()])
    assert outcome == Dead(f"400 {'x' * 290} …")


def test_what_of_an_address_may_be_shown():
    assert origin("https://u:p@Host.example:8443/a?b#c") == "https://host.example:8443"
    assert origin("http://[2001:db8::1]:80/") == "http://[2001:db8::1]:80"
    assert [origin(one) for one in ("", "x", "ftp://h/", "https://", "https://h:x/", "https://[h/")] == [""] * 6


def test_options_hold_their_secrets_as_such():
    for service in notifiers():
        for field in msgspec.structs.fields(find("outputs", service).Options):
            telling = any(word in field.encode_name for word in ("password", "token", "key", "secret")) and field.encode_name != "dedup_key"
            assert not telling or "Secret" in str(field.type) or field.type is Secret, (service, field.name)
