"""Web and WAF: who is scanning and attacking what is served, and how unusual the firewall's traffic is."""

from __future__ import annotations

from ..model import ALERTS, SCORES, By, Dashboard, Layer, Metric, Panel, Row
from .common import CONTROLS, COUNT, LAST, NAVIGATION, TOLD, big, latest, over_time, table, top

__all__ = ["WEB"]

_WEB = f"{TOLD} and event.category: web"
_WAF = f"{TOLD} and rule.id: waf"
_SCORES = "pluginhost.analyzer: waf"
_TIME = By("time", "Time", "@timestamp")


def _unusual(name: str) -> Metric:
    return Metric("sum", name.capitalize(), f"pluginhost.score.parts.unusual_{name}")


WEB = Dashboard(
    "web", "pluginhost: Web and WAF", "Who is scanning and attacking what is served, and how unusual the firewall's traffic is.", "now-24h",
    (
        NAVIGATION,
        Row(6, (
            (big("web-alerts", "Alerts about the web", Metric("unique", "Alerts", "event.id"), _WEB), 12),
            (big("web-sources", "Sources", Metric("unique", "Sources", "source.ip"), _WEB), 12),
            (big("web-paths", "Paths attacked", Metric("unique", "Paths", "url.path"), _WEB), 12),
            (big("waf-alerts", "Unusual minutes at the WAF", Metric("unique", "Alerts", "event.id"), _WAF), 12),
        )),
        Row(13, (
            (over_time("web-rules", "Alerts about the web by rule", By("terms", "Rule", "rule.id"), _WEB), 28),
            (table("web-attackers", "Sources", (By("terms", "Source", "source.ip"),),
                   (COUNT, Metric("unique", "Paths", "url.path"), LAST), _WEB), 20),
        )),
        Row(13, (
            (top("signatures", "Signatures", By("terms", "Signature", "pluginhost.signature.name", 12)), 16),
            (top("paths", "Paths", By("terms", "Path", "url.path", 12), _WEB), 16),
            (top("agents", "User agents", By("terms", "User agent", "user_agent.name", 12), _WEB), 16),
        )),
        Row(13, (
            (Panel("waf-score", "WAF: score, threshold and alerts", "chart", (
                Layer(SCORES, (_TIME,), (Metric("max", "Score", "pluginhost.score.value", decimals=1),
                                         Metric("max", "Threshold", "pluginhost.score.threshold", decimals=1)), _SCORES, "line"),
                Layer(ALERTS, (_TIME,), (COUNT,), _WAF, "bar", right=True),
            ), "How unlikely each minute's unusual requests were; from the threshold on it is an alert. Needs `scores: true`."), 30),
            (Panel("waf-indicators", "WAF: what was unusual", "donut",
                   (Layer(ALERTS, (By("terms", "Indicator", "pluginhost.score.of", 8),), (COUNT,), _WAF),)), 18),
        )),
        Row(13, (
            (Panel("waf-unusual", "WAF: unusual requests by field", "chart",
                   (Layer(SCORES, (_TIME,), tuple(map(_unusual, ("action", "source", "status", "country", "method"))), _SCORES, "bar"),),
                   "A request can be unusual in several fields."), 24),
            (Panel("scores", "How odd it was, 0 to 1, by analyzer", "chart",
                   (Layer(SCORES, (_TIME, By("terms", "Analyzer", "pluginhost.analyzer", 6)),
                          (Metric("max", "Grade", "pluginhost.score.grade", decimals=2),), "pluginhost.score.grade: *", "line"),),
                   "The grades of all analyzers that write scores: 0 is usual, 1 as odd as can be."), 24),
        )),
        Row(18, ((latest("latest-web", "Latest alerts about the web", "log.level", "rule.id", "source.ip", "http.request.method",
                         "url.path", "http.response.status_code", "user_agent.name", "event.reason", "event.url", where=_WEB), 48),)),
    ),
    CONTROLS,
)  # fmt: skip
