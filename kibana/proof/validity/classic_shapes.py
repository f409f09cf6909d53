"""What a classic visualization looks like inside, as types: see `shapes`.

The forms are those that OpenSearch Dashboards 2 and 3 and Kibana 8 and 9 share.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from .shapes import Attributes, Held, Query, SearchSource, Shape, Size, Source, shaped, unpacked

__all__ = ["Agg", "AggDateHistogram", "AggFilters", "AggTerms", "FieldAgg", "ListControl", "Vis", "VisState"]

Interval = Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]*(ms|[smhd])|1?[smhdwMy])$")]
Kind = Literal["metric", "bucket"]


class Params(Shape, kw_only=True, frozen=True):
    """What all aggregations may be told."""

    custom_label: str | UnsetType = UNSET


class FieldParams(Params, kw_only=True, frozen=True):
    """Over which field."""

    field: Source


class AnyAgg(Shape, tag_field="type", kw_only=True, frozen=True):
    """What all aggregations have."""

    kind: ClassVar[Kind] = "metric"

    id: Annotated[str, Meta(min_length=1)]
    schema: str
    enabled: bool = True


class AggCount(AnyAgg, tag="count", frozen=True):
    """How many documents."""

    params: Params = Params()


class FieldAgg(AnyAgg, frozen=True):
    """A number over the values of a field."""

    params: FieldParams


class AggMax(FieldAgg, tag="max", frozen=True):
    """The greatest."""


class AggMin(FieldAgg, tag="min", frozen=True):
    """The least."""


class AggAverage(FieldAgg, tag="avg", frozen=True):
    """The mean."""


class AggSum(FieldAgg, tag="sum", frozen=True):
    """All together."""


class AggMedian(FieldAgg, tag="median", frozen=True):
    """The one in the middle."""


class AggCardinality(FieldAgg, tag="cardinality", frozen=True):
    """How many different values."""


class PercentilesParams(FieldParams, frozen=True):
    """Which ones."""

    percents: Annotated[list[Annotated[float, Meta(ge=0, le=100)]], Meta(min_length=1)]


class AggPercentiles(AnyAgg, tag="percentiles", frozen=True):
    """What so many of a hundred values are below."""

    params: PercentilesParams


class TermsParams(FieldParams, frozen=True):
    """Which values, and how many."""

    order_by: str
    order: Literal["asc", "desc"]
    size: Size
    other_bucket: bool = False
    other_bucket_label: str = ""
    missing_bucket: bool = False
    missing_bucket_label: str = ""


class AggTerms(AnyAgg, tag="terms", frozen=True):
    """Documents by the values of a field."""

    kind: ClassVar[Kind] = "bucket"

    params: TermsParams


class TimeRange(Shape, frozen=True):
    """A span of time."""

    from_: str = field(name="from")
    to: str


class DateHistogramParams(FieldParams, frozen=True):
    """How time is cut. Each product reads its own one of the two `useNormalized…`."""

    interval: Interval
    normalized_es: bool = field(name="useNormalizedEsInterval")
    normalized_opensearch: bool = field(name="useNormalizedOpenSearchInterval")
    min_doc_count: int = field(default=1, name="min_doc_count")
    drop_partials: bool = field(default=False, name="drop_partials")
    extended_bounds: dict[str, Any] = field(default_factory=dict, name="extended_bounds")
    scale_metric_values: bool = False
    time_range: TimeRange | UnsetType = UNSET


class AggDateHistogram(AnyAgg, tag="date_histogram", frozen=True):
    """Documents by time."""

    kind: ClassVar[Kind] = "bucket"

    params: DateHistogramParams


class Labelled(Shape, frozen=True):
    """A condition with its label."""

    input: Query
    label: str


class FiltersParams(Params, frozen=True):
    """Conditions."""

    filters: Annotated[list[Labelled], Meta(min_length=1)]


class AggFilters(AnyAgg, tag="filters", frozen=True):
    """Documents by conditions."""

    kind: ClassVar[Kind] = "bucket"

    params: FiltersParams


Agg: TypeAlias = (AggCount | AggMax | AggMin | AggAverage | AggSum | AggMedian | AggCardinality | AggPercentiles | AggTerms
                  | AggDateHistogram | AggFilters)  # fmt: skip


class VisState(Shape, frozen=True):
    """What a visualization asks and shows, before its aggregations are read."""

    title: str
    type: str
    params: dict[str, Any]
    aggs: tuple[dict[str, Any], ...] = ()


class ListControl(Shape, frozen=True):
    """A list of values to choose from."""

    id: str
    field_name: Source
    label: str
    type: Literal["list"]
    index_pattern_ref_name: str
    parent: str = ""
    options: dict[str, Any] = field(default_factory=dict)


class VisAttributes(Attributes, frozen=True):
    """A visualization as it is kept."""

    state: str = field(name="visState")
    ui: str = field(default="{}", name="uiStateJSON")
    version: int = 1
    saved_search_ref_name: str = ""
    held: Held = field(default=Held(), name="kibanaSavedObjectMeta")


class Vis(Shape, frozen=True):
    """A visualization, opened."""

    attributes: VisAttributes
    type: str
    params: dict[str, Any]
    aggs: list[Agg]
    controls: list[ListControl]
    source: SearchSource

    @classmethod
    def opened(cls, attributes: dict[str, Any]) -> Vis:
        """The visualization with its aggregations."""
        kept: VisAttributes = shaped(VisAttributes, attributes, "attributes")
        unpacked(dict[str, Any], kept.ui, "uiStateJSON")
        state: VisState = unpacked(VisState, kept.state, "visState")
        source: SearchSource = unpacked(SearchSource, kept.held.search_source, "kibanaSavedObjectMeta.searchSourceJSON")
        aggs: list[Agg] = [shaped(Agg, one, f"visState.aggs[{place}]") for place, one in enumerate(state.aggs)]
        # Lists to choose from are a visualization of their own.
        controls: list[ListControl] = shaped(list[ListControl], state.params.get("controls", []), "visState.params.controls")
        return cls(kept, state.type, state.params, aggs, controls, source)
