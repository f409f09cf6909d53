"""The Elasticsearch output against the real server: each alert once, whatever happens in between."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
import urllib.request
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pluginhost.alerts.template import alerts_template, mapped_type
from pluginhost.metrics import Registry
from pluginhost.options import Duration, Secret, Size
from pluginhost.outputs.elasticsearch import Elasticsearch
from pluginhost.outputs.port import DONE, Context, Dead, Outgoing, Retry, Unavailable
from pluginhost.problem import Problem

pytestmark = pytest.mark.servers
NOON = 1_767_323_045_123_456_789  # 2026-01-02T03:04:05.123Z


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def outgoing(name: str, **fields: Any) -> Outgoing:
    event = {"id": name, "kind": "alert", "created": "2026-01-02T03:04:05.123Z"}
    document = {"@timestamp": "2026-01-02T03:04:05.123Z", "event": event, "message": "m", "pluginhost": {"record": {"n": 1}}, **fields}
    return Outgoing(sequence=1, id=name, time=NOON, severity="high", analyzer="a", document=json.dumps(document).encode())


def call(url: str, method: str, path: str, body: Any = None, user: str = "") -> Any:
    headers = {"content-type": "application/json"}
    if user:
        headers["authorization"] = "Basic " + b64encode(user.encode()).decode()
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data=data, method=method, headers=headers), timeout=30) as answer:
        return json.loads(answer.read() or b"null")


def stored(url: str, name: str) -> Any:
    return call(url, "GET", f"/_index_template/{name}")["index_templates"][0]["index_template"]


class Peer:
    """One namespace of the server: an output into it, and what it holds."""

    def __init__(self, url: str, namespace: str, **more: Any) -> None:
        self.url, self.namespace, self.stream = url, namespace, f"logs-pluginhost.alerts-{namespace}"
        self.registry, self.more, self.user = Registry(), more, ""

    def output(self, **more: Any) -> Elasticsearch:
        clock = more.pop("clock", time.time_ns)
        options = Elasticsearch.Options(hosts=(self.url,), **{**self.more, **more})
        return Elasticsearch(options, Context(name="es", metrics=self.registry, clock=clock, namespace=self.namespace))

    def count(self) -> int:
        call(self.url, "POST", f"/{self.stream}/_refresh", user=self.user)
        return call(self.url, "GET", f"/{self.stream}/_count", user=self.user)["count"]

    def documents(self) -> dict[str, dict[str, Any]]:
        call(self.url, "POST", f"/{self.stream}/_refresh", user=self.user)
        hits = call(self.url, "POST", f"/{self.stream}/_search", {"size": 1000}, user=self.user)["hits"]["hits"]
        return {hit["_id"]: hit["_source"] for hit in hits}

    @property
    def counts(self) -> dict[str, int]:
        return self.registry.snapshot()["output.es"]


@asynchronous
async def test_an_alert_is_created_once_and_a_resend_meets_it(elasticsearch_url):
    peer = Peer(elasticsearch_url, "once")
    first = peer.output(clock=lambda: NOON + 10**9)
    assert await first.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
    assert await first.deliver([outgoing("b"), outgoing("c")]) == [DONE, DONE]
    await first.close()
    assert sorted(peer.documents()) == ["a", "b", "c"]
    stamps = {"created": "2026-01-02T03:04:05.123Z", "ingested": "2026-01-02T03:04:06.123Z"}
    assert peer.documents()["b"]["event"] == {"id": "b", "kind": "alert", **stamps}
    assert peer.counts["present"] == 1


@asynchronous
async def test_ten_thousand_over_a_kill_are_each_there_once(elasticsearch):
    peer = Peer(elasticsearch.url, "crash")
    output = peer.output(timeout=Duration(10))
    waiting = [outgoing(f"r{number}") for number in range(10_000)]
    done = interrupted = 0
    for round_ in range(60):
        batch, waiting = waiting[:500], waiting[500:]
        if not batch:
            break
        killing = [asyncio.to_thread(elasticsearch.kill9)] if round_ == 8 else []
        outcomes, *_ = await asyncio.gather(output.deliver(batch), *killing, return_exceptions=True)
        if killing:
            await asyncio.to_thread(elasticsearch.start)
        if isinstance(outcomes, Unavailable):
            waiting = batch + waiting
            interrupted += 1
            continue
        assert set(outcomes) == {DONE}
        done += len(batch)
    await output.close()
    assert (done, interrupted) == (10_000, 1)
    assert peer.count() == 10_000


@asynchronous
async def test_a_resend_after_a_rollover_asks_first(elasticsearch_url):
    peer = Peer(elasticsearch_url, "rolled")
    before = peer.output()
    assert await before.deliver([outgoing("a")]) == [DONE]
    await before.close()
    call(elasticsearch_url, "POST", f"/{peer.stream}/_rollover")
    after = peer.output()  # a process that was just started knows of no outcome
    assert await after.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
    assert peer.count() == 2
    assert (peer.counts["present"], peer.counts["requests"]) == (1, 2)
    await after.close()


@asynchronous
async def test_a_lost_answer_makes_the_ids_doubtful_over_a_rollover(elasticsearch_url):
    peer = Peer(elasticsearch_url, "doubt")
    port = elasticsearch_url.rsplit(":", 1)[1]

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A proxy that lets bulk requests through and loses their answers while `losing`."""
        up, out = await asyncio.open_connection("127.0.0.1", int(port))

        async def back() -> None:
            while data := await up.read(65536):
                if bulk and losing:
                    writer.close()
                    return
                writer.write(data)

        async def forth() -> None:
            nonlocal bulk
            while data := await reader.read(65536):
                bulk = bulk or b"_bulk" in data
                out.write(data)
            out.close()

        bulk = False
        await asyncio.gather(forth(), back())

    losing = True
    proxy = await asyncio.start_server(swallow, "127.0.0.1", 0)
    output = Peer(f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", "doubt").output()
    with pytest.raises(Unavailable):
        await output.deliver([outgoing("a"), outgoing("b")])
    assert await asyncio.to_thread(peer.count) == 2  # it was written after all
    await asyncio.to_thread(call, elasticsearch_url, "POST", f"/{peer.stream}/_rollover")
    losing = False
    assert await output.deliver([outgoing("a"), outgoing("b"), outgoing("c")]) == [DONE, DONE, DONE]
    assert await asyncio.to_thread(peer.count) == 3
    await output.close()
    proxy.close()


@asynchronous
async def test_the_template_is_put_and_maps_as_the_file_says(elasticsearch_url):
    peer = Peer(elasticsearch_url, "mapped")
    output = peer.output()
    await output.deliver([outgoing("a", source={"ip": "192.0.2.1", "geo": {"location": {"lat": 1, "lon": 2}}}, extra={"word": "x"})])
    await output.close()
    mapping = next(iter(call(elasticsearch_url, "GET", f"/{peer.stream}/_mapping").values()))["mappings"]

    def kind(field: str) -> str:
        spec: Any = {"properties": mapping["properties"]}
        for part in field.split("."):
            spec = spec["properties"][part]
        return spec.get("type", "object")

    fields = ["@timestamp", "source.ip", "source.geo.location", "event.risk_score", "event.severity", "rule.name", "pluginhost.record"]
    assert {field: kind(field) for field in fields} == {field: mapped_type(field) for field in fields}
    assert kind("extra.word") == "keyword"
    settings = next(iter(call(elasticsearch_url, "GET", f"/{peer.stream}/_settings?flat_settings=true").values()))["settings"]
    assert settings["index.mapping.total_fields.limit"] == "2000"
    for name in ("logs-pluginhost.alerts", "pluginhost-alert-state"):
        body = stored(elasticsearch_url, name)
        assert (body["_meta"], body["priority"]) == ({"managed_by": "pluginhost", "version": 1}, 500)


NEWER, OLDER = {"managed_by": "pluginhost", "version": 99}, {"managed_by": "pluginhost", "version": 0}
FOREIGN = {"managed_by": "somebody"}


@pytest.mark.parametrize(("meta", "kept"), [(NEWER, True), (FOREIGN, True), (OLDER, False)])
@asynchronous
async def test_a_newer_or_foreign_template_is_left_alone(elasticsearch_url, caplog, meta, kept):
    theirs = {**alerts_template("8.19.21"), "_meta": meta}
    call(elasticsearch_url, "PUT", "/_index_template/logs-pluginhost.alerts", theirs)
    try:
        output = Peer(elasticsearch_url, "foreign").output()
        with caplog.at_level(logging.WARNING, "pluginhost"):
            assert await output.deliver([outgoing(f"a{meta.get('version')}")]) == [DONE]
        await output.close()
        expected = meta if kept else {"managed_by": "pluginhost", "version": 1}
        assert stored(elasticsearch_url, "logs-pluginhost.alerts")["_meta"] == expected
        assert ("left as it is" in caplog.text) is kept
    finally:
        call(elasticsearch_url, "PUT", "/_index_template/logs-pluginhost.alerts", alerts_template("8.19.21"))


@asynchronous
async def test_a_template_that_went_missing_is_put_again(elasticsearch_url):
    peer = Peer(elasticsearch_url, "gone", batch_bytes=Size(5000))
    output = peer.output()
    await output.deliver([])
    others = [stream["name"] for stream in call(elasticsearch_url, "GET", "/_resolve/index/logs-pluginhost.alerts-*")["data_streams"]]
    net = {"index_patterns": others or ["unused"], "priority": 1, "data_stream": {}}  # a template in use cannot be deleted
    call(elasticsearch_url, "PUT", "/_index_template/net", net)
    call(elasticsearch_url, "DELETE", "/_index_template/logs-pluginhost.alerts")
    outcomes = await output.deliver([outgoing("a"), outgoing("b", pad="x" * 9000)])
    assert peer.counts["requests"] == 2  # the second must not make what the first was refused
    for outcome in outcomes:
        assert isinstance(outcome, Retry)
        assert outcome.slow
        assert outcome.reason.startswith("404 index_not_found_exception")
    assert call(elasticsearch_url, "GET", f"/_resolve/index/{peer.stream}*")["indices"] == []  # no ordinary index of that name was made
    assert await output.deliver([outgoing("a")]) == [DONE]
    await output.close()
    assert peer.count() == 1


SAMPLE: dict[str, Any] = {
    "@timestamp": "2026-01-02T03:04:05.123Z", "ecs": {"version": "8.17.0"}, "message": "SSH brute force: 25 failures for root",
    "event": {"id": "sample", "kind": "alert", "category": ["authentication"], "type": ["info"], "action": "ssh_brute_force",
              "outcome": "failure", "module": "pluginhost", "dataset": "pluginhost.alerts", "provider": "ssh_brute_force", "severity": 73,
              "risk_score": 88.0, "risk_score_norm": 88.0, "sequence": 1, "reason": "25 failed logins", "original": "Jan  2 03:04:05 …",
              "created": "2026-01-02T03:04:05.123Z", "start": "2026-01-02T03:03:05.000Z", "end": "2026-01-02T03:04:05.123Z",
              "reference": "https://runbooks.example/ssh", "url": "https://kibana.example/app/discover#/"},
    "log": {"level": "high"},
    "rule": {"id": "ssh-brute-force", "uuid": "4f1b0a2e-8f4e-5d0c-9a2b-0c2d5f1e7a90", "name": "SSH brute force",
             "description": "Many failed logins", "category": "authentication", "ruleset": "ssh_brute_force", "version": "1.2.0",
             "author": ["example team"], "license": "Apache-2.0", "reference": "https://docs.example/rules/ssh-brute-force"},
    "threat": {"framework": "MITRE ATT&CK", "tactic": {"id": ["TA0006"], "name": ["Credential Access"], "reference": ["https://a.example/"]},
               "technique": {"id": ["T1110"], "name": ["Brute Force"], "reference": ["https://a.example/T1110/"]}},
    "user": {"name": "root"}, "host": {"name": "web1", "ip": ["10.0.0.5"]},
    "source": {"ip": "203.0.113.7", "address": "203.0.113.7", "port": 51122,
               "geo": {"location": {"lon": 4.9, "lat": 52.37}, "country_iso_code": "NL", "city_name": "Amsterdam"},
               "as": {"number": 64500, "organization": {"name": "Example Net"}}},
    "related": {"ip": ["203.0.113.7"], "user": ["root"], "hosts": ["web1"]},
    "observer": {"vendor": "pluginhost", "product": "pluginhost", "type": "ids", "version": "0.1.0", "name": "sidecar-1"},
    "tags": ["pluginhost.alert", "app.auth"], "url": {"original": "/admin?x=1", "path": "/admin", "query": "x=1"},
    "http": {"request": {"method": "GET"}, "response": {"status_code": 404}},
    "user_agent": {"original": "curl/8"}, "process": {"pid": 4242, "name": "sshd"}, "network": {"transport": "tcp"},
    "pluginhost": {"analyzer": "ssh_brute_force", "alert": {"fingerprint": "c1d9", "count": 25}, "host": "web1", "hop": 1,
                   "source": {"tag": "app.auth", "input": "forward", "message": "Failed password for root"},
                   "events": [{"@timestamp": "2026-01-02T03:04:05.123Z", "message": "Failed"}],
                   "record": {"facility": "auth", "": {"..": [1, {"a": "b"}]}}},
}  # fmt: skip


@asynchronous
async def test_every_field_of_a_whole_alert_is_mapped(elasticsearch_url):
    strict = alerts_template("8.19.21")
    strict |= {"index_patterns": ["logs-pluginhost.alerts-strict"], "priority": 501}
    strict["template"]["mappings"]["dynamic"] = "strict"
    call(elasticsearch_url, "PUT", "/_index_template/strict", strict)
    try:
        peer = Peer(elasticsearch_url, "strict")
        output = peer.output()
        assert await output.deliver([outgoing("sample", **SAMPLE)]) == [DONE]
        (refused,) = await output.deliver([outgoing("other", **SAMPLE, nowhere=1)])
        assert isinstance(refused, Dead)
        assert "strict_dynamic_mapping_exception" in refused.reason
        await output.close()
        ingested = peer.documents()["sample"]["event"].pop("ingested")
        assert ingested > "2026-01-02"
    finally:
        call(elasticsearch_url, "DELETE", "/_index_template/strict")


@asynchronous
async def test_a_bad_alert_is_dead_and_its_neighbours_are_written(elasticsearch_url):
    peer = Peer(elasticsearch_url, "bad")
    output = peer.output()
    await output.deliver([outgoing("first", clash=1)])
    bad = [outgoing("clash", clash={"a": 1}), outgoing("time", **{"@timestamp": "2026-01-02 03:04:05"}),
           Outgoing(sequence=1, id="broken", time=NOON, severity="high", analyzer="a", document=b'{"a":')]  # fmt: skip
    good = [outgoing("g1"), outgoing("g2"), outgoing("é" * 300), outgoing("g3")]  # an id of 600 bytes spoils a whole request
    alerts = [good[0], bad[0], good[1], bad[1], good[2], bad[2], good[3]]
    outcomes = await output.deliver(alerts)
    await output.close()
    assert [type(outcome).__name__ for outcome in outcomes] == ["Done", "Dead", "Done", "Dead", "Dead", "Dead", "Done"]
    assert isinstance(outcomes[1], Dead)
    assert outcomes[1].reason.startswith("400 document_parsing_exception: ")
    assert isinstance(outcomes[4], Dead)
    assert "id" in outcomes[4].reason
    assert sorted(peer.documents()) == ["first", "g1", "g2", "g3"]


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = {f"l{level}": value}
    return value


RUBBISH: dict[str, dict[str, Any]] = {
    "empty name": {"": 1},
    "blank name": {" ": 1, "x ": {"\t": 1}},
    "dots": {".a": 1, "b.": 1, "a..b": 1, ".": 1},
    "metadata": {"_id": "x", "_source": 1},
    "scalar for an object": {"host": "web1", "source": 1, "rule": True},
    "mixed list": {"host": [{"name": "a"}, "b"], "new1": [1, {"a": 1}]},
    "object for a scalar": {"message": {"a": 1}, "tags": [{"a": 1}, "t"], "source": {"ip": {"a": 1}, "port": {"a": 1}}},
    "deep": {"new2": _nested(30)},
    "just deep enough": {"new3": _nested(19)},
    "just too deep": {"new4": _nested(20)},
    "deep by dots": {".".join("abcdefghijklmnopqrstuvwxyz"): 1},
    "lists": {"new5": [[[[[[1, [2]]]]]]]},
    "long": {"event": {"id": "x" * 40_000, "original": "x" * 200_000}, "new6": "x" * 40_000, "source": {"ip": "y" * 40_000}},
    "long in bytes": {"rule": {"version": "ä" * 20_000}},
    "big": {"source": {"port": 10**30}, "event": {"severity": 2**63}, "new7": 2**64},
    "many": {"new8": {f"f{number}": number for number in range(3000)}},
    "types": {"source": {"ip": True, "port": "x"}, "event": {"start": [], "end": True, "risk_score": "x"}},
    "nulls": {"source": None, "host": [None], "event": {"start": None}},
    "unfit": {"pluginhost": "x", "log": []},
    "more unfit": {"pluginhost": [{"record": 1}]},
    "geo": {"source": {"geo": {"location": [{"lat": {"a": 1}}, 1, "x"], "country_iso_code": 1}}},
    "record": {"pluginhost": {"record": ["x", _nested(100)], "events": "x", "unfit": 1}},
}


@asynchronous
async def test_no_cleaned_document_is_refused(elasticsearch_url):
    peer = Peer(elasticsearch_url, "rubbish")
    output = peer.output()
    alerts = [outgoing(name, **fields) for name, fields in RUBBISH.items()]
    outcomes = await output.deliver(alerts)
    await output.close()
    assert dict(zip(RUBBISH, outcomes, strict=True)) == dict.fromkeys(RUBBISH, DONE)
    assert peer.documents()["scalar for an object"]["pluginhost"]["unfit"] == {"host": "web1", "source": 1, "rule": True}


@asynchronous
async def test_a_blocked_index_is_a_slow_retry(elasticsearch_url):
    peer = Peer(elasticsearch_url, "blocked")
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    for block in ("index.blocks.write", "index.blocks.read_only_allow_delete"):
        call(elasticsearch_url, "PUT", f"/{peer.stream}/_settings", {block: True})
        (outcome,) = await output.deliver([outgoing("b")])
        assert isinstance(outcome, Retry)
        assert (outcome.slow, "cluster_block_exception" in outcome.reason) == (True, True)
        call(elasticsearch_url, "PUT", f"/{peer.stream}/_settings", {block: None})
    assert await output.deliver([outgoing("b")]) == [DONE]
    await output.close()


@asynchronous
async def test_a_server_that_is_down_is_unavailable(elasticsearch_url, unused_port):
    output = Peer(f"http://127.0.0.1:{unused_port}", "down").output()
    with pytest.raises(Unavailable) as lost:
        await output.deliver([outgoing("a")])
    assert not lost.value.slow
    with pytest.raises(Unavailable):
        await output.check()
    await output.close()
    up = Peer(elasticsearch_url, "down").output()
    await up.check()
    await up.close()


# --- with every limit set low, and security on


def key_for(guarded: Any, names: list[str], privileges: list[str]) -> Secret:
    roles = {"role": {"cluster": ["monitor"], "indices": [{"names": names, "privileges": privileges}]}}
    made = call(guarded.url, "POST", "/_security/api_key", {"name": "k", "role_descriptors": roles}, user="admin:pw-for-tests")
    return Secret(made["encoded"])


def secured(guarded: Any, namespace: str, **more: Any) -> Peer:
    peer = Peer(guarded.url, namespace, **(more or {"username": "admin", "password": Secret("pw-for-tests")}))
    peer.user = "admin:pw-for-tests"
    return peer


@asynchronous
async def test_a_body_too_large_is_halved_and_a_lone_one_is_dead(guarded):
    peer = secured(guarded, "large")
    output = peer.output()
    alerts = [outgoing(f"a{number}", event={"original": "x" * 300_000}) for number in range(8)]
    huge = outgoing("huge", event={"original": "x" * 1_200_000})
    outcomes = await output.deliver([*alerts[:3], huge, *alerts[3:]])
    await output.close()
    assert outcomes[:3] + outcomes[4:] == [DONE] * 8
    assert isinstance(outcomes[3], Dead)
    assert outcomes[3].reason.startswith("413")
    assert peer.count() == 8


@asynchronous
async def test_a_full_queue_is_retried_by_item(guarded):
    peer = secured(guarded, "full")
    outputs = [peer.output() for _ in range(12)]
    batches = [[outgoing(f"b{batch}-{number}") for number in range(400)] for batch in range(12)]
    seen: list[tuple[str, bool]] = []

    async def push(output: Elasticsearch, alerts: list[Outgoing]) -> None:
        while alerts:
            try:
                outcomes = await output.deliver(alerts)
            except Unavailable as full:
                seen.append((full.reason, full.slow))
                continue
            waiting = [(alert, outcome) for alert, outcome in zip(alerts, outcomes, strict=True) if outcome != DONE]
            assert all(isinstance(outcome, Retry) for _, outcome in waiting)
            seen.extend((outcome.reason, outcome.slow) for _, outcome in waiting)
            alerts = [alert for alert, _ in waiting]

    await asyncio.gather(*(push(output, alerts) for output, alerts in zip(outputs, batches, strict=True)))
    for output in outputs:
        await output.close()
    reasons = Counter((reason.partition(":")[0], slow) for reason, slow in seen)
    full, young = ("429 es_rejected_execution_exception", False), ("503 search_phase_execution_exception", False)
    assert reasons[full] > 0
    assert set(reasons) <= {full, young}, reasons  # young: the stream was being made while its ids were asked for
    assert peer.count() == 4800


@asynchronous
async def test_the_least_key_writes_and_every_lesser_one_waits_for_a_person(guarded):
    admin = secured(guarded, "rights").output()
    await admin.check()
    await admin.deliver([])  # the templates
    await admin.close()
    least = secured(guarded, "rights", api_key=key_for(guarded, ["logs-pluginhost.alerts-*"], ["create_doc", "auto_configure"]))
    output = least.output()
    await output.check()
    assert await output.deliver([outgoing("a")]) == [DONE]
    await output.close()
    assert least.count() == 1

    elsewhere = secured(guarded, "rights", api_key=key_for(guarded, ["something-else"], ["create_doc"])).output()
    (outcome,) = await elsewhere.deliver([outgoing("b")])
    assert isinstance(outcome, Retry)
    assert (outcome.slow, outcome.reason[:22]) == (True, "403 security_exception")
    with pytest.raises(Problem, match="may not write"):
        await elsewhere.check()
    await elsewhere.close()

    stranger = secured(guarded, "rights", username="admin", password=Secret("wrong")).output()
    with pytest.raises(Unavailable) as refused:
        await stranger.deliver([outgoing("b")])
    assert (refused.value.slow, refused.value.reason[:3]) == (True, "401")
    with pytest.raises(Problem, match="does not let us in"):
        await stranger.check()
    await stranger.close()


@asynchronous
async def test_requests_are_cut_by_bytes(elasticsearch_url):
    peer = Peer(elasticsearch_url, "cut", batch_bytes=Size(10_000))
    output = peer.output()
    assert await output.deliver([outgoing(f"a{number}", event={"original": "x" * 3_000}) for number in range(10)]) == [DONE] * 10
    await output.close()
    assert peer.counts["requests"] == 4
    assert peer.count() == 10
