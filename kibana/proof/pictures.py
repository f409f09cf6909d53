"""Pictures of the dashboards: the layout as the file for Kibana has it, the values as a cluster has answered, drawn by ourselves.

`python -m kibana.proof.pictures` writes them from the recorded answers. They show whether panels have room, labels can be read and nothing
is empty; they are no screenshots and say so. `drawing` makes the elements, `charts`, `tables` and `worldmap` what stands inside of panels.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..saved import REVISION, SavedObject
from . import drawing as draw
from . import tables, worldmap
from .answers import Answer
from .charts import chart, nothing
from .figures import moment, shown
from .looks import Look, look

__all__ = ["ANSWERS", "FILE", "FOLDER", "SAID", "files", "pictures"]

_ROOT = Path(__file__).parents[2]
FILE = _ROOT / "kibana/pluginhost-kibana.ndjson"
ANSWERS = _ROOT / "tests/fixtures/kibana-answers.json.gz"
FOLDER = _ROOT / "docs/pictures"
SAID = "A rendering by pluginhost from the same queries and made-up alerts, not a screenshot."

_WIDTH, _EDGE, _HEAD, _CONTROLS, _FOOT = 1440, 16, 64, 44, 36
_COLUMNS, _UNIT, _MARGIN = 48, 20, 8
"""Kibana's grid: a panel's height is so many units, the margins between them included."""
_TITLE, _PADDING = 32, 10

_BODIES: dict[str, Callable[[Answer, float, float, Look], list[str]]] = {
    "chart": chart, "metric": tables.metric, "table": tables.table, "rows": tables.table, "donut": tables.donut, "text": tables.words,
    "points": worldmap.points, "paths": worldmap.paths}  # fmt: skip


class _Placed(msgspec.Struct, frozen=True):
    """A panel of a dashboard: where it is in the grid, which object it shows, its title, and whether that is above it."""

    x: int
    y: int
    across: int
    down: int
    object: str
    title: str
    description: str
    titled: bool


def pictures(lines: Iterable[str], answers: Iterable[Answer]) -> dict[str, str]:
    """The SVG of each dashboard of a file by the dashboard's id."""
    objects = {f"{one.get('type')}/{one.get('id')}": one for one in map(json.loads, lines)}
    found = {one.object: one for one in answers}
    return {one["id"]: _picture(one, objects, found) for one in objects.values() if one.get("type") == "dashboard"}


def _picture(dashboard: SavedObject, objects: Mapping[str, SavedObject], answers: Mapping[str, Answer]) -> str:
    """A dashboard as an SVG document that needs nothing else."""
    attributes, controls = dashboard["attributes"], _controls(dashboard)
    placed = sorted(_placed(dashboard, objects), key=lambda one: (one.y, one.x))
    told = str(attributes.get("description", "")).removesuffix(f" (pluginhost {REVISION})")
    top = _HEAD + (_CONTROLS if controls else 0)
    end = top + max((one.y + one.down for one in placed), default=0) * (_UNIT + _MARGIN) + _FOOT
    made = [*_head(attributes["title"], told, _range(answers[one.object] for one in placed if one.object in answers)),
            *_control_row(dashboard["id"], controls, answers),
            *(_panel(one, top, objects, answers.get(one.object)) for one in placed),
            draw.text(_WIDTH / 2, end - 14, SAID, _WIDTH, "faint", anchor="middle", size=11)]  # fmt: skip
    return draw.document(_WIDTH, end, attributes["title"], f"{told} {SAID}", made)


def _placed(dashboard: SavedObject, objects: Mapping[str, SavedObject]) -> list[_Placed]:
    references = {one["name"]: f"{one['type']}/{one['id']}" for one in dashboard["references"]}
    made = []
    for one in json.loads(dashboard["attributes"]["panelsJSON"]):
        grid, config, name = one["gridData"], one["embeddableConfig"], one["panelRefName"]
        target = references.get(f"{one['panelIndex']}:{name}") or references[name]
        title = one.get("title") or objects[target]["attributes"]["title"]
        made.append(_Placed(grid["x"], grid["y"], grid["w"], grid["h"], target, title, config.get("description", ""),
                            not config.get("hidePanelTitles")))  # fmt: skip
    return made


