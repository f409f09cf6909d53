"""Every kind of component tells the same things, and tells them right: known records in, exact values at `/metrics`."""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.error
import urllib.request

import grpc
import msgpack
import msgspec
import pytest
from forward_receiver import Receiver
from prometheus import measured, samples, scrape
from pytest_httpserver import HTTPServer
from sidecars import Sender, Sidecar, free_port, until
from werkzeug import Response

from pluginhost.host.exposition import METRICS
from pluginhost.wire.v1 import ingest_pb2 as pb

pytestmark = pytest.mark.xdist_group("observability")

ANALYZERS = '''
from pluginhost import Alert, SlidingCount, Timers, Unjudged, analyzer

@analyzer
def every_fourth(event):
    """A function without state."""
    return Alert("low", f"fourth {event['n']}") if event["n"] % 4 == 0 else None

@analyzer(key="user.name")
def per_user(event, seen: SlidingCount = SlidingCount("1h")):
    """A function with state, which most records have the key of."""
    return Alert("low", f"fifth of {event['user.name']}") if seen.add(event) == 5 else None

@analyzer(where="n:1", key="user.name")
class later:
    """A class with timers."""
    timers: Timers = Timers()

    def on_event(self, event):
        self.timers.set("later", event.time + 10**9)

    def on_timer(self, timer):
        return Alert("low", "later")

@analyzer
def raises(event):
    """One that fails once, and cannot judge another."""
    if event["n"] == 7:
        raise ValueError("seven")
    return Unjudged("eight") if event["n"] == 8 else None
'''
FORWARD, HTTP, GRPC, TWICE = range(40), range(40, 60), range(60, 90), range(90, 92)
ALERTS = 23 + 3 + 1  # every fourth of 92, each of three users, one timer


def record(n):
    return {"n": n, **({"user": {"name": f"u{n % 3}"}} if n % 5 else {})}


def entries(chunk):
    return len(b"".join(b"\x92" + bytes(10) + msgspec.msgpack.encode(one) for one in chunk))


class Peers:
    """What the outputs reach: an HTTP server that is away at first, and a cluster that refuses one document."""

    def __init__(self, server):
        self.posts = self.refused = 0
        self.bodies = {"http": 0, "es": 0}
        server.expect_request("/in").respond_with_handler(self.post)
        server.expect_request(re.compile("/es.*")).respond_with_handler(self.cluster)

    def post(self, request):
        self.posts += 1
        self.bodies["http"] += len(request.get_data())
        return Response("later", 503) if self.posts == 1 else Response("ok")

    def cluster(self, request):
        made = {"version": {"number": "8.19.21"}} if request.path in ("/es", "/es/") else {}
        if request.path.endswith("_bulk"):
            self.bodies["es"] += len(request.get_data())
            made = {"errors": True, "items": [{"create": self.judged()} for _ in request.get_data().splitlines()[::2]]}
        if request.path.endswith("_search"):
            made = {"hits": {"hits": []}}
        return Response(json.dumps(made), 200, {"X-elastic-product": "Elasticsearch", "Content-Type": "application/json"})

    def judged(self):
        self.refused += 1
        if self.refused == 1:
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no"}}
        return {"status": 201}


@pytest.fixture(scope="module")
def value(tmp_path_factory):
    """The metrics of a sidecar that has been through all of it."""
    with HTTPServer() as server, Receiver() as receiver:
        peers, port = Peers(server), free_port()
        one = Sidecar(tmp_path_factory.mktemp("one"), metrics={"port": port}, lateness="100ms", outputs=[
            {"type": "file", "path": "alerts.ndjson"},
            {"type": "http", "url": server.url_for("/in")},
            {"type": "forward", "servers": [f"127.0.0.1:{receiver.port}"]},
            {"type": "elasticsearch", "hosts": [server.url_for("/es").rstrip("/")], "states": False},
        ])  # fmt: skip
        one.grpc = free_port()
        one.config["inputs"].append({"type": "grpc", "port": one.grpc})
        (one.analyzers / "all.py").write_text(ANALYZERS)
        one.start()
        try:
            send_over_forward(one)
            until(lambda: measured(port)("component_sent_events_total", component_id="later"), what="the timer's alert")
            send_the_rest(one)
            one.settled()
            names = ("file", "http", "forward", "elasticsearch")
            until(lambda: [measured(port)("buffer_events", component_id=name) for name in names] == [0, 0, 0, 0], what="delivery")
            known = measured(port)
            known.peers, known.text, known.folder = peers, scrape(port)[1], one.folder
            yield known
        finally:
            one.stop()


