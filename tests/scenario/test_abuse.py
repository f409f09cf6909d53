"""A sidecar under attack: bad bytes at every door, ten thousand silent connections, dripping senders, wrong keys and certificates.

All the while a good client sends over every door, each time over a connection of its own, and every record of its is analysed, once.
Afterwards memory and open files are back where they were.
"""

from __future__ import annotations

import itertools
import json
import resource
import ssl
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from attackers import Drip, Idle, bad_frames, bad_requests, bad_streams, talk
from certificates import Authority
from sidecars import Sender, free_port, until

from pluginhost.wire.v1 import ingest_pb2 as pb

TOKEN = "open-sesame-4711"
COUNTS = """\
from pluginhost import Alert, analyzer


@analyzer(where="good:*")
def counts(event):
    return Alert("low", f"record {event['good']}")
"""
IDLE = 10_000


class Good(threading.Thread):
    """Sends record after record, door by door, and gives up on none."""

    def __init__(self, one, doors):
        super().__init__(daemon=True)
        self.one, self.doors, self.sent, self.broken = one, doors, [], None
        self._ended, self._numbers = threading.Event(), itertools.count()
        self._turns = itertools.cycle(("forward", "http", "grpc", "https"))

    def run(self):
        try:
            while not self._ended.wait(0.02):
                door, number = next(self._turns), next(self._numbers)
                getattr(self, door)({"good": f"{door}-{number}"})
                self.sent.append(f"{door}-{number}")
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.broken = error

    def stop(self):
        self._ended.set()
        self.join(120)
        assert not self.is_alive()
        if self.broken:
            raise self.broken

    def forward(self, record):
        sender = Sender(self.doors["forward"])
        sender.send([record], attempts=100)
        sender.close()

    def http(self, record):
        self._posted(f"http://127.0.0.1:{self.doors['http']}/v1/ingest", record, {"X-Api-Key": TOKEN})

    def https(self, record):
        self._posted(f"https://localhost:{self.doors['https']}/v1/ingest", record, {}, self.doors["context"])

    def _posted(self, url, record, headers, context=None):
        request = urllib.request.Request(url, json.dumps(record).encode(), {"Content-Type": "application/json"} | headers)

        def taken():
            try:
                with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                    return json.loads(answer.read()) == {"accepted": 1}
            except urllib.error.HTTPError as error:
                return error.code != 503 and pytest.fail(f"{url} answered {error.code}")
            except OSError:
                return False

        until(taken, 60, "an answer")

    def grpc(self, record):
        batch = pb.Batch(sequence=1, tag="good", encoding=pb.ENCODING_JSON, payload=json.dumps(record).encode())

        def taken():
            with grpc.insecure_channel(f"127.0.0.1:{self.doors['grpc']}") as channel:
                send = channel.stream_stream("/pluginhost.v1.Ingest/Send", pb.Batch.SerializeToString, pb.Ack.FromString)
                try:
                    (ack,) = send(iter([batch]), metadata=[("x-api-key", TOKEN)], timeout=30)
                except grpc.RpcError as error:
                    assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)  # noqa: PT017
                    return False
            return ack.accepted == 1

        until(taken, 60, "an ack")


@pytest.fixture
def attacked(sidecar, tmp_path):
    """(sidecar, its doors): plain ones that ask for a token, one over TLS that asks for a certificate."""
    authority = Authority(tmp_path / "tls")
    one = sidecar()
    (one.analyzers / "counts.py").write_text(COUNTS)
    doors = {"forward": one.forward, "http": one.http, "grpc": free_port(), "https": free_port(), "tcp": free_port()}
    one.config["inputs"][1]["token"] = TOKEN
    one.config["inputs"] += [
        {"type": "tcp", "port": doors["tcp"], "format": "json"},
        {"type": "grpc", "port": doors["grpc"], "token": TOKEN},
        {"type": "http", "name": "https", "port": doors["https"], "tls": {**authority.issue("server"), "client_ca": str(authority.ca)}},
    ]
    doors["authority"], doors["context"] = authority, _context(authority.ca, authority.issue("good"))
    yield one.start(), doors
    assert one.stop() == 0
    assert TOKEN not in one.log()


def _context(ca, files=None):
    context = ssl.create_default_context(cafile=ca)
    if files:
        context.load_cert_chain(files["cert"], files["key"])
    return context


def memory(one):
    """Bytes of the host that are in memory."""
    status = Path(f"/proc/{one.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS"))


