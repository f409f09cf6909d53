"""@fluent-org/logger, a real client that keeps many frames in flight and wants an ack for each."""

from __future__ import annotations

import pytest
from forward_receiver import Receiver
from node_clients import node_folder, send

COUNT = 2500


@pytest.fixture(scope="module", autouse=True)
def _installed():
    node_folder()


@pytest.mark.parametrize("mode", ["Message", "Forward", "PackedForward", "CompressedPackedForward"])
def test_every_record_arrives_once_and_is_acked(mode):
    with Receiver() as receiver:
        assert send(receiver.port, COUNT, mode, "app.web") == {"sent": COUNT, "acked": COUNT}
        assert sorted(record["seq"] for _, _, record in receiver.events) == list(range(COUNT))
        assert {tag for tag, _, _ in receiver.events} == {"app.web"}
        assert receiver.events[0][2] == {"seq": 0, "id": "app.web-0", "text": "record 0 ☃", "nested": {"a": [1, None, True]}}
        assert all(time % 10**6 == 0 < time for _, time, _ in receiver.events)
        assert receiver.packings == ({"gzip"} if mode.startswith("Compressed") else {""})
        assert receiver.counts["acks"] == receiver.counts["frames"]
        assert receiver.counts["closed"] == 0
