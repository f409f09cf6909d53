"""Real clients' bytes: every event, every ack byte for byte, however the stream is cut."""

from __future__ import annotations

import json
import random

import msgpack
import pytest
from forwarding import captures, every_byte, tell

CAPTURES = {capture["name"]: capture for capture in captures()}


def acks(capture):
    if "json" in capture["modes"]:
        return [json.dumps({"ack": chunk}, separators=(",", ":")).encode() for chunk in capture["chunks"]]
    return [msgpack.packb({"ack": chunk}) for chunk in capture["chunks"]]


def cuts(capture, how):
    size = len(capture["bytes"])
    chance = random.Random(f"{capture['name']} {how}")
    return {"whole": (), "bytes": every_byte(capture["bytes"])}.get(how) or sorted(chance.sample(range(size + 1), min(12, size)))


def test_all_captures_are_here():
    assert len(CAPTURES) == 34


@pytest.mark.parametrize("how", ["whole", "bytes", "random 1", "random 2", "random 3"])
@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_is_read_and_answered(name, how):
    capture = CAPTURES[name]
    told, chunks, counts = tell(capture["bytes"], cuts(capture, how) if how != "whole" else ())
    assert told.closed == ""
    assert told.pending == 0
    assert told.rejected == []
    assert told.acks == acks(capture)
    assert counts["frames"] == capture["frames"]
    assert counts["records"] == len(told.events) == capture["events"]
    assert len(told.signals) == (capture["frames"] if capture["signal"] else 0)
    assert all(signal == capture["signal"] for signal in told.signals)
    if capture["events"]:
        assert chunks[0].tag == capture["tag0"]


@pytest.mark.parametrize("name", [name for name, capture in CAPTURES.items() if capture["events"]])
def test_however_it_is_cut_the_events_are_the_same(name):
    capture = CAPTURES[name]
    whole = tell(capture["bytes"])[0]
    assert tell(capture["bytes"], every_byte(capture["bytes"]))[0] == whole
    assert tell(capture["bytes"], cuts(capture, "random"))[0] == whole


@pytest.mark.parametrize("name", [name for name, capture in CAPTURES.items() if capture["events"] == 20])
def test_records_and_times_are_in_order(name):
    told, chunks, _ = tell(CAPTURES[name]["bytes"])
    read = json.loads if chunks[0].codec == "json" else msgpack.unpackb
    assert [read(raw)["seq"] for _, _, raw, _, _ in told.events] == list(range(20))
    assert all(1_700_000_000 * 10**9 < time < 2_000_000_000 * 10**9 for _, time, _, _, _ in told.events)


def test_groups_give_their_header_to_the_events_in_them():
    told = tell(CAPTURES["flb-otel-logs"]["bytes"])[0]
    for _, _, _, own, group in told.events:
        assert set(msgpack.unpackb(own)) == {"otlp"}
        (_, metadata), record = msgpack.unpackb(group)
        assert metadata["schema"] == "otlp"
        assert set(record) == {"resource", "scope"}


MESSAGES = [name for name, capture in CAPTURES.items() if capture["acks_expected"] == 20 or name in ("go", "py-int", "py-nano", "py-float")]


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_with_ids_stand_alone_and_the_others_travel_together(name):
    capture = CAPTURES[name]
    tags = {tag for tag, *_ in tell(capture["bytes"])[0].events}
    assert len(tell(capture["bytes"])[1]) == (20 if capture["acks_expected"] else len(tags))
