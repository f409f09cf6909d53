"""Mutes in the desk's database: they are kept as they were laid down, with the rows at which they began and ended."""

from __future__ import annotations

import pytest

from pluginhost.store.alerts import AlertStore, Commit
from pluginhost.store.mutes import StoredMute

NOW = 1_800_000_000 * 10**9
FULL = StoredMute("mute_1", NOW, NOW + 5, ("new_*", "brute"), "f" * 64, 'user.name:"a\0b" OR x:\'y\'', "eve\n\x1b[1m",
                  "a reason; DROP TABLE mutes", 7)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    return AlertStore(tmp_path / "alerts.db", clock=lambda: NOW)


def put(store, *mutes):
    with store.turn():
        for one in mutes:
            store.mutes.put(one)
        store.commit(Commit())


def ended(store, name, row):
    with store.turn():
        found = store.mutes.end(name, row)
        store.commit(Commit())
    return found


def refused(store):
    store.mutes.swap(4)
    store.mutes.put(FULL)
    raise OSError("full")


def test_they_are_kept_as_they_were_laid_down_in_the_order_of_their_rows(store, tmp_path):
    put(store, FULL, StoredMute("b", 1, 2, row=9), StoredMute("a", 1, 2, row=9), StoredMute("early", 1, 2, row=3))
    store.close()
    again = AlertStore(tmp_path / "alerts.db", clock=lambda: NOW)
    assert [one.name for one in again.mutes.all()] == ["early", "mute_1", "a", "b"]
    assert again.mutes.all()[1] == FULL
    assert AlertStore.readonly(tmp_path / "alerts.db").mutes.all() == again.mutes.all()


def test_one_ends_once_and_another_of_its_name_takes_its_place(store):
    put(store, FULL)
    assert [ended(store, "mute_1", 11), ended(store, "mute_1", 12), ended(store, "other", 12)] == [True, False, False]
    assert [(one.row, one.ended) for one in store.mutes.all()] == [(7, 11)]
    put(store, StoredMute("mute_1", 1, 2, row=20))
    assert [(one.row, one.ended, one.analyzers) for one in store.mutes.all()] == [(20, None, ())]


def test_what_goes_is_what_ended_long_ago(store):
    put(store, *(StoredMute(f"m{n}", 0, n * 10, row=n) for n in range(6)))
    with store.turn():
        gone = store.mutes.expire(30, 2), store.mutes.expire(30, 2), store.mutes.expire(30, 2)
        store.commit(Commit())
    assert gone == (2, 1, 0)
    assert [one.name for one in store.mutes.all()] == ["m3", "m4", "m5"]


def test_the_generation_in_force_is_kept_with_the_commit_or_not_at_all(store):
    assert store.mutes.generation() == 0
    with store.turn():
        store.mutes.swap(3)
        store.commit(Commit())
    with pytest.raises(OSError, match="full"), store.turn():
        refused(store)
    assert (store.mutes.generation(), store.mutes.all()) == (3, [])
