"""Dashboards of Kibana: panels by reference in the grid, the time they open with, and controls for all of a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..model import Control, Dashboard, Panel
from ..saved import Reference, packed, panel_id, reference
from .columns import condition
from .lens import titled

__all__ = ["board"]

_VERSION = "8.9.0"  # of the panels' form


def board(one: Dashboard, types: dict[str, str]) -> tuple[dict[str, Any], list[Reference]]:
    """The attributes of a dashboard but its description, and what it refers to; `types` are those of the panels' objects, by key."""
    placed = list(_placed(one))
    controls = {"controlGroupInput": _controls(one.controls)} if one.controls else {}
    attributes = {
        "title": one.title, "hits": 0, "version": 1, "timeRestore": True, "timeFrom": one.since, "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 60_000}, "panelsJSON": packed([_panel(*each, types) for each in placed]),
        "optionsJSON": packed({"useMargins": True, "syncColors": True, "syncCursor": True, "syncTooltips": False,
                               "hidePanelTitles": False}),
        "kibanaSavedObjectMeta": {"searchSourceJSON": packed({"query": condition(""), "filter": []})}, **controls,
    }  # fmt: skip
    shown = [reference(f"{panel.key}:panel_{panel.key}", types[panel.key], panel_id(panel.key)) for panel, _ in placed]
    chosen = [reference(f"controlGroup_{_id(each)}:optionsListDataView", "index-pattern", each.view.id) for each in one.controls]
    return attributes, [*shown, *chosen]


def _placed(one: Dashboard) -> Iterator[tuple[Panel, dict[str, Any]]]:
    """Each panel with its place in the grid, row by row."""
    y = 0
    for row in one.rows:
        x = 0
        for panel, width in row.panels:
            yield panel, {"x": x, "y": y, "w": width, "h": row.height, "i": panel.key}
            x += width
        y += row.height


def _panel(panel: Panel, grid: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    # A description of its own, so that the object's with our mark at its end is not shown to people.
    config: dict[str, Any] = {"enhancements": {}, "description": panel.description}
    if panel.kind == "text" or titled(panel):
        config["hidePanelTitles"] = True
    if types[panel.key] == "map":
        config |= {"isLayerTOCOpen": False, "openTOCDetails": []}
    return {"type": types[panel.key], "gridData": grid, "panelIndex": panel.key, "panelRefName": f"panel_{panel.key}",
            "embeddableConfig": config, "version": _VERSION}  # fmt: skip


def _controls(controls: tuple[Control, ...]) -> dict[str, Any]:
    """Lists to choose from; what is chosen in one narrows those to its right."""
    listed = {_id(one): {"type": "optionsListControl", "order": at, "width": "medium", "grow": True, "explicitInput": {
        "id": _id(one), "fieldName": one.field, "title": one.label, "selectedOptions": [], "enhancements": {}}}
        for at, one in enumerate(controls)}  # fmt: skip
    heeded = dict.fromkeys(("ignoreFilters", "ignoreQuery", "ignoreTimerange", "ignoreValidations"), False)
    return {"controlStyle": "oneLine", "chainingSystem": "HIERARCHICAL", "panelsJSON": packed(listed),
            "ignoreParentSettingsJSON": packed(heeded)}  # fmt: skip


def _id(control: Control) -> str:
    return f"control-{control.field.replace('.', '-')}"
