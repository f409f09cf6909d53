"""What several dashboards have in common: conditions, ways to count, columns, and the line that leads from one to the next."""

from __future__ import annotations

from ..model import ALERTS, By, Column, Control, Layer, Metric, Panel, Row, View

__all__ = ["CONTROLS", "COUNT", "LAST", "NAVIGATION", "OPEN", "TOLD", "big", "latest", "over_time", "table", "top"]

TOLD = "event.kind: alert and not pluginhost.alert.suppressed: *"
"""Alerts that people were told of: neither ends of conditions nor what was suppressed."""

OPEN = "pluginhost.state.status: (open or acknowledged or in_progress)"
"""States of what nobody has closed."""

COUNT = Metric("count", "Alerts")
LAST = Metric("max", "Last seen", "@timestamp", unit="date")
CONTROLS = (Control("log.level", "Severity"), Control("rule.id", "Rule"), Control("user.name", "User"), Control("source.ip", "Source"),
            Control("host.name", "Host"))  # fmt: skip

_WIDTHS = {"log.level": 90, "event.risk_score": 110, "rule.id": 170, "user.name": 140, "source.ip": 140, "source.geo.country_iso_code": 110,
           "source.geo.city_name": 120, "host.name": 110, "http.request.method": 90, "http.response.status_code": 90, "url.path": 200,
           "user_agent.name": 130, "observer.name": 110, "event.url": 80}  # fmt: skip  # what tells why takes the rest
_PAGES = (("overview", "Overview"), ("logins", "Logins"), ("web", "Web and WAF"), ("summary", "Summary"), ("health", "Health"))
NAVIGATION = Row(3, ((Panel(
    "navigation", "Dashboards", "text",
    text=" · ".join(f"[{name}](#/view/pluginhost-{key})" for key, name in _PAGES)), 48),))  # fmt: skip
"""The first row of each. Links within the product's own page need no address."""


def big(key: str, title: str, metric: Metric, where: str = TOLD, view: View = ALERTS, description: str = "") -> Panel:
    """One number."""
    return Panel(key, title, "metric", (Layer(view, (), (metric,), where),), description)


def table(key: str, title: str, by: tuple[By, ...], metrics: tuple[Metric, ...], where: str = TOLD, view: View = ALERTS,
          description: str = "") -> Panel:  # fmt: skip
    """A table with a row for each value."""
    return Panel(key, title, "table", (Layer(view, by, metrics, where),), description)


def top(key: str, title: str, by: By, where: str = TOLD, metric: Metric = COUNT, description: str = "") -> Panel:
    """The most frequent values as horizontal bars."""
    return Panel(key, title, "chart", (Layer(ALERTS, (by,), (metric,), where, "bars"),), description)


def over_time(key: str, title: str, split: By, where: str = TOLD, description: str = "") -> Panel:
    """Alerts over time, stacked by something."""
    layer = Layer(ALERTS, (By("time", "Time", "@timestamp"), split), (COUNT,), where)
    return Panel(key, title, "chart", (layer,), description)


def latest(key: str, title: str, *fields: str, where: str = TOLD) -> Panel:
    """The latest alerts, with these columns."""
    return Panel(key, title, "rows", (Layer(ALERTS, (), (), where),), columns=tuple(Column(one, _WIDTHS.get(one, 0)) for one in fields))
