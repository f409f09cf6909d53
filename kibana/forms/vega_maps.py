"""Maps as Vega: places as discs, paths as curves, over the product's own base map.

A place is a cell of the finest grid, so it is known by its own position and no two are thrown together. Discs grow with the number of
documents; the colour is the panel's metric.
"""

from __future__ import annotations

from typing import Any

from ..model import Metric, Panel
from .vega_data import Spec, asked, expression, number, own

__all__ = ["paths", "points"]

_PLACES = 2000  # at most, those with most documents; and so many starts of paths for each end
_STARTS = 50
_EXACT = 29
_TOLD = (("Users", "user.name"), ("Sources", "source.ip"), ("Rules", "rule.id"))
"""What a place tells of itself: the three most frequent of each."""


def points(panel: Panel) -> Spec:
    """Where the documents of a panel are."""
    metric = panel.first.metrics[0]
    places = _grid(panel.at, _PLACES, own((metric,)) | _names())
    shown = [_projected("at", "x", "y"), *_said("datum", metric)]
    return _map(metric, asked(panel.first, "places", {"places": places}), shown, [_discs("x", "y")])


def paths(panel: Panel) -> Spec:
    """Ways from one place to another, by their ends, then by their starts; at its end each has a disc."""
    metric = panel.first.metrics[0]
    starts = _grid(panel.at, _STARTS, own((metric,)) | _names())
    ends = _grid(panel.to, _PLACES, {"starts": starts})
    # The control point lies beside the middle, so that a way there and the way back are two curves.
    curve = ("'M' + datum.x + ',' + datum.y + 'Q' + ((datum.x + datum.x2) / 2 + (datum.y2 - datum.y) / 6) + ','"
             " + ((datum.y + datum.y2) / 2 - (datum.x2 - datum.x) / 6) + ',' + datum.x2 + ',' + datum.y2")  # fmt: skip
    shown = [{"type": "flatten", "fields": ["starts.buckets"], "as": ["start"]}, _projected("start.at", "x", "y"),
             _projected("at", "x2", "y2"), *_said("datum.start", metric), {"type": "formula", "as": "curve", "expr": curve}]  # fmt: skip
    return _map(metric, asked(panel.first, "ends", {"ends": ends}), shown, [_curves(), _discs("x2", "y2")])


def _grid(field: str, size: int, aggs: Spec) -> Spec:
    return {"geotile_grid": {"field": field, "precision": _EXACT, "size": size}, "aggs": {"at": {"geo_centroid": {"field": field}}, **aggs}}


def _names() -> Spec:
    return {label.lower(): {"terms": {"field": field, "size": 3}} for label, field in _TOLD}


def _said(bucket: str, metric: Metric) -> list[Spec]:
    """What the marks need of a bucket: its metric, its number of documents, and what is said of it under the pointer."""
    names = [f"{label}: join(pluck({bucket}.{label.lower()}.buckets, 'key'), ', ')" for label, _ in _TOLD]
    tip = f"{{'{metric.label}': {number(0, metric, bucket)}, Alerts: {bucket}.doc_count, {', '.join(names)}}}"
    return [{"type": "formula", "as": "measure", "expr": expression(0, metric, bucket)},
            {"type": "formula", "as": "count", "expr": f"{bucket}.doc_count"}, {"type": "formula", "as": "tip", "expr": tip}]  # fmt: skip


def _projected(place: str, x: str, y: str) -> Spec:
    """The position of a place on the screen. The products give the projection, and it follows the map."""
    return {"type": "geopoint", "projection": "projection", "fields": [f"{place}.location.lon", f"{place}.location.lat"], "as": [x, y]}


def _map(metric: Metric, data: Spec, transform: list[Spec], marks: list[Spec]) -> Spec:
    colour = {"name": "colour", "type": "linear", "domain": {"data": "places", "field": "measure"}, "zero": True, "nice": True,
              "range": {"scheme": "yelloworangered"}}  # fmt: skip
    size = {"name": "size", "type": "sqrt", "domain": {"data": "places", "field": "count"}, "zero": True, "range": [40, 600]}
    legend = {"fill": "colour", "title": metric.label, "orient": "bottom-right", "fillColor": "#ffffff", "padding": 6,
              "titleColor": "#343741", "labelColor": "#343741"}  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega/v5.json",
        "config": {"kibana": {"type": "map", "latitude": 25, "longitude": 10, "zoom": 2, "mapStyle": "default"}},
        "data": [{"name": "places", **data, "transform": transform}],
        "scales": [colour, size], "legends": [legend], "marks": marks,
    }  # fmt: skip


def _discs(x: str, y: str) -> Spec:
    return _mark("symbol", x={"field": x}, y={"field": y}, size={"scale": "size", "field": "count"},
                 fill={"scale": "colour", "field": "measure"}, fillOpacity={"value": 0.8}, stroke={"value": "#343741"},
                 strokeWidth={"value": 0.5}, tooltip={"field": "tip"})  # fmt: skip


def _curves() -> Spec:
    return _mark("path", path={"field": "curve"}, stroke={"scale": "colour", "field": "measure"}, strokeWidth={"value": 2},
                 tooltip={"field": "tip"})  # fmt: skip


def _mark(kind: str, **channels: Any) -> Spec:
    return {"type": kind, "from": {"data": "places"}, "encode": {"update": channels}}
