"""What real worker processes find, killed again and again while they work, is what one that nobody disturbs finds in the same journal,
byte for byte; and so it is when the journal is played once more without any process.

One journal holds many cases: each with keys of its own, made by its number, and a kill -9 of the host or of a worker in its middle. What
analyzers derive is journalled in the order in which the workers report it, so another run over the same records would have another
journal: the undisturbed worker starts from a copy of this one, with no state and no alerts.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import time
import urllib.request
from contextlib import suppress
from random import Random

import msgpack
import pytest
from determinism import BY_SHARD, FILES, ODD_JSON, ODD_MSGPACK, SHIPPED, Reports, kinds, lasting, routing, stored
from sidecars import until

from pluginhost.engine.generations import Generations
from pluginhost.engine.parts import mappings
from pluginhost.engine.shards import Routing
from pluginhost.engine.splitter import control_of, made_id
from pluginhost.engine.worker import Shard
from pluginhost.store.journal import Journal
from pluginhost.store.row import Kind

CHUNKS = 8
_NAMES = ("_signatures", "_web", "ssh_bruteforce", "web_signatures")
BESIDE = [SHIPPED[0].parent / f"{name}.py" for name in _NAMES]
"""Two of the shipped analyzers that need no ticks, with their helpers; all of them are drawn from in one process."""
SWAPS = ((2,), (3,), (1, ["pair"]))  # generations in turn; back to the first, one has another state that cannot be migrated


def write(folder, number):
    """Puts the analyzers of a generation into the folder, beside the shipped ones."""
    files = dict(FILES[number - 1]) if number else {}
    for name in {"counts", "moves", "silence", "plain", "added"} - files.keys():
        (folder / f"{name}.py").unlink(missing_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    for file in BESIDE:
        shutil.copy(file, folder)


def chunk(chance, pool, now):
    """A body of records that are on time, late, or from the future, with its tag and type; some records are equal."""
    tag, first = chance.choice(pool)
    many = [first, *(record for other, record in chance.sample(pool, 12) if other == tag)] * chance.choice((1, 1, 2))
    shift = chance.choice((0, 0, 0, -3, -90, 600))
    if tag == "auth.sshd" and chance.random() < 0.3:
        return tag, "text/plain", "\n".join(record["message"] for record in many).encode()
    timed = [{**record, "time": now + shift + place // 4} if chance.random() < 0.9 else record for place, record in enumerate(many)]
    if chance.random() < 0.5:
        return tag, "application/msgpack", b"".join([*map(msgpack.packb, timed), chance.choice(ODD_MSGPACK)])
    return tag, "application/json", b"\n".join([*(json.dumps(record).encode() for record in timed), chance.choice(ODD_JSON)])


class Run:
    """A sidecar that is disturbed. `generations` keeps every generation, also those that no worker needs any more."""

    def __init__(self, one, seed):
        self.one, self.chance, self.generations = one, Random(seed), one.folder / "generations"
        self.generations.mkdir()
        self.killed = set()
        write(one.analyzers, 1)
        one.start()
        self.keep()

    def keep(self):
        """Waits for the generation that runs now; the host may have seen the folder half written, and have made others before it."""

        def kept():
            for file in [*(self.one.data / "generations").glob("*.py"), *(self.one.data / "generations").glob("*.json")]:
                with suppress(FileNotFoundError):  # pruned just now, and kept when it was new
                    shutil.copy(file, self.generations)
            return (self.generations / f"{self.one.status()['generation']}.json").exists()

        until(kept)

    def swap(self, number, reset=()):
        write(self.one.analyzers, number)
        assert self.one.ask("reload", reset=reset)[0]["problems"] == []
        self.one.ask("reload")  # that a file is gone is believed at the second look
        self.keep()

    def names(self):
        """Every analyzer that has run."""
        kept = Generations(self.generations)
        return {info.name for file in self.generations.glob("*.json") for info in kept.manifest(int(file.stem)).infos()}

    def post(self, tag, kind, body):
        """Sends a chunk; returns when it is durable."""
        packed = {"Content-Encoding": "gzip"} if len(body) % 2 else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.one.http}/v1/ingest/{tag}", gzip.compress(body) if packed else body,
                                         {"Content-Type": kind, **packed})  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200

    def case(self, number, victim, *, renewed):
        """Chunks of records with keys of their own; somewhere among them the victim is killed, a moment after one became durable.

        A host that was `renewed` just before has made checkpoints, from which those that are killed come back.
        """
        chance = self.chance
        pool, fatal = kinds(f"c{number}-"), chance.randrange(2, CHUNKS - 2)
        for place in range(CHUNKS):
            self.post(*chunk(chance, pool, int(time.time())))
            if renewed and place == fatal - 1:
                with suppress(AssertionError):  # what is derived meanwhile would only keep the workers from their last checkpoint
                    until(self._idle, 10)
                assert self.one.stop() == 0
                self.one.start()
            if place == fatal:
                self._kill(victim, chance.random() * 0.02)

    def _idle(self):
        journal = self.one.status()["journal"]
        return journal["analysed"] == journal["end"]

    def _kill(self, victim, delay):
        if victim == "host":
            time.sleep(delay)
            self.one.kill()
            self.one.start()
        else:
            until(self._running, 30, "a worker")
            self.post(*chunk(self.chance, kinds(), int(time.time())))
            time.sleep(delay)
            pid = self.chance.choice(until(self._running, 30, "a worker"))
            self.killed.add(pid)
            os.kill(pid, signal.SIGKILL)

    def _running(self):
        return [pid for pid in self.one.status()["workers"] if pid and pid not in self.killed]


def alerts(one):
    """What stands in the store, as (analyzer, document) by id; without what the host says of itself."""
    return {alert["id"]: (alert["analyzer"], lasting(alert["document"])) for alert in one.alerts()
            if not alert["analyzer"].startswith("pluginhost.")}  # fmt: skip


def differing(one, other):
    """What stands in one only, or differs; without those whose bound on keys holds in each shard."""
    return {id_: (one.get(id_), other.get(id_)) for id_ in one.keys() | other.keys()
            if one.get(id_) != other.get(id_) and (one.get(id_) or other[id_])[0] not in BY_SHARD}  # fmt: skip


def replayed(folder, run, shards):
    """The documents that the run's journal gives in `shards` shards, without processes; and the ids of what is made of it."""
    shutil.copytree(run.generations, folder / "generations")
    manifests, told = Generations(folder / "generations"), Reports()
    journal = Journal(run.one.data / "journal", clock=lambda: 0, sync=lambda _: None)
    rows = list(journal.read(0))
    journal.close()
    skips = {skip for row in rows if row.kind == Kind.CONTROL and (skip := control_of(row).skip) is not None}
    routes = routing(lambda number: manifests.manifest(number).infos(), mappings(), shards)
    for number in range(shards):
        shard, parts = Shard(number, shards, folder, skips), Routing(number, 0, routes)
        for at in range(0, len(rows), 50):
            told.add(shard.feed(parts.parts(rows[at : at + 50])))
    return stored(told.findings), told.ids(), {made_id(row) for row in rows if row.input in ("chain", "table")}


