"""What a saved object for Kibana says of how it is drawn, beyond the values: legends, gaps, columns."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from ..saved import SavedObject

__all__ = ["Look", "look"]


class Look(msgspec.Struct, frozen=True):
    """What applies of it to the kind of panel; the rest says nothing."""

    legend: str = "right"
    """Of a chart: right or bottom; anything else is none."""
    joined: bool = False
    """Of a chart: whether a line goes over gaps."""
    beside: bool = False
    """Of a chart: whether the axis at the right has a title."""
    subtitle: str = ""
    """Of a number."""
    widths: tuple[float, ...] = ()
    """Of the columns of a table or list, px; 0: what is left."""
    links: tuple[str, ...] = ()
    """Of the columns of a list: what stands there in place of an address; "" where there are none."""


def look(one: SavedObject, objects: Mapping[str, SavedObject]) -> Look:
    """How an object is drawn; `objects` are those of its file by `type/id`."""
    attributes = one["attributes"]
    state = attributes.get("state", {}).get("visualization", {})
    legend = state.get("legend", {})
    drawn = Look(legend.get("position", "right") if legend.get("isVisible", True) else "", state.get("fittingFunction") == "Linear",
                 bool(state.get("axisTitlesVisibilitySettings", {}).get("yRight")), state.get("subtitle", ""),
                 tuple(column.get("width", 0) for column in state.get("columns", ())))  # fmt: skip
    return _listed(one, objects) if one["type"] == "search" else drawn


def _listed(one: SavedObject, objects: Mapping[str, SavedObject]) -> Look:
    """How a list is drawn: its first column is the time, addresses are shown as the data view says."""
    columns = one["attributes"]["columns"]
    grid = one["attributes"].get("grid", {}).get("columns", {})
    views = [objects[f"{ref['type']}/{ref['id']}"] for ref in one["references"] if ref["type"] == "index-pattern"]
    formats = json.loads(views[0]["attributes"].get("fieldFormatMap", "{}")) if views else {}
    labels = {field: told["params"].get("labelTemplate", "") for field, told in formats.items() if told.get("id") == "url"}
    return Look(widths=(0, *(grid.get(field, {}).get("width", 0) for field in columns)),
                links=("", *(labels.get(field, "") for field in columns)))  # fmt: skip
