"""One alert for people: who, where, when, why, what was counted and by which signs. From its document alone, cut to what fits a terminal.

Everything in a document may be an attacker's: it is printed on lines of ours, without what a terminal would act on.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..problem import printable
from ..wire.times import parse
from .common import COLORS

__all__ = ["evidence", "told"]

_LABEL = 11  # characters
_MOST = 400  # characters of a field
_PLACES = ("source.geo.city_name", "source.geo.country_name")
_SCORE = (("value", "{}"), ("threshold", "limit {}"), ("actual", "{} counted"), ("expected", "{} expected"))
_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))


def evidence(title: str, alert: Mapping[str, Any], width: int) -> Iterator[str]:
    """The lines of it: the title with analyzer and severity, the headline, then a line or more for each thing it tells."""
    severity = str(alert["severity"])
    yield f"{click.style(title, bold=True)}: {alert['analyzer']}, {click.style(severity, fg=COLORS.get(severity))}"
    for label, text in (("what", str(alert["headline"])), *told(alert["document"])):
        first, *more = textwrap.wrap(printable(text, _MOST), max(width - _LABEL - 2, 20)) or [""]
        yield f"  {click.style(f'{label:<{_LABEL}}', dim=True)}{first}"
        yield from (f"{'':<{_LABEL + 2}}{line}" for line in more)


def told(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what it is, text) for everything that the document tells of these, in this order."""
    made = (("who", _who(document)), ("where", _where(document)), ("when", _when(document)), ("why", _text(document, "event.reason")),
            ("counted", _counted(document)), ("score", _score(document)), ("signs", _listed(document, "pluginhost.signs")),
            ("technique", _listed(document, "threat.technique.id")))  # fmt: skip
    return [(label, text) for label, text in made if text]


def _who(document: Mapping[str, Any]) -> str:
    """The user, what the user touched, the address with its network, the host; those of them that there are."""
    address, network = _text(document, "source.ip"), _text(document, "source.as.organization.name")
    parts = (("", _text(document, "user.name")), ("on the account ", _text(document, "user.target.name")),
             ("from ", f"{address} ({network})" if address and network else address), ("on ", _text(document, "host.name")))  # fmt: skip
    there = [(before, text) for before, text in parts if text]
    return " ".join(text if n == 0 else f"{before}{text}" for n, (before, text) in enumerate(there))


def _where(document: Mapping[str, Any]) -> str:
    """The place; on a journey the one before, too; else what was asked for."""
    here = ", ".join(text for field in _PLACES if (text := _text(document, field)))
    before = _text(document, "pluginhost.travel.from.city_name") or _text(document, "pluginhost.travel.from.country_iso_code")
    if before and here:
        km = _number(_of(document, "pluginhost.travel.distance_km"))
        return f"{here}; before that {before}{f', {km} km away' if km else ''}"
    return here or _text(document, "url.original")


def _when(document: Mapping[str, Any]) -> str:
    """Its time, and how long what it is about went on."""
    begun, ended = (parse(_text(document, field)) for field in ("event.start", "event.end"))
    lasted = (ended - begun) / 1e9 if begun and ended else 0
    unit = next(((size, name) for size, name in _UNITS if lasted >= 2 * size), None)
    over = f", over {lasted / unit[0]:,.0f} {unit[1]}" if unit else ""
    return f"{_text(document, '@timestamp')[:19].replace('T', ' ')} UTC{over}"


def _counted(document: Mapping[str, Any]) -> str:
    count = _of(document, "pluginhost.alert.count")
    return f"{count:,} records" if isinstance(count, int) and count > 1 else ""


def _score(document: Mapping[str, Any]) -> str:
    """The score with its limit, and the number that was met with the one expected."""
    score = _of(document, "pluginhost.score")
    if not isinstance(score, Mapping):
        return ""
    parts = [form.format(number) for name, form in _SCORE if (number := _number(score.get(name)))]
    return ", ".join(parts)


def _listed(document: Mapping[str, Any], field: str) -> str:
    value = _of(document, field)
    return ", ".join(map(str, value)) if isinstance(value, list) else _text(document, field)


def _number(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return ""
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def _text(document: Mapping[str, Any], field: str) -> str:
    value = _of(document, field)
    return value if isinstance(value, str) else ""


def _of(document: Any, field: str) -> Any:
    for part in field.split("."):
        document = document.get(part) if isinstance(document, Mapping) else None
    return document
