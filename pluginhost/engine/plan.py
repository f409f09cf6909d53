"""What happens to the records of one tag and codec: who wants them, which of them need a look at all, and how these are judged."""

from __future__ import annotations

from collections.abc import Sequence

from ..events.mapping import Mappings
from ..events.slice import Batch
from ..match.index import Index
from .dispatch import Rare, judge
from .items import PlanCost, Result
from .scan import scan
from .state import ShardState
from .unit import Unit

__all__ = ["Plan"]

_WRITTEN = 48
"""Analyzers that one written function calls. More are chosen by the index, record by record."""

_UNSCANNED = 16
"""Batches that are not scanned after one of which most records had to be looked at: a scan that turns few away costs more than it saves."""


class Plan:
    """How records are judged for `here`, the analyzers that want their tag, with their places in the trace.

    `written` are those that one function calls. Where none of all must be asked about every record, most are passed over by a scan.
    """

    def __init__(self, here: Sequence[tuple[int, Unit]], mappings: Mappings, codec: str, tag: str, mine: Sequence[bool] | None,
                 note: object, rare: Rare) -> None:  # fmt: skip
        kinds, units = mappings.of(tag), [unit for _, unit in here]
        index = Index([unit.where for unit in units])
        self._scan = scan(index, kinds, codec) if units else None
        written = range(len(here)) if len(here) <= _WRITTEN else index.always[:_WRITTEN]
        self.written = [units[n] for n in written]
        self._judge = judge(self.written, [here[n][0] for n in written], mappings, kinds, codec, mine, note, rare) if written else None
        self._many = [units[n] for n in sorted(set(range(len(here))) - set(written))]
        self._index = Index([unit.where for unit in self._many]) if self._many else None
        self._rare, self._tag, self._codec = rare, tag, codec
        self._whole = [units[n].name for n in index.always]
        self._passed = self._judged = self._unscanned = 0

    def cost(self) -> PlanCost:
        """What it has cost so far."""
        told = self._scan is not None or self._whole or not self.written
        because = "" if told else "what they ask for may stand anywhere in these records"
        count = len(self.written) + len(self._many)
        return PlanCost(self._tag, self._codec, self._passed, self._judged, count, self._whole[:10], because)

    def run(self, state: ShardState, batch: Batch, result: Result) -> None:
        """Judges the records of a batch."""
        places = self._places(batch)
        self._judged += len(places)
        self._passed += len(batch) - len(places)
        if self._judge is not None:
            self._judge(batch, places, state, [state.memory(unit) for unit in self.written], result)
        if self._index is not None:
            for place in places:
                self._rare.chosen(state, batch.slice(place), self._index, self._many, result)

    def _places(self, batch: Batch) -> Sequence[int]:
        """The places of the records that somebody could want."""
        if self._scan is None or self._unscanned:
            self._unscanned = max(self._unscanned - 1, 0)
            return range(len(batch))
        places = self._scan(batch)
        if 2 * len(places) > len(batch):
            self._unscanned = _UNSCANNED
        return places
