"""What is shipped: each object has our mark, the rule and the monitor ask for what they should."""

from __future__ import annotations

import pytest

from pluginhost.alerts.template import mapped_type
from pluginhost.review import shipped
from pluginhost.review.shipped import VIEW, marked


@pytest.mark.parametrize("form", ["kibana", "classic"])
def test_every_object_but_data_views_has_the_mark_of_one_version(form):
    found = {one.key: marked(one.attributes) for one in shipped.objects(form)}
    assert {version for (type_, _), version in found.items() if type_ == VIEW} == {None}
    (version,) = {version for (type_, _), version in found.items() if type_ != VIEW}
    assert version >= 1


def test_both_forms_have_the_same_dashboards_searches_and_data_views():
    kept = ("dashboard", "search", VIEW)
    kibana, classic = ({one.key for one in shipped.objects(form) if one.type in kept} for form in ("kibana", "classic"))
    assert kibana == classic
    assert len(kibana) == 13


@pytest.mark.parametrize(("description", "version"), [("x (pluginhost 12)", 12), ("(pluginhost 3)", 3), ("(pluginhost 3) ", None),
                                                     ("x" * 100_000, None), ("(pluginhost 1234567)", None), (None, None)])  # fmt: skip
def test_the_mark_is_the_end_of_a_description(description, version):
    assert marked({"description": description}) == version


def test_the_rule_is_shipped_switched_off_and_tells_severities_apart():
    rule = shipped.rule()
    assert (rule["enabled"], marked(rule), rule["index"]) == (False, 1, ["logs-pluginhost.alerts-*"])
    severities = {one["value"]: one["severity"] for one in rule["severity_mapping"]}
    assert severities == {"21": "low", "47": "medium", "73": "high", "99": "critical"}
    assert rule["timestamp_override"] == "event.ingested"
    named = [rule["timestamp_override"], rule["rule_name_override"], rule["risk_score_mapping"][0]["field"],
             *(one["field"] for one in rule["severity_mapping"]), "pluginhost.alert.suppressed"]  # fmt: skip
    assert None not in map(mapped_type, named)


def test_the_monitor_is_shipped_switched_off_and_looks_at_each_minute_once():
    monitor = shipped.monitor()
    assert (monitor["enabled"], monitor["monitor_type"], monitor["schedule"]) == (
        False, "query_level_monitor", {"period": {"interval": 1, "unit": "MINUTES"}})  # fmt: skip
    asked = monitor["inputs"][0]["search"]["query"]["query"]["bool"]["filter"]
    (window,) = [one["range"]["event.ingested"] for one in asked if "range" in one]
    assert (window["gt"], window["lte"]) == ("{{period_end}}||-2m", "{{period_end}}||-1m")
