from __future__ import annotations

import pytest

from pluginhost.alerts import template

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
    assert body["_meta"] == {"managed_by": "pluginhost", "version": 2}
    assert body["template"]["settings"] == {
        "index.mapping.total_fields.limit": 2000, "index.mapping.ignore_malformed": True, "index.codec": "best_compression",
    }  # fmt: skip
    assert body["template"]["mappings"]["date_detection"] is False
    assert sum(1 for _ in leaves(template.mapped())) < 1000  # half of the limit is the analyzers'


@pytest.mark.parametrize(
    ("version", "ignores", "store"),
    [("8.13.4", False, False), ("8.14.0", True, False), ("8.19.21", True, True), ("9.5.3", True, True)],
)
def test_each_version_gets_what_it_knows(version, ignores, store):
    body = template.alerts_template(version)["template"]
    assert ("index.mapping.total_fields.ignore_dynamic_beyond_limit" in body["settings"]) is ignores
    assert (body.get("data_stream_options") == {"failure_store": {"enabled": False}}) is store
    assert "index.mapping.total_fields.ignore_dynamic_beyond_limit" not in template.alerts_template("8.1.1")["template"]["settings"]


def test_the_state_index_is_an_ordinary_one_with_the_alerts_fields():
    body = template.state_template("9.0.0")
    assert (body["index_patterns"], body["priority"]) == (["pluginhost-alert-state-*"], 500)
    assert "data_stream" not in body
    assert "data_stream_options" not in body["template"]
    properties = body["template"]["mappings"]["properties"]
    assert properties["source"] == template.mapped()["source"]
    assert properties["pluginhost"]["properties"]["alert"] == template.mapped()["pluginhost"]["properties"]["alert"]
    assert properties["pluginhost"]["properties"]["state"]["properties"]["status"] == {"type": "keyword"}
    assert template.mapped_type("pluginhost.state") is None  # the alerts' own mapping stays as it was


def test_names():
    assert template.alerts_stream("prod") == "logs-pluginhost.alerts-prod"
    assert template.state_index("prod") == "pluginhost-alert-state-prod"
    assert [template.release(version) for version in ("8.19.21", "9.0.0-SNAPSHOT", "")] == [(8, 19), (9, 0), (0, 0)]
