"""fluent-logger, the Python client: messages without acks, whole seconds, nanoseconds, or a float that others lose."""

from __future__ import annotations

import pytest
from fluent import sender
from forward_receiver import Receiver

COUNT = 2000
AT = 1_795_923_297


@pytest.mark.parametrize(("precise", "time", "ns"), [(False, AT, AT * 10**9), (True, AT + 0.25, AT * 10**9 + 250_000_000)])
def test_every_message_arrives_once(precise, time, ns):
    with Receiver() as receiver:
        logger = sender.FluentSender("app", host="127.0.0.1", port=receiver.port, nanosecond_precision=precise)
        for seq in range(COUNT):
            assert logger.emit_with_time("web", time, {"seq": seq, "text": "☃"})
        logger.close()
        receiver.wait(COUNT)
        assert [record["seq"] for _, _, record in receiver.events] == list(range(COUNT))
        assert {(tag, time) for tag, time, _ in receiver.events} == {("app.web", ns)}


def test_a_float_time_is_exact():
    with Receiver() as receiver:
        logger = sender.FluentSender("app", host="127.0.0.1", port=receiver.port)
        for seq in range(COUNT):
            logger.emit_with_time("web", AT + seq + 0.5, {"seq": seq})
        logger.close()
        receiver.wait(COUNT)
        assert [time for _, time, _ in receiver.events] == [(AT + seq) * 10**9 + 500_000_000 for seq in range(COUNT)]
        assert receiver.counts["bad_time"] == 0


def test_what_json_has_no_kind_for_arrives_as_text():
    with Receiver() as receiver:
        logger = sender.FluentSender("app", host="127.0.0.1", port=receiver.port)
        logger.emit("x", {"bytes": b"\xff\x00", 5: None})
        logger.close()
        receiver.wait(1)
        assert receiver.events[0][2] == {"bytes": "\\xff\x00", "5": None}
