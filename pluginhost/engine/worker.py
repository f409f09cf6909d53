"""A shard as a process: fed journal rows by the host, it runs the pipeline and reports; its state is its own file.

`python -m pluginhost.engine.worker FD SHARD SHARDS DATA SKIPS SCORES`. One thread, no clock on the record path. A checkpoint is made
between two messages, a little at a time, and takes effect once the desk has committed that far, so that a replay never skips a finding it
lacks.
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import math
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from ..options import Duration, Size
from ..store.row import Kind
from ..store.shard import Checkpoint, ShardStore
from .checkpoint import Saving
from .child import bound
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
_SLICE = 0.002  # seconds for a checkpoint before the host is listened to again
_SHARE = 0.125  # of the time for the work, while there is some, so that it comes to its end
_MOST = 0.05  # seconds for it at once

_ROOM = 32 << 20  # bytes that must be left when a call has run out of memory

_updates = msgspec.msgpack.Decoder(list[TableUpdate])


class Shard:
    """The worker without its socket: `feed` gives the report to send, `go_on` and `save` write what may be written.

    `scores` are globs: the analyzers whose scores are wanted.
    """

    def __init__(self, shard: int, shards: int, data: Path, skips: Iterable[tuple[str, int, int]] = (),
                 scores: Sequence[str] = ()) -> None:  # fmt: skip
        self._shard, self._shards, self._skips, self._scores = shard, shards, frozenset(skips), scores
        self._trace = Trace(data / f"shard-{shard}.trace")
        self._generations, self._mappings = Generations(data / "generations"), mappings()
        self._store = ShardStore(data / f"shard-{shard}.db")
        self._state = ShardState()
        self._quarantined: set[str] = set()
        self._pipeline = self._assembled([])
        self._modules: dict[str, tuple[str, list[Unit]]] = {}
        self._saving: Saving | None = None
        self._fed = self._desk = 0
        self._saved_at = time.monotonic()
        self._records = 0
        self.position, self.generation = self._store.position, self._store.generation
        self._early = sorted((offset, name) for name, offset, index in self._skips if index < 0 and offset >= self.position)
        self._restore()

    def _assembled(self, units: list[Unit]) -> Pipeline:
        units = [unit for unit in units if unit.name not in self._quarantined]
        self._trace.names([unit.name for unit in units])
        return Pipeline(units, self._mappings, shard=self._shard, shards=self._shards, note=self._trace.note, skips=self._skips,
                        starved=_starved, scores=self._scores)  # fmt: skip

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
        _settled()

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
            self._records += part.count
            if self._early and row.offset >= self._early[0][0]:
                self._run(run, report)
                run = []
                self._swap(Control(quarantine=(self._early.pop(0)[1],)))
            if row.kind == Kind.CONTROL:
                self._run(run, report)
                run = []
                self._state.now = row.arrival
                self._swap(control_of(row))
            else:
                run += items(row, part.chosen, dict(part.keys) if part.keys is not None else None)
        self._run(run, report)
        counts = {unit.name: self._counts(unit) for unit in self._pipeline.counted()}
        return Report(self.position, report.findings, report.chained, report.tables, report.failures, counts, self._records,
                      self._pipeline.costs(), report.scores)  # fmt: skip

    def _run(self, run: list[Item], report: Report) -> None:
        if not run:
            return
        result: Result = self._pipeline.run(self._state, run)
        self._trace.done()
        report.findings.extend(result.findings)
        report.chained.extend(result.chained)
        report.tables.extend(result.tables)
        report.failures.extend(result.failures)
        report.scores.extend(result.scores)

    def _counts(self, unit: Unit) -> UnitCounts:
        keys = len(self._state.memory(unit).cells)
        return UnitCounts(unit.seen, unit.fired, unit.failed, unit.unkeyed, unit.evicted, keys, unit.most if unit.stateful else 0,
                          dict(unit.unjudged))  # fmt: skip

    def _swap(self, control: Control) -> None:
        """What a control row changes, from its offset on. Who is in quarantine is not called, and remembers what it knew."""
        if control.mute is not None or control.unmute is not None:
            return  # the desk's
        for name in control.reset:
            self._state.forget(name)
        self._quarantined = (self._quarantined - set(control.release)) | set(control.quarantine)
        if control.swap is None:
            self._pipeline = self._assembled(self._units())
            return
        self._load(self._generations.manifest(control.swap))
        _settled()

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
        if manifest.contents != (open_ := self._mappings.references).contents:
            self._mappings = self._mappings.beside(self._generations.references(manifest, open_))
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

    def mark(self) -> None:
        """Begins a checkpoint at the position of now, if one is due; `go_on` and `save` write it."""
        if self._saving is not None or self.position == self._store.position:
            return
        if self._fed >= CHECKPOINT_BYTES or time.monotonic() - self._saved_at >= CHECKPOINT_EVERY:
            self._begin()

    def _begin(self) -> None:
        self._saving, self._fed = Saving(self._store, self._state, self._head()), 0

    def _head(self) -> Checkpoint:
        """The checkpoint of now but for the keys."""
        state = self._state
        rows = [(table, name, state.tables[table].get(name)) for table, name in sorted(state.tables_changed)]
        return Checkpoint(
            position=self.position, generation=self.generation, watermark=state.watermark,
            shapes={unit.name: unit.analyzer.shape for unit in self._units() if unit.stateful},
            tables_set=[(table, name.encode(), pack(row[0]), row[1]) for table, name, row in rows if row is not None],
            tables_removed=[(table, name.encode()) for table, name, row in rows if row is None],
            meta={"pending": pack(state.pending), "quarantined": pack(sorted(self._quarantined))},
        )  # fmt: skip

    def dismiss(self) -> None:
        """Remembers no longer what a checkpoint would have to write; for a shard that makes none."""
        self._state.dismiss()

    def committed(self, offset: int) -> None:
        """The desk has committed all below `offset`, and so may a checkpoint."""
        self._desk = max(self._desk, offset)

    def patience(self) -> float:
        """For how many seconds there is nothing to do, if the host says nothing."""
        return 1.0 if self._saving is None else self._saving.patience()

    def go_on(self, seconds: float, *, wait: bool = False) -> Saved | None:
        """Goes on with the checkpoint for about so long; what it is, once it is in the store."""
        saved = None
        try:
            if self._saving is None or not self._saving.go_on(seconds, self._desk, wait=wait):
                return None
            saved = Saved(self._store.position, self._store.generation)
        except OSError as error:  # disk full: the journal keeps what the checkpoint would have let go
            log.error("the checkpoint of shard %d cannot be written (%s); trying again", self._shard, error)  # noqa: TRY400 - no bug of ours
        self._saving, self._saved_at = None, time.monotonic()
        return saved

    def save(self) -> Saved | None:
        """Takes the checkpoint that is under way to its end, else a new one, as far as the desk lets it."""
        if self._saving is None and self.position != self._store.position:
            self._begin()
        return self.go_on(math.inf, wait=True)


def _settled() -> None:
    """Collects what was replaced, for modules are cycles, and takes what stays out of the collector's sight."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _starved() -> None:
    """Ends the process, in the call that is under way, if its memory stays full: the neighbours would fail for it."""
    try:
        bytearray(_ROOM)
    except MemoryError:
        os.write(2, b"it ends: the analyzer that it calls keeps all of its memory\n")
        os._exit(1)


