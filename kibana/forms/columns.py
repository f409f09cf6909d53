"""The columns of a Lens layer: what documents are told apart by, and what is counted of them.

A layer has one query with all others of its visualization, so a condition of its own stands at each of its numbers. Column ids are made of
the layer's and a place; nothing but the visualization beside them refers to them.
"""

from __future__ import annotations

from typing import Any

from ..model import By, Layer, Metric

__all__ = ["RECORDS", "Column", "asked", "condition", "ids"]

Column = dict[str, Any]
RECORDS = "___records___"
"""The field of which a count counts documents."""

_OPERATIONS = {"count": "count", "unique": "unique_count", "max": "max", "avg": "average", "sum": "sum", "median": "median",
               "percentile": "percentile"}  # fmt: skip
_COUNTS = ("count", "unique")  # whole numbers, which need no format


def ids(layer_id: str, layer: Layer) -> tuple[list[str], list[str]]:
    """Ids of the columns of `by` and of `metrics`, each in their order."""
    return ([f"{layer_id}-by-{at}" for at, _ in enumerate(layer.by, 1)],
            [f"{layer_id}-metric-{at}" for at, _ in enumerate(layer.metrics, 1)])  # fmt: skip


def asked(layer_id: str, layer: Layer, where: str = "") -> dict[str, Any]:
    """What a layer asks; `where` is its own condition if its visualization has none for all."""
    by, metrics = ids(layer_id, layer)
    columns = {id_: _split(one, metrics) for id_, one in zip(by, layer.by, strict=True)}
    # Time is innermost: what is drawn over it is chosen once, not anew for each of its steps.
    order = sorted(by, key=lambda id_: columns[id_]["operationType"] == "date_histogram")
    columns |= {id_: _measure(one, where) for id_, one in zip(metrics, layer.metrics, strict=True)}
    return {"columns": columns, "columnOrder": [*order, *metrics], "incompleteColumns": {}, "sampling": 1}


def condition(where: str) -> dict[str, str]:
    """A condition as Kibana keeps it."""
    return {"query": where, "language": "kuery"}


# Numbers.


def _measure(one: Metric, where: str) -> Column:
    column = {"label": one.label, "customLabel": True, "dataType": "date" if one.unit == "date" else "number",
              "operationType": _OPERATIONS[one.op], "sourceField": one.field or RECORDS, "isBucketed": False, "scale": "ratio",
              "params": _params(one)}  # fmt: skip
    if where or one.where:
        column["filter"] = condition(f"({where}) and ({one.where})" if where and one.where else where or one.where)
    return column


def _params(one: Metric) -> dict[str, Any]:
    params: dict[str, Any] = {}
    if one.op in _COUNTS or one.op == "sum":
        params["emptyAsNull"] = False
    elif one.op == "percentile":
        params["percentile"] = int(one.percentile)  # Lens takes whole ones only
    return params | _format(one)


def _format(one: Metric) -> dict[str, Any]:
    """How it is written, if not as its field is: see `views` for spans, and dates are dates."""
    if one.op in _COUNTS or one.unit in {"seconds", "date"}:
        return {}
    return {"format": {"id": one.unit or "number", "params": {"decimals": one.decimals}}}


# What documents are told apart by.


def _split(by: By, metrics: list[str]) -> Column:
    own = {"time": _time, "filters": _filters, "terms": _terms}[by.op](by, metrics)
    return {"label": by.label, "customLabel": True, "isBucketed": True, **own}


def _time(by: By, _metrics: list[str]) -> Column:
    return {"dataType": "date", "operationType": "date_histogram", "sourceField": by.field, "scale": "interval",
            "params": {"interval": by.interval, "includeEmptyRows": True, "dropPartials": False}}  # fmt: skip


def _filters(by: By, _metrics: list[str]) -> Column:
    return {"dataType": "string", "operationType": "filters", "scale": "ordinal",
            "params": {"filters": [{"label": label, "input": condition(where)} for label, where in by.filters]}}  # fmt: skip


def _terms(by: By, metrics: list[str]) -> Column:
    rising = by.order < 0
    order = {"type": "alphabetical", "fallback": False} if rising else {"type": "column", "columnId": metrics[by.order]}
    # ECS calls addresses so, and nothing else.
    kind = "ip" if by.field.rpartition(".")[2] == "ip" else "string"
    return {"dataType": kind, "operationType": "terms", "sourceField": by.field, "scale": "ordinal",
            "params": {"size": by.size, "orderBy": order, "orderDirection": "asc" if rising else "desc", "otherBucket": False,
                       "missingBucket": False, "parentFormat": {"id": "terms"}, "include": [], "exclude": [], "includeIsRegex": False,
                       "excludeIsRegex": False}}  # fmt: skip
