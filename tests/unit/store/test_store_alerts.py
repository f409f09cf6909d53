"""The desk's database: what is committed once is there once, waits for its outputs in order, and can be found."""

from __future__ import annotations

import json
import sqlite3

import pytest

from pluginhost.problem import Problem
from pluginhost.store.alerts import AlertStore, Commit, DeadLetter, Keep, Letter, LetterTotals, NewAlert, OutboxRow, Stored


class Clock:
    def __init__(self):
        self.now = 1_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return AlertStore(tmp_path / "alerts.db", clock=clock)


def alert(id_, time=5, *, outputs=("es", "back"), severity="high", analyzer="brute", headline="", document=None):
    document = document or b'{"id":"%s"}' % id_.encode()
    return NewAlert(id_, time, severity, analyzer, f"f-{id_}", 1, headline or f"about {id_}", document, outputs)


def ids(found):
    return [each.id for each in found]


def waiting(store, output, now=1 << 60):
    return [row.id for row in store.due(output, now, 100)]


def test_one_commit_brings_positions_groups_alerts_outbox_and_letters(store, clock, tmp_path):
    clock.now = 42
    fresh = store.commit(Commit(positions={0: 7, 1: 9}, groups={"f-a": b"state"}, alerts=[alert("a"), alert("b", outputs=("es",))],
                                letters=[Letter("l", "input", "not a map", b'{"tag":"t"}', b"\x00\xff")]))  # fmt: skip
    assert fresh == Stored(("a", "b"))
    store.close()
    store = AlertStore(tmp_path / "alerts.db", clock=clock)
    assert store.positions() == {0: 7, 1: 9}
    assert store.groups(["f-a", "f-b"]) == {"f-a": b"state"}
    assert store.known(["b", "c", "a"]) == {"a", "b"}
    assert store.due("es", 42, 10) == (
        OutboxRow(1, "a", 5, "high", "brute", b'{"id":"a"}', 0), OutboxRow(2, "b", 5, "high", "brute", b'{"id":"b"}', 0),
    )  # fmt: skip
    assert waiting(store, "back") == ["a"]
    assert store.dead_letters(10) == (DeadLetter("l", 42, "input", "not a map", b'{"tag":"t"}', b"\x00\xff"),)
    found = store.get("a")
    assert (found.seq, found.created, found.fingerprint, found.sequence, found.status) == (1, 42, "f-a", 1, "open")
    assert (found.headline, found.document) == ("about a", b'{"id":"a"}')


def test_a_known_alert_brings_nothing_with_it(store):
    store.commit(Commit(alerts=[alert("a")]))
    store.settle("es", done=[1])
    assert store.commit(Commit(positions={0: 8}, alerts=[alert("a", outputs=("es", "new")), alert("b"), alert("b")])).fresh == ("b",)
    assert store.positions() == {0: 8}
    assert (waiting(store, "es"), waiting(store, "back"), waiting(store, "new")) == (["b"], ["a", "b"], [])
    assert store.count() == 2


def test_a_commit_that_fails_midway_leaves_no_trace(store):
    store.commit(Commit(positions={0: 1}, groups={"f": b"1"}, alerts=[alert("a")]))
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(Commit(positions={0: 2}, groups={"f": b"2"}, alerts=[alert("b")], letters=[Letter("l", "input", None, b"", b"")]))
    assert (store.positions(), store.groups(["f"]), store.known(["a", "b"])) == ({0: 1}, {"f": b"1"}, {"a"})
    assert waiting(store, "es") == ["a"]
    assert store.letter_totals() == LetterTotals(0, 0, 0)


# --- outbox


def test_outputs_settle_apart_and_in_order(store, clock):
    store.commit(Commit(alerts=[alert(id_) for id_ in "abcde"]))
    assert [row.id for row in store.due("es", 1_000, 2)] == ["a", "b"]
    store.settle("es", done=[1], retry=[(2, 5_000, "429")], dead=[(3, "mapping")])
    assert waiting(store, "es", 1_000) == ["d", "e"]
    assert waiting(store, "es", 5_000) == ["b", "d", "e"]
    assert store.due("es", 5_000, 1)[0].attempts == 1
    assert (store.next_due("es"), store.next_due("none")) == (1_000, None)
    store.settle("es", done=[4, 5])
    assert store.next_due("es") == 5_000
    assert waiting(store, "back") == list("abcde")
    assert store.deliveries() == {"es": (3, 1)}
    assert store.count() == 5


