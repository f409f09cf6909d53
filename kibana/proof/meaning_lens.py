"""What Lens asks and shows: numbers, charts, tables and donuts over columns of a data view.

Each layer is a request. Its columns nest in its `columnOrder`, as they do in Lens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from ..saved import SavedObject
from .aggregations import Measure, Row, Split, aggs, by_value, ordered, rows
from .answers import Answer, Series
from .intervals import histogram, iso
from .setting import MeaningError, Question, Reply, Setting, View, unit_of

__all__ = ["lens"]

Column = dict[str, Any]
_OPERATIONS = {"unique_count": "cardinality", "max": "max", "min": "min", "average": "avg", "sum": "sum"}
_SHAPES: dict[str, Literal["bar", "bars", "line", "area"]] = {
    "bar": "bar", "bar_stacked": "bar", "bar_horizontal": "bars", "bar_horizontal_stacked": "bars", "line": "line", "area": "area",
    "area_stacked": "area"}  # fmt: skip


class _Layer(msgspec.Struct, frozen=True):
    """A layer's columns in their order, what they split by and measure, and its request."""

    view: View
    columns: Mapping[str, Column]
    splits: tuple[Split, ...]
    measures: tuple[Measure, ...]
    asked: dict[str, Any]

    def label(self, column: str) -> str:
        return str(self.columns[column]["label"])

    def unit(self, column: str) -> str:
        """As the column's own format says, else as that of its field."""
        one = self.columns[column]
        if one["dataType"] == "date":
            return "date"
        own = unit_of(one.get("params", {}).get("format", {}))
        return own or ("" if one["operationType"] in {"count", "unique_count"} else self.view.units.get(one["sourceField"], ""))

    def rows(self, reply: Reply) -> list[Row]:
        return [{id_: _shown(row[id_], self.unit(id_)) for id_ in self.columns} for row in rows(reply, self.splits, self.measures)]


def lens(setting: Setting, holder: SavedObject) -> Question:
    """What a Lens object asks and shows."""
    attributes, name = holder["attributes"], f"lens/{holder['id']}"
    state = attributes["state"]
    if state.get("filters") or state.get("adHocDataViews"):
        raise MeaningError(f"{name}: filters beside its query, or data views of its own")
    layers = {id_: _layer(setting, holder, id_, body) for id_, body in state["datasourceStates"]["formBased"]["layers"].items()}
    read = {"lnsMetric": _metric, "lnsXY": _chart, "lnsDatatable": _table, "lnsPie": _donut}.get(attributes["visualizationType"])
    if read is None:
        raise MeaningError(f"{name}: {attributes['visualizationType']}")
    shell = Answer(name, attributes["title"], "metric")
    requests = tuple(layer.asked for layer in layers.values())
    return Question(name, attributes["title"], requests, partial(_read, read, shell, state["visualization"], layers))


def _read(read: Any, shell: Answer, visualization: dict[str, Any], layers: Mapping[str, _Layer], replies: Sequence[Reply]) -> Answer:
    tables = {id_: layer.rows(reply) for (id_, layer), reply in zip(layers.items(), replies, strict=True)}
    return msgspec.structs.replace(shell, **read(visualization, layers, tables))


# A layer's request.


def _layer(setting: Setting, holder: SavedObject, id_: str, body: dict[str, Any]) -> _Layer:
    view = setting.view(holder, f"indexpattern-datasource-layer-{id_}")
    columns = {one: body["columns"][one] for one in body["columnOrder"]}
    measures = {one: _measure(setting, view, one, column) for one, column in columns.items() if not column["isBucketed"]}
    splits = tuple(_split(setting, view, one, column, measures) for one, column in columns.items() if column["isBucketed"])
    own = tuple(measures.values())
    query = setting.query(view, holder["attributes"]["state"]["query"])
    asked = {"index": view.pattern, "body": {"size": 0, "track_total_hits": True, "query": query, "aggs": aggs(splits, own)}}
    return _Layer(view, columns, splits, own, asked)


def _measure(setting: Setting, view: View, id_: str, column: Column) -> Measure:
    for key in ("timeShift", "reducedTimeRange", "references"):
        if column.get(key):
            raise MeaningError(f"column {id_}: {key}")
    where = setting.condition(view, column["filter"]) if column.get("filter") else None
    return Measure(id_, _body(id_, column), where, none_if_zero=bool(column.get("params", {}).get("emptyAsNull")))


def _body(id_: str, column: Column) -> dict[str, Any] | None:
    operation, field = column["operationType"], column["sourceField"]
    match operation:
        case "count":
            return None if field == "___records___" else {"value_count": {"field": field}}
        case "median" | "percentile":
            return {"percentiles": {"field": field, "percents": [50 if operation == "median" else column["params"]["percentile"]]}}
        case _ if operation in _OPERATIONS:
            return {_OPERATIONS[operation]: {"field": field}}
    raise MeaningError(f"column {id_}: operation {operation}")


