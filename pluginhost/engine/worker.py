"""A shard as a process: fed journal rows by the host, it runs the pipeline and reports; its state is its own file.

`python -m pluginhost.engine.worker FD SHARD SHARDS DATA SKIPS`. One thread, no clock on the record path. A checkpoint is packed at
one position and written once the desk has committed that far, so that a replay never skips a finding the desk lacks.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from ..events.keys import key_group
from ..events.slice import Batch
from ..options import Duration, Size
from ..store.row import Kind
from ..store.shard import Checkpoint, ShardStore
from .generations import Generations, Manifest, ready
from .items import Item, Result, TableUpdate
from .link import Committed, Feed, Framed, Part, Ready, Report, Saved, Stop, ToWorker, UnitCounts, frame
from .parts import mappings
from .pipeline import Pipeline
from .splitter import Control, control_of, items
from .state import ShardState
from .trace import Trace
from .unit import Unit, pack, unpack

__all__ = ["Shard", "main"]

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = Duration.of("10s")
CHECKPOINT_BYTES = Size.of("256MiB")

_updates = msgspec.msgpack.Decoder(list[TableUpdate])


class Shard:
    """The worker without its socket: `feed` gives the report to send, `committed` writes what may be written."""

    def __init__(self, shard: int, shards: int, data: Path, skips: Iterable[tuple[str, int, int]] = ()) -> None:
        self._shard, self._shards, self._skips = shard, shards, frozenset(skips)
        self._trace = Trace(data / f"shard-{shard}.trace")
        self._generations, self._mappings = Generations(data / "generations"), mappings()
        self._store = ShardStore(data / f"shard-{shard}.db")
        self._state = ShardState()
        self._quarantined: set[str] = set()
        self._pipeline = self._assembled([])
        self._modules: dict[str, tuple[str, list[Unit]]] = {}
        self._pending: Checkpoint | None = None
        self._fed = self._desk = 0
        self._saved_at = time.monotonic()
        self._records = 0
        self.position, self.generation = self._store.position, self._store.generation
        self._early = sorted((offset, name) for name, offset, index in self._skips if index < 0 and offset >= self.position)
        self._restore()

    def _assembled(self, units: list[Unit]) -> Pipeline:
        units = [unit for unit in units if unit.name not in self._quarantined]
        self._trace.names([unit.name for unit in units])
        return Pipeline(units, self._mappings, shard=self._shard, shards=self._shards, note=self._trace.note, skips=self._skips)

    def _restore(self) -> None:
        self._state.restore(self._store.load())
        self._state.watermark = self._store.watermark
        for table, name, value, expires in self._store.tables():
            self._state.tables.setdefault(table, {})[name.decode()] = (unpack(value), expires)
        if isinstance(pending := self._store.meta("pending"), bytes):
            self._state.pending = _updates.decode(pending)
        if isinstance(quarantined := self._store.meta("quarantined"), bytes):
            self._quarantined = set(unpack(quarantined))
        if self.generation:
            self._load(self._generations.manifest(self.generation))

    def feed(self, parts: Iterable[Part]) -> Report:
        """What came of the rows; rows below the position are known already and passed over."""
        report = Report(self.position, [], [], [], [], {}, 0)
        run: list[Item] = []
        for part in parts:
            row = part.row
            if row.offset < self.position:
                continue
            self.position = row.offset + 1
            self._fed += len(row.body)
            if self._early and row.offset >= self._early[0][0]:
                self._run(run, report)
                run = []
                self._swap(Control(quarantine=(self._early.pop(0)[1],)))
            if row.kind == Kind.CONTROL:
                self._run(run, report)
                run = []
                self._swap(control_of(row))
            else:
                run += items(row, part.chosen, dict(part.keys) if part.keys is not None else None)
        self._run(run, report)
        counts = {unit.name: self._counts(unit) for unit in self._pipeline.units.values()}
        return Report(self.position, report.findings, report.chained, report.tables, report.failures, counts, self._records)

    def _run(self, run: list[Item], report: Report) -> None:
        if not run:
            return
        self._records += sum(len(one) if isinstance(one, Batch) else 1 for one in run)
        result: Result = self._pipeline.run(self._state, run)
        self._trace.done()
        report.findings.extend(result.findings)
        report.chained.extend(result.chained)
        report.tables.extend(result.tables)
        report.failures.extend(result.failures)

    def _counts(self, unit: Unit) -> UnitCounts:
        keys = len(self._state.memory(unit).cells)
        return UnitCounts(unit.seen, unit.fired, unit.failed, unit.unkeyed, unit.evicted, keys, unit.most if unit.stateful else 0)

    def _swap(self, control: Control) -> None:
        """What a control row changes, from its offset on. Who is in quarantine is not called, and remembers what it knew."""
        for name in control.reset:
            self._state.forget(name)
        self._quarantined = (self._quarantined - set(control.release)) | set(control.quarantine)
        if control.swap is None:
            self._pipeline = self._assembled(self._units())
            return
        self._load(self._generations.manifest(control.swap))
        gc.collect()  # modules are cycles: what was replaced goes now, not after the next 50,000 allocations

    def _units(self) -> list[Unit]:
        """Every analyzer that is loaded, in quarantine or not."""
        return [unit for _, units in self._modules.values() for unit in units]

    def _load(self, manifest: Manifest) -> None:
        """Makes the manifest's analyzers the ones that run. What did not change keeps its code and its live cells."""
        shapes = {unit.name: unit.analyzer.shape for unit in self._units()} if self._modules else self._store.shapes()
        loaded: dict[str, tuple[str, list[Unit]]] = {}
        for module in manifest.modules:
            mark = f"{module.digest} {module.options}"
            known = self._modules.get(module.file)
            if known is not None and known[0] == mark:
                loaded[module.file] = known
                continue
            units = ready(self._generations.bundle(module), module.options)
            loaded[module.file] = (mark, units)
            for unit in units:
                self._adopt(unit, shapes.get(unit.name))
        self._modules = loaded
        units = self._units()
        for name in self._state.names() - {unit.name for unit in units}:
            self._state.forget(name)
        self._pipeline = self._assembled(units)
        self.generation = manifest.number

    def _adopt(self, unit: Unit, shape: str | None) -> None:
        if shape is not None and shape != unit.analyzer.shape and unit.analyzer.migrate is None:
            self._state.forget(unit.name)  # the host lets no such swap through without a reset
            shape = None
        self._state.memory(unit, shape)

    def checkpoint_due(self) -> bool:
        """Whether a checkpoint should be packed now."""
        if self._pending is not None or self.position == self._store.position:
            return False
        return self._fed >= CHECKPOINT_BYTES or time.monotonic() - self._saved_at >= CHECKPOINT_EVERY

    def pack(self) -> None:
        """Packs what changed, at the position of now; `committed` writes it."""
        state = self._state
        changed, removed = state.changes()
        cells = [(analyzer, key, key_group(key), touched, blob) for analyzer, key, touched, blob in changed]
        rows = [(table, name, state.tables[table].get(name)) for table, name in sorted(state.tables_changed)]
        self._pending = Checkpoint(
            position=self.position, generation=self.generation, watermark=state.watermark, changed=cells, removed=removed,
            shapes={unit.name: unit.analyzer.shape for unit in self._units() if unit.stateful},
            tables_set=[(table, name.encode(), pack(row[0]), row[1]) for table, name, row in rows if row is not None],
            tables_removed=[(table, name.encode()) for table, name, row in rows if row is None],
            meta={"pending": pack(state.pending), "quarantined": pack(sorted(self._quarantined))},
        )  # fmt: skip
        self._fed = 0
        state.tables_changed.clear()

    def committed(self, offset: int = 0) -> Saved | None:
        """Writes the packed checkpoint if the desk has come that far: to `offset`, or as far as it was last heard of."""
        self._desk = max(self._desk, offset)
        if self._pending is None or self._desk < self._pending.position:
            return None
        try:
            self._store.commit(self._pending)
        except OSError as error:  # disk full: the journal keeps what the checkpoint would have let go
            log.error("the checkpoint of shard %d cannot be written (%s); trying again", self._shard, error)  # noqa: TRY400 - no bug of ours
            return None
        self._pending, self._saved_at = None, time.monotonic()
        return Saved(self._store.position, self._store.generation)


