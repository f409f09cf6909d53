"""Labels against findings: for each analyzer, how much of what it must find it found, and how much of what it found was there.

An incident is all the records with one number. A finding belongs to it if it was completed by one of its records, or names its entity
while it goes on or soon after (`kinds`). What belongs to an incident of a kind that some analyzer must find is never false, even if another
analyzer found it. Pure; documents are the alerts as they are stored.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from ..wire.times import parse
from .generators.item import Label
from .kinds import KINDS

__all__ = ["Found", "Row", "Truth", "findings", "score"]

_MS = 10**6
_FOREVER = 1 << 63
_NAMES = ("user.name", "user.target.name", "user.effective.name", "source.ip", "host.name")
_RELATED = ("related.user", "related.ip", "related.hosts")
_SCORES = ("pluginhost.score", "pluginhost.score.value", "event.risk_score")


class Found(NamedTuple):
    """A finding: its analyzer, its time (ns), whom it names, and how sure it is (any scale)."""

    analyzer: str
    time: int
    names: frozenset[str]
    score: float


class Row(NamedTuple):
    """What one analyzer came to: incidents it must find and did, findings and those of them that belong to no attack, by what misled it
    ("" if nothing was labelled there). `average_precision` is None where all findings have one score, or nothing was to be found."""

    analyzer: str
    incidents: int
    caught: int
    findings: int
    false: Counter[str]
    records: int
    average_precision: float | None = None

    @property
    def recall(self) -> float | None:
        """The share of incidents that were found."""
        return self.caught / self.incidents if self.incidents else None

    @property
    def precision(self) -> float | None:
        """The share of findings that belong to an attack."""
        return 1 - self.false.total() / self.findings if self.findings else None

    @property
    def false_per_1000(self) -> float:
        """False findings per 1,000 records."""
        return 1000 * self.false.total() / self.records if self.records else 0.0


class _Incident(msgspec.Struct):
    number: int
    kinds: set[str]
    entities: set[str]
    first: int
    last: int

    def reaches(self, time: int) -> bool:
        """Whether a finding of this time may belong to it."""
        return self.first <= time <= self.last + max(KINDS[kind].within for kind in self.kinds)

    @property
    def attack(self) -> bool:
        return any(KINDS[kind].analyzers for kind in self.kinds)


class Truth:
    """The labels of a stream, gathered into incidents."""

    def __init__(self, labels: Iterable[tuple[int, Label]] = ()) -> None:
        self.incidents: dict[int, _Incident] = {}
        self._at: defaultdict[int, set[int]] = defaultdict(set)
        self._of: defaultdict[str, set[int]] = defaultdict(set)
        self._unnamed: set[int] = set()
        for time, label in labels:
            self.add(time, label)

    def add(self, time: int, label: Label) -> None:
        """Takes the label of a record of that time (ns)."""
        number = label.incident
        one = self.incidents.setdefault(number, _Incident(number, set(), set(), time, time))
        one.kinds |= {label.kind, *label.shows}
        one.entities.add(label.entity)
        one.first, one.last = min(one.first, time), max(one.last, time)
        self._at[time // _MS].add(number)
        self._of[label.entity].add(number)
        if not KINDS[label.kind].named:
            self._unnamed.add(number)

    def of(self, one: Found) -> list[_Incident]:
        """The incidents that the finding belongs to."""
        near = self._unnamed.union(*(self._of[name] for name in one.names if name in self._of))
        numbers = self._at.get(one.time // _MS, set()) | {number for number in near if self.incidents[number].reaches(one.time)}
        return [self.incidents[number] for number in sorted(numbers)]


def findings(documents: Iterable[Mapping[str, Any]]) -> Iterator[Found]:
    """What alert documents say, as far as it matters here; those that were suppressed are left out, for nobody is told of them."""
    return (_found(document) for document in documents if not _get(document, "pluginhost.alert.suppressed"))


def _found(document: Mapping[str, Any]) -> Found:
    """Its time is cut to milliseconds, as the document's is."""
    values = [_get(document, field) for field in _NAMES]
    values += [one for field in _RELATED if isinstance(many := _get(document, field), list) for one in many]
    names = {value for value in values if isinstance(value, str)}
    sure = next((float(value) for field in _SCORES if isinstance(value := _get(document, field), (int, float))), 0.0)
    return Found(str(_get(document, "rule.id")), parse(str(document.get("@timestamp"))) or 0, frozenset(names), sure)


def _get(document: Any, field: str) -> Any:
    for part in field.split("."):
        document = document.get(part) if isinstance(document, Mapping) else None
    return document


def score(truth: Truth, given: Iterable[Found], records: int, analyzers: Collection[str], *, since: int = 0, until: int = _FOREVER,
          told: Mapping[str, float] = MappingProxyType({})) -> list[Row]:  # fmt: skip
    """A row for each of the `analyzers`, in their order; `records` is how many there were, labelled or not.

    Incidents that begin before `since` (ns) need not be found: analyzers are learning. `until` is when the stream ends; what is found
    behind it and belongs to no incident came of the end and does not count. From an analyzer in `told` only findings of that score or
    more are alerts, those below it are for the ranking.
    """
    mine: defaultdict[str, list[Found]] = defaultdict(list)
    for one in given:
        if one.time <= until or truth.of(one):
            mine[one.analyzer].append(one)
    return [_row(truth, name, mine[name], records, since, told.get(name, -inf)) for name in analyzers]


def _row(truth: Truth, analyzer: str, given: list[Found], records: int, since: int, least: float) -> Row:
    wanted = {one.number for one in truth.incidents.values()
              if one.first >= since and any(analyzer in KINDS[kind].analyzers for kind in one.kinds)}  # fmt: skip
    alerts = [one for one in given if one.score >= least]
    caught: set[int] = set()
    false: Counter[str] = Counter()
    for one in alerts:
        belongs = truth.of(one)
        caught |= wanted & {incident.number for incident in belongs}
        if not any(incident.attack for incident in belongs):
            false[next((kind for incident in belongs for kind in sorted(incident.kinds)), "")] += 1
    return Row(analyzer, len(wanted), len(caught), len(alerts), false, records, _average_precision(truth, wanted, given))


def _average_precision(truth: Truth, wanted: set[int], given: list[Found]) -> float | None:
    """The area under precision over recall, the surest findings first; each incident counts once, and what was not found counts 0."""
    if not wanted or len({one.score for one in given}) < 2:
        return None
    total, right, seen = 0.0, 0, set[int]()
    for rank, new in enumerate(_ranked(truth, wanted, given, seen), 1):
        right += new
        total += new * right / rank
    return total / len(wanted)


def _ranked(truth: Truth, wanted: set[int], given: list[Found], seen: set[int]) -> Iterator[bool]:
    """Whether each finding is the first of a wanted incident, or false; those that are neither are left out."""
    for one in sorted(given, key=lambda one: (-one.score, one.time)):
        belongs = truth.of(one)
        new = {incident.number for incident in belongs} & wanted - seen
        if new:
            seen |= new
            yield True
        elif not any(incident.attack for incident in belongs):
            yield False
