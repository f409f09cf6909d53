from __future__ import annotations

import gzip
import tracemalloc
import zlib

import cramjam
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire import compression, snappy

TEXT = b"".join(b"line %d of many\n" % number for number in range(2000))
LIMIT = 1 << 20


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zstd(data):
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


@pytest.mark.parametrize(
    ("packing", "body", "data"),
    [
        ("", TEXT, TEXT),
        ("gzip", gzip.compress(TEXT), TEXT),
        ("gzip", b"", b""),
        ("gzip", b"".join(gzip.compress(TEXT[at : at + 1000]) for at in range(0, len(TEXT), 1000)), TEXT),
        ("gzip", gzip.compress(b"") * 3 + gzip.compress(b"x"), b"x"),
        ("deflate", zlib.compress(TEXT), TEXT),
        ("deflate", raw_deflate(TEXT), TEXT),
        ("zstd", zstd(TEXT), TEXT),
        ("zstd", zstd(b"a") + b"\x50\x2a\x4d\x18\x02\0\0\0zz" + zstd(b"b"), b"ab"),
    ],
)
def test_whole_bodies(packing, body, data):
    assert compression.unpack(packing, body, LIMIT) == data
    assert compression.unpack_leniently(packing, body, LIMIT) == (data, None)


def damaged(packed):
    return packed[:-6] + bytes((packed[-6] ^ 1,)) + packed[-5:]


@pytest.mark.parametrize(
    ("packing", "body", "data", "trouble"),
    [
        ("gzip", b"not gzip at all", b"", "not_packed"),
        ("zstd", b"not zstd at all", b"", "not_packed"),
        ("deflate", b"\xff\xff\xff", b"", "not_packed"),
        ("gzip", gzip.compress(b"good") + b"junk", b"good", "junk"),
        ("zstd", zstd(b"good") + b"junk", b"good", "junk"),
        ("deflate", zlib.compress(b"good") + b"junk", b"good", "junk"),
        ("gzip", gzip.compress(b"good") + damaged(gzip.compress(b"bad")), b"good", "damaged"),
        ("gzip", damaged(gzip.compress(b"bad")), b"", "damaged"),
        ("zstd", zstd(b"good") + damaged(zstd(TEXT)), b"good", "damaged"),
        ("gzip", gzip.compress(b"good") + b"\x1f\x8b\x08", b"good", "cut_off"),
    ],
)
def test_troubles(packing, body, data, trouble):
    assert compression.unpack_leniently(packing, body, LIMIT) == (data, trouble)
    with pytest.raises(PeerError) as raised:
        compression.unpack(packing, body, LIMIT)
    assert raised.value.reason == trouble
    assert packing in raised.value.hint


@pytest.mark.parametrize("pack", [gzip.compress, zstd, raw_deflate, zlib.compress])
def test_a_body_that_was_cut_off_gives_its_prefix(pack):
    name = {gzip.compress: "gzip", zstd: "zstd"}.get(pack, "deflate")
    data, trouble = compression.unpack_leniently(name, pack(TEXT)[:-3], LIMIT)
    assert trouble == "cut_off"
    assert TEXT.startswith(data)
    if name != "zstd":  # a zstd block comes out whole or not at all
        assert len(data) > len(TEXT) - 100


def test_the_limit_is_exact():
    for name, body in (("gzip", gzip.compress(TEXT)), ("zstd", zstd(TEXT)), ("gzip", gzip.compress(TEXT[:9]) + gzip.compress(TEXT[9:]))):
        assert compression.unpack(name, body, len(TEXT)) == TEXT
        assert compression.unpack_leniently(name, body, len(TEXT) - 1) == (b"", "too_large")


@pytest.mark.parametrize("name", ["gzip", "zstd", "deflate"])
def test_a_bomb_stops_at_the_limit(name):
    zeros = bytes(1 << 20)
    packer = {"gzip": zlib.compressobj(wbits=31), "deflate": zlib.compressobj(), "zstd": zstandard.ZstdCompressor().compressobj()}[name]
    bomb = b"".join(packer.compress(zeros) for _ in range(100)) + packer.flush()
    tracemalloc.start()
    try:
        assert compression.unpack_leniently(name, bomb, LIMIT) == (b"", "too_large")
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_without_the_package_zstd_names_the_extra(monkeypatch):
    monkeypatch.setattr(compression, "zstandard", None)
    with pytest.raises(PeerError, match=r"pluginhost\[zstd\]") as raised:
        compression.unpack_leniently("zstd", zstd(b"x"), LIMIT)
    assert raised.value.reason == "zstd_missing"
    assert compression.unpack("gzip", gzip.compress(b"x"), LIMIT) == b"x"


