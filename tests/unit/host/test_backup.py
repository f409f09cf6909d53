"""A data folder in one file and back: all of it, verified, and never a byte outside the folder."""

from __future__ import annotations

import io
import itertools
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing

import pytest

from pluginhost.host.backup import backup, restore
from pluginhost.host.lock import locked
from pluginhost.problem import Problem
from pluginhost.store.alerts import AlertStore, Commit, NewAlert
from pluginhost.store.backup import Packing, unpack
from pluginhost.store.journal import Journal, Kind, Row
from pluginhost.store.shard import Checkpoint, ShardStore


def clock():
    return 5


def alert(id_):
    return NewAlert(id_, 5, "high", "brute", f"f-{id_}", 1, "headline", b"{}")


@pytest.fixture
def data(tmp_path):
    """A folder as a host left it, with something of everything."""
    data = tmp_path / "data"
    for name in ("generations", "inputs/a b", "tasks/nightly", "backtests/one", "resharding"):
        (data / name).mkdir(parents=True)
    journal = Journal(data / "journal", clock=clock, segment_bytes=500)
    for n in range(10):
        journal.append([Row(Kind.RECORDS, b"%d" % n * 100)])
    journal.close()
    for folder in (data, data / "tasks/nightly"):
        store = AlertStore(folder / "alerts.db", clock=clock)
        store.commit(Commit(positions={0: 7}, alerts=[alert("a"), alert("b")]))
        store.close()
        shard = ShardStore(folder / "shard-0.db")
        shard.commit(Checkpoint(position=6, generation=1, watermark=3, changed=[("a", b"k", 1, 2, b"state")]))
        shard.close()
    files = {"generations/1.json": b"{}", "generations/aa.py": b"x = 1", "inputs/a b/positions": b"at", "quarantine.json": b"[]",
             "inputs/a b/" + "long" * 40: b"",
             "lock": b"1", "ballast": b"0" * 999, "shard-0.trace": b"t", "generations/2.new": b"half"}  # fmt: skip
    for name, content in files.items():
        (data / name).write_bytes(content)
    (data / "link").symlink_to("/etc/passwd")
    return data


def kept(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_everything_that_is_kept_comes_back(data, tmp_path):
    file, there = tmp_path / "b.tar", tmp_path / "there"
    manifest = backup(data, file, made="2026-03-01T00:00:00+00:00")
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "data"]
    with tarfile.open(file) as tar:  # any tool reads it
        assert {*tar.getnames()} == {*manifest.files, "manifest.json"}
    assert restore(there, file) == manifest
    expected = [one for one in kept(data) if one not in ("lock", "ballast", "link", "shard-0.trace", "generations/2.new")
                and not one.endswith(("-wal", "-shm"))]  # fmt: skip
    assert kept(there) == sorted([*expected, "lock"])
    assert {path.stat().st_mode & 0o777 for path in there.rglob("*") if path.is_file() and path.name != "lock"} == {0o600}
    assert (there / "inputs/a b/positions").read_bytes() == b"at"
    for folder in (there, there / "tasks/nightly"):
        with closing(AlertStore(folder / "alerts.db", clock=clock)) as store:
            assert (store.positions(), [one.id for one in store.list(limit=9)]) == ({0: 7}, ["b", "a"])
        assert list(ShardStore(folder / "shard-0.db").load()) == [("a", b"k", 2, b"state")]
    assert [row.body[:1] for row in Journal(there / "journal", clock=clock).read(0)] == [b"%d" % n for n in range(10)]


def test_positions_come_first_then_shards_then_the_rest_and_the_journal_last(data, tmp_path):
    heard = []
    backup(data, tmp_path / "b.tar", made="", heard=heard.append)
    kinds = ["inputs" if one.startswith("inputs/") else "shard" if "shard-" in one else "journal" if one.startswith("journal") else "rest"
             for one in heard]  # fmt: skip
    assert list(dict.fromkeys(kinds)) == ["inputs", "shard", "rest", "journal"]
    assert kinds == sorted(kinds, key=["inputs", "shard", "rest", "journal"].index)


def test_what_is_there_is_not_overwritten(data, tmp_path):
    (tmp_path / "b.tar").write_bytes(b"mine")
    with pytest.raises(Problem) as told:
        backup(data, tmp_path / "b.tar", made="")
    assert (told.value.code, (tmp_path / "b.tar").read_bytes()) == ("backup.exists", b"mine")
    with pytest.raises(Problem, match="no data folder"):
        backup(tmp_path / "none", tmp_path / "c.tar", made="")


