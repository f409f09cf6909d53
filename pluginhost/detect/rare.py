"""How rare a value is among all that were seen of its field.

What is kept is bounded by the space-saving rule: a new value takes the place, and the count, of the one seen least. (Metwally, Agrawal
and El Abbadi, 2005.) So whoever sends ever new values makes himself look less rare, but pushes out nothing that is frequent.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heapify, heapreplace
from math import log2
from typing import Any, ClassVar

import msgspec

from .series import Model, Score, grade, shares
from .state import text

__all__ = ["RareValue"]

_LARGE = 1e60  # counts are scaled down before they grow beyond


class RareValue(Model, gc=False, eq=False):
    """The surprisal of a value in bits, by how often it was seen; of several fields by name, the highest.

    −log2((c + 1) / (n + distinct + 1)) for a value seen c times among n values, `distinct` different ones: 10 is one in a thousand.
    Counts lose half their weight with every `half_life` further values. At most `limit` values of a field are kept, and `fields`
    fields. The grade is 0 for a field's first `warmup` values. For countries, methods, user agents, process names. (Shannon's
    self-information, after Laplace.)

        >>> model = RareValue()
        >>> [model.score("GET").grade for _ in range(2000)] == [0.0] * 2000
        True
        >>> model.score("TRACE").grade > 0.5
        True
    """

    shape: ClassVar[str] = "RareValue/1"
    limit: int = 1000
    half_life: int = 10_000
    warmup: int = 100
    threshold: float = 10.0
    fields: int = 64
    _of: dict[str, _Counts] = msgspec.field(default_factory=dict)

    def load(self, plain: Any) -> None:
        """Takes over {field: [values, sum, scale, {value: count}, top]}."""
        self._of = {name: _Counts(seen, whole, scale, dict(counts), top)
                    for name, (seen, whole, scale, counts, top) in plain.items()} if plain else {}  # fmt: skip

    def dump(self) -> Any:
        """{field: [values seen, sum of the counts, scale, {value: count}, the value seen most]}; a count divided by the scale is the
        decayed one."""
        return {name: [one.seen, one.whole, one.scale, one.counts, one.top] for name, one in self._of.items()}

    def score(self, values: Mapping[str, Any] | Any) -> Score:
        """How rare the value is, or the values by field; then it has been seen once more. Anything that prints is a value."""
        best, of, expected, actual, warm, parts = -1.0, "", "", "", False, {}
        for name, value in values.items() if isinstance(values, Mapping) else (("", values),):
            if (one := self._of.get(name)) is None:
                if len(self._of) >= self.fields:
                    continue
                one = self._of[name] = _Counts()
            shown = text(value)
            bits = parts[name] = one.bits(shown)
            if bits > best:
                best, of, expected, actual, warm = bits, name, one.top, shown, one.seen >= self.warmup
            one.see(shown, self.limit, 2 ** (1 / self.half_life))
        if best < 0:
            return Score(threshold=self.threshold)
        graded = grade(best, self.threshold) if warm else 0.0
        return Score(best, graded, expected, actual, of, shares(parts) if graded else {}, self.threshold)


class _Counts(msgspec.Struct, gc=False):
    """The counts of one field. Each new value weighs more than the one before it by a fixed factor, which is decay without touching the
    rest."""

    seen: int = 0
    whole: float = 0.0
    scale: float = 1.0
    counts: dict[str, float] = {}
    top: str = ""  # the value seen most
    least: list[tuple[float, str]] = []  # a heap of counts as they once were: none is higher than it now is

    def bits(self, value: str) -> float:
        """The surprisal of a value."""
        scale = self.scale
        return max(log2((self.whole / scale + len(self.counts) + 1) / (self.counts.get(value, 0.0) / scale + 1)), 0.0)

    def see(self, value: str, limit: int, growth: float) -> None:
        """Counts a value; of more than `limit` the one seen least makes room."""
        counts = self.counts
        counts[value] = counts.get(value, 0.0) + self.scale
        while len(counts) > limit:
            self._make_room(value)
        if counts[value] > counts.get(self.top, 0.0):
            self.top = value
        self.seen += 1
        self.whole += self.scale
        self.scale *= growth
        if self.scale > _LARGE:
            self.counts = {name: one / self.scale for name, one in counts.items()}
            self.whole, self.scale, self.least = self.whole / self.scale, 1.0, []

    def _make_room(self, value: str) -> None:
        counts, least = self.counts, self.least
        if len(least) != len(counts) - 1:
            least[:] = [(count, name) for name, count in counts.items() if name != value]
            heapify(least)
        while counts[least[0][1]] > least[0][0]:
            name = least[0][1]
            heapreplace(least, (counts[name], name))
        count, name = least[0]
        del counts[name]
        counts[value] += count
        heapreplace(least, (counts[value], value))
