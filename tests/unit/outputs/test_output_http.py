from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from pathlib import Path

import pytest
from certificates import Authority
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, Size
from pluginhost.outputs.http import Http
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Unavailable
from pluginhost.problem import Problem
from pluginhost.tls import Calling, Serving, serving_context


def outgoing(name, **record):
    document = {"event": {"id": name, "original": f"raw {name}"}, "log": {"level": "high"}, "pluginhost": {"record": {"n": name, **record}}}
    return Outgoing(sequence=1, id=name, time=0, severity="high", analyzer="a", document=json.dumps(document).encode())


def send(httpserver, *batches, check=False, **options):
    """The outcomes of each batch, or the error of the last."""
    async def go():
        context = Context(name="h", metrics=Registry(), clock=lambda: 10**18, hostname="me")
        output = Http(Http.Options(url=httpserver.url_for("/in"), **options), context)
        try:
            return await output.check() if check else [await output.deliver(batch) for batch in batches]
        finally:
            await output.close()

    return asyncio.run(go())


def element(name):
    added = {"host": "me", "hop": 1, "alert": {"id": name, "severity": "high"}}
    return {"n": name, "event": {"original": f"raw {name}"}, "pluginhost": added}


def bodies(httpserver):
    return [request.get_data() for request, _ in httpserver.log]


def test_logstash_gets_an_array_in_which_every_record_has_an_original(httpserver: HTTPServer):
    httpserver.expect_request("/in", method="POST", headers={"Content-Type": "application/json"}).respond_with_data("ok")
    assert send(httpserver, [outgoing("a"), outgoing("b", event={"original": "mine"})]) == [[DONE, DONE]]
    first, second = json.loads(bodies(httpserver)[0])
    assert first == element("a")
    assert second["event"] == {"original": "mine"}


def test_lines_gzip_headers_and_alerts(httpserver: HTTPServer):
    wanted = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "X-Who": "me", "Authorization": "Bearer s3"}
    httpserver.expect_request("/in", method="PUT", headers=wanted).respond_with_data(status=202)
    options = {"method": "PUT", "format": "ndjson", "what": "alert", "gzip": True, "headers": {"X-Who": Secret("me")}}
    send(httpserver, [outgoing("a"), outgoing("b")], token=Secret("s3"), **options)
    first, second = gzip.decompress(bodies(httpserver)[0]).splitlines()
    assert json.loads(first)["event"] == {"id": "a", "original": "raw a", "ingested": "2001-09-09T01:46:40.000Z"}
    assert json.loads(second)["event"]["id"] == "b"


def test_equal_batches_carry_an_equal_key(httpserver: HTTPServer):
    httpserver.expect_request("/in").respond_with_data("ok")
    send(httpserver, [outgoing("a"), outgoing("b")], [outgoing("a"), outgoing("b")], [outgoing("a")], username="u", password=Secret("p"))
    keys = [request.headers["Idempotency-Key"] for request, _ in httpserver.log]
    assert keys[0] == keys[1] != keys[2]
    assert httpserver.log[0][0].authorization.password == "p"


