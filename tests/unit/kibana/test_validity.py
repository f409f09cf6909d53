"""The shipped files hold for every product that they are made for; and what is told of small objects of our own."""

from __future__ import annotations

import gzip
import json

import pytest
from kibana_mutations import ROOT, TARGETS, shipped

from kibana.proof import validity
from kibana.proof.validity import mapping, targets
from kibana.proof.validity.asking import of_body

CASES = [pytest.param(file, target, id=f"{file}, {target.name}") for file, many in TARGETS.items() for target in many]


@pytest.mark.parametrize(("file", "target"), CASES)
def test_nothing_is_wrong_with_a_shipped_file(file, target):
    assert validity.problems(shipped(file), target) == []


@pytest.mark.parametrize("file", TARGETS)
def test_each_field_is_in_a_document_of_the_fixtures(file):
    assert validity.absent(shipped(file), documents()) == []


@pytest.mark.parametrize("file", TARGETS)
def test_each_field_is_missed_where_there_are_no_documents(file):
    told = validity.absent(shipped(file), {})

    assert any(line.endswith("no document of alerts has user.name") for line in told)
    assert any(line.endswith("no document of states has pluginhost.state.status") for line in told)
    assert any(line.endswith("no document of scores has pluginhost.score.value") for line in told)


@pytest.mark.parametrize(("document", "field", "there"), [
    ({"user": {"name": "root"}}, "user.name", True), ({"user": {"id": "0"}}, "user.name", False),
    ({"user": {"name": None}}, "user.name", False), ({"user": {"name": []}}, "user.name", False),
    ({"user": [{"id": "0"}, {"name": "root"}]}, "user.name", True), ({"user.name": "root"}, "user.name", True),
    ({"source": {"geo": {"location": {"lat": 1, "lon": 2}}}}, "source.geo.location", True), ({"message": "x"}, "message.keyword", True),
    ({"event": {}}, "event.reason", False), ({}, "event.reason", False),
])  # fmt: skip
def test_a_field_is_there_if_a_document_has_a_value_for_it(document, field, there):
    view = next(one for one in shipped("kibana") if one["id"] == "pluginhost-alerts")
    attributes = {"title": "x", "columns": [field], "kibanaSavedObjectMeta": {"searchSourceJSON": f'{{"indexRefName": "{INDEX}"}}'}}
    references = [{"name": INDEX, "type": "index-pattern", "id": view["id"]}]
    search = {"type": "search", "id": "x", "attributes": attributes, "references": references}

    told = validity.absent([view, search], {"alerts": [document]})

    assert (f"search/x columns[0]: no document of alerts has {field}" not in told) is there


INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"


def test_both_files_are_about_the_same_views_and_dashboards():
    shared = {"index-pattern", "dashboard", "search"}
    names = [{(one["type"], one["id"]) for one in shipped(file) if one["type"] in shared} for file in TARGETS]

    assert names[0] == names[1]
    assert len(names[0]) >= 4 + 5


def test_the_kibana_file_is_none_for_dashboards():
    told = validity.problems(shipped("kibana"), targets.DASHBOARDS_3)

    assert "lens/pluginhost-panel-alerts type: OpenSearch Dashboards 3 does not know lens" in told
    assert "dashboard/pluginhost-overview attributes.controlGroupInput: OpenSearch Dashboards 3 has no such attribute" in told


def documents():
    return {kind: list(map(json.loads, gzip.open(ROOT / f"tests/fixtures/{kind}.ndjson.gz"))) for kind in mapping.KINDS}


# Lines.

def test_a_line_that_is_no_object_is_told_with_its_number():
    objects, wrong = validity.lines('{"type": "map"}\n[1]\n{"a"\n')

    assert objects == [{"type": "map"}]
    assert [line.partition(":")[0] for line in wrong] == ["line 2", "line 3"]


