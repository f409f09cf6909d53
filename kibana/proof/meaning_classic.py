"""What classic visualizations ask and show: their aggregations over one index pattern, nested in the order in which they are listed.

Bars of nothing are not asked for, so that an axis of time has only moments at which something was. Vega specs are `meaning_vega`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import msgspec

from ..saved import SavedObject
from .aggregations import Measure, Row, Split, aggs, by_value, ordered, rows
from .answers import Answer, Series
from .intervals import histogram, iso
from .setting import MeaningError, Question, Reply, Setting, View, inner, units

__all__ = ["classic"]

Agg = dict[str, Any]
_METRICS = {"cardinality", "max", "min", "avg", "sum"}
_COUNTED = {"count", "cardinality"}
_SHAPES: dict[str, Literal["bar", "bars", "line", "area"]] = {
    "histogram": "bar", "horizontal_bar": "bars", "line": "line", "area": "area"}  # fmt: skip


class _Asked(msgspec.Struct, frozen=True):
    """A visualization's aggregations, those that split before those that measure, as their ids stand for columns."""

    kind: str
    buckets: tuple[Agg, ...]
    metrics: tuple[Agg, ...]
    splits: tuple[Split, ...]
    measures: tuple[Measure, ...]
    units: dict[str, str]
    opens: dict[str, Any]

    def rows(self, reply: Reply) -> list[Row]:
        return [{id_: _shown(value, self.units[id_]) for id_, value in row.items()} for row in rows(reply, self.splits, self.measures)]


def classic(setting: Setting, holder: SavedObject) -> Question:
    """What a visualization of aggregations asks and shows."""
    attributes, name = holder["attributes"], f"visualization/{holder['id']}"
    state = inner(attributes, "visState")
    read = {"metric": _metric, "table": _table, "pie": _donut, **dict.fromkeys(_SHAPES, _chart)}.get(state["type"])
    if read is None:
        raise MeaningError(f"{name}: {state['type']}")
    view, query = setting.source(holder)
    asked = _asked(setting, view, state, inner(attributes, "uiStateJSON"))
    body = {"size": 0, "track_total_hits": True, "query": setting.query(view, query), "aggs": aggs(asked.splits, asked.measures)}
    shell = Answer(name, attributes["title"], "metric")
    return Question(name, attributes["title"], ({"index": view.pattern, "body": body},), partial(_read, read, shell, asked))


def _read(read: Any, shell: Answer, asked: _Asked, replies: Sequence[Reply]) -> Answer:
    return msgspec.structs.replace(shell, **read(asked, asked.rows(replies[0])))


# A visualization's request.


def _asked(setting: Setting, view: View, state: dict[str, Any], opens: dict[str, Any]) -> _Asked:
    enabled = [one for one in state["aggs"] if one["enabled"]]
    metrics = tuple(one for one in enabled if one["schema"] == "metric")
    buckets = tuple(one for one in enabled if one["schema"] != "metric")
    measures = {one["id"]: Measure(one["id"], _body(one)) for one in metrics}
    splits = tuple(_split(setting, view, one, measures) for one in buckets)
    fields = [one["params"].get("field", "") if one["type"] not in _COUNTED else "" for one in (*buckets, *metrics)]
    told = dict(zip((one["id"] for one in (*buckets, *metrics)), units(fields, view), strict=True))
    return _Asked(state["type"], buckets, metrics, splits, tuple(measures.values()), told, opens.get("vis", {}))


def _body(agg: Agg) -> dict[str, Any] | None:
    kind, params = agg["type"], agg["params"]
    match kind:
        case "count":
            return None
        case "median":
            return {"percentiles": {"field": params["field"], "percents": [50]}}
        case "percentiles" if len(params["percents"]) == 1:
            return {"percentiles": {"field": params["field"], "percents": params["percents"]}}
        case _ if kind in _METRICS:
            return {kind: {"field": params["field"]}}
    raise MeaningError(f"aggregation {agg['id']}: {kind}")