@pytest.mark.long
@pytest.mark.parametrize(("workers", "victims"), [(2, [*["worker"] * 3, "host"] * 4), (4, [*["worker"] * 4, "host"] * 3)])
def test_killed_workers_find_what_an_undisturbed_one_finds(sidecar, workers, victims, tmp_path):
    one = sidecar(workers=workers, lateness="1s", error_rate=1, quarantine="1s", incidents={"enabled": False})
    run = Run(one, workers)
    for number, victim in enumerate(victims):
        run.case(number, victim, renewed=number % 6 == 1)
        if number % 4 == 3:
            run.swap(*SWAPS[number // 4 % 3])
    run.swap(0)  # no timers and no tables: from here on no tick comes
    one.settled()
    until(run._idle, 60, "the judgement of what was derived last")
    found, end = alerts(one), one.status()["journal"]["end"]
    assert len(run.killed) == victims.count("worker")
    assert one.stop() == 0

    two = sidecar("undisturbed", workers=1, analyzers=[str(one.analyzers)], incidents={"enabled": False})
    shutil.copytree(one.data / "journal", two.data / "journal")
    shutil.copytree(run.generations, two.data / "generations")
    two.start()
    two.settled()
    assert differing(alerts(two), found) == {}
    assert two.status()["journal"]["end"] == end + 1  # nothing is derived again; only the start stands there
    documents, made, journalled = replayed(tmp_path / "replay", run, workers)
    assert made == journalled
    assert documents == found
    assert {analyzer for analyzer, _ in found.values()} == run.names() - {"travels"}  # which derives only
