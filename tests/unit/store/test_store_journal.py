"""The journal against what it promises: rows as given, dense offsets, damage told, a full disk survived."""

from __future__ import annotations

import io
import os
import threading

import pytest

from pluginhost.problem import Problem
from pluginhost.store import journal as journal_module
from pluginhost.store import segment as segment_module
from pluginhost.store.journal import Journal, Kind, Row
from pluginhost.store.row import pack, unpack


def unsynced(_file):
    return None


class Clock:
    def __init__(self, now=1_000):
        self.now = now

    def __call__(self):
        return self.now


def opened(folder, **options):
    return Journal(folder, **{"clock": Clock(), "sync": unsynced, **options})


def records(*bodies):
    return [Row(Kind.RECORDS, body) for body in bodies]


def bodies(journal, offset=0):
    return [row.body for row in journal.read(offset)]


def names(folder):
    return [path.name for path in sorted(folder.iterdir())]


def test_rows_come_back_as_given_with_offset_and_arrival(tmp_path):
    rows = [
        Row(Kind.RECORDS, b"\x00body\xff", input="forward", source="192.0.2.1", tag="auth.sshd", chunk_id=b"\xa1x", codec="msgpack",
            packing="gzip", count=3, columns=b"\x01\x02", rejected=(("not_a_map", 4, 9), ("depth", 9, 11))),
        Row(Kind.CHAINED, b"", chunk_id=b"parent"),
        Row(Kind.TICK, b"\xcf" + bytes(8)),
    ]  # fmt: skip
    journal = Journal(tmp_path / "journal", clock=Clock(77))
    journal.append(rows)
    assert [(row.offset, row.arrival) for row in rows] == [(0, 77), (1, 77), (2, 77)]
    assert list(journal.read(0)) == rows
    journal.close()
    again = Journal(tmp_path / "journal", clock=Clock(77))
    assert list(again.read(0)) == rows
    assert list(again.read(0))[1].kind is Kind.CHAINED
    assert (again.start, again.end, again.torn) == (0, 3, 0)
    assert again.bytes == sum(path.stat().st_size for path in (tmp_path / "journal").iterdir())


def test_arrival_never_goes_back_even_over_a_restart_and_an_empty_segment(tmp_path):
    clock = Clock(500)
    journal = opened(tmp_path / "j", clock=clock, segment_bytes=1)
    journal.append(records(b"a"))
    clock.now = 100
    journal.append(records(b"b"))
    journal.close()
    newest = tmp_path / "j" / names(tmp_path / "j")[-1]
    os.truncate(newest, 28)  # the head alone
    journal = opened(tmp_path / "j", clock=clock)
    journal.append(records(b"c"))
    assert [(row.body, row.arrival) for row in journal.read(0)] == [(b"a", 500), (b"c", 500)]


def test_nobody_else_may_look_in(tmp_path):
    opened(tmp_path / "new" / "j")
    assert (tmp_path / "new" / "j").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "j" / f"{0:020}.journal").stat().st_mode & 0o777 == 0o600


def test_segments_are_named_by_their_first_offset_and_dropped_whole(tmp_path):
    journal = opened(tmp_path / "j", segment_bytes=150)
    for number in range(6):
        journal.append(records(b"%d" % number * 50))
    assert names(tmp_path / "j") == [f"{first:020}.journal" for first in (0, 2, 4)]
    journal.drop(3)
    assert (journal.start, journal.end) == (2, 6)
    journal.drop(100)
    assert names(tmp_path / "j") == [f"{4:020}.journal"]
    assert (journal.start, bodies(journal, 4)) == (4, [b"4" * 50, b"5" * 50])
    journal.close()
    assert opened(tmp_path / "j").start == 4