def _split(setting: Setting, view: View, agg: Agg, measures: dict[str, Measure]) -> Split:
    params = agg["params"]
    match agg["type"]:
        case "terms":
            return _terms(agg, measures)
        case "date_histogram" if not params["drop_partials"] and not params["extended_bounds"]:
            scaled = params["useNormalizedEsInterval" if setting.product == "kibana" else "useNormalizedOpenSearchInterval"]
            body = histogram(params["field"], params["interval"], setting.span, scaled=scaled)
            return Split(agg["id"], {"date_histogram": {**body, "min_doc_count": params["min_doc_count"]}})
        case "filters":
            named = {one["label"] or one["input"]["query"]: setting.condition(view, one["input"]) for one in params["filters"]}
            return Split(agg["id"], {"filters": {"filters": named}})
    raise MeaningError(f"aggregation {agg['id']}: {agg['type']}")


def _terms(agg: Agg, measures: dict[str, Measure]) -> Split:
    params = agg["params"]
    for key in ("otherBucket", "missingBucket", "include", "exclude", "orderAgg"):
        if params.get(key):
            raise MeaningError(f"aggregation {agg['id']}: {key}")
    field, size, ascending = params["field"], params["size"], params["order"] == "asc"
    if params["orderBy"] == "_key":
        return Split(agg["id"], by_value(field, size, ascending=ascending))
    measure = next((one for one in measures.values() if params["orderBy"] in {one.id, one.path}), None)
    if measure is None or (measure.path != params["orderBy"] and "." in measure.path):
        raise MeaningError(f"aggregation {agg['id']}: ordered by {params['orderBy']!r}, which the server would refuse")
    return Split(agg["id"], ordered(field, size, measure, ascending=ascending), measure)


# What there is to see.


def _label(agg: Agg) -> str:
    return str(agg["params"].get("customLabel", ""))


def _metric(asked: _Asked, found: list[Row]) -> dict[str, Any]:
    if asked.splits or len(asked.metrics) > 1:
        raise MeaningError("several numbers in one")
    return _as_table("metric", asked, found)


def _table(asked: _Asked, found: list[Row]) -> dict[str, Any]:
    """Sorted as it opens: each product has its own place for that."""
    places = [(one["colIndex" if "colIndex" in one else "columnIndex"], one["direction"])
              for one in (asked.opens.get("sortColumn"), asked.opens.get("params", {}).get("sort")) if one]  # fmt: skip
    if len(set(places)) > 1:
        raise MeaningError("a table that opens sorted differently in the two products")
    for column, direction in set(places):
        by = [one["id"] for one in (*asked.buckets, *asked.metrics)][column]
        found = sorted(found, key=lambda row: (row[by] is not None, row[by]), reverse=direction == "desc")
    return _as_table("table", asked, found)


def _donut(asked: _Asked, found: list[Row]) -> dict[str, Any]:
    return _as_table("donut", asked, found)


def _as_table(kind: str, asked: _Asked, found: list[Row]) -> dict[str, Any]:
    shown = (*asked.buckets, *asked.metrics)
    return {"kind": kind, "columns": [_label(one) for one in shown], "units": [asked.units[one["id"]] for one in shown],
            "rows": [[row[one["id"]] for one in shown] for row in found]}  # fmt: skip


def _chart(asked: _Asked, found: list[Row]) -> dict[str, Any]:
    axis = next(one["id"] for one in asked.buckets if one["schema"] == "segment")
    by = next((one["id"] for one in asked.buckets if one["schema"] == "group"), None)
    seen = list(dict.fromkeys(row[axis] for row in found))
    x = sorted(seen) if asked.units[axis] == "date" else seen
    return {"kind": "chart", "x": x, "series": list(_series(asked, axis, by, x, found))}


def _series(asked: _Asked, axis: str, by: str | None, x: Sequence[Any], found: list[Row]) -> Iterator[Series]:
    for part in dict.fromkeys(row[by] for row in found) if by else [None]:
        own = {row[axis]: row for row in found if by is None or row[by] == part}
        for one in asked.metrics:
            label = _label(one) if by is None else f"{part}: {_label(one)}" if len(asked.metrics) > 1 else str(part)
            yield Series(label, _SHAPES[asked.kind], [own.get(at, {}).get(one["id"]) for at in x], unit=asked.units[one["id"]])


def _shown(value: Any, unit: str) -> Any:
    return iso(round(value)) if unit == "date" and isinstance(value, int | float) else value
