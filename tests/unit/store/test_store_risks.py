"""Risks and what analysts say of them, suppressed alerts and their reasons: kept, bounded, found, and brought forward."""

from __future__ import annotations

import sqlite3

import pytest

from pluginhost.problem import Problem
from pluginhost.store import alerts, risks
from pluginhost.store.alerts import AlertStore, Commit, NewAlert
from pluginhost.store.migrations import MIGRATIONS
from pluginhost.store.risks import Override, Risk


@pytest.fixture
def store(tmp_path):
    return AlertStore(tmp_path / "alerts.db", clock=lambda: 1_000)


def put(store, *rows, most=100):
    with store.turn():
        gone = sum(store.risks.put(kind, name, at, rank, b"%d" % at, most=most) for kind, name, at, rank in rows)
        store.commit(Commit())
    return gone


def alert(id_, time=5, suppressed=()):
    return NewAlert(id_, time, "high", "a", "f", 1, id_, b"{}", (), suppressed)


def test_a_risk_is_put_replaced_and_found_again(store, tmp_path):
    put(store, ("user", "ann", 5, 1.5), ("host", "ann", 6, 0.5), ("user", "ann", 7, 2.5))
    store.close()
    again = AlertStore(tmp_path / "alerts.db", clock=lambda: 1_000)
    assert (again.risks.get("user", "ann"), again.risks.get("host", "ann")) == (Risk("ann", 7, b"7"), Risk("ann", 6, b"6"))
    assert again.risks.get("user", "bob") == Risk("bob")


def test_the_highest_come_first_with_what_is_said_of_them(store):
    put(store, ("user", "a", 1, 1.0), ("user", "b", 2, 3.0), ("user", "c", 3, 2.0), ("host", "d", 4, 9.0))
    store.risks.say("user", "c", Override("high", 5_000, 1_000, "eve", "seen"))
    store.risks.say("user", "nobody", Override("low", 5_000, 1_000))
    assert store.risks.highest("user", 2) == [Risk("b", 2, b"2"), Risk("c", 3, b"3", Override("high", 5_000, 1_000, "eve", "seen"))]
    assert AlertStore.readonly(store._database.path).risks.highest("host", 9) == [Risk("d", 4, b"4")]


def test_those_whose_latest_alert_is_oldest_make_room_also_the_one_just_put(store):
    assert put(store, *(("user", f"u{n}", n, 0.0) for n in range(5)), most=3) == 2
    assert put(store, ("user", "late", 1, 0.0), most=3) == 1
    assert put(store, ("user", "u3", 9, 0.0), ("user", "u3", 10, 0.0), most=3) == 0
    assert {one.name for one in store.risks.highest("user", 9)} == {"u2", "u3", "u4"}


def test_a_turn_that_fails_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError), store.turn():
        store.risks.put("user", "ann", 1 // store.risks.put("user", "ann", 5, 1.0, b"x", most=9), 1.0, b"", most=9)
    assert store.risks.get("user", "ann") == Risk("ann")
    assert put(store, ("user", "bob", 5, 1.0), most=1) == 0  # the one that was undone does not count


def test_what_is_said_is_replaced_taken_back_and_forgotten_after_its_end(store):
    store.risks.say("user", "ann", Override("high", 900, 1))
    store.risks.say("user", "ann", Override("low", 1_001, 2))
    store.risks.say("user", "bob", Override("low", 1_000, 2))
    assert store.risks.get("user", "ann").override == Override("low", 1_001, 2)
    assert store.trim(1_000) == 1
    assert (store.risks.get("user", "ann").override is None, store.risks.get("user", "bob").override) == (False, None)
    assert (store.risks.unsay("user", "ann"), store.risks.unsay("user", "ann")) == (True, False)


def test_no_more_is_said_than_may_be(store, monkeypatch):
    monkeypatch.setattr(risks, "_MOST_OVERRIDES", 2)
    for name in "ab":
        store.risks.say("user", name, Override("high", 900, 1))
    with pytest.raises(Problem, match=r"risk\.overrides"):
        store.risks.say("user", "c", Override("high", 900, 1))
    store.risks.say("user", "b", Override("low", 900, 1))  # what is said of somebody may change


def test_reasons_are_counted_and_bounded(store, monkeypatch):
    monkeypatch.setattr(alerts, "_REASONS", 2)
    store.commit(Commit(alerts=[alert("a", suppressed=("learning", "x")), alert("b", suppressed=("learning",)), alert("c")]))
    store.commit(Commit(alerts=[alert("a", suppressed=("learning",)), alert("d", suppressed=("learning", "new"))]))
    assert store.suppressions() == {"learning": 3, "other": 1, "x": 1}
    assert [(one.id, one.suppressed) for one in store.list(limit=9, suppressed=None)] == [
        ("d", "learning new"), ("c", ""), ("b", "learning"), ("a", "learning x"),
    ]  # fmt: skip
    store.prune(2_000, 0)
    assert store.suppressions()["learning"] == 3  # ever


def test_lists_of_told_and_of_suppressed_alerts_need_no_sorting(store):
    for which in ("= ''", "<> ''"):
        sql = f"EXPLAIN QUERY PLAN SELECT seq FROM alerts WHERE suppressed {which} ORDER BY time DESC, seq DESC LIMIT 5"
        (step,) = store._database.rows(sql)
        assert "USING" in step[3]
        assert "INDEX alerts_" in step[3]


def test_a_database_of_before_is_brought_forward_with_all_its_alerts_told(tmp_path):
    old = sqlite3.connect(tmp_path / "alerts.db")
    old.executescript(f"{MIGRATIONS[0]}{MIGRATIONS[1]} PRAGMA user_version=2")
    old.execute("""INSERT INTO alerts (id, time, created, severity, analyzer, fingerprint, sequence, headline, document)
                   VALUES ('old', 1, 1, 'high', 'a', 'f', 1, 'h', '{}')""")
    old.commit()
    old.close()
    store = AlertStore(tmp_path / "alerts.db", clock=lambda: 1_000)
    store.commit(Commit(alerts=[alert("new", suppressed=("learning",))]))
    assert [one.id for one in store.list(limit=9)] == ["old"]
    assert [one.id for one in store.list(limit=9, suppressed=True)] == ["new"]
    assert store.suppressions() == {"learning": 1}
