"""Panels as classic visualizations: the `visState` of metric, chart, table, donut, text and controls.

The aggregations of OpenSearch Dashboards 2 and 3, which Kibana 8 and 9 read too. Ids: metrics are "1", "2" and so on, what they are told
apart by follows. What no aggregation can say (two data views in one chart, numbers under a condition of their own, maps) is `vega`'s.
"""

from __future__ import annotations

from typing import Any

from ..model import By, Control, Layer, Metric, Panel

__all__ = ["AGGREGATIONS", "chart", "controls", "donut", "metric", "ordered", "table", "text"]

Aggs = list[dict[str, Any]]
State = dict[str, Any]

AGGREGATIONS = {"count": "count", "unique": "cardinality", "max": "max", "avg": "avg", "sum": "sum", "median": "median",
                "percentile": "percentiles"}  # fmt: skip
"""What each of the model's operations is called."""
_INTERVALS = {"auto": "auto", "1m": "m", "1h": "h", "1d": "d", "1M": "M"}
_SHAPES = {"bar": ("histogram", "histogram", "stacked"), "bars": ("horizontal_bar", "histogram", "stacked"),
           "line": ("line", "line", "normal"), "area": ("area", "area", "stacked")}  # fmt: skip
"""The visualization, the shape of its series, and how they stand to each other."""
_CHOICES = 100  # values offered by a control: of texts more are found by typing


def metric(panel: Panel) -> State:
    """One big number. What it is, the panel's title says."""
    style = {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 40}
    shown = {"percentageMode": False, "useRanges": False, "colorSchema": "Green to Red", "metricColorMode": "None",
             "colorsRange": [{"from": 0, "to": 10000}], "labels": {"show": False}, "invertColors": False, "style": style}  # fmt: skip
    return _state(panel, "metric", {"addTooltip": True, "addLegend": False, "type": "metric", "metric": shown}, _metrics(panel.first))


def donut(panel: Panel) -> State:
    """Shares of a ring, with their percentages."""
    labels = {"show": True, "values": True, "last_level": True, "truncate": 100}
    params = {"type": "pie", "addTooltip": True, "addLegend": True, "legendPosition": "right", "isDonut": True, "labels": labels}
    return _state(panel, "pie", params, _metrics(panel.first) + _buckets(panel.first, "segment"))


def table(panel: Panel) -> State:
    """A row for each value; how it is sorted is said by `ordered`."""
    params = {"perPage": panel.first.by[0].size, "showPartialRows": False, "showMetricsAtAllLevels": False, "showTotal": False,
              "totalFunc": "sum", "percentageCol": ""}  # fmt: skip
    return _state(panel, "table", params, _metrics(panel.first) + _buckets(panel.first, "bucket"))


def ordered(panel: Panel) -> dict[str, Any]:
    """The state in which a table opens: by the metric that its first values are chosen by, falling, or by the values, rising."""
    by = panel.first.by
    at, direction = (0, "asc") if by[0].order < 0 else (len(by) + by[0].order, "desc")
    # The first is of OpenSearch Dashboards, the second of Kibana.
    return {"vis": {"sortColumn": {"colIndex": at, "direction": direction},
                    "params": {"sort": {"columnIndex": at, "direction": direction}}}}  # fmt: skip


