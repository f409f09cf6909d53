"""What a dashboard looks like inside, as types: see `shapes`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType, field

from .shapes import Attributes, Held, SearchSource, Shape, Source, shaped, unpacked

__all__ = ["Board", "BoardAttributes", "Control", "Grid", "Panel"]


class Grid(Shape, frozen=True):
    """Where a panel is, in cells of the grid."""

    x: Annotated[int, Meta(ge=0)]
    y: Annotated[int, Meta(ge=0)]
    w: Annotated[int, Meta(ge=1)]
    h: Annotated[int, Meta(ge=1)]
    i: str


class Shown(Shape, frozen=True):
    """What a dashboard says of an object that it shows."""

    enhancements: dict[str, Any] = field(default_factory=dict)
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    hide_panel_titles: bool | UnsetType = UNSET
    is_layer_toc_open: bool | UnsetType = field(default=UNSET, name="isLayerTOCOpen")
    open_toc_details: list[str] | UnsetType = field(default=UNSET, name="openTOCDetails")
    map_center: dict[str, float] | UnsetType = UNSET
    hidden_layers: list[str] | UnsetType = UNSET
    vis: dict[str, Any] | UnsetType = UNSET
    table: dict[str, Any] | UnsetType = UNSET


class Panel(Shape, frozen=True):
    """A place of a dashboard, and by which reference what is there."""

    grid: Grid = field(name="gridData")
    panel_index: str
    panel_ref_name: str
    version: str
    embeddable_config: Shown = Shown()
    type: str = ""
    title: str = ""


class Refresh(Shape, frozen=True):
    """How often a dashboard asks again, ms."""

    pause: bool
    value: Annotated[int, Meta(ge=0)]


class ControlInput(Shape, frozen=True):
    """What a control chooses from. Its data view is a reference."""

    id: str
    field_name: Source
    title: str = ""
    enhancements: dict[str, Any] = field(default_factory=dict)
    selected_options: tuple[str, ...] = ()
    search_technique: Literal["prefix", "wildcard", "exact"] | UnsetType = UNSET
    sort: dict[str, str] | UnsetType = UNSET
    single_select: bool | UnsetType = UNSET
    exclude: bool | UnsetType = UNSET
    exists_selected: bool | UnsetType = UNSET
    run_past_timeout: bool | UnsetType = UNSET
    hide_exclude: bool | UnsetType = UNSET
    hide_exists: bool | UnsetType = UNSET


class Control(Shape, frozen=True):
    """A list of values to choose from, for a whole dashboard."""

    order: int
    explicit_input: ControlInput
    type: Literal["optionsListControl"]
    width: Literal["small", "medium", "large", "auto"] = "medium"
    grow: bool = True


class ControlGroup(Shape, frozen=True):
    """The controls of a dashboard, and what they share."""

    panels: str = field(default="{}", name="panelsJSON")
    control_style: Literal["oneLine", "twoLine"] = "oneLine"
    chaining_system: Literal["HIERARCHICAL", "NONE"] = "HIERARCHICAL"
    ignoring: str = field(default="{}", name="ignoreParentSettingsJSON")


class Ignoring(Shape, frozen=True):
    """What controls leave out of account."""

    ignore_filters: bool = False
    ignore_query: bool = False
    ignore_timerange: bool = False
    ignore_validations: bool = False


class Options(Shape, frozen=True):
    """How a dashboard is shown."""

    use_margins: bool = True
    sync_colors: bool = False
    sync_cursor: bool = True
    sync_tooltips: bool = False
    hide_panel_titles: bool = False


class BoardAttributes(Attributes, frozen=True):
    """A dashboard as it is kept."""

    panels: str = field(default="[]", name="panelsJSON")
    options: str = field(default="{}", name="optionsJSON")
    time_restore: bool = False
    time_from: str = ""
    time_to: str = ""
    refresh_interval: Refresh | UnsetType = UNSET
    controls: ControlGroup = field(default=ControlGroup(), name="controlGroupInput")
    hits: int = 0
    version: int = 1
    held: Held = field(default=Held(), name="kibanaSavedObjectMeta")


class Board(Shape, frozen=True):
    """A dashboard, opened."""

    attributes: BoardAttributes
    panels: list[Panel]
    controls: dict[str, Control]
    source: SearchSource

    @classmethod
    def opened(cls, attributes: dict[str, Any]) -> Board:
        """The dashboard with everything that stands in texts."""
        kept: BoardAttributes = shaped(BoardAttributes, attributes, "attributes")
        unpacked(Options, kept.options, "optionsJSON")
        unpacked(Ignoring, kept.controls.ignoring, "controlGroupInput.ignoreParentSettingsJSON")
        path = "controlGroupInput.panelsJSON"
        controls: dict[str, Any] = unpacked(dict[str, Any], kept.controls.panels, path)
        return cls(kept, unpacked(list[Panel], kept.panels, "panelsJSON"),
                   {key: shaped(Control, one, f"{path}.{key}") for key, one in controls.items()},
                   unpacked(SearchSource, kept.held.search_source, "kibanaSavedObjectMeta.searchSourceJSON"))  # fmt: skip
