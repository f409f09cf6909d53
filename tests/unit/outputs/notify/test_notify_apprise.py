"""With the real library: against a recording server where a service's host can be chosen, else with `requests` replaced under it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from base64 import b64encode

import pytest
import requests
from notifying import alert, delivered, made, notification, outgoing
from recording import CUT, Answer, recording

from pluginhost.outputs.port import DONE, Retry, Unavailable
from pluginhost.problem import Problem

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # the library's own, at its first import


def address(server, path="in", query=""):
    return f"{server.url.replace('http', 'json', 1).replace('//', '//me:pa55word@')}/{path}?:by=us{query}"


def bodies(server):
    return [json.loads(one.body) for one in server.received]


def test_every_address_is_told():
    with recording() as server:
        options = {"urls": [address(server, "a"), address(server, "b", "&method=PUT")], "title": "{user.name}", "body": "{message}\n<b>&"}
        assert delivered("apprise", options, [notification()]) == [[DONE]]
    first, second = server.received
    assert (first.method, first.path, second.method, second.path) == ("POST", "/a", "PUT", "/b")
    assert first.headers["content-type"] == "application/json"
    assert first.headers["authorization"] == f"Basic {b64encode(b'me:pa55word').decode()}"
    assert first.headers["user-agent"] == "pluginhost"
    body = json.loads(first.body)
    wanted = {"title": "root", "message": "25 failures for root from 203.0.113.7\n<b>&", "type": "failure", "by": "us"}
    assert {name: body[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("kind", "level", "wanted"),
    [("alert", "critical", "failure"), ("alert", "high", "failure"), ("alert", "medium", "warning"), ("alert", "low", "info"),
     ("escalated", "medium", "warning"), ("resolved", "critical", "success")],
)  # fmt: skip
def test_how_grave_it_is(kind, level, wanted):
    with recording() as server:
        delivered("apprise", {"urls": [address(server)]}, [notification(kind, alert(level))])
    assert bodies(server)[0]["type"] == wanted


def test_what_went_through_is_not_sent_again():
    with recording(usual=lambda one: Answer(500 if one.path == "/b" and len(server.received) < 3 else 200)) as server:
        options = {"urls": [address(server, "a"), address(server, "b"), address(server, "c")]}

        async def twice():
            output, told = made("apprise", options), outgoing(notification())
            try:
                return [*await output.deliver([told]), *await output.deliver([told])]
            finally:
                await output.close()

        first, second = asyncio.run(twice())
    assert isinstance(first, Retry)
    assert second == DONE
    assert [one.path for one in server.received] == ["/a", "/b", "/c", "/b"]


class Heard(logging.Handler):
    """What reaches our log."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@pytest.fixture
def heard():
    root, handler, before = logging.getLogger(), Heard(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize("answer", [Answer(400, b"pa55word"), Answer(503, b"", {"Retry-After": "2"}), CUT])
def test_a_failure_is_tried_again_by_us_alone_and_says_why(answer, heard):
    with recording(usual=answer) as server, pytest.raises(Unavailable) as caught:
        delivered("apprise", {"urls": [address(server, "s3cretpath", "&retry=3&wait=0")]}, [notification()])
    assert len(server.received) == 1
    assert "JSON" in caught.value.reason
    assert not [line for line in [caught.value.reason, *heard.lines] if "pa55word" in line or "s3cretpath" in line]


def test_what_does_not_answer_in_time_is_tried_again():
    with recording(usual=Answer(slow=5)) as server, pytest.raises(Unavailable, match="error occurred"):
        delivered("apprise", {"urls": [address(server)], "timeout": "100ms"}, [notification()])


def test_a_long_text_is_split_or_cut_and_nothing_is_branded(monkeypatch):
    """Telegram by Apprise, whose host is fixed."""
    sent = []

    def post(url, data=None, **_):
        sent.append((url, json.loads(data)))
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b'{"ok":true,"result":{"chat":{"id":1}}}'
        return answer

    monkeypatch.setattr(requests, "post", post)
    monkeypatch.setattr(requests.Session, "request", lambda _, method, url, **more: post(url, **more))
    options = {"urls": ["tgram://123456789:abcdefg_hijklmnop/-1001/?image=no"], "body": "word " * 2000}
    assert delivered("apprise", options, [notification()]) == [[DONE]]
    split = [body["text"] for _, body in sent]
    sent.clear()
    assert delivered("apprise", {**options, "overflow": "truncate"}, [notification()]) == [[DONE]]
    assert len(split) > 2
    assert len(sent) == 1
    assert all(len(text) <= 4096 for text in [*split, sent[0][1]["text"]])
    assert "".join(split).count("word") == 2000
    assert "apprise" not in json.dumps(sent).lower()


def test_wrong_addresses_are_told_at_the_start_without_quoting_them():
    for number, wrong in enumerate(("nosuch://s3cr3t-host/s3cr3t-path", "slack://s3cr3tA/B", "s3cr3t words")):
        with pytest.raises(Problem) as caught:
            made("apprise", {"urls": ["json://127.0.0.1/x"] * number + [wrong]})
        assert f"`urls[{number}]`" in caught.value.what
        assert "s3cr3t" not in caught.value.page()


def test_only_the_scheme_of_an_address_is_shown():
    assert made("apprise", {"urls": ["json://me:pa55word@h/x", "ntfy://topic", "json://h2"]}).address == "json:, ntfy:"


def test_without_the_library_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(Problem, match="not installed") as caught:
        made("apprise", {"urls": ["json://h"]})
    assert caught.value.todo == "pip install 'pluginhost[apprise]'"


def test_a_proxy_cannot_be_said_here():
    with pytest.raises(Problem, match="`tls` and `proxy`"):
        made("apprise", {"urls": ["json://h"], "proxy": "http://p:1"})
