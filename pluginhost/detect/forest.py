"""Random cut forest: what is odd in several dimensions at once, where no single value is. Needs the optional package `rcf3`.

The library grows the trees; what it leaves to others is here: values of one size, a threshold that follows the scores, one grade per
anomaly, the values expected. A forest takes 1 to 6 MB: one for a fleet or a service, never one for each user or client. Averages cost a
thousandth and find spikes and shares better; take a forest for points that lie between the usual clusters.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from ..problem import Problem
from .average import MovingAverage
from .series import Model, Score, number, shares, spread_floor

try:
    import rcf3
except ImportError:  # the extra is not installed
    rcf3 = None  # type: ignore[assignment]

__all__ = ["RandomCutForest"]

_CLIP = 10.0
_TEACHING = 4.0
_LOWEST, _FIRST = 0.8, 1.5  # thresholds below which no score is odd: at all, and while few are known
_ACTIVE = 10
_HALF = 512  # points after which one may believe it by half


class RandomCutForest(Model, gc=False, eq=False):
    """How much the forest would have to change to take in a point of several dimensions: about 1 is usual, 1.5 is suspicious.

    Each of the `names` is brought to mean 0 and spread 1 (discounted, `rate`), cut to ±10, and what is no number takes its last value.
    With a `shingle` of n the point is the last n values together: for shapes in time. The threshold is mean + 3 spreads of the scores,
    never below 0.8, and 1.5 for the first 10; an anomaly that goes on does so down to 2 spreads and is graded once, where it begins.
    With t the excess through 3 spreads the grade is min(⌊20·t⌋ / 16, 1), 0 for the first `warmup` points. Confidence: 1 −
    2^(−points/512). A lone outlier enters a tenth of the trees and teaches the averages 4 spreads at most. The same `seed` and points
    give the same scores, also across a restart (to nine decimals). (Guha, Mishra, Roy and Schrijvers, "Robust random cut forest based
    anomaly detection on streams", 2016.)

        >>> model = RandomCutForest(("cpu", "load"), warmup=100)
        >>> [model.score({"cpu": n * 37 % 100 / 50, "load": n * 61 % 100 / 50}).grade for n in range(300)] == [0.0] * 300
        True
        >>> model.score({"cpu": 0.06, "load": 9}).of
        'load'
    """

    shape: ClassVar[str] = "RandomCutForest/1"
    names: Sequence[str]
    shingle: int = 1
    trees: int = 50
    capacity: int = 256
    rate: float = 1 / 2560
    warmup: int = 512
    seed: int = 0
    _forest: Any = None
    _scales: list[MovingAverage] = msgspec.field(default_factory=list)
    _last: list[float] = msgspec.field(default_factory=list)
    _usual: MovingAverage = msgspec.field(default_factory=MovingAverage)  # of the scores
    _quiet: int = 0  # points still to come until another anomaly may begin

    def __post_init__(self) -> None:
        super().__post_init__()
        if rcf3 is None:
            raise Problem("analyzer.import", "RandomCutForest needs an optional package that is not installed",
                          todo="pip install 'pluginhost[rcf]' where pluginhost runs")  # fmt: skip
        if isinstance(self.names, str) or not self.names or self.shingle < 1:
            raise ValueError('a forest needs the names of its dimensions, such as ("cpu", "load"), and a shingle of 1 or more')
        self.load(None)

    def load(self, plain: Any) -> None:
        """Takes over what `dump` gave; a forest of another make begins anew."""
        if plain and plain[0] != self._make():
            plain = None
        _, packed, scales, last, scores, self._quiet = plain or (None, b"", [], [], None, 0)
        self._forest = rcf3.Forest.from_json(zlib.decompress(packed)) if packed else rcf3.Forest(
            len(self.names), self.shingle, self.trees, self.capacity, self.rate, seed=self.seed)  # fmt: skip
        self._scales = [_average(self.rate, one) for one in scales or [None] * len(self.names)]
        self._last, self._usual = list(last) or [0.0] * len(self.names), _average(self.rate, scores)

    def dump(self) -> Any:
        """[names and settings; the library's JSON, deflated; [count, mean, variance] of each dimension; its last value; the average of
        the scores; points of quiet]."""
        packed = zlib.compress(self._forest.to_json().encode(), 1)
        return [self._make(), packed, [one.dump() for one in self._scales], self._last, self._usual.dump(), self._quiet]

    def _make(self) -> list[Any]:
        return [*self.names, self.shingle, self.trees, self.capacity, self.rate, self.seed]

    def score(self, values: Mapping[str, Any]) -> Score:
        """How odd the values by name are together; then they are learned."""
        point = self._point(values)
        usual = self._usual
        if self._scales[0].count <= _SCALING:
            return Score(threshold=_FIRST, confidence=0.0)
        found = round(float(self._forest.score(point)), 9) if self._forest.is_ready() else 0.0
        spread = max(usual.spread, spread_floor(usual.mean))
        active = usual.count >= _ACTIVE
        threshold = max(usual.mean + 3 * spread, _LOWEST) if active else _FIRST
        graded = 0.0
        if self._quiet:
            self._quiet = self.shingle if found >= max(usual.mean + 2 * spread, _LOWEST) else self._quiet - 1
        elif self._scales[0].count > self.warmup and found > threshold:
            graded = min(int(20 * (found - threshold) / (3 * spread)) / 16, 1.0)
            self._quiet = self.shingle if graded else 0
        made = self._explained(point, values, found, graded, threshold)
        if self._forest.is_ready():
            usual.add(min(found, usual.mean + _TEACHING * spread) if active else found)
        self._forest.update(point)
        return made

    def _point(self, values: Mapping[str, Any]) -> list[float]:
        """The values on one scale; then the scales have learned them."""
        point = []
        for place, (name, scale) in enumerate(zip(self.names, self._scales, strict=True)):
            x = number(values.get(name))
            x = self._last[place] = self._last[place] if x is None else x
            spread = max(scale.spread, spread_floor(scale.mean))
            point.append(min(max((x - scale.mean) / spread, -_CLIP), _CLIP))
            reach = _TEACHING * spread
            scale.add(min(max(x, scale.mean - reach), scale.mean + reach) if scale.count > _SCALING else x)
        return point

    def _explained(self, point: list[float], values: Mapping[str, Any], found: float, graded: float, threshold: float) -> Score:
        confidence = 1 - 2.0 ** (-self._scales[0].count / _HALF)
        if not graded:
            return Score(found, threshold=threshold, confidence=confidence)
        parts = dict.fromkeys(self.names, 0.0)
        for place, one in enumerate(self._forest.attribution(point)):
            parts[self.names[place % len(self.names)]] += round(one["below"] + one["above"], 9)
        of = max(self.names, key=parts.__getitem__)
        place = self.names.index(of)
        usual = self._forest.impute(point, [place]) if self.shingle == 1 else self._forest.extrapolate(1)
        scale = self._scales[place]
        expected = scale.mean + usual[place] * scale.spread
        return Score(found, graded, expected, number(values.get(of)), of, shares(parts), threshold, confidence)


_SCALING = 32  # points that only tell how large the values are


def _average(rate: float, plain: Any) -> MovingAverage:
    made = MovingAverage(rate=rate)
    made.load(plain)
    return made
