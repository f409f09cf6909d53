"""Records that no rule wants: what they cost with ten, a thousand and ten thousand rules, and beside literals to be contained.

`python benchmarks/unwanted.py`. The peer is a bare loop on the same raw slices that decodes the five fields the rules ask for and
does nothing with them. No journal on either side: rows in memory, as a worker gets them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
from common import BATCH, SEED, Engine, alternate, as_worker, conditions, journal, pairs, ratios, size, table, timed, verdict

from pluginhost import Alert, Event, analyzer
from pluginhost.engine.unit import Unit

ROWS, ROUNDS = 40, 11
COUNTS = (10, 1_000, 10_000)
FIELDS = ("method", "user", "code", "ip", "path")
SHAPES = ("{0}:bad{1:05}", "{0}:(bad{1:05}a OR bad{1:05}b OR bad{1:05}c)", "{0}:evil{1:05}*")
PEER = "bare msgspec projection of 5 fields"


class Five(msgspec.Struct, gc=False):
    """The fields that the rules ask for."""

    method: Any = None
    user: Any = None
    code: Any = None
    ip: Any = None
    path: Any = None


def body(event: Event) -> Alert:
    return Alert("low", "found")


def spread(count: int) -> Iterable[str]:
    """Equalities, choices and prefixes in turn over five fields; as long whatever their number."""
    return (SHAPES[n % 3].format(FIELDS[n % 5], n) for n in range(count))


def contained(count: int) -> Iterable[str]:
    """Literals that one field must contain: plain, and with a wildcard inside."""
    rng = random.Random(SEED)
    for n in range(count):
        first, second = f"{rng.randrange(16**6):06x}", f"{rng.randrange(16**4):04x}"
        yield f"path:*evil{n:05}{first}*" if n % 2 else f"path:*evil{n:05}{first}*{second}*"


def engine(queries: Iterable[str]) -> Engine:
    return Engine([Unit(analyzer(where=query, name=f"rule_{n}")(body), {}) for n, query in enumerate(queries)])


def main() -> None:
    as_worker()
    rows = journal(0, ROWS)
    began = time.process_time()
    engines = {f"{count:,} rules on 5 fields": engine(spread(count)) for count in COUNTS}
    engines["1,000 contained literals on 1 field"] = engine(contained(1000))
    loaded = time.process_time() - began
    bounds, decode = [pairs(row) for row in rows], msgspec.msgpack.Decoder(Five).decode

    def peer() -> None:
        for row, found in zip(rows, bounds, strict=True):
            body = row.body
            for start, end in found:
                decode(body[start:end])

    runs: dict[str, Callable[[], float]] = {PEER: partial(timed, peer, ROWS * BATCH)}
    runs |= {name: partial(timed, partial(one.run, rows), ROWS * BATCH) for name, one in engines.items()}
    told = f"{size(rows)}-byte records, batches of {BATCH:,}, journal off"
    conditions(f"{told}; {sum(COUNTS) + 1000:,} rules loaded in {loaded:.1f} s", ROUNDS)
    costs = alternate(runs, ROUNDS)
    assert not any(one.calls for one in engines.values())
    spread_names = list(engines)[:-1]
    table("records nobody wants", costs, dict.fromkeys(spread_names, (PEER, 0.4)) | {list(engines)[-1]: (PEER, 0.22)})
    flat = ratios(costs[spread_names[0]], costs[spread_names[-1]])
    print(f"  {'10,000 rules beside 10 (1 is as fast)':<80}{verdict(*flat, 0.9)}")


if __name__ == "__main__":
    main()
