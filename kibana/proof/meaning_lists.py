"""What lists ask and show: saved searches, and the values to choose from in controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ..saved import SavedObject
from .aggregations import COUNT, Split, aggs, ordered, rows
from .answers import Answer
from .setting import MeaningError, Question, Reply, Setting, View, inner, units

__all__ = ["SHOWN", "controls", "input_controls", "search"]

SHOWN = 100
"""So many rows of a search are answered; products ask for more, and show some at a time."""
_ASKED = 500  # discover:sampleSize
_CHOICE = 10


def search(setting: Setting, holder: SavedObject) -> Question:
    """What a saved search asks and shows: its time first, then its columns, in its order."""
    attributes, name = holder["attributes"], f"search/{holder['id']}"
    view, query = setting.source(holder)
    columns = [*([view.time] if view.time else []), *attributes["columns"]]
    sort = [{field: {"order": direction, "unmapped_type": "boolean"}} for field, direction in attributes["sort"]]
    body = {"size": _ASKED, "track_total_hits": True, "sort": sort, "_source": False, "fields": columns,
            "query": setting.query(view, query)}  # fmt: skip
    shell = Answer(name, attributes["title"], "rows", columns=columns, units=units(columns, view))
    return Question(name, attributes["title"], ({"index": view.pattern, "body": body},), partial(_listed, shell))


def _listed(shell: Answer, replies: Sequence[Reply]) -> Answer:
    """Several values of a field are shown side by side."""
    found = [hit["fields"] for hit in replies[0]["hits"]["hits"][:SHOWN]]
    cells = [[", ".join(map(str, value)) if len(value := one.get(column, [])) > 1 else next(iter(value), None) for column in shell.columns]
             for one in found]  # fmt: skip
    return Answer(shell.object, shell.title, "rows", columns=shell.columns, units=shell.units, rows=cells)


def controls(setting: Setting, dashboard: SavedObject) -> Iterator[Question]:
    """What the controls at the head of a dashboard ask and show: `control/<dashboard id>/<field>`."""
    group = dashboard["attributes"].get("controlGroupInput")
    for id_, one in (inner(group, "panelsJSON") if group else {}).items():
        if one["type"] != "optionsListControl":
            raise MeaningError(f"dashboard/{dashboard['id']}: a control {one['type']}")
        told = one["explicitInput"]
        view = setting.view(dashboard, f"controlGroup_{id_}:optionsListDataView")
        yield _choice(setting, dashboard["id"], view, told["fieldName"], told["title"], _CHOICE)


def input_controls(setting: Setting, dashboard: SavedObject, holder: SavedObject) -> Iterator[Question]:
    """What the controls in a panel of their own ask and show, which mind the time only if they are told to."""
    params = inner(holder["attributes"], "visState")["params"]
    for one in params["controls"]:
        if one["type"] != "list" or not params.get("useTimeFilter"):
            raise MeaningError(f"visualization/{holder['id']}: a control {one['type']}, or of all times")
        size = one["options"]["size"]
        yield _choice(setting, dashboard["id"], setting.view(holder, one["indexPatternRefName"]), one["fieldName"], one["label"], size)


def _choice(setting: Setting, dashboard: str, view: View, field: str, title: str, size: int) -> Question:
    split = Split(field, ordered(field, size, COUNT), COUNT)
    body = {"size": 0, "track_total_hits": True, "query": setting.query(view), "aggs": aggs([split], [COUNT])}
    shell = Answer(f"control/{dashboard}/{field}", title, "control", columns=[title, "Documents"])
    return Question(shell.object, title, ({"index": view.pattern, "body": body},), partial(_chosen, shell, split))


def _chosen(shell: Answer, split: Split, replies: Sequence[Reply]) -> Answer:
    found = [[row[split.id], row[COUNT.id]] for row in rows(replies[0], [split], [COUNT])]
    return Answer(shell.object, shell.title, "control", columns=shell.columns, rows=found)
