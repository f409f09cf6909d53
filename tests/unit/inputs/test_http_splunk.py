"""The paths of Splunk's HTTP Event Collector, over real sockets."""

from __future__ import annotations

import gzip

import pytest
from http_families import ask, with_door

from pluginhost.inputs.access import Key
from pluginhost.options import Secret
from pluginhost.problem import Busy

EVENTS = b'{"event":"one","sourcetype":"a"}{"event":{"n":2},"time":1767323045.5,"host":"h"}'
SUCCESS = b'{"text":"Success","code":0}'
AT = "/services/collector"


@pytest.mark.parametrize("path", [AT, f"{AT}/event", f"{AT}/event/1.0"])
def test_events_are_kept_and_answered_as_splunk_does(path):
    async def test(door, host):
        answer = await ask(door, "POST", path, gzip.compress(EVENTS), Content_Encoding="gzip", Authorization="Splunk s3cret",
                           X_Splunk_Request_Channel="c")  # fmt: skip
        assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", SUCCESS)
        assert host.records == {"a": [{"message": "one", "splunk.sourcetype": "a"}], "http": [{"n": 2, "host.name": "h"}]}
        assert list(host.chunks[1].columns.times) == [1767323045_500_000_000]

    assert with_door(test, token=Secret("s3cret"))["records"] == 2


@pytest.mark.parametrize(("query", "headers", "tag"), [
    ("", {}, "http"), ("?sourcetype=s", {}, "s"), ("?sourcetype=s&tag=t", {}, "t"), ("?tag=t", {"X_Pluginhost_Tag": "u"}, "u"),
])  # fmt: skip
@pytest.mark.parametrize("path", [f"{AT}/raw", f"{AT}/raw/1.0"])
def test_raw_lines_are_a_record_each(path, query, headers, tag):
    async def test(door, host):
        answer = await ask(door, "POST", path + query, b'a line\n\n{"a":1}\n', **headers)
        assert answer.body == SUCCESS
        assert host.records == {tag: [{"message": "a line"}, {"a": 1}]}
        assert host.chunks[0].body == b'a line\n\n{"a":1}\n'

    with_door(test)


def test_the_tag_of_a_request_is_for_all_its_events():
    async def test(door, host):
        await ask(door, "POST", f"{AT}?tag=t", EVENTS)
        await ask(door, "POST", f"{AT}?sourcetype=s", EVENTS)
        assert [(chunk.tag, chunk.count) for chunk in host.chunks] == [("t", 2), ("a", 1), ("s", 1)]

    with_door(test)


@pytest.mark.parametrize(("authorization", "query", "status", "body"), [
    ("", "", 401, b'{"text":"Token is required","code":2}'),
    ("", "?token=s3cret", 401, b'{"text":"Token is required","code":2}'),
    ("Digest s3cret", "", 401, b'{"text":"Invalid authorization","code":3}'),
    ("Splunk wrong", "", 403, b'{"text":"Invalid token","code":4}'),
    ("Splunk", "?token=s3cret", 403, b'{"text":"Invalid token","code":4}'),
])  # fmt: skip
@pytest.mark.parametrize("path", [AT, f"{AT}/raw", f"{AT}/ack"])
def test_a_stranger_is_told_what_is_wrong(path, authorization, query, status, body):
    async def test(door, host):
        answer = await ask(door, "POST", path + query, EVENTS, **({"Authorization": authorization} if authorization else {}))
        assert (answer.status, answer.body, host.chunks) == (status, body, [])

    assert with_door(test, token=Secret("s3cret"))["unauthorized"] == 1


@pytest.mark.parametrize(("method", "path", "body", "status", "said"), [
    ("GET", f"{AT}/health", b"", 200, b'{"text":"HEC is healthy","code":17}'),
    ("GET", f"{AT}/health/1.0", b"", 200, b'{"text":"HEC is healthy","code":17}'),
    ("POST", f"{AT}/ack?channel=c", b'{"acks":[0]}', 400, b'{"text":"ACK is disabled","code":14}'),
    ("POST", AT, b"", 400, b'{"text":"No data","code":5}'), ("POST", f"{AT}/raw", b"\n", 400, b'{"text":"No data","code":5}'),
    ("POST", AT, b"hello", 422, b'{"text":"Invalid data format","code":6}'),
    ("POST", AT, b'{"event":""}', 422, b'{"text":"Invalid data format","code":6}'),
])  # fmt: skip
def test_what_else_is_answered(method, path, body, status, said):
    async def test(door, host):
        answer = await ask(door, method, path, body)
        assert (answer.status, answer.body) == (status, said)
        assert not host.records or not host.chunks[0].count

    with_door(test)


def test_what_is_no_event_is_a_dead_letter_and_taken():
    async def test(door, host):
        assert (await ask(door, "POST", AT, EVENTS + b'{"event":null}')).body == SUCCESS
        assert [one.reason for chunk in host.chunks for one in chunk.rejected] == ["no_event"]
        bad = [await ask(door, "POST", AT, b"hello") for _ in range(5)]
        assert [answer.status for answer in bad] == [422] * 4 + [200]
        assert bad[-1].body == SUCCESS

    counts = with_door(test)
    assert (counts["rejected"], counts["unreadable"], counts["poison"]) == (1, 1, 1)


def test_overload_and_a_tag_that_is_not_allowed():
    async def test(door, host):
        host.busy = [Busy("full", 2)]
        answer = await ask(door, "POST", f"{AT}?tag=a", EVENTS, Authorization="Splunk k")
        assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "2", b'{"text":"Server is busy","code":9}')
        answer = await ask(door, "POST", AT, EVENTS, Authorization="Splunk k")
        assert (answer.status, answer.body, host.chunks) == (403, b'{"text":"Incorrect index","code":7}', [])

    with_door(test, keys=(Key(name="one", token=Secret("k"), tags=("a",)),))
