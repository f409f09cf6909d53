"""What the columns of a Lens visualization look like, as types: see `shapes`.

Only what we use, or may come to use, of Kibana 8.9's forms: operations over fields, no formulas.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from .shapes import Query, Shape, Size, Source

__all__ = ["RECORDS", "Column", "Counted", "DateHistogram", "Filters", "Max", "Measure", "Measured", "Min", "Percentile", "Terms",
           "UniqueCount"]  # fmt: skip

RECORDS = "___records___"
"""What a count counts: documents."""

Span = Annotated[str, Meta(pattern=r"^([1-9][0-9]*[smhdwMqy]|previous)$")]
Interval = Annotated[str, Meta(pattern=r"^(auto|[1-9][0-9]*(ms|[smhd])|1[wMqy])$")]


# Columns: their operations, which say what their values are.

class FormatParams(Shape, frozen=True):
    """How a number is written."""

    decimals: Annotated[int, Meta(ge=0, le=15)] | UnsetType = UNSET
    suffix: str | UnsetType = UNSET
    compact: bool | UnsetType = UNSET
    pattern: str | UnsetType = UNSET


class Format(Shape, frozen=True):
    """How a column is written. Durations are known from 8.10 on only."""

    id: Literal["number", "percent", "bytes", "bits", "custom"]
    params: FormatParams = FormatParams()


class Operation(Shape, tag_field="operationType", kw_only=True, frozen=True):
    """What all columns have."""

    bucketed: ClassVar[bool] = False

    label: str
    is_bucketed: bool
    custom_label: bool = False


class DateHistogramParams(Shape, frozen=True):
    """How time is cut."""

    interval: Interval
    include_empty_rows: bool = False
    drop_partials: bool = False
    ignore_time_range: bool = False


class DateHistogram(Operation, tag="date_histogram", frozen=True):
    """Documents by time."""

    bucketed: ClassVar[bool] = True

    source_field: Source
    data_type: Literal["date"]
    scale: Literal["interval"]
    params: DateHistogramParams


class OrderBy(Shape, frozen=True):
    """What values are ordered by."""

    type: Literal["column", "alphabetical"]
    column_id: str | UnsetType = UNSET
    fallback: bool | UnsetType = UNSET


class Nested(Shape, frozen=True):
    """How values are written that come from a field: by its own format."""

    id: Literal["terms", "multi_terms"]


class TermsParams(Shape, frozen=True):
    """Which values, and how many."""

    size: Size
    order_by: OrderBy
    order_direction: Literal["asc", "desc"]
    other_bucket: bool = False
    missing_bucket: bool = False
    parent_format: Nested = Nested("terms")
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_is_regex: bool = False
    exclude_is_regex: bool = False
    secondary_fields: tuple[Source, ...] = ()
    accuracy_mode: bool = False
    format: Format | UnsetType = UNSET


class Terms(Operation, tag="terms", frozen=True):
    """Documents by the values of a field."""

    bucketed: ClassVar[bool] = True

    source_field: Source
    data_type: Literal["string", "number", "ip", "boolean"]
    scale: Literal["ordinal"]
    params: TermsParams


class Labelled(Shape, frozen=True):
    """A condition with its label."""

    input: Query
    label: str


class FiltersParams(Shape, frozen=True):
    """Conditions."""

    filters: Annotated[list[Labelled], Meta(min_length=1)]


class Filters(Operation, tag="filters", frozen=True):
    """Documents by conditions."""

    bucketed: ClassVar[bool] = True

    data_type: Literal["string"]
    scale: Literal["ordinal"]
    params: FiltersParams


class Measure(Operation, kw_only=True, frozen=True):
    """What all numbers have."""

    scale: Literal["ratio"]
    filter: Query | UnsetType = UNSET
    time_shift: Span | Literal[""] | UnsetType = UNSET
    reduced_time_range: Span | Literal[""] | UnsetType = UNSET


class MeasureParams(Shape, frozen=True):
    """How a number is shown."""

    empty_as_null: bool | UnsetType = UNSET
    format: Format | UnsetType = UNSET


class Counted(Measure, tag="count", frozen=True):
    """How many documents, or values of a field."""

    source_field: Source
    data_type: Literal["number"]
    params: MeasureParams = MeasureParams()


class UniqueCount(Measure, tag="unique_count", frozen=True):
    """How many different values."""

    source_field: Source
    data_type: Literal["number"]
    params: MeasureParams = MeasureParams()


class Measured(Measure, frozen=True):
    """A number over the values of a field."""

    source_field: Source
    data_type: Literal["number", "date"]
    params: MeasureParams = MeasureParams()


class Max(Measured, tag="max", frozen=True):
    """The greatest."""


class Min(Measured, tag="min", frozen=True):
    """The least."""


class Average(Measured, tag="average", frozen=True):
    """The mean."""


class Sum(Measured, tag="sum", frozen=True):
    """All together."""


class Median(Measured, tag="median", frozen=True):
    """The one in the middle."""


class PercentileParams(Shape, frozen=True):
    """Which one."""

    percentile: Annotated[float, Meta(ge=1, le=99)]
    format: Format | UnsetType = UNSET


class Percentile(Measure, tag="percentile", frozen=True):
    """What so many of a hundred values are below."""

    source_field: Source
    data_type: Literal["number"]
    params: PercentileParams


Column: TypeAlias = DateHistogram | Terms | Filters | Counted | UniqueCount | Max | Min | Average | Sum | Median | Percentile
