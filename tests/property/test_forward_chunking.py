"""However a stream is cut into pieces, the same frames come out; and the fast way of splitting entries agrees with the careful one."""

from __future__ import annotations

import gzip

import msgpack
from forwarding import captures, event_time, every_byte, pack, tell
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.wire import entries
from pluginhost.wire.forward import Limits

CAPTURES = [capture["bytes"] for capture in captures() if len(capture["bytes"]) < 4000]
TEXT = st.text(max_size=5)
TIMES = st.one_of(
    st.integers(-5, 2**64 - 1),
    st.floats(),
    st.none(),
    st.booleans(),
    st.builds(event_time, st.integers(0, 2**32 - 1) | st.sampled_from([0xFFFFFFFF, 0xFFFFFFFE]), st.integers(0, 2**32 - 1)),
    st.builds(msgpack.Timestamp, st.integers(-5, 2**34), st.integers(0, 10**9 - 1)),
    st.builds(msgpack.ExtType, st.integers(0, 9), st.binary(max_size=9)),
)
VALUES = TEXT | st.integers(0, 300) | st.binary(max_size=3) | st.lists(st.integers(0, 5), max_size=3)
RECORDS = st.dictionaries(TEXT | st.integers(0, 5), VALUES, max_size=3)
STAMPS = TIMES | st.tuples(TIMES, RECORDS | st.none())
ENTRIES = st.one_of(
    st.tuples(STAMPS, RECORDS | TEXT | st.none()), st.tuples(STAMPS), st.integers(-(2**63), 2**64 - 1), st.tuples(STAMPS, RECORDS, TEXT)
)
OPTIONS = st.none() | st.integers(0, 9) | st.fixed_dictionaries(
    {}, optional={"chunk": TEXT | st.binary(max_size=4) | st.integers(0, 9) | st.none(), "size": st.integers(-1, 9),
                  "compressed": st.sampled_from(["text", "gzip", "lz4"]), "fluent_signal": st.integers(-1, 9), "metadata": RECORDS},
)  # fmt: skip
LIST = st.lists(ENTRIES, max_size=6)
SECOND = st.one_of(
    LIST, LIST.map(lambda items: pack(*items)), LIST.map(lambda items: gzip.compress(pack(*items), mtime=0)), st.binary(max_size=20), STAMPS
)
FRAMES = st.one_of(
    st.tuples(TEXT, SECOND, OPTIONS),
    st.tuples(TEXT, STAMPS, RECORDS),
    st.tuples(TEXT | st.binary(max_size=3) | st.none(), STAMPS, RECORDS, OPTIONS),
    st.none(),
    st.tuples(TEXT),
    st.integers(0, 100),
)
STREAMS = st.lists(FRAMES, max_size=9).map(lambda frames: pack(*frames)) | st.sampled_from(CAPTURES) | st.builds(
    lambda first, second: first + second, st.sampled_from(CAPTURES), st.sampled_from(CAPTURES)
)
SMALL = st.sampled_from([Limits(), Limits(frame=60, entries=3, data=50, depth=2, strays=2)])


@st.composite
def cut_streams(draw):
    data = draw(STREAMS)
    return data, sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))


@settings(max_examples=300, deadline=None)
@given(cut_streams(), SMALL)
def test_any_cutting_gives_the_same_frames(stream, limits):
    data, cuts = stream
    whole, _, counts = tell(data, limits=limits)
    for again in (cuts, every_byte(data) if len(data) < 1500 else ()):
        told, _, counted = tell(data, again, limits)
        assert told == whole
        if not whole.ended:
            assert counted == counts


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STAMPS, RECORDS), min_size=1, max_size=8), st.sampled_from([0, 1, 2, 3, 8, 100]), st.sampled_from([1, 2, 64]))
def test_the_fast_way_agrees_with_the_careful_one(items, hint, depth):
    data = pack(*items)
    found = entries.split(data, most=100, depth=depth, hint=hint)
    sorter = entries._Sorter(data, depth)
    start = 0
    for item in items:
        sorter.take(start, start + len(pack(item)))
        start += len(pack(item))
    assert found == sorter.split()


@given(st.lists(st.tuples(st.integers(0, 2**32 - 8), st.integers(0, 2**32 - 1)), min_size=1, max_size=20), st.booleans())
def test_ordinary_entries_go_the_fast_way(stamps, paired):
    times = [event_time(*stamp) for stamp in stamps]
    data = pack(*[[[time, {}] if paired else time, {"k": 1}] for time in times])
    found = entries._fast(data, len(stamps), 64)
    assert found is not None
    assert list(found.columns.times) == [seconds * 10**9 + ns for seconds, ns in stamps]
    assert {data[start:end] for start, end in zip(found.columns.starts, found.columns.ends, strict=True)} == {pack({"k": 1})}
