from __future__ import annotations

import json

import pytest
from notifying import alert, delivered, made, notification
from recording import Answer, recording

from pluginhost.outputs.port import DONE, Dead, Unavailable
from pluginhost.problem import Problem

BOT = {"token": "123456:AAF-secretsecret", "chat": "@ops"}
WRONG = Answer(400, b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities: Unsupported start tag"}')


def test_what_is_not_understood_comes_as_plain_text():
    with recording(WRONG, Answer(200)) as server:
        assert delivered("telegram", {**BOT, "address": server.url, "title": "<{user.name}>"}, [notification()]) == [[DONE]]
    first, second = (json.loads(one.body) for one in server.received)
    assert (first["parse_mode"], first["text"][:21]) == ("HTML", "<b>&lt;root&gt;</b>\n\n")
    assert "parse_mode" not in second
    assert second["text"].startswith("<root>\n\n")


def test_plain_text_that_is_refused_is_refused():
    with recording(WRONG, WRONG) as server:
        ((outcome,),) = delivered("telegram", {**BOT, "address": server.url, "parse_mode": "none"}, [notification()])
    assert isinstance(outcome, Dead)
    assert len(server.received) == 1


@pytest.mark.parametrize("letter", ["x", "<", "\U0001f600", "_"])
def test_a_long_message_is_cut_to_what_telegram_takes(letter):
    output = made("telegram", {**BOT, "parse_mode": "none", "body": letter * 9000})
    told = notification("alert", alert(message="\U0001f600" * 300))
    (request,) = output.requests(told, output.said(told))
    shown = json.loads(request.body)["text"]
    assert 2000 < len(shown.encode("utf-16-le")) // 2 <= 4096
    assert "(cut; 9000" in shown


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (Answer(429, b'{"ok":false,"parameters":{"retry_after":17},"description":"Too Many Requests"}', {"Retry-After": "99"}), 17.0),
        (Answer(429, b'{"parameters":{"retry_after":99999999}}'), 3600.0), (Answer(429, b"what", {"Retry-After": "5"}), 5.0),
        (Answer(429, b'{"parameters":null}', {"Retry-After": "5"}), 5.0), (Answer(429, b'{"parameters":{"retry_after":-3}}'), 0.0),
    ],
)  # fmt: skip
def test_how_long_to_wait_is_told_in_the_body(answer, after):
    with recording(answer) as server, pytest.raises(Unavailable) as caught:
        delivered("telegram", {**BOT, "address": server.url}, [notification()])
    assert (caught.value.after, caught.value.slow) == (after, False)


def test_a_check_asks_who_the_bot_is_and_tells_nobody():
    with recording(Answer(200), Answer(401, b"Unauthorized 123456:AAF-secretsecret")) as server:
        options = {**BOT, "address": server.url}
        delivered("telegram", options, check=True)
        with pytest.raises(Unavailable) as caught:
            delivered("telegram", options, check=True)
    assert (caught.value.reason, caught.value.slow) == ("401 Unauthorized …", True)
    assert [(one.method, one.path) for one in server.received] == [("GET", "/bot123456:AAF-secretsecret/getMe")] * 2


def test_a_chat_is_a_number_or_a_name():
    with pytest.raises(Problem, match="chat"):
        made("telegram", {**BOT, "chat": "ops"})
    assert made("telegram", BOT).address == "https://api.telegram.org"