def _controls(dashboard: SavedObject) -> list[tuple[str, str]]:
    """Field and label of each control, in their order."""
    group = json.loads(dashboard["attributes"].get("controlGroupInput", {}).get("panelsJSON", "{}"))
    each = [one["explicitInput"] for one in sorted(group.values(), key=lambda one: int(one["order"]))]
    return [(one["fieldName"], one.get("title") or one["fieldName"]) for one in each]


def _head(title: str, told: str, times: str) -> list[str]:
    return [draw.text(_EDGE, 28, title, _WIDTH / 2, "strong", size=18), draw.text(_EDGE, 48, told, _WIDTH - 2 * _EDGE, "faint"),
            draw.text(_WIDTH - _EDGE, 28, times, _WIDTH / 3, anchor="end")]  # fmt: skip


def _range(answers: Iterable[Answer]) -> str:
    """The time that most panels were asked for, as it stands in their requests."""
    times = Counter(time for one in answers for request in one.asked for time in _times(request))
    return " – ".join(map(shown, times.most_common(1)[0][0])) if times else ""


def _times(asked: Any) -> Iterator[tuple[str, str]]:
    """Beginning and end of each range of time inside a request."""
    inside = list(asked.values()) if isinstance(asked, dict) else asked if isinstance(asked, list) else []
    if isinstance(asked, dict) and moment(asked.get("gte")) is not None and moment(asked.get("lte")) is not None:
        yield asked["gte"], asked["lte"]
    for one in inside:
        yield from _times(one)


def _control_row(dashboard: str, controls: list[tuple[str, str]], answers: Mapping[str, Answer]) -> list[str]:
    across = (_WIDTH - 2 * _EDGE + _MARGIN) / max(len(controls), 1)
    empty = Answer("", "", "control")
    return [draw.room(_EDGE + place * across, _HEAD, across - _MARGIN, 32,
                      tables.control(answers.get(f"control/{dashboard}/{field}", empty), label, across - _MARGIN))
            for place, (field, label) in enumerate(controls)]  # fmt: skip


def _panel(one: _Placed, top: float, objects: Mapping[str, SavedObject], answer: Answer | None) -> str:
    column = (_WIDTH - 2 * _EDGE + _MARGIN) / _COLUMNS
    across, down = one.across * column - _MARGIN, one.down * (_UNIT + _MARGIN) - _MARGIN
    head = _TITLE if one.titled else _PADDING
    inner = across - 2 * _PADDING, down - head - _PADDING
    how = look(objects[one.object], objects)
    inside = _BODIES[answer.kind](answer, *inner, how) if answer and answer.kind in _BODIES else [nothing(*inner)]
    made = [draw.element("title", " · ".join(filter(None, (one.title, one.description)))),
            draw.rect(0.5, 0.5, across - 1, down - 1, "panel", 5)]  # fmt: skip
    made += [draw.text(_PADDING, 21, one.title, inner[0], "strong", size=13)] if one.titled else []
    made.append(draw.room(_PADDING, head, *inner, inside))
    return draw.room(_EDGE + one.x * column, top + one.y * (_UNIT + _MARGIN), across, down, made)


def files() -> dict[Path, str]:
    """Each picture of the docs with what should stand in it."""
    recorded = msgspec.json.decode(gzip.decompress(ANSWERS.read_bytes()), type=dict[str, list[Answer]])["kibana"]
    made = pictures(FILE.read_text("utf-8").splitlines(), recorded)
    return {FOLDER / f"kibana-{name.removeprefix('pluginhost-')}.svg": svg for name, svg in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, svg in files().items():
        file.write_text(svg, "utf-8")
        sys.stdout.write(f"{file.name}: {len(svg.encode()):,} bytes\n")
