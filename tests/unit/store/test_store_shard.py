"""What a worker commits is what it finds again, whole and in order."""

from __future__ import annotations

import sqlite3

import pytest

from pluginhost.store.shard import Checkpoint, ShardStore


def reopened(store, path):
    store.close()
    return ShardStore(path)


def everything(store):
    rows = [list(each) for each in (store.load(), store.tables())]
    return (store.position, store.generation, store.watermark, store.shapes(), *rows)


FIRST = Checkpoint(
    position=10, generation=3, watermark=1_700_000_000_000_000_000, shapes={"brute": "s1", "rare": "s2"}, meta={"note": b"x", "n": 7},
    changed=[("brute", b"k1", 5, 300, b"one"), ("brute", b"k2", 6, 100, b"two"), ("rare", b"k1", 5, 200, b"three")],
    tables_set=[("seen", b"a", b"1", 50), ("seen", b"b", b"2", 60)],
)  # fmt: skip


def test_an_empty_store_starts_at_nought(tmp_path):
    store = ShardStore(tmp_path / "shard-0.db")
    assert everything(store) == (0, 0, 0, {}, [], [])
    assert store.meta("note") is None


def test_a_checkpoint_is_found_again_in_order_of_use(tmp_path):
    store = ShardStore(tmp_path / "shard-0.db")
    store.commit(FIRST)
    expected = (
        10, 3, 1_700_000_000_000_000_000, {"brute": "s1", "rare": "s2"},
        [("brute", b"k2", 100, b"two"), ("rare", b"k1", 200, b"three"), ("brute", b"k1", 300, b"one")],
        [("seen", b"a", b"1", 50), ("seen", b"b", b"2", 60)],
    )  # fmt: skip
    assert everything(store) == expected
    store = reopened(store, tmp_path / "shard-0.db")
    assert everything(store) == expected
    assert (store.meta("note"), store.meta("n"), store.meta("position")) == (b"x", 7, 10)


def test_the_next_checkpoint_changes_only_what_it_names(tmp_path):
    store = ShardStore(tmp_path / "shard-0.db")
    store.commit(FIRST)
    store.commit(Checkpoint(
        position=11, generation=4, watermark=5, shapes={"rare": "s3"},
        changed=[("brute", b"k2", 9, 400, b"two again"), ("rare", b"k1", 5, 500, b"anew")], removed=[("brute", b"k1"), ("rare", b"k1")],
        tables_set=[("seen", b"b", b"3", 70)], tables_removed=[("seen", b"a")],
    ))  # fmt: skip
    assert everything(reopened(store, tmp_path / "shard-0.db")) == (
        11, 4, 5, {"brute": "s1", "rare": "s3"},
        [("brute", b"k2", 400, b"two again"), ("rare", b"k1", 500, b"anew")],
        [("seen", b"b", b"3", 70)],
    )  # fmt: skip


def test_rows_carry_their_key_group(tmp_path):
    store = ShardStore(tmp_path / "shard-0.db")
    store.commit(FIRST)
    query = "SELECT analyzer, key FROM states WHERE keygroup = 5 ORDER BY 1"
    assert store._database.rows(query) == [("brute", b"k1"), ("rare", b"k1")]
    assert "states_by_group" in str(store._database.rows(f"EXPLAIN QUERY PLAN {query}"))


def test_a_checkpoint_that_fails_midway_leaves_no_trace(tmp_path):
    store = ShardStore(tmp_path / "shard-0.db")
    store.commit(FIRST)
    before = everything(store)
    broken = Checkpoint(position=99, generation=9, watermark=9, removed=[("brute", b"k1")], changed=[("a", b"k", 1, 1, b"")],
                        tables_set=[("seen", b"c", None, 1)])  # fmt: skip
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(broken)
    assert everything(store) == before
    assert everything(reopened(store, tmp_path / "shard-0.db")) == before

