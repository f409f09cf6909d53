"""What becomes of notifications by what the service answers; with a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from certificates import Authority
from notifying import NOW, alert, delivered, made, notification, outgoing
from recording import CUT, Answer, recording

from pluginhost.outputs.notify import texts
from pluginhost.outputs.notify.webhook import Webhook
from pluginhost.outputs.port import DONE, Dead, Retry, Unavailable
from pluginhost.problem import Problem
from pluginhost.tls import Serving, serving_context


def post(server, *batches, **options):
    return delivered("webhook", {"url": f"{server.url}/hook", "payload": {"id": "{id}"}, **options}, *batches)


def three():
    return [notification(id=name) for name in ("a", "b", "c")]


def ids(server):
    return [json.loads(one.body)["id"] for one in server.received]


def test_each_is_settled_by_itself():
    with recording(Answer(400, b"no such channel"), Answer(202)) as server:
        assert post(server, three()) == [[Dead("400 no such channel"), DONE, DONE]]
        assert ids(server) == ["a", "b", "c"]


def test_a_failure_of_one_is_tried_again_ever_more_slowly_and_holds_up_nobody():
    def judge(request):
        return Answer(500, b"boom") if json.loads(request.body)["id"] == "b" else Answer()

    with recording(usual=judge) as server:
        assert post(server, three()) == [[DONE, Retry("500 boom", 1.0), DONE]]

        async def third():
            output = made("webhook", {"url": server.url, "payload": {"id": "{id}"}})
            try:
                return await output.deliver([outgoing(three()[1], attempts=3), outgoing(three()[2])])
            finally:
                await output.close()

        assert asyncio.run(third()) == [Retry("500 boom", 8.0), DONE]


def test_who_asks_for_time_gets_it_and_is_asked_nothing_more():
    with recording(Answer(), usual=Answer(429, b"slow down", {"Retry-After": "30"})) as server:
        assert post(server, three()) == [[DONE, Retry("429 slow down", 30.0), Retry("429 slow down", 30.0)]]
        assert ids(server) == ["a", "b"]


@pytest.mark.parametrize(
    ("answer", "reason", "after", "slow"),
    [
        (Answer(503, b"down", {"Retry-After": "7"}), "503 down", 7.0, False), (Answer(500), "500 ok", 0.0, False),
        (Answer(403, b"who?"), "403 who?", 0.0, True), (CUT, "Server|Client", 0.0, False),
        (Answer(raw=b"what?\r\n\r\n"), "400, message|Bad status|Client|Response", 0.0, False), (Answer(slow=5.0), "Timeout", 0.0, False),
    ],
    ids=["503", "500", "403", "cut", "garbage", "slow"],
)  # fmt: skip
def test_where_nothing_went_through_all_is_tried_again(answer, reason, after, slow):
    with recording(usual=answer) as server, pytest.raises(Unavailable, match=reason) as kept:
        post(server, three(), timeout="0.2s")
    assert (kept.value.after, kept.value.slow) == (after, slow)
    assert len(server.received) == (1 if answer.cut or answer.raw or answer.slow or answer.status == 503 else 3)


def test_of_several_requests_only_what_is_left_is_sent_again():
    with recording(Answer(), Answer(500), Answer(400, b"never"), Answer()) as server:
        urls = [f"{server.url}/two", f"{server.url}/three"]
        first, second = post(server, [notification()], [notification()], urls=urls)
        assert first == [Retry("500 ok", 1.0)]
        assert second == [Dead("400 never")]
        assert [one.path for one in server.received] == ["/hook", "/two", "/three", "/two"]


def test_what_is_remembered_of_parts_is_bounded_and_forgotten():
    async def go(server):
        output = made("webhook", {"url": f"{server.url}/a", "urls": [f"{server.url}/b"]})
        try:
            for number in range(1010):
                output._partly[f"old-{number}"] = {0: DONE}
                while len(output._partly) > 1000:
                    output._partly.popitem()
            await output.deliver([outgoing(notification(id="new"))])
            assert len(output._partly) == 1000
            assert "new" in output._partly
            await output.deliver([outgoing(notification(id="new"))])
            assert "new" not in output._partly
        finally:
            await output.close()

    with recording(Answer(), Answer(500), Answer()) as server:
        asyncio.run(go(server))


def test_what_is_no_notification_is_dead():
    async def go():
        output = made("webhook", {"url": "http://127.0.0.1:9/x"})
        try:
            good = outgoing(notification())
            bodies = (b"", b"[]", b'{"id":1}', b"\xff", b"[" * 9999)
            return await output.deliver([msgspec.structs.replace(good, document=body) for body in bodies])
        finally:
            await output.close()

    outcomes = asyncio.run(go())
    assert [type(one) for one in outcomes] == [Dead] * 5
    assert outcomes[0].reason.startswith("not a notification: ")


def test_no_redirect_is_followed_and_an_endless_answer_is_not_read():
    with recording(usual=Answer(302, headers={"Location": "/elsewhere"})) as server:
        with pytest.raises(Unavailable, match="302"):
            post(server, [notification()])
        assert len(server.received) == 1
    with recording(usual=Answer(200, b"x" * (8 << 20))) as server:
        assert post(server, [notification()]) == [[DONE]]


def test_a_template_that_raises_loses_nothing(monkeypatch):
    monkeypatch.setattr(Webhook, "about", lambda self, told, said: 1 / 0)
    output = made("webhook", {"url": "http://127.0.0.1:9", "title": "{user.name}"})
    said = output.said(notification())
    assert said.title == texts.title(notification())
    assert said.body.endswith("(The template could not be used: ZeroDivisionError.)")


def test_a_title_is_one_line_and_a_body_may_use_both():
    output = made("webhook", {"url": "http://127.0.0.1:9", "title": "{rule.name}\n{user.name}", "body": "{title}|\n{severity}|{nothing}"})
    said = output.said(notification("alert", alert(user={"name": "a\r\nBcc: b"})))
    assert said.title == "SSH brute force a\\x0d\\x0aBcc: b"
    assert said.body == "SSH brute force a\\x0d\\x0aBcc: b|\nhigh|<missing>"


def test_check_tells_nobody():
    with recording(usual=Answer(405)) as server:
        delivered("webhook", {"url": f"{server.url}/hook?key=s3cr3tkey"}, check=True)
        assert [(one.method, one.path) for one in server.received] == [("HEAD", "/")]
    with pytest.raises(Unavailable):
        delivered("webhook", {"url": server.url, "timeout": "1s"}, check=True)


def test_through_a_proxy():
    with recording() as proxy:
        options = {"url": "http://service.invalid/hook", "proxy": proxy.url.replace("//", "//user:pa55word@")}
        assert delivered("webhook", options, [notification()]) == [[DONE]]
    assert proxy.received[0].path == "http://service.invalid/hook"
    assert proxy.received[0].headers["proxy-authorization"] == "Basic dXNlcjpwYTU1d29yZA=="


def test_https_is_proven(tmp_path):
    authority = Authority(tmp_path)
    context = serving_context(Serving(**{name: Path(file) for name, file in authority.issue("server").items()}))
    with recording(ssl=context) as server:
        assert delivered("webhook", {"url": server.url, "tls": {"ca": str(authority.ca)}}, [notification()]) == [[DONE]]
        with pytest.raises(Unavailable) as refused:
            delivered("webhook", {"url": server.url}, [notification()])
        assert refused.value.slow


@pytest.mark.parametrize("url", ["nonsense-s3cr3t", "ftp://host/s3cr3t", "https:///s3cr3t", "http://host:port/s3cr3t", ""])
def test_an_address_that_is_none_is_told_at_load_and_not_quoted(url):
    good = {"url": "http://127.0.0.1"}
    for options in ({"url": url}, good | {"urls": [url]}, *([good | {"proxy": url}] if url else [])):
        with pytest.raises(Problem, match="none of http or https") as wrong:
            made("webhook", options)
        assert "s3cr3t" not in wrong.value.page()


@pytest.mark.parametrize(
    ("service", "options", "what"),
    [
        ("webhook", {"headers": {"Bad Name": "x"}}, "`headers`: `Bad Name` cannot be set"),
        ("webhook", {"headers": {"Host": "x"}}, "`headers`: `Host` cannot be set"),
        ("webhook", {"headers": {"X": "{s3cr3t"}}, "`headers.X`: a single `{`"),
        ("webhook", {"payload": {"a": [{"b": "{x!r}"}]}}, "`payload.a[0].b`: `{x!r}` is no name of a field"),
        ("slack", {"title": "{0.__class__}", "fields": []}, None),
        ("slack", {"title": "{user[name]}"}, "`title`: `{user[name]}` is no name of a field"),
        ("alertmanager", {"labels": {"1st": "x"}}, "`labels`: `1st` is no name of a label"),
        ("alertmanager", {"annotations": {"a-b": "x"}}, "`annotations`: `a-b` is no name of a label"),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_load(service, options, what):
    if what is None:  # a name like any other, of a field that no alert has
        assert made(service, {"url": "http://127.0.0.1"} | options).said(notification()).title == "<missing>"
        return
    with pytest.raises(Problem) as wrong:
        made(service, {"url": "http://127.0.0.1"} | options)
    assert wrong.value.what == what


def test_a_routing_key_that_is_not_known_waits_for_somebody_to_act():
    told = b'{"status":"invalid event","errors":["Invalid routing key"]}'
    with recording(usual=Answer(400, told)) as server, pytest.raises(Unavailable, match="400 invalid routing key") as kept:
        delivered("pagerduty", {"routing_key": "kkkkkkkk", "address": server.url}, [notification()])
    assert kept.value.slow
    with recording(usual=Answer(400, b"bad event")) as server:
        assert delivered("pagerduty", {"routing_key": "kkkkkkkk", "address": server.url}, [notification()]) == [[Dead("400 bad event")]]


def test_the_regions_of_pagerduty():
    assert made("pagerduty", {"routing_key": "k"}).address == "https://events.pagerduty.com"
    assert made("pagerduty", {"routing_key": "k", "region": "eu"}).address == "https://events.eu.pagerduty.com"


def test_an_alert_of_the_future_begins_now():
    told = notification("alert", alert(event={"start": "2099-01-01T00:00:00Z"}), alert(event={"start": 7}, **{"@timestamp": None}))
    with recording() as server:
        delivered("alertmanager", {"url": server.url}, [told], clock=lambda: NOW)
    assert [one["startsAt"] for one in json.loads(server.received[0].body)] == ["2026-01-02T03:04:10.000Z"] * 2


def test_an_alias_is_no_way_out_of_a_path():
    options = {"key": "kkkkkkkk", "alias": "{user.name}"}
    with recording() as server:
        for name in ("..", ".", "../../close?x=#"):
            delivered("opsgenie", options | {"address": f"{server.url}/v2/alerts"}, [notification("resolved", alert(user={"name": name}))])
    group = "c1d9" * 16
    assert [one.path for one in server.received] == [
        f"/v2/alerts/{alias}/close?identifierType=alias" for alias in (group, group, "..%2F..%2Fclose%3Fx=%23")
    ]