@pytest.mark.parametrize(
    ("status", "headers", "slow", "after"),
    [
        (429, {"Retry-After": "7"}, False, 7.0), (503, {}, False, 0.0), (500, {}, False, 0.0),
        (429, {"Retry-After": "nonsense"}, False, 0.0),
        (503, {"Retry-After": "Sun, 09 Sep 2001 01:47:00 GMT"}, False, 20.0), (503, {"Retry-After": "999999"}, False, 3600.0),
        (401, {}, True, 0.0), (403, {}, True, 0.0), (404, {}, True, 0.0), (302, {"Location": "/other"}, True, 0.0),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_about_the_records_keeps_them_all(httpserver: HTTPServer, status, headers, slow, after):
    httpserver.expect_request("/in").respond_with_data("no", status=status, headers=headers)
    with pytest.raises(Unavailable) as kept:
        send(httpserver, [outgoing("a")])
    assert (kept.value.reason, kept.value.slow, kept.value.after) == (f"{status} no", slow, after)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_the_peer_cannot_take_is_dead_and_its_neighbours_get_through(httpserver: HTTPServer, status):
    def judge(request: Request) -> Response:
        return Response("too odd", status=status) if b'"n":"c"' in request.get_data() else Response("ok")

    httpserver.expect_request("/in").respond_with_handler(judge)
    (outcomes,) = send(httpserver, [outgoing(name) for name in "abcde"])
    assert outcomes == [DONE, DONE, Dead(f"{status} too odd"), DONE, DONE]
    assert [len(json.loads(body)) for body in bodies(httpserver)] == [5, 2, 3, 1, 2]


def test_a_batch_is_cut_by_bytes(httpserver: HTTPServer):
    httpserver.expect_request("/in").respond_with_data("ok")
    send(httpserver, [outgoing(name, pad="x" * 500) for name in "abcd"], batch_bytes=Size(1500))
    assert [len(json.loads(body)) for body in bodies(httpserver)] == [2, 2]


def test_nobody_there_and_nobody_answering_is_unavailable(httpserver: HTTPServer):
    async def go(port):
        options = Http.Options(url=f"http://127.0.0.1:{port}/", timeout=Duration(0.2))
        output = Http(options, Context(name="h", metrics=Registry(), clock=lambda: 10**18))
        try:
            with pytest.raises(Unavailable):
                await output.deliver([outgoing("a")])
            with pytest.raises(Unavailable):
                await output.check()
        finally:
            await output.close()

    async def silent():
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        await go(port)
        server.close()
        await go(port)

    asyncio.run(silent())


def test_check_takes_any_answer(httpserver: HTTPServer):
    httpserver.expect_request("/in", method="HEAD").respond_with_data(status=405)
    send(httpserver, check=True)
    assert len(httpserver.log) == 1


def test_two_ways_in_are_one_too_many(httpserver: HTTPServer):
    with pytest.raises(Problem, match="two ways in"):
        send(httpserver, token=Secret("t"), username="u")
    with pytest.raises(Problem, match="cannot be read"):
        send(httpserver, ca_certs=Path("/nonexistent"))
    with pytest.raises(Problem, match="say the same"):
        send(httpserver, ca_certs=Path("/nonexistent"), tls=Calling())
    with pytest.raises(Problem, match="begins with http:"):
        send(httpserver, tls=Calling())


class TestSealed:
    """https, with an authority and names of our own."""

    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path / "tls")

    @contextlib.contextmanager
    def serving(self, **pair):
        with HTTPServer(ssl_context=serving_context(Serving(**{name: Path(file) for name, file in pair.items()}))) as server:
            server.expect_request("/in").respond_with_data("ok")
            yield server

    def test_who_can_prove_its_name_gets_the_alerts(self, authority):
        with self.serving(**authority.issue("server")) as server:
            assert send(server, [outgoing("a")], tls=Calling(ca=authority.ca)) == [[DONE]]
            assert send(server, [outgoing("a")], ca_certs=authority.ca) == [[DONE]]
            for stranger in (Calling(), Calling(ca=authority.ca, server_name="elsewhere.example")):
                with pytest.raises(Unavailable) as untrusted:
                    send(server, [outgoing("a")], tls=stranger)
                assert untrusted.value.slow

    def test_the_name_in_the_certificate_may_be_another(self, authority):
        with self.serving(**authority.issue("server", "elsewhere.example")) as server:
            assert send(server, [outgoing("a")], tls=Calling(ca=authority.ca, server_name="elsewhere.example")) == [[DONE]]
            with pytest.raises(Unavailable):
                send(server, [outgoing("a")], tls=Calling(ca=authority.ca))

    def test_a_server_that_asks_for_a_certificate_gets_ours(self, authority):
        mine = {name: Path(file) for name, file in authority.issue("me").items()}
        with self.serving(**authority.issue("server"), client_ca=authority.ca) as server:
            assert send(server, [outgoing("a")], tls=Calling(ca=authority.ca, **mine)) == [[DONE]]
            with pytest.raises(Unavailable):
                send(server, [outgoing("a")], tls=Calling(ca=authority.ca))
