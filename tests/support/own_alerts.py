"""Alerts that hosts make of themselves, for the fixture: analyzers in quarantine and keys that run short. They are made by the real parts,
containment → desk → embedded store, with a clock that is set."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from types import SimpleNamespace

from pluginhost.engine import committer, containment, desk
from pluginhost.engine.committer import Committer
from pluginhost.engine.containment import Containment
from pluginhost.engine.desk import Desk
from pluginhost.engine.link import UnitCounts
from pluginhost.engine.sampling import Spent
from pluginhost.metrics import Counts
from pluginhost.store.alerts import AlertStore
from pluginhost.store.journal import Journal
from pluginhost.wire.times import SECOND, parse

__all__ = ["own_alerts"]

LIVES = {
    "sidecar-1": (
        ("2026-02-27T06:12:03.250Z", "slow", "page_pace", 6.4), ("2026-02-27T06:14:41.750Z", "slow", "page_pace", 7.1),
        ("2026-02-27T10:31:20.500Z", "keys", "request_rate", 91_000), ("2026-02-27T10:44:08Z", "keys", "request_rate", 100_000),
        ("2026-02-27T18:05:55.125Z", "keys", "new_user_agent", 96_200),
    ),
    "sidecar-2": (
        ("2026-02-27T09:20:37.875Z", "fails", "geoprofile", 74), ("2026-02-27T21:40:12.625Z", "keys", "port_scan", 100_000),
        ("2026-02-28T03:02:19.375Z", "fails", "geoprofile", 100),
    ),
}  # fmt: skip
"""Who is in what trouble when: seconds that a row took, calls of 100 that failed, keys of 100,000 that are remembered."""


def own_alerts(folder):
    """Their documents, in order of time."""
    found = [document for host, life in LIVES.items() for document in asyncio.run(lived(folder / host, host, life))]
    return sorted(found, key=lambda one: one["@timestamp"])


async def lived(folder, host, life):
    """The documents of one host's alerts."""
    clock = SimpleNamespace(now=0)
    committed = asyncio.Event()
    with running(folder, host, lambda: clock.now, committed) as (one, stored):
        one.quarantine.running({name: "1" for _, _, name, _ in life})
        for time, trouble, name, much in life:
            clock.now = parse(time)
            await one._decide(clock.now)  # whoever was out comes back, on probation
            befall(one, trouble, name, much, clock.now)
            await one._decide(clock.now)
            await committed.wait()
            committed.clear()
        return [json.loads(alert.document) for alert in stored()]


@contextmanager
def running(folder, host, clock, committed):
    """(containment, what gives the alerts that are stored) of a host that does nothing else."""
    folder.mkdir()
    store = AlertStore(folder / "alerts.db", clock=clock)
    rows = Committer(Journal(folder / "journal", clock=clock), Counts(*committer.COUNTS), most=1 << 30)
    judge = Desk(store, rows, Counts(*desk.COUNTS), shards=1, route=lambda *_: [], clock=clock, observer=host,
                 told=lambda _: committed.set())  # fmt: skip
    tasks = [asyncio.ensure_future(one.run()) for one in (rows, judge)]
    one = Containment(folder / "quarantine.json", [], rows, Counts(*containment.COUNTS), rate=0.5, budget=1.0, first=60 * SECOND,
                      tell=judge.tell, clock=clock)  # fmt: skip
    try:
        yield one, lambda: store.list(limit=100)
    finally:
        for task in tasks:
            task.cancel()
        rows.close()
        judge.close()


def befall(one, trouble, name, much, now):
    """What the containment hears of it."""
    if trouble == "slow":
        one.quarantine.spent(0, Spent(name, now // SECOND % 10**5, much, 0, 999), now)
    elif trouble == "fails":
        one.quarantine.counted(name, 100, much, now, "KeyError: 'location'")
    else:
        one._pressure(name, max(much - 99_999, 0), UnitCounts(0, 0, 0, 0, 0, much, 100_000), now)
