"""Every buffer is bounded: an output that is away pushes back to the senders, or dead-letters; nothing grows, nothing is lost."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from receivers import ForwardReceiver, HttpReceiver
from sidecars import Sender, free_port, until

from pluginhost.wire.v1 import ingest_pb2 as pb

EACH = '''
from pluginhost import Alert, analyzer

@analyzer
def each(event):
    """Every record."""
    return Alert("high", f"record {event['seq']}")
'''
CHUNKS, RECORDS, PAD = 26, 5, "x" * 20_000  # 2.6 MB in all

OUTPUTS = {
    "elasticsearch": (HttpReceiver, lambda port: {"type": "elasticsearch", "hosts": [f"http://127.0.0.1:{port}"]}),
    "forward": (ForwardReceiver, lambda port: {"type": "forward", "servers": [f"127.0.0.1:{port}"]}),
    "http": (HttpReceiver, lambda port: {"type": "http", "url": f"http://127.0.0.1:{port}/"}),
}


def configured(sidecar, *outputs, **config):
    grpc_port = free_port()
    one = sidecar(outputs=outputs, journal={"max_bytes": "1MiB"}, **config)
    one.config["inputs"][0]["busy_timeout"] = "1s"
    one.config["inputs"].append({"type": "grpc", "port": grpc_port, "busy_timeout": "1s"})
    (one.analyzers / "each.py").write_text(EACH)
    one.start()
    return one, grpc_port


class Load(threading.Thread):
    """Sends numbered records chunk by chunk, each until it is acknowledged."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.sender = Sender(port)

    def run(self):
        for number in range(CHUNKS):
            self.sender.send([{"seq": number * RECORDS + n, "pad": PAD} for n in range(RECORDS)], attempts=1000)


def memory(one):
    """Resident bytes of the host and its workers."""
    pids = [one.pid, *one.status()["workers"]]
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids)


def still(value, seconds=2.5):
    """`value()` once it has stayed the same for so long."""
    seen, since = value(), time.monotonic()
    while time.monotonic() - since < seconds:
        if (now := value()) != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.05)
    return seen


def refused_over_http(one):
    with pytest.raises(urllib.error.HTTPError) as told:
        one.post([{"seq": -1}])
    return told.value.code, int(told.value.headers["Retry-After"]) > 0, json.loads(told.value.read())["error"]


def refused_over_grpc(port):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        send = channel.stream_stream("/pluginhost.v1.Ingest/Send", request_serializer=pb.Batch.SerializeToString,
                                     response_deserializer=pb.Ack.FromString)  # fmt: skip
        with pytest.raises(grpc.RpcError) as told:
            list(send(iter([pb.Batch(sequence=1, encoding=pb.ENCODING_JSON, payload=b'{"seq": -2}')]), timeout=20))
    return told.value.code(), told.value.details()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind if kind == "http" else pytest.param(kind, marks=pytest.mark.long) for kind in OUTPUTS])
def test_an_output_that_is_away_pushes_back_to_the_senders_and_loses_nothing(sidecar, kind):
    make, output = OUTPUTS[kind]
    receiver = make(free_port())
    one, grpc_port = configured(sidecar, {**output(receiver.port), "buffer": {"max_bytes": "64KiB", "when_full": "push_back"}})
    load = Load(one.forward)
    load.start()
    try:
        until(lambda: one.status()["counts"]["desk"]["pushed_back"], 30)
        until(lambda: one.status()["counts"]["journal"]["refused"], 30, "a full journal")
        acked = still(lambda: load.sender.acked)
        assert 0 < acked < CHUNKS * RECORDS
        before = memory(one)
        assert refused_over_http(one) == (503, True, "journal full")
        assert refused_over_grpc(grpc_port) == (grpc.StatusCode.UNAVAILABLE, "journal full")
        time.sleep(3)
        assert memory(one) - before < 8 << 20
        assert one.status()["journal"]["bytes"] < 1.3 * (1 << 20)
        assert load.sender.acked == acked
        receiver.start()
        load.join(120)
        assert load.sender.acked == CHUNKS * RECORDS
        one.settled()
        wanted = {alert["id"] for alert in one.alerts()}
        assert len(wanted) == CHUNKS * RECORDS
        until(lambda: len(receiver.ids) >= len(wanted), 60, "delivery of the rest")
        assert set(receiver.ids) == wanted
        assert set(receiver.ids.values()) == {1}
        assert one.ask("dead_letters") == []
    finally:
        receiver.stop()


def test_an_http_output_that_is_away_dead_letters_loudly_and_holds_nobody_up(sidecar):
    receiver = HttpReceiver(free_port())
    one, _ = configured(sidecar, {**OUTPUTS["http"][1](receiver.port), "buffer": {"max_bytes": "150KiB"}})
    sender = Sender(one.forward)
    for number in range(4):
        sender.send([{"seq": number * RECORDS + n, "pad": PAD} for n in range(RECORDS)])
    one.settled()
    letters = one.ask("dead_letters")
    assert {(letter["stage"], letter["reason"]) for letter in letters} == {("output", "the buffer of the output is full")}
    assert one.status()["counts"]["desk"]["overflowed"] == len(letters)
    assert one.log().count("go to the dead letters from now on") == 1
    receiver.start()
    try:
        until(lambda: len(receiver.ids) + len(letters) == 20, 60, "delivery of the rest")
    finally:
        receiver.stop()


def test_what_waits_for_too_long_is_a_dead_letter_but_not_before_it_was_tried_again(sidecar):
    receiver = HttpReceiver(free_port())
    patient = {**OUTPUTS["http"][1](receiver.port), "name": "patient", "buffer": {"max_age": "1h"}}
    one, _ = configured(sidecar, {**OUTPUTS["http"][1](free_port()), "buffer": {"max_age": "1s"}}, patient)
    Sender(one.forward).send([{"seq": 1}])
    letters = until(lambda: one.ask("dead_letters"), 30)
    assert [(letter["stage"], letter["reason"]) for letter in letters] == [("output", "waited longer than 1s")]
    one.says("have waited too long")
    one.kill()
    patient["buffer"]["max_age"] = "1s"  # it has waited for longer than that
    receiver.start()
    try:
        one.start()
        until(lambda: len(receiver.ids) == 1, 30)
        assert len(one.ask("dead_letters")) == 1
    finally:
        receiver.stop()
