"""A forward door in a thread of its own, for clients that block; it keeps what it takes."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

from pluginhost.inputs.forward import Forward, ForwardOptions
from pluginhost.inputs.port import Carried, Context, Receipt
from pluginhost.metrics import Registry
from pluginhost.wire import records
from pluginhost.wire.chunk import Chunk


class Receiver:
    """Listens while it is a context; `events` are (tag, time, record) in the order of acceptance."""

    def __init__(self, **options: Any) -> None:
        self.events = list[tuple[str, int, dict[str, Any]]]()
        self.packings = set[str]()
        self.metrics = Registry()
        self._door = Forward(ForwardOptions(**{"port": 0, **options}), Context("forward", self._accept, self.metrics))
        self._loop = asyncio.new_event_loop()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def port(self) -> int:
        return int(self._door.address.rsplit(":", 1)[1])

    @property
    def counts(self) -> dict[str, int]:
        return self.metrics.snapshot()["input.forward"]

    async def _accept(self, chunk: Chunk, *, source: str, carried: Carried | None = None) -> Receipt:
        await asyncio.sleep(0)  # durable some time later
        with self._changed:
            self.packings.add(chunk.packing)
            for start, end, time in zip(chunk.columns.starts, chunk.columns.ends, chunk.columns.times, strict=True):
                self.events.append((chunk.tag, time, records.decode(chunk.codec, chunk.data[start:end])))
            self._changed.notify_all()
        return Receipt(0)

    def wait(self, count: int) -> None:
        """Returns once so many events were taken."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, 20), f"{len(self.events)} of {count} events came"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._door.start(), self._loop).result(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._door.drain(5), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
