"""The fields that a query or an aggregation of Elasticsearch's own language names, each with what it is used as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .mapping import Need

__all__ = ["AGGREGATIONS", "Named", "of_aggregations", "of_body", "of_query"]


class Named(NamedTuple):
    """A field, and what it is used as, at a path; `wrong` says what is wrong whatever the field is."""

    path: str
    field: str = ""
    need: Need = "something there"
    wrong: str = ""


_SOUGHT: Need = "something to look for"
_LEAVES: Mapping[str, Need] = MappingProxyType({
    "term": _SOUGHT, "terms": _SOUGHT, "match": _SOUGHT, "match_phrase": _SOUGHT, "range": "something to compare", "wildcard": "text",
    "prefix": "text",
})  # fmt: skip
AGGREGATIONS: Mapping[str, Need] = MappingProxyType({
    "terms": "values or dates", "max": "number or date", "min": "number or date", "avg": "number", "sum": "number", "percentiles": "number",
    "cardinality": "different values", "date_histogram": "date", "geotile_grid": "place", "geo_centroid": "place", "geo_bounds": "place",
    "value_count": "something there", "date_range": "date", "median": "number",
})  # fmt: skip
"""What aggregations take, by their names in requests and in classic visualizations."""
_CONDITIONS = {"must", "filter", "should", "must_not"}
_NO_FIELD = {"bucket_sort", "bucket_script", "bucket_selector", "match_all"}


def of_body(body: Mapping[str, Any], path: str) -> Iterator[Named]:
    """Of a search's body: what it asks for, counts, sorts by and shows."""
    yield from of_query(body.get("query"), f"{path}.query")
    yield from of_aggregations(body.get("aggs", body.get("aggregations")), f"{path}.aggs")
    for place, one in enumerate(_list(body.get("sort"))):
        sorted_by = one if isinstance(one, dict) else [str(one)]
        yield from (Named(f"{path}.sort[{place}]", field, "something to sort by") for field in sorted_by)
    for key in ("_source", "fields", "docvalue_fields"):
        for place, one in enumerate(_list(body.get(key))):
            yield Named(f"{path}.{key}[{place}]", str(one.get("field") if isinstance(one, dict) else one), "something to show")


def of_query(query: Any, path: str) -> Iterator[Named]:
    """Of a query. The texts that a product replaces by its own conditions name nothing."""
    for place, one in enumerate(_list(query)):
        within = path if isinstance(query, dict) else f"{path}[{place}]"
        for name, said in one.items() if isinstance(one, dict) else ():
            yield from _of_clause(name, said, f"{within}.{name}")


def _of_clause(name: str, said: Any, path: str) -> Iterator[Named]:
    if name == "bool" and isinstance(said, dict):
        for key in said.keys() & _CONDITIONS:
            yield from of_query(said[key], f"{path}.{key}")
    elif name == "exists" and isinstance(said, dict):
        yield Named(path, str(said.get("field")), "something there")
    elif name == "query_string" and isinstance(said, dict):
        yield from (Named(path, str(field), "text") for field in _list(said.get("fields")))
    elif name in _LEAVES and isinstance(said, dict):
        yield from (Named(path, field, _LEAVES[name]) for field in said if field != "boost")
    elif name not in _NO_FIELD:
        yield Named(path, wrong=f"no query that we know: {name}")


def of_aggregations(aggregations: Any, path: str) -> Iterator[Named]:
    """Of aggregations, with those within them."""
    for name, one in aggregations.items() if isinstance(aggregations, dict) else ():
        for kind, said in one.items() if isinstance(one, dict) else ():
            within = f"{path}.{name}.{kind}"
            if kind in {"aggs", "aggregations"}:
                yield from of_aggregations(said, within)
            else:
                yield from _of_aggregation(kind, said if isinstance(said, dict) else {}, within)


def _of_aggregation(kind: str, said: dict[str, Any], path: str) -> Iterator[Named]:
    if kind == "filter":
        yield from of_query(said, path)
    elif kind == "filters":
        named = said.get("filters")
        yield from of_query(list(named.values()) if isinstance(named, dict) else named, f"{path}.filters")
    elif kind in {"multi_terms", "composite"}:
        yield Named(path, wrong=f"not in all products' servers: {kind}")
    elif kind == "top_hits":
        yield from of_body(said, path)
    elif kind in AGGREGATIONS:
        yield Named(path, str(said.get("field", "")), AGGREGATIONS[kind])
    elif kind not in _NO_FIELD:
        yield Named(path, wrong=f"no aggregation that we know: {kind}")


def _list(value: Any) -> list[Any]:
    if value is None or isinstance(value, bool):
        return []
    return value if isinstance(value, list) else [value]
