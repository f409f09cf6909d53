"""What Kibana's maps ask and show: documents by a place of theirs, and lines from place to place, of the whole world.

Kibana groups the lines' far ends by a script, which a minimal server has none for; here it is a grid at its finest (geotile 29, some
centimetres), which tells the same places apart. The near ends are a grid as fine, as they are when one looks closely.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ..saved import SavedObject
from .aggregations import COUNT, Measure
from .answers import Answer
from .setting import MeaningError, Question, Reply, Setting, View, inner

__all__ = ["maps"]

_FINEST = 29
_MOST = 10_000  # index.max_result_window
_WORLD = {"top_left": [-180, 89], "bottom_right": [180, -89]}
_METRICS = {"max": "max", "min": "min", "avg": "avg", "sum": "sum", "unique_count": "cardinality"}


def maps(setting: Setting, holder: SavedObject) -> list[Question]:
    """What a map's layers ask and show: `map/<id>` is its lines if it has any, else its documents, further ones end with their number."""
    layers = [one for one in inner(holder["attributes"], "layerListJSON") if one["sourceDescriptor"]["type"] != "EMS_TMS"]
    layers.sort(key=lambda one: one["sourceDescriptor"]["type"] != "ES_PEW_PEW")
    return [_layer(setting, holder, one, f"map/{holder['id']}{f'/{number}' if number else ''}") for number, one in enumerate(layers)]


def _layer(setting: Setting, holder: SavedObject, layer: dict[str, Any], name: str) -> Question:
    source = layer["sourceDescriptor"]
    view = setting.view(holder, source["indexPatternRefName"])
    ask = {"ES_SEARCH": _documents, "ES_PEW_PEW": _lines}.get(source["type"])
    if ask is None:
        raise MeaningError(f"{name}: a layer of {source['type']}")
    conditions = [one for one in (inner(holder["attributes"], "mapStateJSON").get("query"), layer.get("query")) if one]
    title = holder["attributes"]["title"]
    return ask(setting, view, conditions, layer, Answer(name, title if name.count("/") == 1 else f"{title}: {layer['label']}", "points"))


def _near(field: str) -> dict[str, Any]:
    return {"bool": {"must": [{"exists": {"field": field}}, {"geo_bounding_box": {field: _WORLD}}]}}


def _documents(setting: Setting, view: View, conditions: Sequence[Any], layer: dict[str, Any], shell: Answer) -> Question:
    source = layer["sourceDescriptor"]
    place, value = source["geoField"], _by_value(layer)
    if source["scalingType"] != "LIMIT" or not (source["applyGlobalQuery"] and source["applyGlobalTime"]):
        raise MeaningError(f"{shell.object}: scaling {source['scalingType']}, or a layer apart from the dashboard")
    fields = list(dict.fromkeys([place, *source["tooltipProperties"], *([value] if value else [])]))
    sort = [{source["sortField"]: {"order": source["sortOrder"]}}] if source.get("sortField") else []
    body = {"size": _MOST, "track_total_hits": _MOST + 1, "_source": False, "fields": fields, **({"sort": sort} if sort else {}),
            "query": setting.query(view, *conditions, also=[_near(place)])}  # fmt: skip
    return Question(shell.object, shell.title, ({"index": view.pattern, "body": body},), partial(_points, shell, place, value))


def _by_value(layer: dict[str, Any]) -> str:
    """The field whose values are seen as colour, or else as size; "" if all points look alike."""
    for style in ("fillColor", "iconSize"):
        one = layer["style"]["properties"].get(style, {})
        if one.get("type") == "DYNAMIC" and one["options"]["field"]["origin"] == "source":
            return str(one["options"]["field"]["name"])
    return ""


def _points(shell: Answer, place: str, value: str, replies: Sequence[Reply]) -> Answer:
    found = [hit["fields"] for hit in replies[0]["hits"]["hits"]]
    return _with(shell, "points", ([*_at(point), one.get(value, [None])[0]] for one in found for point in one[place]))


def _at(point: dict[str, Any]) -> list[float]:
    """GeoJSON, as fields of places come."""
    lon, lat = point["coordinates"]
    return [lon, lat]


def _lines(setting: Setting, view: View, conditions: Sequence[Any], layer: dict[str, Any], shell: Answer) -> Question:
    source = layer["sourceDescriptor"]
    near, far, measures = source["sourceGeoField"], source["destGeoField"], [_measure(one) for one in source["metrics"]]
    measured = {name: body for measure in measures for name, body in measure.asked().items()}
    body = {"size": 0, "track_total_hits": False, "query": setting.query(view, *conditions, also=[_near(far), {"exists": {"field": near}}]),
            "aggs": {"to": _grid(far, 100, {"from": _grid(near, 500, measured)})}}  # fmt: skip
    return Question(shell.object, shell.title, ({"index": view.pattern, "body": body},), partial(_paths, shell, measures[-1]))


def _measure(metric: dict[str, Any]) -> Measure:
    kind = metric["type"]
    if kind == "count":
        return COUNT
    if kind not in _METRICS:
        raise MeaningError(f"a layer's metric {kind}")
    return Measure(f"{kind}_of_{metric['field']}", {_METRICS[kind]: {"field": metric["field"]}})


def _grid(field: str, size: int, within: dict[str, Any]) -> dict[str, Any]:
    return {"geotile_grid": {"field": field, "precision": _FINEST, "size": size},
            "aggs": {"at": {"geo_centroid": {"field": field}}, **within}}  # fmt: skip


def _paths(shell: Answer, measure: Measure, replies: Sequence[Reply]) -> Answer:
    return _with(shell, "paths", (
        [*_centre(near), *_centre(far), measure.read(near)]
        for far in replies[0]["aggregations"]["to"]["buckets"] for near in far["from"]["buckets"]))  # fmt: skip


def _centre(bucket: dict[str, Any]) -> tuple[float, float]:
    """To a ten-millionth of a degree, which is what an index keeps."""
    return round(bucket["at"]["location"]["lon"], 6), round(bucket["at"]["location"]["lat"], 6)


def _with(shell: Answer, kind: Any, points: Iterator[list[Any]]) -> Answer:
    return Answer(shell.object, shell.title, kind, points=list(points))
