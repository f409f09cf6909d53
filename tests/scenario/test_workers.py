"""Another number of workers: what every analyzer remembers goes along, under load, and however often the change is killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from random import Random

import pytest
from sidecars import Sender, until

ANALYZERS = '''
from pluginhost import Alert, FirstSeen, SlidingCount, Table, Timers, analyzer

@analyzer(key="user")
def tenth(event, seen: SlidingCount = SlidingCount("30d")):
    """Every tenth record of a user, with its own number beside: one that was lost or doubled shows in all that follow."""
    count = seen.add(event)
    return Alert("low", f"{event['user']} {count} {event['seq']}") if count % 10 == 0 else None

@analyzer(pinned=True)
def hundredth(event, seen: SlidingCount = SlidingCount("30d", limit=1_000_000)):
    """Every hundredth record of all."""
    count = seen.add(event)
    return Alert("low", f"all {count}") if count % 100 == 0 else None

@analyzer(where="first:true")
def publishes(event, known: Table = Table("known", expire="30d")):
    """Who came first, for everybody."""
    known.put(event["user"], event["seq"])

@analyzer(where="ask:true", key=["user", "ask"])
def asks(event, known: Table = Table("known", expire="30d"), once: FirstSeen = FirstSeen("30d")):
    """What everybody knows, once for each user."""
    if once.first(event["user"], event):
        return Alert("low", f"known {event['user']} {known.get(event['user'], event)}")

@analyzer(where="_exists_:wait", key="user")
class Waits:
    """A timer that goes off long after it was set."""

    timers: Timers = Timers()

    def on_event(self, event):
        self.timers.set("t", event.time + event["wait"] * 1_000_000_000)

    def on_timer(self, timer):
        return Alert("low", "waited")
'''  # fmt: skip
USERS = [f"user-{number}" for number in range(24)]
WAIT = 120  # seconds, longer than any of the tests


class Load(threading.Thread):
    """Sends numbered records of every user until told to stop."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.sender, self.sent, self.stopping = Sender(port), 0, threading.Event()
        self.ahead = 0  # seconds by which records are before their time

    def run(self):
        while not self.stopping.is_set():
            self.chunk()
            time.sleep(0.02)  # what is killed is replayed from its start, again and again

    def chunk(self, **beside):
        records = [{"user": user, "seq": self.sent + 1, **beside} for user in USERS]
        self.sender.send(records, when=int(time.time()) + self.ahead, attempts=600)
        self.sent += 1

    def finish(self):
        """Stops where every count comes out even."""
        self.stopping.set()
        if self.ident:
            self.join(60)
            assert not self.is_alive()
        while self.sent % 50:
            self.chunk()


def wanted(load, waited):
    tenths = [f"{user} {number} {number}" for user in USERS for number in range(10, load.sent + 1, 10)]
    hundredths = [f"all {number}" for number in range(100, load.sent * len(USERS) + 1, 100)]
    return sorted([*tenths, *hundredths, *(f"known {user} 1" for user in USERS), *["waited"] * waited])


def goes_on_until_all_waited(one, load):
    """Records go on coming, for they are what moves event time; so nothing goes off before, however long it all takes."""
    load.ahead = WAIT
    until(lambda: load.chunk() or sum(alert["headline"] == "waited" for alert in one.alerts()) == len(USERS), 60)
    load.finish()


def told(one):
    one.settled()
    return sorted(alert["headline"] for alert in one.alerts())


def prepared(sidecar, workers):
    one = sidecar(workers=workers, lateness="0s")
    (one.analyzers / "all.py").write_text(ANALYZERS)
    one.start()
    load = Load(one.forward)
    load.chunk(first=True, wait=WAIT)
    one.settled()
    time.sleep(1.2)  # a tick, by which the table is known
    return one, load


def files(one):
    return sorted(file.name for file in one.data.glob("shard-*.db*"))


