"""What an interval brought against what was to be expected of it: counts by their share, values by level and trend.

`CountSurprise` asks for a share and so does not mind how busy it is; `Holt` follows a course and minds nothing else. Both are fed with
finished intervals (`series.Intervals`), the empty ones among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log, sqrt
from typing import Any, ClassVar

import msgspec

from .series import Model, Score, grade, number, shares, spread_floor

__all__ = ["CountSurprise", "Holt"]

_LN10 = log(10)


class CountSurprise(Model, gc=False, eq=False):
    """How unlikely so many bad ones are among so many, by all that was seen before; of several pairs by name, the most unlikely.

    p = k/n, the share so far; λ = N·p, what was to be expected of N = bad + good; for b > λ the score is [b·ln(b/λ) − (b − λ)] / ln 10,
    else 0: the Chernoff bound of the Poisson tail as −log10 of a probability, so 6 is one in a million. Then k = k·(1 − a) + min(b, λ +
    4·√λ + 1) and n = n·(1 − a) + N with a = `rate` (2,000 intervals are remembered) from k = 1, n = 1,000. Forty times the traffic with
    the same share is no surprise, and a flood of bad ones hardly moves the share. The grade is 0 for the first `warmup` intervals of a
    pair; at most `limit` pairs are kept. For 4xx among requests, failures among logins, unknown among known.

        >>> model = CountSurprise()
        >>> [model.score({"status": (1, 99)}).grade for _ in range(50)] == [0.0] * 50
        True
        >>> model.score({"status": (40, 3960)}).grade, model.score({"status": (20, 80)}).grade
        (0.0, 1.0)
    """

    shape: ClassVar[str] = "CountSurprise/1"
    rate: float = 1 / 2000
    warmup: int = 30
    threshold: float = 6.0
    limit: int = 64
    _of: dict[str, list[float]] = msgspec.field(default_factory=dict)  # [k, n, intervals]

    def load(self, plain: Any) -> None:
        """Takes over {pair: [k, n, intervals]}."""
        self._of = {name: list(one) for name, one in plain.items()} if plain else {}

    def dump(self) -> Any:
        """{pair: [bad ones, all, intervals]}, the first two decayed."""
        return self._of

    def score(self, pairs: Mapping[str, tuple[Any, Any]]) -> Score:
        """How odd an interval is that had so many (bad, good) of each pair; then it is learned."""
        best, of, expected, actual, warm, parts = -1.0, "", 0.0, 0.0, False, {}
        for name, pair in pairs.items():
            bad, good = number(pair[0]), number(pair[1])
            if bad is None or good is None or bad < 0 or good < 0:
                continue
            if (one := self._of.get(name)) is None:
                if len(self._of) >= self.limit:
                    continue
                one = self._of[name] = [1.0, 1000.0, 0]
            k, n, seen = one
            whole = bad + good
            due = whole * k / n
            found = parts[name] = (bad * log(bad / due) - (bad - due)) / _LN10 if bad > due else 0.0
            if found > best:
                best, of, expected, actual, warm = found, name, due, bad, seen >= self.warmup
            keep = 1 - self.rate
            one[:] = k * keep + min(bad, due + 4 * sqrt(due) + 1), n * keep + whole, seen + 1
        if best < 0:
            return Score(threshold=self.threshold)
        graded = grade(best, self.threshold) if warm else 0.0
        return Score(best, graded, expected, actual, of, shares(parts) if graded else {}, self.threshold)


class Holt(Model, gc=False, eq=False):
    """How far a value lies from where its course was leading.

    forecast = level + trend; r = x − forecast; score = |r| / v, where v is the moving mean of |r| (α = max(0.02, 1/n)). Then, with r
    cut to ±4·v, level = forecast + 0.4·r and trend += 0.1·(level − old level − trend). All but the score in the unit of the value; the
    grade is 0 for the first `warmup` values. For series that rise and fall slowly, such as a load over the day. (Holt's double
    exponential smoothing.)

        >>> model = Holt()
        >>> [model.score(100 + 2 * n + n % 2).grade for n in range(60)] == [0.0] * 60
        True
        >>> model.score(100).grade
        1.0
    """

    shape: ClassVar[str] = "Holt/1"
    alpha: float = 0.4
    beta: float = 0.1
    rate: float = 0.02
    warmup: int = 30
    threshold: float = 8.0
    clip: float = 4.0
    _count: int = 0
    _level: float = 0.0
    _trend: float = 0.0
    _off: float = 0.0

    def load(self, plain: Any) -> None:
        """Takes over [count, level, trend, mean deviation]."""
        self._count, self._level, self._trend, self._off = plain or (0, 0.0, 0.0, 0.0)

    def dump(self) -> Any:
        """[count, level, trend, mean deviation]."""
        return [self._count, self._level, self._trend, self._off]

    def score(self, value: Any) -> Score:
        """How odd the value is; then it is learned."""
        if (x := number(value)) is None:
            return Score(threshold=self.threshold)
        count, level = self._count, self._level
        self._count = count + 1
        if not count:
            self._level = x
            return Score(0.0, 0.0, x, x, threshold=self.threshold)
        forecast = level + self._trend
        off, usual = x - forecast, max(self._off, spread_floor(level))
        found = abs(off) / usual
        warm = count >= self.warmup
        if warm and found > self.clip:
            off = self.clip * usual if off > 0 else -self.clip * usual
        self._off += max(self.rate, 1 / count) * (abs(off) - self._off)
        self._level = forecast + self.alpha * off
        self._trend += self.beta * (self._level - level - self._trend)
        return Score(found, grade(found, self.threshold) if warm else 0.0, forecast, x, threshold=self.threshold)
