"""Panels that no classic visualization can show, as Vega: charts of two data views, tables whose numbers have a condition of their
own, and, in `vega_maps`, maps.

Vega 5 and Vega-Lite 4, which OpenSearch Dashboards 2 and 3 and Kibana 8 and 9 all read. Texts have the style of axis labels: to that the
products give a colour that suits their theme.
"""

from __future__ import annotations

from ..model import Layer, Panel
from . import vega_maps
from .vega_data import Spec, asked, expression, histogram, number, own, top

__all__ = ["spec"]

_SHARE = 0.2
"""The width of a column of numbers, of the whole."""


def spec(panel: Panel) -> Spec | None:
    """The specification of a panel, None if a classic visualization can show it."""
    if panel.kind == "points":
        return vega_maps.points(panel)
    if panel.kind == "paths":
        return vega_maps.paths(panel)
    if panel.kind == "chart" and len(panel.layers) > 1:
        return _chart(panel)
    if panel.kind == "table" and any(one.where for one in panel.first.metrics):
        return _table(panel.first)
    return None


# Charts of several data views, over one time axis.


def _chart(panel: Panel) -> Spec:
    """Bars stand behind lines. Each layer has a y axis of its own."""
    layers = sorted(panel.layers, key=lambda one: one.shape != "bar")
    return {"$schema": "https://vega.github.io/schema/vega-lite/v4.json", "layer": list(map(_layer, layers)),
            "resolve": {"scale": {"y": "independent"}}}  # fmt: skip


def _layer(layer: Layer) -> Spec:
    (by,) = layer.by
    labels = [one.label for one in layer.metrics]
    numbers = [{"calculate": expression(at, one), "as": one.label} for at, one in enumerate(layer.metrics)]
    whole = {"tickMinStep": 1} if all(one.op == "count" for one in layer.metrics) else {}
    return {
        "data": asked(layer, "time", {"time": histogram(by, own(layer.metrics))}),
        "transform": [*numbers, {"fold": labels, "as": ["series", "value"]}],
        "mark": {"type": layer.shape, "opacity": 0.6} if layer.shape == "bar" else {"type": layer.shape},
        "encoding": {
            "x": {"field": "key", "type": "temporal", "axis": {"title": None}},
            "y": {"field": "value", "type": "quantitative",
                  "axis": {"title": " · ".join(labels), "orient": "right" if layer.right else "left", "grid": not layer.right, **whole}},
            "color": {"field": "series", "type": "nominal", "legend": {"title": None, "orient": "top"}},
            "tooltip": [{"field": "key", "type": "temporal", "title": by.label, "format": "%Y-%m-%d %H:%M"},
                        {"field": "series", "type": "nominal", "title": "Of"},
                        {"field": "value", "type": "quantitative", "title": "Value"}],
        },
    }  # fmt: skip


# Tables.


def _table(layer: Layer) -> Spec:
    """A head and a row for each value. Numbers stand at the right."""
    (by,) = layer.by
    rows = asked(layer, "rows", {"rows": top(by, layer.metrics, own(layer.metrics))})
    left = 1 - _SHARE * len(layer.metrics)
    columns = [(by.label, "datum.key", 0.0, left), *((one.label, number(at, one), left + _SHARE * (at + 1), _SHARE)
                                                      for at, one in enumerate(layer.metrics))]  # fmt: skip
    return {
        "$schema": "https://vega.github.io/schema/vega/v5.json", "padding": 5,
        "signals": [{"name": "step", "update": f"min(26, height / {by.size + 1})"}],
        "data": [{"name": "rows", **rows, "transform": [{"type": "window", "ops": ["row_number"], "as": ["row"]}]},
                 {"name": "head", "values": [{"row": 0}]}],
        "marks": [{"type": "rule", "from": {"data": "rows"}, "encode": {"update": {
            "x2": {"signal": "width"}, "y": {"signal": "datum.row * step"}, "stroke": {"value": "#98a2b3"}, "opacity": {"value": 0.4}}}},
            *(_cells("head", f"'{label}'", edge, width, "bold") for label, _, edge, width in columns),
            *(_cells("rows", text, edge, width, "normal") for _, text, edge, width in columns)],
    }  # fmt: skip


def _cells(data: str, text: str, edge: float, width: float, weight: str) -> Spec:
    """Texts of one column, right of the left edge of the table or left of an edge of their own; both are shares of the whole width."""
    return {"type": "text", "style": "guide-label", "from": {"data": data}, "encode": {"update": {
        "x": {"signal": f"width * {edge:g}"}, "y": {"signal": "(datum.row + 0.5) * step"}, "text": {"signal": text},
        "align": {"value": "right" if edge else "left"}, "baseline": {"value": "middle"}, "fontSize": {"value": 13},
        "fontWeight": {"value": weight}, "limit": {"signal": f"width * {width:g}"}}}}  # fmt: skip
