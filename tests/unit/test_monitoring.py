"""What ships for Prometheus and Grafana speaks of metrics that exist, with labels they have, and its alerts fire."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml
from promtool import promtool

from pluginhost.host.exposition import METRICS

MONITORING = Path(__file__).parents[2] / "monitoring"
RULES = [rule for group in yaml.safe_load((MONITORING / "prometheus-rules.yml").read_text())["groups"] for rule in group["rules"]]
OF_PROMETHEUS = {"up": ("job",), "ALERTS": ("alertname", "alertstate")}
NAME = re.compile(r"\b((?:pluginhost|process)_\w+|up|ALERTS)\b(?:\{([^}]*)\})?")


def generated():
    spec = importlib.util.spec_from_file_location("monitoring_generate", MONITORING / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked(expression):
    """(metric, labels that are asked for) of everything in a query."""
    return [(name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inner or ""))) for name, inner in NAME.findall(expression)]


def expressions():
    board = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    shown = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", ())]
    shown += [(one["name"], one["query"].removeprefix("label_values(").partition(",")[0]) for one in board["templating"]["list"][1:]]
    tested = yaml.safe_load((MONITORING / "prometheus-rules-test.yml").read_text())["tests"]
    series = [("series", one["series"]) for test in tested for one in test["input_series"]]
    return [pytest.param(expression, id=f"{title} {number}") for number, (title, expression) in enumerate(
            [*((rule["alert"], rule["expr"]) for rule in RULES), *shown, *series])]  # fmt: skip


@pytest.mark.parametrize("expression", expressions())
def test_only_declared_metrics_and_labels_are_asked_for(expression):
    found = asked(expression)
    assert found
    for name, labels in found:
        known = OF_PROMETHEUS[name] if name in OF_PROMETHEUS else METRICS[name].labels
        assert labels <= {*known, "instance"}, name


def test_a_metric_in_a_query_is_found():
    assert asked('sum(rate(pluginhost_a_total{b="c",d=~"e"}[1m])) / up') == [("pluginhost_a_total", {"b", "d"}), ("up", set())]


def test_the_dashboard_is_up_to_date():
    made = generated()
    assert json.loads(made.FILE.read_text()) == made.dashboard(), "run: make docs"


def test_panels_do_not_lie_on_each_other():
    taken = set()
    for panel in generated().dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_rules_are_rules():
    status, told = promtool("check", "rules", MONITORING / "prometheus-rules.yml")
    assert status == 0, told


def test_the_alerts_fire_on_what_they_are_about_and_on_nothing_else():
    status, told = promtool("test", "rules", MONITORING / "prometheus-rules-test.yml")
    assert status == 0, told


def test_every_alert_is_made_to_fire():
    text = (MONITORING / "prometheus-rules-test.yml").read_text()
    assert [rule["alert"] for rule in RULES if rule["alert"] not in text] == []


def test_every_alert_is_told_in_the_docs():
    text = (MONITORING.parent / "docs" / "operations.md").read_text("utf-8")
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in text] == []
