"""kill -9 of host and workers at random points under load, many times; prints what was lost and what was doubled.

`make soak ROUNDS=200 SEED=1`, or `python tests/soak/soak.py --rounds 20`. Four senders (see `senders.py`) resend a chunk under its id
until it is acknowledged. Alerts go into a real Elasticsearch, which is killed and started again now and then. An analyzer counts
every user's records and fires at every tenth with its count and the record's own number, so one record lost or counted twice shows
in every alert after it; at the end a last record of every user tells the whole count.

`kill -9` does not test what a power cut leaves: that is `tests/scenario/test_faults_power.py`, which `make soak` runs with more seeds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1] / "support"))
from search import SearchServer
from senders import USERS, Direct, Go, Relayed
from sidecars import Sender, Sidecar, until
from streams import api, documents, stream

NAMESPACE = "soak"
ANALYZER = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="user")
def every_tenth(event, seen: SlidingCount = SlidingCount("30d", limit=10_000_000)):
    """Every tenth record of a user, and the last one."""
    count = seen.add(event)
    if event["seq"] == 0:
        return Alert("low", f"{event['user']} has {count - 1}")
    if count % 10 == 0:
        return Alert("low", f"{event['user']} {count}" + ("" if event["user"].startswith("relayed") else f" is {event['seq']}"))
'''
Senders = list[Direct | Go]


class Elastic:
    """The server; `away` kills it and starts it again some seconds later, in the background."""

    def __init__(self, folder: Path) -> None:
        self.server, self.kills = SearchServer(folder), 0
        self._back = threading.Thread()

    def away(self, seconds: float) -> None:
        """Does nothing while it is away already."""
        if self._back.is_alive():
            return
        self.server.kill9()
        self.kills += 1
        self._back = threading.Thread(target=lambda: (time.sleep(seconds), self.server.start()), daemon=True)
        self._back.start()

    def back(self) -> None:
        """Returns once it is there."""
        if self._back.ident:
            self._back.join(200)
        until(self.server._answers, 60, "Elasticsearch")


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rounds", type=int, default=20)
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--workers", type=int, default=2)
    args = given.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ph-soak-", dir="/var/tmp"))
    folder.chmod(0o711)  # the server does not run as root
    elastic = Elastic(folder / "elasticsearch")
    (folder / "one").mkdir()
    output = {"type": "elasticsearch", "hosts": [elastic.server.url], "timeout": "5s"}
    one = Sidecar(folder / "one", workers=args.workers, namespace=NAMESPACE, hostname="soaked", outputs=[output])
    (one.analyzers / "every_tenth.py").write_text(ANALYZER)
    senders: Senders = []
    try:
        elastic.server.start()
        one.start()
        senders += [Direct("a", one.forward), Direct("b", one.forward), Go("go", one.forward, folder), Relayed(folder / "relay", one)]
        for sender in senders:
            sender.start()
        kills = soak(one, elastic, senders, args.rounds, random.Random(args.seed))
        status = told(one, elastic, senders, kills)
    finally:
        for process in (*(sender for sender in senders if isinstance(sender, Go | Relayed)), one):
            with suppress(Exception):
                process.kill()
        elastic.server.kill9()
    if status == 0:
        shutil.rmtree(folder, ignore_errors=True)  # what was killed may still be on its way out
    else:
        print(f"everything is left in {folder}")
    return status


def soak(one: Sidecar, elastic: Elastic, senders: Senders, rounds: int, rng: random.Random) -> Counter[str]:
    """Kills, and counts whom."""
    kills: Counter[str] = Counter()
    for number in range(1, rounds + 1):
        time.sleep(rng.uniform(0.05, 1.0))
        if number % max(rounds // 8, 5) == 0:
            elastic.away(rng.uniform(0, 10))
        if rng.random() < 0.5:
            one.kill()
            one.start()
            kills["host"] += 1
        elif pids := until(lambda: [pid for pid in one.status()["workers"] if pid]):
            with suppress(ProcessLookupError):  # it ended by itself, as a worker does after its host
                os.kill(rng.choice(pids), signal.SIGKILL)
                kills["worker"] += 1
        if number % 20 == 0:
            print(f"  {number} of {rounds} rounds, {sum(sender.acked for sender in senders) * USERS:,} records acknowledged", flush=True)
    return kills


def told(one: Sidecar, elastic: Elastic, senders: Senders, kills: Counter[str]) -> int:
    """Prints what came of it; not 0 if anything was lost or doubled."""
    for sender in senders:
        sender.stop()
    last = Sender(one.forward)
    for sender in senders:
        last.send([{"user": user, "seq": 0} for user in sender.users])
    one.settled()
    elastic.back()
    wanted = expected(senders)
    stored = Counter(alert["headline"] for alert in one.ask("alerts", limit=10_000_000))
    with suppress(AssertionError):  # told as lost
        until(lambda: api(elastic.server, "GET", f"/{stream(NAMESPACE)}/_count")["count"] >= len(wanted), 240)
    arrived = Counter(alert["message"] for alert in documents(elastic.server, NAMESPACE))
    ends = [headline.split(" has ") for headline in stored if " has " in headline]
    rows = {
        "kill -9 of the host": kills["host"], "kill -9 of a worker": kills["worker"], "kill -9 of Elasticsearch": elastic.kills,
        "records sent": sum(sender.sent for sender in senders) * USERS,
        "records acknowledged": sum(sender.acked for sender in senders) * USERS,
        "records analysed": sum(int(count) for _, count in ends),
        "alerts expected": len(wanted), "alerts in the store": stored.total(), "alerts in Elasticsearch": arrived.total(),
        "lost in the store": len(wanted - stored.keys()), "doubled in the store": doubled(stored, wanted),
        "lost in Elasticsearch": len(wanted - arrived.keys()), "doubled in Elasticsearch": doubled(arrived, wanted),
        "senders that gave up": sum(sender.failed is not None for sender in senders),
    }  # fmt: skip
    for name, value in rows.items():
        print(f"{name:<42}{value:>12,}")
    for headline in sorted(wanted ^ stored.keys())[:10]:
        print(f"  {'lost' if headline in wanted else 'not expected'}: {headline}")
    return int(any(value for name, value in rows.items() if name.startswith(("lost", "doubled", "senders"))))


def doubled(found: Counter[str], wanted: set[str]) -> int:
    """How many are there a second time, or tell of a record that was counted twice."""
    return found.total() - len(found) + len(found.keys() - wanted)


def expected(senders: Senders) -> set[str]:
    """The headlines that there must be, each once."""
    made = set()
    for sender in senders:
        for user in sender.users:
            made |= {f"{user} {count}" + (f" is {count}" if sender.ordered else "") for count in range(10, sender.acked + 1, 10)}
            made.add(f"{user} has {sender.acked}")
    return made


if __name__ == "__main__":
    sys.exit(main())