def test_a_segment_without_rows_is_never_left_for_another(tmp_path):
    journal = opened(tmp_path / "j", segment_bytes=1)
    journal.append(records(b"a"))
    journal.drop(1)
    assert (names(tmp_path / "j"), bodies(journal)) == ([f"{0:020}.journal"], [b"a"])
    journal.append(records(b"b"))
    journal.drop(1)
    assert (names(tmp_path / "j"), bodies(journal, 1)) == ([f"{1:020}.journal"], [b"b"])
    assert journal.bytes == sum(path.stat().st_size for path in (tmp_path / "j").iterdir())


def test_an_offset_that_is_not_held_is_a_problem(tmp_path):
    journal = opened(tmp_path / "j", segment_bytes=1)
    for body in (b"a", b"b", b"c"):
        journal.append(records(body))
    begun = journal.read(0)
    assert next(begun).body == b"a"
    journal.drop(2)
    assert bodies(journal, 3) == []
    for offset in (1, 4):
        with pytest.raises(Problem, match=f"row {offset} is not in the journal, which holds 2 up to 3"):
            journal.read(offset)
    with pytest.raises(Problem, match="row 1 is not in the journal"):
        list(begun)


def test_a_reader_sees_only_what_is_synced(tmp_path):
    seen = []

    def sync(_file):
        if journal is not None:
            seen.append((bodies(journal), journal.end))

    journal = None
    journal = opened(tmp_path / "j", sync=sync)
    early = journal.read(0)
    journal.append(records(b"a", b"b"))
    journal.append(records(b"c"))
    assert seen == [([], 0), ([b"a", b"b"], 2)]
    assert list(early) == []


def test_reading_from_the_middle_does_not_scan_the_segment(tmp_path, monkeypatch):
    journal = opened(tmp_path / "j")
    for number in range(10):
        journal.append(records(*(b"%d" % (number * 100 + n) for n in range(100))))
    calls = []
    unpack = segment_module.unpack
    monkeypatch.setattr(segment_module, "unpack", lambda *given: calls.append(1) or unpack(*given))
    assert bodies(journal, 990) == [b"%d" % n for n in range(990, 1000)]
    assert len(calls) <= 64 + 10
    journal.append(records(*(b"large" * 100_000 for _ in range(20))))
    calls.clear()
    assert len(bodies(journal, 1018)) == 2
    assert len(calls) <= 2 + 3


def test_a_sealed_segment_is_learned_by_reading_it_once(tmp_path, monkeypatch):
    journal = opened(tmp_path / "j", segment_bytes=5_000)
    for n in range(4):
        journal.append(records(*(b"%d" % (n * 200 + m) for m in range(200))))
    journal.close()
    journal = opened(tmp_path / "j")
    calls = []
    unpack = segment_module.unpack
    monkeypatch.setattr(segment_module, "unpack", lambda *given: calls.append(1) or unpack(*given))
    for most in (199, 63 + 8):
        calls.clear()
        reading = journal.read(191)
        assert [next(reading).body for _ in range(8)] == [b"%d" % n for n in range(191, 199)]
        assert len(calls) <= most


# --- damage