def files(one):
    return len(list(Path(f"/proc/{one.pid}/fd").iterdir()))


def bad_bytes(one, doors):
    """At least five hundred bad inputs over all doors."""
    bad = [(doors["forward"], data) for data in bad_frames(220)]
    bad += [(doors["http"], data) for data in bad_requests(220)]
    bad += [(doors["grpc"], data) for data in bad_streams(80)] + [(doors["https"], data) for data in bad_requests(30, seed=4)]
    bad += [(doors["tcp"], data) for data in [*bad_requests(20, seed=5), *bad_frames(20, seed=6), *bad_streams(20, seed=7)]]
    assert len(bad) >= 500
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda one: talk(*one), bad))


def silence(one, doors):
    """Ten thousand connections that say nothing."""
    with Idle([doors[name] for name in ("forward", "http", "grpc", "https", "tcp")], IDLE) as idle:
        assert idle.held == IDLE


def dripping(one, doors):
    """Senders so slow that they never end."""
    frame = Sender(0)._frame([{"drip": "x" * 200}], None, "c")
    request = b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\nX-Api-Key: " + TOKEN.encode() + b"\r\n\r\n" + b"x" * 100
    drips = [Drip(doors[door], data) for door, data in (("forward", frame), ("http", request), ("grpc", b"PRI * HTTP/2.0\r\n\r\nSM" * 9),
                                                        ("https", b"\x16\x03\x01\x02\x00" + b"x" * 300)) for _ in range(25)]  # fmt: skip
    for drip in drips:
        drip.start()
    for drip in drips[::2]:
        drip.join(2)
    for drip in drips:
        drip.stop()


def wrong_keys(one, doors):
    """Two hundred guesses, over both doors that ask."""
    for number in range(100):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{doors['http']}/v1/ingest", b"{}",
                                                          {"Authorization": f"Bearer {TOKEN}{number}"}), timeout=30)  # fmt: skip
    with grpc.insecure_channel(f"127.0.0.1:{doors['grpc']}") as channel:
        send = channel.stream_stream("/pluginhost.v1.Ingest/Send", pb.Batch.SerializeToString, pb.Ack.FromString)
        for number in range(100):
            with pytest.raises(grpc.RpcError) as refused:
                list(send(iter([]), metadata=[("x-api-key", f"guess-{number}")], timeout=30))
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def wrong_certificates(one, doors):
    """None, one of a stranger, one of yesterday; TLS too old; no TLS at all."""
    authority = doors["authority"]
    stranger = Authority(authority.folder / "stranger")
    shown = (None, stranger.issue("good"), authority.issue("old", expired=True))
    contexts = [_context(authority.ca, one) for one in shown]
    for context, _ in itertools.product(contexts, range(20)):
        with pytest.raises(OSError, match=r"."):
            urllib.request.urlopen(f"https://localhost:{doors['https']}/v1/ingest", b"{}", timeout=30, context=context)
    for _ in range(20):
        talk(doors["https"], b"POST /v1/ingest HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.fixture(autouse=True, scope="module")
def many_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_good_client_is_served_whatever_others_do_and_memory_comes_back(attacked):
    one, doors = attacked
    good = Good(one, doors)
    good.start()
    bad_bytes(one, doors)  # so that each door has done once all that it does
    one.settled()
    open_files = until(lambda: (count := files(one)) < 200 and count, 60, "the end of their connections")
    before = memory(one)
    for attack in (silence, bad_bytes, silence, dripping, wrong_keys, wrong_certificates):
        served = len(good.sent)
        attack(one, doors)
        until(lambda served=served: len(good.sent) > served + 8 or good.broken, 60, f"a good client served after {attack.__name__}")
    good.stop()
    one.settled()
    until(lambda: len(one.alerts()) == len(good.sent), 60, "all of its records analysed")
    assert sorted(alert["headline"] for alert in one.alerts()) == sorted(f"record {number}" for number in good.sent)
    until(lambda: files(one) <= open_files + 10, 60, "all connections ended")
    until(lambda: memory(one) - before < 48 << 20, 60, "the return of the memory")
    counts = one.status()["counts"]
    assert counts["input.http"]["unauthorized"] >= 100
    assert counts["input.grpc"]["unauthorized"] == 100
    assert counts["input.https"]["tls_failed"] >= 60
    assert sum(counts[f"input.{door}"]["evicted"] for door in ("http", "https", "forward", "tcp")) > 5_000
    assert [worker["restarts"] for name, worker in counts.items() if name.startswith("worker.")] == [0]
