"""A journal in memory before the input `files`: it can be busy, and end like a killed process between any two steps."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

from pluginhost.inputs.files.input import Files, FilesOptions
from pluginhost.inputs.port import Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.options import Duration
from pluginhost.problem import Busy
from pluginhost.wire.records import decode


class Journal:
    """What became durable, as a restarted host would find it. `stuck`: rows are written, but nobody ever hears of it."""

    def __init__(self, folder: Path):
        self.folder, self.rows, self.registry = folder, [], Registry()
        self.busy, self.stuck = 0, False

    async def accept(self, chunk, *, source, carried=None):
        assert carried is None
        if self.busy:
            self.busy -= 1
            raise Busy("full", 0.01)
        await asyncio.sleep(0)
        self.rows.append((source, chunk))
        if self.stuck:
            await asyncio.Event().wait()
        return Receipt(len(self.rows) - 1)

    def last(self, source):
        return next((chunk.chunk_id for name, chunk in reversed(self.rows) if name == source and chunk.chunk_id), None)

    def records(self, source=None):
        return [decode(chunk.codec, chunk.data[start:end]) for name, chunk in self.rows if source in (None, name)
                for start, end in zip(chunk.columns.starts, chunk.columns.ends, strict=True)]  # fmt: skip

    @property
    def lines(self):
        return [record["message"] for record in self.records()]

    @property
    def counts(self):
        return self.registry.snapshot()["input.f"]

    @contextlib.asynccontextmanager
    async def reading(self, *paths, kill=False, **options):
        """The input at work. With `kill` it ends like a killed process."""
        given = {"start": "beginning", "poll": Duration(0.1), "rotate_wait": Duration(0.2), **options}
        context = Context("f", self.accept, self.registry, last=self.last, folder=self.folder)
        made = Files(FilesOptions(paths=tuple(map(str, paths)), **given), context)
        threads = _Threads()
        made._scan = threads.of_it(made._scan, frozenset())
        made._book.save = threads.of_it(lambda *given: type(made._book).save(made._book, *given), None)
        await made.start()
        try:
            yield made
        finally:
            if kill:
                made._save = _nothing
                made._task.cancel()
                await asyncio.to_thread(threads.end)
            await made.drain(5)


class _Threads:
    """What a process does in threads: a killed one's do nothing any more, while in this test's process they would go on."""

    def __init__(self):
        self._at_work, self._dead = threading.Lock(), False

    def of_it(self, work, nothing):
        def alive(*given):
            with self._at_work:
                return nothing if self._dead else work(*given)

        return alive

    def end(self):
        with self._at_work:
            self._dead = True


async def _nothing():
    return True


async def until(condition, what="it"):
    for _ in range(1500):
        if value := condition():
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not come true")


def run(work):
    asyncio.run(asyncio.wait_for(work, 60))


def append(path, text):
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
