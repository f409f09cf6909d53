from __future__ import annotations

import msgspec
import pytest

from pluginhost.engine.guard import COUNTS, HOPS, Guard
from pluginhost.metrics import Counts
from pluginhost.wire.chunk import Chunk, Columns, Meta, Rejection

PLAIN = {"message": "pluginhost is mentioned here"}
OURS = {"message": "x", "pluginhost": {"host": "web1", "hop": 1}}
THEIRS = {"message": "x", "pluginhost": {"host": "web2", "hop": 1}}
FAR = {"message": "x", "pluginhost": {"host": "web2", "hop": HOPS}}


def chunk(*records, tag="app", codec="msgpack", rejected=(), metas=()) -> Chunk:
    encode = msgspec.msgpack.encode if codec == "msgpack" else msgspec.json.encode
    body, bounds = b"", []
    for record in records:
        raw = encode(record)
        bounds.append((len(body), len(body) + len(raw)))
        body += raw
    return Chunk(tag, codec, body, body, Columns.of(bounds, list(range(1, len(records) + 1)), metas), rejected=rejected)


@pytest.fixture
def guard():
    return Guard("web1", {"flagged", "alerts.out"}, Counts(*COUNTS))


def records(made: Chunk) -> list:
    decode = msgspec.msgpack.decode if made.codec == "msgpack" else msgspec.json.decode
    return [decode(made.data[start:end]) for start, end in zip(made.columns.starts, made.columns.ends, strict=True)]


@pytest.mark.parametrize("one", [chunk(PLAIN, THEIRS), chunk(), chunk({"pluginhost": 5}, {"pluginhost": {"hop": "9"}},
{"pluginhost": None}),
                                 chunk(PLAIN, tag="flaggedlike"), chunk({"pluginhost": {"host": ["web1"], "hop": True}})])  # fmt: skip
def test_what_is_not_ours_passes_untouched(guard, one):
    assert guard(one) is one
    assert guard._counts == {"loop_refused": 0}


@pytest.mark.parametrize("tag", ["flagged", "flagged.high.x", "alerts.out", "alerts.out.x"])
def test_our_own_tag_is_refused_whole(guard, tag):
    assert guard(chunk(PLAIN, THEIRS, tag=tag)) is None
    assert guard._counts == {"loop_refused": 2}


@pytest.mark.parametrize("codec", ["msgpack", "json"])
def test_marked_records_are_taken_out_and_their_neighbours_go_on(guard, codec):
    one = chunk(PLAIN, OURS, THEIRS, FAR, PLAIN, codec=codec, metas=[Meta(1, 1, 2), Meta(2, 3, 4), Meta(4, 5, 6)])
    kept = guard(one)
    assert records(kept) == [PLAIN, THEIRS, PLAIN]
    assert (list(kept.columns.times), kept.columns.metas) == ([1, 3, 5], (Meta(1, 3, 4), Meta(2, 5, 6)))
    assert kept.body == one.body
    assert guard._counts == {"loop_refused": 2}


def test_nothing_is_left_of_a_chunk_of_our_own_records_but_its_rejections(guard):
    assert guard(chunk(OURS, FAR)) is None
    kept = guard(chunk(OURS, rejected=(Rejection("bad", 0, 1),)))
    assert (kept.count, kept.rejected) == (0, (Rejection("bad", 0, 1),))
    assert guard._counts == {"loop_refused": 3}
