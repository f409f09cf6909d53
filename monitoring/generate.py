"""Writes `grafana-dashboard.json` from the short form below: `make docs`, or `python monitoring/generate.py`.

A panel is a title, a unit, and queries with their legends. That every metric in them is declared is tested.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["FILE", "ROWS", "dashboard"]

FILE = Path(__file__).parent / "grafana-dashboard.json"
_HERE = 'instance=~"$instance"'
_RATE = "[$__rate_interval]"
_WIDE, _HIGH, _FLAT = 24, 8, 4

Query = tuple[str, str]
Panel = tuple[str, str, list[Query]]

STATS: list[Panel] = [
    ("Ready", "bool_yes_no", [(f"min(pluginhost_ready{{{_HERE}}})", "")]),
    ("Records in", "cps", [(f'sum(rate(pluginhost_component_received_events_total{{component_kind="input",{_HERE}}}{_RATE}))', "")]),
    ("Oldest not analysed", "s", [(f'max(pluginhost_buffer_oldest_seconds{{component_kind="journal",{_HERE}}})', "")]),
    ("Alerts, last hour", "short", [(f"sum(increase(pluginhost_desk_alerts_total{{{_HERE}}}[1h]))", "")]),
    ("Dead letters, last hour", "short",
     [(f'sum(increase(pluginhost_component_discarded_events_total{{intentional="false",{_HERE}}}[1h]))', "")]),
    ("In quarantine", "short", [(f"sum(pluginhost_analyzer_quarantined{{{_HERE}}})", "")]),
]  # fmt: skip

ROWS: list[tuple[str, list[Panel]]] = [
    ("Way in", [
        ("Records received", "cps",
         [(f'sum by (component_id) (rate(pluginhost_component_received_events_total{{component_kind="input",{_HERE}}}{_RATE}))',
           "{{component_id}}")]),
        ("Bytes received", "Bps",
         [(f'sum by (component_id) (rate(pluginhost_component_received_bytes_total{{component_kind="input",{_HERE}}}{_RATE}))',
           "{{component_id}}")]),
        ("Errors at the doors", "cps",
         [(f'sum by (component_id, error_type) (rate(pluginhost_component_errors_total{{component_kind="input",{_HERE}}}{_RATE})) > 0',
           "{{component_id}} {{error_type}}")]),
        ("Went no further", "cps",
         [(f'sum by (intentional) (rate(pluginhost_component_discarded_events_total{{component_kind="input",{_HERE}}}{_RATE}))',
           "intended: {{intentional}}")]),
    ]),
    ("Journal and workers", [
        ("Rows that wait", "short", [(f'pluginhost_buffer_events{{component_kind="journal",{_HERE}}}', "journal"),
                                     (f"pluginhost_worker_lag_rows{{{_HERE}}}", "worker {{worker}}")]),
        ("Journal on the disk", "bytes", [(f'pluginhost_buffer_bytes{{component_kind="journal",{_HERE}}}', "used"),
                                          (f'pluginhost_buffer_max_bytes{{component_kind="journal",{_HERE}}}', "bound")]),
        ("Processors", "percentunit", [(f"rate(process_cpu_seconds_total{{{_HERE}}}{_RATE})", "host"),
                                       (f"rate(pluginhost_worker_cpu_seconds_total{{{_HERE}}}{_RATE})", "worker {{worker}}")]),
        ("Memory", "bytes", [(f"process_resident_memory_bytes{{{_HERE}}}", "host"),
                             (f"pluginhost_worker_resident_memory_bytes{{{_HERE}}}", "worker {{worker}}")]),
        ("Syncs, and senders told to wait", "cps", [(f"rate(pluginhost_journal_syncs_total{{{_HERE}}}{_RATE})", "syncs"),
                                                    (f"rate(pluginhost_journal_refused_total{{{_HERE}}}{_RATE})", "told to wait")]),
        ("Workers replaced", "short", [(f"increase(pluginhost_worker_restarts_total{{{_HERE}}}{_RATE})", "worker {{worker}}")]),
    ]),
    ("Analyzers", [
        ("Share of time", "percentunit",
         [(f"topk(10, sum by (analyzer) (rate(pluginhost_analyzer_cpu_seconds_total{{{_HERE}}}{_RATE})))", "{{analyzer}}")]),
        ("Findings", "cps",
         [(f'sum by (component_id) (rate(pluginhost_component_sent_events_total{{component_kind="analyzer",{_HERE}}}{_RATE})) > 0',
           "{{component_id}}")]),
        ("Errors", "cps",
         [(f'sum by (component_id) (rate(pluginhost_component_errors_total{{component_kind="analyzer",{_HERE}}}{_RATE})) > 0',
           "{{component_id}}")]),
        ("Keys remembered", "short", [(f"topk(10, sum by (analyzer) (pluginhost_analyzer_keys{{{_HERE}}}))", "{{analyzer}}")]),
        ("Keys that made room", "cps",
         [(f"sum by (analyzer) (rate(pluginhost_analyzer_evicted_keys_total{{{_HERE}}}{_RATE})) > 0", "{{analyzer}}")]),
        ("Records without the key", "cps",
         [(f"sum by (analyzer) (rate(pluginhost_analyzer_unkeyed_events_total{{{_HERE}}}{_RATE})) > 0", "{{analyzer}}")]),
    ]),
    ("Way out", [
        ("Alerts delivered", "cps",
         [(f'sum by (component_id) (rate(pluginhost_component_sent_events_total{{component_kind="output",{_HERE}}}{_RATE}))',
           "{{component_id}}")]),
        ("Alerts that wait", "short", [(f'pluginhost_buffer_events{{component_kind="output",{_HERE}}}', "{{component_id}}")]),
        ("Oldest that waits", "s", [(f'pluginhost_buffer_oldest_seconds{{component_kind="output",{_HERE}}}', "{{component_id}}")]),
        ("Errors", "cps",
         [(f'sum by (component_id, error_type) (rate(pluginhost_component_errors_total{{component_kind="output",{_HERE}}}{_RATE})) > 0',
           "{{component_id}} {{error_type}}")]),
    ]),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    width = _WIDE // len(STATS)
    panels += [_panel("stat", one, x=number * width, y=0, w=width, h=_FLAT) for number, one in enumerate(STATS)]
    y = _FLAT
    for title, row in ROWS:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": _WIDE, "h": 1}})
        y += 1
        for number, one in enumerate(row):
            panels.append(_panel("timeseries", one, x=number % 2 * _WIDE // 2, y=y + number // 2 * _HIGH, w=_WIDE // 2, h=_HIGH))
        y += -(-len(row) // 2) * _HIGH
    for number, panel in enumerate(panels, 1):
        panel["id"] = number
    return {
        "uid": "pluginhost", "title": "pluginhost", "tags": ["pluginhost"], "schemaVersion": 39, "version": 1, "editable": True,
        "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "", "templating": {"list": _VARIABLES}, "panels": panels,
    }  # fmt: skip


_SOURCE = {"type": "prometheus", "uid": "${source}"}
_VARIABLES = [
    {"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"},
    {"name": "instance", "label": "Host", "type": "query", "datasource": _SOURCE, "query": "label_values(pluginhost_build_info, instance)",
     "refresh": 2, "multi": True, "includeAll": True, "current": {"text": "All", "value": "$__all"}},
]  # fmt: skip


def _panel(kind: str, one: Panel, **place: int) -> dict[str, Any]:
    title, unit, queries = one
    targets = [{"refId": chr(65 + number), "expr": query, "legendFormat": legend or "__auto", "datasource": _SOURCE}
               for number, (query, legend) in enumerate(queries)]  # fmt: skip
    return {"type": kind, "title": title, "datasource": _SOURCE, "gridPos": place, "targets": targets,
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []}}  # fmt: skip


def main() -> None:
    """Writes the file, and says so."""
    FILE.write_text(json.dumps(dashboard(), indent=1) + "\n", "utf-8")
    sys.stdout.write(f"wrote {FILE}\n")


if __name__ == "__main__":
    main()
