"""How many different values a key showed: since its last pause (`Distinct`), or over the last span (`SlidingDistinct`).

Values are kept as 64-bit hashes, exactly up to a bound, beyond it as HyperLogLog sketches; a few values cost a few bytes, and no
number of values costs more than the bound or the sketches. What the values were is not known: `FirstSeen` keeps them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from ..options import Duration
from .hyperloglog import REGISTERS, Sketch, hashed, mark
from .state import State, span_of
from .windows import buckets_of

__all__ = ["Distinct", "SlidingDistinct"]

_NEVER = -(1 << 63)
_EXACT = 10_000
_BUCKETS = 100


class Distinct(State, gc=False, eq=False):
    """How many different values the key showed since it was last silent for `pause`.

    Exact up to `exact` values (8 bytes each, as many as 4 KiB hold by default), then a HyperLogLog sketch of 4 KiB with a standard error of
    1.3 %. Merged copies hold the number over both, exact if it is at most `exact`, else within 1.6 %.

        >>> users = Distinct("1h")
        >>> [users.add(name, at(second)) for name, second in (("a", 0), ("b", 1), ("a", 2), ("c", 9000))]
        [1, 2, 2, 1]
    """

    shape: ClassVar[str] = "Distinct/1"
    pause: Any = "1d"
    exact: int = 512
    _since: int = _NEVER
    _newest: int = _NEVER
    _hashes: Any = msgspec.field(default_factory=lambda: array("Q"))
    _sketch: Sketch | None = None

    def __post_init__(self) -> None:
        self.pause = span_of(self.pause)
        _bounded(self.exact)

    @property
    def idle(self) -> int:
        """The pause: after it the number begins anew."""
        return int(self.pause)

    def load(self, plain: Any) -> None:
        """Takes over [since, newest, hashes, sketch]."""
        self._since, self._newest, hashes, sketch = plain or (_NEVER, _NEVER, b"", None)
        self._hashes, self._sketch = array("Q", hashes), Sketch.of(sketch[:1], sketch[1]) if sketch else None

    def dump(self) -> Any:
        """[first and newest event in ns; hashes ascending, eight bytes each; None or [registers, estimate]]."""
        return [self._since, self._newest, self._hashes.tobytes(), self._sketch.dump() if self._sketch else None]

    def __len__(self) -> int:
        return self._sketch.count() if self._sketch else len(self._hashes)

    def add(self, value: object, event: Event) -> int:
        """The number of values with this one among them."""
        when = event.time
        if when > self._newest:
            if when - self._newest > self.pause:
                self._since, self._hashes, self._sketch = when, array("Q"), None
            self._newest = when
        elif when < self._since:
            if self._since - when > self.pause:
                return len(self)
            self._since = when
        self._add(hashed(value))
        return len(self)

    def _add(self, one: int) -> None:
        if self._sketch:
            self._sketch.add(one)
            return
        hashes = self._hashes
        at = bisect_left(hashes, one)
        if at == len(hashes) or hashes[at] != one:
            hashes.insert(at, one)
            if len(hashes) > self.exact:
                self._spill()

    def _spill(self) -> None:
        sketch = Sketch()
        for one in self._hashes:
            sketch.add(one)
        sketch.estimate = float(len(self._hashes))  # so many it was exactly
        self._sketch, self._hashes = sketch, array("Q")

    def _registers(self) -> bytearray:
        if self._sketch:
            return self._sketch.registers
        registers = bytearray(REGISTERS)
        for one in self._hashes:
            mark(registers, one)
        return registers

    def merge(self, other: Distinct) -> None:
        """Takes over the values of `other`."""
        self._since = min((one for one in (self._since, other._since) if one != _NEVER), default=_NEVER)
        self._newest = max(self._newest, other._newest)
        if self._sketch or other._sketch:
            self._sketch, self._hashes = Sketch.of([self._registers(), other._registers()]), array("Q")
            return
        for one in other._hashes:
            self._add(one)

    def evidence(self) -> tuple[int, int] | None:
        """How many values, and since when."""
        return (len(self), self._since) if self._newest != _NEVER else None


class SlidingDistinct(State, gc=False, eq=False):
    """How many different values the key showed in the last `span`, by buckets of `granularity` (default: a tenth of the span).

    A value counts in the bucket in which it was last shown; the last bucket is that of the newest event. Exact up to `exact` values (16
    bytes each), then a HyperLogLog sketch of 4 KiB per bucket, with a standard error of 1.6 %, until nothing of it is left. Late
    values go into their own bucket while that lives, and are not counted afterwards. Merged copies of one granularity hold the
    number over both, exact if it is at most `exact`.

        >>> users = SlidingDistinct("10m", "1m")
        >>> [users.add(name, at(minute * 60)) for name, minute in (("a", 0), ("b", 1), ("a", 5), ("c", 11))]
        [1, 2, 2, 2]
    """

    shape: ClassVar[str] = "SlidingDistinct/1"
    span: Any
    granularity: Any = None
    exact: int = 1000
    _newest: int = _NEVER
    _hashes: Any = msgspec.field(default_factory=lambda: array("Q"))
    _last: Any = msgspec.field(default_factory=lambda: array("q"))
    _buckets: dict[int, bytearray] = msgspec.field(default_factory=dict)
    _union: Sketch | None = None

    def __post_init__(self) -> None:
        span = Duration.of(self.span)
        self.span, self.granularity = span_of(span), span_of(span / 10 if self.granularity is None else self.granularity)
        buckets_of(self.span, self.granularity, _BUCKETS)
        _bounded(self.exact)

    @property
    def idle(self) -> int:
        """The span and one bucket: older values no longer count."""
        return int(self.span + self.granularity)

    def load(self, plain: Any) -> None:
        """Takes over [newest, hashes, last, {start: registers}, estimate]."""
        self._newest, hashes, last, buckets, estimate = plain or (_NEVER, b"", b"", {}, None)
        self._hashes, self._last = array("Q", hashes), array("q", last)
        self._buckets = {start: bytearray(registers) for start, registers in buckets.items()}
        self._union = Sketch.of(self._buckets.values(), estimate) if buckets else None

    def dump(self) -> Any:
        """[start of the newest bucket in ns; hashes ascending and the start of each one's bucket; {start: registers}; estimate]."""
        sketches = {start: bytes(registers) for start, registers in self._buckets.items()}
        return [self._newest, self._hashes.tobytes(), self._last.tobytes(), sketches, self._union.estimate if self._union else None]

    def __len__(self) -> int:
        return self._union.count() if self._union else len(self._hashes)

    def add(self, value: object, event: Event) -> int:
        """The number of values with this one among them, as of the newest event."""
        start = event.time - event.time % self.granularity
        if start > self._newest:
            self._turn(start)
        if start > self._newest - self.span:
            self._add(hashed(value), start)
        return len(self)

    def _turn(self, newest: int) -> None:
        """Makes `newest` the last bucket and lets go of those that are now too old."""
        self._newest, over = newest, newest - self.span
        if self._union:
            self._buckets = {start: registers for start, registers in self._buckets.items() if start > over}
            self._union = Sketch.of(self._buckets.values()) if self._buckets else None
        else:
            kept = [n for n, start in enumerate(self._last) if start > over]
            if len(kept) < len(self._last):
                self._hashes, self._last = array("Q", [self._hashes[n] for n in kept]), array("q", [self._last[n] for n in kept])

    def _add(self, one: int, start: int) -> None:
        if self._union:
            self._union.add(one)
            _raise(self._buckets, one, start)
            return
        hashes, last = self._hashes, self._last
        at = bisect_left(hashes, one)
        if at < len(hashes) and hashes[at] == one:
            last[at] = max(last[at], start)
            return
        hashes.insert(at, one)
        last.insert(at, start)
        if len(hashes) > self.exact:
            self._spill()

    def _spill(self) -> None:
        for one, start in zip(self._hashes, self._last, strict=True):
            _raise(self._buckets, one, start)
        self._union = Sketch.of(self._buckets.values(), float(len(self._hashes)))
        self._hashes, self._last = array("Q"), array("q")

    def merge(self, other: SlidingDistinct) -> None:
        """Takes over the values of `other`."""
        if other._newest > self._newest:
            self._turn(other._newest)
        over = self._newest - self.span
        if other._union:
            self._spill()
            for start, registers in other._buckets.items():
                if start > over:
                    self._buckets[start] = bytearray(map(max, self._buckets.get(start) or bytes(REGISTERS), registers))
            self._union = Sketch.of(self._buckets.values()) if self._buckets else None
        for one, start in zip(other._hashes, other._last, strict=True):
            if start > over:
                self._add(one, start)

    def evidence(self) -> tuple[int, int] | None:
        """How many values, and the start of the oldest bucket that holds one."""
        oldest = min(self._buckets or self._last, default=None)
        return None if oldest is None else (len(self), oldest)


def _bounded(exact: int) -> None:
    if not 0 <= exact <= _EXACT:
        raise ValueError(f"{exact} values cannot be kept exactly, at most {_EXACT}: more are counted by a sketch")


def _raise(buckets: dict[int, bytearray], one: int, start: int) -> None:
    """Takes a hash into the registers of its bucket."""
    registers = buckets.get(start)
    if registers is None:
        registers = buckets[start] = bytearray(REGISTERS)
    mark(registers, one)
