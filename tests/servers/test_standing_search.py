"""What must stand in a cluster, on the real servers: made at first contact, brought up to date, made again when somebody took it away."""

from __future__ import annotations

import contextlib
import logging
import urllib.error

import pytest
from search_peers import NOON, Peer, asynchronous, call, outgoing, state, stored

from pluginhost.alerts.template import alerts_template, state_template
from pluginhost.options import Duration
from pluginhost.outputs.port import DONE, Dead, Outgoing, Retry, Unavailable

OURS = {"managed_by": "pluginhost", "version": 4}
TEMPLATE = "/_index_template/logs-pluginhost.alerts"


def mapping(url, target):
    """That of the index that is written to."""
    found = call(url, "GET", f"/{target}/_mapping")
    return found[max(found)]["mappings"]


def deletable(cluster):
    """Elasticsearch 9 as it is published for tests cannot delete a stream."""
    return cluster.kind.plugin != "RootPlugin9"


@contextlib.contextmanager
def as_before(cluster):
    """Our own template again in the end, whatever is done to it."""
    try:
        yield
    finally:
        call(cluster.url, "PUT", TEMPLATE, alerts_template(cluster.version, cluster.product))


def older(cluster, properties):
    """Our template as an earlier version may have been: these fields in place of `source` and `user`."""
    body = alerts_template(cluster.version, cluster.product)
    fields = body["template"]["mappings"]["properties"]
    body["_meta"] = body["template"]["mappings"]["_meta"] = {"managed_by": "pluginhost", "version": 1}
    for name in ("source", "user"):
        del fields[name]
    fields |= properties
    call(cluster.url, "PUT", TEMPLATE, body)


@asynchronous
async def test_new_fields_reach_the_stream_that_stands(cluster):
    peer = Peer(cluster.url, "grown", cluster.product)
    with as_before(cluster):
        older(cluster, {})
        first = peer.output()
        first._met = True  # as the host before the update: it put no templates
        assert await first.deliver([outgoing("a")]) == [DONE]
        await first.close()
        assert "ip" not in mapping(cluster.url, peer.stream)["properties"].get("source", {})
        output = peer.output()
        assert await output.deliver([outgoing("b", source={"ip": "192.0.2.1"})]) == [DONE]
        await output.close()
    found = mapping(cluster.url, peer.stream)
    assert (found["_meta"], found["properties"]["source"]["properties"]["ip"]) == (OURS, {"type": "ip"})
    assert stored(cluster.url, "logs-pluginhost.alerts")["_meta"] == OURS
    assert sorted(peer.documents()) == ["a", "b"]


@asynchronous
async def test_a_mapping_that_conflicts_is_told_and_alerts_are_written_and_a_rollover_cures_it(cluster, caplog):
    peer = Peer(cluster.url, "conflict", cluster.product)
    with as_before(cluster):
        older(cluster, {"source": {"properties": {"ip": {"type": "keyword"}}}})
        first = peer.output()
        first._met = True
        assert await first.deliver([outgoing("a", source={"ip": "192.0.2.1"})]) == [DONE]
        await first.close()
        output = peer.output()
        with caplog.at_level(logging.WARNING, "pluginhost"):
            assert await output.deliver([outgoing("b", source={"ip": "192.0.2.2"})]) == [DONE]
            output._met = False  # contact was lost: it is looked at again, and not told again
            assert await output.deliver([outgoing("c")]) == [DONE]
        (told,) = [one.getMessage() for one in caplog.records if one.name == "pluginhost.outputs.search"]
        assert told.startswith(f"data stream {peer.stream}: cannot update it (400 illegal_argument_exception: mapper [source.ip] cannot be "
                               "changed from type [keyword] to [ip]")  # fmt: skip
        assert told.endswith(f"roll it over, and the next index has them: POST /{peer.stream}/_rollover")
        call(cluster.url, "POST", f"/{peer.stream}/_rollover")
        assert mapping(cluster.url, peer.stream)["properties"]["source"]["properties"]["ip"] == {"type": "ip"}
        assert await output.deliver([outgoing("d", source={"ip": "192.0.2.4"})]) == [DONE]
        await output.close()
    assert sorted(peer.documents()) == ["a", "b", "c", "d"]


@asynchronous
async def test_a_stream_that_was_deleted_comes_again(cluster):
    if not deletable(cluster):
        pytest.skip("this server cannot delete a stream")
    peer = Peer(cluster.url, "taken", cluster.product)
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    call(cluster.url, "DELETE", f"/_data_stream/{peer.stream}")
    assert await output.deliver([outgoing("b")]) == [DONE]
    await output.close()
    assert [one["name"] for one in call(cluster.url, "GET", f"/_resolve/index/{peer.stream}")["data_streams"]] == [peer.stream]
    assert sorted(peer.documents()) == ["b"]
    assert mapping(cluster.url, peer.stream)["_meta"] == OURS


