"""In which order, and how evenly, somebody asks for pages. People follow links and pause to read; programs do neither.

`PageOrder` belongs to a site: it learns from all its visitors and remembers the visits that go on. `Pace` belongs to one visitor. A
program that paces itself like a person shows in the order only, one that follows links at a fixed beat in the pace only: ask both.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from math import log, sqrt
from typing import Any, ClassVar

import msgspec

from ..events.event import Event
from .average import MovingAverage
from .series import Model, Score, grade, spread_floor
from .state import span_of, text

__all__ = ["Pace", "PageOrder", "normalised"]

_LONGEST, _SEGMENTS = 300, 12
_KEPT = 200  # so many pages of a visit teach, the last ones
_ENDED = 20  # so many visits are ended at a time, so that no event waits for thousands
_RATE = 0.02  # of the average of visits: while a site is learned their surprise falls
_FORGOTTEN = 0.5  # a step taken once is forgotten when the counts are halved
_EVEN = 0.001  # no gaps are more even than this
_ID = re.compile(r"\d+|(?=[^g-zG-Z]*\d)[0-9a-fA-F-]{8,}|(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[\w~-]{20,}", re.ASCII)
_INNER = re.compile(r"\d{3,}|(?<![0-9A-Za-z])(?=[a-f]*\d)[0-9a-f]{8,}(?![0-9A-Za-z])", re.ASCII)


def normalised(path: Any) -> str:
    """The path without its query and with its ids replaced by `*`, so that `/user/7/cart?x=1` and `/user/12/cart` are one page.

    An id is a segment of digits, a hexadecimal one of 8 characters or more (UUIDs, hashes) with a digit in it, or any of 20 or more
    that mixes letters and digits; inside other segments such hexadecimal parts and three digits or more are replaced. At most 12
    segments and 300 characters count.
    """
    return _normalised(path[:_LONGEST]) if isinstance(path, str) else "/"


@lru_cache(maxsize=8192)
def _normalised(path: str) -> str:
    segments = path.partition("?")[0].partition("#")[0].split("/", _SEGMENTS + 1)[1 : _SEGMENTS + 1]
    return text("/" + "/".join("*" if _ID.fullmatch(one) else _INNER.sub("*", one) for one in segments))


class _Visit(msgspec.Struct, gc=False):
    """A visit that goes on: when its last page was asked for, the surprise of its steps and their number, whether it was graded, its
    pages."""

    last: int
    cost: float = 0.0
    steps: int = 0
    flagged: bool = False
    pages: list[str] = []


class PageOrder(Model, gc=False, eq=False):
    """How unusual the order is in which a visitor of the site asks for its pages.

    A first-order Markov chain over `normalised` paths: p(next | page) = (c + 0.1) / (n + 0.1·(pages + 1)) with c of n steps from the
    page having led there. The score is the mean of −ln p over the visit's steps, in nats; it is graded from `least` pages on, against
    mean and spread of the visits before: the threshold lies `far` spreads above the mean. A visit ends after `pause` without a page and
    only then teaches, and only if it never was graded; the first `warmup` visits teach in any case. The `paths` most visited pages are
    told apart, the rest is one; after `memory` steps all counts are halved. At most `visits` go on at a time.

        >>> order, seconds = PageOrder(warmup=20), iter(range(0, 10**6, 3600))
        >>> def visit(pages):
        ...     start = next(seconds)
        ...     return [order.score(at(start + n), "x", page).grade for n, page in enumerate(pages)][-1]
        >>> [visit(["/", "/list", "/item/7"] * 4) for _ in range(40)] == [0.0] * 40
        True
        >>> visit(["/item/7", "/admin", "/list", "/login"] * 3) > 0.5
        True
    """

    shape: ClassVar[str] = "PageOrder/1"
    paths: int = 1000
    smoothing: float = 0.1
    least: int = 8
    pause: Any = "30m"
    warmup: int = 100
    far: float = 6.0
    memory: int = 100_000
    visits: int = 10_000
    _pages: dict[str, int] = msgspec.field(default_factory=dict)  # 0 is the rest
    _rows: dict[int, dict[int, float]] = msgspec.field(default_factory=dict)
    _sums: dict[int, float] = msgspec.field(default_factory=dict)  # of the rows
    _steps: float = 0.0
    _open: dict[str, _Visit] = msgspec.field(default_factory=dict)  # longest idle first
    _usual: MovingAverage = msgspec.field(default_factory=lambda: MovingAverage(rate=_RATE))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pause = span_of(self.pause)

    def load(self, plain: Any) -> None:
        """Takes over [pages, rows, visits, usual]."""
        pages, rows, visits, usual = plain or ([], {}, {}, None)
        self._pages = {page: number for number, page in enumerate(pages, 1)}
        self._rows = {page: dict(row) for page, row in rows.items()}
        self._sums = {page: sum(row.values()) for page, row in rows.items()}
        self._steps = sum(self._sums.values())
        self._open = {client: _Visit(last, cost, steps, flagged, list(seen))
                      for client, (last, cost, steps, flagged, seen) in visits.items()}  # fmt: skip
        self._usual = MovingAverage(rate=_RATE)
        self._usual.load(usual)

    def dump(self) -> Any:
        """[pages, {page: {next page: steps}} by number from 1 (0: the rest), {client: visit}, average of the visits]."""
        visits = {client: [one.last, one.cost, one.steps, one.flagged, one.pages] for client, one in self._open.items()}
        return [list(self._pages), self._rows, visits, self._usual.dump()]

    def score(self, event: Event, client: Any, path: Any) -> Score:
        """How odd the visit of `client` is so far, with this page; a late event changes nothing."""
        when, client, page = event.time, text(client), normalised(path)
        visit = self._open.pop(client, None)
        if visit is not None and when - visit.last > self.pause:
            self._finish(visit)
            visit = None
        visit = self._open[client] = visit or _Visit(when)
        self._end(when)
        if when >= visit.last:
            visit.last = when
            if visit.pages:
                visit.cost += self.surprise(visit.pages[-1], page)
                visit.steps += 1
            if len(visit.pages) == _KEPT:
                del visit.pages[0]
            visit.pages.append(page)
        return self._judged(visit)

    def surprise(self, page: str, following: str) -> float:
        """−ln p of a step between two normalised paths, in nats."""
        here = self._pages.get(page, 0)
        row = self._rows.get(here)
        count = row.get(self._pages.get(following, 0), 0.0) if row else 0.0
        return log((self._sums.get(here, 0.0) + self.smoothing * (len(self._pages) + 1)) / (count + self.smoothing))

    def learn(self, pages: list[str]) -> None:
        """Teaches a whole visit: its normalised paths, in order."""
        before = self._number(pages[0])
        for page in pages[1:]:
            here = self._number(page)
            row = self._rows.setdefault(before, {})
            row[here] = row.get(here, 0.0) + 1
            self._sums[before] = self._sums.get(before, 0.0) + 1
            before = here
        self._steps += len(pages) - 1
        if len(self._pages) > 2 * self.paths or self._steps > self.memory:
            self._trim()

    def _judged(self, visit: _Visit) -> Score:
        found = visit.cost / visit.steps if visit.steps else 0.0
        usual = self._usual
        threshold = usual.mean + self.far * max(usual.spread, spread_floor(usual.mean))
        judged = visit.steps + 1 >= self.least and usual.count >= self.warmup
        graded = grade(found, threshold) if judged else 0.0
        visit.flagged = visit.flagged or graded > 0
        return Score(found, graded, usual.mean, found, threshold=threshold)

    def _end(self, when: int) -> None:
        """Ends visits that nobody went on with, and the longest idle ones where there are too many."""
        for client, visit in list(islice(self._open.items(), _ENDED)):
            if when - visit.last <= self.pause and len(self._open) <= self.visits:
                return
            del self._open[client]
            self._finish(visit)

    def _finish(self, visit: _Visit) -> None:
        if visit.steps and not visit.flagged:
            if self._steps and visit.steps + 1 >= self.least:  # by what is known now: what it met on its way may have been nothing at all
                pages = visit.pages
                self._usual.add(sum(map(self.surprise, pages, pages[1:])) / (len(pages) - 1))
            self.learn(visit.pages)

    def _number(self, page: str) -> int:
        found = self._pages.get(page)
        if found is None:
            found = self._pages[page] = len(self._pages) + 1
        return found

    def _trim(self) -> None:
        """Halves the counts if there are too many, and puts all but the most visited pages together."""
        share = 0.5 if self._steps > self.memory else 1.0
        names = list(self._pages)
        seen = dict(self._sums)
        for row in self._rows.values():
            for following, count in row.items():
                seen[following] = seen.get(following, 0.0) + count
        most = sorted(range(1, len(names) + 1), key=lambda number: -seen.get(number, 0.0))[: self.paths]
        new = {number: place for place, number in enumerate(sorted(most), 1)}
        rows: dict[int, dict[int, float]] = {}
        for page, row in self._rows.items():
            kept = rows.setdefault(new.get(page, 0), {})
            for following, count in row.items():
                if (left := count * share) > _FORGOTTEN:
                    kept[new.get(following, 0)] = kept.get(new.get(following, 0), 0.0) + left
        self._pages = {names[number - 1]: place for number, place in new.items()}
        self._rows = {page: row for page, row in rows.items() if row}
        self._sums = {page: sum(row.values()) for page, row in self._rows.items()}
        self._steps = sum(self._sums.values())


class Pace(Model, gc=False, eq=False):
    """How evenly a visitor asks: the coefficient of variation of the gaps between his requests, their spread through their mean.

    People come to 1 and above, a fixed beat to 0. The score is −ln of it, between 0 and 7; it is graded from `least` requests on, where the
    coefficient is `beat` or less. A visit ends after `pause`; gaps of 0 (what a page loads along with itself) do not count.

        >>> pace = Pace()
        >>> [pace.score(at(second)).grade for second in (0, 3, 20, 21, 50, 52, 60, 95)][-1]
        0.0
        >>> [pace.score(at(10**4 + 5 * n)).grade for n in range(9)][-1]
        1.0
    """

    shape: ClassVar[str] = "Pace/1"
    least: int = 8
    beat: float = 0.1
    pause: Any = "30m"
    keep: Any = "1d"
    _last: int = 0
    _count: int = 0
    _mean: float = 0.0
    _square: float = 0.0  # the sum of the squares off the mean (Welford)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pause = span_of(self.pause)

    def load(self, plain: Any) -> None:
        """Takes over [last, gaps, mean, squares]."""
        self._last, self._count, self._mean, self._square = plain or (0, 0, 0.0, 0.0)

    def dump(self) -> Any:
        """[time of the last request in ns, number of gaps, their mean in seconds, sum of squares off it]."""
        return [self._last, self._count, self._mean, self._square]

    def score(self, event: Event) -> Score:
        """How even the visit is with this request; a late one changes nothing."""
        gap = event.time - self._last
        if gap > self.pause:
            self._last, self._count, self._mean, self._square = event.time, 0, 0.0, 0.0
        elif gap > 0:
            self._last = event.time
            self._count += 1
            off = gap / 1e9 - self._mean
            self._mean += off / self._count
            self._square += off * (gap / 1e9 - self._mean)
        threshold = -log(self.beat)
        if self._count < 2:
            return Score(expected=1.0, threshold=threshold)
        even = sqrt(self._square / self._count) / self._mean
        found = -log(min(max(even, _EVEN), 1.0))
        return Score(found, grade(found, threshold) if self._count + 1 >= self.least else 0.0, 1.0, even, threshold=threshold)