def three_segments(folder):
    """Batches of 2, 1 | 2, 1 | 1, 3 rows; returns the bodies by batch and the files' bytes."""
    journal = opened(folder, segment_bytes=1_000_000)
    batches, number = [], 0
    for size in (2, 1, 0, 2, 1, 0, 1, 3):
        if not size:
            journal._segment_bytes = 1  # roll now
            continue
        batches.append([b"<%d>" % (number + n) for n in range(size)])
        number += size
        journal.append(records(*batches[-1]))
        journal._segment_bytes = 1_000_000
    journal.close()
    assert len(names(folder)) == 3
    return batches, {path: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_tail_cut_at_any_byte_leaves_every_whole_row_before_it(tmp_path):
    folder = tmp_path / "j"
    batches, files = three_segments(folder)
    rows = [body for batch in batches for body in batch]
    last = list(files)[-1]
    ends = [files[last].index(row) + len(row) for row in rows[6:]]
    for cut in range(len(files[last]) + 1):
        last.write_bytes(files[last][:cut])
        journal = opened(folder)
        whole = 6 + sum(end <= cut for end in ends)
        assert bodies(journal) == rows[:whole]
        kept = max((end for end in ends if end <= cut), default=28 if cut >= 28 else 0)
        assert journal.torn == cut - kept
        journal.append(records(b"after"))
        assert bodies(journal) == [*rows[:whole], b"after"]
        journal.close()
        again = opened(folder)
        assert (again.torn, bodies(again)) == (0, [*rows[:whole], b"after"])
        again.close()
        for path, held in files.items():
            path.write_bytes(held)


def test_a_flipped_byte_is_found_wherever_it_stands(tmp_path):
    folder = tmp_path / "j"
    batches, files = three_segments(folder)
    rows = [body for batch in batches for body in batch]
    last = list(files)[-1]
    for path, held in files.items():
        before = held.rindex(rows[6]) + len(rows[6]) if path == last else None
        for at in range(len(held)):
            path.write_bytes(held[:at] + bytes([held[at] ^ 0x41]) + held[at + 1 :])
            if before is not None and at >= before:  # the last batch of all: as good as torn
                journal = opened(folder)
                assert journal.torn > 0
                assert bodies(journal) in (rows[:7], rows[:8], rows[:9])
                journal.close()
            else:
                with pytest.raises(Problem) as told:
                    bodies(opened(folder))
                assert told.value.code in ("journal.corrupt", "journal.newer"), at
                assert str(path) in str(told.value.where)
                assert path.stat().st_size == len(held)
            for each, original in files.items():
                each.write_bytes(original)


def test_the_page_about_damage_names_row_byte_and_way_out(tmp_path):
    journal = opened(tmp_path / "j")
    journal.append(records(b"first"))
    journal.append(records(b"second"))
    journal.append(records(b"third"))
    path = tmp_path / "j" / f"{0:020}.journal"
    held = path.read_bytes()
    position = held.rindex(held[8:16], 0, held.index(b"second"))
    path.write_bytes(held.replace(b"second", b"sec0nd"))
    with pytest.raises(Problem) as told:
        opened(tmp_path / "j")
    assert told.value.page().splitlines()[:3] == [
        "journal.corrupt: row 1 of the journal is damaged",
        f"  at {path}, byte {position}",
        "  still: every row before it is whole; nothing was changed or cut",
    ]
    reading = journal.read(0)
    assert next(reading).body == b"first"
    with pytest.raises(Problem, match="row 1 of the journal is damaged"):
        next(reading)


def test_an_unsynced_batch_written_out_of_order_is_torn_not_damage(tmp_path):
    journal = opened(tmp_path / "j")
    journal.append(records(b"kept"))
    journal.append(records(b"one" * 20, b"two" * 20, b"three" * 20))
    path = tmp_path / "j" / f"{0:020}.journal"
    held = path.read_bytes()
    path.write_bytes(held.replace(b"one" * 20, bytes(60)))  # a page that never reached the disk; its neighbours did
    again = opened(tmp_path / "j")
    assert bodies(again) == [b"kept"]
    assert again.torn == len(held) - held.index(b"kept") - 4
    again.append(records(b"next"))
    assert bodies(opened(tmp_path / "j")) == [b"kept", b"next"]


def test_a_torn_body_that_holds_a_journal_itself_is_still_torn(tmp_path):
    other = opened(tmp_path / "other")
    for number in range(10):
        other.append(records(b"%d" % number))
    forged = (tmp_path / "other" / f"{0:020}.journal").read_bytes()
    journal = opened(tmp_path / "j")
    journal.append(records(b"kept"))
    journal.append(records(forged + b"end"))
    path = tmp_path / "j" / f"{0:020}.journal"
    os.truncate(path, path.stat().st_size - 1)
    assert bodies(opened(tmp_path / "j")) == [b"kept"]


def test_a_missing_segment_is_damage(tmp_path):
    _, files = three_segments(tmp_path / "j")
    list(files)[1].unlink()
    with pytest.raises(Problem) as told:
        bodies(opened(tmp_path / "j"))
    assert told.value.code == "journal.corrupt"


@pytest.mark.parametrize(("number", "head"), [(0, b""), (1, b"\x00" * 28), (2, b"\x00" * 29)])
def test_a_segment_that_lost_its_head_and_must_have_had_rows_is_damage(tmp_path, number, head):
    _, files = three_segments(tmp_path / "j")
    path = list(files)[number]
    path.write_bytes(head)
    with pytest.raises(Problem) as told:
        opened(tmp_path / "j")
    assert (told.value.code, path.read_bytes()) == ("journal.corrupt", head)


def test_the_only_segment_left_lost_its_head_is_damage(tmp_path):
    _, files = three_segments(tmp_path / "j")
    *older, last = files
    for path in older:
        path.unlink()
    os.truncate(last, 5)
    with pytest.raises(Problem) as told:
        opened(tmp_path / "j")
    assert told.value.code == "journal.corrupt"
    assert last.stat().st_size == 5


def test_a_new_segment_of_noughts_never_was_one(tmp_path):
    three_segments(tmp_path / "j")
    path = tmp_path / "j" / f"{10:020}.journal"
    path.write_bytes(bytes(28))
    journal = opened(tmp_path / "j")
    assert (journal.end, journal.torn, path.exists()) == (10, 28, False)


@pytest.mark.parametrize("number", [0, 2])
def test_a_segment_under_another_name_is_damage(tmp_path, number):
    _, files = three_segments(tmp_path / "j")
    path, held = list(files.items())[number]
    path.rename(path.with_name(f"{path.stem[:-1]}{int(path.stem[-1]) + 1}.journal"))
    with pytest.raises(Problem) as told:
        bodies(opened(tmp_path / "j"), number or 1)
    assert told.value.code == "journal.corrupt"
    assert held in [each.read_bytes() for each in (tmp_path / "j").iterdir()]


def test_a_damaged_length_is_never_believed():
    class Short(io.BytesIO):
        def read(self, size=-1):
            assert size <= 1_000
            return super().read(size)

    head, body = pack(Row(Kind.TICK, b"tick"), b"markmark", 0)
    assert unpack(Short(head + body), b"markmark", len(head + body)) == (Row(Kind.TICK, b"tick"), 0, len(head + body))
    assert unpack(Short(head[:20] + b"\xff" * 4 + head[24:] + body), b"markmark", len(head + body)) is None


def test_a_newer_version_is_left_alone(tmp_path):
    opened(tmp_path / "j").append(records(b"a"))
    path = tmp_path / "j" / f"{0:020}.journal"
    held = path.read_bytes()
    path.write_bytes(held[:7] + b"\x02" + held[8:])
    with pytest.raises(Problem) as told:
        opened(tmp_path / "j")
    assert told.value.code == "journal.newer"


def test_a_kind_of_row_from_a_newer_version_is_told_and_kept(tmp_path, monkeypatch):
    journal = opened(tmp_path / "j")
    row = Row(99, b"from the future")
    journal.append([row])
    with pytest.raises(Problem) as told:
        opened(tmp_path / "j")
    assert told.value.code == "journal.newer"
    assert b"from the future" in (tmp_path / "j" / f"{0:020}.journal").read_bytes()


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem) as told:
        opened(tmp_path / "file" / "j")
    assert told.value.code == "journal.unopened"


