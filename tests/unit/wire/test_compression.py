from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pluginhost.problem import PeerError
from pluginhost.wire import compression

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
