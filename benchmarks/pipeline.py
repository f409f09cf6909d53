"""Records per second of decode → match → three analyzers, in one process: what the engine costs without doors and disk.

`python benchmarks/pipeline.py`. Alternates the engine with two peers on the same bytes (a plain msgpack loop and a bare msgspec
projection), seven rounds, medians of CPU time. Records: two thirds nginx lines, one third sshd lines, about 300 bytes.
"""

from __future__ import annotations

import platform
import statistics
import sysconfig
import time
from collections.abc import Callable

import msgpack
import msgspec

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START, rows
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import items
from pluginhost.engine.state import ShardState
from pluginhost.store.row import Row
from pluginhost.wire.chunk import Columns

ROWS, RECORDS, ROUNDS = 20, 1000, 7
SSH = "Nov 21 10:00:00 web1 sshd[42]: {} password for user{} from 203.0.113.{} port 50000 ssh2"
WEB = (
    '198.51.100.{} - - [21/Nov/2026:10:00:00 +0000] "GET /items/{}?page=2 HTTP/1.1" 200 512 "-" '
    '"Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0"'
)


def record(number: int) -> dict[str, object]:
    """The `number`-th record: 12 fields, about 300 bytes."""
    ssh = SSH.format("Failed" if number % 4 else "Accepted", number % 40, number % 250)
    message = ssh if number % 3 == 0 else WEB.format(number % 250, number)
    return {"message": message, "host": "web1", "stream": "stdout", "seq": number, "level": "info", "pid": 4242, "container": "c0ffee",
            "pod": "web-7d9f", "namespace": "shop", "node": "node-3", "region": "eu-1", "ok": True}  # fmt: skip


class Projection(msgspec.Struct):
    """Five fields of twelve."""

    message: object = None
    host: object = None
    seq: object = None
    level: object = None
    pid: object = None


def engine(journal: list[Row]) -> Callable[[], None]:
    units = [unit for file in sorted(shipped_analyzers().glob("*.py")) for unit in ready(bundle(file), {})]
    pipeline, state = Pipeline(units, mappings()), ShardState()

    def run() -> None:
        for row in journal:
            pipeline.run(state, items(row))

    return run


def plain(journal: list[Row]) -> Callable[[], None]:
    def run() -> None:
        for row in journal:
            unpacker = msgpack.Unpacker(strict_map_key=False)
            unpacker.feed(row.body)
            for _ in unpacker:
                pass

    return run


def projection(journal: list[Row]) -> Callable[[], None]:
    decode = msgspec.msgpack.Decoder(Projection).decode
    bounds = [list(zip(*(getattr(Columns.unpack(row.columns), name) for name in ("starts", "ends")), strict=True)) for row in journal]

    def run() -> None:
        for row, pairs in zip(journal, bounds, strict=True):
            for start, end in pairs:
                decode(row.body[start:end])

    return run


def main() -> None:
    journal = [rows([record(at * RECORDS + n) for n in range(RECORDS)], START, 1_000_000, "mixed") for at in range(ROWS)]
    runs = {"decode → match → 3 analyzers": engine(journal), "plain msgpack decode": plain(journal),
            "msgspec projection": projection(journal)}  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.process_time()
            run()
            rates[name].append(ROWS * RECORDS / (time.process_time() - began))
    size = sum(len(row.body) for row in journal) / (ROWS * RECORDS)
    pgo = "PGO" if "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") else "no PGO"
    told = f"{size:.0f}-byte records, batches of {RECORDS}, {ROUNDS} rounds, per CPU second of one core"
    print(f"Python {platform.python_version()} ({pgo}), {told}")
    base = statistics.median(rates["plain msgpack decode"])
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"  {name:<30} {median:>10,.0f} records/s   {median / base:5.2f} of plain decode   ({min(found):,.0f} to {max(found):,.0f})")


if __name__ == "__main__":
    main()