def test_settling_twice_counts_once(store):
    store.commit(Commit(alerts=[alert("a"), alert("b")]))
    for _ in range(2):
        store.settle("es", done=[1, 77], dead=[(2, "no")])
    assert store.deliveries() == {"es": (1, 1)}
    assert store.letter_totals().held == 1


def test_a_dead_alert_lies_in_the_dead_letters_with_its_document(store, clock):
    store.commit(Commit(alerts=[alert("a")]))
    store.settle("es", retry=[(1, 0, "later")])
    clock.now = 9_000
    store.settle("es", dead=[(1, "rejected by the index")])
    (letter,) = store.dead_letters(10)
    assert (letter.id, letter.at, letter.stage, letter.reason) == ("es/a", 9_000, "output", "rejected by the index")
    assert letter.body == b'{"id":"a"}'
    assert json.loads(letter.source) == {"output": "es", "alert": "a", "attempts": 2}
    assert waiting(store, "es") == []


def test_settling_is_all_or_nothing(store):
    store.commit(Commit(alerts=[alert("a"), alert("b")]))
    with pytest.raises(sqlite3.IntegrityError):
        store.settle("es", done=[1], dead=[(2, None)])
    assert waiting(store, "es") == ["a", "b"]
    assert store.deliveries() == {}


def test_the_backlog_tells_how_many_and_since_when(store, clock):
    for now, id_ in ((100, "a"), (200, "b"), (300, "c")):
        clock.now = now
        store.commit(Commit(alerts=[alert(id_)]))
    store.settle("es", done=[1], retry=[(2, 9_999, "later")])
    assert store.backlog() == {"back": (3, 100), "es": (2, 200)}
    store.settle("es", done=[2, 3])
    assert store.backlog() == {"back": (3, 100)}


def test_an_output_that_is_no_more_lets_go_of_its_alerts(store):
    store.commit(Commit(alerts=[alert("a"), alert("b")]))
    store.settle("es", done=[1])
    assert store.drop_output("es") == 1
    assert (store.backlog(), store.deliveries()) == ({"back": (2, 1_000)}, {})


# --- dead letters


def letters(*numbers, size=10):
    return [Letter(str(number), "input", "bad", b"{}", b"x" * (size - 2)) for number in numbers]


def test_dead_letters_are_bounded_in_number_and_the_oldest_go(tmp_path, clock):
    store = AlertStore(tmp_path / "a.db", clock=clock, keep=Keep(dead_letters=3, dead_letters_bytes=1_000))
    store.commit(Commit(letters=letters(1, 2)))
    store.commit(Commit(letters=letters(2, 3, 4, 5)))
    assert ids(store.dead_letters(10)) == ["5", "4", "3"]
    assert ids(store.dead_letters(1)) == ["5"]
    assert store.letter_totals() == LetterTotals(held=3, bytes=30, dropped=2)


def test_dead_letters_are_bounded_in_bytes(tmp_path, clock):
    store = AlertStore(tmp_path / "a.db", clock=clock, keep=Keep(dead_letters=100, dead_letters_bytes=35))
    store.commit(Commit(letters=[*letters(1, 2, 3), *letters(4, size=20)]))
    assert ids(store.dead_letters(10)) == ["4", "3"]
    store.commit(Commit(letters=letters(5, size=36)))
    assert ids(store.dead_letters(10)) == ["4", "3"]
    assert store.letter_totals() == LetterTotals(held=2, bytes=30, dropped=3)


# --- looking


def test_alerts_are_listed_newest_first_and_by_what_is_asked(store):
    store.commit(Commit(alerts=[
        alert("a", 30),
        alert("b", 10, severity="low", analyzer="rare"),
        alert("c", 20, severity="low"),
        alert("d", 30),
    ]))  # fmt: skip
    assert ids(store.list(limit=9)) == ["d", "a", "c", "b"]
    assert ids(store.list(limit=2)) == ["d", "a"]
    assert ids(store.list(limit=9, after=20)) == ["d", "a", "c"]
    assert ids(store.list(limit=9, after=11, before=30)) == ["c"]
    assert ids(store.list(limit=9, severity="low")) == ["c", "b"]
    assert ids(store.list(limit=9, severity="low", analyzer="rare", before=11, after=10)) == ["b"]


