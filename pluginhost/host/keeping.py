"""What the command line may ask of a running host about its store as a whole: counts, all alerts, others' alerts, a quiet journal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..store.alerts import Commit
from ..store.rollups import Per
from .importing import imported

if TYPE_CHECKING:
    from .host import Host

__all__ = ["HANDED", "Keeping"]

HANDED = re.compile(r"import-[0-9]{1,20}\.new")
"""The name of a file that the command line hands over; never part of a backup."""

_PULSE = 1.0  # seconds between two signs of life, by which a host notices that nobody listens any more


class Keeping:
    """Answers for one host; each public method is a call."""

    def __init__(self, host: Host) -> None:
        self._host, self._store, self._within = host, host.store, host.desk.within

    async def alerts_summary(self, by: str, after: int, per: Per | None = None, limit: int = 1000) -> AsyncIterator[Any]:
        """How many alerts there were by analyzer, severity, user or source, since `after` (ns); see `Rollups.summary`."""
        for one in await self._within(lambda: self._store.rollups.summary(by, after, per=per, limit=limit)):
            yield msgspec.to_builtins(one)

    async def alerts_export(self, **filters: Any) -> AsyncIterator[Any]:
        """The document of every alert that is asked for, as text, in the order they were stored; the desk goes on between any two parts."""
        seq: int | None = 0
        while seq is not None:
            part, seq = await self._within(lambda seq=seq: self._store.part(seq, **filters))
            for one in part:
                yield one.document.decode("utf-8", "replace")

    async def alerts_import(self, file: str) -> AsyncIterator[Any]:
        """One item: how many of the documents, the lines of a `HANDED` file in the data folder, were not known. They are told to nobody.

        A file, because a question has less room than one large document may need.
        """
        if not HANDED.fullmatch(file):
            raise TypeError(f"no file is handed over as {file!r}")
        yield await self._within(self._import, self._host.data / file)

    def _import(self, path: Path) -> int:
        alerts = [imported(line) for line in path.read_bytes().split(b"\n")]
        return len(self._store.commit(Commit(alerts=alerts)).fresh)

    async def hold_journal(self) -> AsyncIterator[Any]:
        """Signs of life, until the asker hangs up; from the first to the last nothing of the journal is dropped."""
        with self._host.journal.held():
            while True:
                yield True
                await asyncio.sleep(_PULSE)

    async def journal_files(self) -> AsyncIterator[Any]:
        """One item: the name of each file of the journal, and how many of its bytes are durable."""
        yield self._host.journal.files()
