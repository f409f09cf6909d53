"""The outputs into search clusters against a scripted server: the answers that a real one does not give on demand."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from pathlib import Path

import pytest
from certificates import Authority
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret
from pluginhost.outputs.elasticsearch import Elasticsearch
from pluginhost.outputs.opensearch import OpenSearch
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Unavailable
from pluginhost.problem import Problem
from pluginhost.tls import Calling, Serving, serving_context

STREAM = "logs-pluginhost.alerts-default"


def outgoing(name):
    return Outgoing(sequence=1, id=name, time=10**18, severity="low", analyzer="a", document=b'{"event":{"id":"%s"}}' % name.encode())


@pytest.fixture(params=[Elasticsearch, OpenSearch])
def kind(request):
    """Each test holds for both products."""
    return request.param


class Script:
    """A cluster that holds `held` ids and answers bulk requests as `bulk` says: statuses of items, or a whole response."""

    def __init__(self, httpserver: HTTPServer, kind, *, product: str = "", version: str = "8.19.21", **more):
        self.kind = kind
        self.held, self.bulk, self.search, self.product, self.version = set(), [], 200, product or kind.__name__, version
        self.seen, self.sent, self.asked, self.given_up = [], [], [], threading.Event()
        httpserver.expect_request(re.compile(".*")).respond_with_handler(self.answer)
        options = kind.Options(hosts=(httpserver.url_for("").rstrip("/"),), **more)
        self.output = kind(options, Context(name="es", metrics=Registry(), clock=time.time_ns))

    def answer(self, request: Request) -> Response:
        self.seen.append(f"{request.method} {request.full_path.rstrip('?')}")
        path = request.path
        if path == "/":
            return self.json({"version": {"number": self.version, "distribution": self.product.lower()}})
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
        if what is None:
            self.given_up.wait(30)
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
            self.given_up.set()
            return unavailable


def test_the_first_delivery_asks_for_all_and_the_next_for_none(httpserver, kind):
    script = Script(httpserver, kind)
    script.held = {"b"}
    assert script.run("abc", "de") == [[DONE] * 3, [DONE] * 2]
    assert (script.asked, script.sent) == ([["a", "b", "c"]], [["a", "c"], ["d", "e"]])


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_answer_that_settles_nothing_leaves_the_ids_in_doubt(httpserver, kind, status):
    script = Script(httpserver, kind)
    script.bulk = [201, (status, "x")]
    first, lost, again = script.run("a", "bc", "bcd")
    assert (first, again) == ([DONE], [DONE] * 3)
    assert (lost.reason, lost.slow) == (f"{status} x: why", False)
    assert script.asked == [["a"], ["b", "c"]]


def test_what_was_found_is_asked_for_again_when_the_rest_failed(httpserver, kind):
    script = Script(httpserver, kind)
    script.held, script.bulk = {"a"}, [(503, "x")]
    lost, again = script.run("ab", "ab")
    assert isinstance(lost, Unavailable)
    assert again == [DONE, DONE]
    assert (script.asked, script.sent) == ([["a", "b"], ["a", "b"]], [["b"], ["b"]])


def test_a_key_that_may_not_read_writes_nevertheless(httpserver, kind):
    script = Script(httpserver, kind)
    script.search = 403
    assert script.run("ab") == [[DONE, DONE]]


@pytest.mark.parametrize(("status", "slow"), [(401, True), (403, True), (406, True), (429, False), (500, False)])
def test_a_whole_no_keeps_everything(httpserver, kind, status, slow):
    script = Script(httpserver, kind)
    script.bulk = [(status, "kind")]
    (lost,) = script.run("ab")
    assert (lost.reason, lost.slow) == (f"{status} kind: why", slow)
    assert script.sent == [["a", "b"]]


def test_a_request_that_is_refused_whole_is_halved(httpserver, kind):
    script = Script(httpserver, kind)
    script.bulk = [(413, "x"), 201, (400, "parse_exception"), (400, "parse_exception"), 201]
    assert script.run("abcd") == [[DONE, DONE, Dead("400 parse_exception: why"), DONE]]
    assert script.sent == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"], ["c"], ["d"]]


def test_a_server_of_another_tongue_kills_nothing(httpserver, kind):
    script = Script(httpserver, kind)
    script.bulk = [(400, "media_type_header_exception")]
    (lost,) = script.run("ab")
    assert lost.slow
    assert script.sent == [["a", "b"]]


@pytest.mark.parametrize(("version", "required"), [("8.10.0", False), ("8.13.0", True)])
def test_a_server_that_changed_is_met_anew(httpserver, kind, version, required):
    script = Script(httpserver, kind, version=version)
    script.bulk = [201, 404, 201]
    script.run("a", "b", "b")
    met = [line for line in script.seen if line in ("GET /", "PUT /_index_template/logs-pluginhost.alerts")]
    assert met == ["GET /", "PUT /_index_template/logs-pluginhost.alerts"] * 2
    ours = required and kind is Elasticsearch  # a parameter that is not known to others
    assert {"require_data_stream" in line for line in script.seen if "_bulk" in line} == {ours}


def test_another_product_is_told(httpserver, kind):
    (lost,) = Script(httpserver, kind, product="else").run("a")
    assert (lost.slow, f"not {kind.__name__}" in lost.reason) == (True, True)
    with pytest.raises(Problem, match=f"is not {kind.__name__}") as told:
        asyncio.run(Script(httpserver, kind, product="else").output.check())
    assert told.value.code == f"output.{kind.__name__.lower()}.product"


def test_who_is_let_in_later_gets_all(httpserver, kind):
    script = Script(httpserver, kind, username="me", password=Secret("s3cret"))
    script.bulk = [(401, "security_exception"), 201]
    refused, done = script.run("ab", "ab")
    assert (refused.slow, refused.reason, done) == (True, "401 security_exception: why", [DONE, DONE])
    assert httpserver.log[0][0].authorization.password == "s3cret"
    assert "s3cret" not in repr(script.output) + refused.reason


def test_no_answer_is_unavailable_and_who_answers_next_is_met_anew(httpserver, kind):
    script = Script(httpserver, kind, timeout=Duration(2))
    script.bulk = [201, None, 201]
    first, lost, again = script.run("a", "b", "b")
    assert (first, again) == ([DONE], [DONE])
    assert (type(lost), lost.slow, script.seen.count("GET /"), script.asked[1:]) == (Unavailable, False, 2, [["b"]])


def test_options_that_lead_nowhere_are_told(kind):
    def make(**options):
        kind(kind.Options(**options), Context(name="es", metrics=Registry(), clock=time.time_ns))

    with pytest.raises(Problem, match="no host begins with https:") as told:
        make(hosts=("http://localhost:1",), tls=Calling())
    assert told.value.code == f"output.{kind.__name__.lower()}.options"
    with pytest.raises(Problem, match="cannot be read"):
        make(hosts=("https://localhost:1",), tls=Calling(ca=Path("/nonexistent")))


def test_elasticsearch_wants_a_port_and_one_way_to_say_whom_to_trust():
    for options, what in (({"hosts": ("http://name",)}, "no way to reach"), ({"ca_certs": Path("x"), "tls": Calling()}, "say the same")):
        with pytest.raises(Problem, match=what):
            Elasticsearch(Elasticsearch.Options(**{"hosts": ("https://name:1",), **options}),
                          Context(name="es", metrics=Registry(), clock=time.time_ns))  # fmt: skip


def test_https_with_an_authority_of_our_own(tmp_path, kind):
    authority = Authority(tmp_path / "tls")
    pair = {name: Path(file) for name, file in authority.issue("server", "elsewhere.example").items()}
    with HTTPServer(ssl_context=serving_context(Serving(**pair))) as server:
        good = Script(server, kind, tls=Calling(ca=authority.ca, server_name="elsewhere.example"))
        assert good.run("a") == [[DONE]]
        for tls in (None, Calling(ca=authority.ca)):
            (lost,) = Script(server, kind, tls=tls).run("a")
            assert (type(lost), lost.slow) == (Unavailable, True)
