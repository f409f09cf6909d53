"""The highest score of each interval, for analyzers that judge every event: a trend needs one point an interval, not one an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from .finding import Scored
from .series import Score
from .state import State, plain, span_of

__all__ = ["Peaks"]

_Peak = tuple[Score, dict[str, Any]]


class Peaks(State, gc=False, eq=False):
    """The highest of the scores per interval of event time: `every` long (a duration, kept in ns), aligned to 1970, each given out once.

    An interval is over when an event of a later one comes; what comes late for it is left out, and an interval without events is none. So
    of a key that falls silent the last interval is never told. `entity` says whom a score is about beside the key, as in `Scored`.

        >>> peaks = Peaks("1m")
        >>> [peaks.add(at(second), Score(score)) is None for second, score in ((0, 1.0), (20, 7.5), (59, 2.0))]
        [True, True, True]
        >>> peaks.add(at(60), Score(0.5)).value
        7.5
    """

    shape: ClassVar[str] = "Peaks/1"
    every: Any = "1m"
    _start: int = 0
    _end: int = 0  # of the interval that is open
    _peak: _Peak | None = None

    def __post_init__(self) -> None:
        self.every = span_of(self.every)

    @property
    def idle(self) -> int:
        """An interval: nobody hears of its peak afterwards."""
        return int(self.every)

    def load(self, plain: Any) -> None:
        """Takes over [start, score, entity]; an interval of another length begins anew."""
        start, score, entity = plain or (0, None, {})
        fits = score is not None and start % self.every == 0
        self._start, self._end = (start, start + self.every) if fits else (0, 0)
        self._peak = (Score(*score or ()), dict(entity)) if fits else None

    def dump(self) -> Any:
        """[start of the open interval in ns, the fields of its highest score, {field: value} of whom it is about]."""
        score, entity = self._peak or (None, {})
        return [self._start, None if score is None else list(msgspec.structs.astuple(score)), entity]

    def add(self, event: Event, score: Score, entity: Mapping[str, Any] | None = None) -> Scored | None:
        """The peak of the interval that is over now that this event has come, if one is; then the score is in its own interval's."""
        when, over = event.time, None
        if when >= self._end:
            if self._peak is not None:
                over = Scored.by(self._peak[0], at=self._start, span=self.every, entity=self._peak[1])
            self._start = when - when % self.every
            self._end, self._peak = self._start + self.every, None
        if when >= self._start and (self._peak is None or score.score > self._peak[0].score):
            about = {name: plain(value) for name, value in entity.items()} if entity else {}
            self._peak = score, about
        return over