def main(fd: int, shard: Shard) -> None:
    """Serves until the host says stop or hangs up."""
    framed = Framed(ToWorker)
    with socket.socket(fileno=fd) as host, contextlib.suppress(ConnectionError):  # a host that died has hung up
        host.sendall(frame(Ready(shard.position, shard.generation)))
        while True:
            if select.select([host], [], [], 1.0)[0]:
                if not (data := host.recv(1 << 20)):
                    return
                for message in framed.receive(data):
                    if _answer(host, shard, message):
                        return
            if shard.checkpoint_due():
                shard.pack()
                _tell(host, shard.committed())


def _tell(host: socket.socket, saved: Saved | None) -> None:
    if saved is not None:
        host.sendall(frame(saved))


def _answer(host: socket.socket, shard: Shard, message: ToWorker) -> bool:
    """Handles one message; whether it was the last."""
    if isinstance(message, Feed):
        host.sendall(frame(shard.feed(message.parts)))
    elif isinstance(message, Committed):
        _tell(host, shard.committed(message.offset))
    elif isinstance(message, Stop):
        return _stop(host, shard, message)
    return False


def _stop(host: socket.socket, shard: Shard, stop: Stop) -> bool:
    """A last checkpoint, where the desk has everything; then the end."""
    shard.pack()
    _tell(host, shard.committed(stop.committed))
    return True


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host decides when to stop
    gc.set_threshold(50_000, 20, 100)
    skipped = [(name, offset, index) for name, offset, index in json.loads(sys.argv[5])]
    main(int(sys.argv[1]), Shard(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), skipped))
