"""Panels as Lens visualizations: big numbers, charts, tables and donuts.

Their state is that of 8.9, which all later versions take. What is asked stands in `columns`; here is how it is drawn. Lens has one query
for all layers: where theirs differ it is empty, and each number has its layer's condition.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..model import Layer, Panel
from ..saved import Reference, reference
from .columns import asked, condition, ids

__all__ = ["lens", "titled"]

State = dict[str, Any]
_SHAPES = {"bar": "bar_stacked", "bars": "bar_horizontal", "line": "line", "area": "area_stacked"}
_WIDTHS = {"date": 190, "seconds": 120}
_WIDTH = 105  # of a number, px; what is left is shared by the columns of values


def lens(panel: Panel) -> tuple[dict[str, Any], list[Reference]]:
    """The attributes of a visualization but its description, and what it refers to."""
    drawn, draw = {"metric": ("lnsMetric", _metric), "chart": ("lnsXY", _chart), "table": ("lnsDatatable", _table),
                   "donut": ("lnsPie", _donut)}[panel.kind]  # fmt: skip
    layers = _named(_labelled(panel) if titled(panel) else panel)
    wheres = {one.where for one in panel.layers}
    common = wheres.pop() if len(wheres) == 1 else ""
    sources = {id_: asked(id_, one, "" if common else one.where) for id_, one in layers.items()}
    state = {"datasourceStates": {"formBased": {"layers": sources}}, "visualization": draw(panel, layers), "query": condition(common),
             "filters": [], "internalReferences": [], "adHocDataViews": {}}  # fmt: skip
    references = [reference(f"indexpattern-datasource-layer-{id_}", "index-pattern", one.view.id) for id_, one in layers.items()]
    return {"title": panel.title, "visualizationType": drawn, "state": state}, references


def titled(panel: Panel) -> bool:
    """Whether a number says its title itself, beside it. With a description it does not: that stands at the title of the panel."""
    return panel.kind == "metric" and not panel.description


def _labelled(panel: Panel) -> Panel:
    only = msgspec.structs.replace(panel.first.metrics[0], label=panel.title)
    return msgspec.structs.replace(panel, layers=(msgspec.structs.replace(panel.first, metrics=(only,)),))


def _named(panel: Panel) -> dict[str, Layer]:
    return {f"layer{at}": one for at, one in enumerate(panel.layers, 1)}


def _metric(panel: Panel, layers: dict[str, Layer]) -> State:
    ((id_, layer),) = layers.items()
    label = panel.first.metrics[0].label
    subtitle = {"subtitle": label} if titled(panel) and label != panel.title else {}
    return {"layerId": id_, "layerType": "data", "metricAccessor": ids(id_, layer)[1][0], **subtitle}


def _chart(panel: Panel, layers: dict[str, Layer]) -> State:
    """Axes begin at zero. A line that has a gap stays broken: nothing was heard then, and a straight line would hide it."""
    lying = panel.first.shape == "bars"
    split = any(len(one.by) > 1 for one in panel.layers)
    legend = {"isVisible": True, "showSingleSeries": False, "position": "right" if split else "bottom", "shouldTruncate": True,
              "maxLines": 1}  # fmt: skip
    # What is at the left is named by the panel's title or the legend; what has an axis of its own needs to be told from it.
    titles = {"x": False, "yLeft": False, "yRight": True}
    return {"preferredSeriesType": _series(panel.first), "legend": legend, "valueLabels": "show" if lying else "hide",
            "fittingFunction": "None", "yLeftExtent": {"mode": "full"}, "yRightExtent": {"mode": "full"},
            "axisTitlesVisibilitySettings": titles, "layers": [_drawn(id_, one) for id_, one in layers.items()]}  # fmt: skip


def _drawn(id_: str, layer: Layer) -> State:
    (x, *split), metrics = ids(id_, layer)
    state: State = {"layerId": id_, "layerType": "data", "seriesType": _series(layer), "xAccessor": x, "accessors": metrics}
    if split:
        state["splitAccessor"] = split[0]
    if layer.right:
        state["yConfig"] = [{"forAccessor": one, "axisMode": "right"} for one in metrics]
    return state


def _series(layer: Layer) -> str:
    stacked = "_stacked" if layer.shape == "bars" and len(layer.by) > 1 else ""
    return _SHAPES[layer.shape] + stacked


def _table(panel: Panel, layers: dict[str, Layer]) -> State:
    """Sorted by what its first values are chosen by; a click on a value makes it a filter."""
    ((id_, layer),) = layers.items()
    by, metrics = ids(id_, layer)
    at = layer.by[0].order
    values = [{"columnId": one, "isTransposed": False, "oneClickFilter": True} for one in by]
    numbers = [{"columnId": one, "isTransposed": False, "isMetric": True, "width": _WIDTHS.get(metric.unit, _WIDTH)}
               for one, metric in zip(metrics, layer.metrics, strict=True)]  # fmt: skip
    sorting = {"columnId": by[0], "direction": "asc"} if at < 0 else {"columnId": metrics[at], "direction": "desc"}
    return {"layerId": id_, "layerType": "data", "columns": [*values, *numbers], "sorting": sorting, "headerRowHeight": "auto"}


def _donut(panel: Panel, layers: dict[str, Layer]) -> State:
    """Names and shares stand at the slices; a legend would only repeat them."""
    ((id_, layer),) = layers.items()
    by, metrics = ids(id_, layer)
    return {"shape": "donut", "layers": [{
        "layerId": id_, "layerType": "data", "primaryGroups": by, "metrics": metrics[:1], "numberDisplay": "percent", "percentDecimals": 0,
        "categoryDisplay": "default", "legendDisplay": "default", "nestedLegend": False}]}  # fmt: skip