def test_a_backup_that_fails_leaves_nothing(data, tmp_path, monkeypatch):
    (data / "alerts.db").write_bytes(b"no database at all" * 300)
    with pytest.raises(Problem, match="cannot be copied"):
        backup(data, tmp_path / "b.tar", made="")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_journal_that_has_moved_on_is_noticed(data, tmp_path):
    (data / "journal" / f"{0:020}.journal").unlink()
    for file in sorted((data / "journal").iterdir())[:-1]:
        file.unlink()
    with pytest.raises(Problem) as told:
        backup(data, tmp_path / "b.tar", made="")
    assert told.value.code == "backup.moved"


def test_a_host_keeps_both_out(data, tmp_path):
    backup(data, tmp_path / "b.tar", made="")
    with locked(data):  # one that is about to start: it does not answer yet
        for call in (lambda: backup(data, tmp_path / "c.tar", made=""), lambda: restore(data, tmp_path / "b.tar", force=True)):
            with pytest.raises(Problem, match="another pluginhost runs"):
                call()


def test_a_folder_that_is_not_empty_is_replaced_only_when_forced_and_after_all_is_verified(data, tmp_path):
    file = tmp_path / "b.tar"
    backup(data, file, made="")
    before = kept(data)
    with pytest.raises(Problem) as told:
        restore(data, file)
    assert (told.value.code, kept(data)) == ("restore.occupied", before)
    (data / "alerts.db-wal").write_bytes(b"of the old one")
    (data / "mine").write_bytes(b"")
    whole = file.read_bytes()
    file.write_bytes(whole[:-3000])
    with pytest.raises(Problem, match="no whole backup"):
        restore(data, file, force=True)
    assert (data / "mine").exists()
    file.write_bytes(whole)
    restore(data, file, force=True)
    assert not {"mine", "alerts.db-wal", "restoring", "replaced"} & {path.name for path in data.iterdir()}
    with closing(AlertStore(data / "alerts.db", clock=clock)) as store:
        assert store.positions() == {0: 7}


def test_whatever_cuts_a_restore_short_no_host_takes_it_for_whole_and_it_can_be_done_again(data, tmp_path, monkeypatch):
    file, renamed, least, there = tmp_path / "b.tar", [], 0, tmp_path / "there"
    backup(data, file, made="")
    rename = type(file).rename

    def cut(path, target):
        if len(renamed) == least:
            raise KeyboardInterrupt
        renamed.append(path.name)
        return rename(path, target)

    for least in range(40):  # noqa: B007 - where it is cut
        renamed.clear()
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(data, there, symlinks=True)
        monkeypatch.setattr(type(file), "rename", cut)
        try:
            restore(there, file, force=True)
        except KeyboardInterrupt:
            monkeypatch.undo()
            assert (there / "journal").exists() == (not renamed), renamed
            assert (there / "alerts.db").exists(), renamed
            restore(there, file, force=True)
        assert Journal(there / "journal", clock=clock).end == 10
        if renamed[-1:] == ["journal"] and len(renamed) > 1:
            break
    assert least > 10


# --- tar is input


def packed(*members, end=b"\0" * 1024):
    """A tar of (TarInfo or name, content)."""
    made = b""
    for head, content in members:
        info = head if isinstance(head, tarfile.TarInfo) else tarfile.TarInfo(head)
        info.size = len(content)
        made += info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    return made + end


