"""A shipper that is gone in the middle of a frame or a body: nothing of it counts, and what it sends again counts once."""

from __future__ import annotations

import json
import socket
import struct
import uuid

import pytest
from sidecars import Sender, Sidecar, until

pytestmark = pytest.mark.xdist_group("shipper")

COUNTER = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="user")
def counter(event, seen: SlidingCount = SlidingCount("1d")):
    """Counts every record of a user."""
    return Alert("low", f"{event['user']} {seen.add(event)} is {event['seq']}")
'''


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """One for all: each test has a user and chunk ids of its own."""
    made = Sidecar(tmp_path_factory.mktemp("shipper"))
    (made.analyzers / "counter.py").write_text(COUNTER)
    try:
        yield made.start()
    finally:
        made.kill()


@pytest.fixture
def user():
    return uuid.uuid4().hex


def records(user, *numbers):
    return [{"user": user, "seq": number, "pad": "x" * 1000} for number in numbers]


def counted(one, user):
    one.settled()
    return sorted(alert["headline"].removeprefix(f"{user} ") for alert in one.alerts(text=user))


def gone(one):
    until(lambda: not one.status()["counts"]["input.forward"]["open"], what="the end of the connection")


@pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
@pytest.mark.parametrize("end", ["close", "reset"])
def test_half_a_forward_frame_counts_for_nothing_and_its_resend_once(one, user, end, part):
    sender, known = Sender(one.forward), one.status()["counts"]["duplicates"]["duplicates"]
    sender.offer(records(user, 0, 1), chunk=f"{user} 1", part=part)
    getattr(sender, end)()
    gone(one)
    assert counted(one, user) == []
    sender.send(records(user, 0, 1), chunk=f"{user} 1")  # under the same id: half a frame makes no copy of a whole one
    sender.send(records(user, 2), chunk=f"{user} 2")
    sender.close()
    assert counted(one, user) == ["1 is 0", "2 is 1", "3 is 2"]
    assert one.status()["counts"]["duplicates"]["duplicates"] == known
    assert one.ask("dead_letters") == []


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_whole_frame_before_the_half_one_counts_once_whether_or_not_its_ack_was_read(one, user, end):
    sender, acks = Sender(one.forward), one.status()["counts"]["input.forward"]["acks"]
    sender.offer(records(user, 0), chunk=f"{user} whole")
    sender.add(records(user, 1), chunk=f"{user} half", part=0.5)
    until(lambda: one.status()["counts"]["input.forward"]["acks"] > acks)
    getattr(sender, end)()
    gone(one)
    assert counted(one, user) == ["1 is 0"]
    if end == "reset":  # the ack may not have arrived, so both come again
        sender.send(records(user, 0), chunk=f"{user} whole")
    sender.send(records(user, 1), chunk=f"{user} half")
    sender.close()
    assert counted(one, user) == ["1 is 0", "2 is 1"]


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("key", [False, True])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_half_an_http_body_counts_for_nothing_and_its_resend_once(one, user, framing, key, end):
    body = json.dumps(records(user, 0, 1)).encode()
    length = f"Content-Length: {len(body)}" if framing == "length" else "Transfer-Encoding: chunked"
    more = f"Idempotency-Key: {user}\r\n" if key else ""
    head = f"POST /v1/ingest/t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}{length}\r\n\r\n".encode()
    half = body[: len(body) // 2]
    for _ in range(2):  # and again, as for a shipper that meets the same trouble twice
        peer = socket.create_connection(("127.0.0.1", one.http), 5)
        peer.sendall(head + (half if framing == "length" else b"%x\r\n%b\r\n" % (len(half), half)))
        if end == "reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    assert counted(one, user) == []
    with socket.create_connection(("127.0.0.1", one.http), 20) as peer:
        peer.sendall(head + (body if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)))
        assert b" 200 " in peer.recv(4096).split(b"\r\n")[0]
    one.post(records(user, 2))
    assert counted(one, user) == ["1 is 0", "2 is 1", "3 is 2"]
    assert one.ask("dead_letters") == []
