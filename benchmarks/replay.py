"""A real sidecar's alerts beside those of backtests over the same records: equal byte by byte, or the first differences and status 1.

`python benchmarks/replay.py [--records N] [--analyzers NAME,NAME…]`, or `make replay` for a million. A sidecar with shipped analyzers gets
made-up logins, hosts' logs, a shop's and a firewall's records over the forward protocol, with acks; the records are days old and come as
fast as they are taken. When all are judged, `pluginhost backtest` judges

 (a) its journal: every id and every document must be equal, also of alerts by timers, by tables and of risk;
 (b) the frames that were sent, as a file with their own clock: an id comes from the bytes of a record, so it must be these and no other
     form of them. Time passes there as it did in the records and not as the journal's ticks say, so analyzers that wait for time to pass
     are left out, and with them risk, which adds up the alerts of all; the input is another one. All else must be equal.

Left out on both sides is what differs from run to run by the design: `event.created`, `event.ingested`, `event.url`, `observer`, and the
mark of a backtest. The alerts of the process itself (quarantine, pressure) come of no record and are not replayed: there must be none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from heapq import merge
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Self

from common import SEED
from peer import cache
from sidecar import Client, free_port

from pluginhost import shipped_analyzers
from pluginhost.host.control import ask
from pluginhost.problem import Problem
from pluginhost.replay.generators import Item, hosts, logins, waf, web
from pluginhost.store.alerts import AlertStore
from pluginhost.wire.forward_client import chunk_id, entry, frame

ANALYZERS = "impossible_travel,new_device,privileges,scans,web_scanners,web_rates"
START = 1_767_600_000_000_000_000  # 2026-01-05T08:00:00Z, a Monday
A_DAY = 170_000  # records, at least
TOGETHER = 200  # records that are sorted by tag before they are sent
LATENESS = "5m"  # longer than they span, so that none is late for being sorted
_OWN = ("pluginhost.quarantine", "pluginhost.pressure")
_BIG = 1 << 40

Documents = dict[str, bytes]
"""Id → document, as canonical JSON without what may differ."""


def items(seed: int, records: int) -> Iterator[Item]:
    """So many records of all kinds, in order of time."""
    rngs = [Random(seed * 10 + number) for number in range(4)]
    days = records // A_DAY + 2
    streams = (logins(rngs[0], START, days, users=20_000), hosts(rngs[1], START, days * 1440, hosts=10, rate=30),
               web(rngs[2], START, days * 1440, rate=40), waf(rngs[3], START, days * 1440, rate=15))  # fmt: skip
    return islice(merge(*streams, key=lambda item: item.time), records)


def frames(made: Iterator[Item]) -> Iterator[tuple[bytes, int]]:
    """(a frame that asks for an ack, its records): those of one tag that happened at about the same time."""
    number = 0
    while some := list(islice(made, TOGETHER)):
        by_tag: dict[str, list[bytes]] = {}
        for item in some:
            by_tag.setdefault(item.tag, []).append(entry(item.time, item.record))
        for tag, entries in by_tag.items():
            number += 1
            yield frame(tag, entries, chunk=chunk_id((str(number),))), len(entries)


class Live(AbstractContextManager[Any]):
    """A sidecar with these files of shipped analyzers, in a folder with its configuration; its journal keeps all."""

    def __init__(self, folder: Path, files: Sequence[Path]) -> None:
        self.folder, self.data, self.port = folder, folder / "data", free_port()
        (folder / "analyzers").mkdir()
        for file in (*files, *shipped_analyzers().glob("_*.py")):
            (folder / "analyzers" / file.name).write_bytes(file.read_bytes())
        config = {"data": "data", "analyzers": ["analyzers"], "inputs": [{"type": "forward", "port": self.port}], "lateness": LATENESS,
                  "journal": {"max_bytes": _BIG, "segment_bytes": _BIG, "max_age": "365d"}}  # fmt: skip
        (folder / "pluginhost.yaml").write_text(json.dumps(config))
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "pluginhost", "run"], cwd=folder, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        end = time.monotonic() + 120
        while True:
            try:
                list(ask(self.data, "ping"))
            except Problem:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise SystemExit(f"the sidecar did not start:\n{(self.folder / 'log').read_text()}") from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(120)

    def feed(self, made: Iterator[Item], copy: Path) -> int:
        """How many records were sent; returns when they are judged. `copy` gets the same frames."""
        sent, client, made_up = 0, Client(self.port, ahead=32), frames(made)
        with copy.open("wb") as file:
            while some := list(islice(made_up, 64)):
                client.send([one for one, _ in some])
                file.writelines(one for one, _ in some)
                sent += sum(count for _, count in some)
        client.close()
        while list(ask(self.data, "analysed", deadline=60.0)) != [True]:
            pass
        return sent

    def waiting(self) -> dict[str, bool]:
        """The analyzers that run, and whether each waits for time to pass."""
        return {one["name"]: one["ticks"] for one in ask(self.data, "analyzers") if one["name"]}

    def records(self) -> int:
        """How many records were analysed."""
        counts = next(ask(self.data, "status"))["counts"]
        return sum(part["records"] for name, part in counts.items() if name.startswith("worker."))

    def memory(self) -> tuple[int, int]:
        """The most memory of host and worker so far, bytes."""
        (worker,) = next(ask(self.data, "status"))["workers"]
        return peak(self._process.pid), peak(worker)


def peak(pid: int) -> int:
    """The most resident memory of a process so far, bytes; 0 of one that has ended. (What `wait4` tells begins with its parent's.)"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return max((int(one.split()[1]) << 10 for one in lines if one.startswith("VmHWM:")), default=0)


class Run(NamedTuple):
    """What one side took and found."""

    what: str
    seconds: float
    memory: str
    found: Documents


def backtest(live: Live, what: str, *given: str) -> Run:
    """A backtest with the sidecar's configuration."""
    found = live.folder / "found.ndjson"
    command = [sys.executable, "-m", "pluginhost", "backtest", *given, "-q", "--to", str(found)]
    began, most = time.perf_counter(), 0
    process = subprocess.Popen(command, cwd=live.folder)
    while process.poll() is None:
        most = max(most, peak(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the backtest ended with status {process.returncode}")
    took = time.perf_counter() - began
    with found.open("rb") as lines:
        return Run(what, took, mib(most), documents(lines))


def documents(lines: Iterator[bytes] | Any) -> Documents:
    """The documents by id, without what differs from run to run by the design."""
    found: Documents = {}
    for line in lines:
        one = json.loads(line)
        id_ = one["event"]["id"]
        if id_ in found:
            raise SystemExit(f"the alert {id_} is there twice")
        for name in ("created", "ingested", "url"):
            one["event"].pop(name, None)
        one["pluginhost"]["alert"].pop("dashboard", None)
        one.pop("observer")
        one["pluginhost"].pop("backtest", None)
        found[id_] = json.dumps(one, sort_keys=True).encode()
    return found


def of_records(found: Documents, waiting: Mapping[str, bool]) -> Documents:
    """What (b) compares: alerts that no passing of time has a part in, without risk and without the input's name."""
    made: Documents = {}
    for id_, line in found.items():
        one = json.loads(line)
        if waiting.get(one["pluginhost"]["analyzer"], True):
            continue
        for name in ("input", "risk"):
            one["pluginhost"]["source"].pop(name, None)
        for entity in ("user", "host"):
            one.get(entity, {}).pop("risk", None)
        made[id_] = json.dumps(one, sort_keys=True).encode()
    return made


def differing(live: Documents, other: Documents) -> list[str]:
    """The ids that only one side has, or with another document."""
    return sorted(id_ for id_ in live.keys() | other.keys() if live.get(id_) != other.get(id_))


def leaves(document: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything in the document that is no object."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield path + name, value


def told(name: str, live: Documents, other: Documents) -> bool:
    """Prints what came of a comparison; whether both are equal."""
    wrong = differing(live, other)
    print(f"{name}: {len(live):,} live, {len(other):,} replayed, {len(wrong):,} differ")
    for id_ in wrong[:5]:
        sides = [dict(leaves(json.loads(found[id_]))) if id_ in found else {} for found in (live, other)]
        if not all(sides):
            print(f"  {id_[:12]}  is live only" if sides[0] else f"  {id_[:12]}  is replayed only")
            continue
        for path in sorted(path for path in sides[0].keys() | sides[1].keys() if sides[0].get(path) != sides[1].get(path)):
            print(f"  {id_[:12]}  {path}: {sides[0].get(path)!r} live, {sides[1].get(path)!r} replayed")
    return not wrong


def mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compares a sidecar's alerts with those of backtests over the same records.")
    parser.add_argument("--records", type=int, default=20_000, help="how many (20000)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"another one makes other records ({SEED})")
    parser.add_argument("--analyzers", default=ANALYZERS, help=f"files of shipped analyzers, with commas between ({ANALYZERS})")
    args = parser.parse_args()
    files = [shipped_analyzers() / f"{name}.py" for name in args.analyzers.split(",")]
    with tempfile.TemporaryDirectory(dir=cache()) as held, Live(Path(held), files) as live:
        sys.exit(0 if compared(live, args.records, args.seed) else 1)


def compared(live: Live, records: int, seed: int) -> bool:
    """Whether all is equal."""
    copy, began = live.folder / "frames", time.perf_counter()
    sent = live.feed(items(seed, records), copy)
    took, waiting, analysed = time.perf_counter() - began, live.waiting(), live.records()
    host, worker = live.memory()
    with_alerts = documents(one.document for one in each(live.data / "alerts.db"))
    runs = [Run("live, with sending", took, f"{mib(host)} host, {mib(worker)} worker", with_alerts),
            backtest(live, "(a) its journal", "--data", "data"), backtest(live, "(b) the frames", "--format", "forward", str(copy))]
    print(f"{sent:,} records, {copy.stat().st_size / sent:,.0f} bytes each with their frames; {len(waiting)} analyzers: "
          f"{', '.join(sorted(waiting))}; wall time, with the start of a backtest's process\n")  # fmt: skip
    print(f"{'':<24} {'seconds':>9} {'records/s':>11} {'alerts':>8}  most memory")
    for run in runs:
        print(f"{run.what:<24} {run.seconds:>9.1f} {sent / run.seconds:>11,.0f} {len(run.found):>8,}  {run.memory}")
    by = Counter(json.loads(one)["pluginhost"]["analyzer"] for one in with_alerts.values())
    print(f"\nalerts: {', '.join(f'{count:,} {name}' for name, count in by.most_common())}\n")
    right = [told("(a)", with_alerts, runs[1].found), told("(b)", *(of_records(run.found, waiting) for run in (runs[0], runs[2])))]
    if wrong := [name for name in _OWN if by[name]]:
        print(f"the process itself was in trouble: {', '.join(wrong)}")
    if analysed != sent:
        print(f"{analysed:,} records were analysed")
    return all(right) and not wrong and analysed == sent


def each(path: Path) -> Iterator[Any]:
    """All alerts of a store, in order."""
    store, seen = AlertStore.readonly(path), 0
    while page := store.since(seen, 1000):
        yield from page
        seen = page[-1].seq


if __name__ == "__main__":
    main()
