"""Lines out of a stream: any cut of the same bytes gives the same lines, and no line harms another."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.wire import records
from pluginhost.wire.lines import Lines, chunk_of
from pluginhost.wire.sieve import Limits

LONGEST = 1024


def cut_into(data, sizes):
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]


def read(data, sizes=(), longest=LONGEST):
    """(lines, beginnings of those too long) of a whole stream."""
    lines, found = Lines(longest), []
    for piece in cut_into(data, sizes):
        found += lines.feed(piece)
    return [*found, *lines.rest()], lines.cut


@pytest.mark.parametrize(("data", "found"), [
    (b"a\nb\r\n\n\r\nc", [b"a", b"b", b"c"]),
    (b"", []), (b"\n\n", []), (b"no end", [b"no end"]), (b"a\x00b\n", [b"a\x00b"]),
    (b"5 <1>ab7 <2>c\nde\nplain\n", [b"<1>ab", b"<2>c\nde", b"plain"]),  # counted, one with a line's end inside, then a plain one
    (b"5 <1>ab5 <2>cd", [b"<1>ab", b"<2>cd"]),
    (b"5 apples\n12\n1\n9 \n", [b"5 apples", b"12", b"1", b"9 "]),  # what only looks like a count
    (b"0 <1>\n99999999999 <1>a\n", [b"0 <1>", b"99999999999 <1>a"]),
    (b"5 <1>a", [b"5 <1>a"]),  # the end came before the count was full
])  # fmt: skip
def test_lines(data, found):
    assert read(data) == (found, [])
    assert read(data, [1] * len(data)) == (found, [])


def test_a_line_too_long_is_cut_and_passed_over():
    data = b"before\n" + b"x" * 5000 + b"\nafter\n" + b"y" * (LONGEST + 1) + b"\n" + b"z" * LONGEST + b"\n"
    for sizes in ((), [1] * len(data), [700] * 11):
        found, cut = read(data, sizes)
        assert found == [b"before", b"after", b"z" * LONGEST]
        assert [one[:1] for one in cut] == [b"x", b"y"]
    found, cut = read(b"a\n" + b"x" * 5000)
    assert (found, len(cut)) == ([b"a"], 1)


def test_no_more_than_a_line_is_held():
    lines = Lines(LONGEST)
    for _ in range(1000):
        lines.feed(b"x" * 1000)
        assert lines.pending <= LONGEST + 1000
    assert sum(map(len, lines.cut)) <= 64 << 10


STREAMS = st.lists(st.one_of(
    st.binary(max_size=40).map(lambda text: text + b"\n"),
    st.sampled_from([b"5 <1>ab", b"\r\n", b"7 ", b"12 <", b"{}\n", b"x" * 1500 + b"\n"]),
), max_size=12).map(b"".join)  # fmt: skip


@given(STREAMS, st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_gives_the_same(data, sizes):
    whole, cut = read(data)
    found, beginnings = read(data, sizes)
    assert found == whole
    assert [one[:100] for one in beginnings] == [one[:100] for one in cut]


def taken(lines, form, **more):
    chunk = chunk_of(lines, form, tag="t", limits=Limits(), **more)
    bounds = zip(chunk.columns.starts, chunk.columns.ends, strict=True)
    return [records.decode(chunk.codec, chunk.data[start:end]) for start, end in bounds], chunk


def test_what_lines_are():
    lines = [b'{"a":1,"@timestamp":"2026-11-22T10:00:00Z"}', b"text", b"{broken", b"[1]", b"\xff\n2"]
    auto, chunk = taken(lines, "auto")
    assert auto == [json.loads(lines[0]), *({"message": text} for text in ("text", "{broken", "[1]", "\\xff\n2"))]
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert list(chunk.columns.times) == [int(at.timestamp()) * 10**9, 0, 0, 0, 0]
    assert taken(lines[:2], "lines")[0] == [{"message": lines[0].decode()}, {"message": "text"}]
    objects, chunk = taken(lines, "json", cut=[b"xxx"])
    assert objects == [json.loads(lines[0])]
    assert [(one.reason, chunk.data[one.start : one.end]) for one in chunk.rejected] == [
        *(("malformed", line) for line in lines[1:]), ("too_large", b"xxx"),
    ]  # fmt: skip
