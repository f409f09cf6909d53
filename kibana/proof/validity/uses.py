"""Every use of a field in the objects of a file: where, of which documents, as what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pluginhost.alerts.template import Kind

from ... import kql
from .asking import AGGREGATIONS, Named, of_body
from .board_shapes import Board
from .classic_shapes import Agg, AggDateHistogram, AggFilters, AggPercentiles, AggTerms, FieldAgg, Vis
from .contents import Opened, Views
from .lens_columns import Counted, DateHistogram, Filters, Max, Measure, Min, Terms, UniqueCount
from .lens_shapes import Layer, Lens
from .map_shapes import Documents, Map, MapLayer, Paths
from .mapping import KINDS, Need, kind_of, type_of
from .references import SOURCE_REFERENCE, layer_reference, map_reference
from .shapes import DataView, Query, Search, SearchSource
from .vega import Request, requests

__all__ = ["Use", "uses"]

_SOURCE = "kibanaSavedObjectMeta.searchSourceJSON"


class Use(NamedTuple):
    """A field of documents of a kind, used as something at a path of an object; `wrong`: what is wrong whatever the field is."""

    one: Opened
    path: str
    kind: Kind
    field: str = ""
    need: Need = "something there"
    wrong: str = ""


class _At(NamedTuple):
    """An object whose documents are known."""

    one: Opened
    kind: Kind

    def use(self, path: str, field: str, need: Need, wrong: str = "") -> Use:
        return Use(self.one, path, self.kind, field, need, wrong)

    def wrong(self, path: str, what: str) -> Use:
        return Use(self.one, path, self.kind, wrong=what)

    def all(self, named: Iterable[Named]) -> Iterator[Use]:
        return (self.use(each.path, each.field, each.need, each.wrong) for each in named)

    def condition(self, path: str, query: Query | object) -> Iterator[Use]:
        """The fields of a condition."""
        if not isinstance(query, Query):
            return
        try:
            node = kql.parse(query.query)
        except kql.KqlError as error:
            yield self.wrong(path, f"cannot be read as KQL: {error}")
            return
        yield from (self.use(path, leaf.field, need, wrong) for leaf, need, wrong in _leaves(node, self.kind))


def uses(found: Sequence[Opened], views: Views) -> Iterator[Use]:
    """All of them; of an object whose data view is not known none."""
    for one in found:
        match one.content:
            case DataView() as view:
                yield from _of_view(one, view)
            case Search() as search:
                yield from (use for at in _at(one, SOURCE_REFERENCE, views) for use in _of_search(at, search))
            case Lens() as lens:
                yield from _of_lens(one, lens, views)
            case Map() as map_:
                yield from _of_map(one, map_, views)
            case Vis() as vis:
                yield from _of_vis(one, vis, views)
            case Board() as board:
                yield from _of_board(one, board, views)


def _at(one: Opened, reference: str, views: Views) -> list[_At]:
    """The documents that a reference leads to: one kind, or none if it leads to no data view of ours."""
    named = one.references.get(reference)
    return [_At(one, views[named.id][0])] if named is not None and named.id in views else []


def _of_view(one: Opened, view: DataView) -> Iterator[Use]:
    kind = kind_of(view.title)
    if kind is None:
        yield Use(one, "title", "alerts", wrong=f"{view.title!r} is none of our indices")
        return
    if view.time:
        yield Use(one, "timeFieldName", kind, view.time, "date")
    for field, format_ in view.formats.items():
        of_any = format_.id in {"url", "color", "string", "static_lookup"}
        yield Use(one, f"fieldFormatMap.{field}", kind, field, "something to show" if of_any else "number or date")


def _of_search(at: _At, search: Search) -> Iterator[Use]:
    for place, column in enumerate(search.attributes.columns):
        yield at.use(f"columns[{place}]", column, "something to show")
    for place, (field, _) in enumerate(search.attributes.sort):
        yield at.use(f"sort[{place}]", field, "something to sort by")
    for field in search.attributes.grid.columns:
        yield at.use(f"grid.columns.{field}", field, "something to show",
                     "" if field in search.attributes.columns else f"{field} is no column")  # fmt: skip
    yield from _of_source(at, search.source)


def _of_source(at: _At, source: SearchSource) -> Iterator[Use]:
    yield from at.condition(f"{_SOURCE}.query", source.query)
    for place, each in enumerate(source.filter):
        yield from at.all(of_body({"query": each.query}, f"{_SOURCE}.filter[{place}]"))


def _of_lens(one: Opened, lens: Lens, views: Views) -> Iterator[Use]:
    for key, layer in lens.layers.items():
        for at in _at(one, layer_reference(key), views):
            yield from _of_layer(at, layer, f"state.datasourceStates.formBased.layers.{key}.columns")
            yield from at.condition("state.query", lens.attributes.state.query)
            yield from at.all(of_body({"query": [each.query for each in lens.attributes.state.filters]}, "state.filters"))


def _of_layer(at: _At, layer: Layer, path: str) -> Iterator[Use]:
    for name, column in layer.columns.items():
        where = f"{path}.{name}"
        match column:
            case Counted():
                pass
            case Filters():
                for place, each in enumerate(column.params.filters):
                    yield from at.condition(f"{where}.params.filters[{place}].input", each.input)
            case DateHistogram():
                yield at.use(f"{where}.sourceField", column.source_field, "date")
            case Terms():
                yield at.use(f"{where}.sourceField", column.source_field, "values")
                yield from (at.use(f"{where}.params.secondaryFields", field, "values") for field in column.params.secondary_fields)
            case UniqueCount():
                yield at.use(f"{where}.sourceField", column.source_field, "different values")
            case Max() | Min():
                yield at.use(f"{where}.sourceField", column.source_field, "number or date")
            case _:
                yield at.use(f"{where}.sourceField", column.source_field, "number")
        if isinstance(column, Measure):
            yield from at.condition(f"{where}.filter", column.filter)


def _of_map(one: Opened, map_: Map, views: Views) -> Iterator[Use]:
    for place, layer in enumerate(map_.layers):
        for at in _at(one, map_reference(place), views):
            yield from _of_map_layer(at, layer, f"layerListJSON[{place}]")
            yield from at.condition("mapStateJSON.query", map_.state.query)
            yield from at.all(of_body({"query": [each.query for each in map_.state.filters]}, "mapStateJSON.filters"))


def _of_map_layer(at: _At, layer: MapLayer, path: str) -> Iterator[Use]:
    yield from at.condition(f"{path}.query", layer.query)
    source, within = layer.source, f"{path}.sourceDescriptor"
    if isinstance(source, Documents):
        yield at.use(f"{within}.geoField", source.geo_field, "place")
        yield from (at.use(f"{within}.tooltipProperties", field, "something to show") for field in source.tooltip_properties)
        if source.sort_field:
            yield at.use(f"{within}.sortField", source.sort_field, "something to sort by")
        if source.top_hits_split_field:
            yield at.use(f"{within}.topHitsSplitField", source.top_hits_split_field, "values")
    elif isinstance(source, Paths):
        yield at.use(f"{within}.sourceGeoField", source.source_geo_field, "place")
        yield at.use(f"{within}.destGeoField", source.dest_geo_field, "place")
        yield from (at.use(f"{within}.metrics", each.field, AGGREGATIONS[each.type]) for each in source.metrics if each.type != "count")
    yield from _of_style(at, layer, path)


def _of_style(at: _At, layer: MapLayer, path: str) -> Iterator[Use]:
    """By what a layer is drawn: of documents a field, of paths one of the numbers that the layer asks for."""
    numbers = {each.name for each in layer.source.metrics} if isinstance(layer.source, Paths) else None
    for name, style in layer.style.properties.items():
        by, where = getattr(style.options.field, "name", ""), f"{path}.style.properties.{name}"
        if style.type == "DYNAMIC" and not by:
            yield at.wrong(where, "is dynamic, and by no field")
        elif by and numbers is not None:
            if by not in numbers:
                yield at.wrong(where, f"{by} is none of the layer's numbers: {', '.join(sorted(numbers))}")
        elif by:
            yield at.use(where, by, "values or dates" if name == "labelText" or style.options.type == "CATEGORICAL" else "number or date")


def _of_vis(one: Opened, vis: Vis, views: Views) -> Iterator[Use]:
    for at in _at(one, SOURCE_REFERENCE, views):
        yield from _of_source(at, vis.source)
        for place, agg in enumerate(vis.aggs):
            yield from _of_agg(at, agg, f"visState.aggs[{place}].params")
    if vis.type == "vega":
        for request in requests(vis.params.get("spec")):
            if kind := kind_of(request.index):
                yield from _of_request(_At(one, kind), request)
    elif vis.type == "input_control_vis":
        for place, control in enumerate(vis.controls):
            for at in _at(one, control.index_pattern_ref_name, views):
                yield at.use(f"visState.params.controls[{place}].fieldName", control.field_name, "values to choose from")


def _of_agg(at: _At, agg: Agg, path: str) -> Iterator[Use]:
    if isinstance(agg, AggFilters):
        for place, each in enumerate(agg.params.filters):
            yield from at.condition(f"{path}.filters[{place}].input", each.input)
    elif isinstance(agg, AggPercentiles | AggTerms | AggDateHistogram | FieldAgg):
        yield at.use(f"{path}.field", agg.params.field, AGGREGATIONS[str(agg.__struct_config__.tag)])


def _of_request(at: _At, request: Request) -> Iterator[Use]:
    if "%timefield%" in request.url:
        yield at.use(f"visState.params.{request.path}.%timefield%", str(request.url["%timefield%"]), "date")
    yield from at.all(of_body(request.body, f"visState.params.{request.path}.body"))


def _of_board(one: Opened, board: Board, views: Views) -> Iterator[Use]:
    for key, control in board.controls.items():
        for at in _at(one, f"controlGroup_{key}:optionsListDataView", views):
            path = f"controlGroupInput.panelsJSON.{key}.explicitInput.fieldName"
            yield at.use(path, control.explicit_input.field_name, "values to choose from")
    # A condition of the whole dashboard holds for every panel: its fields have to be in all our documents.
    yield from (use for kind in KINDS for use in _of_source(_At(one, kind), board.source))


def _leaves(node: kql.Node | None, kind: Kind) -> Iterator[tuple[kql.Is | kql.Like | kql.Range, Need, str]]:
    match node:
        case kql.And(nodes) | kql.Or(nodes):
            for each in nodes:
                yield from _leaves(each, kind)
        case kql.Not(each):
            yield from _leaves(each, kind)
        case kql.Is():
            yield node, "something to look for", _unfit(node, kind)
        case kql.Like():
            yield node, "text" if any(node.parts) else "something there", ""
        case kql.Range():
            yield node, "something to compare", ""


def _unfit(node: kql.Is, kind: Kind) -> str:
    """Why no document can have this value, "" if one can."""
    if type_of(kind, node.field) not in {"long", "float"}:
        return ""
    try:
        float("" if isinstance(node.value, bool) else node.value)
    except ValueError:
        return f"{node.field} is a number, {node.value!r} is none"
    return ""
