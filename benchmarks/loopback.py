"""The whole process over loopback beside the engine in this process: the same records, the same analyzers, in one run.

`python benchmarks/loopback.py`. A client sends frames of 1,000 records over the forward protocol, eight in flight, and waits for their
acks; a round ends when the desk has committed the last of them. The CPU time of host and worker is read from their own clocks; the
client's is not counted. Wall time says little where client, host, worker and others share few cores; the ratio is of CPU time.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Mapping
from contextlib import ExitStack

from common import ANALYZERS, BATCH, Engine, alternate, as_worker, conditions, frame, journal, ratios, size, timed, units_of, verdict
from sidecar import Client, Sidecar

FRAMES, ROUNDS = 60, 5
CASES = {"ten.py": ("ten analyzers, six of which fire a record", 0.8), "none.py": ("ten rules, none of which wants a record", 0.5)}


class Case:
    """One analyzer file, in a sidecar and in this process. Wall and CPU of each round are in `costs`, µs per record."""

    def __init__(self, name: str, sidecar: Sidecar) -> None:
        self._sidecar, self._client = sidecar, Client(sidecar.port)
        self._engine = Engine(units_of(ANALYZERS / name))
        self._first, self._second = itertools.count(), itertools.count()
        self.costs: dict[str, list[float]] = {}

    def inside(self) -> float:
        """A round in this process."""
        rows = journal(next(self._first) * FRAMES, FRAMES)
        began = time.perf_counter()
        spent = timed(lambda: self._engine.run(rows), FRAMES * BATCH)
        self._note(inside=spent, inside_wall=(time.perf_counter() - began) / FRAMES / BATCH * 1e6)
        return spent

    def outside(self) -> float:
        """A round over loopback."""
        frames = [frame(row, f"{row.offset:08}") for row in journal(next(self._second) * FRAMES, FRAMES)]
        before, began = self._sidecar.spent(), time.perf_counter()
        self._client.send(frames)
        acked = time.perf_counter()
        self._sidecar.settled()
        ended, spent = time.perf_counter(), self._sidecar.spent() - before
        self._note(**{name: seconds / FRAMES / BATCH * 1e6 for name, seconds in {
            "host": spent.host, "worker": spent.worker, "both": spent.host + spent.worker, "acked_wall": acked - began,
            "wall": ended - began}.items()})  # fmt: skip
        return spent.host + spent.worker

    def _note(self, **costs: float) -> None:
        for name, cost in costs.items():
            self.costs.setdefault(name, []).append(cost)

    def alike(self) -> None:
        """Both must have called the same analyzers as often."""
        assert {unit.name: unit.seen for unit in self._engine.units} == self._sidecar.seen()

    def close(self) -> None:
        self._client.close()


ROWS = {"inside": "engine in this process, CPU", "host": "host, CPU", "worker": "worker, CPU", "both": "host and worker, CPU",
        "inside_wall": "engine in this process, wall", "acked_wall": "loopback until acknowledged, wall",
        "wall": "loopback until committed, wall"}  # fmt: skip


def told(title: str, costs: Mapping[str, list[float]], target: float) -> None:
    """Prints a case."""
    print(f"{title:<58} {'µs/record':>10} {'records/s':>12} {'ratio':>8}  {'(range)':<15} target")
    for name, row in ROWS.items():
        median = statistics.median(costs[name])
        line = f"  {row:<56} {median:>10.2f} {1e6 / median:>12,.0f}"
        if name == "both":
            line += verdict(*ratios(costs["inside"], costs["both"]), target)
        elif name == "wall":
            line += verdict(*ratios(costs["inside_wall"], costs["wall"]), 0)
        print(line)
    print()


def main() -> None:
    as_worker()
    with ExitStack() as stack:
        cases = {name: Case(name, stack.enter_context(Sidecar([ANALYZERS / name]))) for name in CASES}
        for case in cases.values():
            stack.callback(case.close)
        runs = {f"{name} inside": case.inside for name, case in cases.items()}
        runs |= {f"{name} outside": case.outside for name, case in cases.items()}
        alternate(runs, ROUNDS)
        for case in cases.values():
            case.alike()
    conditions(f"{size(journal(0, 1))}-byte records, {BATCH:,} a frame, {FRAMES} frames a round, journal on and synced, 1 worker",
               ROUNDS, "medians; CPU time, or wall time where marked")  # fmt: skip
    for name, (title, target) in CASES.items():
        told(title, {one: found[1:] for one, found in cases[name].costs.items()}, target)  # the first round warms up


if __name__ == "__main__":
    main()
