"""What becomes of alerts while everybody that they go to fails half of the time: the delivery table.

`python benchmarks/delivery.py` (`make load`) alerts on every record of a thousand a second for a minute, in one sidecar with its defaults.
They go to a real Elasticsearch behind a proxy, a real PostgreSQL, a file, a webhook's receiver and a real SMTP server. Half of all bulk
requests, messages and mails fail, and one in twenty of what else Elasticsearch is asked, in turns: cut before they are read, cut after
they are answered, 429, 503, 500 with garbage, a stall longer than the time-out, refused for now, refused for one recipient; and for one
second in seven the lines of Elasticsearch and PostgreSQL are cut altogether. The failures end with the last record.

Ends with status 1 if a promise was not kept: nothing is lost, nothing is there twice where that is promised, everything is there three
minutes after the last failure, the state index is as the store.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1] / "tests" / "support"))
from delivering import Outcome, deliver
from postgresql import PostgresServer
from search import SearchServer

COLUMNS = {"sent": 9, "delivered": 11, "failures": 10, "doubled": 9, "lost": 9, "dead letters": 14, "last after": 12}
LATE = 1.1  # times as long as planned that taking all records in may last


@contextmanager
def folder(name: str) -> Iterator[Path]:
    """One that servers can reach which do not run as root."""
    made = Path(tempfile.mkdtemp(prefix=f"ph-{name}-", dir="/var/tmp"))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def printed(found: Outcome, rate: int, seconds: int, *, kill: bool) -> None:
    """The tables."""
    sent = rate * seconds
    print(f"{sent:,} records, each an alert; planned {rate:,} a second, acknowledged {sent / found.took:,.0f} a second in "
          f"{found.took:.1f} s{', killed once' if kill else ''}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")  # fmt: skip
    heads = "".join(f"{name:>{width}}" for name, width in COLUMNS.items())
    print(f"{'output':<15}{heads}")
    for row in found.rows:
        notes = f"   in {row.messages:,} messages" if row.messages else "   once" if row.once else ""
        told = map("{:,}".format, (row.sent, row.delivered, row.failures, row.doubled, row.lost, row.letters))
        cells = "".join(f"{one:>{width}}" for one, width in zip((*told, f"{row.seconds:.1f} s"), COLUMNS.values(), strict=True))
        print(f"{row.name:<15}{cells}{notes}")
    print(f"\nstates: {found.groups:,} groups, {found.stale:,} not in the state index as they are in the store\n\nfailures dealt")
    for peer, kinds in found.kinds.items():
        print(f"{peer:<15} {', '.join(f'{count:,} {kind}' for kind, count in kinds.most_common()) or '-'}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts what becomes of alerts while everybody that they go to fails half of the time.")
    parser.add_argument("--rate", type=int, default=1000, help="records a second (1000)")
    parser.add_argument("--seconds", type=int, default=60, help="for how long (60)")
    parser.add_argument("--kill", action="store_true", help="kill -9 of the sidecar in the middle")
    args = parser.parse_args()
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the SMTP server's own
    with ExitStack() as open_:
        elasticsearch = SearchServer(open_.enter_context(folder("es8")))
        open_.callback(elasticsearch.stop)
        elasticsearch.start()
        postgresql = PostgresServer(open_.enter_context(folder("postgresql")))
        open_.callback(postgresql.stop)
        postgresql.start()
        here = open_.enter_context(folder("delivery"))
        found = deliver(here, elasticsearch, postgresql, rate=args.rate, seconds=args.seconds, kill=args.kill)
    printed(found, args.rate, args.seconds, kill=args.kill)
    late = [f"the records took {found.took:.0f} s to be acknowledged"] if not args.kill and found.took > LATE * args.seconds else []
    broken = [*found.broken(), *late]
    print("\n" + ("\n".join(f"NOT KEPT: {one}" for one in broken) or "every promise was kept"))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
