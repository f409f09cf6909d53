"""Health of pluginhost: does it hear, how late does it tell, does anything wait or fail."""

from __future__ import annotations

from ..model import SCORES, By, Dashboard, Layer, Metric, Panel, Row
from .common import LAST, NAVIGATION, TOLD, big, latest, table, top

__all__ = ["HEALTH"]

_OWN = f"{TOLD} and pluginhost.analyzer: (pluginhost.quarantine or pluginhost.pressure)"
_HEALTH = "pluginhost.health.records: *"
_TIME = By("time", "Time", "@timestamp")
_HOST = By("terms", "Sidecar", "observer.name", 20, -1)


def _health(key: str, title: str, *metrics: Metric, description: str = "", by: tuple[By, ...] = (_TIME,)) -> Panel:
    return Panel(key, title, "chart", (Layer(SCORES, by, metrics, _HEALTH, "line"),), description)


HEALTH = Dashboard(
    "health", "pluginhost: Health", "Does it hear, how late does it tell, does anything wait or fail.", "now-24h",
    (
        NAVIGATION,
        Row(6, (
            (big("lag", "Event to alert sent, 95th percentile",
                 Metric("percentile", "Lag", "pluginhost.alert.lag", unit="seconds", decimals=1)), 14),
            (big("sidecars", "Sidecars heard of", Metric("unique", "Sidecars", "observer.name"), _HEALTH, SCORES), 11),
            (big("own-alerts", "Its own alerts", Metric("unique", "Alerts", "event.id"), _OWN,
                 description="Analyzers in quarantine, and keys that run short."), 11),
            (big("dead-letters", "Dead letters", Metric("sum", "Records", "pluginhost.health.dead_letters"), _HEALTH, SCORES), 12),
        )),
        Row(12, (
            (_health("records-in", "Records taken in", Metric("sum", "Records", "pluginhost.health.records"), by=(_TIME, _HOST)), 24),
            (_health("alerts-out", "Alerts made", Metric("sum", "Made", "pluginhost.health.alerts"),
                     Metric("sum", "Suppressed", "pluginhost.health.suppressed")), 24),
        )),
        Row(12, (
            (_health("waiting", "What waits", Metric("max", "Rows not analysed", "pluginhost.health.journal_rows"),
                     Metric("max", "Alerts not delivered", "pluginhost.health.undelivered")), 24),
            (_health("oldest", "Age of the oldest that waits",
                     Metric("max", "Not analysed", "pluginhost.health.journal_age", unit="seconds"),
                     Metric("max", "Not delivered", "pluginhost.health.undelivered_age", unit="seconds")), 24),
        )),
        Row(13, (
            (table("versions", "Sidecars", (_HOST, By("terms", "Version", "observer.version", 3)),
                   (LAST, Metric("max", "In quarantine", "pluginhost.health.quarantined"),
                    Metric("max", "Memory", "pluginhost.health.memory", unit="bytes"),
                    Metric("sum", "Errors", "pluginhost.health.errors")), _HEALTH, SCORES), 28),
            (top("suppressed", "Suppressed, by reason", By("terms", "Reason", "pluginhost.alert.suppressed", 12),
                 "event.kind: alert and pluginhost.alert.suppressed: *", Metric("count", "Alerts"),
                 "Only outputs with `suppressed: true` are sent these."), 20),
        )),
        Row(14, ((latest("latest-own", "Its latest own alerts", "log.level", "rule.id", "observer.name", "message", where=_OWN), 48),)),
    ),
)  # fmt: skip
