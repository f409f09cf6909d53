"""The embedded store with a million alerts: what lists, searches and counts take, what a commit takes with and without them, and a slice
of forgetting.

The store is made once, in `$XDG_CACHE_HOME/pluginhost-bench` (3 GB, some minutes), and used again; `--fresh` makes it anew. Figures are
wall time of this process alone on the store, as the desk's thread would be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import msgspec
from common import SEED, conditions

from pluginhost.store.alerts import AlertStore, Commit, NewAlert
from pluginhost.store.bounds import Keep
from pluginhost.store.database import Database
from pluginhost.store.rollups import KINDS
from pluginhost.wire.times import iso

SECOND, DAY = 10**9, 86400 * 10**9
START = 1_760_000_000 * SECOND
DAYS = 90
COMMIT = 100  # alerts
SEVERITIES = {"low": 60, "medium": 29.9, "high": 10, "critical": 0.1}
TARGET = 0.2  # seconds, p95
FILLER = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0 "


def alerts(count: int, first: int = 0) -> Iterator[NewAlert]:
    """Made-up alerts, evenly over `DAYS` days; few analyzers, users and addresses make most of them."""
    rng = Random(SEED + first)
    names = [f"{what}_{how}" for what in ("ssh", "web", "login", "dns", "mail", "vpn", "disk") for how in
             ("bruteforce", "scan", "anomaly", "new_value", "rare_value", "spraying")]  # fmt: skip
    kinds = list(SEVERITIES)
    for number in range(first, first + count):
        when = START + number * DAYS * DAY // count if not first else START + DAYS * DAY + (number - first) * SECOND
        analyzer = names[int(len(names) * rng.random() ** 3)]
        severity = rng.choices(kinds, list(SEVERITIES.values()))[0]
        user, host = f"user{int(20_000 * rng.random() ** 3)}", f"web{rng.randrange(200)}.example"
        source = f"{rng.choice((203, 198, 192, 100))}.{rng.randrange(4)}.{rng.randrange(256)}.{rng.randrange(256)}"
        headline = f"{source}: {rng.randrange(5, 500)} failed logins of {user} on {host} in 10 minutes"
        suppressed = ("office",) if rng.random() < 0.1 else ()
        document = {
            "@timestamp": iso(when, 3), "message": headline, "ecs": {"version": "8.17.0"},
            "event": {"id": f"{rng.getrandbits(256):064x}", "kind": "alert", "severity": 47, "reason": f"more than usual for {user}"},
            "log": {"level": severity}, "rule": {"id": analyzer, "name": "Many failed logins from one address", "ruleset": "shipped"},
            "user": {"name": user}, "host": {"name": host}, "source": {"ip": source}, "tags": ["pluginhost.alert", "auth.sshd"],
            "pluginhost": {"analyzer": analyzer, "alert": {"fingerprint": f"{number % 50_000:064x}", "count": 10},
                           "record": {"message": FILLER * 8, "path": f"/items/{number}"}, "events": [{"message": FILLER}] * 10},
        }  # fmt: skip
        yield NewAlert(document["event"]["id"], when, severity, analyzer, f"{number % 50_000:064x}", 1, headline,
                       msgspec.json.encode(document), (), suppressed, user, source)  # fmt: skip


def fill(store: AlertStore, count: int, first: int = 0) -> float:
    """Stores `count` alerts; how many in a second, the making of them not counted."""
    made, spent = alerts(count, first), 0.0
    while batch := [alert for _, alert in zip(range(COMMIT), made, strict=False)]:
        began = time.perf_counter()
        store.commit(Commit(positions={0: first}, alerts=batch))
        spent += time.perf_counter() - began
    return count / spent


def database(store: AlertStore) -> Database:
    """What is under the store."""
    return store._database  # noqa: SLF001 - no business of anybody else's


def questions(store: AlertStore) -> dict[str, Callable[[], object]]:
    """What is asked, by what it is called in the table."""
    end = START + DAYS * DAY
    filters = {"": {}, "severity": {"severity": "high"}, "rare severity": {"severity": "critical"},
               "analyzer": {"analyzer": "ssh_scan"}, "analyzer + severity": {"analyzer": "disk_spraying", "severity": "critical"},
               "no such analyzer": {"analyzer": "none"}}  # fmt: skip
    texts = {"a word in all": "failed", "two in all": "failed logins", "phrase in all": '"failed logins of"', "a frequent user": "user0",
             "a rare user": "user19999", "an address": "203.2.17.4", "part of an address": "203.2*", "beginning": "user1234*",
             "beginning in all": "fail*", "one letter": "w*", "two letters": "us*", "no such word": "nobody"}  # fmt: skip
    asked: dict[str, Callable[[], object]] = {}
    for suppressed in (False, True):
        for name, given in filters.items():
            told = f"list {'suppressed ' if suppressed else ''}{name}".strip()
            asked[told] = lambda given=given, suppressed=suppressed: store.list(limit=50, suppressed=suppressed, **given)
    asked["list since 1 h"] = lambda: store.list(limit=50, after=end - DAY // 24)
    for name, text in texts.items():
        asked[f"text: {name}"] = lambda text=text: store.list(limit=50, text=text)
    for name, given in list(filters.items())[1:]:
        asked[f"text: in all, {name}"] = lambda given=given: store.list(limit=50, text="failed", **given)
    asked["text: in all, since 1 h"] = lambda: store.list(limit=50, text="failed", after=end - DAY // 24)
    asked["text: a rare user since 7 d"] = lambda: store.list(limit=50, text="user19999", after=end - 7 * DAY)
    for by in KINDS:
        for days in (7, DAYS):
            asked[f"summary by {by}, {days} d"] = lambda by=by, days=days: store.rollups.summary(by, end - days * DAY)
        asked[f"summary by {by}, 7 d per hour"] = lambda by=by: store.rollups.summary(by, end - 7 * DAY, per="hour")
        asked[f"summary by {by}, {DAYS} d per day"] = lambda by=by: store.rollups.summary(by, end - DAYS * DAY, per="day")
    asked["a part of an export"] = lambda: store.part(500_000)
    return asked


def ask(store: AlertStore, rounds: int) -> None:
    """Prints what each question takes; every round begins with another one."""
    asked = questions(store)
    names, took = list(asked), {name: list[float]() for name in asked}
    for number in range(-1, rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            began = time.perf_counter()
            asked[name]()
            if number >= 0:
                took[name].append(time.perf_counter() - began)
    print(f"{'ms a question':<44} {'median':>8} {'p95':>8} {'worst':>8}")
    for name, found in took.items():
        p95 = sorted(found)[int(0.95 * (len(found) - 1) + 0.5)]
        missed = "" if p95 < TARGET else "  MISSED"
        print(f"  {name:<42} {statistics.median(found) * 1e3:>8.1f} {p95 * 1e3:>8.1f} {max(found) * 1e3:>8.1f}{missed}")
    every = sorted(one for found in took.values() for one in found)
    p95 = every[int(0.95 * (len(every) - 1))]
    print(f"  {'all':<42} {statistics.median(every) * 1e3:>8.1f} {p95 * 1e3:>8.1f} {every[-1] * 1e3:>8.1f}\n")


def rates(folder: Path, count: int) -> None:
    """Prints how many alerts a second are committed, with what is written beside them and without; into stores that are empty at first."""
    def store(name: str) -> AlertStore:
        return AlertStore(folder / name, clock=time.time_ns)

    def without(name: str, *, words: bool, counts: bool) -> AlertStore:
        made = store(name)
        if not words:
            database(made).run("DROP TABLE words")
            database(made).run("CREATE TABLE words (text, marks)")
        if not counts:
            made.rollups.add = list  # type: ignore[method-assign, assignment]
        return made

    kinds = {"with both": (True, True), "without words": (False, True), "without counts": (True, False), "with neither": (False, False)}
    stores = {told: without(f"{told}.db", words=words, counts=counts) for told, (words, counts) in kinds.items()}
    found = {told: list[float]() for told in kinds}
    for number in range(4):
        for told, one in stores.items():
            found[told].append(fill(one, count, (number + 1) * 10_000_000))
    print(f"{f'alerts a second, {COMMIT} a commit, synced':<44} {'median':>8} {'least':>8} {'µs each':>8}")
    for told, each in found.items():
        median = statistics.median(each[1:])
        print(f"  {told:<42} {median:>8,.0f} {min(each[1:]):>8,.0f} {1e6 / median:>8.0f}")
    print()


def sizes(store: AlertStore) -> None:
    """Prints what takes the room."""
    kept = store.count()
    found = dict(database(store).rows("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name"))
    counts = database(store).rows("SELECT COUNT(*) FROM rollups")[0][0]
    words = sum(size for name, size in found.items() if name.startswith("words"))
    indexes = sum(size for name, size in found.items() if name.startswith(("alerts_by", "sqlite_autoindex_alerts")))
    print(f"{kept:,} alerts; bytes of each: documents and columns {found['alerts'] / kept:,.0f}, indexes {indexes / kept:,.0f}, "
          f"words {words / kept:,.0f}, counts {found['rollups'] / kept:,.0f} ({counts:,} rows)\n")


def slices(path: Path, count: int) -> None:
    """Prints how long one slice of forgetting keeps the desk waiting, on a store that is too full."""
    store, took, gone = AlertStore(path, clock=time.time_ns, keep=Keep()), list[float](), 0
    for _ in range(30):
        began = time.perf_counter()
        gone += store.trim(count // 2)
        took.append(time.perf_counter() - began)
    print(f"{'ms a slice of forgetting':<44} {'median':>8} {'p95':>8} {'worst':>8}")
    told = f"{gone // 30:,} alerts a slice"
    print(f"  {told:<42} {statistics.median(took) * 1e3:>8.1f} {sorted(took)[28] * 1e3:>8.1f} {max(took) * 1e3:>8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--fresh", action="store_true", help="make the store anew")
    parser.add_argument("--forget", action="store_true", help="measure forgetting, too: on a copy")
    told = parser.parse_args()
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pluginhost-bench"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"store-{told.alerts}.db"
    conditions(f"{told.alerts:,} alerts over {DAYS} days in {path}", told.rounds, "wall time")
    if told.fresh or not path.exists():
        path.unlink(missing_ok=True)
        making = path.with_suffix(".making")
        for old in folder.glob(f"{making.name}*"):
            old.unlink()
        store = AlertStore(making, clock=time.time_ns)
        print(f"made at {fill(store, told.alerts):,.0f} alerts a second\n")
        store.close()
        making.rename(path)
    store = AlertStore(path, clock=time.time_ns)
    sizes(store)
    ask(store, told.rounds)
    store.close()
    with TemporaryDirectory(dir=folder) as temporary:
        rates(Path(temporary), 20_000)
        if told.forget:
            copy = shutil.copy(path, temporary)
            slices(Path(copy), told.alerts)


if __name__ == "__main__":
    main()
