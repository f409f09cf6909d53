"""Elasticsearch is slow, away, overloaded, read-only or rolled over at the wrong moment: in the end each alert is there, once.

Real sidecars and the real server; what the server cannot be made to do at will is done on the way to it (`proxies.py`).
"""

from __future__ import annotations

import json

import pytest
from forward_receiver import Receiver
from proxies import Answer, Gate, Line, Request
from sidecars import until
from streams import api, documents, stream

EVERY = '''
from pluginhost import Alert, analyzer

@analyzer
def every(event):
    """Each record."""
    return Alert("low", f"{event['seq']}")
'''
BUSY = {"type": "es_rejected_execution_exception", "reason": "rejected execution: queue is full"}


@pytest.fixture
def started(sidecar):
    """A sidecar with an output to `url`; its namespace is new for each test."""

    def start(url, namespace, *before, outputs=(), **options):
        """In a folder of its own, by the name of the namespace."""
        es = {"type": "elasticsearch", "hosts": [url], "timeout": "2s", **options}
        one = sidecar(namespace, namespace=namespace, outputs=[es, *outputs])
        (one.analyzers / "every.py").write_text(EVERY)
        return one.start(*before)

    return start


def post(one, first, last, pad=""):
    one.post([{"seq": number, "pad": pad} for number in range(first, last)])


def bulk(request):
    """Whether alerts are written; their states, which go beside, are let through."""
    return "/logs-pluginhost.alerts-" in request.path and "_bulk" in request.path


def counts(one):
    return one.status()["counts"]["output.elasticsearch"]


def trouble(one):
    return one.status()["outputs"][0]["trouble"]


def delivered(one, count, seconds=60.0):
    until(lambda: counts(one)["delivered"] == count, seconds, f"delivery of {count}")


def each_once(server, namespace, count):
    found = sorted(int(one["message"]) for one in documents(server, namespace))
    assert found == list(range(count))


def test_slow_answers_and_a_line_that_is_cut(elasticsearch, started):
    with Line(elasticsearch.port) as line:
        one = started(f"http://127.0.0.1:{line.port}", "faults_slow", batch=50, timeout="6s")
        post(one, 0, 1)
        delivered(one, 1)
        met = counts(one)["failures"]  # the first contact of all makes templates, and may take longer
        line.delay = 0.1
        post(one, 1, 200)
        delivered(one, 200)
        assert counts(one)["failures"] == met
        line.delay = 8  # longer than the deadline: what was asked is done, and nobody hears of it
        post(one, 200, 300)
        until(lambda: "Timeout" in trouble(one), 60, "a request that takes too long")
        line.delay = 0
        delivered(one, 300)
        line.cut()
        post(one, 300, 400)
        until(lambda: trouble(one))
        line.mend()
        delivered(one, 400)
        assert counts(one)["failures"] >= met + 2
        assert counts(one)["present"] >= 50  # the requests nobody heard of had been carried out
    each_once(elasticsearch, "faults_slow", 400)


def test_a_server_that_takes_everything_and_never_answers_holds_up_nobody_else(elasticsearch, started):
    with Line(elasticsearch.port) as line, Receiver() as receiver:
        others = [{"type": "forward", "servers": [f"127.0.0.1:{receiver.port}"]}, {"type": "file", "path": "alerts.jsonl"}]
        one = started(f"http://127.0.0.1:{line.port}", "faults_mute", outputs=others)
        post(one, 0, 10)
        delivered(one, 10)
        line.swallow()
        post(one, 10, 300)
        receiver.wait(300)
        until(lambda: len((one.folder / "alerts.jsonl").read_text().splitlines()) == 300)
        until(lambda: "Timeout" in trouble(one), what="the deadline")
        assert counts(one)["delivered"] == 10
        line.mend()
        delivered(one, 300)
    each_once(elasticsearch, "faults_mute", 300)


