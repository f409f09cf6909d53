"""Averages and what lies far from them: exponentially weighted, over the last n values, and by median and quartiles.

The exponentially weighted ones give the newest value the weight α = max(rate, 1/n), so that at first they are plain averages of the n
values so far. What lies far off is taken in as if it lay `_CLIP` spreads away: an outlier does not teach, a lasting change does.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from math import sqrt
from typing import Any, ClassVar

import msgspec

from .series import Model, Score, grade, named, number, shares, spread_floor

__all__ = ["EwmaZ", "MovingAverage", "RobustZ", "WindowAverage"]

_CLIP = 4.0
_NORMAL = 1.349  # quartiles of a normal distribution are so many standard deviations apart


class MovingAverage(Model, gc=False, eq=False):
    """Mean and spread (standard deviation) of a value, the newest counting most.

    δ = x − mean, mean += α·δ, variance = (1 − α)·(variance + α·δ²), α = max(rate, 1/n); all in the unit of the value. With the rate
    0.01 the last 100 values count for 63 %. (Finch, "Incremental calculation of weighted mean and variance", 2009.)

        >>> load = MovingAverage(rate=0.5)
        >>> [load.add(value) for value in (10, 20, 20)]
        [10.0, 15.0, 17.5]
    """

    shape: ClassVar[str] = "MovingAverage/1"
    rate: float = 0.01
    count: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def load(self, plain: Any) -> None:
        """Takes over [count, mean, variance]."""
        self.count, self.mean, self.variance = plain or (0, 0.0, 0.0)

    def dump(self) -> Any:
        """[count, mean, variance]."""
        return [self.count, self.mean, self.variance]

    def add(self, value: Any) -> float:
        """The mean with `value` in it; as it was where that is no number."""
        if (x := number(value)) is not None:
            self.count += 1
            alpha, off = max(self.rate, 1 / self.count), x - self.mean
            self.mean += alpha * off
            self.variance = (1 - alpha) * (self.variance + alpha * off * off)
        return self.mean

    @property
    def spread(self) -> float:
        """The standard deviation, in the unit of the value."""
        return sqrt(self.variance)


class WindowAverage(Model, gc=False, eq=False):
    """Mean and spread (standard deviation) of the last `size` values, each counting alike; in the unit of the value.

        >>> load = WindowAverage(size=2)
        >>> [load.add(value) for value in (10, 20, 40)]
        [10.0, 15.0, 30.0]
    """

    shape: ClassVar[str] = "WindowAverage/1"
    size: int = 100
    _values: list[float] = msgspec.field(default_factory=list)
    _sum: float = 0.0

    def load(self, plain: Any) -> None:
        """Takes over the values."""
        self._values = list(plain or ())
        self._sum = sum(self._values)

    def dump(self) -> Any:
        """The values, oldest first."""
        return self._values

    def __len__(self) -> int:
        return len(self._values)

    def add(self, value: Any) -> float:
        """The mean with `value` in it; as it was where that is no number."""
        if (x := number(value)) is not None:
            self._values.append(x)
            del self._values[: -self.size]
            self._sum = sum(self._values)  # anew, as a running sum would keep the error of each step
        return self.mean

    @property
    def mean(self) -> float:
        """The mean, 0 of no values."""
        return self._sum / len(self._values) if self._values else 0.0

    @property
    def spread(self) -> float:
        """The standard deviation, 0 of no values."""
        mean = self.mean
        return sqrt(sum((value - mean) ** 2 for value in self._values) / len(self._values)) if self._values else 0.0


class EwmaZ(Model, gc=False, eq=False):
    """How many spreads a value lies from its moving average; of several values by name, the one that lies farthest.

    z = |x − mean| / spread, both as in `MovingAverage`. The grade is 0 for the first `warmup` values of a name. After those a value
    teaches at most 4 spreads. At most `limit` names are kept. For values without a daily course: shares, latencies, sizes.

        >>> model = EwmaZ()
        >>> [model.score({"cpu": 0.2 + 0.01 * (n % 3)}).grade for n in range(100)] == [0.0] * 100
        True
        >>> model.score({"cpu": 0.9}).grade
        1.0
    """

    shape: ClassVar[str] = "EwmaZ/1"
    rate: float = 0.01
    warmup: int = 30
    threshold: float = 6.0
    limit: int = 64
    _of: dict[str, list[float]] = msgspec.field(default_factory=dict)  # [count, mean, variance]

    def load(self, plain: Any) -> None:
        """Takes over {name: [count, mean, variance]}."""
        self._of = {name: list(one) for name, one in plain.items()} if plain else {}

    def dump(self) -> Any:
        """{name: [count, mean, variance]}."""
        return self._of

    def score(self, values: Mapping[str, Any] | Any) -> Score:
        """How odd the value is, or the values by name; then they are learned."""
        best, of, expected, actual, all_z = -1.0, "", 0.0, 0.0, {}
        warm = False
        for name, x in named(values):
            one = self._of.get(name)
            if one is None:
                if len(self._of) < self.limit:
                    self._of[name] = [1, x, 0.0]
                continue
            count, mean, variance = one
            spread = max(sqrt(variance), spread_floor(mean))
            off = x - mean
            z = all_z[name] = abs(off) / spread
            if z > best:
                best, of, expected, actual, warm = z, name, mean, x, count >= self.warmup
            count += 1
            alpha = max(self.rate, 1 / count)
            if z > _CLIP and count > self.warmup:
                off = _CLIP * spread if off > 0 else -_CLIP * spread
            one[:] = count, mean + alpha * off, (1 - alpha) * (variance + alpha * off * off)
        if best < 0:
            return Score(threshold=self.threshold)
        graded = grade(best, self.threshold) if warm else 0.0
        return Score(best, graded, expected, actual, of, shares(all_z) if graded else {}, self.threshold)


class RobustZ(Model, gc=False, eq=False):
    """How many spreads a value lies from the median of the last `window`; of several values by name, the one that lies farthest.

    z = |x − median| / (IQR / 1.349), where the interquartile range over 1.349 is the standard deviation of a normal distribution. Up to a
    quarter of the window may be outliers and move it little. The grade is 0 for the first `warmup` values of a name; at most `limit` names
    are kept. For series with rare bursts. (Tukey's fences; quartiles by linear interpolation.)

        >>> model = RobustZ()
        >>> [model.score(value).grade for value in [10, 11, 12] * 10 + [40]][-2:]
        [0.0, 1.0]
    """

    shape: ClassVar[str] = "RobustZ/1"
    window: int = 256
    warmup: int = 16
    threshold: float = 6.0
    limit: int = 64
    _of: dict[str, tuple[list[float], list[float]]] = msgspec.field(default_factory=dict)  # in order of coming, in order of size

    def load(self, plain: Any) -> None:
        """Takes over {name: values}."""
        self._of = {name: (list(one), sorted(one)) for name, one in plain.items()} if plain else {}

    def dump(self) -> Any:
        """{name: values, oldest first}."""
        return {name: one[0] for name, one in self._of.items()}

    def score(self, values: Mapping[str, Any] | Any) -> Score:
        """How odd the value is, or the values by name; then they are learned."""
        best, of, expected, actual, all_z = -1.0, "", 0.0, 0.0, {}
        for name, x in named(values):
            if (one := self._of.get(name)) is None:
                if len(self._of) < self.limit:
                    self._of[name] = [x], [x]
                continue
            order, sizes = one
            if len(order) >= self.warmup:
                median = _quantile(sizes, 0.5)
                spread = max((_quantile(sizes, 0.75) - _quantile(sizes, 0.25)) / _NORMAL, spread_floor(median))
                z = all_z[name] = abs(x - median) / spread
                if z > best:
                    best, of, expected, actual = z, name, median, x
            order.append(x)
            insort(sizes, x)
            while len(order) > self.window:
                del sizes[bisect_left(sizes, order[0])], order[0]
        if best < 0:
            return Score(threshold=self.threshold)
        graded = grade(best, self.threshold)
        return Score(best, graded, expected, actual, of, shares(all_z) if graded else {}, self.threshold)


def _quantile(sizes: list[float], share: float) -> float:
    place = share * (len(sizes) - 1)
    low = int(place)
    return sizes[low] + (place - low) * (sizes[low + 1] - sizes[low]) if place > low else sizes[low]
