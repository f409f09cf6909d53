"""What is usual at this time of the day or week: an average for each slot of a period.

It goes by the time of the value, not by its place in the series, so a gap puts nothing out of step.
"""

from __future__ import annotations

from array import array
from math import inf
from typing import Any, ClassVar

from .series import Model, Score, grade, number, spread_floor
from .state import span_of

__all__ = ["SeasonalSlots"]

_CLIP = 4.0
_AGAIN = 0.5  # so far a slot follows a value that lies off on the side of the one before it


class SeasonalSlots(Model, gc=False, eq=False):
    """How far a value lies from what its slot of the period usually brings.

    The `period` (a duration, kept in ns) has so many `slots`, counted from 1970 in UTC; each keeps a moving average (α = max(0.1,
    1/n)). r = x − average; score = |r| / v, where v is the moving mean of |r| over all slots (α = max(0.01, 1/n)); both learn r cut to
    ±4·v, but a slot that is as far off on the same side again moves halfway there. The grade is 0 until a whole period and `warmup`
    deviations have been seen. For what goes by the clock: `SeasonalSlots("1d", 288)` has slots of five minutes, `SeasonalSlots("7d",
    168)` the hours of the week.

        >>> hours, model = [3600 * 10**9 * n for n in range(24 * 8)], SeasonalSlots("1d", 24)
        >>> [model.score(time, 900 + n % 3 if 8 <= n % 24 < 18 else 50).grade for n, time in enumerate(hours)] == [0.0] * len(hours)
        True
        >>> model.score(hours[-1] + 4 * 3600 * 10**9, 900).grade  # at three in the night
        1.0
    """

    shape: ClassVar[str] = "SeasonalSlots/1"
    period: Any = "1d"
    slots: int = 288
    rate: float = 0.1
    warmup: int = 30
    threshold: float = 8.0
    _first: int = 0
    _means: Any = ()
    _counts: Any = ()
    _sides: Any = ()
    _off: float = 0.0
    _seen: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.period = span_of(self.period)
        if self.slots < 1 or self.period < self.slots:
            raise ValueError("a period has at least one slot, and a slot lasts longer than 0")
        self.load(None)

    def load(self, plain: Any) -> None:
        """Takes over what `dump` gives."""
        self._first, self._off, self._seen, means, *rest = plain or (0, 0.0, 0, bytes(8 * self.slots), bytes(self.slots), bytes(self.slots))
        self._means, (self._counts, self._sides) = array("d", means), map(bytearray, rest)
        if len(self._means) != self.slots:  # another number of slots is another model
            self.load(None)

    def dump(self) -> Any:
        """[time of the first value in ns, mean deviation, deviations seen, each slot's average, how many values it has had, 255 at
        most, and on which side its last value lay far off (1 above, 2 below, else 0)]."""
        return [self._first, self._off, self._seen, bytes(self._means), bytes(self._counts), bytes(self._sides)]

    def score(self, time: int, value: Any) -> Score:
        """How odd the value is at `time` (ns UTC, such as an interval's start); then it is learned."""
        if (x := number(value)) is None:
            return Score(threshold=self.threshold)
        self._first = self._first or time
        slot = time % self.period * self.slots // self.period
        count, mean = self._counts[slot], self._means[slot]
        if not count:
            self._counts[slot], self._means[slot] = 1, x
            return Score(0.0, 0.0, x, x, threshold=self.threshold)
        off, usual = x - mean, max(self._off, spread_floor(mean))
        found = abs(off) / usual
        warm = self._seen >= self.warmup and time - self._first >= self.period
        self._learn(slot, off, _CLIP * usual if warm else inf)
        return Score(found, grade(found, self.threshold) if warm else 0.0, mean, x, threshold=self.threshold)

    def _learn(self, slot: int, off: float, reach: float) -> None:
        """Moves the slot's average by a part of how far the value lay off, or of `reach` if that is less."""
        self._counts[slot] = count = min(self._counts[slot] + 1, 255)
        side = 0 if abs(off) <= reach else 1 if off > 0 else 2
        if side and side == self._sides[slot]:
            self._means[slot] += _AGAIN * off
        else:
            self._means[slot] += max(self.rate, 1 / count) * min(max(off, -reach), reach)
        self._sides[slot] = side
        self._seen += 1
        self._off += max(0.01, 1 / self._seen) * (min(abs(off), reach) - self._off)
