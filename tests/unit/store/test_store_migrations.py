"""Databases of every earlier form are brought forward with all that is in them; those of a later form are refused and left alone."""

from __future__ import annotations

import hashlib
import json
import sqlite3

import pytest

from pluginhost.problem import Problem
from pluginhost.store import shard
from pluginhost.store.alerts import AlertStore
from pluginhost.store.migrations import MIGRATIONS
from pluginhost.store.rollups import SCRIPT, Summary
from pluginhost.store.shard import Checkpoint, ShardStore
from pluginhost.store.words import ADD

RELEASED = 4  # scripts that are in the world as they are: their digest stands below
COUNTED = MIGRATIONS.index(SCRIPT)  # the last form without counts; behind them come the words
DOCUMENT = {"message": "ten failed logins", "user": {"name": "bob"}, "source": {"ip": "203.0.113.9"}, "event": {"reason": "guessed"}}
VALUES = {"alerts.document": json.dumps(DOCUMENT).encode(), "alerts.headline": "ten failed logins", "outbox.seq": 1, "outbox.kind": "alert",
          "alerts.severity": "high", "alerts.analyzer": "brute", "alerts.suppressed": "", "alerts.time": 3_600 * 10**9,
          "outbox.size": 7}  # fmt: skip
KINDS = {"INTEGER": 1, "TEXT": "x", "BLOB": b"{}", "REAL": 0.5, "": 1}


def tables(database):
    """The tables of our own making."""
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT GLOB 'words*'")
    return [name for (name,) in found]


def columns(database, table):
    return {row[1]: row[2] for row in database.execute(f"PRAGMA table_info({table})")}


def rows(database, table, only=None):
    return sorted(map(repr, database.execute(f"SELECT {', '.join(only or columns(database, table))} FROM {table}")))


def filled(path, version):
    """A database as version `version` left it, with a row in every table; what is in them, by table."""
    database = sqlite3.connect(path, isolation_level=None)
    for number, script in enumerate(MIGRATIONS[:version], 1):
        database.executescript(f"{script}; PRAGMA user_version={number}")
    for table in tables(database):
        if not database.execute(f"SELECT 1 FROM {table}").fetchone():  # some count what is in others, by triggers
            row = {name: VALUES.get(f"{table}.{name}", KINDS[kind]) for name, kind in columns(database, table).items()}
            database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    if version > COUNTED + 1:
        database.execute(ADD, (0,))
    kept = {table: (list(columns(database, table)), rows(database, table)) for table in tables(database)}
    database.close()
    return kept


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_every_earlier_form_comes_forward_with_all_that_is_in_it(tmp_path, version):
    kept = filled(tmp_path / "alerts.db", version)
    assert all(held for _, held in kept.values())
    store = AlertStore(tmp_path / "alerts.db", clock=lambda: 5)
    database = store._database._connection
    assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    assert {table: rows(database, table, names) for table, (names, _) in kept.items()} == {table: held for table, (_, held) in kept.items()}
    (one,) = store.list(limit=9)
    assert (one.id, one.suppressed, json.loads(one.document)) == ("x", "", DOCUMENT)
    found = {text: [one.id for one in store.list(limit=9, text=text)] for text in ("guessed", "bob", "brute", "f* l*", "nobody")}
    assert found == {text: ["x"] if text != "nobody" else [] for text in found}
    if version <= COUNTED:
        hour = Summary(3_600 * 10**9, "bob", 1, 0)
        assert store.rollups.summary("user", 0, per="hour") == (hour,)
        names = [one.name for by in ("analyzer", "severity", "source") for one in store.rollups.summary(by, 0)]
        assert names == ["brute", "high", "203.0.113.9"]
    assert store.waiting()["x"][0] >= 1
    assert store.prune(1 << 62, 0) == 0  # an output has still to deliver it
    store.close()


def test_a_new_one_has_the_form_of_one_brought_forward(tmp_path):
    def form(path):
        with sqlite3.connect(path) as database:
            return sorted(database.execute("SELECT type, name, sql FROM sqlite_master").fetchall(), key=repr)

    AlertStore(tmp_path / "new.db", clock=lambda: 5).close()
    filled(tmp_path / "old.db", 1)
    AlertStore(tmp_path / "old.db", clock=lambda: 5).close()
    assert form(tmp_path / "new.db") == form(tmp_path / "old.db")


def test_what_was_released_is_never_changed():
    told = hashlib.sha256("\0".join(MIGRATIONS[:RELEASED]).encode()).hexdigest()
    assert told[:16] == "0e7fac974335da1c"


@pytest.mark.parametrize("opened", [lambda path: AlertStore(path, clock=lambda: 5), AlertStore.readonly, ShardStore])
def test_a_later_form_is_refused_and_nothing_changed(tmp_path, opened):
    path = tmp_path / "some.db"
    with sqlite3.connect(path) as later:
        later.executescript(f"CREATE TABLE alerts (a); PRAGMA user_version={len(MIGRATIONS) + 1}")
    later.close()
    before = path.read_bytes()
    with pytest.raises(Problem, match="this program knows up to") as told:
        opened(path)
    assert (told.value.code, path.read_bytes() == before) == ("store.newer", True)


@pytest.mark.parametrize("version", range(1, len(shard._MIGRATIONS) + 1))
def test_files_of_shards_come_forward(tmp_path, version):
    path = tmp_path / "shard-0.db"
    with sqlite3.connect(path, isolation_level=None) as old:
        for number, script in enumerate(shard._MIGRATIONS[:version], 1):
            old.executescript(f"{script}; PRAGMA user_version={number}")
        old.execute("INSERT INTO meta VALUES ('position', 7), ('generation', 2), ('watermark', 9)")
        old.execute("INSERT INTO shapes VALUES ('a', 'shape')")
        old.execute("INSERT INTO states (analyzer, key, keygroup, touched, state) VALUES ('a', x'01', 3, 4, x'02')")
        old.execute("INSERT INTO tables VALUES ('t', x'05', x'06', 8)")
    old.close()
    store = ShardStore(path)
    assert (store.position, store.generation, store.watermark, store.shapes()) == (7, 2, 9, {"a": "shape"})
    assert (list(store.load()), list(store.tables())) == ([("a", b"\x01", 4, b"\x02")], [("t", b"\x05", b"\x06", 8)])
    store.commit(Checkpoint(position=8, generation=2, watermark=9))
    store.close()
    assert ShardStore(path).position == 8
