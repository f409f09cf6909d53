"""The shipped analyzers on lines as they come, which the mappings have to take apart: what the engine costs without doors and disk.

`python benchmarks/pipeline.py`. Two thirds access-log lines, one third sshd lines, each in a record of twelve fields. The peers are a
plain msgpack loop on the same bytes, and a bare msgspec projection of five fields. No journal on any side.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgpack
import msgspec
from common import BATCH, Engine, Record, alternate, as_worker, conditions, journal, pairs, size, table, timed, units_of

from pluginhost import shipped_analyzers

ROWS, ROUNDS = 20, 9
SSH = "Nov 21 10:00:00 web1 sshd[42]: {} password for user{} from 203.0.113.{} port 50000 ssh2"
WEB = (
    '198.51.100.{} - - [21/Nov/2026:10:00:00 +0000] "GET /items/{}?page=2 HTTP/1.1" 200 512 "-" '
    '"Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0"'
)
PLAIN, BARE, OURS = "plain msgpack decode", "bare msgspec projection of 5 fields", "the shipped analyzers"


def line(number: int) -> Record:
    """The `number`-th record."""
    ssh = SSH.format("Failed" if number % 4 else "Accepted", number % 40, number % 250)
    message = ssh if number % 3 == 0 else WEB.format(number % 250, number)
    return {"message": message, "host": "web1", "stream": "stdout", "seq": number, "level": "info", "pid": 4242, "container": "c0ffee",
            "pod": "web-7d9f", "namespace": "shop", "node": "node-3", "region": "eu-1", "ok": True}  # fmt: skip


class Five(msgspec.Struct, gc=False):
    """Five fields of twelve."""

    message: Any = None
    host: Any = None
    seq: Any = None
    level: Any = None
    pid: Any = None


def main() -> None:
    as_worker()
    rows = journal(0, ROWS, made=line)
    bounds, decode = [pairs(row) for row in rows], msgspec.msgpack.Decoder(Five).decode
    engine, at = Engine([unit for file in sorted(shipped_analyzers().glob("[!_]*.py")) for unit in units_of(file)]), 0

    def ours() -> float:
        nonlocal at
        at += ROWS
        fresh = journal(at, ROWS, made=line)  # time goes on, so that windows move
        return timed(lambda: engine.run(fresh), ROWS * BATCH)

    def plain() -> None:
        for row in rows:
            unpacker = msgpack.Unpacker(strict_map_key=False)
            unpacker.feed(row.body)
            for _ in unpacker:
                pass

    def bare() -> None:
        for row, found in zip(rows, bounds, strict=True):
            body = row.body
            for start, end in found:
                decode(body[start:end])

    peers: dict[str, Callable[[], None]] = {PLAIN: plain, BARE: bare}
    runs = {name: partial(timed, peer, ROWS * BATCH) for name, peer in peers.items()} | {OURS: ours}
    costs = alternate(runs, ROUNDS)
    conditions(f"{size(rows)}-byte records, batches of {BATCH:,}, journal off, {len(engine.units)} analyzers", ROUNDS)
    table("lines that are taken apart", costs, {OURS: (PLAIN, 0)})


if __name__ == "__main__":
    main()