# --- a full disk


class Failing:
    """A sync that raises while `left` is positive."""

    def __init__(self):
        self.left = 0

    def __call__(self, _file):
        if self.left:
            self.left -= 1
            raise OSError(28, "No space left on device")


def test_a_failed_append_leaves_nothing_and_may_be_repeated(tmp_path):
    sync = Failing()
    journal = opened(tmp_path / "j", sync=sync)
    journal.append(records(b"a"))
    size = journal.bytes
    rows = records(b"b" * 1000, b"c")
    sync.left = 1
    with pytest.raises(OSError, match="No space"):
        journal.append(rows)
    assert (journal.end, journal.bytes, bodies(journal)) == (1, size, [b"a"])
    assert (tmp_path / "j" / f"{0:020}.journal").stat().st_size == size
    journal.append(rows)
    assert [row.offset for row in rows] == [1, 2]
    assert bodies(opened(tmp_path / "j")) == [b"a", b"b" * 1000, b"c"]


def test_what_could_not_be_cut_back_is_cut_before_the_next_write(tmp_path, monkeypatch):
    sync = Failing()
    journal = opened(tmp_path / "j", sync=sync)
    journal.append(records(b"a"))
    sync.left = 1
    truncate, calls = os.ftruncate, []

    def refusing(file, length):
        calls.append(length)
        if len(calls) <= 2:
            raise OSError(5, "Input/output error")
        truncate(file, length)

    monkeypatch.setattr(journal_module.os, "ftruncate", refusing)
    with pytest.raises(OSError, match="No space"):
        journal.append(records(b"lost" * 100))
    with pytest.raises(OSError, match="Input/output"):
        journal.append(records(b"b"))
    journal.append(records(b"c"))
    again = opened(tmp_path / "j")
    assert (bodies(again), again.torn, len(calls)) == ([b"a", b"c"], 0, 4)


