"""What a map looks like inside, as types: see `shapes`. Kibana 8.4's form, as 8.9 and later take it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from .shapes import Attributes, Filter, Query, Shape, Source, shaped, unpacked

__all__ = ["Documents", "Map", "MapLayer", "Metric", "Paths", "StyleField"]

Opacity = Annotated[float, Meta(ge=0, le=1)]
Zoom = Annotated[float, Meta(ge=0, le=24)]


class Tiles(Shape, tag_field="type", tag="EMS_TMS", frozen=True):
    """The map itself."""

    is_auto_select: bool
    light_mode_default: str | UnsetType = UNSET
    id: str | UnsetType = UNSET


class Asking(Shape, tag_field="type", kw_only=True, frozen=True):
    """What all sources have that ask a data view."""

    id: str
    index_pattern_ref_name: str
    apply_global_query: bool = True
    apply_global_time: bool = True
    apply_force_refresh: bool = True


class Documents(Asking, tag="ES_SEARCH", frozen=True):
    """A point for each document."""

    geo_field: Source
    scaling_type: Literal["LIMIT", "CLUSTERS", "TOP_HITS", "MVT"]
    filter_by_map_bounds: bool = True
    tooltip_properties: tuple[Source, ...] = ()
    sort_field: str = ""
    sort_order: Literal["asc", "desc"] = "desc"
    top_hits_split_field: str = ""
    top_hits_size: Annotated[int, Meta(ge=1)] = 1
    top_hits_group_by_timeseries: bool = False


class Metric(Shape, frozen=True):
    """A number over what is at a place."""

    type: Literal["count", "max", "min", "sum", "avg", "cardinality"]
    field: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """What styles call it."""
        return f"{self.type}_of_{self.field}" if self.field else "doc_count"


class Paths(Asking, tag="ES_PEW_PEW", frozen=True):
    """A line for each pair of places."""

    source_geo_field: Source
    dest_geo_field: Source
    metrics: Annotated[list[Metric], Meta(min_length=1)]


class StyleField(Shape, frozen=True):
    """What a style goes by."""

    name: Source
    origin: Literal["source"]
    label: str = ""
    type: str = ""


class StyleOptions(Shape, frozen=True):
    """How a style is made; of dynamic ones `field` says by what."""

    field: StyleField | UnsetType = UNSET
    value: Any = UNSET
    type: Literal["ORDINAL", "CATEGORICAL"] | UnsetType = UNSET
    color: str | UnsetType = UNSET
    color_category: str | UnsetType = UNSET
    custom_color_ramp: list[Any] | UnsetType = UNSET
    use_custom_color_ramp: bool | UnsetType = UNSET
    size: float | Literal["NONE", "SMALL", "MEDIUM", "LARGE"] | UnsetType = UNSET
    min_size: float | UnsetType = UNSET
    max_size: float | UnsetType = UNSET
    field_meta_options: dict[str, Any] | UnsetType = UNSET
    data_mapping_function: Literal["INTERPOLATE", "PERCENTILES"] | UnsetType = UNSET
    invert: bool | UnsetType = UNSET
    orientation: float | UnsetType = UNSET
    position: str | UnsetType = UNSET


class StyleProperty(Shape, frozen=True):
    """One thing about how a layer looks."""

    type: Literal["STATIC", "DYNAMIC"] | UnsetType = UNSET
    options: StyleOptions = StyleOptions()


class Style(Shape, frozen=True):
    """How a layer looks."""

    type: Literal["VECTOR", "EMS_VECTOR_TILE", "TILE"]
    properties: dict[str, StyleProperty] = field(default_factory=dict)
    is_time_aware: bool = True
    color: str = ""


class MapLayer(Shape, frozen=True):
    """Something on a map."""

    id: str
    type: Literal["EMS_VECTOR_TILE", "GEOJSON_VECTOR", "MVT_VECTOR", "BLENDED_VECTOR"]
    source: Tiles | Documents | Paths = field(name="sourceDescriptor")
    style: Style
    label: str | None = None
    visible: bool = True
    alpha: Opacity = 1
    min_zoom: Zoom = 0
    max_zoom: Zoom = 24
    joins: Annotated[tuple[Any, ...], Meta(max_length=0)] = ()
    query: Query | UnsetType = UNSET
    include_in_fit_to_bounds: bool = True
    locale: str = "autoselect"
    attribution: dict[str, str] | UnsetType = UNSET
    are_labels_on_top: bool = False


class Centre(Shape, frozen=True):
    """Where one looks."""

    lon: Annotated[float, Meta(ge=-180, le=180)]
    lat: Annotated[float, Meta(ge=-90, le=90)]


class MapState(Shape, frozen=True):
    """How a map opens."""

    zoom: Zoom
    center: Centre
    query: Query
    filters: tuple[Filter, ...] = ()
    time_filters: dict[str, str] = field(default_factory=dict)
    refresh_config: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    adhoc_data_views: Annotated[tuple[Any, ...], Meta(max_length=0)] = ()


class MapAttributes(Attributes, frozen=True):
    """A map as it is kept."""

    layers: str = field(name="layerListJSON")
    state: str = field(name="mapStateJSON")
    ui: str = field(default="{}", name="uiStateJSON")


class Map(Shape, frozen=True):
    """A map, opened."""

    attributes: MapAttributes
    layers: list[MapLayer]
    state: MapState

    @classmethod
    def opened(cls, attributes: dict[str, Any]) -> Map:
        """The map with everything that stands in texts."""
        kept: MapAttributes = shaped(MapAttributes, attributes, "attributes")
        unpacked(dict[str, Any], kept.ui, "uiStateJSON")
        return cls(kept, unpacked(list[MapLayer], kept.layers, "layerListJSON"), unpacked(MapState, kept.state, "mapStateJSON"))


Asked: TypeAlias = Documents | Paths
