"""State shared out anew among another number of workers: every key once and in its place, whatever cuts the change short."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from zlib import crc32

import pytest

from pluginhost.engine import resharding
from pluginhost.engine.resharding import finish, former, level, reshard
from pluginhost.events.keys import key_group, shard
from pluginhost.problem import Problem
from pluginhost.store.alerts import AlertStore, Commit
from pluginhost.store.shard import Checkpoint, ShardStore

KEYS = [b"s\0\0\0\x04user"[:5] + b"%04d" % number for number in range(300)]
PINNED = ("total", "other", "third")
TABLES = [("known", b"a", b"\x01", 5), ("known", b"b", b"\x02", 6)]
META = {"pending": b"\x90", "quarantined": b"\x91\xa1x"}


class Killed(BaseException):
    """The process ends here."""


def store(data):
    return AlertStore(data / "alerts.db", clock=lambda: 1)


def home(analyzer, key, shards):
    return shard(key_group(key) if key else crc32(analyzer.encode()) & 255, shards)


def states():
    """(analyzer, key) → (touched, state) of everything there is to remember."""
    keyed = {(name, key): (number + 1, b"%s %d" % (name.encode(), number)) for name in ("a", "b") for number, key in enumerate(KEYS)}
    return keyed | {(name, b""): (7, name.encode()) for name in PINNED}


def made(data, shards, position=50, behind=0, desk=60):
    """A folder as `shards` workers leave it; the last of them is so many rows `behind`."""
    data.mkdir()
    for number in range(shards):
        one = ShardStore(data / f"shard-{number}.db")
        mine = [(name, key, key_group(key), *state) for (name, key), state in states().items() if home(name, key, shards) == number]
        at = position - behind * (number == shards - 1)
        one.commit(Checkpoint(position=at, generation=3, watermark=40, shapes={"a": "x:count"}, meta=META, changed=mine, tables_set=TABLES))
        one.close()
    with_desk = store(data)
    with_desk.commit(Commit(positions=dict.fromkeys(range(shards), desk)))
    with_desk.close()
    return data


def check(data, shards, desk=60):
    """Everything is there once, in its place, and nothing else."""
    assert sorted(file.name for file in data.iterdir()) == sorted(["alerts.db", *(f"shard-{number}.db" for number in range(shards))])
    found = Counter()
    for number in range(shards):
        one = ShardStore(data / f"shard-{number}.db")
        for name, key, touched, state in one.load():
            assert home(name, key, shards) == number
            found[name, key, touched, state] += 1
        assert (one.position, one.generation, one.watermark, one.shapes()) == (50, 3, 40, {"a": "x:count"})
        assert (list(one.tables()), {name: one.meta(name) for name in META}) == (TABLES, META)
        one.close()
    assert found == Counter((*key, *state) for key, state in states().items())
    one = store(data)
    assert one.positions() == dict.fromkeys(range(shards), desk)
    one.close()


def changed(data, before, shards):
    one = store(data)
    try:
        finish(data, one)
        assert former(data, one) == before
        assert level(data, before)
        reshard(data, before, shards, one)
    finally:
        one.close()


@pytest.mark.parametrize(("before", "shards"), [(1, 2), (2, 1), (2, 4), (4, 3), (3, 64), (64, 5)])
def test_every_key_is_found_once_where_it_lives_then(tmp_path, before, shards):
    data = made(tmp_path / "data", before)
    changed(data, before, shards)
    check(data, shards)


def test_there_and_back_again_is_what_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(resharding, "_ROWS", 7)
    data = made(tmp_path / "data", 2)
    for before, shards in ((2, 5), (5, 1), (1, 3), (3, 2)):
        changed(data, before, shards)
    check(data, 2)


def test_shards_that_are_not_at_one_row_are_not_level(tmp_path):
    assert not level(made(tmp_path / "data", 3, behind=1), 3)
    assert level(made(tmp_path / "other", 3), 3)


def steps(monkeypatch, end):
    """Whatever touches the disk, the step number `end` of which kills; gives the list of what was done."""
    done = []

    def counted(holder, name):
        before = getattr(holder, name)

        def step(*given, **named):
            if len(done) == end:
                raise Killed
            done.append(name)
            return before(*given, **named)

        monkeypatch.setattr(holder, name, step)

    for holder, name in ((Path, "replace"), (Path, "unlink"), (Path, "mkdir"), (Path, "write_bytes"), (os, "fsync"), (ShardStore, "commit"),
                         (AlertStore, "share"), (shutil, "rmtree")):  # fmt: skip
        counted(holder, name)
    return done


@pytest.mark.parametrize(("before", "shards"), [(2, 3), (3, 2), (3, 1)])
def test_a_kill_at_any_step_leaves_the_old_files_or_the_new_ones(tmp_path, before, shards):
    end, states_seen = 0, set()
    while True:
        data = made(tmp_path / f"data-{end}", before)
        with pytest.MonkeyPatch.context() as patch:
            done = steps(patch, end)
            try:
                changed(data, before, shards)
                break
            except Killed:
                pass
        one = store(data)
        finish(data, one)
        now = former(data, one)
        one.close()
        states_seen.add(now)
        check(data, now)
        end += 1
    assert states_seen == {before, shards}
    assert {"replace", "unlink", "fsync", "commit", "share", "rmtree"} <= set(done)


def test_a_change_that_is_killed_while_it_is_finished_is_finished(tmp_path):
    for first in range(8, 40):
        data = made(tmp_path / f"data-{first}", 2)
        with pytest.MonkeyPatch.context() as patch:
            steps(patch, first)
            try:
                changed(data, 2, 4)
                continue
            except Killed:
                pass
        for again in range(12):
            with pytest.MonkeyPatch.context() as patch:
                steps(patch, again)
                one = store(data)
                try:
                    finish(data, one)
                except Killed:
                    pass
                finally:
                    one.close()
        one = store(data)
        finish(data, one)
        now = former(data, one)
        one.close()
        check(data, now)


def test_an_old_log_is_gone_before_the_new_file_stands(tmp_path):
    """SQLite would apply what a killed worker left in the log of the old file to the new one."""
    data = made(tmp_path / "data", 2)
    held = sqlite3.connect(data / "shard-0.db")
    held.execute("DELETE FROM states")
    held.commit()
    log = (data / "shard-0.db-wal").read_bytes()
    one = store(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resharding, "_swap", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            reshard(data, 2, 1, one)
    held.close()
    (data / "shard-0.db-wal").write_bytes(log)
    finish(data, one)
    one.close()
    assert not (data / "shard-0.db-wal").exists()


def test_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    data = made(tmp_path / "data", 2)

    def full(*_):
        raise OSError(28, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(ShardStore, "commit", full)
        with pytest.raises(Problem, match="no space"):
            changed(data, 2, 3)
    one = store(data)
    finish(data, one)
    one.close()
    check(data, 2)


def test_a_lost_file_is_told(tmp_path):
    data = made(tmp_path / "data", 3)
    (data / "shard-1.db").unlink()
    one = store(data)
    with pytest.raises(Problem, match="one of 3 workers, but it holds the state of 2") as told:
        former(data, one)
    one.close()
    assert told.value.code == "host.workers"


@pytest.mark.parametrize("files", [(), (0,), (1,), (0, 1, 2)])
def test_a_first_start_that_was_cut_short_is_no_number_of_workers(tmp_path, files):
    data = tmp_path / "data"
    data.mkdir()
    for number in files:
        (data / f"shard-{number}.db").touch()
    one = store(data)
    before = former(data, one)
    assert before == max((number + 1 for number in files), default=0)
    if before:
        assert level(data, before)
        reshard(data, before, 2, one)
        assert former(data, one) == 2
        assert one.positions() == {0: 0, 1: 0}
    one.close()
