from __future__ import annotations

import gzip
import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire.forward_client import Acks, chunk_id, entry, frame


def test_an_entry_is_an_eventtime_and_a_map():
    assert entry(1_700_000_000_000_000_007, {"a": "é"}) == b"\x92\xd7\x00" + struct.pack(">II", 1_700_000_000, 7) + b"\x81\xa1a\xa2\xc3\xa9"


def test_whole_seconds_are_plain_integers():
    assert msgpack.unpackb(entry(1_700_000_000_999_999_999, {"a": 1}, eventtime=False)) == [1_700_000_000, {"a": 1}]


def test_times_never_become_group_markers():
    for time in (-5, 1 << 63, 0xFFFFFFFF * 10**9, 0xFFFFFFFE * 10**9):
        seconds = struct.unpack(">I", entry(time, {})[3:7])[0]
        assert seconds in (0, 0xFFFFFFFD)


def test_a_frame_is_a_tag_a_bin32_and_options():
    made = frame("flagged.high.a", [entry(0, {"n": 1}), entry(0, {"n": 2})], chunk="c==")
    assert made[:16] == b"\x93\xaeflagged.high.a"
    assert made[16:17] == b"\xc6"
    tag, body, options = msgpack.unpackb(made)
    assert (tag, options) == ("flagged.high.a", {"size": 2, "chunk": "c=="})
    assert body == entry(0, {"n": 1}) + entry(0, {"n": 2})


def test_without_an_ack_there_is_no_chunk():
    assert msgpack.unpackb(frame("t", [entry(0, {})]))[2] == {"size": 1}


def test_gzip_says_so_and_is_the_same_every_time():
    first, second = (frame("t", [entry(0, {"n": 1})], chunk="c", gzipped=True) for _ in range(2))
    assert first == second
    _, body, options = msgpack.unpackb(first)
    assert options == {"size": 1, "chunk": "c", "compressed": "gzip"}
    assert gzip.decompress(body) == entry(0, {"n": 1})


def test_a_chunk_id_names_its_alerts():
    assert chunk_id(["a", "b"]) == chunk_id(["a", "b"]) == "fhj3NzEbLcOy8mndeDlrAw=="
    assert len({chunk_id(ids) for ids in (["a", "b"], ["b", "a"], ["ab"], ["a"], [])}) == 5


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.data())
def test_acks_are_read_out_of_any_chunking(chunks, data):
    stream = b"".join(msgpack.packb({"ack": chunk}) for chunk in chunks)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    acks, read = Acks(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += acks.feed(stream[start:end])
    assert read == chunks


def test_an_ack_in_bytes_is_the_same_ack():
    assert Acks().feed(msgpack.packb({"ack": b"abc="})) == ["abc="]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (msgpack.packb(["HELO", {"nonce": b"x", "auth": ""}]), "helo"),
        (b"HTTP/1.1 400 Bad Request", "not_an_ack"),
        (b'{"ack":"c"}', "not_an_ack"),
        (b"\xc1", "not_an_ack"),
        (msgpack.packb({"nack": 1}), "not_an_ack"),
        (msgpack.packb({(1, 2): 1}), "not_an_ack"),
        (b"\xdb\x00\x10\x00\x00" + b"x" * 70_000, "not_an_ack"),
    ],
)
def test_anything_else_blames_the_receiver(answer, reason):
    with pytest.raises(PeerError) as blamed:
        Acks().feed(answer)
    assert blamed.value.reason == reason
