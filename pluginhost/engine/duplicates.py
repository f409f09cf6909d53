"""Resends at the door: a chunk whose answer was lost comes again under the same id, and is not taken twice.

A copy is recognised only if it has the id of an earlier chunk of the same input, peer and tag *and* the connection that carried
that one ended with its answer unwritten, or by a reset. Two equal chunks over a line that lives are two chunks: some shippers'
ids are a hash of the content. After a restart every earlier id counts as unanswered. Bounded in number and in time, hence in bytes:
what a peer may make long is only remembered as a hash.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Protocol

from ..metrics import Counts
from ..store.bounds import Keep
from ..store.row import Kind, Row

__all__ = ["COUNTS", "Duplicates", "Way"]

COUNTS = ("duplicates",)

Key = tuple[str, str, str, bytes]  # input, peer, tag, id


class Way(Protocol):
    """The way a chunk came in."""

    @property
    def first(self) -> bool:
        """Whether it comes for the first time, by its peer's word: then it is no copy of anything."""
        ...

    @property
    def lost(self) -> bool:
        """Whether its answer may never have arrived."""
        ...


class _Known:
    """A chunk that is in the journal, or on its way there: `stored` gives its offset, or None if it did not get there."""

    __slots__ = ("at", "stored", "way")

    def __init__(self, stored: asyncio.Future[int | None], way: Way | None, at: int) -> None:
        self.stored, self.way, self.at = stored, way, at


class Duplicates:
    """Remembers ids in the bounds of `keep`. `clock` gives ns."""

    def __init__(self, counts: Counts, clock: Callable[[], int], keep: Keep) -> None:
        self._counts, self._clock, self._most, self._age = counts, clock, keep.duplicates, keep.duplicates_age.ns
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def recover(self, row: Row) -> None:
        """Takes over the id of a row from before the start; nobody knows whether its answer arrived."""
        if row.kind == Kind.RECORDS and row.chunk_id:
            stored: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
            stored.set_result(row.offset)
            self._remember(_hashed((row.input, row.source, row.tag, row.chunk_id)), _Known(stored, None, row.arrival))

    async def once(self, key: Key, way: Way, store: Callable[[], Awaitable[int]]) -> int:
        """The offset of the chunk: of its first copy if this is another, else what `store` gives."""
        short = _hashed(key)
        while not way.first and (known := self._copied(short)) is not None:
            known.way = way  # now it is this line's answer that counts
            if (offset := await asyncio.shield(known.stored)) is not None:
                self._counts["duplicates"] += 1
                return offset
        made = _Known(asyncio.get_running_loop().create_future(), way, self._clock())
        self._remember(short, made)
        stored: int | None = None
        try:
            stored = await store()
        finally:
            if stored is None and self._known.get(short) is made:
                del self._known[short]
            made.stored.set_result(stored)
        return stored

    def _copied(self, key: bytes) -> _Known | None:
        """What is known of the chunk, if one that comes now can only be a copy of it."""
        known = self._known.get(key)
        if known is None or known.at + self._age <= self._clock() or not (known.way is None or known.way.lost):
            return None
        return known

    def _remember(self, key: bytes, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        oldest = self._clock() - self._age
        while len(self._known) > self._most or next(iter(self._known.values())).at < oldest:
            self._known.popitem(last=False)
            if not self._known:
                return


def _hashed(key: Key) -> bytes:
    return blake2b(repr(key).encode("utf-8", "surrogatepass"), digest_size=16).digest()