def test_an_alert_is_found_by_its_id_or_a_beginning_that_is_its_own(store):
    store.commit(Commit(alerts=[alert("abc1"), alert("abc2"), alert("abd"), alert("abd9"), alert("x%")]))
    assert store.get("abc2").id == "abc2"
    assert store.get("abd").id == "abd"
    assert store.get("x").id == "x%"
    assert (store.get("abe"), store.get("%"), store.get("abc11")) == (None, None, None)
    with pytest.raises(Problem, match="more than one alert's id begins with `abc`"):
        store.get("abc")


def test_following_gives_what_came_since_in_order(store):
    assert store.last() == 0
    store.commit(Commit(alerts=[alert("a", 30), alert("b", 10), alert("c", 20)]))
    assert ids(store.since(0, 2)) == ["a", "b"]
    assert ids(store.since(2, 2)) == ["c"]
    assert store.since(3, 2) == []
    assert store.last() == 3


def test_where_followers_stand_outlives_what_they_read(store, clock):
    clock.now = 100
    store.commit(Commit(alerts=[alert("a", outputs=()), alert("b", outputs=())]))
    assert (store.prune(200, 0), store.count(), store.last()) == (2, 0, 2)
    store.commit(Commit(alerts=[alert("c")]))
    assert [one.seq for one in store.since(2, 9)] == [3]


def test_reading_only_looks(store, tmp_path):
    with pytest.raises(Problem) as told:
        AlertStore.readonly(tmp_path / "none.db")
    assert told.value.code == "store.missing"
    store.commit(Commit(alerts=[alert("a")]))
    store.close()
    archive = AlertStore.readonly(tmp_path / "alerts.db")
    assert ids(archive.list(limit=5)) == ["a"]
    assert not hasattr(archive, "commit")


# --- retention


def test_old_alerts_go_once_every_output_has_settled_them(store, clock):
    for now, id_ in ((100, "a"), (200, "b"), (300, "c"), (400, "d")):
        clock.now = now
        store.commit(Commit(alerts=[alert(id_, outputs=("es",) if id_ != "b" else ())]))
    store.settle("es", done=[1], retry=[(3, 9_999, "later")])
    assert store.prune(before=400, keep=100) == 2
    assert ids(store.since(0, 9)) == ["c", "d"]
    store.settle("es", dead=[(3, "no")])
    assert store.prune(before=400, keep=100) == 1
    assert store.prune(before=400, keep=100) == 0
    assert ids(store.since(0, 9)) == ["d"]
    store.commit(Commit(alerts=[alert("e")]))
    assert store.get("e").seq == 5


def test_the_oldest_beyond_the_number_to_keep_go_a_bounded_lot_at_a_time(store):
    store.commit(Commit(alerts=[alert(str(n), outputs=()) for n in range(10)]))
    assert store.prune(before=0, keep=4, limit=5) == 5
    assert store.prune(before=0, keep=4, limit=5) == 1
    assert store.prune(before=0, keep=4, limit=5) == 0
    assert ids(store.since(0, 99)) == ["6", "7", "8", "9"]


def test_a_hundred_thousand_alerts_are_listed_without_reading_them_all(store):
    for start in range(0, 100_000, 10_000):
        store.commit(Commit(alerts=[alert(f"{n:06}", n, outputs=("es",), severity="low" if n % 1000 == 0 else "high")
                                    for n in range(start, start + 10_000)]))  # fmt: skip
    steps = []
    store._database._connection.set_progress_handler(lambda: steps.append(1), 1_000)  # a tick per thousand steps of SQLite
    assert ids(store.list(limit=3)) == ["099999", "099998", "099997"]
    assert ids(store.list(limit=2, analyzer="brute", severity="low")) == ["099000", "098000"]
    assert ids(store.list(limit=2, after=5_000, before=5_002)) == ["005001", "005000"]
    assert ids(store.due("es", 1 << 60, 3)) == ["000000", "000001", "000002"]
    assert store.get("050000").id == "050000"
    assert store.known(["000001", "none"]) == {"000001"}
    assert store.next_due("es") == 1_000
    assert len(steps) <= 100
    assert store.count() == 100_000