def test_an_unknown_packing_is_refused():
    with pytest.raises(PeerError) as raised:
        compression.unpack("lz4", b"x", LIMIT)
    assert raised.value.reason == "packing_unknown"


MAGIC = st.sampled_from([b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x78\x9c"])


@given(st.sampled_from(["gzip", "zstd", "deflate"]), st.binary(max_size=200), MAGIC)
def test_any_bytes_unpack_the_same_way_twice(name, body, magic):
    first = compression.unpack_leniently(name, magic + body, 1000)
    assert first == compression.unpack_leniently(name, magic + body, 1000)
    assert len(first[0]) <= 1000 or first[1] is None


def framed(data):
    return bytes(cramjam.snappy.compress(data))


def raw_block(data):
    return bytes(cramjam.snappy.compress_raw(data))


NOISE = bytes(range(256)) * 700  # more than one chunk of a stream
SKIPPED = b"\xfe\x02\0\0zz" + b"\x80\x01\0\0z"


@pytest.mark.parametrize(("body", "data"), [
    (framed(NOISE), NOISE), (framed(TEXT) + framed(NOISE), TEXT + NOISE), (framed(TEXT) + SKIPPED, TEXT), (raw_block(TEXT), TEXT),
    (raw_block(b""), b""), (b"", b""),
])  # fmt: skip
def test_whole_snappy_bodies(body, data):
    assert compression.unpack_leniently("snappy", body, LIMIT) == (data, None)


@pytest.mark.parametrize(("body", "trouble"), [
    (b"\xff" * 20, "not_packed"), (raw_block(TEXT)[:-3], "not_packed"), (b"{}", "not_packed"),
    (framed(b"x" * 100) + b"\x02\0\0\0", "damaged"), (framed(TEXT) + b"\x01\x02\0\0ab", "damaged"),
    (framed(NOISE)[:9000] + b"????" + framed(NOISE)[9004:], "damaged"),
    (framed(TEXT) + b"\x00\xff", "cut_off"), (framed(TEXT) + b"\x00\xff\0\0x", "cut_off"),
])  # fmt: skip
def test_what_is_wrong_with_a_snappy_body(body, trouble):
    assert compression.unpack_leniently("snappy", body, LIMIT)[1] == trouble
    with pytest.raises(PeerError, match=trouble):
        compression.unpack("snappy", body, LIMIT)


def test_a_cut_snappy_stream_gives_its_whole_chunks():
    assert compression.unpack_leniently("snappy", framed(NOISE)[:-1], LIMIT) == (NOISE[: 2 << 16], "cut_off")


@pytest.mark.parametrize("bomb", [
    raw_block(bytes(64 << 20)), framed(bytes(64 << 20)), b"\xff\xff\xff\xff\x0f" + b"\0" * 50, b"\xff\xff\x3f" + b"\0" * 50,
])  # fmt: skip
def test_a_snappy_bomb_is_refused_before_anything_is_allocated(bomb, monkeypatch):
    monkeypatch.setattr(snappy, "cramjam", object())  # it is not even asked
    assert compression.unpack_leniently("snappy", bomb, LIMIT) in ((b"", "too_large"), (b"", "not_packed"))


@given(st.binary(max_size=300), st.booleans())
def test_snappy_survives_anything(body, stream):
    data, trouble = compression.unpack_leniently("snappy", (framed(b"ok") if stream else b"") + body, LIMIT)
    assert len(data) <= LIMIT
    assert trouble in (None, "not_packed", "damaged", "cut_off", "too_large")


def test_snappy_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(snappy, "cramjam", None)
    with pytest.raises(PeerError, match=r"pluginhost\[snappy\]") as caught:
        compression.unpack("snappy", raw_block(TEXT), LIMIT)
    assert caught.value.reason == "snappy_missing"