def test_whole_requests_and_single_items_that_are_too_many_come_again(elasticsearch, started):
    whole, single = [], []

    def overloaded(request: Request) -> Answer | None:
        if not bulk(request):
            return request.passed()
        if len(whole) < 2:
            whole.append(request)
            return Answer(429, json.dumps({"error": BUSY, "status": 429}).encode(), {"Content-Type": "application/json"})
        lines = request.body.splitlines(keepends=True)
        pairs = [b"".join(lines[at : at + 2]) for at in range(0, len(lines), 2)]
        if len(single) > 100 or len(pairs) < 2:
            return request.passed()
        answer = request.passed(b"".join(pairs[::2]))
        items, told = iter(json.loads(answer.body)["items"]), []
        for place, _ in enumerate(pairs):
            if place % 2:
                single.append(place)
            told.append({"create": {"status": 429, "error": BUSY}} if place % 2 else next(items))
        return answer._replace(body=json.dumps({"errors": True, "items": told}).encode())

    with Gate(elasticsearch.url, overloaded) as gate:
        one = started(gate.url, "faults_busy", batch=100, timeout="30s")
        post(one, 0, 300)
        delivered(one, 300)
        assert (len(whole), counts(one)["failures"], counts(one)["dead"]) == (2, 2, 0)
        assert counts(one)["retried"] == len(single) > 100
    each_once(elasticsearch, "faults_busy", 300)


def test_a_request_that_is_too_large_is_halved_until_the_one_that_never_fits_is_alone(elasticsearch, started):
    def narrow(request: Request) -> Answer | None:
        much = bulk(request) and len(request.body) > 20_000
        return Answer(413) if much else request.passed()  # no body, no product header: as the server does

    with Gate(elasticsearch.url, narrow) as gate:
        one = started(gate.url, "faults_large")
        post(one, 0, 60)
        post(one, 60, 61, pad="x" * 30_000)
        delivered(one, 60)
        until(lambda: counts(one)["dead"] == 1)
        (letter,) = one.ask("dead_letters")
        assert (letter["stage"], letter["reason"]) == ("output", "413 Request Entity Too Large")
    each_once(elasticsearch, "faults_large", 60)


def test_a_read_only_index_is_waited_for_and_nothing_is_given_up(elasticsearch, started):
    """Both kinds of block at once, for somebody must act first, and so a sidecar looks once a minute only."""
    ones = {block: started(elasticsearch.url, f"faults_{block}") for block in ("write", "read_only_allow_delete")}

    def blocked(block: str, state: bool | None) -> None:
        api(elasticsearch, "PUT", f"/{stream(f'faults_{block}')}/_settings", {f"index.blocks.{block}": state})

    for block, one in ones.items():
        post(one, 0, 50)
        delivered(one, 50)
        blocked(block, True)
        post(one, 50, 100)
    for block, one in ones.items():
        until(lambda one=one: counts(one)["retried"] == 50)
        blocked(block, None)
        post(one, 100, 101)
    for block, one in ones.items():
        delivered(one, 101, 90.0)
        assert counts(one)["dead"] == 0
        each_once(elasticsearch, f"faults_{block}", 101)


@pytest.mark.parametrize("restart", [False, True])
def test_a_rollover_between_an_attempt_nobody_knows_of_and_the_next_makes_no_second_copy(elasticsearch, started, restart):
    namespace, lost = f"faults_rollover_{int(restart)}", []

    def swallowing(request: Request) -> Answer | None:
        if not bulk(request):
            return request.passed()
        if not lost:
            lost.append(request.passed())
            api(elasticsearch, "POST", f"/{stream(namespace)}/_rollover")
            if restart:
                until(lambda: len(lost) > 1)  # the answer never comes, for the sidecar is killed before
            return None
        return request.passed()

    with Gate(elasticsearch.url, swallowing) as gate:
        one = started(gate.url, namespace, timeout="30s")  # a lost answer is known by the end of its connection
        post(one, 0, 300)
        until(lambda: lost)
        if restart:
            one.settled()
            one.kill()
            lost.append(None)
            one.start()
        post(one, 300, 310)
        delivered(one, 310)
        written = [item["create"]["status"] for item in json.loads(lost[0].body)["items"]]
        assert set(written) == {201}
        assert counts(one)["present"] == len(written)
    assert len(api(elasticsearch, "GET", f"/{stream(namespace)}/_settings")) == 2  # two backing indices
    each_once(elasticsearch, namespace, 310)
