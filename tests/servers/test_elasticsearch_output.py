"""What is Elasticsearch's own among the search outputs: streams that are required, API keys, limits set low."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from search_peers import Peer, asynchronous, call, outgoing

from pluginhost.options import Secret, Size
from pluginhost.outputs.port import DONE, Dead, Outgoing, Retry, Unavailable
from pluginhost.outputs.search import SearchOutput
from pluginhost.problem import Problem


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


@asynchronous
async def test_elasticsearch_is_told_from_opensearch(elasticsearch_url):
    output = Peer(elasticsearch_url, "else", "opensearch").output()
    with pytest.raises(Unavailable) as told:
        await output.deliver([outgoing("a")])
    assert (told.value.slow, told.value.reason) == (True, "who answers there is not OpenSearch")
    with pytest.raises(Problem, match="is not OpenSearch"):
        await output.check()
    await output.close()


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

    async def push(output: SearchOutput, alerts: list[Outgoing]) -> None:
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
