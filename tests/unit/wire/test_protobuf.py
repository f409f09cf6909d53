"""Messages taken apart: where fields stand, and what is no message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.wire.protobuf import Field, fields
from pluginhost.wire.v1 import ingest_pb2 as pb


def test_fields_of_every_kind_where_they_stand():
    data = b"\x08\xac\x02" + b"\x12\x03abc" + b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x80\x7d\x01" + b"\x32\x00"
    assert list(fields(data)) == [
        Field(1, 0, 0, 1, 3), Field(2, 2, 3, 5, 8), Field(3, 1, 8, 9, 17), Field(4, 5, 17, 18, 22), Field(2000, 0, 22, 24, 25),
        Field(6, 2, 25, 27, 27),
    ]  # fmt: skip
    assert list(fields(data, 3, 8)) == [Field(2, 2, 3, 5, 8)]
    assert list(fields(b"")) == []


@pytest.mark.parametrize("data", [
    b"\x12\x03ab", b"\x12", b"\x08", b"\x08\x80", b"\x80", b"\x19" + bytes(7), b"\x25" + bytes(3), b"\x0b", b"\x0e", b"\x08" + b"\xff" * 11,
])  # fmt: skip
def test_what_is_none(data):
    with pytest.raises(ValueError, match=r"."):
        list(fields(data))


def test_a_field_ends_within_its_message():
    inner = b"\x12\x04ab"
    with pytest.raises(ValueError, match="cut off"):
        list(fields(inner + b"cd", 0, len(inner)))


@given(st.binary(max_size=60))
def test_what_the_library_reads_is_taken_apart_whole(data):
    try:
        pb.Batch.FromString(data)
    except Exception:  # noqa: BLE001  # of the library, another for each implementation
        return
    try:
        found = list(fields(data))
    except ValueError:
        assert any(byte & 7 in (3, 4) for byte in data)  # groups, which no message of ours has
    else:
        assert b"".join(data[one.begin : one.end] for one in found) == data
