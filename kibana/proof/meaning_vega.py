"""What Vega panels ask and show: the requests that stand in their specification, with the products' placeholders filled in.

Of a specification that much is read as ours use: where in a reply a number stands is taken from its own transforms and marks. Of an
expression the first `datum.…` counts: the rest says how a number is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from ..saved import SavedObject
from .answers import Answer, Series
from .intervals import calendar, iso, vega_interval
from .setting import MeaningError, Question, Reply, Setting, inner

__all__ = ["vega"]

Spec = dict[str, Any]
_PATH = re.compile(r"datum((?:\.\w+)+)")
_CLAUSES = ("%dashboard_context-must_clause%", "%dashboard_context-filter_clause%", "%dashboard_context-must_not_clause%")


def vega(setting: Setting, holder: SavedObject) -> Question:
    """What a Vega visualization asks and shows."""
    attributes, name = holder["attributes"], f"visualization/{holder['id']}"
    spec: Spec = msgspec.json.decode(inner(attributes, "visState")["params"]["spec"])
    asked = [one for one in _data(spec) if "url" in one]
    if not asked or any(set(one["url"]) != {"index", "body"} for one in asked):
        raise MeaningError(f"{name}: a request that does not bring its own time and conditions")
    requests = tuple(setting.dated(_filled(one["url"], setting)) for one in asked)
    read = _chart if "layer" in spec else _map if "kibana" in spec.get("config", {}) else _table
    return Question(name, attributes["title"], requests, partial(_read, read, Answer(name, attributes["title"], "metric"), spec))


def _read(read: Any, shell: Answer, spec: Spec, replies: Sequence[Reply]) -> Answer:
    asked = [one for one in _data(spec) if "url" in one]
    buckets = [_at(reply, one["format"]["property"]) for one, reply in zip(asked, replies, strict=True)]
    return msgspec.structs.replace(shell, **read(spec, *buckets))


def _data(spec: Spec) -> list[Spec]:
    """The data of a Vega specification, or of each layer of a Vega-Lite one."""
    return [one["data"] for one in spec["layer"]] if "layer" in spec else spec["data"]


# Requests.


def _filled(node: Any, setting: Setting, key: str = "") -> Any:
    """A part of a request as the product sends it; no filters are chosen on the dashboard."""
    if isinstance(node, list):
        return [_filled(one, setting) for one in node if one not in _CLAUSES]
    if not isinstance(node, dict):
        return node
    if "%timefilter%" in node:
        if node != {"%timefilter%": True}:
            raise MeaningError(f"another time than the dashboard's: {node}")
        return setting.span.range("")["range"][""]
    made = {name: _filled(one, setting, name) for name, one in node.items() if name != "interval" or key != "date_histogram"}
    return made | (_interval(node["interval"], setting) if len(made) < len(node) else {})


def _interval(said: Any, setting: Setting) -> Spec:
    """Kibana turns an interval into one of the calendar or of fixed length, OpenSearch Dashboards leaves that to its server."""
    interval = vega_interval(said["%autointerval%"], setting.span) if isinstance(said, dict) else said
    return calendar(interval) if setting.product == "kibana" else {"interval": interval}


# What there is to see.


def _at(datum: Any, path: str) -> Any:
    for part in path.split("."):
        datum = datum[part]
    return datum


def _place(expression: str) -> str:
    found = _PATH.search(expression)
    if found is None:
        raise MeaningError(f"nothing of a document in {expression!r}")
    return found[1][1:]


def _chart(spec: Spec, *layers: list[Spec]) -> dict[str, Any]:
    x = sorted({bucket["key"] for buckets in layers for bucket in buckets})
    series = [one for layer, buckets in zip(spec["layer"], layers, strict=True) for one in _series(layer, buckets, x)]
    return {"kind": "chart", "x": list(map(iso, x)), "series": series}


def _series(layer: Spec, buckets: list[Spec], x: Sequence[int]) -> Iterator[Series]:
    places = {one["as"]: _place(one["calculate"]) for one in layer["transform"] if "calculate" in one}
    (shown,) = (one["fold"] for one in layer["transform"] if "fold" in one)
    right = layer["encoding"]["y"]["axis"].get("orient") == "right"
    found = {bucket[layer["encoding"]["x"]["field"]]: bucket for bucket in buckets}
    for label in shown:
        values = [_at(found[at], places[label]) if at in found else None for at in x]
        yield Series(label, layer["mark"]["type"], values, right)


def _table(spec: Spec, buckets: list[Spec]) -> dict[str, Any]:
    """Its marks are texts: those from the data that is asked for are cells, the others are heads, in the same order."""
    asked = {one["name"] for one in spec["data"] if "url" in one}
    texts = [(one["from"]["data"] in asked, one["encode"]["update"]["text"]["signal"]) for one in spec["marks"] if one["type"] == "text"]
    places = [_place(text) for cell, text in texts if cell]
    heads = [text.strip("'") for cell, text in texts if not cell]
    rows = [[_at(one, place) for place in places] for one in buckets]
    return {"kind": "table", "columns": heads, "units": [""] * len(heads), "rows": rows}


def _map(spec: Spec, buckets: list[Spec]) -> dict[str, Any]:
    transforms = spec["data"][0]["transform"]
    for one in transforms:
        if one["type"] == "flatten":
            (field,), (name,) = one["fields"], one["as"]
            buckets = [{**bucket, name: inside} for bucket in buckets for inside in _at(bucket, field)]
    corners = [field for one in transforms if one["type"] == "geopoint" for field in one["fields"]]
    coloured = next(one["encode"]["update"]["fill"]["field"] for one in spec["marks"] if "fill" in one["encode"]["update"])
    (value,) = (_place(one["expr"]) for one in transforms if one["type"] == "formula" and one["as"] == coloured)
    points = [[*(round(_at(one, corner), 6) for corner in corners), _at(one, value)] for one in buckets]
    return {"kind": "paths" if len(corners) > 2 else "points", "points": points}