def _split(setting: Setting, view: View, id_: str, column: Column, measures: Mapping[str, Measure]) -> Split:
    params = column["params"]
    match column["operationType"]:
        case "terms":
            return _terms(id_, column["sourceField"], params, measures)
        case "date_histogram" if not params.get("dropPartials"):
            body = histogram(column["sourceField"], params["interval"], setting.span)
            if params.get("includeEmptyRows"):
                body |= {"min_doc_count": 0, "extended_bounds": {"min": setting.span.start, "max": setting.span.end}}
            return Split(id_, {"date_histogram": body})
        case "filters":
            named = {one.get("label") or one["input"]["query"]: setting.condition(view, one["input"]) for one in params["filters"]}
            return Split(id_, {"filters": {"filters": named}})
    raise MeaningError(f"column {id_}: operation {column['operationType']}")


def _terms(id_: str, field: str, params: dict[str, Any], measures: Mapping[str, Measure]) -> Split:
    for key in ("otherBucket", "missingBucket", "secondaryFields", "include", "exclude"):
        if params.get(key):
            raise MeaningError(f"column {id_}: {key}")
    order, ascending = params["orderBy"], params["orderDirection"] == "asc"
    if order["type"] == "alphabetical":
        return Split(id_, by_value(field, params["size"], ascending=ascending))
    if order["type"] != "column":
        raise MeaningError(f"column {id_}: ordered by {order['type']}")
    measure = measures[order["columnId"]]
    return Split(id_, ordered(field, params["size"], measure, ascending=ascending), measure)


# What there is to see.


def _metric(shown: dict[str, Any], layers: Mapping[str, _Layer], tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    layer, id_ = layers[shown["layerId"]], shown["metricAccessor"]
    if layer.splits:
        raise MeaningError("a number of each of several values")
    return {"kind": "metric", "columns": [layer.label(id_)], "units": [layer.unit(id_)], "rows": [[tables[shown["layerId"]][0][id_]]]}


def _table(shown: dict[str, Any], layers: Mapping[str, _Layer], tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    layer, found = layers[shown["layerId"]], tables[shown["layerId"]]
    if any(one.get("isTransposed") for one in shown["columns"]):
        raise MeaningError("a table with values as columns")
    hidden = {one["columnId"] for one in shown["columns"] if one.get("hidden")}
    ids = [id_ for id_ in layer.columns if id_ not in hidden]
    if sorting := shown.get("sorting"):
        by = sorting["columnId"]
        empty, filled = [row for row in found if row[by] is None], [row for row in found if row[by] is not None]
        found = sorted(filled, key=lambda row: row[by], reverse=sorting["direction"] == "desc") + empty
    return _as_table("table", layer, ids, found)


def _donut(shown: dict[str, Any], layers: Mapping[str, _Layer], tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    only = shown["layers"][0]
    return _as_table("donut", layers[only["layerId"]], [*only["primaryGroups"], *only["metrics"]], tables[only["layerId"]])


def _as_table(kind: str, layer: _Layer, ids: Sequence[str], found: Sequence[Row]) -> dict[str, Any]:
    return {"kind": kind, "columns": [layer.label(id_) for id_ in ids], "units": [layer.unit(id_) for id_ in ids],
            "rows": [[row[id_] for id_ in ids] for row in found]}  # fmt: skip


def _chart(shown: dict[str, Any], layers: Mapping[str, _Layer], tables: Mapping[str, list[Row]]) -> dict[str, Any]:
    drawn = [(one, layers[one["layerId"]], tables[one["layerId"]]) for one in shown["layers"]]
    if any(one.get("layerType", "data") != "data" for one, *_ in drawn):
        raise MeaningError("lines and marks that are not from data")
    seen = dict.fromkeys(row[one["xAccessor"]] for one, _, found in drawn for row in found)
    dated = any(layer.unit(one["xAccessor"]) == "date" for one, layer, _ in drawn)
    x = sorted(seen) if dated else list(seen)
    return {"kind": "chart", "x": x, "series": [series for part in drawn for series in _series(x, *part)]}


def _series(x: Sequence[Any], shown: dict[str, Any], layer: _Layer, found: Sequence[Row]) -> Iterator[Series]:
    axes = {one["forAccessor"]: one.get("axisMode") for one in shown.get("yConfig", ())}
    by, several = shown.get("splitAccessor"), len(shown["accessors"]) > 1
    for part in dict.fromkeys(row[by] for row in found) if by else [None]:
        own = {row[shown["xAccessor"]]: row for row in found if not by or row[by] == part}
        for id_ in shown["accessors"]:
            label = layer.label(id_) if not by else f"{part} - {layer.label(id_)}" if several else str(part)
            values = [own.get(at, {}).get(id_) for at in x]
            yield Series(label, _SHAPES[shown["seriesType"]], values, axes.get(id_) == "right", layer.unit(id_))


def _shown(value: Any, unit: str) -> Any:
    return iso(round(value)) if unit == "date" and isinstance(value, int | float) else value
