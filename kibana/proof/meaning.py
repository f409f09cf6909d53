"""A file of saved objects turned into what its product would ask a cluster, and the replies into what there would be to see.

Each dashboard is taken over a span of time; only what the file says counts, never what it was made from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from ..saved import SavedObject
from .answers import Answer
from .intervals import Span, opened
from .meaning_classic import classic
from .meaning_lens import lens
from .meaning_lists import controls, input_controls, search
from .meaning_maps import maps
from .meaning_vega import vega
from .setting import MeaningError, Product, Question, Setting, inner

__all__ = ["Question", "objects_of", "opening", "questions"]


def objects_of(text: str) -> list[SavedObject]:
    """The objects of a file."""
    return [json.loads(line) for line in text.splitlines()]


def opening(dashboard: SavedObject, now: int) -> Span:
    """The time over which a dashboard opens at `now`, in milliseconds since 1970."""
    return opened(dashboard["attributes"]["timeFrom"], dashboard["attributes"]["timeTo"], now)


def questions(objects: Sequence[SavedObject], product: Product, spans: Mapping[str, Span]) -> list[Question]:
    """What `product` asks to show each dashboard over its span (by its id), each panel once, controls before panels.

    A panel of text asks nothing and is answered nevertheless. `MeaningError` if anything is not understood.
    """
    known = {(one["type"], one["id"]): one for one in objects}
    asked: dict[str, Question] = {}
    for dashboard in objects:
        if dashboard["type"] == "dashboard":
            for question in _dashboard(Setting(known, product, spans[dashboard["id"]]), dashboard):
                asked.setdefault(question.object, question)
    return list(asked.values())


def _dashboard(setting: Setting, dashboard: SavedObject) -> Iterator[Question]:
    yield from controls(setting, dashboard)
    for panel in inner(dashboard["attributes"], "panelsJSON"):
        if set(panel.get("embeddableConfig", {})) & {"timeRange", "savedVis", "attributes"}:
            raise MeaningError(f"dashboard/{dashboard['id']}: panel {panel['panelIndex']} has a time of its own, or is no object")
        name = panel["panelRefName"]
        names = {one["name"] for one in dashboard["references"]}
        holder = setting.referred(dashboard, name if name in names else f"{panel['panelIndex']}:{name}")
        yield from _panel(setting, dashboard, holder)


def _panel(setting: Setting, dashboard: SavedObject, holder: SavedObject) -> Iterator[Question]:
    match holder["type"]:
        case "lens":
            yield lens(setting, holder)
        case "map":
            yield from maps(setting, holder)
        case "search":
            yield search(setting, holder)
        case "visualization":
            yield from _visualization(setting, dashboard, holder)
        case other:
            raise MeaningError(f"{other}/{holder['id']}: no panel")


def _visualization(setting: Setting, dashboard: SavedObject, holder: SavedObject) -> Iterator[Question]:
    state = inner(holder["attributes"], "visState")
    if state["type"] == "markdown":
        shell = Answer(f"visualization/{holder['id']}", holder["attributes"]["title"], "text", text=state["params"]["markdown"])
        yield Question(shell.object, shell.title, (), lambda _: shell)
    elif state["type"] == "input_control_vis":
        yield from input_controls(setting, dashboard, holder)
    else:
        yield (vega if state["type"] == "vega" else classic)(setting, holder)
