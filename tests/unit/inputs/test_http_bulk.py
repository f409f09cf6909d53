"""The paths of Elasticsearch, over real sockets."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json

import pytest
from http_families import ask, with_door

from pluginhost.inputs.access import Key
from pluginhost.inputs.http.paths import bulk as paths
from pluginhost.options import Secret, Size
from pluginhost.problem import Busy

TWO = b'{"create":{"_index":"a"}}\n{"n":1}\n{"create":{"_index":"b"}}\n{"n":2}\n'
AGENT = {"User_Agent": "client/1"}


def product(answer):
    return answer.headers.get("x-elastic-product")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(("path", "headers", "tags"), [
    ("/_bulk", {}, ["a", "b", "http"]), ("/p/_bulk", {}, ["a", "b", "p"]), ("/p/_bulk?tag=q", {}, ["q"]),
    ("/_bulk", {"X_Pluginhost_Tag": "t"}, ["t"]),
])  # fmt: skip
def test_documents_are_kept_and_each_action_is_answered(method, path, headers, tags):
    async def test(door, host):
        answer = await ask(door, method, path, TWO + b'{"index":{}}\n{"n":3}', **headers, **AGENT)
        assert (answer.status, product(answer), answer.headers["content-type"]) == (200, "Elasticsearch", "application/json")
        said = [(kind, one[kind]["status"]) for one in answer.json["items"] for kind in one]
        assert said == [("create", 201), ("create", 201), ("index", 201)]
        assert list(host.records) == tags
        assert [record["n"] for listed in host.records.values() for record in listed] == [1, 2, 3]
        assert len({(chunk.tag, chunk.chunk_id) for chunk in host.chunks}) == len(tags)
        assert all(way.written for way in host.ways)

    counts = with_door(test)
    assert (counts["requests"], counts["records"], counts["rejected"]) == (1, 3, 0)


def test_what_logstash_does():
    """HEAD, GET, the licence, then batches in gzip with a filter on the answer."""

    async def test(door, host):
        for method, path in [("HEAD", "/"), ("GET", "/"), ("GET", "/_license"), ("GET", "/")]:
            answer = await ask(door, method, path, Authorization="Basic " + base64.b64encode(b"u:s3cret").decode(), **AGENT)
            assert (answer.status, product(answer)) == (200, "Elasticsearch")
        assert (answer.json["version"]["number"], answer.json["version"]["build_flavor"]) == ("9.1.0", "default")
        assert answer.json["tagline"] == "You Know, for Search"
        answer = await ask(
            door, "POST", "/_bulk?filter_path=errors,items.*.error,items.*.status", gzip.compress(TWO), Content_Encoding="gzip",
            Content_Type="application/json", Authorization="ApiKey " + base64.b64encode(b"id:s3cret").decode(), **AGENT,
        )  # fmt: skip
        assert answer.body == b'{"took":1,"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]}'
        assert host.records == {"a": [{"n": 1}], "b": [{"n": 2}]}

    with_door(test, token=Secret("s3cret"), elasticsearch_version="9.1.0")


ASKED = {
    ("GET", "/_license"): {"type": "basic", "status": "active"}, ("GET", "/_xpack"): {"type": "basic", "status": "active"},
    ("GET", "/_cluster/health"): None, ("GET", "/_nodes/http"): None, ("GET", "/_ilm/policy/p"): {}, ("HEAD", "/_index_template/t"): None,
    ("PUT", "/_index_template/t"): {"acknowledged": True}, ("GET", "/_component_template/t"): {},
    ("PUT", "/_template/t"): {"acknowledged": True}, ("GET", "/_ingest/pipeline/p"): {}, ("PUT", "/_data_stream/d"): {"acknowledged": True},
    ("GET", "/_logstash/pipeline"): {},
    ("HEAD", "/logs-x"): None, ("GET", "/logs-x"): {}, ("PUT", "/logs-x"): {"acknowledged": True}, ("GET", "/_cat/health"): None,
}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_what_clients_ask_first(asked):
    async def test(door, host):
        answer = await ask(door, *asked, b"{}" if asked[0] == "PUT" else b"", **AGENT)
        assert (answer.status, product(answer)) == (200, "Elasticsearch")
        wanted = ASKED[asked]
        if wanted is not None:
            said = answer.json.get("license", answer.json)
            assert {name: said[name] for name in wanted} == wanted
            assert wanted or not said
        assert not host.chunks

    with_door(test)


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/"), ("GET", "/_license"), ("GET", "/_cat/health"), ("PUT", "/logs-x"), ("POST", "/_bulk"), ("POST", "/a/_bulk"),
    ("POST", "/_search"), ("DELETE", "/_all"),
])  # fmt: skip
def test_nobody_is_told_anything_without_the_token(method, path):
    async def test(door, host):
        answer = await ask(door, method, path, TWO, Authorization="Bearer wrong", **AGENT)
        assert (answer.status, product(answer), answer.json["error"]["type"]) == (401, "Elasticsearch", "security_exception")
        assert not host.chunks

    assert with_door(test, token=Secret("s3cret"))["unauthorized"] == 1


@pytest.mark.parametrize(("method", "path"), [("POST", "/_search"), ("DELETE", "/_all"), ("GET", "/_bulk"), ("GET", "/_security/user"),
                                              ("GET", "/a/_bulk"), ("POST", "/a/_search"), ("POST", "/a/_doc")])  # fmt: skip
def test_what_is_not_known_is_told_so_with_the_name_of_the_product(method, path):
    async def test(door, _):
        answer = await ask(door, method, path, **AGENT)
        assert (answer.status, product(answer), answer.json["status"]) == (404, "Elasticsearch", 404)

    with_door(test)


@pytest.mark.parametrize(("accept", "kind"), [
    ("application/vnd.elasticsearch+json; compatible-with=8", "application/vnd.elasticsearch+json;compatible-with=8"),
    ("application/vnd.elasticsearch+json;compatible-with=9,text/plain", "application/vnd.elasticsearch+json;compatible-with=9"),
    ("application/vnd.elasticsearch+json; compatible-with=8\\r\\nX-Evil: 1", "application/vnd.elasticsearch+json;compatible-with=8"),
    ("*/*", "application/json"),
])  # fmt: skip
def test_the_answer_is_of_the_media_type_that_was_asked_for(accept, kind):
    async def test(door, _):
        for method, path, body in (("GET", "/", b""), ("POST", "/_bulk", TWO), ("GET", "/_search", b""), ("POST", "/_bulk", b"nonsense")):
            answer = await ask(door, method, path, body, Accept=accept, **AGENT)
            assert answer.headers["content-type"] == kind

    with_door(test)


def test_a_whole_request_waits_or_none_of_it():
    async def test(door, host):
        host.busy = [Busy("full", 1), None]
        answer = await ask(door, "POST", "/_bulk", TWO, **AGENT)
        assert (answer.status, answer.headers["retry-after"], product(answer)) == (503, "1", "Elasticsearch")
        assert b"items" not in answer.body
        (way,) = host.ways  # the second tag's was durable, but its answer is lost: it is known when it comes again
        assert (way.written, way.line.ended) == (False, True)
        (first,) = host.chunks
        assert (await ask(door, "POST", "/_bulk", TWO, **AGENT)).status == 200
        assert [(chunk.tag, chunk.chunk_id) for chunk in host.chunks[1:]] == [("a", first.chunk_id), ("b", first.chunk_id)]

    assert with_door(test)["busy"] == 1


def test_a_peer_that_drops_what_waits_is_cut_off_instead(monkeypatch):
    monkeypatch.setattr(paths, "_WAIT", 0.01)

    async def test(door, host):
        host.busy = [Busy("full", 1)] * 2
        answer = await ask(door, "POST", "/_bulk", TWO)
        assert (answer.status, host.chunks) == (0, [])
        assert (await ask(door, "POST", "/_bulk", TWO)).status == 200

    with_door(test)


def test_a_key_is_bound_to_its_tags_before_anything_is_kept():
    async def test(door, host):
        answer = await ask(door, "POST", "/_bulk", TWO, Authorization="Bearer k", **AGENT)
        assert (answer.status, product(answer), host.chunks) == (403, "Elasticsearch", [])
        assert (await ask(door, "POST", "/a/_bulk", b'{"index":{}}\n{}', Authorization="Bearer k", **AGENT)).status == 200

    assert with_door(test, keys=(Key(name="one", token=Secret("k"), tags=("a",)),))["forbidden"] == 1


def test_bad_documents_are_dead_letters_and_taken():
    async def test(door, host):
        answer = await ask(door, "POST", "/_bulk", b'{"index":{}}\n{"n":1}\n{"index":{}}\noops\n', **AGENT)
        assert (answer.json["errors"], len(answer.json["items"])) == (False, 2)
        assert [one.reason for chunk in host.chunks for one in chunk.rejected] == ["malformed"]

    assert with_door(test)["rejected"] == 1


def test_a_body_without_an_action_is_refused_until_it_is_taken():
    async def test(door, host):
        answers = [await ask(door, "POST", "/_bulk", b"nonsense", **AGENT) for _ in range(5)]
        assert [(answer.status, product(answer)) for answer in answers] == [(422, "Elasticsearch")] * 4 + [(200, "Elasticsearch")]
        assert answers[-1].json == {"took": 0, "errors": False, "items": []}
        assert len(host.chunks) == 1

    with_door(test)


def test_an_answer_that_does_not_fit_is_not_begun():
    """The body would fit beside the other one, its answer would not: nothing is kept then."""
    body = b'{"index":{}}\n{}\n' * 2000

    async def test(door, host):
        _, writer = await asyncio.open_connection(*door.address.rsplit(":", 1))
        writer.write(b"POST /_bulk HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n" + b" " * 9998)
        async with asyncio.timeout(20):
            while door._held < 9998:  # noqa: ASYNC110 - what is waited for is not ours to signal
                await asyncio.sleep(0.005)
        assert (await ask(door, "POST", "/_bulk", body, **AGENT)).status == 503
        assert not host.chunks
        writer.close()

    with_door(test, memory=Size(100_000))


def test_the_root_for_records_is_not_taken_from_the_other_family():
    async def test(door, host):
        assert (await ask(door, "POST", "/", json.dumps([{"a": 1}]).encode())).json == {"accepted": 1}
        assert (await ask(door, "PUT", "/events", json.dumps({"a": 2}).encode())).json == {"accepted": 1}
        assert (await ask(door, "GET", "/status")).body == b""
        assert host.records == {"http": [{"a": 1}, {"a": 2}]}

    with_door(test, serve=("bulk", "ingest", "mozdef"))
