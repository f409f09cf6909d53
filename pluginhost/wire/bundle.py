"""Records that came in one body under several tags, or wrapped in something else: laid one after another, a chunk for each tag.

A chunk has one tag, and its data are what its records are slices of. Where a body cannot serve as it came, its records are laid out here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from ..problem import printable
from .chunk import Chunk, Columns, Rejection

__all__ = ["TAGS", "Bundle", "Bundles"]

TAGS = 64
"""The most tags of one body; what comes under one more has the default tag, for each chunk is a row of the journal."""


class Bundle:
    """Records and rejected parts under one tag."""

    def __init__(self, tag: str, codec: str) -> None:
        self._tag, self._codec, self._data = tag, codec, bytearray()
        self._bounds, self._times, self._rejected = list[tuple[int, int]](), array("q"), list[Rejection]()

    def good(self, raw: bytes, time: int) -> None:
        """Adds a record that is known to be readable."""
        self._bounds.append(self._add(raw))
        self._times.append(time)

    def bad(self, reason: str, raw: bytes) -> None:
        """Adds a part that can never be accepted."""
        self._rejected.append(Rejection(reason, *self._add(raw)))

    def chunk(self) -> Chunk:
        """What was added."""
        data = bytes(self._data)
        return Chunk(self._tag, self._codec, data, data, Columns.of(self._bounds, self._times), rejected=tuple(self._rejected))

    def _add(self, raw: bytes) -> tuple[int, int]:
        start = len(self._data)
        self._data += raw
        self._data += b"\n"
        return start, start + len(raw)


class Bundles:
    """A bundle for each tag, in the order in which the tags came."""

    def __init__(self, default: str, codec: str) -> None:
        self._default, self._codec, self._made = default, codec, dict[str, Bundle]()

    def under(self, tag: str) -> Bundle:
        """The bundle of a tag that a peer named; "" is the default."""
        tag = printable(tag or self._default, 256)
        if tag not in self._made and len(self._made) >= TAGS:
            tag = self._default
        if tag not in self._made:
            self._made[tag] = Bundle(tag, self._codec)
        return self._made[tag]

    def chunks(self) -> Iterator[Chunk]:
        """All of them."""
        return (bundle.chunk() for bundle in self._made.values())
