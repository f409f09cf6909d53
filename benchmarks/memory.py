"""What a million keys of a ten-entry window take in memory, beside the same in plain Python and in ElastAlert's window.

`python benchmarks/memory.py`. Each runs in a process of its own, which reads its resident size before the first record and behind the
last, garbage collected both times. Ours is the real pipeline with `SlidingCount("1h")` by user, fed ten million small records. Plain
Python is a dict of lists of whole numbers, filled by the same loop. ElastAlert's `EventWindow` holds whole events; it is given fewer keys,
and events of two fields.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from common import Engine
from peer import Peer, cache

from pluginhost import Alert, Event, SlidingCount, analyzer
from pluginhost.engine.gate import START
from pluginhost.engine.unit import Unit
from pluginhost.store.row import Kind, Row
from pluginhost.wire.chunk import Columns

KEYS, ENTRIES, BATCH, FEWER = 1_000_000, 10, 1000, 50_000
TARGET = 450
HEAD = b"\x81\xa4user\xa8"


@analyzer(key="user", keys=2 * KEYS)
def window(event: Event, seen: SlidingCount = SlidingCount("1h", limit=ENTRIES)) -> Alert | None:  # noqa: B008 - states are declared so
    return Alert("low", "many") if seen.add(event) > ENTRIES else None


def resident() -> int:
    """The resident size of this process in bytes, with what the allocator holds in vain given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def row(number: int) -> Row:
    """A row of one record of each of `BATCH` users; all users take turns."""
    first = number * BATCH % KEYS
    records = [HEAD + b"u%07d" % (first + n) for n in range(BATCH)]
    size, time = len(records[0]), START + number * 10**6
    bounds = [(at, at + size) for at in range(0, size * BATCH, size)]
    columns = Columns.of(bounds, [time] * BATCH)
    return Row(Kind.RECORDS, b"".join(records), number, time, tag="mixed", codec="msgpack", count=BATCH, columns=columns.pack())


def pipeline() -> int:
    """By how many bytes the engine grew."""
    engine = Engine([Unit(window, {})])
    engine.run([row(0)])
    before = resident()
    for number in range(1, KEYS * ENTRIES // BATCH):
        engine.run([row(number)])
    assert engine.keys == KEYS
    return resident() - before


def plain() -> int:
    """By how many bytes a dict of lists grew."""
    windows: dict[str, list[int]] = {}
    before = resident()
    for number in range(KEYS * ENTRIES):
        windows.setdefault(f"u{number % KEYS:07}", []).append(START + number // BATCH * 10**6)
    return resident() - before


def main() -> None:
    if len(sys.argv) > 1:
        print({"pipeline": pipeline, "plain": plain}[sys.argv[1]]())
        return
    grown = {name: int(subprocess.check_output([sys.executable, __file__, name])) for name in ("pipeline", "plain")}
    with tempfile.TemporaryDirectory(dir=cache()) as name:
        Path(name, "elastalert-input.json").write_text(json.dumps({"windows": [FEWER, ENTRIES]}))
        with Peer("elastalert", Path(name)) as peer:
            peer.run("window")
            theirs, about = peer.found["window"], peer.about
    print(f"CPython {platform.python_version()}; growth of the resident size, one run, journal off", end="\n\n")
    print(f"{'a window of ten entries a key':<58} {'keys':>10} {'MB':>8} {'bytes/key':>10}  target")
    told = f"< {TARGET} MB: {'met' if grown['pipeline'] < TARGET * 10**6 else 'MISSED'}"
    for title, keys, size, target in (("ours, the whole pipeline", KEYS, grown["pipeline"], told),
                                      ("plain Python: a dict of lists of numbers", KEYS, grown["plain"], ""),
                                      (f"{about}: EventWindow of two-field events", FEWER, theirs, "")):  # fmt: skip
        print(f"  {title:<56} {keys:>10,} {size / 10**6:>8,.0f} {size / keys:>10,.0f}  {target}")


if __name__ == "__main__":
    main()
