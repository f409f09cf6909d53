"""Lists and databases that records are compared with: what compiling, opening and asking them costs, at a million entries.

`python benchmarks/references.py [ENTRIES]`. Half of what is asked is on the list, and nothing is asked twice, so that no answer is at hand.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from random import Random

from pluginhost.events.references import compiled
from pluginhost.events.references.listing import listing

ASKED = 100_000
LINE = "GET /some/path/with/{}/query?x={} HTTP/1.1 Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"


def address(rng):
    return f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"


def domain(rng):
    return f"host{rng.getrandbits(40):x}.example"


def measured(kind, make, count, folder):
    """A row: seconds to compile and to open, answers a second, entries, bytes."""
    rng = Random(count)
    values = [make(rng) for _ in range(count)]
    began = time.process_time()
    parts, kept, _ = compiled(kind, [(value, "") for value in values])
    file = folder / f"{kind}-{count}"
    file.write_bytes(b"".join(parts))
    made = time.process_time()
    found = listing(file)
    opened = time.process_time()
    within = kind in ("literals", "patterns")
    asked = [LINE.format(n, "y" * 100) if within else rng.choice(values) if n % 2 else make(rng) for n in range(ASKED)]
    before = time.process_time()
    hits = sum(found.find(one) is not None for one in asked)
    return kind, kept, made - began, opened - made, ASKED / (time.process_time() - before), hits, file.stat().st_size


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    sizes = [("networks", address, count), ("strings", domain, count), ("domains", domain, count), ("literals", domain, count // 10),
             ("patterns", domain, count // 100)]  # fmt: skip
    print(f"{'kind':<10}{'entries':>11}{'compiled in':>13}{'opened in':>12}{'asked, 1/s':>12}{'found':>9}{'file':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, make, entries in sizes:
            _, kept, compiling, opening, rate, hits, size = measured(kind, make, entries, Path(folder))
            print(f"{kind:<10}{kept:>11,}{compiling:>11.1f} s{opening * 1000:>9.1f} ms{rate:>12,.0f}{hits:>9,}{size >> 20:>5} MiB")


if __name__ == "__main__":
    main()
