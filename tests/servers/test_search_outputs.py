"""The outputs into search clusters against the real servers: each alert once, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest
from search_peers import NOON, RUBBISH, SAMPLE, Peer, asynchronous, call, outgoing, stored

from pluginhost.alerts.document import Rule
from pluginhost.alerts.scores import score_document
from pluginhost.alerts.template import alerts_template, mapped_type
from pluginhost.detect.finding import Scored
from pluginhost.options import Duration, Size
from pluginhost.outputs.port import DONE, Dead, Outgoing, Retry, Unavailable


@asynchronous
async def test_an_alert_is_created_once_and_a_resend_meets_it(cluster):
    peer = Peer(cluster.url, "once", cluster.product)
    first = peer.output(clock=lambda: NOON + 10**9)
    assert await first.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
    assert await first.deliver([outgoing("b"), outgoing("c")]) == [DONE, DONE]
    await first.close()
    assert sorted(peer.documents()) == ["a", "b", "c"]
    stamps = {"created": "2026-01-02T03:04:05.123Z", "ingested": "2026-01-02T03:04:06.123Z"}
    assert peer.documents()["b"]["event"] == {"id": "b", "kind": "alert", **stamps}
    assert peer.counts["present"] == 1


@asynchronous
async def test_ten_thousand_over_a_kill_are_each_there_once(cluster):
    peer = Peer(cluster.url, "crash", cluster.product)
    output = peer.output(timeout=Duration(10))
    waiting = [outgoing(f"r{number}") for number in range(10_000)]
    done = interrupted = 0
    for round_ in range(60):
        batch, waiting = waiting[:500], waiting[500:]
        if not batch:
            break
        killing = [asyncio.to_thread(cluster.kill9)] if round_ == 8 else []
        outcomes, *_ = await asyncio.gather(output.deliver(batch), *killing, return_exceptions=True)
        if killing:
            await asyncio.to_thread(cluster.start)
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
async def test_a_resend_after_a_rollover_asks_first(cluster):
    peer = Peer(cluster.url, "rolled", cluster.product)
    before = peer.output()
    assert await before.deliver([outgoing("a")]) == [DONE]
    await before.close()
    call(cluster.url, "POST", f"/{peer.stream}/_rollover")
    after = peer.output()  # a process that was just started knows of no outcome
    assert await after.deliver([outgoing("a"), outgoing("b")]) == [DONE, DONE]
    assert peer.count() == 2
    assert (peer.counts["present"], peer.counts["requests"]) == (1, 2)
    await after.close()


@asynchronous
async def test_a_lost_answer_makes_the_ids_doubtful_over_a_rollover(cluster):
    peer = Peer(cluster.url, "doubt", cluster.product)
    port = cluster.url.rsplit(":", 1)[1]

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
    output = Peer(f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", "doubt", cluster.product).output()
    with pytest.raises(Unavailable):
        await output.deliver([outgoing("a"), outgoing("b")])
    assert await asyncio.to_thread(peer.count) == 2  # it was written after all
    await asyncio.to_thread(call, cluster.url, "POST", f"/{peer.stream}/_rollover")
    losing = False
    assert await output.deliver([outgoing("a"), outgoing("b"), outgoing("c")]) == [DONE, DONE, DONE]
    assert await asyncio.to_thread(peer.count) == 3
    await output.close()
    proxy.close()


@asynchronous
async def test_the_template_is_put_and_maps_as_the_file_says(cluster):
    peer = Peer(cluster.url, "mapped", cluster.product)
    output = peer.output()
    await output.deliver([outgoing("a", source={"ip": "192.0.2.1", "geo": {"location": {"lat": 1, "lon": 2}}}, extra={"word": "x"})])
    await output.close()
    mapping = next(iter(call(cluster.url, "GET", f"/{peer.stream}/_mapping").values()))["mappings"]

    def kind(field: str) -> str:
        spec: Any = {"properties": mapping["properties"]}
        for part in field.split("."):
            spec = spec["properties"][part]
        return spec.get("type", "object")

    fields = ["@timestamp", "source.ip", "source.geo.location", "event.risk_score", "event.severity", "rule.name", "pluginhost.record"]
    assert {field: kind(field) for field in fields} == {field: mapped_type(field) for field in fields}
    assert kind("extra.word") == "keyword"
    settings = next(iter(call(cluster.url, "GET", f"/{peer.stream}/_settings?flat_settings=true").values()))["settings"]
    assert settings["index.mapping.total_fields.limit"] == "2000"
    body = stored(cluster.url, "logs-pluginhost.alerts")
    assert (body["_meta"], body["priority"]) == (OURS, 500)
    assert mapping["_meta"] == OURS


@asynchronous
async def test_scores_have_a_stream_of_their_own_and_a_resend_meets_the_first(cluster):
    peer = Peer(cluster.url, "trends", cluster.product, what="scores")
    rule = Rule("waf", "Unusual requests", "", "waf")
    scored = Scored(7.25, 6.0, span=60 * 10**9, entity={"source.ip": "192.0.2.1"}, expected=2, actual=9.0, parts={"unusual_status": 9})
    made = [(f"s{n}", score_document(rule, scored, key={"host.name": f"web{n % 2}"}, event_id=f"s{n}", time=NOON)) for n in range(4)]
    scores = [Outgoing(n, name, NOON, "", "waf", msgspec.json.encode(document)) for n, (name, document) in enumerate(made)]
    output = peer.output()
    assert await output.deliver(scores[:3]) == [DONE] * 3
    assert await output.deliver(scores[2:]) == [DONE] * 2
    await output.close()
    assert sorted(peer.documents()) == ["s0", "s1", "s2", "s3"]
    one = peer.documents()["s0"]
    assert one["data_stream"] == {"type": "metrics", "dataset": "pluginhost.scores", "namespace": "trends"}
    assert (one["event"]["kind"], one["pluginhost"]["score"]["parts"]) == ("metric", {"unusual_status": 9})
    asked = {"size": 0, "aggs": {"over": {
        "date_histogram": {"field": "@timestamp", "fixed_interval": "1m"}, "aggs": {
            "score": {"max": {"field": "pluginhost.score.value"}}, "limit": {"max": {"field": "pluginhost.score.threshold"}},
            "part": {"sum": {"field": "pluginhost.score.parts.unusual_status"}}, "who": {"terms": {"field": "host.name"}}}}}}  # fmt: skip
    (minute,) = call(cluster.url, "POST", f"/{peer.stream}/_search", asked)["aggregations"]["over"]["buckets"]
    assert (minute["score"]["value"], minute["limit"]["value"], minute["part"]["value"]) == (7.25, 6.0, 36.0)
    assert {bucket["key"]: bucket["doc_count"] for bucket in minute["who"]["buckets"]} == {"web0": 2, "web1": 2}
    body = stored(cluster.url, "metrics-pluginhost.scores")
    assert (body["_meta"], body["priority"]) == ({"managed_by": "pluginhost", "version": 3}, 500)


OURS = {"managed_by": "pluginhost", "version": 4}
NEWER, OLDER = {"managed_by": "pluginhost", "version": 99}, {"managed_by": "pluginhost", "version": 0}
FOREIGN = {"managed_by": "somebody"}


@pytest.mark.parametrize(("meta", "kept"), [(NEWER, True), (FOREIGN, True), (OLDER, False)])
@asynchronous
async def test_a_newer_or_foreign_template_is_left_alone(cluster, caplog, meta, kept):
    theirs = {**alerts_template(cluster.version, cluster.product), "_meta": meta}
    call(cluster.url, "PUT", "/_index_template/logs-pluginhost.alerts", theirs)
    try:
        output = Peer(cluster.url, "foreign", cluster.product).output()
        with caplog.at_level(logging.WARNING, "pluginhost"):
            assert await output.deliver([outgoing(f"a{meta.get('version')}")]) == [DONE]
        await output.close()
        expected = meta if kept else OURS
        assert stored(cluster.url, "logs-pluginhost.alerts")["_meta"] == expected
        assert ("left as it is" in caplog.text) is kept
    finally:
        call(cluster.url, "PUT", "/_index_template/logs-pluginhost.alerts", alerts_template(cluster.version, cluster.product))


@asynchronous
async def test_every_field_of_a_whole_alert_is_mapped(cluster):
    strict = alerts_template(cluster.version, cluster.product)
    strict |= {"index_patterns": ["logs-pluginhost.alerts-strict"], "priority": 501}
    strict["template"]["mappings"]["dynamic"] = "strict"
    call(cluster.url, "PUT", "/_index_template/strict", strict)
    peer = Peer(cluster.url, "strict", cluster.product)
    try:
        output = peer.output()
        assert await output.deliver([outgoing("sample", **SAMPLE)]) == [DONE]
        (refused,) = await output.deliver([outgoing("other", **SAMPLE, nowhere=1)])
        assert isinstance(refused, Dead)
        assert "strict_dynamic_mapping_exception" in refused.reason
        await output.close()
        ingested = peer.documents()["sample"]["event"].pop("ingested")
        assert ingested > "2026-01-02"
    finally:
        if cluster.product == "opensearch":  # lets no template go that a stream stands on
            call(cluster.url, "DELETE", f"/_data_stream/{peer.stream}")
        call(cluster.url, "DELETE", "/_index_template/strict")


@asynchronous
async def test_a_bad_alert_is_dead_and_its_neighbours_are_written(cluster):
    peer = Peer(cluster.url, "bad", cluster.product)
    output = peer.output()
    await output.deliver([outgoing("first", clash=1)])
    bad = [outgoing("clash", clash={"a": 1}), outgoing("time", **{"@timestamp": "2026-01-02 03:04:05"}),
           Outgoing(sequence=1, id="broken", time=NOON, severity="high", analyzer="a", document=b'{"a":')]  # fmt: skip
    good = [outgoing("g1"), outgoing("g2"), outgoing("é" * 300), outgoing("g3")]  # an id of 600 bytes spoils a whole request
    alerts = [good[0], bad[0], good[1], bad[1], good[2], bad[2], good[3]]
    outcomes = await output.deliver(alerts)
    await output.close()
    lenient = cluster.product == "opensearch"  # there `ignore_malformed` lets an object stand for a number
    assert [type(one).__name__ for one in outcomes] == ["Done", "Done" if lenient else "Dead", "Done", "Dead", "Dead", "Dead", "Done"]
    assert isinstance(outcomes[3], Dead)
    assert outcomes[3].reason.startswith("400 mapper_parsing_exception: " if lenient else "400 document_parsing_exception: ")
    assert isinstance(outcomes[4], Dead)
    assert "id" in outcomes[4].reason
    assert sorted(peer.documents()) == [*(["clash"] if lenient else []), "first", "g1", "g2", "g3"]


@asynchronous
async def test_no_cleaned_document_is_refused(cluster):
    peer = Peer(cluster.url, "rubbish", cluster.product)
    output = peer.output()
    alerts = [outgoing(name, **fields) for name, fields in RUBBISH.items()]
    outcomes = await output.deliver(alerts)
    await output.close()
    assert dict(zip(RUBBISH, outcomes, strict=True)) == dict.fromkeys(RUBBISH, DONE)
    assert peer.documents()["scalar for an object"]["pluginhost"]["unfit"] == {"host": "web1", "source": 1, "rule": True}


@asynchronous
async def test_a_blocked_index_is_a_slow_retry(cluster):
    peer = Peer(cluster.url, "blocked", cluster.product)
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    for block in ("index.blocks.write", "index.blocks.read_only_allow_delete"):
        call(cluster.url, "PUT", f"/{peer.stream}/_settings", {block: True})
        (outcome,) = await output.deliver([outgoing("b")])
        assert isinstance(outcome, Retry)
        assert (outcome.slow, "cluster_block_exception" in outcome.reason) == (True, True)
        call(cluster.url, "PUT", f"/{peer.stream}/_settings", {block: None})
    assert await output.deliver([outgoing("b")]) == [DONE]
    await output.close()


@asynchronous
async def test_requests_are_cut_by_bytes(cluster):
    peer = Peer(cluster.url, "cut", cluster.product, batch_bytes=Size(10_000))
    output = peer.output()
    assert await output.deliver([outgoing(f"a{number}", event={"original": "x" * 3_000}) for number in range(10)]) == [DONE] * 10
    await output.close()
    assert peer.counts["requests"] == 4
    assert peer.count() == 10
@asynchronous
async def test_a_server_that_is_down_is_unavailable(cluster, unused_port):
    output = Peer(f"http://127.0.0.1:{unused_port}", "down", cluster.product).output()
    with pytest.raises(Unavailable) as lost:
        await output.deliver([outgoing("a")])
    assert not lost.value.slow
    with pytest.raises(Unavailable):
        await output.check()
    await output.close()
    up = Peer(cluster.url, "down", cluster.product).output()
    await up.check()
    await up.close()
