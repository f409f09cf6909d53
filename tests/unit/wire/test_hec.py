"""Envelopes of Splunk's collector → one JSON record for each event."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire import records
from pluginhost.wire.bodies import Unreadable
from pluginhost.wire.hec import read_events
from pluginhost.wire.sieve import Limits

NOON = 1767323045 * 10**9


def chunks_of(body, *, tag="", packing="", **limits):
    return read_events(body, content_encoding=packing, tag=tag, default="d", limits=Limits(**limits))


def found(chunks):
    return [
        (chunk.tag, records.decode(chunk.codec, chunk.data[start:end]), time)
        for chunk in chunks for start, end, time in zip(chunk.columns.starts, chunk.columns.ends, chunk.columns.times, strict=True)
    ]  # fmt: skip


def envelope(event, **more):
    return json.dumps({**more, "event": event}).encode()


GOLDEN = {
    "text": (envelope("a line"), {"message": "a line"}, 0),
    "an object": (envelope({"a": {"b": 1}}), {"a": {"b": 1}}, 0),
    "a number": (envelope(7.5), {"message": "7.5"}, 0),
    "a list": (envelope([1, "a"]), {"message": '[1,"a"]'}, 0),
    "time, a number": (envelope("a", time=1767323045.123), {"message": "a"}, NOON + 123 * 10**6),
    "time, whole": (envelope("a", time=1767323045), {"message": "a"}, NOON),
    "time, text": (envelope("a", time="1767323045.123456789"), {"message": "a"}, NOON + 123456789),
    "the event's own time": (envelope({"@timestamp": "2026-01-02T03:04:05Z"}), {"@timestamp": "2026-01-02T03:04:05Z"}, NOON),
    "the envelope's time": (envelope({"date": "2020-01-02T03:04:05Z"}, time=1767323045), {"date": "2020-01-02T03:04:05Z"}, NOON),
    "no time": (envelope("a", time="soon"), {"message": "a"}, 0),
    "all of it": (
        envelope({"user": "root"}, time=1767323045, host="web1", source="/var/log/auth.log", sourcetype="d", index="main",
                 fields={"region": "eu", "user": "not me"}),
        {"user": "root", "host.name": "web1", "splunk.source": "/var/log/auth.log", "splunk.sourcetype": "d", "splunk.index": "main",
         "region": "eu"}, NOON,
    ),
    "a host of its own": (envelope({"host": {"name": "a"}}, host="b"), {"host": {"name": "a"}}, 0),
    "odd metadata": (envelope("a", host=7, source=None, fields=[1]), {"message": "a"}, 0),
}  # fmt: skip


@pytest.mark.parametrize("case", GOLDEN)
def test_an_event_becomes_a_record(case):
    body, record, time = GOLDEN[case]
    assert found(chunks_of(body)) == [("d", record, time)]


@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n\r\n"])
def test_events_come_one_after_another_under_the_tags_of_their_source_types(between):
    body = between.join([envelope(1, sourcetype="a"), envelope(2), envelope(3, sourcetype="a")])
    for chunks in (chunks_of(body), chunks_of(gzip.compress(body), packing="gzip")):
        assert [(tag, record["message"]) for tag, record, _ in found(chunks)] == [("a", "1"), ("a", "3"), ("d", "2")]
        assert [(chunk.body is chunk.data, chunk.packing) for chunk in chunks] == [(True, "")] * 2
    assert [(chunk.tag, chunk.count) for chunk in chunks_of(body, tag="t")] == [("t", 3)]


def test_what_is_no_event_is_a_dead_letter():
    body = envelope("good") + b'{"event":null}{"event":""}{"time":1}[1]' + envelope({}) + b'{"event":"cut'
    (chunk,) = chunks_of(body)
    assert chunk.count == 1
    assert [(one.reason, chunk.data[one.start : one.end]) for one in chunk.rejected] == [
        ("no_event", b'{"event":null}'), ("no_event", b'{"event":""}'), ("no_event", b'{"time":1}'), ("no_event", envelope({})),
        ("not_a_record", b"1"), ("malformed", b'{"event":"cut'),
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "reason"), [(b"hello", "malformed"), (b'{"event":null}', "no_event"), (b'{"a":1}', "no_event")])
def test_a_body_without_an_event_is_unreadable(body, reason):
    with pytest.raises(Unreadable) as caught:
        chunks_of(body)
    assert (caught.value.reason, caught.value.chunk.body) == (reason, body)


def test_nothing_is_nothing():
    assert chunks_of(b" \n") == []


def test_limits():
    with pytest.raises(PeerError, match="too_large"):
        chunks_of(envelope(1) * 3, entries=2)
    with pytest.raises(PeerError, match="too_large"):
        chunks_of(gzip.compress(envelope("x" * 5000)), packing="gzip", data=4000)


PIECE = st.sampled_from([
    b'{"event":"a"}', b'{"event":{"b":1},"time":"1"}', b'{"event":null}', b"[", b"]", b",", b"{", b"x", b'"', b"\n", b"\xff",
])  # fmt: skip


@given(st.lists(PIECE, max_size=12).map(b"".join))
def test_every_event_comes_out_whatever_stands_around_it(body):
    try:
        chunks = chunks_of(body)
    except Unreadable:
        return
    assert all(record in ({"message": "a"}, {"b": 1}) for _, record, _ in found(chunks))
    assert all(chunk.count + len(chunk.rejected) for chunk in chunks)
