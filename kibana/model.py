"""The words in which a dashboard is written once, whatever product shows it.

A panel says what is counted of which documents and how it is drawn; nothing here knows of a product's own form. Conditions are in KQL, of
which we use: `field: value`, `field: (a or b)`, `field: *`, `field: text*`, ranges (`field >= 3`), and, or, not, brackets, quoted values.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["ALERTS", "ALL_STATES", "SCORES", "STATES", "VIEWS", "By", "Column", "Control", "Dashboard", "Layer", "Metric", "Panel",
           "Row", "View", "panels_of"]  # fmt: skip

class View(msgspec.Struct, frozen=True):
    """A data view (index pattern): its id is part of links and never changes. Without a `time` field it always shows all there is."""

    id: str
    pattern: str
    name: str
    time: str = "@timestamp"


ALERTS = View("pluginhost-alerts", "logs-pluginhost.alerts-*", "pluginhost alerts")
STATES = View("pluginhost-alert-states", "pluginhost-alert-state-*", "pluginhost alert states, by their last alert")
ALL_STATES = View("pluginhost-alert-states-all", "pluginhost-alert-state-*", "pluginhost alert states, whenever they were", time="")
SCORES = View("pluginhost-scores", "metrics-pluginhost.scores-*", "pluginhost scores and health")
VIEWS = (ALERTS, STATES, ALL_STATES, SCORES)


class Metric(msgspec.Struct, frozen=True):
    """A number over documents: how many, or something over the values of `field`.

    `where` narrows what is counted to a condition; `percentile` goes with `op="percentile"`. `unit` is that of the value, for people:
    seconds are shown as a span, bytes as such, a percentage with its sign.
    """

    op: Literal["count", "unique", "max", "avg", "sum", "median", "percentile"]
    label: str
    field: str = ""
    where: str = ""
    percentile: float = 95
    unit: Literal["", "seconds", "bytes", "percent", "date"] = ""
    decimals: int = 0


class By(msgspec.Struct, frozen=True):
    """What documents are told apart by: the values of a field, the time, or conditions with their labels.

    Of values there are the `size` first by the metric at `order`, falling; -1 is by the value, rising. The `interval` of time is `auto`
    or a calendar's: 1h, 1d, 1M.
    """

    op: Literal["terms", "time", "filters"]
    label: str
    field: str = ""
    size: int = 10
    order: int = 0
    interval: Literal["auto", "1m", "1h", "1d", "1M"] = "auto"
    filters: tuple[tuple[str, str], ...] = ()


class Column(msgspec.Struct, frozen=True):
    """A column of a list of documents."""

    field: str
    width: int = 0


class Layer(msgspec.Struct, frozen=True):
    """Documents of a view that meet `where`, told apart and counted. In a chart the first of `by` is its axis, the second its colours."""

    view: View
    by: tuple[By, ...]
    metrics: tuple[Metric, ...]
    where: str = ""
    shape: Literal["bar", "bars", "line", "area"] = "bar"
    right: bool = False
    """Whether it has an axis of its own, at the right."""


class Panel(msgspec.Struct, frozen=True):
    """One thing to see. Its `key` is part of its id and never changes.

    `metric`: one big number. `chart`: layers over one x axis, stacked bars, horizontal `bars`, lines or areas. `table`: a row for each
    value. `donut`: shares. `points`: documents on a map by `at`. `paths`: lines on a map from `at` to `to`. `rows`: documents with
    `columns`, latest first. `text`: Markdown, the same in every product.
    """

    key: str
    title: str
    kind: Literal["metric", "chart", "table", "donut", "points", "paths", "rows", "text"]
    layers: tuple[Layer, ...] = ()
    description: str = ""
    at: str = ""
    to: str = ""
    columns: tuple[Column, ...] = ()
    text: str = ""

    @property
    def first(self) -> Layer:
        """The only layer of all panels but charts of several."""
        return self.layers[0]


class Control(msgspec.Struct, frozen=True):
    """A field whose values can be chosen for the whole dashboard."""

    field: str
    label: str
    view: View = ALERTS


class Row(msgspec.Struct, frozen=True):
    """Panels side by side with their widths, which fill the grid together; `height` is in the grid's own unit."""

    height: int
    panels: tuple[tuple[Panel, int], ...]


class Dashboard(msgspec.Struct, frozen=True):
    """A page of panels, which opens with the time since `since`."""

    key: str
    title: str
    description: str
    since: str
    rows: tuple[Row, ...]
    controls: tuple[Control, ...] = ()


def panels_of(dashboards: tuple[Dashboard, ...]) -> tuple[Panel, ...]:
    """Every panel once, in the order in which they come."""
    return tuple({panel.key: panel for one in dashboards for row in one.rows for panel, _ in row.panels}.values())
