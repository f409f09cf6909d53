"""A journal that was cut or whose bits were flipped while the host was down: what a crash can leave is mended, damage is told.

One sidecar makes the journal and is killed; every test damages a copy of it. Most places are tried on the journal alone, because a
start of the sidecar takes a second; what the sidecar then does of it is tried at a few.
"""

from __future__ import annotations

import io
import os
import shutil
from random import Random

import pytest
from sidecars import Sender, Sidecar

from pluginhost.problem import Problem
from pluginhost.store.journal import Journal, Kind, Row
from pluginhost.store.row import unpack

CHUNKS, USERS = 60, 5
HEAD, VERSION = 28, 7  # bytes of a segment's head, and the one that holds the version
CONFIG = {"journal": {"segment_bytes": "16KiB"}}
EVERY = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="user")
def every(event, seen: SlidingCount = SlidingCount("30d")):
    """Every record of a user, with its number by our count."""
    return Alert("low", f"{event['user']} {seen.add(event)} is {event['seq']}")
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a sidecar that was killed: a journal of several segments, some rows of it judged by nobody's checkpoint."""
    folder = tmp_path_factory.mktemp("made")
    one = Sidecar(folder, **CONFIG)
    (one.analyzers / "every.py").write_text(EVERY)
    try:
        one.start()
        sender = Sender(one.forward)
        for number in range(1, CHUNKS + 1):
            sender.send([{"user": user, "seq": number, "pad": "x" * 150} for user in range(USERS)])
        one.settled()
    finally:
        one.kill()
    return folder


@pytest.fixture
def copy(made, tmp_path):
    shutil.copytree(made / "analyzers", tmp_path / "one" / "analyzers")
    return restored(made, tmp_path / "one" / "data")


def restored(made, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made / "data", folder, ignore=shutil.ignore_patterns("control.sock"))
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted((folder / "journal").iterdir())}


def opened(folder):
    """Every body that the journal holds and how many bytes it cut off; or the problem that it has."""
    try:
        journal = Journal(folder / "journal", clock=lambda: 0)
    except Problem as problem:
        return problem
    try:
        return [row.body for row in journal.read(journal.start)], journal.torn
    except Problem as problem:
        return problem
    finally:
        journal.close()


def places(path):
    """Where each row of a segment begins, and behind them where the last one ends."""
    found, mark, data = [HEAD], path.read_bytes()[8:16], path.read_bytes()
    while found[-1] < len(data):
        row = unpack(io.BytesIO(data[found[-1] :]), mark, len(data) - found[-1])
        assert row is not None
        found.append(found[-1] + row[2])
    return found


def damaged_at(path, position):
    """Where the row stands that `position` is in: 0 is the segment's head."""
    return 0 if position < HEAD else max(place for place in places(path) if place <= position)


def flipped(path, position, bit):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def segments(folder):
    found = sorted((folder / "journal").iterdir())
    assert len(found) > 3
    return found


def test_an_end_cut_anywhere_is_cut_back_to_the_last_whole_row(made, copy):
    for seed in range(40):
        restored(made, copy)
        whole, _ = opened(copy)
        *_, last = segments(copy)
        position = Random(seed).randrange(last.stat().st_size) if seed else HEAD
        rows, before = places(last), damaged_at(last, position)
        os.truncate(last, position)
        bodies, torn = opened(copy)
        kept = len(whole) - (len(rows) - 1) + (rows.index(before) if before else 0)
        assert bodies == whole[:kept]
        assert torn == position - before
        assert opened(copy) == (whole[:kept], 0)  # once


def test_a_segment_before_the_last_that_was_cut_is_refused_and_left_alone(made, copy):
    for seed in range(60):
        restored(made, copy)
        rng = Random(seed)
        path = rng.choice(segments(copy)[:-1])
        position = rng.choice([rng.randrange(path.stat().st_size), rng.choice(places(path)[:-1])])
        at = damaged_at(path, position)
        os.truncate(path, position)
        before = contents(copy)
        problem = opened(copy)
        assert (problem.code, problem.where) == ("journal.corrupt", f"{path}, byte {at}")
        assert contents(copy) == before


def test_a_flipped_bit_before_the_last_batch_is_refused_and_left_alone(made, copy):
    for seed in range(120):
        restored(made, copy)
        rng = Random(seed)
        path = rng.choice(segments(copy))
        position = rng.choice([rng.randrange(places(path)[-2]), rng.randrange(HEAD)])
        at = damaged_at(path, position)
        flipped(path, position, rng.randrange(8))
        before = contents(copy)
        problem = opened(copy)
        newer = position == VERSION and path.read_bytes()[VERSION] > 1
        assert problem.code == ("journal.newer" if newer else "journal.corrupt")
        assert problem.where == (str(path) if newer else f"{path}, byte {at}")
        assert contents(copy) == before


def unsynced(folder, rng):
    """Adds what a power cut in the middle of a batch of two rows leaves."""
    journal = Journal(folder / "journal", clock=lambda: 0)
    *_, last = segments(folder)
    size = last.stat().st_size
    journal.append([Row(Kind.RECORDS, rng.randbytes(500), input="forward") for _ in range(2)])
    journal.close()
    assert segments(folder)[-1] == last
    os.truncate(last, rng.randrange(size + 1, last.stat().st_size))


def test_a_sidecar_cuts_off_an_unsynced_batch_and_goes_on_counting(copy, sidecar):
    unsynced(copy, Random(7))
    one = sidecar(**CONFIG).start()
    Sender(one.forward).send([{"user": user, "seq": CHUNKS + 1} for user in range(USERS)])
    assert counted(one) == wanted(CHUNKS + 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_sidecar_does_not_start_on_a_damaged_journal_and_does_on_the_copy(made, copy, sidecar, seed):
    rng = Random(seed)
    path = segments(copy)[seed]
    position = rng.randrange(HEAD, places(path)[-2])
    at = damaged_at(path, position)
    flipped(path, position, rng.randrange(8))
    before, one = contents(copy), sidecar(**CONFIG)
    with pytest.raises(AssertionError, match=rf"journal\.corrupt: row \d+ of the journal is damaged\n  at {path}, byte {at}\n") as told:
        one.start()
    assert "Traceback" not in str(told.value)
    assert one.process.returncode == 2
    assert contents(copy) == before
    restored(made, copy)  # as the page says
    one.start()
    Sender(one.forward).send([{"user": user, "seq": CHUNKS + 1} for user in range(USERS)])
    assert counted(one) == wanted(CHUNKS + 1)


def counted(one):
    one.settled()
    return sorted(alert["headline"] for alert in one.alerts())


def wanted(count):
    return sorted(f"{user} {number} is {number}" for user in range(USERS) for number in range(1, count + 1))