def send_over_forward(one):
    """First, and with times a little ahead at the end: event time goes on, and the timer falls due."""
    sender, now, twice = Sender(one.forward), int(time.time()), [record(n) for n in TWICE]
    sender.send([5, *map(record, FORWARD), "text"], when=now)  # two are no records
    sender.send_and_reset(twice, chunk="again", when=now + 5)
    until(lambda: one.status()["counts"]["input.forward"]["open"] == 1, what="the reset")  # the sender's own line is left
    sender.send(twice, chunk="again", when=now + 5)
    sender.close()


def send_the_rest(one):
    one.post([*map(record, HTTP), 5, "text", None])
    with contextlib.suppress(urllib.error.HTTPError):  # 422
        request = urllib.request.Request(f"http://127.0.0.1:{one.http}/v1/ingest/t", b"\xff{", {"Content-Type": "application/json"})
        urllib.request.urlopen(request)
    one.post([record(n) for n in range(3)], tag="flagged.low.x")  # our own, coming back
    with grpc.insecure_channel(f"127.0.0.1:{one.grpc}") as channel:
        call = channel.stream_stream("/pluginhost.v1.Ingest/Send", request_serializer=pb.Batch.SerializeToString,
                                     response_deserializer=pb.Ack.FromString)  # fmt: skip
        good = pb.Batch(sequence=1, tag="t", encoding=pb.ENCODING_MSGPACK, payload=msgpack.packb([record(n) for n in GRPC]))
        bad = pb.Batch(sequence=2, tag="t", encoding=pb.ENCODING_JSON, payload=b"broken")
        assert [ack.accepted for ack in call(iter([good, bad]))] == [len(GRPC), 0]


class TestInputs:
    @pytest.mark.parametrize(("kind", "received", "bytes_", "dead", "discarded", "errors"), [
        ("forward", 40 + 4, entries([5, *map(record, FORWARD), "text"]) + 2 * entries(map(record, TWICE)), 2, 2, {"rejected_not_a_map": 2}),
        ("http", 20 + 3, None, 4, 3, {"rejected_not_a_record": 3, "unreadable": 1}),
        ("grpc", 30, None, 1, 0, {"unreadable": 1}),
    ], ids=["forward", "http", "grpc"])  # fmt: skip
    def test_an_input_tells_what_it_took_refused_and_knew(self, value, kind, received, bytes_, dead, discarded, errors):
        of = {"component_kind": "input", "component_type": kind, "component_id": kind}
        assert value("component_received_events_total", **of) == received
        assert value("component_received_bytes_total", **of) == bytes_ or bytes_ is None
        assert value("component_discarded_events_total", intentional="false", **of) == dead
        assert value("component_discarded_events_total", intentional="true", **of) == discarded
        found = samples(value.text)
        told = {dict(has)["error_type"]: count for (name, has), count in found.items()
                if name == "pluginhost_component_errors_total" and of.items() <= dict(has).items() and count}  # fmt: skip
        assert {name: told.pop(name, 0) for name in errors} == errors
        assert [name for name in told if not name.startswith("rejected_")] == []


