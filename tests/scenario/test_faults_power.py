"""The power goes, at any moment under load: what was acknowledged is there, once. And without syncing, this very test sees the loss.

`kill -9` leaves behind what the kernel had not written yet, so it proves nothing about syncing. Here the processes are killed, and
the data folder is replaced by what a disk would hold that keeps only what was synced (`powercut.py`), SQLite's files too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from random import Random

import pytest
from powercut import Disk
from sidecars import Sender, until

EVERY_FIFTH = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="user")
def every_fifth(event, seen: SlidingCount = SlidingCount("30d")):
    """Every fifth record of a user; its own number is told beside the count, so that one lost or doubled shows in all that follow."""
    count = seen.add(event)
    return Alert("low", f"{event['user']} {count} {event['seq']}") if count % 5 == 0 else None
'''
USERS = "abcd"
SEEDS = int(os.environ.get("POWER_SEEDS", "2"))


class Load(threading.Thread):
    """Sends numbered records until told to stop; `sent` chunks were acknowledged, each with one record of every user."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.sender, self.sent, self.stopping = Sender(port), 0, threading.Event()

    def chunk(self) -> None:
        self.sender.send([{"user": user, "seq": self.sent + 1, "pad": "x" * 300} for user in USERS], attempts=400)
        self.sent += 1

    def run(self) -> None:
        while not self.stopping.is_set():
            self.chunk()

    def finish(self) -> None:
        """Stops at a number at which every user has an alert."""
        self.stopping.set()
        if self.ident:
            self.join(60)
            assert not self.is_alive()
        while self.sent % 5:
            self.chunk()


def blackout(one, rng):
    """All processes end at once; half of the times while they are stopping, for it is then that workers write most."""
    if rng.random() < 0.5:
        os.kill(one.pid, signal.SIGTERM)
        time.sleep(rng.uniform(0, 0.3))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(one.process.pid, signal.SIGKILL)
    one.process.wait(10)


def powered(sidecar, tmp_path, **config):
    one = sidecar(workers=2, **config)
    (one.analyzers / "every_fifth.py").write_text(EVERY_FIFTH)
    return one, Disk(tmp_path, one.data)


def wanted(load):
    return sorted(f"{user} {number} {number}" for user in USERS for number in range(5, load.sent + 1, 5))


def found(one):
    one.settled()
    return sorted(alert["headline"] for alert in one.alerts())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, SEEDS))])
def test_a_power_cut_loses_and_doubles_nothing_that_was_acknowledged(sidecar, tmp_path, seed):
    one, disk = powered(sidecar, tmp_path, journal={"segment_bytes": "64KiB"})
    one.start(*disk.before)
    one.settled()  # both workers have their files: see the last test
    rng, load = Random(seed), Load(one.forward)
    load.start()
    for round_ in range(6):
        at = load.sent
        until(lambda at=at: load.sent > at)
        time.sleep(rng.uniform(0, 0.3))
        blackout(one, rng)
        disk.cut(rng if round_ % 2 else None)
        one.start(*disk.before)
    load.finish()
    assert found(one) == wanted(load)


def test_without_syncing_the_same_cut_loses_what_was_acknowledged(sidecar, tmp_path):
    one, disk = powered(sidecar, tmp_path, journal={"sync": False})
    one.start(*disk.before)
    load = Load(one.forward)
    for _ in range(7):
        load.chunk()
    blackout(one, Random(2))
    disk.cut()
    with contextlib.suppress(AssertionError):  # it may say so, and not start
        one.start(*disk.before)
        load.finish()
        assert found(one) == wanted(load)
        pytest.fail("nothing was lost")


def test_a_journal_that_ends_before_what_was_judged_is_refused(sidecar, tmp_path):
    one, disk = powered(sidecar, tmp_path, journal={"sync": False})
    one.start(*disk.before)
    Load(one.forward).chunk()
    one.settled()
    blackout(one, Random(2))
    disk.cut()
    with pytest.raises(AssertionError, match=r"journal\.offset: row \d+ is not in the journal"):
        one.start(*disk.before)


def test_a_first_start_that_was_cut_short_is_made_good(sidecar):
    one = sidecar(workers=2)
    one.data.mkdir()
    (one.data / "shard-0.db").touch()  # the first worker was that far, the second was not
    one.start()
