"""What is durable when a process is killed, and what a disk that is full does: both in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from pluginhost.store.alerts import AlertStore
from pluginhost.store.journal import Journal
from pluginhost.store.shard import ShardStore

PRELUDE = """
    import resource, sys, time
    from pathlib import Path
    from pluginhost.store.alerts import AlertStore, Commit, Letter, NewAlert
    from pluginhost.store.journal import Journal, Kind, Row
    from pluginhost.store.shard import Checkpoint, ShardStore
    folder = Path(sys.argv[1])
"""


def started(script, folder):
    text = textwrap.dedent(PRELUDE) + textwrap.dedent(script)
    return subprocess.Popen([sys.executable, "-c", text, str(folder)], stdout=subprocess.PIPE, text=True)


def killed_after(lines, script, folder):
    """Runs `script` until it has printed so many lines, kills it, and returns everything it printed."""
    process = started(script, folder)
    printed = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    printed += process.stdout.readlines()
    process.wait()
    assert process.returncode == -9
    return [line.strip() for line in printed if line.endswith("\n")]


@pytest.mark.parametrize("lines", [1, 40, 300])
def test_every_row_reported_durable_outlives_a_kill(tmp_path, lines):
    reported = killed_after(lines, """
        journal = Journal(folder / "journal", clock=time.time_ns, segment_bytes=4_000)
        while True:
            rows = [Row(Kind.RECORDS, b"%d" % (journal.end + n) * 30) for n in range(3)]
            journal.append(rows)
            print(rows[-1].offset, flush=True)
    """, tmp_path)  # fmt: skip
    journal = Journal(tmp_path / "journal", clock=lambda: 0)
    rows = list(journal.read(0))
    assert len(rows) > int(reported[-1])
    assert [row.body for row in rows] == [b"%d" % offset * 30 for offset in range(len(rows))]


def test_a_file_that_may_not_grow_stops_an_append_without_a_trace(tmp_path):
    process = started("""
        journal = Journal(folder / "journal", clock=lambda: 7)
        journal.append([Row(Kind.RECORDS, b"a" * 1000)])
        size = journal.bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
        rows = [Row(Kind.RECORDS, b"b" * 3000), Row(Kind.RECORDS, b"c" * 3000)]
        for _ in range(2):
            try:
                journal.append(rows)
            except OSError as error:
                print(error.errno, journal.end, (folder / "journal" / f"{0:020}.journal").stat().st_size == size)
        journal.append([Row(Kind.RECORDS, b"d" * 100)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.append(rows)
        print([(row.offset, row.body[:1], len(row.body)) for row in journal.read(0)])
    """, tmp_path)  # fmt: skip
    printed = process.communicate()[0].splitlines()
    assert printed == ["27 1 True", "27 1 True", "[(0, b'a', 1000), (1, b'd', 100), (2, b'b', 3000), (3, b'c', 3000)]"]
    journal = Journal(tmp_path / "journal", clock=lambda: 0)
    assert (journal.torn, [len(row.body) for row in journal.read(0)]) == (0, [1000, 100, 3000, 3000])


def test_a_killed_worker_leaves_position_state_and_tables_of_one_checkpoint(tmp_path):
    reported = killed_after(15, """
        store = ShardStore(folder / "shard-0.db")
        while True:
            now = store.position + 1
            blob = b"%d" % now
            store.commit(Checkpoint(position=now, generation=now, watermark=now, shapes={"a": str(now)},
                                    changed=[("a", b"%d" % n, n % 256, now, blob) for n in range(500)],
                                    tables_set=[("t", b"%d" % n, blob, now) for n in range(100)]))
            print(now, flush=True)
    """, tmp_path)  # fmt: skip
    store = ShardStore(tmp_path / "shard-0.db")
    position = store.position
    assert position >= int(reported[-1])
    assert (store.generation, store.watermark, store.shapes()) == (position, position, {"a": str(position)})
    assert {(touched, blob) for _, _, touched, blob in store.load()} == {(position, b"%d" % position)}
    assert {(value, expires) for _, _, value, expires in store.tables()} == {(b"%d" % position, position)}


def test_a_killed_desk_leaves_positions_alerts_and_outbox_of_one_commit(tmp_path):
    reported = killed_after(15, """
        store = AlertStore(folder / "alerts.db", clock=time.time_ns)
        position = 0
        while True:
            position += 1
            store.commit(Commit(positions={0: position, 1: position}, groups={"f": b"%d" % position},
                                alerts=[NewAlert(f"{position}-{n}", position, "high", "a", "f", n, "", b"{}", ("es",)) for n in range(100)],
                                letters=[Letter(str(position), "input", "bad", b"{}", b"")]))
            print(position, flush=True)
    """, tmp_path)  # fmt: skip
    archive = AlertStore.readonly(tmp_path / "alerts.db")  # the -wal is still there, and is read
    count = archive.count()
    archive.close()
    store = AlertStore(tmp_path / "alerts.db", clock=lambda: 0)
    position = store.positions()[0]
    assert position >= int(reported[-1])
    assert store.positions() == {0: position, 1: position}
    assert store.groups(["f", "g"]) == {"f": b"%d" % position}
    assert store.count() == count == position * 100
    assert store.backlog()["es"][0] == position * 100
    assert store.letter_totals().held == position