class TestAnalyzers:
    @pytest.mark.parametrize(("name", "seen", "fired", "failed", "unkeyed", "keys"), [
        ("every_fourth", 92, 23, 0, 0, 0), ("per_user", 92 - 19, 3, 0, 19, 3), ("later", 1, 1, 0, 0, 1), ("raises", 92, 0, 1, 0, 0),
    ])  # fmt: skip
    def test_an_analyzer_tells_what_it_saw_said_and_keeps(self, value, name, seen, fired, failed, unkeyed, keys):
        of = {"component_kind": "analyzer", "component_type": "python", "component_id": name}
        assert value("component_received_events_total", **of) == seen
        assert value("component_sent_events_total", **of) == fired
        assert value("component_errors_total", stage="processing", error_type="raised", **of) == failed
        assert value("analyzer_unkeyed_events_total", analyzer=name) == unkeyed
        assert value("analyzer_keys", analyzer=name) == keys
        assert value("analyzer_unjudged_events_total", analyzer="raises", reason="eight") == 1
        assert value("analyzer_evicted_keys_total", analyzer=name) == value("analyzer_quarantined", analyzer=name) == 0
        assert 0 <= value("analyzer_cpu_seconds_total", analyzer=name) < 10


class TestOutputs:
    @pytest.mark.parametrize(("kind", "sent", "dead", "failures"), [
        ("file", ALERTS, 0, 0), ("http", ALERTS, 0, 1), ("forward", ALERTS, 0, 0), ("elasticsearch", ALERTS - 1, 1, 0),
    ])  # fmt: skip
    def test_an_output_tells_what_it_delivered_and_gave_up(self, value, kind, sent, dead, failures):
        of = {"component_kind": "output", "component_type": kind, "component_id": kind}
        assert value("component_sent_events_total", **of) == sent
        assert value("component_discarded_events_total", intentional="false", **of) == dead
        assert value("component_errors_total", stage="sending", error_type="unreachable", **of) == failures
        assert value("buffer_events", **of) == value("buffer_bytes", **of) == value("buffer_oldest_seconds", **of) == 0
        assert value("buffer_max_bytes", **of) == 1 << 30
        assert value("output_up", component_id=kind) == 1

    def test_bytes_sent_are_those_that_arrived(self, value):
        def sent(kind):
            return value("component_sent_bytes_total", component_id=kind, component_kind="output")

        assert sent("file") == (value.folder / "alerts.ndjson").stat().st_size
        assert (sent("http"), sent("elasticsearch")) == (value.peers.bodies["http"], value.peers.bodies["es"])
        assert sent("forward") > ALERTS * 20


class TestHost:
    def test_the_journal_holds_what_was_taken(self, value):
        of = {"component_kind": "journal"}
        assert value("journal_records_total") == 92
        assert value("journal_end_row") == value("journal_analysed_row") >= 5
        assert value("buffer_events", **of) == value("buffer_oldest_seconds", **of) == 0
        assert value("buffer_bytes", **of) > 4000
        assert value("buffer_max_bytes", **of) == 4 << 30
        assert value("journal_torn_bytes") == value("journal_refused_total") == value("journal_failed_total") == 0

    def test_the_desk_tells_alerts_and_dead_letters(self, value):
        assert value("desk_findings_total") == value("desk_alerts_total") == ALERTS
        assert value("dead_letters_total") == 2 + 4 + 1
        assert value("dead_letters_held") == 2 + 4 + 1 + 1  # and the output's
        assert value("dead_letters_dropped_total") == 0
        assert value("duplicate_chunks_total") == 1
        assert value("loop_events_total") == 3

    def test_worker_and_process_are_told(self, value):
        assert value("worker_up", worker="0") == value("ready") == value("generation") == 1
        assert value("worker_restarts_total", worker="0") == value("worker_lag_rows", worker="0") == 0
        assert value("worker_resident_memory_bytes", worker="0") > 10 << 20
        assert "process_resident_memory_bytes" in value.text

    def test_every_metric_that_is_declared_is_told_and_no_other(self, value):
        told = {name for name, _ in samples(value.text)}
        assert told == set(METRICS)
