"""What the charts of Lens look like, as types: see `shapes`. Each says which columns it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from .shapes import Shape

__all__ = ["CHARTS", "Chart", "Datatable", "MetricChart", "Pie", "PieLayer", "Sorting", "Xy", "XyLayer"]

Position = Literal["top", "right", "bottom", "left"]
LegendSize = Literal["auto", "small", "medium", "large", "xlarge"]
Series = Literal["bar", "bar_stacked", "bar_percentage_stacked", "bar_horizontal", "bar_horizontal_stacked",
                 "bar_horizontal_percentage_stacked", "line", "area", "area_stacked", "area_percentage_stacked"]  # fmt: skip
Used = Iterator[tuple[str, str]]
"""Ids of columns, with the places where they are named."""


class Palette(Shape, frozen=True):
    """Colours."""

    type: Literal["palette"]
    name: str
    params: dict[str, Any] = field(default_factory=dict)


class Legend(Shape, frozen=True):
    """What the colours mean."""

    is_visible: bool
    position: Position = "right"
    show_single_series: bool = False
    is_inside: bool = False
    should_truncate: bool = True
    max_lines: int = 1
    legend_size: LegendSize = "auto"
    horizontal_alignment: Literal["left", "right"] = "right"
    vertical_alignment: Literal["top", "bottom"] = "top"
    floating_columns: int = 1


class Extent(Shape, frozen=True):
    """From where to where an axis goes."""

    mode: Literal["full", "custom", "dataBounds"]
    lower_bound: float | UnsetType = UNSET
    upper_bound: float | UnsetType = UNSET
    enforce: bool | UnsetType = UNSET
    nice_values: bool | UnsetType = UNSET


class Axes(Shape, frozen=True):
    """Something said of each axis, yes or no."""

    x: bool
    y_left: bool
    y_right: bool


class Turned(Shape, frozen=True):
    """How far the labels of each axis are turned, degrees."""

    x: int
    y_left: int
    y_right: int


class YConfig(Shape, frozen=True):
    """How one series is drawn."""

    for_accessor: str
    axis_mode: Literal["auto", "left", "right", "bottom"] | UnsetType = UNSET
    color: str | UnsetType = UNSET


class XyLayer(Shape, frozen=True):
    """Series that are drawn alike."""

    layer_id: str
    accessors: Annotated[list[str], Meta(min_length=1)]
    layer_type: Literal["data"]
    series_type: Series
    x_accessor: str | UnsetType = UNSET
    split_accessor: str | UnsetType = UNSET
    y_config: tuple[YConfig, ...] = ()
    palette: Palette | UnsetType = UNSET
    collapse_fn: str | UnsetType = UNSET
    x_scale_type: Literal["time", "linear", "ordinal"] | UnsetType = UNSET
    is_histogram: bool | UnsetType = UNSET
    show_gridlines: bool | UnsetType = UNSET

    def used(self) -> Used:
        """The columns that it shows."""
        yield from ((one, "accessors") for one in self.accessors)
        yield from _given(xAccessor=self.x_accessor, splitAccessor=self.split_accessor)


class Xy(Shape, frozen=True):
    """Bars, lines and areas."""

    preferred_series_type: Series
    legend: Legend
    layers: Annotated[list[XyLayer], Meta(min_length=1)]
    value_labels: Literal["hide", "show"] = "hide"
    fitting_function: Literal["None", "Zero", "Linear", "Carry", "Lookahead", "Average", "Nearest"] = "None"
    emphasize_fitting: bool = False
    end_value: Literal["None", "Zero", "Nearest"] = "None"
    x_extent: Extent | UnsetType = UNSET
    y_left_extent: Extent | UnsetType = UNSET
    y_right_extent: Extent | UnsetType = UNSET
    x_title: str | UnsetType = UNSET
    y_title: str | UnsetType = UNSET
    y_right_title: str | UnsetType = UNSET
    y_left_scale: Literal["linear", "log", "sqrt"] = "linear"
    y_right_scale: Literal["linear", "log", "sqrt"] = "linear"
    axis_titles_visibility_settings: Axes | UnsetType = UNSET
    tick_labels_visibility_settings: Axes | UnsetType = UNSET
    gridlines_visibility_settings: Axes | UnsetType = UNSET
    labels_orientation: Turned | UnsetType = UNSET
    curve_type: Literal["LINEAR", "CURVE_MONOTONE_X", "CURVE_STEP_AFTER"] = "LINEAR"
    fill_opacity: float | UnsetType = UNSET
    hide_endzones: bool = False
    show_current_time_marker: bool = False
    values_in_legend: bool = False

    def shown(self) -> list[XyLayer]:
        """Its layers, as far as each names columns."""
        return self.layers


class TableColumn(Shape, frozen=True):
    """How a column of a table looks."""

    column_id: str
    width: float | UnsetType = UNSET
    hidden: bool = False
    is_transposed: bool = False
    is_metric: bool | UnsetType = UNSET
    alignment: Literal["left", "right", "center"] | UnsetType = UNSET
    color_mode: Literal["none", "cell", "text"] = "none"
    palette: Palette | UnsetType = UNSET
    summary_row: Literal["none", "sum", "avg", "count", "min", "max"] = "none"
    summary_label: str = ""
    collapse_fn: str | UnsetType = UNSET
    one_click_filter: bool = False


class Sorting(Shape, frozen=True):
    """By which column, and whether falling."""

    column_id: str
    direction: Literal["asc", "desc", "none"]


class Paging(Shape, frozen=True):
    """How many rows there are on a page."""

    size: Annotated[int, Meta(ge=1)]
    enabled: bool


class Datatable(Shape, frozen=True):
    """Rows and columns."""

    layer_id: str
    layer_type: Literal["data"]
    columns: Annotated[list[TableColumn], Meta(min_length=1)]
    sorting: Sorting | UnsetType = UNSET
    paging: Paging | UnsetType = UNSET
    row_height: Literal["auto", "single", "custom"] | UnsetType = UNSET
    row_height_lines: int | UnsetType = UNSET
    header_row_height: Literal["auto", "single", "custom"] | UnsetType = UNSET
    header_row_height_lines: int | UnsetType = UNSET

    def shown(self) -> list[Datatable]:
        """Itself: it has one layer."""
        return [self]

    def used(self) -> Used:
        """The columns that it shows."""
        return ((one.column_id, f"columns[{place}]") for place, one in enumerate(self.columns))


class MetricChart(Shape, frozen=True):
    """One big number."""

    layer_id: str
    layer_type: Literal["data"]
    metric_accessor: str
    secondary_metric_accessor: str | UnsetType = UNSET
    max_accessor: str | UnsetType = UNSET
    breakdown_by_accessor: str | UnsetType = UNSET
    max_cols: int | UnsetType = UNSET
    subtitle: str | UnsetType = UNSET
    secondary_prefix: str | UnsetType = UNSET
    show_bar: bool | UnsetType = UNSET
    progress_direction: Literal["vertical", "horizontal"] | UnsetType = UNSET
    color: str | UnsetType = UNSET
    palette: Palette | UnsetType = UNSET
    icon: str | UnsetType = UNSET

    def shown(self) -> list[MetricChart]:
        """Itself: it has one layer."""
        return [self]

    def used(self) -> Used:
        """The columns that it shows."""
        yield self.metric_accessor, "metricAccessor"
        yield from _given(secondaryMetricAccessor=self.secondary_metric_accessor, maxAccessor=self.max_accessor,
                          breakdownByAccessor=self.breakdown_by_accessor)  # fmt: skip


class PieLayer(Shape, frozen=True):
    """Shares of a whole."""

    layer_id: str
    layer_type: Literal["data"]
    primary_groups: Annotated[list[str], Meta(min_length=1)]
    metrics: Annotated[list[str], Meta(min_length=1, max_length=1)]
    number_display: Literal["hidden", "percent", "value"]
    category_display: Literal["default", "inside", "hide"]
    legend_display: Literal["default", "show", "hide"]
    legend_position: Position = "right"
    nested_legend: bool = False
    percent_decimals: int = 2
    empty_size_ratio: float | UnsetType = UNSET
    legend_max_lines: int = 1
    legend_size: LegendSize = "auto"
    truncate_legend: bool = True
    show_values_in_legend: bool = False

    def used(self) -> Used:
        """The columns that it shows."""
        yield from ((one, "primaryGroups") for one in self.primary_groups)
        yield from ((one, "metrics") for one in self.metrics)


class Pie(Shape, frozen=True):
    """A pie, or a donut."""

    shape: Literal["donut", "pie"]
    layers: Annotated[list[PieLayer], Meta(min_length=1, max_length=1)]
    palette: Palette | UnsetType = UNSET

    def shown(self) -> list[PieLayer]:
        """Its only layer."""
        return self.layers


Chart = Xy | Datatable | MetricChart | Pie
CHARTS: Mapping[str, type[Chart]] = {"lnsXY": Xy, "lnsDatatable": Datatable, "lnsMetric": MetricChart, "lnsPie": Pie}


def _given(**named: str | UnsetType) -> Used:
    return ((one, place) for place, one in named.items() if isinstance(one, str))