@asynchronous
async def test_stream_and_template_deleted_under_us_lose_nothing_and_are_told(cluster):
    """Elasticsearch refuses to make an ordinary index then; OpenSearch makes one, and nothing more is written before a person acts."""
    if not deletable(cluster):
        pytest.skip("this server cannot delete a stream")
    peer = Peer(cluster.url, "bare", cluster.product)
    output = peer.output()
    assert await output.deliver([outgoing("a")]) == [DONE]
    call(cluster.url, "DELETE", f"/_data_stream/{peer.stream}")
    others = [one["name"] for one in call(cluster.url, "GET", "/_resolve/index/logs-pluginhost.alerts-*")["data_streams"]]
    body = alerts_template(cluster.version, cluster.product)
    with as_before(cluster):  # a template that is used cannot be deleted: what is left of it is for the other tests' streams
        left = {**body, "index_patterns": others or ["unused"], "_meta": {"managed_by": "pluginhost", "version": 0}}
        call(cluster.url, "PUT", TEMPLATE, left)
        (first,) = await output.deliver([outgoing("b")])
        if cluster.product == "elasticsearch":
            assert isinstance(first, Retry)
            assert (first.slow, first.reason[:29]) == (True, "404 index_not_found_exception")
        else:
            assert first == DONE
            with pytest.raises(Unavailable, match="an ordinary index of that name stands there") as told:
                await output.deliver([outgoing("c")])
            assert told.value.slow
            found = call(cluster.url, "GET", f"/{peer.stream}/_search")["hits"]["hits"]
            assert [one["_id"] for one in found] in ([], ["b"])  # it is there, if not searchable yet
            call(cluster.url, "DELETE", f"/{peer.stream}")
        assert await output.deliver([outgoing("b"), outgoing("c")]) == [DONE, DONE]
    await output.close()
    assert sorted(peer.documents()) == ["b", "c"]
    assert mapping(cluster.url, peer.stream)["_meta"] == OURS


@asynchronous
async def test_a_clock_that_is_wrong_loses_nothing(cluster):
    """Alerts of any time are taken and keep it; only `event.ingested` is of our clock."""
    peer = Peer(cluster.url, "skew", cluster.product)
    times = {"past": "1970-01-01T00:00:00.001Z", "now": "2026-01-02T03:04:05.123Z", "future": "2099-12-31T23:59:59.999Z"}
    for name, clock in (("slow", 10**15), ("fast", 4 * 10**18)):
        output = peer.output(clock=lambda clock=clock: clock)
        alerts = [outgoing(f"{name}-{when}", **{"@timestamp": time}) for when, time in times.items()]
        assert await output.deliver(alerts) == [DONE] * 3
        await output.close()
    found = peer.documents()
    assert {name: one["@timestamp"] for name, one in found.items()} == {
        f"{clock}-{when}": time for clock in ("slow", "fast") for when, time in times.items()
    }
    assert {one["event"]["ingested"] for one in found.values()} == {"1970-01-12T13:46:40.000Z", "2096-10-02T07:06:40.000Z"}


# --- the state index


@asynchronous
async def test_a_late_state_never_wins_whatever_the_clocks_say(cluster):
    peer = Peer(cluster.url, "states", cluster.product, what="states")
    fast, slow = peer.output(clock=lambda: 4 * 10**18), peer.output(clock=lambda: NOON)
    assert await fast.deliver([state("f1", 5), state("f2", 1)]) == [DONE] * 2
    resolved = state("f1", 6, status="resolved", verdict="true", tags=["a"], resolved="2026-01-02T04:00:00.000Z")
    assert await slow.deliver([resolved]) == [DONE]
    assert await fast.deliver([state("f1", 5, status="late"), state("f1", 6, status="late")]) == [DONE] * 2
    no_state = Outgoing(1, "f3", NOON, "high", "a", b'{"pluginhost":{}}')
    (dead,) = await slow.deliver([no_state])
    assert isinstance(dead, Dead)
    await fast.close()
    await slow.close()
    found = peer.documents()
    assert {name: one["pluginhost"]["state"]["status"] for name, one in found.items()} == {"f1": "resolved", "f2": "open"}
    asked = {"size": 0, "query": {"range": {"pluginhost.state.resolved": {"gte": "2026-01-02"}}},
             "aggs": {"by": {"terms": {"field": "pluginhost.state.verdict"}}}}  # fmt: skip
    (bucket,) = call(cluster.url, "POST", f"/{peer.stream}/_search", asked)["aggregations"]["by"]["buckets"]
    assert (bucket["key"], bucket["doc_count"]) == ("true", 1)
    assert stored(cluster.url, "pluginhost-alert-state")["_meta"] == mapping(cluster.url, peer.stream)["_meta"] == OURS


