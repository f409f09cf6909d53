"""Whatever bytes come, frames or a `PeerError` come out: nothing else is raised, nothing is accepted that cannot be read or replayed."""

from __future__ import annotations

from forwarding import captures, every_byte, pack, tell
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.wire.forward import Limits

CAPTURES = [capture["bytes"][:6000] for capture in captures()]
HEADS = b"\x80\x81\x90\x91\x92\x93\x94\xa0\xa1\xc0\xc1\xc4\xc5\xc7\xca\xcb\xcc\xce\xcf\xd0\xd3\xd4\xd7\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\xff"
LIMITS = Limits(frame=5000, data=3000, entries=50, depth=8)
PREFIXES = st.sampled_from(
    [b"", b"\x93\xa1t", b"\x94\xa1t\x01", b"\x93\xa1t\xc4\x20", b"\x93\xa1t\x92", b"\x94\xa1t\x01\x80", b"[", b'["t",1,{', b'["t",[[1,{']
)
MAGIC = st.sampled_from([b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd"])


@settings(max_examples=1000, deadline=None)
@given(PREFIXES, st.binary(max_size=80) | st.lists(st.sampled_from(HEADS), max_size=40).map(bytes), st.sampled_from([Limits(), LIMITS]))
def test_arbitrary_bytes(prefix, noise, limits):
    data = prefix + noise
    assert tell(data, every_byte(data), limits)[0] == tell(data, limits=limits)[0]


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["gzip", "zstd", "text", "lz4"]), MAGIC)
def test_arbitrary_packed_bodies(noise, packing, magic):
    told, _, _ = tell(pack(["t", magic + noise, {"compressed": packing, "chunk": "c"}]))
    assert told.acks == [pack({"ack": "c"})]
    assert told.closed == ""


@st.composite
def mutations(draw):
    data = bytearray(draw(st.sampled_from(CAPTURES)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        what = draw(st.integers(0, 3))
        if what == 0:
            data[at] = draw(st.integers(0, 255))
        elif what == 1:
            data[at] = draw(st.sampled_from(HEADS))
        elif what == 2:
            del data[at : at + draw(st.integers(1, 8))]
            data += b"\xc0"
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=5))
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(mutations(), st.sampled_from([Limits(), LIMITS]), st.lists(st.integers(0, 3000), max_size=5))
def test_mutated_captures(data, limits, cuts):
    cuts = every_byte(data) if len(data) < 800 else sorted(min(cut, len(data)) for cut in cuts)
    assert tell(data, cuts, limits)[0] == tell(data, limits=limits)[0]
