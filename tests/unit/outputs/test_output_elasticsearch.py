"""The Elasticsearch output against a scripted server: the answers that a real one does not give on demand."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pluginhost.metrics import Registry
from pluginhost.outputs.elasticsearch import Elasticsearch
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Unavailable
from pluginhost.problem import Problem

STREAM = "logs-pluginhost.alerts-default"


def outgoing(name):
    return Outgoing(sequence=1, id=name, time=10**18, severity="low", analyzer="a", document=b'{"event":{"id":"%s"}}' % name.encode())


class Script:
    """A cluster that holds `held` ids and answers bulk requests as `bulk` says: statuses of items, or a whole response."""

    def __init__(self, httpserver: HTTPServer, *, product: str = "Elasticsearch", version: str = "8.19.21"):
        self.held, self.bulk, self.search, self.product, self.version = set(), [], 200, product, version
        self.seen, self.sent, self.asked = [], [], []
        httpserver.expect_request(re.compile(".*")).respond_with_handler(self.answer)
        options = Elasticsearch.Options(hosts=(httpserver.url_for("").rstrip("/"),))
        self.output = Elasticsearch(options, Context(name="es", metrics=Registry(), clock=time.time_ns))

    def answer(self, request: Request) -> Response:
        self.seen.append(f"{request.method} {request.full_path.rstrip('?')}")
        path = request.path
        if path == "/":
            return self.json({"version": {"number": self.version}})
        if path.endswith("_bulk"):
            return self.bulked(request)
        if path.endswith("_search"):
            self.asked.append(request.json["query"]["ids"]["values"])
            hits = [{"_id": one} for one in self.asked[-1] if one in self.held]
            return self.json({"hits": {"hits": hits}}, self.search)
        return self.json({})

    def bulked(self, request: Request) -> Response:
        ids = [json.loads(line)["create"]["_id"] for line in request.get_data().splitlines()[::2]]
        self.sent.append(ids)
        what = self.bulk.pop(0) if self.bulk else 201
        if isinstance(what, tuple):
            status, error = what
            return self.json({"error": {"type": error, "reason": "why"}}, status)
        return self.json({"errors": False, "items": [{"create": {"status": what}} for _ in ids]})

    def json(self, value, status=200):
        return Response(json.dumps(value), status, {"X-elastic-product": self.product, "Content-Type": "application/json"})

    def run(self, *steps):
        """What each delivery (of names) came to: outcomes or the `Unavailable`."""
        async def go():
            try:
                return [await self.step(names) for names in steps]
            finally:
                await self.output.close()

        return asyncio.run(go())

    async def step(self, names):
        try:
            return await self.output.deliver([outgoing(name) for name in names])
        except Unavailable as unavailable:
            return unavailable


def test_the_first_delivery_asks_for_all_and_the_next_for_none(httpserver):
    script = Script(httpserver)
    script.held = {"b"}
    assert script.run("abc", "de") == [[DONE] * 3, [DONE] * 2]
    assert (script.asked, script.sent) == ([["a", "b", "c"]], [["a", "c"], ["d", "e"]])


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_that_settles_nothing_leaves_the_ids_in_doubt(httpserver, status):
    script = Script(httpserver)
    script.bulk = [201, (status, "x")]
    first, lost, again = script.run("a", "bc", "bcd")
    assert (first, again) == ([DONE], [DONE] * 3)
    assert (lost.reason, lost.slow) == (f"{status} x: why", False)
    assert script.asked == [["a"], ["b", "c"]]


def test_what_was_found_is_asked_for_again_when_the_rest_failed(httpserver):
    script = Script(httpserver)
    script.held, script.bulk = {"a"}, [(503, "x")]
    lost, again = script.run("ab", "ab")
    assert isinstance(lost, Unavailable)
    assert again == [DONE, DONE]
    assert (script.asked, script.sent) == ([["a", "b"], ["a", "b"]], [["b"], ["b"]])


def test_a_key_that_may_not_read_writes_nevertheless(httpserver):
    script = Script(httpserver)
    script.search = 403
    assert script.run("ab") == [[DONE, DONE]]


@pytest.mark.parametrize(("status", "slow"), [(401, True), (403, True), (406, True), (429, False), (500, False)])
def test_a_whole_no_keeps_everything(httpserver, status, slow):
    script = Script(httpserver)
    script.bulk = [(status, "kind")]
    (lost,) = script.run("ab")
    assert (lost.reason, lost.slow) == (f"{status} kind: why", slow)
    assert script.sent == [["a", "b"]]


def test_a_request_that_is_refused_whole_is_halved(httpserver):
    script = Script(httpserver)
    script.bulk = [(413, "x"), 201, (400, "parse_exception"), (400, "parse_exception"), 201]
    assert script.run("abcd") == [[DONE, DONE, Dead("400 parse_exception: why"), DONE]]
    assert script.sent == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]


def test_a_server_of_another_tongue_kills_nothing(httpserver):
    script = Script(httpserver)
    script.bulk = [(400, "media_type_header_exception")]
    (lost,) = script.run("ab")
    assert lost.slow
    assert script.sent == [["a", "b"]]


def test_a_server_that_changed_is_met_anew(httpserver):
    script = Script(httpserver, version="8.10.0")
    script.bulk = [201, 404, 201]
    script.run("a", "b", "b")
    met = [line for line in script.seen if line in ("GET /", "PUT /_index_template/logs-pluginhost.alerts")]
    assert met == ["GET /", "PUT /_index_template/logs-pluginhost.alerts"] * 2
    assert not any("require_data_stream" in line for line in script.seen)  # not known before 8.13


def test_what_is_not_elasticsearch_is_told(httpserver):
    script = Script(httpserver, product="else")
    (lost,) = script.run("a")
    assert (lost.slow, "not Elasticsearch" in lost.reason) == (True, True)
    with pytest.raises(Problem, match="is not Elasticsearch"):
        asyncio.run(Script(httpserver, product="else").output.check())


def test_a_host_without_a_port_is_told():
    with pytest.raises(Problem, match="no way to reach") as told:
        Elasticsearch(Elasticsearch.Options(hosts=("http://name",)), Context(name="es", metrics=Registry(), clock=time.time_ns))
    assert told.value.code == "output.elasticsearch.options"
