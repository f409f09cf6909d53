"""Good records and bad parts of one body, as they are found, held to the limits.

Every body format ends here: a reader walks the data and says `good` or `bad` of each part, or leaves it to `judge`, which
reads one record the way everybody behind the journal will read it. A bad part never harms its neighbours; only a limit on
the whole body ends the walk. No format lives here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec

from ..options import Size, doc
from ..problem import PeerError
from . import records, times
from .chunk import Columns, Meta, Rejection

__all__ = ["NOWHERE", "TIME_FIELDS", "TOO_LARGE", "Bounds", "Codec", "Limits", "Sieve", "event_time"]

TOO_LARGE = "too_large"
Bounds = tuple[int, int]
NOWHERE: Bounds = (0, 0)
Codec = Literal["json", "line", "msgpack"]
TIME_FIELDS = (
    "@timestamp", "date", "time", "timestamp", "ISODATE", "datetime", "__REALTIME_TIMESTAMP", "utctimestamp", "ts", "eventTime",
    "published", "createdDateTime", "activityDateTime", "requestReceivedTimestamp", "TimeCreated", "EventTime",
)  # fmt: skip
"""The fields at a record's top that may hold its time, in the order in which they are believed."""
_EARLIEST = 10**8 * times.SECOND  # 1973


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one body may hold. Above `body`, `data` or `entries` the whole body is refused, above the others one record."""

    body: Annotated[Size, doc("most bytes of a body as sent, that is compressed", ge=1)] = Size(32 << 20)
    data: Annotated[Size, doc("most bytes of a body after unpacking", ge=1)] = Size(64 << 20)
    entries: Annotated[int, doc("most records in a body", ge=1)] = 500_000
    record: Annotated[Size, doc("most bytes of one record", ge=1)] = Size(8 << 20)
    depth: Annotated[int, doc("how deep maps and lists of a record may nest", ge=1, le=200)] = 64


class Sieve:
    """Where the good and the bad parts of `data` stand, so far."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data, self.limits, self.rejected = data, limits, list[Rejection]()
        self._starts, self._ends, self._times, self._metas = array("I"), array("I"), array("q"), list[Meta]()

    @property
    def columns(self) -> Columns:
        """The good records."""
        return Columns(self._starts, self._ends, self._times, tuple(self._metas))

    def good(self, start: int, end: int, time: int, own: Bounds = NOWHERE, group: Bounds = NOWHERE) -> None:
        """A record that is known to be readable: its bounds, its time (0: arrival), and what was said beside it."""
        if own != NOWHERE or group != NOWHERE:
            self._metas.append(Meta(len(self._starts), *own, *group))
        self._starts.append(start)
        self._ends.append(end)
        self._times.append(time)
        self._count()

    def bad(self, reason: str, start: int, end: int) -> None:
        """A part that can never be accepted."""
        self.rejected.append(Rejection(reason, start, end))
        self._count()

    def take(self, columns: Columns) -> None:
        """Good records that were found all at once."""
        self._starts, self._ends, self._times, self._metas = columns.starts, columns.ends, columns.times, list(columns.metas)

    def judge(self, codec: Codec, start: int, end: int, *, time: int | None = None, own: Bounds = NOWHERE, group: Bounds = NOWHERE) -> None:
        """Reads the part as one record and keeps or rejects it; without a `time` the record's own fields say it."""
        if reason := self.excess(codec, start, end):
            self.bad(reason, start, end)
            return
        try:
            record = records.decode(codec, self.data[start:end])
        except ValueError:
            self.bad("malformed", start, end)
        else:
            self.good(start, end, event_time(map(record.get, TIME_FIELDS)) if time is None else time, own, group)

    def excess(self, codec: Codec, start: int, end: int) -> str:
        """The limit that a record breaks, or ""."""
        if end - start > self.limits.record:
            return TOO_LARGE
        return "too_deep" if records.nests_deeper(codec, self.data[start:end], self.limits.depth) else ""

    def too_many(self) -> PeerError:
        """What to raise when the body holds more than it may."""
        return PeerError(TOO_LARGE, f"more than {self.limits.entries} records in one body")

    def _count(self) -> None:
        if len(self._starts) + len(self.rejected) > self.limits.entries:
            raise self.too_many()


def event_time(candidates: Iterable[Any]) -> int:
    """The first candidate that is a time, in ns UTC; 0 if none is. A small number under such a name is a span, not a date."""
    for value in candidates:
        if value is not None and (time := times.of_value(value)) is not None and time > _EARLIEST:
            return time
    return 0
