"""Panels as maps: points of documents, and paths between two places of a document.

The form is that of 8.4, which 8.9 and later take. The base map comes from Elastic's service if Kibana reaches it; without it the layers
stand on white. A map opens on the whole world and moves to where its data is.
"""

from __future__ import annotations

from typing import Any

from ..model import Metric, Panel
from ..saved import Reference, packed, reference
from .columns import condition
from .views import RISK_COLOURS

__all__ = ["map_"]

Layer = dict[str, Any]
Style = dict[str, Any]
_TOLD = ["user.name", "source.ip", "rule.id", "event.reason", "pluginhost.alert.fingerprint", "event.url"]
_PATH, _END = "#6092C0", "#E7664C"
_BY_DATA = {"isEnabled": True, "sigma": 3}  # a scale is taken from all data, not from what is in sight; outliers do not stretch it


def map_(panel: Panel) -> tuple[dict[str, Any], list[Reference]]:
    """The attributes of a map but its description, and what it refers to."""
    layers = [_base(), *(_points(panel) if panel.kind == "points" else _paths(panel))]
    references = []
    for at, one in enumerate(layers[1:], 1):
        name = f"layer_{at}_source_index_pattern"
        one["sourceDescriptor"]["indexPatternRefName"] = name
        references.append(reference(name, "index-pattern", panel.first.view.id))
    state = {"zoom": 1.2, "center": {"lon": 0, "lat": 25}, "timeFilters": {"from": "now-24h", "to": "now"},
             "refreshConfig": {"isPaused": True, "interval": 60_000}, "query": condition(""), "filters": [],
             "settings": {"autoFitToDataBounds": True, "initialLocation": "LAST_SAVED_LOCATION"}}  # fmt: skip
    return {"title": panel.title, "mapStateJSON": packed(state), "layerListJSON": packed(layers),
            "uiStateJSON": packed({"isLayerTOCOpen": False, "openTOCDetails": []})}, references  # fmt: skip


def _base() -> Layer:
    source = {"type": "EMS_TMS", "isAutoSelect": True, "lightModeDefault": "road_map_desaturated"}
    return {"id": "base", "type": "EMS_VECTOR_TILE", "label": None, "sourceDescriptor": source, "alpha": 1, "visible": True,
            "minZoom": 0, "maxZoom": 24, "style": {"type": "EMS_VECTOR_TILE", "color": ""}}  # fmt: skip


def _points(panel: Panel) -> list[Layer]:
    """Each document at its place, coloured by the field of the panel's number."""
    ramp = [{"stop": least, "color": colour} for least, colour in RISK_COLOURS]
    colour = _dynamic(panel.first.metrics[0].field, type="ORDINAL", color="Yellow to Red", useCustomColorRamp=True, customColorRamp=ramp)
    return [_documents(panel, panel.at, panel.title, colour)]


def _paths(panel: Panel) -> list[Layer]:
    """Lines from one place to the other, as wide as their number is great, and where they end each document to be read."""
    metric = panel.first.metrics[0]
    source = {"type": "ES_PEW_PEW", "id": "paths", "sourceGeoField": panel.at, "destGeoField": panel.to, "metrics": [_metric(metric)],
              "applyGlobalQuery": True, "applyGlobalTime": True, "applyForceRefresh": True}  # fmt: skip
    width = _dynamic(f"{metric.op}_of_{metric.field}", minSize=1, maxSize=8)
    lines = _vector(panel, f"{panel.title}: {metric.label.lower()}", source, {"lineColor": _static(color=_PATH), "lineWidth": width})
    return [lines, _documents(panel, panel.to, f"{panel.title}: to", _static(color=_END))]


def _metric(one: Metric) -> dict[str, str]:
    return {"type": one.op, "field": one.field, "label": one.label}


def _documents(panel: Panel, at: str, label: str, colour: Style) -> Layer:
    source = {"type": "ES_SEARCH", "id": "documents", "geoField": at, "scalingType": "LIMIT", "filterByMapBounds": True,
              "tooltipProperties": _TOLD, "sortField": panel.first.view.time, "sortOrder": "desc",
              "applyGlobalQuery": True, "applyGlobalTime": True, "applyForceRefresh": True}  # fmt: skip
    style = {"symbolizeAs": {"options": {"value": "circle"}}, "iconSize": _static(size=7), "fillColor": colour,
             "lineColor": _static(color="#FFFFFF"), "lineWidth": _static(size=1)}  # fmt: skip
    return _vector(panel, label, source, style)


def _vector(panel: Panel, label: str, source: dict[str, Any], style: Style) -> Layer:
    return {"id": source["id"], "type": "GEOJSON_VECTOR", "label": label, "sourceDescriptor": source, "alpha": 0.8, "visible": True,
            "minZoom": 0, "maxZoom": 24, "includeInFitToBounds": True, "joins": [], "query": condition(panel.first.where),
            "style": {"type": "VECTOR", "isTimeAware": True, "properties": style}}  # fmt: skip


# Styles. What is not said of a layer is as Kibana has it by default, which also minds the dark theme.


def _static(**options: Any) -> Style:
    return {"type": "STATIC", "options": options}


def _dynamic(field: str, **options: Any) -> Style:
    return {"type": "DYNAMIC", "options": {"field": {"name": field, "origin": "source"}, "fieldMetaOptions": _BY_DATA, **options}}
