"""A backtest as one page of HTML, whole in itself: no network, a little script of its own, light and dark.

What stands in it is the attackers' to write. So everything goes in as data (JSON in which no `<` stands), the script makes text of it and
never markup, and the page's policy allows that one script and nothing else. Bounded, however many alerts there are.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from ..store.alerts import StoredAlert

__all__ = ["Gathered", "page"]

_ALERTS, _SCORES, _TRAVELS = 1000, 4000, 2000
_BUCKETS = 600
_KEYS, _TOP = 10_000, 15
_TEXT = 600  # characters of a text that are shown
_LINES = 10
_LOOKED_AT = 50  # values of an alert, in search of places
_FIELDS = ("user.name", "source.ip", "host.name", "url.path", "source.as.organization.name", "source.geo.country_iso_code")


class Gathered:
    """What a page shows of the alerts it was given: all are counted, the first are shown."""

    def __init__(self) -> None:
        self.total = 0
        self._alerts: list[dict[str, Any]] = []
        self._unit, self._counts = 60, Counter[tuple[int, str]]()  # seconds of a bucket; by (bucket, analyzer)
        self._times: set[int] = set()
        self._severities = Counter[str]()
        self._keys: dict[str, Counter[str]] = {field: Counter() for field in _FIELDS}
        self._scores: list[list[Any]] = []
        self._travels: list[dict[str, Any]] = []

    def add(self, alert: StoredAlert) -> None:
        """Takes one."""
        document = msgspec.json.decode(alert.document)
        self.total += 1
        self._severities[alert.severity] += 1
        self._count(alert.time // 10**9, alert.analyzer)
        for field, counts in self._keys.items():
            if isinstance(value := _of(document, field), (str, int)) and value != "":
                counts[str(value)[:_TEXT]] += 1
                if len(counts) > _KEYS:  # the rare ones are not for a list of the most frequent
                    self._keys[field] = Counter(dict(counts.most_common(_KEYS // 2)))
        own = document.get("pluginhost", {})
        if isinstance(score := own.get("score"), (int, float)) and len(self._scores) < _SCORES:
            threshold = own.get("threshold")
            self._scores.append([alert.time // 10**6, score, threshold if isinstance(threshold, (int, float)) else None, alert.analyzer])
        if len(self._travels) < _TRAVELS and (here := _point(_of(document, "source.geo.location"))):
            before = next(_points(own), None)
            self._travels.append({"to": here, "from": before, "who": _shown(_of(document, "user.name")), "time": alert.time // 10**6})
        if len(self._alerts) < _ALERTS:
            self._alerts.append(_row(alert, document, own))

    def _count(self, second: int, analyzer: str) -> None:
        self._counts[second // self._unit, analyzer] += 1
        self._times.add(second // self._unit)
        while max(self._times) - min(self._times) >= _BUCKETS:
            self._unit *= 2
            self._times = {time // 2 for time in self._times}
            halved = Counter[tuple[int, str]]()
            for (time, name), count in self._counts.items():
                halved[time // 2, name] += count
            self._counts = halved

    def data(self) -> dict[str, Any]:
        """Everything the page draws, as plain values; times in ms."""
        by_analyzer = Counter[str]()
        for (_, name), count in self._counts.items():
            by_analyzer[name] += count
        series = {name: sorted([time * self._unit * 1000, count] for (time, other), count in self._counts.items() if other == name)
                  for name, _ in by_analyzer.most_common()}  # fmt: skip
        keys = {field: counts.most_common(_TOP) for field, counts in self._keys.items() if counts}
        return {"total": self.total, "unit": self._unit * 1000, "series": series, "severities": self._severities, "keys": keys,
                "scores": self._scores, "travels": self._travels, "alerts": self._alerts}  # fmt: skip


def page(gathered: Gathered, *, title: str, told: Sequence[str]) -> str:
    """The page. `told` are lines about the run."""
    data = msgspec.json.encode({"told": list(told), **gathered.data()}).decode()
    for sign, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        data = data.replace(sign, escape)
    text = files(__package__).joinpath("report.html").read_text("utf-8")
    script = text.partition("<script>")[2].partition("</script>")[0]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head, _, tail = text.partition("{{data}}")  # what is put in is never looked through for more places
    return head.replace("{{script}}", allowed).replace("{{title}}", html.escape(title[:_TEXT])) + data + tail


def _row(alert: StoredAlert, document: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    kept = own.get("events")
    evidence = [_shown(one.get("message")) for one in kept[:_LINES] if isinstance(one, dict)] if isinstance(kept, list) else []
    facts = {field: _shown(value) for field in (*_FIELDS, "user_agent.original", "event.action", "event.outcome")
             if (value := _of(document, field)) not in (None, "")}  # fmt: skip
    return {"id": alert.id, "time": alert.time // 10**6, "severity": alert.severity, "analyzer": alert.analyzer,
            "headline": _shown(alert.headline), "reason": _shown(_of(document, "event.reason")), "facts": facts,
            "original": _shown(_of(document, "event.original")), "evidence": evidence}  # fmt: skip


def _of(document: Mapping[str, Any], field: str) -> Any:
    value: Any = document
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _shown(value: Any) -> str:
    """The value as text, not too long."""
    text = value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def _points(own: Mapping[str, Any]) -> Iterator[list[float]]:
    """The places that the analyzer has written into its alert, beside where the record came from: anything called `location`."""
    waiting = deque[Any](value for name, value in own.items() if name not in ("record", "source", "events"))
    for _ in range(_LOOKED_AT):
        value = waiting.popleft() if waiting else None
        if isinstance(value, Mapping):
            if point := _point(value.get("location")):
                yield point
            waiting += list(value.values())[:_LOOKED_AT]
        elif isinstance(value, list):
            waiting += value[:_LOOKED_AT]


def _point(value: Any) -> list[float] | None:
    """[latitude, longitude] of a place in any form that Elasticsearch takes; None if it is none, or on no earth."""
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
    return [latitude, longitude] if abs(latitude) <= 90 and abs(longitude) <= 180 else None