def change(one, workers):
    one.config["workers"] = workers
    one.start()
    until(lambda: len(one.status()["workers"]) == workers)


def cut_short(one, seconds):
    """Starts it and kills it so much later, wherever it is then."""
    killing = threading.Timer(seconds, lambda: os.kill(one.process.pid, signal.SIGKILL))
    killing.start()
    with contextlib.suppress(AssertionError):
        one.start()
    killing.join()
    one.kill()


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_windows_timers_and_tables_go_along_with_another_number_of_workers(sidecar, end):
    one, load = prepared(sidecar, 2)
    load.start()
    for workers in (4, 1, 3):
        until(lambda at=load.sent: load.sent > at + 30, 60)
        assert one.stop() == 0 if end == "stopped" else one.kill() is None
        change(one, workers)
        assert [name for name in files(one) if name.endswith(".db")] == [f"shard-{number}.db" for number in range(workers)]
        assert not (one.data / "resharding").exists()
    load.finish()
    load.chunk(ask=True)
    goes_on_until_all_waited(one, load)
    assert told(one) == wanted(load, len(USERS))


@pytest.mark.long
def test_a_change_that_is_killed_again_and_again_loses_and_doubles_nothing(sidecar):
    one, load = prepared(sidecar, 3)
    load.start()
    chance = Random(1)
    for workers in (2, 5, 1, 4):
        until(lambda at=load.sent: load.sent > at + 10, 60)
        one.kill()
        one.config["workers"] = workers
        for _ in range(3):
            cut_short(one, chance.uniform(0.5, 2.0))
        change(one, workers)
    load.finish()
    load.chunk(ask=True)
    goes_on_until_all_waited(one, load)
    assert told(one) == wanted(load, len(USERS))


@pytest.mark.parametrize("kills", [0, pytest.param(3, marks=pytest.mark.long)])
def test_workers_that_did_not_stop_at_one_row_are_brought_there_first(sidecar, tmp_path, kills):
    one, load = prepared(sidecar, 3)
    assert one.stop() == 0
    for file in one.data.glob("shard-1.db*"):
        shutil.copy(file, tmp_path)
    one.start()
    for _ in range(33):
        load.chunk()
    assert one.stop() == 0
    for file in one.data.glob("shard-1.db*"):
        file.unlink()
    for file in tmp_path.glob("shard-1.db*"):
        shutil.copy(file, one.data)  # as if its last checkpoint had not been written
    one.config["workers"], chance = 2, Random(2)
    for _ in range(kills):
        cut_short(one, chance.uniform(0.5, 2.0))
    change(one, 2)
    one.says("2 workers instead of 3: these analyse first what is left")
    one.says("2 workers instead of 3: 49 keys were shared out anew")
    load.finish()
    load.chunk(ask=True)
    goes_on_until_all_waited(one, load)
    assert told(one) == wanted(load, len(USERS))


def test_records_that_nobody_wants_reach_no_worker_and_count_as_analysed(sidecar):
    one = sidecar(workers=3)
    (one.analyzers / "say.py").write_text(
        "from pluginhost import Alert, analyzer\n\n@analyzer(where='level:error', key='user')\ndef say(event):\n"
        "    return Alert('low', str(event['n']))\n")  # fmt: skip
    one.start()
    for first in range(0, 1000, 100):
        one.post([{"user": f"u{n}", "n": n, "level": "error" if n % 50 == 0 else "info"} for n in range(first, first + 100)])
    one.settled()
    counts = one.status()["counts"]
    assert sum(counts[f"worker.{number}"]["records"] for number in range(3)) == 1000
    assert sorted(int(headline) for headline in told(one)) == list(range(0, 1000, 50))


def test_auto_leaves_a_processor_to_the_host(sidecar):
    one = sidecar(workers="auto").start()
    assert len(one.status()["workers"]) == max(1, len(os.sched_getaffinity(0)) - 1)
    assert one.stop() == 0
