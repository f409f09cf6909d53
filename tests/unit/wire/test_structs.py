"""Records that come as `google.protobuf.Struct`: what their values become, and the limits."""

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.options import Size
from pluginhost.problem import PeerError
from pluginhost.wire import records, structs
from pluginhost.wire.sieve import Limits
from pluginhost.wire.v1 import ingest_pb2 as pb

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=15,
)  # fmt: skip
RECORDS = st.dictionaries(st.text(), VALUES, max_size=5)


def struct(record):
    made = Struct()
    made.update(record)
    return made


def read(*given, **limits):
    chunk = structs.read([struct(one).SerializeToString() for one in given], "t", Limits(**limits))
    bounds = zip(chunk.columns.starts, chunk.columns.ends, strict=True)
    return [records.decode(chunk.codec, chunk.data[start:end]) for start, end in bounds], [one.reason for one in chunk.rejected]


@given(st.lists(RECORDS, max_size=4))
def test_a_record_comes_out_as_it_went_in(given):
    assert read(*given) == (given, [])


def test_whole_numbers_are_integers_as_far_as_they_are_exact():
    (record,), _ = read({"n": 3.0, "least": -float(1 << 53), "beyond": 2.0**60, "inf": float("inf")})
    assert {name: type(value) for name, value in record.items()} == {"n": int, "least": int, "beyond": float, "inf": float}


def test_limits():
    assert read({"a": "x" * 90}, {"a": {"b": {"c": 1}}}, {"a": 1}, record=Size(50), depth=2) == ([{"a": 1}], ["too_large", "too_deep"])
    with pytest.raises(PeerError):
        read({"a": "x" * 90}, data=Size(50))


def test_a_batch_is_parted_before_it_is_parsed():
    batch = pb.Batch(sequence=300, tag="é", encoding=pb.ENCODING_JSON, payload=b"x" * 300, compression="gzip")
    whole = batch.SerializeToString()
    assert structs.parted(whole) == (whole, [])
    batch.records.extend([struct({"a": 1}), struct({}), struct({"b": "x" * 200})])
    assert structs.parted(batch.SerializeToString()) == (whole, [one.SerializeToString() for one in batch.records])
    many = b"\x32\x00" * 11
    assert structs.parted(many, Limits(entries=11)) == (b"", [b""] * 11)
    with pytest.raises(PeerError):
        structs.parted(many, Limits(entries=10))


def test_a_record_that_is_broken_costs_only_itself():
    chunk = structs.read([b"\xff", struct({"a": 1}).SerializeToString(), b"\x0a\x05"], "t")
    assert (chunk.count, [(one.reason, chunk.data[one.start : one.end]) for one in chunk.rejected]) == (
        1, [("malformed", b"\xff"), ("malformed", b"\x0a\x05")],
    )  # fmt: skip


@given(st.binary(max_size=100))
def test_any_bytes_are_parted_or_refused(data):
    try:
        rest, found = structs.parted(data)
    except ValueError:
        with pytest.raises(DecodeError):
            pb.Batch.FromString(data)
    else:
        assert structs.read(found, "t").count <= len(found)
        assert len(rest) <= len(data)
