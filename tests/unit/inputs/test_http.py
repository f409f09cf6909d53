"""The HTTP door over real sockets, with an `accept` that the test controls."""

import asyncio
import base64
import contextlib
import gzip
import json
import logging
import socket

import pytest
from http_doors import GOOD, Answer, Client, ask, request, with_door

from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, Size
from pluginhost.problem import Busy, Problem


def test_records_are_answered_with_their_counts_once_durable():
    async def test(door, host):
        answer = await ask(door)
        assert (answer.status, answer.headers["content-type"].split(";")[0], answer.body) == (200, "application/json", b'{"accepted":2}')
        assert host.records == [{"a": 1}, {"a": 2}]
        assert [(chunk.tag, chunk.body, source) for chunk, source in host.chunks] == [("http", GOOD, "127.0.0.1")]

        host.gate.clear()
        async with Client(door) as client:
            await client.send(request())
            await host.entered.wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(1), 0.1)  # nothing is said before it is durable
            host.gate.set()
            assert (await client.answer()).status == 200

    counts = with_door(test)
    assert (counts["requests"], counts["records"], counts["rejected"]) == (2, 4, 0)


@pytest.mark.parametrize(("path", "headers", "tag"), [
    ("/v1/ingest", {}, "standard"), ("/v1/ingest/web.access", {}, "web.access"), ("/v1/ingest", {"X_Pluginhost_Tag": "main"}, "main"),
    ("/v1/ingest?tag=q", {}, "q"), ("/v1/ingest?tag=q", {"X_Pluginhost_Tag": "h"}, "h"),
    ("/v1/ingest/p?tag=q", {"X_Pluginhost_Tag": "h"}, "p"),
    ("/v1/ingest?tag=", {"X_Pluginhost_Tag": ""}, "standard"), ("/v1/ingest/a%1b%5B31m", {}, "a\\x1b[31m"),
])  # fmt: skip
def test_the_tag(path, headers, tag):
    async def test(door, host):
        assert (await ask(door, GOOD, path, **headers)).status == 200
        assert host.chunks[0][0].tag == tag

    with_door(test, tag="standard")


def test_a_mixed_body_is_taken_and_counted():
    async def test(door, host):
        answer = await ask(door, b'[{"a":1},7,{"b":tru}]')
        assert (answer.status, answer.json) == (200, {"accepted": 1, "rejected": 2})
        assert [one.reason for one in host.chunks[0][0].rejected] == ["not_a_record", "malformed"]

    counts = with_door(test)
    assert (counts["records"], counts["rejected"]) == (1, 2)


@pytest.mark.parametrize("body", [b"", b"[]"])
def test_an_empty_body_is_answered_and_not_kept(body):
    async def test(door, host):
        answer = await ask(door, body)
        assert (answer.status, answer.json, host.chunks) == (200, {"accepted": 0}, [])

    with_door(test)