@pytest.mark.parametrize("one", [
    {}, {"type": 3}, {"type": "map", "id": "x"}, {"type": "map", "id": "", "attributes": {}, "references": []},
])  # fmt: skip
def test_an_object_without_its_envelope_is_told(one):
    (target, *_) = validity.KIBANA

    assert validity.problems([one], target) != []


def test_an_unknown_type_is_told():
    one = {"type": "url", "id": "x", "attributes": {}, "references": []}

    assert validity.problems([one], targets.KIBANA_9)[0].startswith("url/x type: 'url' is none of index-pattern, search,")


# Types of fields.

@pytest.mark.parametrize(("kind", "field", "type_"), [
    ("alerts", "@timestamp", "date"), ("alerts", "message", "text"), ("alerts", "message.keyword", "keyword"),
    ("alerts", "event.original", "kept"), ("alerts", "source.geo.location", "geo_point"), ("alerts", "pluginhost.record", None),
    ("alerts", "pluginhost", None), ("alerts", "", None), ("alerts", "pluginhost.alert.lag", "float"),
    ("alerts", "pluginhost.state.status", None), ("states", "pluginhost.state.status", "keyword"),
    ("states", "pluginhost.state.time_to_resolve", "float"), ("scores", "pluginhost.score.parts.unusual_action", "float"),
    ("alerts", "pluginhost.score.parts.unusual_action", None), ("scores", "message", None), ("scores", "pluginhost.health.records", "long"),
])  # fmt: skip
def test_the_type_of_a_field_is_that_of_the_index_template(kind, field, type_):
    assert mapping.type_of(kind, field) == type_


@pytest.mark.parametrize(("indices", "kind"), [
    ("logs-pluginhost.alerts-*", "alerts"), ("logs-pluginhost.alerts-default", "alerts"), ("pluginhost-alert-state-*", "states"),
    ("metrics-pluginhost.scores-*", "scores"), ("logs-*", "alerts"), ("*pluginhost*", None), ("logs-pluginhost.alert-*", None), ("", None),
])  # fmt: skip
def test_a_pattern_of_indices_is_about_one_kind_of_documents(indices, kind):
    assert mapping.kind_of(indices) == kind


@pytest.mark.parametrize(("version", "than", "is_newer"), [
    ("8.9.0", "8.9.0", False), ("8.10.0", "8.9.0", True), ("7.17.9", "8.0.0", False), ("10.1.0", "8.9.0", True),
    ("new", "8.9.0", True), ("", "8.9.0", True),
])  # fmt: skip
def test_versions_are_compared_as_numbers(version, than, is_newer):
    assert targets.newer(version, than) is is_newer


# Queries and aggregations.

@pytest.mark.parametrize(("body", "named"), [
    ({"query": {"bool": {"must": [{"term": {"a": 1}}, "%clause%"], "must_not": {"exists": {"field": "b"}}}}},
     {("a", "something to look for"), ("b", "something there")}),
    ({"query": {"query_string": {"fields": ["a", "b"], "query": "x*"}}}, {("a", "text"), ("b", "text")}),
    ({"query": {"range": {"a": {"gte": 1}, "boost": 2}}}, {("a", "something to compare")}), ({"query": {"match_all": {}}}, set()),
    ({"aggs": {"x": {"filters": {"filters": {"one": {"term": {"a": 1}}}}, "aggs": {"y": {"max": {"field": "b"}}}}}},
     {("a", "something to look for"), ("b", "number or date")}),
    ({"aggs": {"x": {"filters": {"filters": [{"term": {"a": 1}}]}}}}, {("a", "something to look for")}),
    ({"aggs": {"x": {"top_hits": {"sort": [{"a": "desc"}], "_source": ["b"]}}}},
     {("a", "something to sort by"), ("b", "something to show")}),
    ({"sort": ["a"], "fields": ["b", {"field": "c"}]},
     {("a", "something to sort by"), ("b", "something to show"), ("c", "something to show")}),
    ({"aggs": {"x": {"bucket_sort": {"size": 3}}}}, set()), ({"aggs": ["x"], "query": 3, "sort": None, "_source": False}, set()),
])  # fmt: skip
def test_the_fields_of_a_search_are_found_with_their_use(body, named):
    assert {(one.field, one.need) for one in of_body(body, "body")} == named


