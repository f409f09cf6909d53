"""What makes room in the desk's database and in the journal, and what must stay."""

from __future__ import annotations

import sqlite3

import pytest

from pluginhost.options import Duration, Size
from pluginhost.store.alerts import AlertStore, Commit, Letter, NewAlert
from pluginhost.store.bounds import Buffer, Keep
from pluginhost.store.journal import Journal, Kind, Row
from pluginhost.store.migrations import MIGRATIONS

SECOND = 10**9


class Clock:
    def __init__(self):
        self.now = 1_000 * SECOND

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def opened(tmp_path, clock, buffers=None, **keep):
    return AlertStore(tmp_path / "alerts.db", clock=clock, keep=Keep(**keep), buffers=buffers)


def alert(id_, *outputs, size=100):
    return NewAlert(id_, 5, "high", "brute", f"f-{id_}", 1, "headline", b"x" * size, outputs)


def waiting(store, output):
    return [row.id for row in store.due(output, 1 << 62, 100)]


# --- outboxes


def test_an_outbox_that_pushes_back_is_full_at_its_bound_and_refuses_nothing_itself(tmp_path, clock):
    store = opened(tmp_path, clock, {"es": Buffer(max_bytes=Size(300), when_full="push_back")})
    store.commit(Commit(alerts=[alert("a", "es", "other"), alert("b", "es")]))
    assert (store.full(), store.waiting()) == ([], {"es": (2, 200), "other": (1, 100)})
    assert store.commit(Commit(alerts=[alert("c", "es"), alert("d", "es")])).overflowed == {}
    assert (store.full(), waiting(store, "es")) == (["es"], list("abcd"))
    store.settle("es", done=[1, 2])
    assert store.full() == []


def test_an_outbox_that_dead_letters_takes_what_fits_and_counts_the_rest(tmp_path, clock):
    store = opened(tmp_path, clock, {"web": Buffer(max_bytes=Size(250), when_full="dead_letter")})
    done = store.commit(Commit(alerts=[alert("a", "web"), alert("b", "web"), alert("c", "web", "other"), alert("d", "web", size=50)]))
    assert (done.fresh, done.overflowed) == (("a", "b", "c", "d"), {"web": 1})
    assert (waiting(store, "web"), waiting(store, "other")) == (["a", "b", "d"], ["c"])
    assert (store.full(), store.brimming()) == ([], {"web"})
    (letter,) = store.dead_letters(10)
    assert (letter.id, letter.reason, letter.body) == ("web/c", "the buffer of the output is full", b"x" * 100)
    assert store.deliveries() == {"web": (0, 1)}
    store.settle("web", done=[1])
    assert store.brimming() == set()
    assert store.commit(Commit(alerts=[alert("e", "web")])).overflowed == {}


def test_what_waits_for_too_long_becomes_a_dead_letter_a_slice_at_a_time(tmp_path, clock):
    store = opened(tmp_path, clock, {"es": Buffer(max_age=Duration(60))})
    store.commit(Commit(alerts=[alert(id_, "es", "other") for id_ in "abc"]))
    clock.now += 61 * SECOND
    store.commit(Commit(alerts=[alert("d", "es")]))
    assert [store.expire("es", 2) for _ in range(3)] == [2, 1, 0]
    assert (waiting(store, "es"), waiting(store, "other")) == (["d"], list("abc"))
    assert {(letter.id, letter.reason) for letter in store.dead_letters(9)} == {(f"es/{id_}", "waited longer than 1m") for id_ in "abc"}
    assert (store.deliveries(), store.waiting()["es"]) == ({"es": (0, 3)}, (1, 100))


def test_the_sums_hold_through_every_way_out(tmp_path, clock):
    store = opened(tmp_path, clock)
    store.commit(Commit(alerts=[alert(id_, "es", "web", size=10 * n) for n, id_ in enumerate("abcd", 1)]))
    store.settle("es", done=[1], retry=[(2, 0, "later")], dead=[(3, "no")])
    assert store.waiting() == {"es": (2, 60), "web": (4, 100)}
    store.drop_output("web")
    assert store.waiting() == {"es": (2, 60)}


def test_no_more_is_read_at_once_than_memory_should_hold(tmp_path, clock, monkeypatch):
    monkeypatch.setattr("pluginhost.store.alerts._AT_ONCE", 250)
    store = opened(tmp_path, clock)
    store.commit(Commit(alerts=[alert(id_, "es") for id_ in "abcdef"]))
    assert waiting(store, "es") == ["a", "b", "c"]
    store.settle("es", done=[1, 2, 3])  # nothing reads any more
    assert waiting(store, "es") == ["d", "e", "f"]


# --- what is kept


