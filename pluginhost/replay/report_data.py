"""What the page of a backtest shows, gathered alert by alert in bounded room: all are counted, the most severe are kept to be read.

Every text is cut, and what would act on a screen (control characters, marks that turn the direction of writing) is written out. How the
page looks is in `report.html`, `.css` and `.js`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from ..detect.finding import SEVERITIES
from ..problem import printable
from ..store.alerts import StoredAlert
from ..wire.times import parse
from .trends import Trend

__all__ = ["Gathered"]

_ALERTS, _SCORES, _PLACES = 1000, 2000, 2000  # alerts in all, scores of an analyzer, places and journeys in all
_BUCKETS = 200
_UNITS = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 28 * 86_400)  # seconds; each divides the next
_KEYS, _TOP = 10_000, 12
_TEXT, _RECORD = 600, 3000  # characters of a text, and of a whole record, that are shown
_LINES, _LEAVES = 10, 24  # of an alert's evidence, and of what its analyzer has written into it
_DRAWN = ("location", "places")  # what the map shows
_LOOKED_AT = 50  # values of an alert, in search of places
_FORMATTED = 20_000  # characters of JSON that are laid out for people
_LEVELS = tuple(SEVERITIES)
_TOP_FIELDS = ("user.name", "source.ip", "host.name", "url.path", "source.as.organization.name", "source.geo.city_name")
_FACTS = ("user.name", "user.target.name", "source.ip", "source.port", "source.as.organization.name", "source.geo.city_name",
          "source.geo.country_name", "destination.ip", "destination.port", "host.name", "url.original", "http.response.status_code",
          "process.command_line", "user_agent.original", "event.outcome", "threat.technique.id")  # fmt: skip
_KNOWN = ("analyzer", "alert", "source", "record", "events", "backtest")  # of an alert's own fields: said elsewhere, or no news


class _Place(NamedTuple):
    """A point in degrees, as it is drawn, with its name if it has one."""

    lat: float
    lon: float
    name: str = ""


class Gathered:
    """What a page shows of the alerts it was given. Those that nobody was told of are only counted and kept, as such."""

    def __init__(self) -> None:
        self.total = self.suppressed = 0
        self._kept: list[list[dict[str, Any]]] = [[] for _ in range(len(_LEVELS) + 1)]  # by severity; the suppressed are the least
        self._titles: dict[str, str] = {}
        self._unit, self._counts = _UNITS[0], Counter[tuple[int, str, str]]()  # by (start of the bucket in s, analyzer, severity)
        self._first = self._last = 0
        self._keys: dict[str, Counter[str]] = {field: Counter() for field in _TOP_FIELDS}
        self._scores: dict[str, list[tuple[int, float, float | None]]] = {}
        self._trends: dict[str, Trend] = {}
        self._places, self._journeys = Counter[tuple[_Place, str]](), Counter[tuple[_Place, _Place, str]]()

    @property
    def placed(self) -> bool:
        """Whether there is anything to draw on a map."""
        return bool(self._places)

    def add(self, alert: StoredAlert) -> None:
        """Takes one."""
        document = msgspec.json.decode(alert.document)
        own = _of(document, "pluginhost")
        own = own if isinstance(own, dict) else {}
        self._keep(alert, document, own)
        if alert.suppressed:
            self.suppressed += 1
            return
        self.total += 1
        self._titles.setdefault(alert.analyzer, _shown(_of(document, "rule.name")))
        self._count(alert.time // 10**9, alert.analyzer, alert.severity)
        for field, counts in self._keys.items():
            if isinstance(value := _of(document, field), (str, int)) and value != "":
                counts[_shown(value)] += 1
                if len(counts) > _KEYS:  # the rare ones are not for a list of the most frequent
                    self._keys[field] = Counter(dict(counts.most_common(_KEYS // 2)))
        if score := _score(own):
            scores = self._scores.setdefault(alert.analyzer, [])
            scores += [(alert.time // 10**6, *score)] if len(scores) < _SCORES else []
        self._place(alert.severity, document, own)

    def draw(self, analyzer: str, time: int, document: bytes) -> None:
        """Takes the document of a score that the analyzer gave at `time` (ns), alert or not."""
        if score := _score(_of(msgspec.json.decode(document), "pluginhost")):
            self._trends.setdefault(analyzer, Trend()).add(time // 10**6, *score)

    def _keep(self, alert: StoredAlert, document: dict[str, Any], own: dict[str, Any]) -> None:
        level = 0 if alert.suppressed else _LEVELS.index(alert.severity) + 1
        if sum(map(len, self._kept)) >= _ALERTS:
            least = next(number for number, rows in enumerate(self._kept) if rows)
            if least >= level:
                return
            self._kept[least].pop()
        self._kept[level].append(_row(alert, document, own))

    def _count(self, second: int, analyzer: str, severity: str) -> None:
        self._first, self._last = (min(self._first, second), max(self._last, second)) if self._counts else (second, second)
        unit = self._unit
        while self._last // unit - self._first // unit >= _BUCKETS:
            unit = next((longer for longer in _UNITS if longer > unit), 2 * unit)
        if unit != self._unit:
            before, self._counts, self._unit = self._counts, Counter(), unit
            for (start, *rest), count in before.items():
                self._counts[start // unit * unit, rest[0], rest[1]] += count
        self._counts[second // unit * unit, analyzer, severity] += 1

    def _place(self, severity: str, document: dict[str, Any], own: dict[str, Any]) -> None:
        here = _here(document)
        if here is None or (len(self._places) >= _PLACES and (here, severity) not in self._places):
            return
        self._places[here, severity] += 1
        if (before := next(_points(own), None)) and len(self._journeys) < _PLACES:
            self._journeys[before, here, severity] += 1

    def data(self) -> dict[str, Any]:
        """Everything the page draws, as plain values; times in ms, points in degrees north and east."""
        by_analyzer, by_level = Counter[str](), Counter[str]()
        for (_, analyzer, severity), count in self._counts.items():
            by_analyzer[analyzer] += count
            by_level[severity] += count
        return {
            "total": self.total, "suppressed": self.suppressed, "unit": self._unit * 1000, "levels": _LEVELS, "by_level": by_level,
            "analyzers": [[name, self._titles[name], count] for name, count in by_analyzer.most_common()],
            "counts": [[start * 1000, analyzer, severity, count] for (start, analyzer, severity), count in sorted(self._counts.items())],
            "keys": {field: counts.most_common(_TOP) for field, counts in self._keys.items() if counts},
            "scores": self._scores, "trends": {name: one.points() for name, one in self._trends.items()},
            "places": [[*place, severity, count] for (place, severity), count in self._places.items()],
            "journeys": [[before, here, severity, count] for (before, here, severity), count in self._journeys.items()],
            "alerts": [row for rows in reversed(self._kept) for row in rows],
        }  # fmt: skip


def _row(alert: StoredAlert, document: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    facts = [(field, _shown(value)) for field in _FACTS if (value := _of(document, field)) not in (None, "", [])]
    written = _leaves({name: value for name, value in own.items() if name not in _KNOWN})
    here, before, usual = _here(document), next(_points(own), None), _usual(own)
    return {"id": alert.id, "time": alert.time // 10**6, "severity": alert.severity, "analyzer": alert.analyzer,
            "suppressed": _shown(alert.suppressed), "headline": _shown(alert.headline), "reason": _shown(_of(document, "event.reason")),
            "facts": [*facts, *islice(written, _LEAVES)], "record": _record(document, own), "evidence": list(_evidence(own)),
            "map": {"here": here, "before": before, "usual": usual} if here and (before or usual) else None}  # fmt: skip


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, text) of everything in it, what is for maps left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _DRAWN:
                yield from _leaves(inner, f"{name}.{key}" if name else key)
    elif value not in (None, "", []):
        yield _shown(name), _shown(value)


def _record(document: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """The flagged record: its line, or its JSON laid out; "" if there is none."""
    text = _of(document, "event.original")
    if not isinstance(text, str):
        return ""
    if text.startswith("{") and len(text) <= _FORMATTED and isinstance(own.get("record"), Mapping):
        text = msgspec.json.format(msgspec.json.encode(own["record"]), indent=2).decode()
    cut = text if len(text) <= _RECORD else f"{text[:_RECORD]}…"
    return "\n".join(printable(line, _RECORD) for line in cut.split("\n"))


def _evidence(own: Mapping[str, Any]) -> Iterator[tuple[int | None, str]]:
    """(time in ms, line) of each record that is kept as evidence."""
    kept = own.get("events")
    for one in kept[:_LINES] if isinstance(kept, list) else ():
        if isinstance(one, Mapping):
            at = one.get("@timestamp")
            time = parse(at) if isinstance(at, str) else None
            yield None if time is None else time // 10**6, _shown(one.get("message"))


def _score(own: Any) -> tuple[float, float | None] | None:
    """(value, threshold) of the score that an alert carries."""
    value, threshold = _number(_of(own, "score.value")), _number(_of(own, "score.threshold"))
    return None if value is None else (value, threshold)


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _of(document: Any, field: str) -> Any:
    for name in field.split("."):
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _shown(value: Any) -> str:
    """The value as one line of text, not too long."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else ", ".join(value) if _words(value) else msgspec.json.encode(value).decode()
    return printable(text, _TEXT)


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _here(document: Mapping[str, Any]) -> _Place | None:
    """Where the record came from."""
    return _placed(_of(document, "source.geo"))


