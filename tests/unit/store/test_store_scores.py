"""Scores in the desk's database: bounded by minute, room and age; an outbox of their own; nothing of them among the alerts."""

from __future__ import annotations

import pytest

from pluginhost.options import Duration, Size
from pluginhost.store.alerts import AlertStore, Commit
from pluginhost.store.bounds import Buffer
from pluginhost.store.scores import NewScore

MINUTE, FAR = 60 * 10**9, 1 << 62


class Clock:
    now = 10**18

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    buffers = {"small": Buffer(max_bytes=Size(400), max_age=Duration(60))}
    made = AlertStore(tmp_path / "alerts.db", clock=clock, buffers=buffers)
    yield made
    made.close()


def score(n, analyzer="a", reached=0, size=10):
    return NewScore(f"id-{n}", n, reached, analyzer, b"x" * size)


def put(store, scores, outputs=("out",), per_minute=1000):
    with store.turn():
        told = store.scores.add(scores, outputs, per_minute)
        store.commit(Commit(positions={0: 1}))
    return dict(told)


def ids(store, output="out"):
    return [row.id for row in store.scores.due(output, FAR, 1000)]


def test_each_output_gets_them_in_order_and_settles_them_alone(store):
    assert put(store, [score(1), score(2)], ("out", "other"))["taken"] == 4
    first = store.scores.due("out", FAR, 1)[0]
    assert (first.id, first.time, first.severity, first.analyzer, first.document, first.attempts) == ("id-1", 1, "", "a", b"x" * 10, 0)
    store.scores.settle("out", done=[first.seq])
    assert (ids(store), ids(store, "other")) == (["id-2"], ["id-1", "id-2"])
    assert store.scores.waiting() == {"out": (1, 10), "other": (2, 20)}


def test_they_are_no_alerts(store):
    put(store, [score(1)])
    assert (store.count(), store.list(limit=9, suppressed=None), store.waiting(), store.backlog()) == (0, [], {}, {})


def test_a_minute_takes_so_many_of_an_analyzer_however_the_work_is_cut(tmp_path, clock):
    many = [score(n, "ab"[n % 2], reached=(n // 20) * MINUTE) for n in range(60)]
    taken = []
    for size in (60, 7, 1):
        store = AlertStore(tmp_path / f"{size}.db", clock=clock)
        dropped = 0
        for at in range(0, 60, size):
            if at == 7:  # and over a crash
                store.close()
                store = AlertStore(tmp_path / f"{size}.db", clock=clock)
            dropped += put(store, many[at : at + size], per_minute=3).get("minute", 0)
        taken.append((ids(store), dropped))
        store.close()
    assert taken[0] == taken[1] == taken[2]
    assert taken[0] == ([f"id-{n}" for start in (0, 20, 40) for n in range(start, start + 6)], 42)


def test_what_is_not_committed_was_never_there(store):
    def failing():
        with store.turn():
            store.scores.add([score(1)], ["out"], 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert put(store, [score(2)], per_minute=1)["taken"] == 1
    assert ids(store) == ["id-2"]


def test_a_quarter_of_a_buffer_is_theirs_and_they_push_nobody_back(store):
    assert put(store, [score(n, size=30) for n in range(5)], ("small",)) == {"minute": 0, "taken": 3, "buffer": 2}
    assert store.full() == []
    store.scores.settle("small", done=[store.scores.due("small", FAR, 1)[0].seq])
    assert put(store, [score(9, size=30)], ("small",))["taken"] == 1


def test_later_and_never(store, clock):
    put(store, [score(1), score(2), score(3)])
    one, two, _ = store.scores.due("out", FAR, 9)
    store.scores.settle("out", retry=[(one.seq, clock.now + 5, "busy")], dead=[(two.seq, "no")])
    assert [row.id for row in store.scores.due("out", clock.now, 9)] == ["id-3"]
    assert [(row.id, row.attempts) for row in store.scores.due("out", clock.now + 5, 9)] == [("id-1", 1), ("id-3", 0)]
    (letter,) = store.dead_letters(9)
    assert (letter.id, letter.reason, letter.body) == ("out/id-2", "no", b"x" * 10)
    assert store.scores.next_due("out") == clock.now
    store.awaken(clock.now)
    assert ids(store) == ["id-1", "id-3"]


def test_what_waits_too_long_goes_and_is_counted(store, clock):
    put(store, [score(1)], ("small",))
    clock.now += 61 * 10**9
    put(store, [score(2)], ("small",))
    assert store.scores.expire("small") == 0
    assert (ids(store, "small"), store.scores.counts["age"], store.dead_letters(9)) == (["id-2"], 1, ())


def test_outputs_that_take_none_any_more_are_forgotten(store):
    put(store, [score(n) for n in range(5)], ("out", "gone"))
    assert [store.scores.drop({"out"}, 3), store.scores.drop({"out"}, 3), store.scores.drop({"out"}, 3)] == [3, 2, 0]
    assert store.scores.waiting() == {"out": (5, 50)}


def test_counts_of_old_minutes_go(store, monkeypatch):
    monkeypatch.setattr("pluginhost.store.scores._MINUTES", 4)
    put(store, [score(n, reached=n * MINUTE) for n in range(10)], per_minute=1)
    assert store.trim(1000) == 6
    assert put(store, [score(1, reached=9 * MINUTE), score(2, reached=0)], per_minute=1) == {"minute": 1, "taken": 1}
