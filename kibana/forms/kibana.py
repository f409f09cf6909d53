"""Dashboards for Kibana 8.9 to 9.x: data views, Lens visualizations, maps, searches, dashboards.

Each object has the oldest form that all these versions take without asking; Kibana brings it up to its own when it is imported. How panels
are drawn is said in `lens` and `maps`, how fields are shown in `views`, how a page is laid out in `boards`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model import VIEWS, Dashboard, Panel, panels_of
from ..saved import REVISION, Reference, SavedObject, dashboard_id, packed, panel_id, reference
from .boards import board
from .columns import condition
from .lens import lens
from .maps import map_
from .views import view

__all__ = ["objects"]

Made = tuple[dict[str, Any], list[Reference]]
"""The attributes of an object but its description, and what it refers to."""
_VERSIONS = {"index-pattern": "8.0.0", "lens": "8.9.0", "map": "8.4.0", "search": "7.9.3", "visualization": "8.5.0", "dashboard": "8.9.0"}
_CORE = "8.8.0"
_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"


def objects(dashboards: tuple[Dashboard, ...]) -> list[SavedObject]:
    """What there is to import: data views, each panel's object once, dashboards."""
    panels = panels_of(dashboards)
    types = {one.key: _FORMS[one.kind][0] for one in panels}
    return [*(_object("index-pattern", one.id, (view(one, dashboards), [])) for one in VIEWS),
            *(_told(types[one.key], panel_id(one.key), _FORMS[one.kind][1](one), one.description) for one in panels),
            *(_told("dashboard", dashboard_id(one.key), board(one, types), one.description) for one in dashboards)]  # fmt: skip


def _text(panel: Panel) -> Made:
    """Markdown, whose links stay in the same tab."""
    params = {"fontSize": 12, "openLinksInNewTab": False, "markdown": panel.text}
    state = {"title": panel.title, "type": "markdown", "aggs": [], "params": params}
    return {"title": panel.title, "visState": packed(state), "uiStateJSON": "{}", "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": packed({"query": condition(""), "filter": []})}}, []  # fmt: skip


def _search(panel: Panel) -> Made:
    """Documents, latest first."""
    one = panel.first.view
    grid = {"columns": {column.field: {"width": column.width} for column in panel.columns if column.width}}
    source = {"query": condition(panel.first.where), "filter": [], "highlightAll": True, "version": True, "indexRefName": _INDEX}
    return {"title": panel.title, "columns": [column.field for column in panel.columns], "sort": [[one.time, "desc"]], "grid": grid,
            "hideChart": False, "isTextBasedQuery": False, "timeRestore": False, "hits": 0, "version": 1,
            "kibanaSavedObjectMeta": {"searchSourceJSON": packed(source)}}, [reference(_INDEX, "index-pattern", one.id)]  # fmt: skip


def _told(type_: str, id_: str, made: Made, description: str) -> SavedObject:
    """An object whose description ends with the revision of the file."""
    attributes, references = made
    told = f"{description or attributes['title']} (pluginhost {REVISION})"
    return _object(type_, id_, ({**attributes, "description": told}, references))


def _object(type_: str, id_: str, made: Made) -> SavedObject:
    attributes, references = made
    return {"type": type_, "id": id_, "attributes": attributes, "references": references, "typeMigrationVersion": _VERSIONS[type_],
            "coreMigrationVersion": _CORE, "managed": False}  # fmt: skip


_FORMS: dict[str, tuple[str, Callable[[Panel], Made]]] = {
    "metric": ("lens", lens), "chart": ("lens", lens), "table": ("lens", lens), "donut": ("lens", lens),
    "points": ("map", map_), "paths": ("map", map_), "rows": ("search", _search), "text": ("visualization", _text)}  # fmt: skip
"""The type of each kind of panel's object, and what makes it."""
