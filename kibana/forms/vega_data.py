"""What a Vega specification asks of the cluster: one request for each layer, with the filters of its dashboard in it.

The placeholders are those of both products. The dashboard's own filters come by the three `%dashboard_context…%` texts, its time by
`%timefilter%`, a fitting interval by `%autointerval%`; so the condition of each layer can stand beside them in its query.
"""

from __future__ import annotations

from typing import Any

from ..kql import dsl
from ..model import By, Layer, Metric
from .vis import AGGREGATIONS

__all__ = ["Spec", "asked", "expression", "histogram", "number", "own", "top"]

Spec = dict[str, Any]

_ONE_VALUE = {"unique", "max", "avg", "sum"}


def asked(layer: Layer, buckets: str, aggs: Spec) -> Spec:
    """A request for `aggs` over a layer's documents in the dashboard's time; its rows are those of the aggregation `buckets`."""
    time = [{"range": {layer.view.time: {"%timefilter%": True}}}] if layer.view.time else []
    query = {"must": ["%dashboard_context-must_clause%"], "filter": ["%dashboard_context-filter_clause%", *time, *_where(layer.where)],
             "must_not": ["%dashboard_context-must_not_clause%"]}  # fmt: skip
    return {"url": {"index": layer.view.pattern, "body": {"size": 0, "query": {"bool": query}, "aggs": aggs}},
            "format": {"property": f"aggregations.{buckets}.buckets"}}  # fmt: skip


def histogram(by: By, aggs: Spec) -> Spec:
    """Documents by time, in intervals that both products turn into what their server takes."""
    interval = {"%autointerval%": True} if by.interval == "auto" else by.interval
    return {"date_histogram": {"field": by.field, "interval": interval, "min_doc_count": 1}, "aggs": aggs}


def top(by: By, metrics: tuple[Metric, ...], aggs: Spec) -> Spec:
    """The first values of a field, by one of the metrics that `own` has put into `aggs`, or by the value."""
    order = {"_key": "asc"} if by.order < 0 else {f"m{by.order}{'>value' if metrics[by.order].field else ''}": "desc"}
    return {"terms": {"field": by.field, "size": by.size, "order": order}, "aggs": aggs}


def own(metrics: tuple[Metric, ...]) -> Spec:
    """Each metric over what meets its own condition, as `m0`, `m1` and so on."""
    return {f"m{at}": {"filter": {"bool": {"filter": _where(one.where)}}, "aggs": _value(one)} for at, one in enumerate(metrics)}


def expression(at: int, metric: Metric, bucket: str = "datum") -> str:
    """Where the number of the metric at that place stands in a bucket, as Vega says it."""
    return f"{bucket}.m{at}.{'value.value' if metric.field else 'doc_count'}"


def number(at: int, metric: Metric, bucket: str = "datum") -> str:
    """That number as a text."""
    return f"format({expression(at, metric, bucket)}, ',.{metric.decimals}f')"


def _value(metric: Metric) -> Spec:
    """The aggregation `value`; none of a count, which every bucket has."""
    if metric.op == "count":
        return {}
    if metric.op not in _ONE_VALUE:
        raise ValueError(f"{metric.label}: {metric.op} has several values, of which Vega would have to be told one")
    return {"value": {AGGREGATIONS[metric.op]: {"field": metric.field}}}


def _where(condition: str) -> list[Spec]:
    """A condition without knowing of types, as OpenSearch Dashboards puts it itself."""
    return [dsl(condition, {})] if condition else []