def test_a_segment_that_cannot_be_begun_leaves_no_file(tmp_path):
    sync = Failing()
    journal = opened(tmp_path / "j", sync=sync, segment_bytes=1)
    journal.append(records(b"a"))
    sync.left = 1
    with pytest.raises(OSError, match="No space"):
        journal.append(records(b"b"))
    assert names(tmp_path / "j") == [f"{0:020}.journal"]
    journal.append(records(b"c"))
    assert bodies(opened(tmp_path / "j")) == [b"a", b"c"]


def test_half_a_head_is_no_segment(tmp_path, monkeypatch):
    journal = opened(tmp_path / "j", segment_bytes=1)
    journal.append(records(b"a"))
    write = os.write
    monkeypatch.setattr(segment_module.os, "write", lambda file, data: write(file, data[:20]))
    with pytest.raises(OSError, match="No space"):
        journal.append(records(b"b"))
    assert names(tmp_path / "j") == [f"{0:020}.journal"]
    monkeypatch.undo()
    journal.append(records(b"c"))
    assert bodies(opened(tmp_path / "j")) == [b"a", b"c"]


def test_a_name_is_made_durable_before_its_rows_are_answered_for(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(segment_module, "sync_folder", lambda folder: order.append(folder.name))
    journal = opened(tmp_path / "j", sync=lambda file: order.append(os.fstat(file).st_size), segment_bytes=1)
    order.clear()
    journal.append(records(b"a"))
    (size,) = order
    journal.append(records(b"a"))
    assert order == [size, 28, "j", size]


# --- threads


def test_readers_in_other_threads_see_a_dense_growing_prefix(tmp_path):
    journal = opened(tmp_path / "j", segment_bytes=4_000)
    journal.append(records(b"0"))
    done, faults, reads = threading.Event(), [], []

    def reader():
        try:
            last = 0
            while not done.is_set():
                start, end = max(journal.start, last - 100), journal.end
                try:
                    rows = list(journal.read(start))
                except Problem as problem:
                    if problem.code != "journal.offset":  # dropped while being read
                        raise
                    continue
                assert [row.offset for row in rows] == list(range(start, start + len(rows)))
                assert all(row.body == b"%d" % row.offset for row in rows)
                assert start + len(rows) >= end >= last
                last = end
                reads.append(len(rows))
        except BaseException as error:  # noqa: BLE001  # told to the test's thread
            faults.append(error)

    threads = [threading.Thread(target=reader) for _ in range(2)]
    for thread in threads:
        thread.start()
    while journal.end < 3_000 and not faults:
        journal.append(records(*(b"%d" % (journal.end + n) for n in range(7))))
        if journal.end % 5 == 0:
            journal.drop(journal.end - 500)
    done.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sum(reads) > 0