def test_packed_and_chunked_bodies():
    async def test(door, host):
        assert (await ask(door, gzip.compress(GOOD), Content_Encoding="gzip")).json == {"accepted": 2}
        assert (host.chunks[0][0].packing, host.chunks[0][0].body) == ("gzip", gzip.compress(GOOD))
        async with Client(door) as client:
            await client.send(b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
            assert (await client.answer()).status == 100
            await client.send(b'4\r\n[{"a\r\n4\r\n":1}\r\n1\r\n]\r\n0\r\n\r\n')
            assert (await client.answer()).json == {"accepted": 1}

    with_door(test)


def test_a_large_body_is_read_beside_the_loop():
    async def test(door, host):
        answer = await ask(door, b"[" + b",".join([b'{"message":"' + b"x" * 1000 + b'"}'] * 1000) + b"]")
        assert answer.json == {"accepted": 1000}

    with_door(test)


STATUSES = [
    # what, method, path, body, headers, status
    ("never acceptable", "POST", "/v1/ingest", b"hello", {}, 422),
    ("unknown packing", "POST", "/v1/ingest", GOOD, {"Content_Encoding": "snappy"}, 422),
    ("damaged packing", "POST", "/v1/ingest", GOOD, {"Content_Encoding": "gzip"}, 422),
    ("unknown type", "POST", "/v1/ingest", b"a=b", {"Content_Type": "application/pdf"}, 422),
    ("too large", "POST", "/v1/ingest", b"[" + b" " * 2000 + b"]", {}, 413),
    ("too large unpacked", "POST", "/v1/ingest", gzip.compress(b"[" + b" " * 5000 + b"]"), {"Content_Encoding": "gzip"}, 413),
    ("health", "HEAD", "/v1/ingest", b"", {}, 200),
    ("health", "GET", "/v1/ingest/tag", b"", {}, 200),
    ("wrong method", "PUT", "/v1/ingest", GOOD, {}, 405),
    ("wrong path", "POST", "/v2/ingest", GOOD, {}, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES])
def test_statuses(method, path, body, headers, status):
    async def test(door, host):
        async with Client(door) as client:
            await client.send(request(body, path, method, **headers))
            answer = Answer(await client.reader.readuntil(b"\r\n\r\n"))
        assert answer.status == status
        assert (await ask(door)).status == 200  # the door is none the worse

    with_door(test, max_body=Size(1000), max_data=Size(4000))


def test_a_length_that_is_too_large_is_refused_before_the_body_comes():
    async def test(door, host):
        async with Client(door) as client:
            await client.send(b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
            assert (await client.answer()).status == 413

    assert with_door(test)["too_large"] == 1


def test_an_unreadable_body_is_journalled_before_it_is_refused():
    async def test(door, host):
        answer = await ask(door, b"hello")
        assert (answer.status, answer.json["error"].partition(":")[0]) == (422, "malformed")
        (chunk, source), = host.chunks
        assert (chunk.count, chunk.body, chunk.rejected[0].reason, source) == (0, b"hello", "malformed", "127.0.0.1")
        host.busy = [Busy("journal")]
        assert (await ask(door, b"another")).status == 503  # not kept, so not refused either

    with_door(test)


def test_a_poison_loop_ends():
    async def test(door, host):
        assert [(await ask(door, b"hello")).status for _ in range(6)] == [422, 422, 422, 422, 200, 422]
        assert [chunk.body for chunk, _ in host.chunks] == [b"hello"] * 2  # once a loop

    counts = with_door(test)
    assert (counts["poison"], counts["unreadable"]) == (1, 2)


def test_the_memory_for_poison_is_bounded(monkeypatch):
    monkeypatch.setattr("pluginhost.inputs.http.input._REMEMBERED", 2)

    async def test(door, host):
        for body in (b"one", b"two", b"three", b"one"):
            assert (await ask(door, body)).status == 422
        assert [chunk.body for chunk, _ in host.chunks] == [b"one", b"two", b"three", b"one"]

    with_door(test)


BASIC = "Basic " + base64.b64encode(b"logstash:s3cret").decode()


@pytest.mark.parametrize(("headers", "status"), [
    ({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "s3cret"}, 401), ({"X_Api_Key": ""}, 401),
    ({"X_Api_Key": "s3cre\xff"}, 401), ({"Authorization": "Basic s3cret"}, 401), ({"Authorization": "Bearer s3cret"}, 200),
    ({"Authorization": "bearer  s3cret"}, 200),
    ({"X_Api_Key": "s3cret"}, 200), ({"Authorization": BASIC}, 200),
])  # fmt: skip
def test_the_token(headers, status, caplog):
    async def test(door, host):
        assert (await ask(door, **headers)).status == status
        assert (await ask(door, b"", "/v1/ingest", "GET")).status == 200  # says nothing, so asks for nothing
        assert len(host.chunks) == (status == 200)

    with caplog.at_level(logging.DEBUG):
        counts = with_door(test, token=Secret("s3cret"))
    assert counts["unauthorized"] == (status == 401)
    assert "s3cret" not in caplog.text


def test_a_wrong_token_is_told_once(caplog):
    async def test(door, host):
        for _ in range(3):
            assert (await ask(door)).headers["www-authenticate"] == "Bearer"

    with_door(test, token=Secret("s3cret"))
    assert [record.levelname for record in caplog.records if "turned away" in record.getMessage()] == ["WARNING"]


@pytest.mark.parametrize(("bind", "options", "refused"), [
    ("0.0.0.0", {}, True), ("::", {}, True), ("192.0.2.1", {}, True), ("myhost", {}, True), ("0.0.0.0", {"token": Secret("t")}, False),
    ("0.0.0.0", {"allow_unauthenticated": True}, False), ("127.0.0.2", {}, False), ("::1", {}, False), ("localhost", {}, False),
])  # fmt: skip
def test_an_open_door_to_the_network_is_refused(bind, options, refused):
    context = Context("http", None, Registry())
    with pytest.raises(Problem) if refused else contextlib.nullcontext() as caught:
        Http(HttpOptions(bind=bind, port=0, **options), context)
    assert not refused or caught.value.code == "input.unauthenticated"


def test_busy_is_503_with_retry_after():
    async def test(door, host):
        host.busy = [Busy("journal is full", 1.2), Busy("journal is full", 0.01)]
        quick, slow = await ask(door), await ask(door)
        assert [(one.status, one.headers["retry-after"]) for one in (quick, slow)] == [(503, "1"), (503, "2")]
        assert slow.json == {"error": "journal is full"}
        assert (await ask(door)).status == 200

    assert with_door(test)["busy"] == 2


def test_our_own_bug_is_503_too():
    async def test(door, host):
        host.broken = True
        assert (await ask(door)).status == 503

    with_door(test)


def test_too_much_at_work_is_pushed_back():
    async def test(door, host):
        host.gate.clear()
        async with Client(door) as first:
            await first.send(request(b'[{"a":"' + b"x" * 600 + b'"}]'))
            await host.entered.wait()
            assert (await ask(door, b'[{"a":"' + b"x" * 600 + b'"}]')).status == 503
            host.gate.set()
            assert (await first.answer()).status == 200
        for size in (600, 900, 2000):  # all was given back; and alone, a body of any size goes through
            assert (await ask(door, b'[{"a":"' + b"x" * size + b'"}]')).status == 200

    with_door(test, memory=Size(1000))


def test_a_draining_door_answers_what_it_read_and_takes_no_more():
    async def test(door, host):
        host.gate.clear()
        async with Client(door) as at_work, Client(door) as idle, Client(door) as late:
            await idle.send(request(b"", method="GET"))
            assert (await idle.answer()).status == 200
            await late.send(b"POST /v1/ingest HTTP/1.1\r\n")
            await at_work.send(request())
            await host.entered.wait()
            draining = asyncio.ensure_future(door.drain(60))
            await asyncio.sleep(0)
            await late.send(b"Host: x\r\nContent-Length: 2\r\n\r\n{}")
            answer = await late.answer()
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            with pytest.raises(OSError, match=r"."):
                await ask(door)
            host.gate.set()
            assert (await at_work.answer()).json == {"accepted": 2}
            await asyncio.wait_for(draining, 20)
            assert await idle.closed()
        assert len(host.chunks) == 1

    with_door(test)


def test_draining_keeps_its_grace():
    async def test(door, host):
        host.gate.clear()
        async with Client(door) as stuck:
            await stuck.send(request())
            await host.entered.wait()
            before = asyncio.get_running_loop().time()
            await door.drain(0.4)
            assert asyncio.get_running_loop().time() - before < 10  # not for ever

    with_door(test)


@pytest.mark.parametrize("start", [b"", b"POST /v1/ingest HT", b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Le"])
def test_a_silent_connection_is_closed(start):
    async def test(door, host):
        async with Client(door) as client:
            await client.send(start)
            assert await client.closed()
        assert (await ask(door)).status == 200

    with_door(test, idle_timeout=Duration(0.2))


def test_a_slow_body_is_given_up_and_may_come_again(monkeypatch):
    monkeypatch.setattr("pluginhost.inputs.web._LINGER", 0.1)

    async def test(door, host):
        async with Client(door) as client:
            await client.send(b'POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{"a":')
            assert (await client.answer()).status == 503
            assert await client.closed()

    counts = with_door(test, request_timeout=Duration(0.2))
    assert (counts["slow"], counts["records"]) == (1, 0)


def test_work_that_takes_longer_than_the_idle_timeout_goes_on():
    async def test(door, host):
        host.gate.clear()
        async with Client(door) as client:
            await client.send(request())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.reader.read(1), 0.5)
            host.gate.set()
            assert (await client.answer()).status == 200

    with_door(test, idle_timeout=Duration(0.1))


def test_a_body_that_breaks_off_is_not_taken():
    async def test(door, host):
        async with Client(door) as client:
            await client.send(b'POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{"a":1}]')
        assert (await ask(door)).status == 200
        assert len(host.chunks) == 1

    with_door(test)


@pytest.mark.parametrize("garbage", [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n", b"GARBAGE\r\n\r\n",
    b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
    b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", b"POST /v1/ingest HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/ingest HTTP/1.1\r\n" + b"".join(b"A%d: x\r\n" % n for n in range(2000)) + b"\r\n",
])  # fmt: skip
def test_garbage_is_refused_without_a_stack_trace(garbage, caplog):
    async def test(door, host):
        for _ in range(2):
            async with Client(door) as client:
                with contextlib.suppress(ConnectionError):
                    await client.send(garbage)
                assert (await client.answer()).status == 400
                assert await client.closed()
        assert (await ask(door)).status == 200

    counts = with_door(test)
    assert counts["garbage"] == 2
    assert "Traceback" not in caplog.text
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_one_connection_too_many_is_told_to_wait():
    async def test(door, host):
        async with Client(door) as one, Client(door) as two:
            for client in (one, two):
                await client.send(request(b"", method="GET"))
                assert (await client.answer()).status == 200
            answer = await ask(door)
            assert (answer.status, answer.headers["retry-after"]) == (503, "2")
            await one.send(request())
            assert (await one.answer()).status == 200

    assert with_door(test, connections=2)["busy"] == 1


def test_many_requests_on_one_connection():
    async def test(door, host):
        async with Client(door) as client:
            await client.send(request(b'{"n":0}') + request(b"bad") + request(b'{"n":1}'))  # pipelined
            assert [(await client.answer()).status for _ in range(3)] == [200, 422, 200]
        assert host.records == [{"n": 0}, {"n": 1}]

    with_door(test)


def test_a_taken_address_is_a_problem():
    async def test(door, host):
        second = Http(HttpOptions(port=int(door.address.rpartition(":")[2])), Context("http", host.accept, Registry()))
        with pytest.raises(Problem) as caught:
            await second.start()
        assert caught.value.code == "input.address"

    with_door(test)


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6():
    async def test(door, host):
        assert door.address.startswith("[::1]:")
        assert (await ask(door)).status == 200
        assert host.chunks[0][1] == "::1"

    with_door(test, bind="::1")


LOGSTASH = b"""POST /v1/ingest HTTP/1.1\r
Connection: Keep-Alive\r
X-Pluginhost-Tag: logstash.main\r
X-Api-Key: k1\r
Content-Type: application/json\r
%sContent-Length: %d\r
Host: 127.0.0.1:8088\r
User-Agent: Manticore 0.9.2\r
Accept-Encoding: gzip,deflate\r
\r
%s"""
EVENT = (
    b'{"@version":"1","event":{"original":"Failed password for root from 203.0.113.7 port 22 ssh2"},"host":"vm",'
    b'"message":"Failed password for root from 203.0.113.7 port 22 ssh2","@timestamp":"2026-11-21T20:31:37.476875019Z"}'
)


@pytest.mark.parametrize(("body", "packing", "count"), [
    (EVENT, "", 1), (b"[" + EVENT + b"]", "gzip", 1), (b"[" + b",".join([EVENT] * 125) + b"]", "gzip", 125),
])  # fmt: skip
def test_the_requests_of_logstash_byte_for_byte(body, packing, count):
    raw = gzip.compress(body) if packing else body
    head = b"Content-Encoding: gzip\r\n" if packing else b""

    async def test(door, host):
        async with Client(door) as client:
            for _ in range(2):  # its connections are kept
                await client.send(LOGSTASH % (head, len(raw), raw))
                assert (await client.answer()).json == {"accepted": count}
        assert host.records == [json.loads(EVENT)] * count * 2
        chunk, _ = host.chunks[0]
        assert (chunk.tag, chunk.body, chunk.packing, set(chunk.columns.times)) == ("logstash.main", raw, packing, {1795293097476875019})

    with_door(test, token=Secret("k1"))
