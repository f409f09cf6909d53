"""kill -9 of host and workers at random points under load, many rounds; prints what was lost and what was doubled.

`make soak ROUNDS=200 SEED=1`, or `python tests/soak/soak.py --rounds 20`. Several senders keep resending a chunk under its id until it
is acknowledged, as Fluentd does. An analyzer counts every user's records and fires at every tenth, so one record lost or counted
twice shows in every alert after it. `kill -9` does not test what a machine's power does: that is `test_durable_ack.py`.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from sidecars import Sender, Sidecar

ANALYZER = '''
from pluginhost import Alert, Event, SlidingCount, analyzer

@analyzer(key="user")
def every_tenth(event: Event, seen: SlidingCount = SlidingCount("30d", limit=10_000_000)):
    """Every tenth record of a user."""
    count = seen.add(event)
    return Alert("low", f"{event['user']} {count}") if count % 10 == 0 else None
'''
USERS, RECORDS = 7, 21  # records of a chunk: three of each user


class Load(threading.Thread):
    """One sender with users of its own; `sent` counts acknowledged chunks."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(daemon=True)
        self.users = [f"s{number}u{n}" for n in range(USERS)]
        self.sender, self.sent, self.stop = Sender(port), 0, threading.Event()
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.sender.send([{"user": user, "seq": self.sent} for user in self.users * (RECORDS // USERS)], attempts=600)
                self.sent += 1
                time.sleep(0.002)
        except Exception as error:  # noqa: BLE001 - told at the end
            self.failed = error


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rounds", type=int, default=20)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--workers", type=int, default=2)
    given.add_argument("--senders", type=int, default=3)
    args = given.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        one = Sidecar(Path(folder), workers=args.workers)
        (one.analyzers / "every_tenth.py").write_text(ANALYZER)
        try:
            return soak(one, args.rounds, args.senders, random.Random(args.seed))
        finally:
            one.kill()


def soak(one: Sidecar, rounds: int, senders: int, rng: random.Random) -> int:
    one.start()
    loads = [Load(number, one.forward) for number in range(senders)]
    for load in loads:
        load.start()
    kills = {"host": 0, "worker": 0}
    for number in range(rounds):
        time.sleep(rng.uniform(0.05, 1.0))
        if rng.random() < 0.5:
            one.kill()
            one.start()
            kills["host"] += 1
        else:
            pids = [pid for pid in one.status()["workers"] if pid]
            if pids:
                os.kill(rng.choice(pids), signal.SIGKILL)
                kills["worker"] += 1
        if number % 20 == 19:
            print(f"  {number + 1} of {rounds} rounds, {sum(load.sent for load in loads) * RECORDS:,} records acknowledged", flush=True)
    for load in loads:
        load.stop.set()
    for load in loads:
        load.join(60)
    return told(one, loads, kills)


def told(one: Sidecar, loads: list[Load], kills: dict[str, int]) -> int:
    one.settled()
    found = [alert["headline"] for alert in one.ask("alerts", limit=10_000_000)]
    each = {user: load.sent * (RECORDS // USERS) for load in loads for user in load.users}
    wanted = {f"{user} {count}" for user, sent in each.items() for count in range(10, sent + 1, 10)}
    lost, strange, doubled = wanted - set(found), set(found) - wanted, len(found) - len(set(found))
    duplicates = one.status()["counts"]["duplicates"]["duplicates"]
    rows = {
        "kill -9 of the host": kills["host"], "kill -9 of a worker": kills["worker"], "records acknowledged": sum(each.values()),
        "alerts expected": len(wanted), "alerts found": len(found), "lost": len(lost), "counted twice": len(strange), "doubled": doubled,
        "resends recognised since the last start": duplicates, "senders that gave up": sum(load.failed is not None for load in loads),
    }  # fmt: skip
    for name, value in rows.items():
        print(f"{name:<42}{value:>12,}")
    return int(bool(lost or strange or doubled or rows["senders that gave up"]))


if __name__ == "__main__":
    sys.exit(main())