def chart(panel: Panel) -> State:
    """Bars, lines or areas of one data view. The series are chosen over the whole time, so they come before the axis."""
    layer = panel.first
    kind, shape, mode = _SHAPES[layer.shape]
    axis, *split = _buckets(layer, "segment", "group")
    series = [_series(shape, mode, one.label, str(at)) for at, one in enumerate(layer.metrics, 1)]
    params = _axes(layer) | {
        "type": shape, "grid": {"categoryLines": False}, "seriesParams": series, "addTooltip": True,
        "addLegend": bool(split) or len(series) > 1, "legendPosition": "right", "times": [], "addTimeMarker": False,
        "labels": {"show": False}, "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }  # fmt: skip
    return _state(panel, kind, params, [*_metrics(layer), *split, axis])


def text(panel: Panel) -> State:
    """Markdown; links stay in the same tab."""
    return _state(panel, "markdown", {"fontSize": 12, "openLinksInNewTab": False, "markdown": panel.text}, [])


def controls(title: str, chosen: tuple[Control, ...]) -> State:
    """Fields to choose values of; the data view of each is its reference `control_<n>_index_pattern`."""
    listed = [{"id": one.field, "fieldName": one.field, "parent": "", "label": one.label, "type": "list",
               "options": {"type": "terms", "multiselect": True, "dynamicOptions": True, "size": _CHOICES, "order": "desc"},
               "indexPatternRefName": f"control_{at}_index_pattern"} for at, one in enumerate(chosen)]  # fmt: skip
    return {"title": title, "type": "input_control_vis", "aggs": [],
            "params": {"controls": listed, "updateFiltersOnChange": True, "useTimeFilter": True, "pinFilters": False}}  # fmt: skip


def _state(panel: Panel, kind: str, params: dict[str, Any], aggs: Aggs) -> State:
    return {"title": panel.title, "type": kind, "aggs": aggs, "params": params}


def _axes(layer: Layer) -> dict[str, Any]:
    """Both axes, the values' from 0 on. Its title is the only metric's name; of several the legend tells."""
    lying = layer.shape == "bars"
    category = {"id": "CategoryAxis-1", "type": "category", "position": "left" if lying else "bottom", "show": True, "style": {},
                "scale": {"type": "linear"}, "labels": {"show": True, "rotate": 0, "filter": not lying, "truncate": 200},
                "title": {}}  # fmt: skip
    value = {"id": "ValueAxis-1", "name": "LeftAxis-1", "type": "value", "position": "bottom" if lying else "left", "show": True,
             "style": {}, "scale": {"type": "linear", "mode": "normal"},
             "labels": {"show": True, "rotate": 0, "filter": lying, "truncate": 100},
             "title": {"text": layer.metrics[0].label if len(layer.metrics) == 1 else ""}}  # fmt: skip
    return {"categoryAxes": [category], "valueAxes": [value]}


def _series(shape: str, mode: str, label: str, agg: str) -> dict[str, Any]:
    return {"show": True, "type": shape, "mode": mode, "data": {"label": label, "id": agg}, "valueAxis": "ValueAxis-1",
            "drawLinesBetweenPoints": True, "lineWidth": 2, "interpolate": "linear", "showCircles": True}  # fmt: skip


def _metrics(layer: Layer) -> Aggs:
    return [_agg(str(at), AGGREGATIONS[one.op], "metric", _measured(one)) for at, one in enumerate(layer.metrics, 1)]


def _measured(one: Metric) -> dict[str, Any]:
    if one.where:
        raise ValueError(f"{one.label}: no aggregation of a visualization has a condition of its own")
    params: dict[str, Any] = {"field": one.field} if one.field else {}
    if one.op == "percentile":
        params["percents"] = [one.percentile]
    return params | {"customLabel": one.label}


def _buckets(layer: Layer, *schemas: str) -> Aggs:
    """Each of `by` as an aggregation; the last of `schemas` holds for all that follow."""
    first = len(layer.metrics) + 1
    return [_bucket(str(first + at), schemas[min(at, len(schemas) - 1)], by, layer) for at, by in enumerate(layer.by)]


def _bucket(agg: str, schema: str, by: By, layer: Layer) -> dict[str, Any]:
    if by.op == "time":
        # Without a label of ours the axis says which interval the product has taken.
        return _agg(agg, "date_histogram", schema, {
            "field": by.field, "interval": _INTERVALS[by.interval], "useNormalizedEsInterval": True,
            "useNormalizedOpenSearchInterval": True, "scaleMetricValues": False, "drop_partials": False, "min_doc_count": 1,
            "extended_bounds": {}})  # fmt: skip
    if by.op == "filters":
        told = [{"input": {"query": query, "language": "kuery"}, "label": label} for label, query in by.filters]
        return _agg(agg, "filters", schema, {"filters": told})
    return _agg(agg, "terms", schema, {
        "field": by.field, **_order(by, layer), "size": by.size, "otherBucket": False, "otherBucketLabel": "Other",
        "missingBucket": False, "missingBucketLabel": "Missing", "customLabel": by.label})  # fmt: skip


def _order(by: By, layer: Layer) -> dict[str, str]:
    if by.order < 0:
        return {"orderBy": "_key", "order": "asc"}
    chosen = layer.metrics[by.order]
    agg = str(by.order + 1)
    # A server orders by one value of a percentiles aggregation, which a median is too, and wants to be told which.
    which = {"median": ".50", "percentile": f".{chosen.percentile:g}"}.get(chosen.op, "")
    return {"orderBy": agg + which, "order": "desc"}


def _agg(agg: str, kind: str, schema: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"id": agg, "enabled": True, "type": kind, "schema": schema, "params": params}
