"""The outputs into search clusters against a scripted server: the answers that a real one does not give on demand."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
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

    def __init__(self, httpserver: HTTPServer, kind, *, product="", version="8.19.21", what="alerts", hosts=(), **more):
        self.kind = kind
        self.held, self.bulk, self.search, self.product, self.version = set(), [], 200, product or kind.__name__, version
        self.seen, self.sent, self.asked, self.given_up = [], [], [], threading.Event()
        httpserver.expect_request(re.compile(".*")).respond_with_handler(self.answer)
        self.url, self.lines = httpserver.url_for("").rstrip("/"), []
        options = kind.Options(hosts=(*hosts, self.url), **more)
        self.output = kind(options, Context(name="es", metrics=Registry(), clock=time.time_ns, what=what))

    def answer(self, request: Request) -> Response:
        self.seen.append(f"{request.method} {request.full_path.rstrip('?')}")
        path = request.path
        if path == "/":
            return self.json({"version": {"number": self.version, "distribution": self.product.lower()}})
        if path.endswith("_bulk"):
            return self.bulked(request)
        if path.startswith("/_nodes/"):
            return self.json({"nodes": {"n": {"http": {"publish_address": self.url.removeprefix("http://")}}}})
        if path.endswith("_search"):
            self.asked.append(request.json["query"]["ids"]["values"])
            hits = [{"_id": one} for one in self.asked[-1] if one in self.held]
            return self.json({"hits": {"hits": hits}}, self.search)
        return self.json({})

    def bulked(self, request: Request) -> Response:
        self.lines += [json.loads(line) for line in request.get_data().splitlines()]
        ids = [next(iter(json.loads(line).values()))["_id"] for line in request.get_data().splitlines()[::2]]
        self.sent.append(ids)
        what = self.bulk.pop(0) if self.bulk else 201
        if what is None:
            self.given_up.wait(30)
        if isinstance(what, tuple):
            status, error = what
            return self.json({"error": {"type": error, "reason": "why"}}, status)
        return self.json({"errors": False, "items": [{next(iter(self.lines[0])): {"status": what}} for _ in ids]})

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


def test_the_state_of_an_alert_is_written_whole_and_a_late_one_is_done_with(httpserver, kind):
    script = Script(httpserver, kind, what="states")
    script.bulk = [409, (503, "x")]
    given = ({"revision": 5, "status": "open"}, {"status": "open"}, {"revision": -1}, {"revision": "5"})
    states = [Outgoing(n, f"f{n}", 10**18, "low", "a", json.dumps({"pluginhost": {"state": state}}).encode())
              for n, state in enumerate(given)]  # fmt: skip
    empty = Outgoing(9, "f9", 10**18, "low", "a", b"")

    async def go():
        done = await script.output.deliver([*states, empty])
        with pytest.raises(Unavailable):
            await script.output.deliver(states[:1])
        await script.output.deliver(states[:1])
        await script.output.close()
        return done

    first, *dead = asyncio.run(go())
    assert first == DONE
    assert [type(one) for one in dead] == [Dead] * 4
    assert script.sent == [["f0"]] * 3
    assert script.lines[0] == {"index": {"_id": "f0", "version": 5, "version_type": "external"}}
    assert script.lines[1]["pluginhost"] == {"state": {"revision": 5, "status": "open"}}
    assert script.asked == []  # the revision decides, and nothing has to be looked up
    assert not any("require_data_stream" in line for line in script.seen)
    assert "GET /pluginhost-alert-state-default/_mapping" in script.seen


def test_a_node_that_is_away_is_a_try_lost_and_the_next_goes_to_another(httpserver, kind):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        nobody = tuple(f"http://127.0.0.1:{held.getsockname()[1]}" for held in (one, other))
    script = Script(httpserver, kind, hosts=nobody)
    tries = script.run(*["a"] * 4)
    away = [one for one in tries if one != [DONE]]
    assert [DONE] in tries
    assert all((type(one), one.slow) == (Unavailable, False) for one in away)


@pytest.mark.parametrize("sniff", [False, True])
def test_other_nodes_are_asked_for_only_if_it_is_wanted(httpserver, kind, sniff):
    script = Script(httpserver, kind, sniff=sniff)
    assert script.run("a") == [[DONE]]
    assert any(line.startswith("GET /_nodes/") for line in script.seen) is sniff


def test_a_cloud_id_says_where_and_who_is_asked():
    where = base64.b64encode(b"eu.example.invalid:443$abc$def").decode()

    def made(**options):
        return Elasticsearch(Elasticsearch.Options(**options), Context(name="es", metrics=Registry(), clock=time.time_ns))

    output = made(cloud_id=f"prod:{where}", api_key=Secret("k"))
    assert output.address == "Elastic Cloud prod"
    assert [node.base_url for node in output.cluster._client.transport.node_pool.all()] == ["https://abc.eu.example.invalid:443"]
    asyncio.run(output.close())
    refused = (({"hosts": ("https://h:1",)}, "both say"), ({"sniff": True}, "finds nothing"), ({"cloud_id": "rubbish"}, "no way to reach"))
    for more, why in refused:
        with pytest.raises(Problem, match=why) as told:
            made(**{"cloud_id": f"prod:{where}", **more})
        assert told.value.code == "output.elasticsearch.options"


def test_what_cannot_be_done_at_first_contact_is_told_once_and_alerts_go_out(httpserver, kind, caplog):
    script = Script(httpserver, kind)
    inner = script.answer

    def answer(request: Request) -> Response:
        if request.method == "PUT" and "_mapping" in request.path:
            return script.json({"error": {"type": "illegal_argument_exception", "reason": "mapper [a] cannot be changed"}}, 400)
        return inner(request)

    httpserver.clear()
    httpserver.expect_request(re.compile(".*")).respond_with_handler(answer)
    script.bulk = [201, 404, 201]  # after the second it is met anew
    with caplog.at_level("WARNING", "pluginhost"):
        script.run("a", "b", "b")
    (told,) = [one.getMessage() for one in caplog.records if one.name == "pluginhost.outputs.search"]
    assert told == (f"data stream {STREAM}: cannot update it (400 illegal_argument_exception: mapper [a] cannot be changed); "
                    f"roll it over, and the next index has them: POST /{STREAM}/_rollover")  # fmt: skip


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
