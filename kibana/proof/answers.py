"""What a panel shows, once a cluster has answered: values only, the same whichever product's form was asked."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Answer", "Series"]

Number = float | int | None


class Series(msgspec.Struct, frozen=True):
    """One line, or one colour of bars: its values at each x of the chart, None where there is none; `right`: by the right axis."""

    label: str
    shape: Literal["bar", "bars", "line", "area"]
    values: list[Number]
    right: bool = False
    unit: str = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What there is to see in one panel.

    `metric`: one row of one value. `table`, `rows`, `donut`: `columns` are their heads, `rows` the values, of a donut (label, value).
    `chart`: `x` are the places on its axis (ISO times or values), `series` what stands there. `points`: (lon, lat, value). `paths`:
    (lon, lat, lon, lat, value). `text`: Markdown. `control`: rows of (value, count). `asked` are the requests, as a server got them.
    """

    object: str
    """`type/id` of the saved object, of a control `control/<dashboard id>/<field>`."""
    title: str
    kind: Literal["metric", "chart", "table", "donut", "points", "paths", "rows", "text", "control"]
    columns: list[str] = []
    units: list[str] = []
    rows: list[list[Any]] = []
    x: list[Any] = []
    series: list[Series] = []
    points: list[list[Number]] = []
    text: str = ""
    asked: list[dict[str, Any]] = []
