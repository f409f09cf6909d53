"""The counts of alerts: what is counted where, what there is room for, what goes, and that questions are answered by indexes."""

from __future__ import annotations

import sqlite3
from itertools import product

import pytest

from pluginhost.options import Duration
from pluginhost.store import rollups
from pluginhost.store.alerts import AlertStore, Commit, Keep, NewAlert
from pluginhost.store.rollups import HOUR, KINDS, Summary

DAY = 24 * HOUR
MONDAY = 2600 * 168 * HOUR  # where a week of ours begins


class Clock:
    now = MONDAY

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return AlertStore(tmp_path / "alerts.db", clock=clock, keep=Keep(counts_age=Duration(10 * 86400)))


def alert(id_, time=MONDAY, severity="high", analyzer="brute", user="", source="", suppressed=()):
    return NewAlert(str(id_), time, severity, analyzer, f"f-{id_}", 1, "headline", b"{}", (), suppressed, user, source)


def counted(store, by, after=0, **how):
    return [(one.name, one.told, one.suppressed) for one in store.rollups.summary(by, after, **how)]


def test_an_alert_is_counted_once_under_each_of_its_names(store):
    first = [alert("a", user="bob", source="203.0.113.1"), alert("b", user="bob", suppressed=("office", "vip")), alert("c", severity="low")]
    store.commit(Commit(alerts=first))
    store.commit(Commit(alerts=[*first, alert("d", analyzer="scan", user="eve")]))
    assert counted(store, "analyzer") == [("brute", 2, 1), ("scan", 1, 0)]
    assert counted(store, "severity") == [("high", 2, 1), ("low", 1, 0)]
    assert counted(store, "user") == [("bob", 1, 1), ("eve", 1, 0)]
    assert counted(store, "source") == [("203.0.113.1", 1, 0)]


def test_a_commit_that_fails_counts_nothing(store, monkeypatch):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("pluginhost.store.alerts.settled", fail)
    with pytest.raises(OSError, match="full"):
        store.commit(Commit(alerts=[alert("a")]))
    assert counted(store, "analyzer") == []


