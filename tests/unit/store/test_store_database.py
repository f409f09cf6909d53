"""How SQLite is opened, brought forward, and what its troubles are called."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from pluginhost.problem import Problem
from pluginhost.store.database import Database

ONE = "CREATE TABLE t (a TEXT NOT NULL)"
TWO = "ALTER TABLE t ADD COLUMN b INTEGER DEFAULT 5; INSERT INTO t (a) VALUES ('two')"


def code_of(call):
    with pytest.raises(Problem) as told:
        call()
    return told.value.code


def filled(path, *values):
    database = Database(path, [ONE])
    with database.transaction():
        database.many("INSERT INTO t (a) VALUES (?)", ((value,) for value in values))
    return database


def test_every_commit_is_synced_to_a_private_file_in_wal(tmp_path):
    path = tmp_path / "x.db"
    database = filled(path, "a")
    asked = {name: database.rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 0, "busy_timeout": 5000}
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_scripts_bring_it_forward_once_each(tmp_path):
    filled(tmp_path / "x.db", "one").close()
    for _ in range(2):
        database = Database(tmp_path / "x.db", [ONE, TWO])
        assert database.rows("SELECT a, b FROM t ORDER BY rowid") == [("one", 5), ("two", 5)]
        assert database.rows("PRAGMA user_version") == [(2,)]
        database.close()


def test_a_failing_script_changes_nothing(tmp_path):
    filled(tmp_path / "x.db", "one").close()
    with pytest.raises(sqlite3.OperationalError, match="no such table: missing"):
        Database(tmp_path / "x.db", [ONE, TWO + "; INSERT INTO missing VALUES (1)"])
    database = Database(tmp_path / "x.db", [ONE])
    assert database.rows("SELECT * FROM t") == [("one",)]


def test_a_newer_one_is_left_alone(tmp_path):
    Database(tmp_path / "x.db", [ONE, TWO]).close()
    assert code_of(lambda: Database(tmp_path / "x.db", [ONE])) == "store.newer"
    assert code_of(lambda: Database(tmp_path / "x.db", [ONE], readonly=True)) == "store.newer"


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "x.db").write_bytes(b"these are not the pages you are looking for" * 100)
    with pytest.raises(Problem) as told:
        Database(tmp_path / "x.db", [ONE])
    assert told.value.code == "store.corrupt"
    assert "move x.db, x.db-wal and x.db-shm aside" in told.value.todo


def test_a_damaged_page_is_told_when_it_is_met(tmp_path):
    path = tmp_path / "x.db"
    filled(path, *("value" * 100 for _ in range(100))).close()
    held = bytearray(path.read_bytes())
    held[4096:] = b"\xee" * (len(held) - 4096)
    path.write_bytes(held)
    database = Database(path, [ONE])
    assert code_of(lambda: database.rows("SELECT * FROM t")) == "store.corrupt"
    assert code_of(lambda: list(database.each("SELECT * FROM t"))) == "store.corrupt"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert code_of(lambda: Database(tmp_path / "none" / "x.db", [ONE])) == "store.unopened"


def test_a_full_disk_is_an_os_error_and_undoes_the_transaction(tmp_path):
    database = filled(tmp_path / "x.db", "kept")
    pages = database.rows("PRAGMA page_count")[0][0]
    database.rows(f"PRAGMA max_page_count={pages}")

    def fill():
        with database.transaction():
            database.run("INSERT INTO t (a) VALUES ('lost')")
            database.run("INSERT INTO t (a) VALUES (?)", "x" * 100_000)

    with pytest.raises(OSError, match="full") as told:
        fill()
    assert told.value.errno == errno.ENOSPC
    assert database.rows("SELECT a FROM t") == [("kept",)]
    database.rows("PRAGMA max_page_count=100000")
    fill()
    assert len(database.rows("SELECT a FROM t")) == 3


def test_whatever_is_raised_inside_undoes_the_transaction(tmp_path):
    database = filled(tmp_path / "x.db", "kept")

    def broken():
        with database.transaction():
            database.run("DELETE FROM t")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert database.rows("SELECT a FROM t") == [("kept",)]
    with database.transaction():
        assert database.run("INSERT INTO t (a) VALUES ('more')") == 1


def test_one_held_by_another_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("pluginhost.store.database._BUSY_MS", 1)
    holder, other = filled(tmp_path / "x.db"), Database(tmp_path / "x.db", [ONE])

    def write():
        with other.transaction():
            pass

    with holder.transaction():
        assert code_of(write) == "store.unopened"
    write()


def test_read_only_makes_and_changes_nothing(tmp_path):
    path = tmp_path / "x.db"
    assert code_of(lambda: Database(path, [ONE], readonly=True)) == "store.missing"
    assert not path.exists()
    filled(path, "a").close()
    assert code_of(lambda: Database(path, [ONE, TWO], readonly=True)) == "store.older"
    database = Database(path, [ONE], readonly=True)
    assert database.rows("SELECT a FROM t") == [("a",)]

    def write():
        with database.transaction():
            database.run("DELETE FROM t")

    assert code_of(write) == "store.unopened"
