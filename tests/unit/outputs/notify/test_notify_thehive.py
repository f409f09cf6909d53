from __future__ import annotations

import json

import pytest
from notifying import NOW, alert, delivered, made, notification
from recording import Answer, recording

from pluginhost.outputs.port import DONE, Dead, Unavailable

KNOWN = Answer(400, b'{"type":"CreateError","message":"Alert external:pluginhost:9f2c already exist in organisation soc"}')


def test_what_is_known_there_is_as_good_as_taken():
    with recording(KNOWN, Answer(400, b'{"type":"CreateError","message":"observable data is missing"}')) as server:
        outcomes = delivered("thehive", {"url": server.url, "key": "hivekey"}, [notification()], [notification()])
    assert outcomes[0] == [DONE]
    assert outcomes[1] == [Dead('400 {"type":"CreateError","message":"observable data is missing"}')]


def test_observables_are_bounded_and_each_there_once():
    flood = alert(source={"ip": [f"10.0.0.{number}" for number in range(200)]})
    many = notification("digest", *[flood | {"host": {"name": f"h{number}"}} for number in range(100)])
    output = made("thehive", {"url": "http://h:9000", "key": "hivekey"})
    observables = json.loads(output.requests(many, output.said(many))[0].body)["observables"]
    assert len(observables) == 100
    assert observables[:2] + observables[20:22] == [
        {"dataType": "ip", "data": "10.0.0.0"}, {"dataType": "ip", "data": "10.0.0.1"},
        {"dataType": "hostname", "data": "h0"}, {"dataType": "other", "data": "root"},
    ]  # fmt: skip


def test_a_time_that_cannot_be_read_is_now():
    told = notification("alert", alert(**{"@timestamp": ["never"]}))
    output = made("thehive", {"url": "http://h:9000", "key": "hivekey"})
    assert json.loads(output.requests(told, output.said(told))[0].body)["date"] == NOW // 10**6


def test_a_check_asks_who_we_are():
    with recording(Answer(200), Answer(401, b"no such user")) as server:
        delivered("thehive", {"url": server.url, "key": "hivekey"}, check=True)
        with pytest.raises(Unavailable, match="401 no such user"):
            delivered("thehive", {"url": server.url, "key": "hivekey", "api": "v0"}, check=True)
    assert [(one.method, one.path) for one in server.received] == [("GET", "/api/v1/user/current"), ("GET", "/api/user/current")]
