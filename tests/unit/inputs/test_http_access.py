"""Who may send what over HTTP: keys bound to tags, TLS, certificates of clients; and the paths that answer with a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from pathlib import Path

import pytest
from certificates import Authority
from http_doors import GOOD, Client, ask, request, with_door

from pluginhost.inputs.access import Key
from pluginhost.inputs.http import Http, HttpOptions
from pluginhost.inputs.port import Context
from pluginhost.metrics import Registry
from pluginhost.options import Secret
from pluginhost.tls import Calling, Serving, client_context

KEYS = (Key(name="web", token=Secret("one"), tags=("web.*",)), Key(name="all", token=Secret("two")))


class TestKeys:
    def test_a_key_is_bound_to_its_tags(self, caplog):
        async def test(door, host):
            said = [await ask(door, path=f"/v1/ingest/{tag}", X_Api_Key=token)
                    for tag, token in (("web.nginx", "one"), ("auth", "one"), ("auth", "two"), ("auth", "three"))]  # fmt: skip
            assert [answer.status for answer in said] == [200, 403, 200, 401]
            assert said[1].json == {"error": "this key may not use the tag"}
            assert said[3].headers["www-authenticate"] == "Bearer"
            assert [chunk.tag for chunk, _ in host.chunks] == ["web.nginx", "auth"]

        with caplog.at_level(logging.WARNING):
            counts = with_door(test, keys=KEYS)
        assert (counts["requests"], counts["forbidden"], counts["unauthorized"], counts["records"]) == (4, 1, 1, 4)
        assert [record.getMessage() for record in caplog.records if "may not" in record.getMessage()] == [
            "web at 127.0.0.1 may not send records under the tag auth: they wait there, or are lost"
        ]

    @pytest.mark.parametrize("path", ["/", "/v1/ingest", "/events", "/events/", "/nxlog", "/v1/analyze"])
    def test_every_path_asks(self, path):
        async def test(door, host):
            assert (await ask(door, path=path)).status == 401
            assert (await ask(door, path=path, Authorization="Bearer two")).status in (200, 202)
            assert len(host.chunks) == 1

        with_door(test, keys=KEYS)

    def test_probes_ask_nobody(self):
        async def test(door, host):
            for path in ("/v1/ingest", "/v1/ingest/tag", "/v1/analyze", "/status"):
                for method in ("GET", "HEAD"):
                    async with Client(door) as client:
                        await client.send(request(b"", path, method))
                        assert (await client.reader.readline()).split()[1] == b"200"

        with_door(test, keys=KEYS)

    def test_families_that_are_not_served_are_not_there(self):
        async def test(door, host):
            assert [(await ask(door, path=path)).status for path in ("/v1/ingest", "/events", "/v1/analyze", "/")] == [200, 404, 404, 200]

        with_door(test, serve=("ingest",))


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/events", "/events/", "/nxlog", "/nxlog/"])
def test_what_mozdef_takes_is_taken(path, method):
    async def test(door, host):
        event = b'{"category":"authentication","summary":"login","details":{"username":"alice"},"utctimestamp":"2026-11-22T08:00:00Z"}'
        assert (await ask(door, event, path, method)).json == {"accepted": 1}
        assert host.records == [json.loads(event)]

    with_door(test)


def alert(severity="high", action=None, risk=73.0):
    return {"event": {"id": "e1", "risk_score": risk, "reason": "ten failures"}, "rule": {"id": "brute", "name": "Brute force"},
            "log": {"level": severity}, "message": "brute force from 192.0.2.1",
            "pluginhost": {"alert": {"action": action} if action else {}}}  # fmt: skip


class TestAnalyze:
    def asked(self, found, body=b'{"a":1}'):
        """The answer when the analyzers find `found`."""
        told = []

        async def verdict(offset, deadline):
            told.append((offset, deadline))
            return found

        async def test(door, host):
            self.answer = await ask(door, body, "/v1/analyze", X_Pluginhost_Tag="auth")
            assert [chunk.tag for chunk, _ in host.chunks] == ["auth"]
            assert told == [(1, 1.0)]  # of the row that was made, after it was made

        with_door(test, verdict=verdict)
        return self.answer

    def test_nothing_found_is_204_without_a_body(self):
        answer = self.asked([])
        assert (answer.status, answer.body) == (204, b"")

    def test_what_was_found_is_told_in_short(self):
        answer = self.asked([(0, alert())])
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")  # the very type that Logstash's filter parses
        assert answer.json == {
            "flagged": True, "action": "allow", "risk_score": 73.0,
            "alerts": [{"id": "e1", "index": 0, "severity": "high", "action": "allow", "risk_score": 73.0,
                        "rule": {"id": "brute", "name": "Brute force"}, "message": "brute force from 192.0.2.1", "reason": "ten failures"}],
        }  # fmt: skip

    @pytest.mark.parametrize(("actions", "told"), [
        ([None], "allow"), (["step_up", None], "step_up"), (["step_up", "deny", "allow"], "deny"), (["nonsense"], "allow"),
    ])  # fmt: skip
    def test_the_strictest_advice_holds(self, actions, told):
        answer = self.asked([(index, alert(action=action, risk=index)) for index, action in enumerate(actions)])
        assert (answer.json["action"], answer.json["risk_score"]) == (told, len(actions) - 1)
        assert [one["index"] for one in answer.json["alerts"]] == list(range(len(actions)))

    def test_no_verdict_in_time_is_told_as_such(self):
        answer = self.asked(None)
        assert (answer.status, answer.json) == (202, {"flagged": False, "pending": True})

    def test_a_copy_is_judged_anew(self):
        copies = []

        async def verdict(offset, deadline):
            copies.append(offset)
            return []

        async def test(door, host):
            for _ in range(2):
                await ask(door, b'{"a":1}', "/v1/analyze", Idempotency_Key="same")
            assert copies == [1, 2]
            assert [chunk.chunk_id for chunk, _ in host.chunks] == [b"", b""]  # nothing by which a copy could be known

        with_door(test, verdict=verdict)

    def test_of_what_is_sent_for_ever_and_cannot_be_read_no_verdict_is_made_up(self):
        async def test(door, host):
            said = [await ask(door, b'"text"', "/v1/analyze") for _ in range(5)]
            assert [answer.status for answer in said] == [422, 422, 422, 422, 204]
            assert said[-1].body == b""

        with_door(test)

    def test_nothing_to_judge_is_not_waited_for(self):
        async def never(offset, deadline):
            raise AssertionError

        async def test(door, host):
            assert (await ask(door, b"[]", "/v1/analyze")).status == 204

        with_door(test, verdict=never)


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path):
        return Authority(tmp_path / "tls")

    def over(self, authority, test, *, mutual=False, **options):
        """Runs `test(ask)`, where `ask(client files)` is (status, body) of a request over TLS."""
        serving = Serving(**{name: Path(file) for name, file in authority.issue("server").items()},
                          client_ca=authority.ca if mutual else None)  # fmt: skip

        async def main():
            async def accept(chunk, *, source, carried=None):
                from pluginhost.inputs.port import Receipt

                return Receipt(1)

            metrics = Registry()
            door = Http(HttpOptions(port=0, tls=serving, **options), Context("http", accept, metrics))
            await door.start()

            async def ask(files=None, **headers):
                calling = Calling(ca=authority.ca, **{name: Path(file) for name, file in (files or {}).items()})
                port = int(door.address.rpartition(":")[2])
                reader, writer = await asyncio.open_connection("localhost", port, ssl=client_context(calling))
                try:
                    writer.write(request(GOOD, Connection="close", **headers))
                    return (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n")[0]
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()

            try:
                await test(ask, door)
            finally:
                await door.drain(0.2)
            return metrics.snapshot()["input.http"]

        return asyncio.run(main())

    def test_https(self, authority):
        async def test(ask, _):
            assert await ask() == b"HTTP/1.1 200 OK"

        assert self.over(authority, test)["tls_failed"] == 0

    def test_a_certificate_lets_in_and_its_lack_does_not(self, authority):
        mine = authority.issue("shipper", "shipper.example")

        async def test(ask, _):
            assert await ask(mine) == b"HTTP/1.1 200 OK"
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                assert await ask() == b""  # under TLS 1.3 the refusal may come as an end without an answer

        counts = self.over(authority, test, mutual=True)
        assert (counts["requests"], counts["tls_failed"]) == (1, 1)

    def test_a_key_may_ask_for_a_certificate(self, authority):
        bound = Key(name="a", token=Secret("one"), certificate="shipper.example")
        mine, other = authority.issue("shipper", "shipper.example"), authority.issue("other", "other.example")

        async def test(ask, _):
            answers = [await ask(mine, X_Api_Key="one"), await ask(other, X_Api_Key="one"), await ask(mine, X_Api_Key="two")]
            assert [answer.split()[1] for answer in answers] == [b"200", b"401", b"401"]

        self.over(authority, test, mutual=True, keys=(bound,))

    def test_plain_http_at_a_tls_door_is_told_of_once(self, authority, caplog):
        async def test(_, door):
            for _ in range(3):
                async with Client(door) as client:
                    await client.send(request())
                    assert await client.closed()

        with caplog.at_level(logging.WARNING):
            assert self.over(authority, test)["tls_failed"] == 3
        assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["http request"]

    def test_connecting_and_hanging_up_is_no_fault(self, authority):
        async def test(_, door):
            async with Client(door):
                pass

        assert self.over(authority, test)["tls_failed"] == 0