def test_groups_idle_longest_are_forgotten_by_age_and_by_number(tmp_path, clock):
    store = opened(tmp_path, clock, groups=2, groups_age=Duration(100))
    for name in ("old", "again", "b", "c"):
        store.commit(Commit(groups={name: name.encode()}))
        clock.now += SECOND
    store.commit(Commit(groups={"again": b"2"}))
    assert store.trim(1_000) == 2
    assert store.groups(["old", "again", "b", "c"]) == {"again": b"2", "c": b"c"}
    clock.now += 101 * SECOND
    store.commit(Commit(groups={"new": b""}))
    assert store.trim(1_000) == 2
    assert store.groups(["again", "c", "new"]) == {"new": b""}
    assert store.trim(1_000) == 0


def test_letters_are_forgotten_by_age_and_counted(tmp_path, clock):
    store = opened(tmp_path, clock, dead_letters_age=Duration(10))
    store.commit(Commit(letters=[Letter(id_, "input", "bad", b"{}", b"x" * 8) for id_ in "ab"]))
    clock.now += 11 * SECOND
    store.commit(Commit(letters=[Letter("c", "input", "bad", b"{}", b"x" * 8)]))
    assert store.trim(1_000) == 2
    totals = store.letter_totals()
    assert ((totals.held, totals.bytes, totals.dropped), [one.id for one in store.dead_letters(9)]) == ((1, 10, 2), ["c"])


def test_alerts_go_by_age_and_by_the_bytes_of_the_database_but_not_while_an_output_waits(tmp_path, clock):
    store = opened(tmp_path, clock, alerts_age=Duration(10), alerts_bytes=Size(3 << 20))
    store.commit(Commit(alerts=[alert("kept", "es"), alert("old")]))
    clock.now += 11 * SECOND
    assert store.trim(1_000_000) == 1
    store.commit(Commit(alerts=[alert(str(n), size=5_000) for n in range(1_000)]))
    while store.trim(1_000_000, limit=1_000):
        pass
    assert store._size() <= 3 << 20
    left = [one.id for one in store.since(0, 10_000)]
    assert left[0] == "kept"
    assert left[1:] == [str(n) for n in range(1_000 - len(left) + 1, 1_000)]
    assert len(left) > 300


def test_an_older_database_is_brought_forward_with_its_sums(tmp_path, clock):
    path = tmp_path / "alerts.db"
    with sqlite3.connect(path) as old:
        old.executescript(f"{MIGRATIONS[0]}; PRAGMA user_version=1")
        old.execute("INSERT INTO alerts (id, time, created, severity, analyzer, fingerprint, sequence, headline, document) "
                    "VALUES ('a', 1, 1, 'low', 'x', 'f', 1, '', x'0102')")  # fmt: skip
        old.execute("INSERT INTO outbox (output, seq, due) VALUES ('es', 1, 0), ('web', 1, 0)")
        old.execute("INSERT INTO groups VALUES ('f', x'01')")
    old.close()
    clock.now = 4 * 10**18  # long after this test is read
    store = AlertStore(path, clock=clock, keep=Keep(groups_age=Duration(400 * 365 * 86400)))
    assert store.waiting() == {"es": (1, 2), "web": (1, 2)}
    store.trim(1_000)
    assert store.groups(["f"]) == {"f": b"\x01"}


# --- the journal


def rows(count, size=100):
    return [Row(Kind.RECORDS, b"x" * size) for _ in range(count)]


def test_a_file_of_the_journal_that_is_old_enough_goes_although_it_is_not_full(tmp_path, clock):
    journal = Journal(tmp_path / "j", clock=clock, max_age=60 * SECOND)
    journal.append(rows(3))
    journal.drop(3)
    assert (journal.start, journal.end) == (0, 3)
    clock.now += 60 * SECOND
    journal.drop(2)
    assert journal.start == 0  # one row of it is still needed
    journal.drop(3)
    assert (journal.start, journal.end, len(list((tmp_path / "j").iterdir()))) == (3, 3, 1)
    journal.append(rows(1))
    assert [row.offset for row in journal.read(3)] == [3]


def test_an_old_file_is_closed_by_the_next_row_also_after_a_restart(tmp_path, clock):
    journal = Journal(tmp_path / "j", clock=clock, max_age=60 * SECOND)
    journal.append(rows(1))
    journal.close()
    clock.now += 61 * SECOND
    journal = Journal(tmp_path / "j", clock=clock, max_age=60 * SECOND)
    journal.append(rows(1))
    journal.append(rows(1))
    assert sorted(int(path.stem) for path in (tmp_path / "j").iterdir()) == [0, 1]


def test_where_room_is_short_the_file_that_is_written_to_goes_too_once_all_of_it_is_passed(tmp_path, clock):
    journal = Journal(tmp_path / "j", clock=clock)
    journal.append(rows(2, 50_000))
    journal.drop(1, seal=True)
    assert journal.bytes > 100_000
    journal.drop(2, seal=True)
    assert (journal.bytes < 100, journal.start, journal.end) == (True, 2, 2)
    journal.drop(2, seal=True)
    assert len(list((tmp_path / "j").iterdir())) == 1
    journal.close()
    again = Journal(tmp_path / "j", clock=clock)
    again.append(rows(1))
    assert [row.offset for row in again.read(2)] == [2]
