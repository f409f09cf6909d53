"""What a Lens visualization looks like inside, as types: see `shapes`, and `lens_columns` and `lens_charts` for what is in it."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from .lens_charts import CHARTS, Chart
from .lens_columns import Column
from .shapes import Attributes, Filter, Misshapen, Query, Shape, shaped

__all__ = ["Layer", "Lens"]


class LayerShape(Shape, frozen=True):
    """What is asked of a data view, before its columns are read."""

    columns: dict[str, dict[str, Any]]
    column_order: list[str]
    incomplete_columns: dict[str, Any] = field(default_factory=dict)
    sampling: Annotated[float, Meta(gt=0, le=1)] = 1
    ignore_global_filters: bool = False


class Layer(Shape, frozen=True):
    """What is asked of a data view."""

    columns: dict[str, Column]
    order: list[str]


class Layers(Shape, frozen=True):
    """By id."""

    layers: Annotated[dict[str, LayerShape], Meta(min_length=1)]


class Sources(Shape, frozen=True):
    """Where the layers are."""

    form_based: Layers
    text_based: dict[str, Any] = field(default_factory=dict)


class State(Shape, frozen=True):
    """What a visualization asks and shows."""

    datasource_states: Sources
    visualization: dict[str, Any]
    query: Query
    filters: tuple[Filter, ...] = ()
    internal_references: Annotated[tuple[Any, ...], Meta(max_length=0)] = ()
    ad_hoc_data_views: Annotated[dict[str, Any], Meta(max_length=0)] = field(default_factory=dict)


class LensAttributes(Attributes, frozen=True):
    """A visualization as it is kept."""

    visualization_type: str
    state: State


class Lens(Shape, frozen=True):
    """A visualization, opened."""

    attributes: LensAttributes
    layers: dict[str, Layer]
    chart: Chart

    @classmethod
    def opened(cls, attributes: dict[str, Any]) -> Lens:
        """The visualization with its columns and its chart."""
        kept: LensAttributes = shaped(LensAttributes, attributes, "attributes")
        kind = CHARTS.get(kept.visualization_type)
        if kind is None:
            raise Misshapen(f"visualizationType: {kept.visualization_type!r} is none of {', '.join(CHARTS)}")
        chart: Chart = shaped(kind, kept.state.visualization, "state.visualization")
        return cls(kept, {name: _layer(name, layer) for name, layer in kept.state.datasource_states.form_based.layers.items()}, chart)


def _layer(name: str, kept: LayerShape) -> Layer:
    path = f"state.datasourceStates.formBased.layers.{name}.columns"
    return Layer({key: shaped(Column, column, f"{path}.{key}") for key, column in kept.columns.items()}, kept.column_order)
