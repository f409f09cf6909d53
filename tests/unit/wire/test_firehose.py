"""Deliveries of Amazon Data Firehose → records."""

from __future__ import annotations

import base64
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire import records
from pluginhost.wire.bodies import Unreadable
from pluginhost.wire.firehose import read_delivery
from pluginhost.wire.sieve import Limits

NOON = 1767323045 * 10**9


def body_of(*parts, **more):
    listed = [{"data": base64.b64encode(part).decode()} for part in parts]
    return json.dumps({"requestId": "r-1", "timestamp": 1767323046000, "records": listed, **more}).encode()


def delivery_of(body, packing="", **limits):
    return read_delivery(body, content_encoding=packing, tag="t", limits=Limits(**limits))


def found(chunk):
    columns = chunk.columns
    return [(records.decode(chunk.codec, chunk.data[start:end]), time)
            for start, end, time in zip(columns.starts, columns.ends, columns.times, strict=True)]  # fmt: skip


def bad(chunk):
    return [(one.reason, chunk.data[one.start : one.end]) for one in chunk.rejected]


def cloudwatch(*messages, kind="DATA_MESSAGE"):
    return json.dumps({
        "messageType": kind, "owner": "123456789012", "logGroup": "/aws/lambda/f", "logStream": "s1", "subscriptionFilters": ["all"],
        "logEvents": [{"id": f"e{n}", "timestamp": 1767323045000 + n, "message": message} for n, message in enumerate(messages)],
    }).encode()  # fmt: skip


@pytest.mark.parametrize("packing", ["", "gzip"])
def test_a_delivery_says_who_it_is_and_holds_whatever_was_put_into_the_stream(packing):
    body = body_of(b'{"a":1,"@timestamp":"2026-01-02T03:04:05Z"}', b'{"a":2}{"a":3}\n', b"a line\n{ another\n", b'{\n "pretty": 1\n}',
                   gzip.compress(b'{"a":4}\n'))  # fmt: skip
    delivery = delivery_of(gzip.compress(body) if packing else body, packing)
    assert (delivery.request_id, delivery.timestamp, delivery.chunk.tag) == ("r-1", 1767323046000, "t")
    wanted = [{"a": 2}, {"a": 3}, {"message": "a line"}, {"message": "{ another"}, {"pretty": 1}, {"a": 4}]
    assert found(delivery.chunk) == [({"a": 1, "@timestamp": "2026-01-02T03:04:05Z"}, NOON), *((one, 0) for one in wanted)]
    assert delivery.chunk.rejected == ()


def test_events_of_cloudwatch_are_unwrapped():
    first = {"message": "START", "aws.cloudwatch.event_id": "e0", "aws.cloudwatch.log_group": "/aws/lambda/f",
             "aws.cloudwatch.log_stream": "s1", "cloud.account.id": "123456789012", "cloud.provider": "aws"}  # fmt: skip
    for part in (gzip.compress(cloudwatch("START", "END")), cloudwatch("START", "END")):
        one, other = found(delivery_of(body_of(part)).chunk)
        assert one == (first, NOON)
        assert other == ({**first, "message": "END", "aws.cloudwatch.event_id": "e1"}, NOON + 10**6)
    assert delivery_of(body_of(gzip.compress(cloudwatch("ping", kind="CONTROL_MESSAGE")))).chunk.count == 0
    (odd,) = found(delivery_of(body_of(cloudwatch("x", kind="OTHER"))).chunk)
    assert odd[0]["messageType"] == "OTHER"


def test_a_record_that_cannot_be_read_costs_only_itself():
    body = json.dumps({"requestId": "r", "timestamp": 1, "records": [{"data": "???"}, {"data": base64.b64encode(b'{"a":1}').decode()}]})
    chunk = delivery_of(body.encode()).chunk
    assert (found(chunk), bad(chunk)) == ([({"a": 1}, 0)], [("malformed", b"???")])
    broken = gzip.compress(b'{"a":1}')[:-4]
    assert bad(delivery_of(body_of(broken)).chunk) == [("malformed", base64.b64encode(broken))]


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b'{"records":[{"data":7}]}', b'{"records":{}}'])
def test_what_is_no_delivery_is_unreadable(body):
    with pytest.raises(Unreadable):
        delivery_of(body)


def test_what_all_records_unpack_to_counts_together():
    part = gzip.compress(b'{"a":"' + b"x" * 3000 + b'"}')
    assert delivery_of(body_of(part, part), data=7000).chunk.count == 2
    for body in (body_of(part, part, part), body_of(b"x" * 4000, b"x" * 4000)):
        with pytest.raises(PeerError, match="too_large") as caught:
            delivery_of(body, data=7000)
        assert not isinstance(caught.value, Unreadable)


@pytest.mark.parametrize("part", [b"{}\n{}\n{}", cloudwatch("a", "b", "c"), b"a\nb\nc"])
def test_all_records_are_counted_together(part):
    with pytest.raises(PeerError, match="too_large"):
        delivery_of(body_of(b"{}", part), entries=3)
    assert delivery_of(body_of(b"{}", part), entries=4).chunk.count == 4


SOME = [b'{"a":1}', gzip.compress(b"x"), gzip.compress(b"x")[:9], cloudwatch("m"), b'{"logEvents"']
PART = st.binary(max_size=60) | st.sampled_from(SOME)


@given(st.lists(PART, max_size=5))
def test_anything_in_the_stream_is_a_record_or_a_dead_letter(parts):
    chunk = delivery_of(body_of(*parts)).chunk
    assert all(type(record) is dict for record, _ in found(chunk))
    assert all(0 <= one.start <= one.end <= len(chunk.data) for one in chunk.rejected)
