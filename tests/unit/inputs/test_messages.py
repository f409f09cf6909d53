"""Messages of a broker as chunks: each is read for itself, whatever its neighbours are."""

from __future__ import annotations

import gzip
import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.inputs.messages import Message, portions, read
from pluginhost.options import Size
from pluginhost.wire.bodies import Limits
from pluginhost.wire.records import decode

NOON = 1_700_000_000_000_000_000
LIMITS = Limits(body=Size(2000), data=Size(3000))


def found(chunk):
    columns = chunk.columns
    return [decode(chunk.codec, chunk.data[start:end]) for start, end in zip(columns.starts, columns.ends, strict=True)]


def refused(chunk):
    return [(one.reason, chunk.data[one.start : one.end]) for one in chunk.rejected]


def one(value, **more):
    return read(Message(value, **more), "t", LIMITS)


class TestOne:
    def test_forms(self):
        assert found(one(b'{"a": 1}')) == [{"a": 1}]
        assert found(one(b'[{"a": 1}, {"a": 2}]')) == [{"a": 1}, {"a": 2}]
        assert found(one(b"some text")) == [{"message": "some text"}]
        assert found(one(msgspec.msgpack.encode({"a": 1}))) == [{"a": 1}]
        assert found(one(b"x", content_type="text/plain; charset=utf-8")) == [{"message": "x"}]

    def test_packings_and_what_stands_in_their_place(self):
        assert found(one(gzip.compress(b'{"a": 1}'), content_encoding="gzip")) == [{"a": 1}]
        for charset in ("utf-8", "UTF-8", "binary", " us-ascii "):
            assert found(one(b'{"a": 1}', content_encoding=charset)) == [{"a": 1}]

    def test_the_record_s_own_time_goes_before_the_message_s(self):
        chunk = one(b'[{"time": "2026-01-02T03:04:05Z"}, {"a": 1}]', time=NOON)
        assert list(chunk.columns.times) == [1767323045 * 10**9, NOON]

    def test_a_time_that_is_none_is_the_arrival(self):
        for time in (0, -1, 12, 1 << 63, 10**30):
            assert list(one(b"{}", time=time).columns.times) == [0]

    def test_what_can_never_be_read_is_a_rejection(self):
        assert refused(one(b"[1]", content_type="application/json")) == [("not_a_record", b"[1]")]
        assert refused(one(b"x", content_encoding="sheepskin")) == [("encoding", b"x")]
        assert refused(one(b"junk", content_encoding="gzip")) == [("not_packed", b"junk")]
        assert refused(one(b"x", content_type="application/avro")) == [("content_type", b"x")]
        assert refused(one(b"x" * 2001)) == [("too_large", b"x" * 2001)]
        assert refused(one(gzip.compress(b"x" * 3001), content_encoding="gzip"))[0][0] == "too_large"

    def test_nothing_is_nothing(self):
        assert (one(b"").count, one(b"").rejected) == (0, ())


def numbered(*values):
    return [Message(value, offset=10 + n, time=NOON + n) for n, value in enumerate(values)]


def taken(messages, most=1000):
    return list(portions(iter(messages), "t", LIMITS, most))


