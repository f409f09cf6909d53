"""Whether a Lens visualization agrees with itself: its columns with their order and their fields, its chart with its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from .contents import Opened, Views
from .lens_charts import Datatable, MetricChart, PieLayer, Sorting, XyLayer
from .lens_columns import RECORDS, Column, Counted, DateHistogram, Filters, Max, Measure, Measured, Min, Percentile, Terms
from .lens_shapes import Layer, Lens
from .mapping import type_of
from .references import layer_reference

__all__ = ["lens"]

_DATA_TYPES = {"keyword": "string", "ip": "ip", "long": "number", "float": "number", "boolean": "boolean", "date": "date"}


def lens(found: Sequence[Opened], views: Views) -> Iterator[str]:
    """What is wrong with the Lens visualizations."""
    for one in found:
        if isinstance(one.content, Lens):
            for key, layer in one.content.layers.items():
                path = f"state.datasourceStates.formBased.layers.{key}"
                yield from (one.said(f"{path}.{at}", what) for at, what in (*_order(layer), *_operations(layer)))
                yield from (one.said(f"{path}.{at}", what) for at, what in _of_view(layer, one, key, views))
            yield from (one.said(f"state.visualization.{at}".rstrip("."), what) for at, what in _chart(one.content))


Said = Iterator[tuple[str, str]]
"""Places within a layer or a chart, with what is wrong there."""


def _order(layer: Layer) -> Said:
    if sorted(layer.order) != sorted(layer.columns):
        yield "columnOrder", f"has {', '.join(layer.order)}; the columns are {', '.join(layer.columns)}"
        return
    kinds = [layer.columns[name].bucketed for name in layer.order]
    if kinds != sorted(kinds, reverse=True):
        yield "columnOrder", "a number stands before what documents are told apart by"
    if not layer.columns:
        yield "columns", "there are none"


def _operations(layer: Layer) -> Said:
    for name, column in layer.columns.items():
        if column.is_bucketed is not column.bucketed:
            yield f"columns.{name}.isBucketed", f"is {str(column.is_bucketed).lower()}, which {_operation(column)} is not"
        if isinstance(column, Terms):
            yield from _ordered(layer, name, column)
        elif isinstance(column, Counted) and column.source_field != RECORDS:
            yield f"columns.{name}.sourceField", f"a count is of {RECORDS}, not of {column.source_field}"


def _operation(column: Column) -> str:
    return str(column.__struct_config__.tag)


def _ordered(layer: Layer, name: str, column: Terms) -> Said:
    order, path = column.params.order_by, f"columns.{name}.params.orderBy"
    if order.type == "alphabetical":
        return
    by = layer.columns.get(order.column_id) if isinstance(order.column_id, str) else None
    if by is None:
        yield f"{path}.columnId", f"there is no column {order.column_id!r}" if isinstance(order.column_id, str) else "names no column"
    elif not isinstance(by, Measure):
        yield f"{path}.columnId", f"{order.column_id!r} is no number"
    elif isinstance(by, Percentile) and by.params.percentile % 1:
        yield f"{path}.columnId", "a percentile with a fraction cannot be ordered by"


def _of_view(layer: Layer, one: Opened, key: str, views: Views) -> Said:
    """What depends on the data view: the types of its fields, and whether it has a time."""
    reference = one.references.get(layer_reference(key))
    if reference is None or reference.id not in views:
        return
    kind, view = views[reference.id]
    for name, column in layer.columns.items():
        if isinstance(column, Terms | Max | Min):
            mapped = _DATA_TYPES.get(type_of(kind, column.source_field) or "")
            if mapped and mapped != column.data_type:
                yield f"columns.{name}.dataType", f"is {column.data_type}, that of {column.source_field} is {mapped}"
        elif isinstance(column, Measured) and column.data_type != "number":
            yield f"columns.{name}.dataType", f"is {column.data_type}, {_operation(column)} gives a number"
        if not view.time and (isinstance(column, DateHistogram) or (isinstance(column, Measure) and column.time_shift)):
            yield f"columns.{name}", f"needs a time, and {one.references[layer_reference(key)].id} has no timeFieldName"


def _chart(content: Lens) -> Said:
    chart = content.chart
    shown = {layer.layer_id for layer in chart.shown()}
    for name, count in Counter(layer.layer_id for layer in chart.shown()).items():
        if count > 1:
            yield "layers", f"{count} layers have the layerId {name!r}"
    yield from (("", f"nothing is drawn of the layer {name}") for name in content.layers if name not in shown)
    for layer in chart.shown():
        asked = content.layers.get(layer.layer_id)
        if asked is None:
            yield "layerId", f"there is no layer {layer.layer_id!r}"
            continue
        used = dict(layer.used())
        yield from ((place, f"there is no column {name!r}") for name, place in used.items() if name not in asked.columns)
        yield from (("", f"the column {name} is used by nothing") for name in asked.columns if name not in used)
        yield from _roles(layer, asked)


def _roles(layer: Datatable | MetricChart | PieLayer | XyLayer, asked: Layer) -> Said:
    """Numbers where numbers are drawn, and what documents are told apart by where that is meant."""
    if isinstance(layer, XyLayer):
        yield from (("accessors", f"{name} is no number") for name in layer.accessors if _is_bucket(asked, name))
        for place, name in (("xAccessor", layer.x_accessor), ("splitAccessor", layer.split_accessor)):
            if isinstance(name, str) and name in asked.columns and not _is_bucket(asked, name):
                yield place, f"{name} is a number, nothing that documents are told apart by"
        yield from (("yConfig", f"forAccessor {each.for_accessor!r} is none of the accessors") for each in layer.y_config
                    if each.for_accessor not in layer.accessors)  # fmt: skip
    elif isinstance(layer, PieLayer):
        yield from (("primaryGroups", f"{name} is a number") for name in layer.primary_groups if not _is_bucket(asked, name))
        yield from (("metrics", f"{name} is no number") for name in layer.metrics if _is_bucket(asked, name))
    elif isinstance(layer, MetricChart):
        if _is_bucket(asked, layer.metric_accessor):
            yield "metricAccessor", f"{layer.metric_accessor} is no number"
    elif isinstance(layer.sorting, Sorting) and layer.sorting.column_id not in asked.columns:
        yield "sorting.columnId", f"there is no column {layer.sorting.column_id!r}"


def _is_bucket(asked: Layer, name: str) -> bool:
    column = asked.columns.get(name)
    return isinstance(column, DateHistogram | Terms | Filters)
