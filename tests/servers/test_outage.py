"""Who holds alerts goes away and comes back while records flow, and so does the sidecar: every alert is there, once."""

from __future__ import annotations

import json
import threading
import urllib.request

import pytest
from sidecars import Sender, until

EVERY = '''
from pluginhost import Alert, analyzer

@analyzer
def every_hundredth(event):
    """Each record whose number ends in 00."""
    return Alert("high", f"record {event['seq']}") if event["seq"] % 100 == 0 else None
'''


def documents(server, namespace):
    """Every alert in the stream, refreshed."""
    stream = f"{server.url}/logs-pluginhost.alerts-{namespace}"
    urllib.request.urlopen(urllib.request.Request(f"{stream}/_refresh", method="POST"), timeout=30).close()
    with urllib.request.urlopen(f"{stream}/_search?size=10000", timeout=30) as answer:
        return [hit["_source"] for hit in json.loads(answer.read())["hits"]["hits"]]


def alone(kind):
    """A parameter whose tests keep to one process: its server is started there."""
    return pytest.param(kind, marks=pytest.mark.xdist_group(kind))


@pytest.fixture(params=["elasticsearch", alone("opensearch"), alone("postgresql")])
def taker(request):
    """(type of the output, its options, the server, what it holds)."""
    kind, server = request.param, request.getfixturevalue(request.param)
    if kind == "postgresql":
        options = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "username": "postgres", "table": "outage"}
        return kind, options, server, lambda: [row[0] for row in server.sql("select document from outage")]
    return kind, {"hosts": [server.url]}, server, lambda: documents(server, "outage")


@pytest.mark.servers
def test_down_and_up_again_loses_and_doubles_nothing(taker, sidecar):
    kind, options, server, held = taker
    one = sidecar(namespace="outage", outputs=[{"type": kind, "timeout": "5s", **options}])
    (one.analyzers / "every_hundredth.py").write_text(EVERY)
    one.start()
    sender, sent, stop = Sender(one.forward), [0], threading.Event()

    def send():
        while not stop.is_set():
            sender.send([{"seq": sent[0] + n} for n in range(500)])
            sent[0] += 500

    def delivered():
        return one.status()["counts"][f"output.{kind}"]["delivered"]

    thread = threading.Thread(target=send)
    thread.start()
    try:
        until(lambda: delivered() >= 20, 30)
        server.kill9()
        at = sent[0]
        until(lambda: one.status()["outputs"][0]["trouble"], 30)
        until(lambda: sent[0] >= at + 10_000, 60)  # records go on while nobody takes the alerts
    finally:
        stop.set()
        thread.join()
        server.start()
    wanted = {f"record {number}" for number in range(0, sent[0], 100)}
    until(lambda: len(held()) > 20, 90, "delivery to go on")
    one.kill()
    one.start()
    one.settled()
    until(lambda: len(held()) >= len(wanted), 90, "delivery of the rest")
    found = held()
    assert len(found) == len(wanted)
    assert {one["message"] for one in found} == wanted
    assert one.status()["outputs"][0]["trouble"] == ""


@pytest.mark.servers
def test_alerts_stand_with_the_mapping_of_the_template(elasticsearch, sidecar):
    one = sidecar(namespace="scenario", analyzers=["shipped"], outputs=[{"type": "elasticsearch", "hosts": [elasticsearch.url]}])
    one.start()
    failed = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"
    Sender(one.forward, "auth.sshd").send([{"message": failed}] * 12)
    one.settled()
    until(lambda: one.status()["counts"]["output.elasticsearch"]["delivered"] == 1, 60)
    (found,) = documents(elasticsearch, "scenario")
    assert found["source"] == {"address": "203.0.113.9", "port": 50000, "ip": "203.0.113.9"}
    assert found["event"]["severity"] == 73
    query = {"query": {"bool": {"filter": [
        {"term": {"source.ip": "203.0.113.0/24"}}, {"term": {"rule.id": "ssh_bruteforce"}}, {"term": {"user.name": "root"}},
        {"range": {"event.severity": {"gte": 73}}}, {"range": {"@timestamp": {"gte": "now-1h"}}},
        {"term": {"threat.technique.id": "T1110.001"}}]}}}  # fmt: skip
    request = urllib.request.Request(f"{elasticsearch.url}/logs-pluginhost.alerts-scenario/_count", json.dumps(query).encode(),
                                     {"Content-Type": "application/json"})  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["count"] == 1
