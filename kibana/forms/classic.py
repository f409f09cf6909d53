"""Dashboards for OpenSearch Dashboards 2 and 3, which Kibana 8 and 9 take too: index patterns, visualizations, searches, dashboards.

The envelope is that of 7.10, the last that both products share. Of a field list nothing is said: the products ask the cluster at first use.
How a panel is drawn is said in `vis` and `vega`; here is how objects are put together and which refers to which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..model import VIEWS, Dashboard, Layer, Panel, View, panels_of
from ..saved import GRID, REVISION, Reference, SavedObject, dashboard_id, packed, panel_id, reference
from . import vega, vis
from .views import view

__all__ = ["objects"]

_VERSIONS = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"
_CONTROLS_HEIGHT = 4
_FORMS = {"metric": vis.metric, "chart": vis.chart, "table": vis.table, "donut": vis.donut, "text": vis.text}


def objects(dashboards: tuple[Dashboard, ...]) -> list[SavedObject]:
    """What there is to import: index patterns, each panel's object once, controls, dashboards."""
    panels = panels_of(dashboards)
    return [*(_pattern(one, dashboards) for one in VIEWS), *map(_panel, panels), *(_controls(one) for one in dashboards if one.controls),
            *map(_dashboard, dashboards)]  # fmt: skip


# Index patterns.


def _pattern(one: View, dashboards: tuple[Dashboard, ...]) -> SavedObject:
    return _object("index-pattern", one.id, view(one, dashboards), [])


# Panels.


def _panel(panel: Panel) -> SavedObject:
    if panel.kind == "rows":
        return _search(panel)
    if (spec := vega.spec(panel)) is not None:
        # The condition stands in each request of the specification: there can be several.
        state = {"title": panel.title, "type": "vega", "aggs": [], "params": {"spec": json.dumps(spec, ensure_ascii=False, indent=2)}}
        return _visualization(panel_id(panel.key), state, panel.description)
    opens = vis.ordered(panel) if panel.kind == "table" else {}
    return _visualization(panel_id(panel.key), _FORMS[panel.kind](panel), panel.description, panel.layers, opens=opens)


def _visualization(id_: str, state: vis.State, description: str, layers: tuple[Layer, ...] = (), *, opens: dict[str, Any] | None = None,
                   references: list[Reference] | None = None) -> SavedObject:  # fmt: skip
    attributes = {**_told(state["title"], description), "version": 1, "visState": packed(state), "uiStateJSON": packed(opens or {}),
                  **_source(*layers)}  # fmt: skip
    return _object("visualization", id_, attributes, references or [_of_view(one.view) for one in layers])


def _search(panel: Panel) -> SavedObject:
    attributes = {**_told(panel.title, panel.description), "hits": 0, "version": 1, "columns": [one.field for one in panel.columns],
                  "sort": [[panel.first.view.time, "desc"]], **_source(panel.first)}  # fmt: skip
    return _object("search", panel_id(panel.key), attributes, [_of_view(panel.first.view)])


def _controls(dashboard: Dashboard) -> SavedObject:
    state = vis.controls(f"{dashboard.title}, controls", dashboard.controls)
    views = [reference(f"control_{at}_index_pattern", "index-pattern", one.view.id) for at, one in enumerate(dashboard.controls)]
    return _visualization(_controls_id(dashboard), state, "Values to choose for the whole dashboard.", references=views)


# Dashboards.


class _Place(NamedTuple):
    """Where an object stands in the grid; `plain`: without its title."""

    key: str
    type: str
    id: str
    x: int
    y: int
    w: int
    h: int
    plain: bool


def _places(dashboard: Dashboard) -> Iterator[_Place]:
    """Every object of a dashboard from the top down; the controls stand below the first row, which leads to the other pages."""
    y = 0
    for at, row in enumerate(dashboard.rows):
        if at == 1 and dashboard.controls:
            yield _Place("controls", "visualization", _controls_id(dashboard), 0, y, GRID, _CONTROLS_HEIGHT, plain=True)
            y += _CONTROLS_HEIGHT
        x = 0
        for panel, width in row.panels:
            kind = "search" if panel.kind == "rows" else "visualization"
            yield _Place(panel.key, kind, panel_id(panel.key), x, y, width, row.height, plain=panel.kind == "text")
            x += width
        y += row.height


def _dashboard(dashboard: Dashboard) -> SavedObject:
    places = list(_places(dashboard))
    attributes = {
        **_told(dashboard.title, dashboard.description), "hits": 0, "version": 1,
        "panelsJSON": packed([_placed(place, f"panel_{at}") for at, place in enumerate(places)]),
        "optionsJSON": packed({"hidePanelTitles": False, "useMargins": True}),
        "timeRestore": True, "timeFrom": dashboard.since, "timeTo": "now", "refreshInterval": {"pause": True, "value": 60_000},
        **_source(),
    }  # fmt: skip
    references = [reference(f"panel_{at}", place.type, place.id) for at, place in enumerate(places)]
    return _object("dashboard", dashboard_id(dashboard.key), attributes, references)


def _placed(place: _Place, name: str) -> dict[str, Any]:
    grid = {"x": place.x, "y": place.y, "w": place.w, "h": place.h, "i": place.key}
    config = {"hidePanelTitles": True} if place.plain else {}
    return {"version": "7.9.3", "gridData": grid, "panelIndex": place.key, "embeddableConfig": config, "panelRefName": name}


# What they have in common.


def _object(type_: str, id_: str, attributes: dict[str, Any], references: list[Reference]) -> SavedObject:
    return {"type": type_, "id": id_, "attributes": attributes, "references": references, "migrationVersion": {type_: _VERSIONS[type_]}}


def _source(layer: Layer | None = None) -> dict[str, Any]:
    """The condition of an object, and that its index pattern is a reference."""
    index = {"indexRefName": _INDEX} if layer else {}
    source = {"query": {"query": layer.where if layer else "", "language": "kuery"}, "filter": [], **index}
    return {"kibanaSavedObjectMeta": {"searchSourceJSON": packed(source)}}


def _of_view(view: View) -> Reference:
    return reference(_INDEX, "index-pattern", view.id)


def _told(title: str, description: str) -> dict[str, Any]:
    """Title and description, which ends with the revision of the file."""
    return {"title": title, "description": f"{description or title} (pluginhost {REVISION})"}


def _controls_id(dashboard: Dashboard) -> str:
    return panel_id(f"{dashboard.key}-controls")
