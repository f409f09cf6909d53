"""Overview: who is attacking what, since when, and why it was flagged."""

from __future__ import annotations

from ..model import ALERTS, ALL_STATES, By, Dashboard, Layer, Metric, Panel, Row
from .common import CONTROLS, COUNT, LAST, NAVIGATION, OPEN, TOLD, big, latest, over_time, table, top

__all__ = ["OVERVIEW"]

_RISK = Metric("max", "Risk", "user.risk.calculated_score", decimals=0)

OVERVIEW = Dashboard(
    "overview", "pluginhost: Overview", "Who is attacking what, since when, and why it was flagged.", "now-24h",
    (
        NAVIGATION,
        Row(6, (
            (big("alerts", "Alerts", Metric("unique", "Alerts", "event.id")), 10),
            (big("grave", "High and critical", Metric("unique", "Alerts", "event.id"), f"{TOLD} and log.level: (high or critical)"), 10),
            (big("users", "Users", Metric("unique", "Users", "user.name")), 9),
            (big("sources", "Sources", Metric("unique", "Sources", "source.ip")), 9),
            (big("open", "Still open", Metric("count", "Groups of alerts"), OPEN, ALL_STATES,
                 "Groups of alerts that nobody has closed, whenever they were opened."), 10),
        )),
        Row(13, (
            (over_time("rules-over-time", "Alerts by rule", By("terms", "Rule", "rule.id", 12)), 34),
            (Panel("severity", "Severity", "donut", (Layer(ALERTS, (By("terms", "Severity", "log.level", 4),), (COUNT,), TOLD),)), 14),
        )),
        Row(13, (
            (table("top-users", "Users by risk", (By("terms", "User", "user.name"),), (_RISK, COUNT, LAST)), 24),
            (table("top-sources", "Sources by risk", (By("terms", "Source", "source.ip"),),
                   (Metric("max", "Risk", "pluginhost.source.risk.calculated_score"), COUNT, Metric("unique", "Users", "user.name"),
                    LAST)), 24),
        )),
        Row(13, (
            (top("analyzers", "Analyzers", By("terms", "Analyzer", "rule.ruleset", 15)), 18),
            (Panel("risk-levels", "Users by risk level", "donut",
                   (Layer(ALERTS, (By("terms", "Risk level", "user.risk.calculated_level", 5),), (Metric("unique", "Users", "user.name"),),
                          TOLD),), "A user counts at each level that one of their alerts was made at."), 14),
            (table("techniques", "ATT&CK techniques", (By("terms", "Technique", "threat.technique.id", 12),),
                   (COUNT, Metric("unique", "Users", "user.name"))), 16),
        )),
        Row(15, (
            (Panel("source-map", "Where sources are", "points", (Layer(ALERTS, (), (Metric("max", "Risk", "event.risk_score"),), TOLD),),
                   at="source.geo.location"), 26),
            (Panel("per-hour", "Alerts an hour", "chart",
                   (Layer(ALERTS, (By("time", "Hour", "@timestamp", interval="1h"),), (COUNT,), TOLD, "line"),)), 22),
        )),
        Row(18, ((latest("latest", "Latest alerts", "log.level", "event.risk_score", "rule.id", "user.name", "source.ip",
                         "source.geo.country_iso_code", "host.name", "event.reason", "event.url"), 48),)),
    ),
    CONTROLS,
)  # fmt: skip