@asynchronous
async def test_every_field_of_a_state_is_mapped(cluster):
    strict = state_template(cluster.version, cluster.product)
    strict |= {"index_patterns": ["pluginhost-alert-state-strict"], "priority": 501}
    strict["template"]["mappings"]["dynamic"] = "strict"
    call(cluster.url, "PUT", "/_index_template/strict-state", strict)
    when = "2026-01-02T03:04:05.123Z"
    whole = {"verdict": "benign", "assignee": "ann", "tags": ["a"], "links": ["https://t.example/1"], "alerts": 2, "suppressed": 1,
             "first": when, "last": when, "opened": when, "acknowledged": when, "resolved": when, "by": "ann", "note": "n",
             "incident": 7, "severity": "high"}  # fmt: skip
    output = Peer(cluster.url, "strict", cluster.product, what="states").output()
    try:
        assert await output.deliver([state("f1", 1, **whole)]) == [DONE]
        (dead,) = await output.deliver([state("f2", 1, nowhere=1)])
        assert isinstance(dead, Dead)
        assert "strict_dynamic_mapping_exception" in dead.reason
    finally:
        await output.close()
        call(cluster.url, "DELETE", "/_index_template/strict-state")


@asynchronous
async def test_a_state_index_that_was_deleted_comes_again_and_a_block_is_waited_for(cluster):
    peer = Peer(cluster.url, "fallen", cluster.product, what="states")
    output = peer.output()
    assert await output.deliver([state("f1", 1)]) == [DONE]
    call(cluster.url, "DELETE", f"/{peer.stream}")
    assert await output.deliver([state("f1", 2)]) == [DONE]
    assert mapping(cluster.url, peer.stream)["_meta"] == OURS
    call(cluster.url, "PUT", f"/{peer.stream}/_settings", {"index.blocks.write": True})
    (blocked,) = await output.deliver([state("f1", 3)])
    assert isinstance(blocked, Retry)
    assert (blocked.slow, "cluster_block_exception" in blocked.reason) == (True, True)
    call(cluster.url, "PUT", f"/{peer.stream}/_settings", {"index.blocks.write": None})
    assert await output.deliver([state("f1", 3)]) == [DONE]
    await output.close()
    assert peer.documents()["f1"]["pluginhost"]["state"]["revision"] == 3


@asynchronous
async def test_a_retention_that_the_server_cannot_see_to_stops_nothing(cluster, caplog):
    peer = Peer(cluster.url, "kept", cluster.product, retention=Duration.of("90d"))
    with as_before(cluster), caplog.at_level(logging.WARNING, "pluginhost"):
        for name in "ab":
            output = peer.output()
            assert await output.deliver([outgoing(name)]) == [DONE]
            await output.close()
        told = {one.getMessage() for one in caplog.records if one.name == "pluginhost.outputs.search"}
        lifecycle = stored(cluster.url, "logs-pluginhost.alerts")["template"].get("lifecycle", {})
    if cluster.product == "elasticsearch":
        assert lifecycle["data_retention"] == "90d"  # what the stream is made with; the server's module that changes it is not there
        assert told == {f"retention of {peer.stream}: this server has no data stream lifecycle; it is left as it is"}
    else:
        assert told == {(f"retention policy {peer.stream}: this server has no index state management: delete old indices yourself; "
                         "it is left as it is")}  # fmt: skip
    assert peer.count() == 2


def test_streams_of_other_sorts_are_refused(cluster):
    """What the retry of a misplaced write rests on: how the servers word it."""
    peer = Peer(cluster.url, "misplaced", cluster.product)
    call(cluster.url, "PUT", TEMPLATE, alerts_template(cluster.version, cluster.product))
    with contextlib.suppress(urllib.error.HTTPError):
        call(cluster.url, "PUT", f"/{peer.stream}/_create/a", {"@timestamp": "2026-01-02T03:04:05.123Z"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(cluster.url, "PUT", f"/{peer.stream}/_doc/a", {"@timestamp": "2026-01-02T03:04:05.123Z"})
    assert b'"reason":"only write ops with an op_type of create' in refused.value.read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(cluster.url, "PUT", f"/{peer.stream}/_create/b?pipeline=nope", {"@timestamp": "2026-01-02T03:04:05.123Z"})
    assert b'"reason":"pipeline with id [nope] does not exist"' in refused.value.read()
