"""What the benchmarks share: made-up records, rounds that alternate, tables, and the engine as a worker runs it.

Everything is made from numbers and a fixed seed, so that two runs judge the same bytes. A figure is a median of ratios between
neighbouring rounds of one run; absolute times are printed beside it and mean little on another machine.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import struct
import sysconfig
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgpack

from pluginhost.engine.gate import START, rows
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import items
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit
from pluginhost.store.row import Row

__all__ = ["ANALYZERS", "BATCH", "SEED", "Engine", "Record", "Row", "alternate", "as_worker", "conditions", "entry", "frame", "journal",
           "pairs", "ratios", "record", "size", "table", "timed", "units_of", "verdict"]  # fmt: skip

SEED = 7
BATCH = 1000
ANALYZERS = Path(__file__).parent / "analyzers"
Record = dict[str, Any]


def web(number: int, users: int) -> Record:
    """An access record as nginx's parser leaves it."""
    return {"type": "web", "ip": f"198.51.100.{number % 250}", "host": "web1", "user": f"user{number * 7919 % users}", "method": "GET",
            "path": f"/items/{number}?page=2", "code": "200", "size": "51234", "referer": "https://shop.example.com/items/summer?page=1",
            "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "stream": "stdout",
            "container": "c0ffee1234567890c0ffee1234567890"}  # fmt: skip


def ssh(number: int, users: int) -> Record:
    """An sshd record taken apart."""
    return {"type": "ssh", "ip": f"203.0.113.{number % 250}", "host": "web1", "user": f"user{number * 7919 % users}", "method": "password",
            "action": "login", "outcome": "failure" if number % 4 else "success", "port": 50000 + number % 1000, "pid": 4242,
            "message": "Failed password for invalid user administrator from 203.0.113.9 port 50000 ssh2: RSA SHA256:ucQ7kl",
            "stream": "stdout", "container": "c0ffee1234567890c0ffee1234567890"}  # fmt: skip


def record(number: int, users: int = 10_000) -> Record:
    """The `number`-th record: twelve fields, two thirds from nginx and one third from sshd."""
    return ssh(number, users) if number % 3 == 0 else web(number, users)


def journal(first: int, count: int, *, users: int = 10_000, made: Callable[[int], Record] | None = None) -> list[Row]:
    """`count` rows of `BATCH` records as they lie in the journal, from record `first * BATCH` on, 1 ms apart."""
    of = made or (lambda number: record(number, users))
    found = []
    for at in range(first, first + count):
        row = rows([of(at * BATCH + n) for n in range(BATCH)], START + at * 10**9, 1_000_000, "mixed")
        row.offset = at
        found.append(row)
    return found


def pairs(row: Row) -> list[tuple[int, int]]:
    """The bounds of the row's records in its body."""
    (batch,) = items(row)
    return list(zip(batch.starts, batch.ends, strict=True))  # type: ignore[union-attr]  # rows of records hold a batch


def size(journal: Sequence[Row]) -> int:
    """The bytes of an average record."""
    return round(sum(len(row.body) for row in journal) / sum(row.count for row in journal))


def entry(second: int, nanos: int, raw: bytes) -> bytes:
    """An entry of a forward chunk, with an EventTime."""
    return b"\x92\xd7\x00" + struct.pack(">II", second, nanos) + raw


def frame(row: Row, chunk: str, tag: str = "mixed") -> bytes:
    """The row as a shipper would send it: one PackedForward message of the forward protocol that asks for an ack."""
    second = START // 10**9 + row.offset
    entries = b"".join(entry(second, n * 1_000_000, row.body[start:end]) for n, (start, end) in enumerate(pairs(row)))
    return bytes(msgpack.packb([tag, entries, {"size": row.count, "chunk": chunk}]))


class Engine:
    """The pure engine on units: rows in, nothing else around it. `run` judges rows and gives the findings."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        self.pipeline, self.state = Pipeline(units, mappings()), ShardState()

    def run(self, journal: Iterable[Row]) -> int:
        """How many findings the rows came to."""
        found = 0
        for row in journal:
            result = self.pipeline.run(self.state, items(row))
            if result.failures:
                raise SystemExit(f"an analyzer failed: {result.failures[0]}")
            found += len(result.findings)
        return found

    @property
    def calls(self) -> int:
        """How often a body was called."""
        return sum(unit.seen for unit in self.units)

    @property
    def keys(self) -> int:
        """How many keys are remembered, over all analyzers."""
        return sum(len(memory.cells) for memory in self.state.memories.values())


def units_of(file: Path) -> list[Unit]:
    """The analyzers of a file, loaded as a worker loads them."""
    return ready(bundle(file), {})


def as_worker() -> None:
    """Sets the garbage collector as a worker process does."""
    gc.collect()
    gc.set_threshold(50_000, 20, 100)


def timed(work: Callable[[], object], records: int) -> float:
    """The µs of CPU time of this process, all threads, that a record took."""
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / 1000 / records


def alternate(runs: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each run cost in each round. Every round begins with another one; a round beforehand warms up and is not counted."""
    names, costs = list(runs), {name: list[float]() for name in runs}
    for number in range(-1, rounds):
        for place in range(len(names)):
            name = names[(place + number) % len(names)]
            cost = runs[name]()
            if number >= 0:
                costs[name].append(cost)
    return costs


def conditions(told: str, rounds: int, unit: str = "µs and records/s are CPU time") -> None:
    """Prints what a figure depends on."""
    pgo = "with PGO" if "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") else "without PGO by its configure line"
    load = os.getloadavg()[0]
    print(f"{platform.python_implementation()} {platform.python_version()} ({pgo}), {os.cpu_count()} cores, load {load:.1f} before\n"
          f"{told}\n{rounds} alternating rounds; {unit}", end="\n\n")  # fmt: skip


def table(title: str, costs: Mapping[str, Sequence[float]], targets: Mapping[str, tuple[str, float]]) -> None:
    """Prints µs per record, records per CPU second, and for those in `targets` (name → (peer, target)) the ratio to the peer.

    A ratio is the peer's cost through ours: above 1 we are faster. It is taken round by round; printed are the median and the range.
    """
    print(f"{title:<58} {'µs/record':>10} {'records/s':>12} {'ratio':>8}  {'(range)':<15} target")
    for name, found in costs.items():
        median = statistics.median(found)
        line = f"  {name:<56} {median:>10.2f} {1e6 / median:>12,.0f}"
        if name in targets:
            line += verdict(*ratios(costs[targets[name][0]], found), targets[name][1])
        print(line)
    print()


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, float, float]:
    """(median, least, most) of the ratios between neighbouring rounds."""
    found = [one / other for one, other in zip(theirs, ours, strict=True)]
    return statistics.median(found), min(found), max(found)


def verdict(median: float, least: float, most: float, target: float) -> str:
    """The ratio, its range and whether it reaches the target, as the end of a line."""
    digits = 2 if target < 3 else 1
    range_ = f"({least:.{digits}f} to {most:.{digits}f})"
    if not target:
        return f" {median:>8.{digits}f}  {range_:<15} -"
    return f" {median:>8.{digits}f}  {range_:<15} ≥ {target:g}: {'met' if median >= target else 'MISSED'}"
