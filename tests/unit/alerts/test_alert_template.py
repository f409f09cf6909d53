from __future__ import annotations

import hashlib

import msgspec
import pytest

from pluginhost.alerts import template
from pluginhost.alerts.scores import Health

EVERYWHERE = {"keyword", "text", "date", "float", "long", "ip", "geo_point", "date_nanos", "ip_range", "object"}


def leaves(properties, path=()):
    for name, spec in properties.items():
        if "properties" in spec:
            yield from leaves(spec["properties"], (*path, name))
        else:
            yield ".".join((*path, name)), spec


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("@timestamp", "date"), ("message", "text"), ("event.id", "keyword"), ("event.severity", "long"), ("event.risk_score", "float"),
        ("event.ingested", "date"), ("rule.name", "keyword"), ("threat.technique.subtechnique.id", "keyword"), ("source.ip", "ip"),
        ("source.geo.location", "geo_point"), ("destination.as.number", "long"), ("client.ip", "ip"), ("server.port", "long"),
        ("url.original", "keyword"), ("http.response.status_code", "long"), ("user_agent.os.name", "keyword"),
        ("process.parent.pid", "long"), ("file.hash.sha256", "keyword"),
        ("dns.question.name", "keyword"), ("host.ip", "ip"), ("network.bytes", "long"), ("user.id", "keyword"), ("cloud.region", "keyword"),
        ("container.image.name", "keyword"), ("related.ip", "ip"), ("pluginhost.record", "object"), ("pluginhost", "object"),
        ("source", "object"), ("nowhere", None), ("source.nowhere", None), ("source.ip.more", None), ("", None),
    ],
)  # fmt: skip
def test_fields_are_mapped_as_ecs_says(field, kind):
    assert template.mapped_type(field) == kind


def test_only_types_that_every_server_has_are_used():
    kinds = {spec["type"] for _, spec in leaves(template.mapped())}
    assert kinds <= EVERYWHERE
    assert {field for field, spec in leaves(template.mapped()) if spec.get("enabled") is False} == {
        "pluginhost.events", "pluginhost.geoprofile.places", "pluginhost.record", "pluginhost.unfit",
    }  # fmt: skip


def test_the_alert_template_makes_a_data_stream_above_the_built_in_one():
    body = template.alerts_template("8.10.2")
    assert (body["index_patterns"], body["priority"], body["data_stream"]) == (["logs-pluginhost.alerts-*"], 500, {})
    assert body["_meta"] == body["template"]["mappings"]["_meta"] == {"managed_by": "pluginhost", "version": 4}
    assert body["template"]["settings"] == {
        "index.mapping.total_fields.limit": 2000, "index.mapping.ignore_malformed": True, "index.codec": "best_compression",
    }  # fmt: skip
    assert body["template"]["mappings"]["date_detection"] is False
    assert sum(1 for _ in leaves(template.mapped())) < 1000  # half of the limit is the analyzers'


@pytest.mark.parametrize(
    ("version", "newer", "store", "mode"),
    [("8.13.4", False, False, None), ("8.14.0", True, False, None), ("8.19.21", True, True, None), ("9.5.3", True, True, "standard")],
)
@pytest.mark.parametrize("kind", ["alerts", "scores"])
def test_each_version_gets_what_it_knows(kind, version, newer, store, mode):
    whole = template.template_of(kind, version, retention="90d")
    body = whole["template"]
    assert ("index.mapping.total_fields.ignore_dynamic_beyond_limit" in body["settings"]) is newer
    assert (whole.get("composed_of") == whole.get("ignore_missing_component_templates") == ["pluginhost@custom"]) is newer
    assert (body.get("lifecycle") == {"data_retention": "90d"}) is newer
    assert (body.get("data_stream_options") == {"failure_store": {"enabled": False}}) is store
    assert body["settings"].get("index.mode") == mode


@pytest.mark.parametrize("kind", ["alerts", "scores", "states"])
def test_opensearch_gets_nothing_of_that_and_nobody_a_retention_that_was_not_asked_for(kind):
    whole = template.template_of(kind, "3.6.0", "opensearch", "90d")
    assert whole.keys() - {"data_stream"} == {"index_patterns", "priority", "_meta", "template"}
    assert whole["template"].keys() == {"settings", "mappings"}
    assert "lifecycle" not in template.template_of(kind, "9.5.3")["template"]


@pytest.mark.parametrize(
    ("kind", "version", "digest"),
    [("alerts", 4, "1fe27ee5461c"), ("scores", 3, "d0eaf1560687"), ("states", 4, "dcba845b9ad4")],
)
def test_a_change_of_the_mapping_raises_its_version(kind, version, digest):
    """Else what stands in clusters stays as it is. When this fails: raise `_meta.version` in the JSON file, then write both here."""
    body = template.template_of(kind, "8.19.21")
    found = hashlib.sha256(msgspec.json.encode(body["template"]["mappings"], order="sorted")).hexdigest()[:12]
    assert (body["_meta"]["version"], found) == (version, digest)


@pytest.mark.parametrize(
    ("kind", "name", "target", "stream"),
    [("alerts", "logs-pluginhost.alerts", "logs-pluginhost.alerts-prod", True),
     ("scores", "metrics-pluginhost.scores", "metrics-pluginhost.scores-prod", True),
     ("states", "pluginhost-alert-state", "pluginhost-alert-state-prod", False)],
)  # fmt: skip
def test_every_kind_has_a_home_that_its_template_is_for(kind, name, target, stream):
    home = template.home(kind, "prod")
    assert (home.template, home.target, home.stream) == (name, target, stream)
    body = template.template_of(kind, "8.19.21")
    assert body["index_patterns"] == [f"{name}-*"]
    assert ("data_stream" in body) is stream


def test_the_state_index_is_an_ordinary_one_with_the_alerts_fields():
    body = template.state_template("9.0.0")
    assert (body["index_patterns"], body["priority"]) == (["pluginhost-alert-state-*"], 500)
    assert "data_stream" not in body
    assert "data_stream_options" not in body["template"]
    properties = body["template"]["mappings"]["properties"]
    assert properties["source"] == template.mapped()["source"]
    assert properties["pluginhost"]["properties"]["alert"] == template.mapped()["pluginhost"]["properties"]["alert"]
    state = properties["pluginhost"]["properties"]["state"]["properties"]
    kinds = {name: spec["type"] for name, spec in state.items()}
    assert {name for name, kind in kinds.items() if kind == "date"} == {"first", "last", "opened", "acknowledged", "resolved"}
    assert {name for name, kind in kinds.items() if kind == "long"} == {"revision", "alerts", "suppressed"}
    assert {name for name, kind in kinds.items() if kind == "keyword"} == {
        "status", "verdict", "severity", "assignee", "by", "tags", "links", "incident",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind == "float"} == {"time_to_acknowledge", "time_to_resolve"}
    assert kinds["note"] == "text"
    assert template.mapped_type("pluginhost.state") is None  # the alerts' own mapping stays as it was


def test_the_health_of_a_host_is_mapped_number_by_number():
    mapped = template.scores_template("9.0.0")["template"]["mappings"]["properties"]["pluginhost"]["properties"]["health"]["properties"]
    wanted = {field.name: {"type": "long" if field.type is int else "float"} for field in msgspec.structs.fields(Health)}
    assert mapped == wanted


def test_names():
    assert template.alerts_stream("prod") == "logs-pluginhost.alerts-prod"
    assert template.state_index("prod") == "pluginhost-alert-state-prod"
    assert [template.release(version) for version in ("8.19.21", "9.0.0-SNAPSHOT", "")] == [(8, 19), (9, 0), (0, 0)]
