"""Summary, for those who want figures: more or fewer than the week before, how fast we answer, how often we were wrong."""

from __future__ import annotations

from typing import Literal

from ..model import ALERTS, ALL_STATES, STATES, By, Dashboard, Layer, Metric, Panel, Row
from .common import COUNT, NAVIGATION, OPEN, TOLD, big, table

__all__ = ["SUMMARY"]

_THIS_WEEK = Metric("count", "Last 7 days", where="@timestamp >= now-7d")
_WEEK_BEFORE = Metric("count", "Week before", where="@timestamp < now-7d")
_RESOLVED = "pluginhost.state.status: resolved and pluginhost.state.verdict: *"
_GROUPS = Metric("count", "Groups")
_FALSE = Metric("count", "False", where="pluginhost.state.verdict: false")


def _median(key: str, title: str, field: str, description: str) -> Panel:
    return big(key, title, Metric("median", "Median", field, unit="seconds"), f"{field}: *", STATES, description)


def _pace(key: str, title: str, by: By, shape: Literal["bar", "line"]) -> Panel:
    return Panel(key, title, "chart", (Layer(ALERTS, (by,), (COUNT,), TOLD, shape),))


SUMMARY = Dashboard(
    "summary", "pluginhost: Summary", "More or fewer than the week before, how fast we answer, how often we were wrong.", "now-14d",
    (
        NAVIGATION,
        Row(6, (
            (big("summary-alerts", "Alerts", Metric("unique", "Alerts", "event.id")), 12),
            (_median("to-acknowledge", "Time to acknowledge", "pluginhost.state.time_to_acknowledge",
                     "Median of the groups of alerts with their last alert in this time."), 12),
            (_median("to-close", "Time to close", "pluginhost.state.time_to_resolve", "Median, from opening to closing."), 12),
            (big("summary-open", "Still open", Metric("count", "Groups of alerts"), OPEN, ALL_STATES), 12),
        )),
        Row(14, (
            (table("by-source", "Alerts by source, against the week before", (By("terms", "Source", "source.ip", 12),),
                   (_THIS_WEEK, _WEEK_BEFORE), description="Choose the last two weeks, or more."), 24),
            (table("by-rule", "Alerts by rule, against the week before", (By("terms", "Rule", "rule.id", 12),), (_THIS_WEEK, _WEEK_BEFORE)),
             24),
        )),
        Row(13, (
            (Panel("open-severity", "Open, by severity", "donut",
                   (Layer(ALL_STATES, (By("terms", "Severity", "pluginhost.state.severity", 4),), (_GROUPS,), OPEN),)), 14),
            (Panel("verdicts", "What closed alerts turned out to be", "donut",
                   (Layer(STATES, (By("terms", "Verdict", "pluginhost.state.verdict", 3),), (_GROUPS,), _RESOLVED),)), 14),
            (table("false-ones", "Rules by false ones", (By("terms", "Rule", "rule.id"),),
                   (_FALSE, Metric("count", "Closed")), _RESOLVED, STATES, "Of the groups of alerts that somebody has closed."), 20),
        )),
        Row(13, (
            (table("by-assignee", "Open, by assignee", (By("terms", "Assignee", "pluginhost.state.assignee"),
                                                        By("terms", "Status", "pluginhost.state.status", 3)),
                   (_GROUPS, Metric("max", "Last alert", "@timestamp", unit="date")), OPEN, ALL_STATES), 24),
            (table("slowest", "Rules by time to close", (By("terms", "Rule", "rule.id"),),
                   (Metric("median", "Median", "pluginhost.state.time_to_resolve", unit="seconds"), Metric("count", "Closed")),
                   "pluginhost.state.time_to_resolve: *", STATES), 24),
        )),
        Row(12, (
            (_pace("days", "Alerts a day", By("time", "Day", "@timestamp", interval="1d"), "line"), 32),
            (_pace("months", "Alerts a month", By("time", "Month", "@timestamp", interval="1M"), "bar"), 16),
        )),
    ),
)  # fmt: skip
