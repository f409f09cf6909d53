"""Chunks of the past with the records' own times: by the field that is named, the usual fields, or the stamp in a line of text.

What a source knew already (the entry of a forward chunk, a broker's word) stays, unless a field is named. A time in the future of the
clock is none: one such record would make all behind it late.
"""

from __future__ import annotations

from array import array

from ..events.aliases import message
from ..events.fields import lookup
from ..wire import records, times
from ..wire.chunk import Chunk
from .stamps import stamp

__all__ = ["Timing"]


class Timing:
    """`field` is the dotted name of the field that says the time, "" for the usual ones; `latest` (ns) is as late as a time may be."""

    def __init__(self, field: str, latest: int) -> None:
        self._field, self._latest = field, latest

    def timed(self, chunk: Chunk, written: int) -> array[int]:
        """The times of the chunk's records in ns, 0 where there is none. `written` (ns) is when the newest was written at the latest."""
        columns, data = chunk.columns, chunk.data
        known = columns.times
        if not self._field and 0 not in known:
            return known if not known or max(known) <= self._latest else array("q", [one if one <= self._latest else 0 for one in known])
        read = _line if chunk.codec == "line" else None
        made = array("q")
        for start, end, time in zip(columns.starts, columns.ends, known, strict=True):
            if time and not self._field:
                made.append(time if time <= self._latest else 0)
                continue
            raw = data[start:end]
            found = stamp(read(raw), written) if read and not raw.startswith(b"{") else self._of(chunk.codec, raw, time, written)
            made.append(found if found <= self._latest else 0)
        return made

    def _of(self, codec: str, raw: bytes, time: int, written: int) -> int:
        record = records.decode(codec, raw)
        if self._field and (found := times.of_value(lookup(record, self._field))):
            return found
        return time or stamp(message(record), written)


def _line(raw: bytes) -> str:
    return raw[:600].decode("utf-8", "replace")

