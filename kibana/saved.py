"""What saved objects of all products have in common: ids, references, and JSON that stands in a text."""

from __future__ import annotations

import json
from typing import Any

import msgspec

__all__ = ["GRID", "REVISION", "Reference", "SavedObject", "dashboard_id", "packed", "panel_id", "reference"]

REVISION = 1
"""Raised when the files change. It ends the description of every object but index patterns: so one sees what stands in a Kibana."""

GRID = 48
"""Columns of a dashboard's grid, in all products."""

Reference = dict[str, str]
SavedObject = dict[str, Any]
"""One line of a file: type, id, attributes, references, and the versions of its form."""


def dashboard_id(key: str) -> str:
    """The id of a dashboard, which is part of links."""
    return f"pluginhost-{key}"


def panel_id(key: str) -> str:
    """The id of a panel's own object."""
    return f"pluginhost-panel-{key}"


def packed(value: Any) -> str:
    """JSON as it stands in an attribute that holds it as a text."""
    return json.dumps(msgspec.to_builtins(value), ensure_ascii=False, separators=(",", ":"))


def reference(name: str, type_: str, id_: str) -> Reference:
    """That what is called `name` inside an object is that other object."""
    return {"name": name, "type": type_, "id": id_}
