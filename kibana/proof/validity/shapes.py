"""What saved objects look like inside, as types: read into these, an object has the keys that the products know and no others.

Here is what all types share, data views and saved searches; dashboards, Lens, maps and classic visualizations have files of their own.
Names and allowed values are those of Kibana 8.9's schemas, which later ones still take. `Misshapen` is all that reading raises.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

__all__ = ["Attributes", "DataView", "Envelope", "Filter", "Format", "Held", "Misshapen", "Query", "Reference", "Search", "SearchSource",
           "Shape", "Size", "Source", "shaped", "unpacked"]  # fmt: skip

T = TypeVar("T")
Size = Annotated[int, Meta(ge=1, le=1000)]
Source = Annotated[str, Meta(min_length=1)]
"""The name of a field."""


class Misshapen(ValueError):
    """Something in an object that no product would take there; the text says where and what."""


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Has these keys and no others."""


def shaped(kind: type[T] | Any, value: Any, path: str) -> T:
    """The value as a `kind`; `Misshapen` with the place below `path` if it is none."""
    try:
        made: T = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        raise Misshapen(f"{path}{at.rstrip('`')}".lstrip(".") + f": {said[:1].lower()}{said[1:]}") from None
    return made


def unpacked(kind: type[T] | Any, text: str, path: str) -> T:
    """What stands as JSON in a text, as a `kind`."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise Misshapen(f"{path}: no JSON: {error}") from None
    made: T = shaped(kind, value, path)
    return made


class Reference(Shape, frozen=True):
    """What is called `name` inside an object is another one."""

    name: str
    type: str
    id: str


class Envelope(Shape, frozen=True):
    """A line of a file."""

    type: str
    id: Annotated[str, Meta(min_length=1)]
    attributes: dict[str, Any]
    references: list[Reference]
    managed: bool | UnsetType = UNSET
    type_migration_version: str | UnsetType = UNSET
    core_migration_version: str | UnsetType = UNSET
    migration_version: dict[str, str] | UnsetType = UNSET


class Query(Shape, frozen=True):
    """A condition. Lucene's language is not used by us."""

    query: str
    language: Literal["kuery"]


class FilterMeta(msgspec.Struct, frozen=True, rename="camel"):
    """Of a filter's description, what refers to a data view; the rest is for people."""

    index_ref_name: str = ""


class Filter(Shape, frozen=True):
    """A filter of a filter bar."""

    meta: FilterMeta
    query: dict[str, Any]
    state: dict[str, str] | UnsetType = field(default=UNSET, name="$state")


class SearchSource(Shape, frozen=True):
    """What is searched, and for what."""

    query: Query | UnsetType = UNSET
    filter: tuple[Filter, ...] = ()
    index_ref_name: str = ""
    highlight_all: bool = False
    version: bool = False


class Held(Shape, frozen=True):
    """Where an object keeps its search source."""

    search_source: str = field(default="{}", name="searchSourceJSON")


class Attributes(Shape, kw_only=True, frozen=True):
    """What most types have."""

    title: Annotated[str, Meta(min_length=1)]
    description: str = ""


# Data views.

class Format(Shape, frozen=True):
    """How the values of a field are shown."""

    id: Literal["boolean", "bytes", "color", "date", "duration", "number", "percent", "static_lookup", "string", "url"]
    params: dict[str, Any] = field(default_factory=dict)


class ViewAttributes(Shape, frozen=True):
    """A data view as it is kept."""

    title: str
    name: str = ""
    time_field_name: str = ""
    fields: str = "[]"
    field_format_map: str = "{}"
    field_attrs: str = "{}"
    source_filters: str = "[]"
    runtime_field_map: str = "{}"
    type_meta: str = "{}"
    type: str = ""
    allow_no_index: bool = False


class DataView(Shape, frozen=True):
    """Which indices, their time (or ""), and how their fields are shown."""

    title: str
    time: str
    formats: dict[str, Format]

    @classmethod
    def opened(cls, attributes: dict[str, Any]) -> DataView:
        """The data view with everything that stands in texts."""
        kept: ViewAttributes = shaped(ViewAttributes, attributes, "attributes")
        unpacked(list[Any], kept.fields, "fields")
        unpacked(list[Any], kept.source_filters, "sourceFilters")
        for text, name in ((kept.field_attrs, "fieldAttrs"), (kept.runtime_field_map, "runtimeFieldMap"), (kept.type_meta, "typeMeta")):
            unpacked(dict[str, Any], text, name)
        return cls(kept.title, kept.time_field_name, unpacked(dict[str, Format], kept.field_format_map, "fieldFormatMap"))


# Saved searches.

class Width(Shape, frozen=True):
    """Of a column."""

    width: Annotated[int, Meta(ge=1)]


class Columns(Shape, frozen=True):
    """Columns that have a width of their own."""

    columns: dict[str, Width] = field(default_factory=dict)


class SearchAttributes(Attributes, frozen=True):
    """A search as it is kept."""

    columns: tuple[Source, ...] = ()
    sort: tuple[tuple[Source, Literal["asc", "desc"]], ...] = ()
    grid: Columns = Columns()
    hide_chart: bool = False
    is_text_based_query: bool = False
    time_restore: bool = False
    hits: int = 0
    version: int = 1
    row_height: int | UnsetType = UNSET
    rows_per_page: int | UnsetType = UNSET
    view_mode: Literal["documents", "aggregated"] | UnsetType = UNSET
    hide_aggregated_preview: bool | UnsetType = UNSET
    uses_ad_hoc_data_view: bool | UnsetType = UNSET
    held: Held = field(default=Held(), name="kibanaSavedObjectMeta")


class Search(Shape, frozen=True):
    """Documents with some of their fields as columns."""

    attributes: SearchAttributes
    source: SearchSource

    @classmethod
    def opened(cls, attributes: dict[str, Any]) -> Search:
        """The search with what it looks for."""
        kept: SearchAttributes = shaped(SearchAttributes, attributes, "attributes")
        return cls(kept, unpacked(SearchSource, kept.held.search_source, "kibanaSavedObjectMeta.searchSourceJSON"))
