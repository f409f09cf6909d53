"""Bodies: whatever comes in, a chunk or a `PeerError` comes out, and what is called a record can be read."""

import json
from itertools import pairwise

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire import records
from pluginhost.wire.bodies import Limits, Unreadable, decode_body
from pluginhost.wire.chunk import Columns

KINDS = ["", "application/json", "application/x-ndjson", "text/plain", "application/msgpack"]
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8)
NAMES = st.text(max_size=5) | st.sampled_from(["@timestamp", "date"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=6)
# Bytes that look like JSON reach further into the readers than arbitrary ones.
PIECES = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\n", b" ", b"\\", b"\xff", b"1", b'{"a":1}', b'"a":', b"NaN"]
JSONISH = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
LIMITS = Limits(depth=8, record=64, entries=20, data=4096, body=4096)


def read(chunk):
    columns = chunk.columns
    return [records.decode(chunk.codec, chunk.data[start:end]) for start, end in zip(columns.starts, columns.ends, strict=True)]


@given(
    body=st.binary(max_size=200) | JSONISH, kind=st.sampled_from(KINDS),
    packing=st.sampled_from(["", "", "gzip", "deflate", "zstd"]), limits=st.sampled_from([Limits(), LIMITS]),
)  # fmt: skip
@example(body=b'[{"a":1},{"b":[1},{}]', kind="", packing="", limits=Limits())
@settings(max_examples=600, deadline=None)
def test_any_bytes_give_a_chunk_or_blame_the_peer(body, kind, packing, limits):
    try:
        chunk = decode_body(body, content_type=kind, content_encoding=packing, tag="t", limits=limits)
    except Unreadable as error:
        assert error.chunk.body == body  # noqa: PT017  # a chunk is as good an outcome
        return
    except PeerError as error:
        assert error.reason == "too_large"  # noqa: PT017  # the same
        return
    assert len(read(chunk)) == chunk.count
    assert Columns.unpack(chunk.columns.pack()) == chunk.columns
    parts = sorted([*zip(chunk.columns.starts, chunk.columns.ends, strict=True), *((one.start, one.end) for one in chunk.rejected)])
    assert all(0 <= start < end <= len(chunk.data) for start, end in parts)
    assert all(before[1] <= after[0] for before, after in pairwise(parts))  # nothing is counted twice


@given(items=RECORDS, indent=st.sampled_from([None, 1]), between=st.sampled_from([", ", "\n", "", "\r\n\r\n"]))
@settings(max_examples=300, deadline=None)
def test_json_comes_out_as_it_went_in(items, indent, between):
    texts = [json.dumps(item, indent=indent, ensure_ascii=False) for item in items]
    for body in ("[" + ",".join(texts) + "]", between.join(texts)):
        chunk = decode_body(body.encode(), content_type="application/json", tag="t")
        assert (read(chunk), chunk.rejected) == (items, ())


@given(items=RECORDS, at=st.integers(0, 5), junk=st.sampled_from([b'{"x":NaN}', b"7", b'{"x":1,}', b'"}"', b"[{}]"]))
@settings(max_examples=300, deadline=None)
def test_a_neighbour_changes_nothing(items, at, junk):
    """The fast way and the careful way agree: an item that forces the latter takes nothing from the others."""
    texts = [json.dumps(item).encode() for item in items]
    at = min(at, len(texts))
    chunk = decode_body(b"[" + b",".join([*texts[:at], junk, *texts[at:]]) + b"]", content_type="application/json", tag="t")
    alone = decode_body(b"[" + b",".join(texts) + b"]", content_type="application/json", tag="t")
    kept = list(zip(read(chunk), chunk.columns.times, strict=True))
    if junk == b'{"x":NaN}':
        del kept[at]
    assert kept == list(zip(read(alone), alone.columns.times, strict=True))


@given(items=RECORDS, shape=st.sampled_from(["maps", "entries", "list"]))
@settings(max_examples=300, deadline=None)
def test_msgpack_comes_out_as_it_went_in(items, shape):
    whole = items if shape == "maps" else [[[5, {"m": 1}], item] for item in items] if shape == "entries" else [items]
    chunk = decode_body(b"".join(map(msgpack.packb, whole)), content_type="application/msgpack", tag="t")
    assert (read(chunk), chunk.rejected) == (items, ())
    if shape == "entries":
        assert list(chunk.columns.times) == [5 * 10**9] * len(items)
        assert [meta.index for meta in chunk.columns.metas] == list(range(len(items)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_of_a_body_is_survived(kind):
    texts = [b'{"a":"x\\"y","b":[1,{"c":2}]}'] * 3
    body = b"".join(map(msgpack.packb, [[1, {"a": [1, {}]}]] * 3)) if kind == "application/msgpack" else b"[" + b",".join(texts) + b"]"
    counts = []
    for size in range(len(body) + 1):
        try:
            counts.append(decode_body(body[:size], content_type=kind, tag="t").count)
        except PeerError:
            counts.append(0)
    if kind == "text/plain":
        assert counts[-1] == 3
    else:
        assert counts == sorted(counts)
        assert (counts[0], counts[-1]) == (0, 3)