def main(fd: int, shard: Shard) -> None:
    """Serves until the host says stop or hangs up."""
    framed = Framed(ToWorker)
    with socket.socket(fileno=fd) as host, contextlib.suppress(ConnectionError):  # a host that died has hung up
        host.sendall(frame(Ready(shard.position, shard.generation)))
        while True:
            if not select.select([host], [], [], shard.patience())[0]:
                _tell(host, shard.go_on(_SLICE))
            elif not (data := host.recv(1 << 20)):
                return
            else:
                for message in framed.receive(data):
                    began = time.monotonic()
                    if _answer(host, shard, message):
                        return
                    _tell(host, shard.go_on(min((time.monotonic() - began) * _SHARE, _MOST)))
            shard.mark()


def _tell(host: socket.socket, saved: Saved | None) -> None:
    if saved is not None:
        host.sendall(frame(saved))


def _answer(host: socket.socket, shard: Shard, message: ToWorker) -> bool:
    """Handles one message; whether it was the last."""
    if isinstance(message, Feed):
        host.sendall(frame(shard.feed(message.parts)))
    elif isinstance(message, Committed):
        shard.committed(message.offset)
    elif isinstance(message, Stop):
        return _stop(host, shard, message)
    return False


def _stop(host: socket.socket, shard: Shard, stop: Stop) -> bool:
    """A last checkpoint, where the desk has everything; then the end."""
    shard.committed(stop.committed)
    for _ in range(2):  # what is under way, and what came behind it
        _tell(host, shard.save())
    return True


if __name__ == "__main__":
    bound()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the host decides when to stop
    gc.set_threshold(50_000, 20, 100)
    skipped = [(name, offset, index) for name, offset, index in json.loads(sys.argv[5])]
    main(int(sys.argv[1]), Shard(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), skipped, json.loads(sys.argv[6])))
