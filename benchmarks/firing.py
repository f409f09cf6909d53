"""Ten stateful analyzers, of which six to seven run their body for every record: the engine alone, and with journal and checkpoints.

`python benchmarks/firing.py`. The peer is the plain way to read the same forward messages and do nothing with them: an outer
`msgpack.Unpacker` fed 64 KiB pieces, an inner one over each message's entries with an `ext_hook` for EventTime.

With the journal each row is appended by the real committer, synced to the disk that holds the cache folder, and fed to a worker's
`Shard`, which keeps more than 100,000 keys. Each round ends with a checkpoint of all of them; a worker at full speed writes one behind
`CHECKPOINT_BYTES` of journal, so a record is charged that share of it. `wire` is what makes rows of the forward messages.
"""

from __future__ import annotations

import asyncio
import itertools
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
from common import ANALYZERS, BATCH, Engine, Row, alternate, as_worker, conditions, frame, journal, size, table, timed, units_of
from peer import cache

from pluginhost.engine import committer
from pluginhost.engine.committer import Committer
from pluginhost.engine.gate import START
from pluginhost.engine.generations import Generations, Manifest, describe
from pluginhost.engine.link import Part, UnitCounts
from pluginhost.engine.loader import bundle
from pluginhost.engine.splitter import Control, control_row
from pluginhost.engine.worker import CHECKPOINT_BYTES, Shard
from pluginhost.metrics import Registry
from pluginhost.store.journal import Journal, Kind
from pluginhost.wire.forward import COUNTERS, Connection, Limits

ROWS, ROUNDS = 40, 9
LONG_ROUNDS, LONG_ROWS = 5, 100
USERS = 25_000  # five analyzers keep state by user: more than 100,000 live keys
PIECE = 64 << 10
PEER = "plain msgpack decode of the forward messages"
FILE = ANALYZERS / "ten.py"


def hook(code: int, data: bytes) -> Any:
    """An EventTime as ns."""
    if code == 0:
        seconds, nanos = struct.unpack(">II", data)
        return seconds * 10**9 + nanos
    return msgpack.ExtType(code, data)


def plain(stream: bytes) -> None:
    """The peer."""
    outer = msgpack.Unpacker(strict_map_key=False)
    for at in range(0, len(stream), PIECE):
        outer.feed(stream[at : at + PIECE])
        for _, entries, _ in outer:
            inner = msgpack.Unpacker(strict_map_key=False, ext_hook=hook)
            inner.feed(entries)
            for _, _ in inner:
                pass


class Durable:
    """Committer, journal and shard in one process, without doors and desk. `clock` is the arrival of what is appended, ns."""

    def __init__(self, folder: Path) -> None:
        self.clock = START
        counts = Registry().counts("journal", *committer.COUNTS)
        self.journal = Journal(folder / "journal", clock=lambda: self.clock)
        self.committer = Committer(self.journal, counts, most=1 << 40)
        made = bundle(FILE)
        Generations(folder / "generations").write(Manifest(1, (describe(made, units_of(FILE), {}),)), [made])
        self.shard = Shard(0, 1, folder)
        self.counts: dict[str, UnitCounts] = {}
        self.wire = Connection(Limits(), Registry().counts("wire", *COUNTERS))

    async def start(self) -> None:
        """Swaps the analyzers in, as a host does."""
        self.running = asyncio.create_task(self.committer.run())
        row = control_row(Control(swap=1))
        await self.committer.append([row])
        self.shard.feed([Part(row)])

    async def take(self, row: Row) -> None:
        """Makes the row durable and judges it."""
        self.clock += 10**9
        await self.committer.append([row])
        report = self.shard.feed([Part(row)])
        self.counts |= report.counts
        assert not report.findings
        assert not report.failures

    async def checkpoint(self) -> None:
        """Writes what changed, and lets go of the journal behind it."""
        self.shard.committed(self.journal.end)
        assert self.shard.save() is not None
        await self.committer.drop(self.journal.end)

    def made(self, message: bytes) -> Iterator[Row]:
        """Rows of a forward message, as the host makes them."""
        self.wire.receive_data(message)
        for one in self.wire.frames():
            assert one.chunk
            yield Row(Kind.RECORDS, one.chunk.body, tag=one.chunk.tag, chunk_id=one.chunk.chunk_id, codec=one.chunk.codec,
                      count=one.chunk.count, columns=one.chunk.columns.pack())  # fmt: skip

    @property
    def keys(self) -> int:
        """How many keys are remembered."""
        return sum(counts.keys for counts in self.counts.values())


def alone() -> None:
    """The engine on rows in memory."""
    engine, at = Engine(units_of(FILE)), 0

    def ours() -> float:
        nonlocal at
        at += ROWS
        rows = journal(at, ROWS)  # time goes on, so that windows move
        return timed(lambda: engine.run(rows), ROWS * BATCH)

    rows = journal(0, ROWS)
    stream = b"".join(frame(row, "chunk") for row in rows)
    conditions(f"{size(rows)}-byte records of 10,000 users, batches of {BATCH:,}, journal off", ROUNDS)
    name = "ten analyzers, engine alone"
    costs = alternate({PEER: lambda: timed(lambda: plain(stream), ROWS * BATCH), name: ours}, ROUNDS)
    judged = (at // ROWS) * ROWS * BATCH
    table(f"ten that fire: {engine.calls / judged:.1f} calls a record, {engine.keys:,} keys", costs, {name: (PEER, 0.4)})


async def durably() -> None:
    """The engine with journal, sync and checkpoints."""
    with tempfile.TemporaryDirectory(dir=cache()) as folder:
        durable = Durable(Path(folder))
        await durable.start()
        kept, whole = "with journal and checkpoints", "with journal and checkpoints, from the forward messages"
        costs: dict[str, list[float]] = {PEER: [], kept: [], whole: []}
        between = CHECKPOINT_BYTES // size(journal(0, 1))
        for number in range(LONG_ROUNDS + 1):  # the first warms up
            peer, wire, ours, checkpoint = await round_(durable, number * LONG_ROWS)
            if number:
                judged = ours + checkpoint * LONG_ROWS * BATCH / between
                for name, seconds in ((PEER, peer), (kept, judged), (whole, wire + judged)):
                    costs[name].append(seconds / LONG_ROWS / BATCH * 1e6)
        told = f"{size(journal(0, 1))}-byte records of {USERS:,} users, batches of {BATCH:,}, journal on, one sync a batch"
        conditions(f"{told}, {checkpoint:.2f} s for a checkpoint of {durable.keys:,} keys, one every {between:,} records", LONG_ROUNDS)
        table("the same ten", costs, {kept: (PEER, 0.33), whole: (PEER, 0)})
        durable.running.cancel()
        durable.committer.close()


async def round_(durable: Durable, at: int) -> tuple[float, float, float, float]:
    """CPU seconds of the peer, of `wire`, of journal and engine, and of a checkpoint."""
    messages = [frame(row, f"{row.offset:08}") for row in journal(at, LONG_ROWS, users=USERS)]
    stream = b"".join(messages)
    marks = [time.process_time()]
    plain(stream)
    marks.append(time.process_time())
    rows = [row for message in messages for row in durable.made(message)]
    marks.append(time.process_time())
    for row in rows:
        await durable.take(row)
    marks.append(time.process_time())
    await durable.checkpoint()
    marks.append(time.process_time())
    first, second, third, fourth = (end - begin for begin, end in itertools.pairwise(marks))
    return first, second, third, fourth


if __name__ == "__main__":
    as_worker()
    alone()
    asyncio.run(durably())