def _points(own: Mapping[str, Any]) -> Iterator[_Place]:
    """The places that the analyzer has written into its alert, beside where the record came from: anything with a `location`."""
    waiting = deque[Any](value for name, value in own.items() if name not in _KNOWN)
    for _ in range(_LOOKED_AT):
        value = waiting.popleft() if waiting else None
        if isinstance(value, Mapping):
            if point := _placed(value):
                yield point
            waiting += list(value.values())[:_LOOKED_AT]
        elif isinstance(value, list):
            waiting += value[:_LOOKED_AT]


def _placed(geo: Any) -> _Place | None:
    if (point := _point(_of(geo, "location"))) is None:
        return None
    names = (_of(geo, name) for name in ("city_name", "country_name", "country_iso_code"))
    return _Place(*point, next((_shown(name) for name in names if isinstance(name, str) and name), ""))


def _usual(own: Mapping[str, Any]) -> list[tuple[float, float, float, float]]:
    """(latitude, longitude, km, km) of the usual places in a profile that is there as GeoJSON, each with the two circles around it."""
    features = _of(own, "geoprofile.places.features")
    found = []
    for one in features[:_LINES] if isinstance(features, list) else ():
        about, point = _of(one, "properties"), _point(_of(one, "geometry.coordinates"))
        circles = _number(_of(about, "inner_km")), _number(_of(about, "outer_km"))
        if point and circles[0] is not None and circles[1] is not None and not _of(about, "candidate"):
            found.append((*point, circles[0], circles[1]))
    return found


def _point(value: Any) -> tuple[float, float] | None:
    """(latitude, longitude) of a place in any form that Elasticsearch takes, to tenths; None if it is none, or on no earth."""
    if isinstance(value, Mapping):
        value = [value.get("lon"), value.get("lat")]
    elif isinstance(value, str):
        value = [part.strip() for part in value.split(",")][::-1]
    if not isinstance(value, list) or len(value) != 2:
        return None
    try:
        longitude, latitude = float(value[0]), float(value[1])
    except (TypeError, ValueError):
        return None
    return (round(latitude, 1), round(longitude, 1)) if abs(latitude) <= 90 and abs(longitude) <= 180 else None