class TestPortions:
    def test_neighbours_share_a_chunk_that_names_its_offsets(self):
        (only,) = taken(numbered(b'{"n": 0}', b'{"n": 1}\n{"n": 2}', b'[{"n": 3}]'))
        assert (only.next, only.unreadable, only.chunk.chunk_id) == (13, 0, b"10-12")
        assert found(only.chunk) == [{"n": n} for n in range(4)]
        assert (only.chunk.body is only.chunk.data, only.chunk.packing) == (True, "")

    def test_a_message_cannot_swallow_the_next(self):
        values = b'{"n": 0}', b'{"a":', b'{"n": 1}', b"}", b'{"n": 2}', b"]", b'{"n": 3}'
        (only,) = portions([Message(value, n, content_type="application/json") for n, value in enumerate(values)], "t", LIMITS, 1000)
        assert found(only.chunk) == [{"n": n} for n in range(4)]
        assert [part for _, part in refused(only.chunk)] == [b'{"a":', b"}", b"]"]
        assert only.unreadable == 3

    def test_another_form_begins_another_chunk(self):
        packed = msgspec.msgpack.encode({"n": 3})
        parts = taken(numbered(b'{"n": 0}', b"a line", b'{\n"n": 2}', packed, b"x" * 2001, packed, b'{"n": 6}'), most=9000)
        assert [(one.chunk.codec, one.chunk.chunk_id, one.next) for one in parts] == [
            ("line", b"10-12", 13), ("msgpack", b"13-15", 16), ("json", b"16-16", 17),
        ]  # fmt: skip
        assert found(parts[0].chunk) == [{"n": 0}, {"message": "a line"}, {"n": 2}]

    def test_a_chunk_is_filled_to_its_size_and_a_larger_message_goes_alone(self):
        parts = taken(numbered(*[b'{"n": %d}' % n for n in range(9)], b'{"n": "' + b"x" * 100 + b'"}', b'{"n": 10}'), most=30)
        assert [one.chunk.chunk_id for one in parts] == [b"10-12", b"13-15", b"16-18", b"19-19", b"20-20"]
        assert all(len(one.chunk.data) <= 30 or one.chunk.count == 1 for one in parts)

    def test_what_holds_nothing_is_passed_over_and_behind_us(self):
        (only,) = taken(numbered(b"", b'{"n": 1}', b""))
        assert (only.chunk.chunk_id, only.next) == (b"11-12", 13)
        (nothing,) = taken(numbered(b"", b""))
        assert (nothing.chunk, nothing.next) == (None, 12)
        assert taken([]) == []

    def test_unreadable_messages_are_counted(self):
        parts = taken(numbered(b"\xc1\xc1", b'{"n": 1}', b"x" * 2001))
        assert sum(one.unreadable for one in parts) == 1
        assert [reason for one in parts for reason, _ in refused(one.chunk)] == ["too_large"]

    def test_as_many_objects_as_messages_may_still_be_others(self):
        values = b'{"n": 4}\n{"n": 5}', b'{"a":', b'{"n": 6}}'
        (only,) = portions([Message(value, n) for n, value in enumerate(values)], "t", LIMITS, 1000)
        assert [record["n"] for record in found(only.chunk) if "n" in record] == [4, 5, 6]
        assert all("a" not in record for record in found(only.chunk))

    @settings(max_examples=200)
    @given(st.lists(st.one_of(
        st.binary(max_size=60), st.sampled_from([b'{"a":', b"}", b"]", b'"', b"{", b"[", b'{"n": 1}', b"[{}]", b"text", b"\n", b'{"a": "',
                                                              b'{"n": 2}\n', b'{"n": 3} ', b"{}{}", b'{"n": 4}\n{"n": 5}']),
        st.builds(lambda n: msgspec.json.encode({"n": n, "t": "\n{"}), st.integers()),
    ), max_size=12), st.integers(1, 200))  # fmt: skip
    def test_together_they_are_what_each_is_alone(self, values, most):
        messages = numbered(*values)
        alone = [read(message, "t", LIMITS) for message in messages]
        parts = [one for one in taken(messages, most) if one.chunk is not None]
        assert [record for one in parts for record in found(one.chunk)] == [record for chunk in alone for record in found(chunk)]
        assert [part for one in parts for part in refused(one.chunk)] == [part for chunk in alone for part in refused(chunk)]
        assert [time for one in parts for time in one.chunk.columns.times] == [time for chunk in alone for time in chunk.columns.times]
        ends = [tuple(map(int, one.chunk.chunk_id.split(b"-"))) for one in parts]
        assert all(last < following for (_, last), (following, _) in itertools.pairwise(ends))
