"""Data views of Kibana: which indices, which field is their time, and how the values of fields are shown wherever they stand.

Spans of time are said here and not in the columns of a chart: Lens has a format for them from 8.10 on only, but has always taken that of
the field. For the same reason links and colours of risk are seen in searches, tables and on maps alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..model import ALERTS, ALL_STATES, STATES, Dashboard, Metric, View, panels_of
from ..saved import packed

__all__ = ["RISK", "RISK_COLOURS", "view"]

RISK = "event.risk_score"
RISK_COLOURS = ((0, "#6DCCB1"), (47, "#F1D86F"), (73, "#FF957D"), (99, "#E7664C"))
"""Colours of risk, each from a score on: the scores of the four severities, so that a colour means the same everywhere."""

_LINKS = {ALERTS: ("event.url", "pluginhost.alert.dashboard"), STATES: ("pluginhost.state.links",), ALL_STATES: ("pluginhost.state.links",)}
_LINK = {"id": "url", "params": {"type": "a", "labelTemplate": "open", "openLinkInCurrentTab": False}}
_UNTIL = (*(least for least, _ in RISK_COLOURS[1:]), 100)


def view(one: View, dashboards: tuple[Dashboard, ...]) -> dict[str, Any]:
    """The attributes of a data view, with the formats that what is shown of it calls for."""
    time = {"timeFieldName": one.time} if one.time else {}
    return {"title": one.pattern, "name": one.name, **time, "fields": "[]", "fieldFormatMap": packed(_formats(one, dashboards)),
            "fieldAttrs": "{}", "runtimeFieldMap": "{}", "sourceFilters": "[]", "typeMeta": "{}", "allowNoIndex": True}  # fmt: skip


def _formats(one: View, dashboards: tuple[Dashboard, ...]) -> dict[str, Any]:
    formats: dict[str, Any] = dict.fromkeys(_LINKS.get(one, ()), _LINK)
    if one == ALERTS:
        formats[RISK] = _coloured()
    return formats | {metric.field: _written(metric) for metric in _measures(one, dashboards)}


def _measures(one: View, dashboards: tuple[Dashboard, ...]) -> Iterator[Metric]:
    """Numbers with a unit, except for dates, which show as such by themselves."""
    for panel in panels_of(dashboards):
        for layer in panel.layers:
            yield from (metric for metric in layer.metrics if metric.unit not in {"", "date"} and layer.view == one)


def _written(metric: Metric) -> dict[str, Any]:
    """Seconds with their decimals where these matter, else hours, minutes and seconds: words such as "a day" would be too coarse."""
    if metric.unit != "seconds":
        return {"id": metric.unit, "params": {}}
    if not metric.decimals:
        return {"id": "number", "params": {"pattern": "00:00:00"}}
    return {"id": "duration", "params": {"inputFormat": "seconds", "outputFormat": "asSeconds", "outputPrecision": metric.decimals,
                                         "showSuffix": True, "useShortSuffix": True, "includeSpaceWithSuffix": True}}  # fmt: skip


def _coloured() -> dict[str, Any]:
    """Ranges hold both ends; of two that hold a score the later one counts."""
    colours = [{"range": f"{least}:{until}", "regex": "<insert regex>", "text": "#000000", "background": colour}
               for (least, colour), until in zip(RISK_COLOURS, _UNTIL, strict=True)]  # fmt: skip
    return {"id": "color", "params": {"fieldType": "number", "colors": colours}}
