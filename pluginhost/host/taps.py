"""Records as they become durable, for somebody who watches: a sample that can never keep the engine waiting.

The committer hands over each row by reference; a few are kept, what comes beyond them is counted and let go. Looking into them is
slow on purpose: so many records a second, in a thread, however many pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from ..engine.splitter import items
from ..events.event import Event
from ..events.mapping import Mappings
from ..events.slice import Batch
from ..match import compile as compile_predicate
from ..match import parse
from ..problem import Problem
from ..store.row import Kind, Row

__all__ = ["Taps"]

_TAPS = 4  # at a time
_ROWS, _BYTES = 16, 16 << 20  # kept by each
_LOOKED_AT, _SHOWN = 2000, 200  # records a second, by each
_SLICE = 200  # records of one row that are looked at
_LARGE = 1 << 20  # bytes of a record that is not shown
_BEAT = 1.0  # seconds


class Taps:
    """The taps of one host. `watchers` are called with every durable row."""

    def __init__(self, watchers: list[Callable[[Row], None]], mappings: Mappings) -> None:
        self._watchers, self.mappings, self._open = watchers, mappings, 0

    async def records(self, tag: str, where: str) -> AsyncIterator[dict[str, Any]]:
        """Records under `tag` (a glob) that fit the query `where`, until whoever asked hangs up.

        Every second there is also `{"passed", "missed"}`: how many records with the tag passed since, and how many of them were not
        looked at. A `Problem` if there are too many taps, or the query is none.
        """
        if self._open >= _TAPS:
            raise Problem("tap.busy", f"{_TAPS} others are watching already", todo="end one of them")
        tap = _Tap(self.mappings, tag, where)
        self._open += 1
        self._watchers.append(tap.seen)
        try:
            async for one in tap.shown():
                yield one
        finally:
            self._watchers.remove(tap.seen)
            self._open -= 1


class _Tap:
    def __init__(self, mappings: Mappings, tag: str, where: str) -> None:
        self._mappings = mappings
        self._tagged = re.compile(fnmatch.translate(tag or "*")).match
        self._fits = compile_predicate(parse(where)) if where else None
        self._rows: deque[Row] = deque()
        self._wake = asyncio.Event()
        self._passed = self._missed = self._held = 0

    def seen(self, row: Row) -> None:
        """On the record path: takes note of a row, and no more."""
        if row.kind not in (Kind.RECORDS, Kind.CHAINED) or not self._tagged(row.tag):
            return
        self._passed += row.count
        if not self._rows or (len(self._rows) < _ROWS and self._held + len(row.body) <= _BYTES):
            self._rows.append(row)
            self._held += len(row.body)
            self._wake.set()
        else:
            self._missed += row.count

    async def shown(self) -> AsyncIterator[dict[str, Any]]:
        clock = asyncio.get_running_loop().time
        beat = clock() + _BEAT
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(beat - clock(), 0.001))
            if self._rows:
                row = self._rows.popleft()
                self._held -= len(row.body)
                looked, found = await asyncio.to_thread(self._look, row)
                self._missed += row.count - looked
                for one in found:
                    yield one
                await asyncio.sleep(max(looked / _LOOKED_AT, len(found) / _SHOWN))
            else:
                self._wake.clear()
            if clock() >= beat:
                yield {"passed": self._passed, "missed": self._missed}  # also how a hang-up is noticed while nothing fits
                self._passed = self._missed = 0
                beat = clock() + _BEAT

    def _look(self, row: Row) -> tuple[int, list[dict[str, Any]]]:
        """How many records of the row were looked at, and those that fit."""
        found: list[dict[str, Any]] = []
        looked = 0
        for batch in items(row, range(min(row.count, _SLICE))):
            if isinstance(batch, Batch):
                for place in range(len(batch)):
                    looked += 1
                    event = Event(batch.slice(place), self._mappings)
                    if len(event.raw) <= _LARGE and (self._fits is None or self._fits(event)):
                        found.append(_plain(event))
        return looked, found


def _plain(event: Event) -> dict[str, Any]:
    record = msgspec.Raw(msgspec.json.encode(event.record, enc_hook=repr))  # here, in the thread
    return {"time": event.time, "tag": event.tag, "input": event.input, "source": event.source, "record": record}