@pytest.mark.parametrize("body", [
    {"query": {"script": {}}}, {"query": {"bool": {"must": [{"knn": {}}]}}}, {"aggs": {"x": {"multi_terms": {"terms": []}}}},
    {"aggs": {"x": {"scripted_metric": {}}}},
])  # fmt: skip
def test_what_not_every_server_has_is_told(body):
    assert [bool(one.wrong) for one in of_body(body, "body")] == [True]


# The detection rule and the monitor.

RULE, MONITOR = ROOT / "kibana/pluginhost-rule.ndjson", ROOT / "kibana/pluginhost-monitor.json"


def test_nothing_is_wrong_with_the_rule_and_the_monitor():
    assert len(RULE.read_text("utf-8").splitlines()) == 1
    assert validity.rule_problems(RULE.read_text("utf-8")) == []
    assert validity.monitor_problems(MONITOR.read_text("utf-8")) == []


@pytest.mark.parametrize(("changed", "said"), [
    ({"enabled": True}, "rule enabled: is true"), ({"index": ["logs-*-*", "alerts"]}, "rule index: 'alerts' is not where our alerts are"),
    ({"query": "event.knid: alert"}, "rule query: event.knid is not mapped in alerts"),
    ({"query": "event.kind:"}, "rule query: cannot be read as KQL"), ({"severity": "grave"}, "rule severity: invalid enum value 'grave'"),
    ({"risk_score": 101}, "rule risk_score: expected `int` <= 100"),
    ({"timestamp_override": "event.action"}, "rule timestamp_override: event.action is mapped to keyword in alerts; needed: date"),
    ({"rule_name_override": "rule.title"}, "rule rule_name_override: rule.title is not mapped"),
    ({"alert": 1}, "object contains unknown field `alert`"), ({"severity_mapping": []}, "rule severity_mapping: is {}"),
    ({"interval": "often"}, "rule interval: expected `str` matching regex"),
    ({"rule_id": ""}, "rule rule_id: expected `str` of length >= 1"),
])  # fmt: skip
def test_a_damaged_rule_is_caught(changed, said):
    told = validity.rule_problems(json.dumps(json.loads(RULE.read_text("utf-8")) | changed))

    assert any(said in line for line in told), told


def test_a_severity_that_elastic_does_not_know_is_caught():
    text = RULE.read_text("utf-8").replace('"value":"73"', '"value":"70"')

    assert [line.partition(":")[0] for line in validity.rule_problems(text)] == ["rule severity_mapping"]


@pytest.mark.parametrize(("before", "after", "said"), [
    ('"enabled": false', '"enabled": true', "monitor enabled: is true"),
    ("logs-pluginhost.alerts-*", "logs-pluginhost-*", "'logs-pluginhost-*' is not where our alerts are"),
    ('"event.kind": "alert"', '"event.knid": "alert"', "event.knid is not mapped in alerts"),
    ("query_level_monitor", "some_monitor", "monitor monitor_type: invalid enum value 'some_monitor'"),
    ('"severity": "2"', '"severity": "7"', "monitor triggers[0].query_level_trigger.severity: invalid enum value '7'"),
    ('"MINUTES"', '"TICKS"', "monitor schedule.period.unit: invalid enum value 'TICKS'"),
    ('"painless"', '"mustache"', "invalid enum value 'mustache'"), ('"inputs"', '"input"', "object contains unknown field `input`"),
    ('"range"', '"rnage"', "no query that we know: rnage"), ("}", "", "no JSON"),
])  # fmt: skip
def test_a_damaged_monitor_is_caught(before, after, said):
    text = MONITOR.read_text("utf-8")
    assert before in text

    told = validity.monitor_problems(text.replace(before, after))

    assert any(said in line for line in told), told