def odd(name, kind, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


MANIFEST = json.dumps({"format": 1, "version": "1", "made": "now", "files": {}}).encode()


@pytest.mark.parametrize("content", [
    b"", b"\0" * 1024, b"text" * 1000, packed(("a", b"x")), packed(("manifest.json", b"{}")), packed(("manifest.json", b"[1]")),
    packed(("manifest.json", b'{"format":"x"}')), packed(("../a", b"x"), ("manifest.json", MANIFEST)), packed(("/tmp/a", b"x")),
    packed(("a/../../b", b"x")), packed(("a//b", b"x")), packed(("./a", b"x")), packed((".", b"")), packed(("a/", b"x")),
    packed((odd("a", tarfile.SYMTYPE, "/etc"), b""), ("a/b", b"x")), packed((odd("a", tarfile.LNKTYPE, "/etc/passwd"), b"")),
    packed((odd("a", tarfile.CHRTYPE), b"")), packed((odd("a", tarfile.FIFOTYPE), b"")), packed((odd("a", tarfile.DIRTYPE), b"")),
    packed((odd("a", tarfile.GNUTYPE_SPARSE), b"x")), packed((odd("a", tarfile.XHDTYPE), b"20 path=../../x\n")),
    packed((odd("././@LongLink", tarfile.GNUTYPE_LONGNAME), b"../" * 40 + b"x"), ("a", b"x")), packed(("a", b"x"), ("a", b"x")),
    packed(("a", b"x"), ("manifest.json", MANIFEST)), packed(("manifest.json", MANIFEST), ("a", b"x")),
    packed(("a", b"x" * 5000))[:3000], odd("a", tarfile.REGTYPE).tobuf()[:300],
    packed(("manifest.json", json.dumps({"format": 1, "version": "1", "made": "", "files": {"a": {"size": 1, "sha256": ""}}}).encode())),
], ids=itertools.count())  # fmt: skip
def test_what_is_no_backup_of_ours_is_refused_and_writes_nothing_outside(tmp_path, content):
    file, data = tmp_path / "b.tar", tmp_path / "deep" / "data"
    file.write_bytes(content)
    with pytest.raises(Problem) as told:
        restore(data, file)
    assert told.value.code == "restore.damaged"
    assert kept(tmp_path) == ["b.tar", "deep/data/lock"]


def test_a_size_beyond_the_file_is_not_believed(tmp_path):
    head = tarfile.TarInfo("a")
    for size in (1 << 40, 1 << 62):
        head.size = size
        (tmp_path / "b.tar").write_bytes(head.tobuf(tarfile.GNU_FORMAT) + bytes(512))
        with pytest.raises(Problem, match="ends too early"):
            unpack(tmp_path / "b.tar", tmp_path)


@pytest.mark.parametrize("place", ["a file", "a size", "the manifest"])
def test_a_byte_that_changed_is_noticed(data, tmp_path, place):
    file = tmp_path / "b.tar"
    backup(data, file, made="")
    content = bytearray(file.read_bytes())
    at = {"a file": content.index(b"x = 1"), "a size": content.index(b"0600") + 20, "the manifest": content.rindex(b'"sha256"') + 12}[place]
    content[at] ^= 1
    file.write_bytes(content)
    with pytest.raises(Problem) as told:
        restore(tmp_path / "there", file)
    assert told.value.code == "restore.damaged"
    assert kept(tmp_path / "there") == ["lock"]


def test_a_newer_one_is_refused(tmp_path):
    (tmp_path / "b.tar").write_bytes(packed(("manifest.json", b'{"format":2,"files":7}')))
    with pytest.raises(Problem) as told:
        restore(tmp_path / "there", tmp_path / "b.tar")
    assert told.value.code == "restore.newer"
    with pytest.raises(Problem, match="no such backup"):
        restore(tmp_path / "there", tmp_path / "none.tar")


def test_a_file_that_becomes_shorter_is_told_and_large_ones_need_no_memory(tmp_path):
    class Endless(io.RawIOBase):
        asked = 0

        def read(self, size=-1):
            self.asked = max(self.asked, size)
            return bytes(size)

    packing, endless = Packing(tmp_path / "b.tar"), Endless()
    packing.add("large", endless, 20 << 20)
    assert endless.asked <= 1 << 20
    with pytest.raises(OSError, match="became shorter"):
        packing.add("short", io.BytesIO(b"abc"), 4)
    packing.close()
    assert list(tmp_path.iterdir()) == []


def test_a_database_is_copied_as_it_is_at_one_moment_while_it_is_written(tmp_path):
    live = sqlite3.connect(tmp_path / "live.db", isolation_level=None)
    live.execute("PRAGMA journal_mode=WAL")
    live.executescript("CREATE TABLE a (x); CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('position', 3)")
    live.execute("BEGIN IMMEDIATE")
    live.execute("INSERT INTO a VALUES (1)")
    packing = Packing(tmp_path / "b.tar")
    assert packing.database("live.db", tmp_path / "live.db", "SELECT value FROM meta") == 3
    live.execute("COMMIT")
    packing.end("1", "")
    packing.close()
    (tmp_path / "there").mkdir()
    unpack(tmp_path / "b.tar", tmp_path / "there")
    assert sqlite3.connect(tmp_path / "there" / "live.db").execute("SELECT COUNT(*) FROM a").fetchone() == (0,)
    assert sorted(path.name for path in tmp_path.iterdir() if "live" not in path.name) == ["b.tar", "there"]