def test_hours_and_days_are_those_of_the_events_in_utc(store):
    times = (MONDAY + HOUR - 1, MONDAY + HOUR, MONDAY + DAY + HOUR, MONDAY - 1, -1)
    store.commit(Commit(alerts=[alert(n, time) for n, time in enumerate(times)]))
    hours = store.rollups.summary("analyzer", MONDAY + HOUR // 2, per="hour")
    assert hours == tuple(Summary(MONDAY + at * HOUR, "brute", 1, 0) for at in (25, 1, 0))
    days = store.rollups.summary("analyzer", MONDAY + HOUR, per="day")
    assert days == (Summary(MONDAY + DAY, "brute", 1, 0), Summary(MONDAY, "brute", 2, 0))
    assert store.rollups.summary("analyzer", -DAY, per="day", limit=9)[-1] == Summary(-DAY, "brute", 1, 0)


@pytest.mark.parametrize("after", [0, 1, 5, 24, 25, 167, 168, 169, 200, 336, 350])
def test_all_together_is_the_same_however_it_is_put_together(store, after):
    store.commit(Commit(alerts=[alert(n, MONDAY + n * HOUR, user=f"u{n % 3}") for n in range(0, 400, 7)]))
    start = MONDAY + after * HOUR + HOUR // 3
    expected = {f"u{rest}": sum(n % 3 == rest and n >= after for n in range(0, 400, 7)) for rest in range(3)}
    assert {name: told for name, told, _ in counted(store, "user", start)} == {name: told for name, told in expected.items() if told}


def test_beyond_its_room_an_hour_counts_the_rest_together(store, monkeypatch):
    monkeypatch.setattr(rollups, "NAMES", 3)
    store.commit(Commit(alerts=[alert(n, user=f"u{n}", suppressed=("x",) if n == 4 else ()) for n in range(5)]))
    store.commit(Commit(alerts=[alert(f"{n}'", user=f"u{n}") for n in range(5)]))
    assert counted(store, "user", per="hour") == [("", 3, 1), ("u0", 2, 0), ("u1", 2, 0), ("u2", 2, 0)]
    store.commit(Commit(alerts=[alert("later", MONDAY + HOUR, user="u4")]))
    assert counted(store, "user", MONDAY + HOUR, per="hour") == [("u4", 1, 0)]
    assert counted(store, "user", per="day")[0] == ("", 4, 1)


def test_the_order_of_answers_and_how_many(store):
    store.commit(Commit(alerts=[alert(n, MONDAY + n % 2 * HOUR, user=f"u{n % 4}") for n in range(10)]))
    assert counted(store, "user", limit=2) == [("u0", 3, 0), ("u1", 3, 0)]
    assert [name for name, *_ in counted(store, "user", per="hour", limit=3)] == ["u1", "u3", "u0"]


def test_counts_stay_when_alerts_go_and_go_by_their_own_age_a_slice_at_a_time(store, clock):
    store.commit(Commit(alerts=[alert(n, MONDAY + n * HOUR, user=f"u{n}") for n in range(48)]))
    store.prune(1 << 62, 0)
    assert (store.count(), sum(told for _, told, _ in counted(store, "user"))) == (0, 48)
    clock.now += 11 * DAY
    rows = store._database.rows
    gone = []
    while gone[-1:] != [0]:
        gone.append(store.trim(1_000, limit=50))
    assert max(gone) <= 10  # of 50 rows of the usual kind
    assert sum(gone) == 2 * (24 + 1) + (24 + 24)  # the first day: analyzer and severity by the hour and by the day, and 24 users so
    assert rows("SELECT MIN(start) FROM rollups WHERE hours = 1") == [(MONDAY // HOUR + 24,)]
    assert sum(told for _, told, _ in counted(store, "user", MONDAY + DAY, per="hour")) == 24


@pytest.mark.parametrize("name", ["other", "(all others)", "x" * 300, "\0", "\u202e", "'; DROP TABLE rollups --"])
def test_any_name_is_only_a_name(store, name):
    store.commit(Commit(alerts=[alert("a", user=name)]))
    assert counted(store, "user") == [(name[:256], 1, 0)]


def plans(database, sql, values):
    return [row[3] for row in database.rows(f"EXPLAIN QUERY PLAN {sql}", *values)]


def test_every_question_goes_by_an_index(store, monkeypatch):
    asked = []
    database = store._database
    rows = database.rows
    monkeypatch.setattr(database, "rows", lambda sql, *values: (asked.append((sql, values)), rows(sql, *values))[1])
    filters = {"severity": "high", "analyzer": "brute", "after": 1, "before": 5, "text": "failed"}
    for chosen, suppressed in product(product((False, True), repeat=len(filters)), (False, True)):
        given = {name: filters[name] for name, wanted in zip(filters, chosen, strict=True) if wanted}
        store.list(limit=5, suppressed=suppressed, **given)
    for by, per in product(KINDS, (None, "hour", "day")):
        store.rollups.summary(by, 7, per=per)
    monkeypatch.setattr(database, "rows", rows)
    assert len(asked) == 2 ** 6 + 12
    by = {(False, False): "telling", (True, False): "severity", (False, True): "analyzer", (True, True): "both"}
    for sql, values in asked:
        told = plans(database, sql, values)
        if "FROM alerts" in sql and "words" not in sql:
            index = f"alerts_by_{by['severity =' in sql, 'analyzer =' in sql]}"
            assert [index in one for one in told] == [True], (sql, told)
        assert sql.count("(seq)") == len([one for one in told if "alerts_by_time" in one]), (sql, told)
        assert not [one for one in told if one.startswith("SCAN") and "VIRTUAL TABLE" not in one and "subquery" not in one], (sql, told)
        if "alerts" in sql:
            assert not [line for line in told if "TEMP B-TREE" in line], (sql, told)


def test_what_is_there_already_is_counted_when_the_table_comes(tmp_path):
    path = tmp_path / "alerts.db"
    before = sqlite3.connect(path)
    before.execute("CREATE TABLE alerts (time INTEGER, severity TEXT, analyzer TEXT, suppressed TEXT, document BLOB)")
    documents = ['{"user":{"name":"bob"},"source":{"ip":["203.0.113.1"]}}', '{"user":{"name":["a","b"]}}', '{"user":{"name":["eve"]}}',
                 '{"user":"bob"}', "no json", "[]", '{"user":{"name":7}}']  # fmt: skip
    before.executemany("INSERT INTO alerts (time, severity, analyzer, suppressed, document) VALUES (?, 'low', 'x', ?, ?)",
                       [(MONDAY + n * HOUR * 5 - 1, "office" * (n == 2), one.encode()) for n, one in enumerate(documents)])
    before.executescript(rollups.SCRIPT)
    asked = "SELECT kind, name, SUM(told), SUM(suppressed) FROM rollups WHERE hours = 168 GROUP BY 1, 2 ORDER BY 1, 2"
    found = before.execute(asked).fetchall()
    assert found == [("analyzer", "x", 6, 1), ("severity", "low", 6, 1), ("source", "203.0.113.1", 1, 0), ("user", "bob", 1, 0),
                     ("user", "eve", 0, 1)]  # fmt: skip
    hours = before.execute("SELECT start FROM rollups WHERE hours = 1 AND kind = 'analyzer' ORDER BY 1").fetchall()
    assert [start - MONDAY // HOUR for (start,) in hours] == [-1, 4, 9, 14, 19, 24, 29]
