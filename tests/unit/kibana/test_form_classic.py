"""The classic file: objects that OpenSearch Dashboards takes, each panel in the shape of its visualization, conditions where they hold."""

from __future__ import annotations

import json
import re

import pytest

from kibana.content import DASHBOARDS
from kibana.forms import classic, vega, vis
from kibana.model import ALERTS, ALL_STATES, SCORES, By, Column, Control, Dashboard, Layer, Metric, Panel, Row
from kibana.saved import REVISION

TIME, RULE, HOST = By("time", "Time", "@timestamp"), By("terms", "Rule", "rule.id", 7), By("terms", "Host", "host.name", 5, -1)
COUNT, RISK = Metric("count", "Alerts"), Metric("max", "Risk", "event.risk_score")
SHIPPED = classic.objects(DASHBOARDS)

# What the index of saved objects of OpenSearch Dashboards has fields for; anything else makes an import fail.
KNOWN = {
    "search": {"columns", "description", "hits", "kibanaSavedObjectMeta", "sort", "title", "version"},
    "visualization": {"description", "kibanaSavedObjectMeta", "title", "uiStateJSON", "version", "visState"},
    "dashboard": {"description", "hits", "kibanaSavedObjectMeta", "optionsJSON", "panelsJSON", "refreshInterval", "timeFrom", "timeRestore",
                  "timeTo", "title", "version"},
}  # fmt: skip


def chart(*by, metrics=(COUNT,), shape="bar", view=ALERTS, where=""):
    return Panel("key", "Title", "chart", (Layer(view, by, metrics, where, shape),))


def table(*by, metrics=(COUNT,)):
    return Panel("key", "Title", "table", (Layer(ALERTS, by, metrics, "event.kind: alert"),))


def aggs(state):
    return [(one["id"], one["type"], one["schema"]) for one in state["aggs"]]


def made(*panels, controls=()):
    """The objects of a dashboard of these panels, by id."""
    dashboard = Dashboard("page", "Page", "", "now-7d", (Row(6, tuple((one, 48 // len(panels)) for one in panels)), Row(9, ())), controls)
    return {one["id"]: one for one in classic.objects((dashboard,))}


def source(saved):
    return json.loads(saved["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])


def state(saved):
    return json.loads(saved["attributes"]["visState"])


# Objects.


def test_shipped_objects_are_those_that_both_products_know_in_their_last_common_form():
    assert {one["type"]: one["migrationVersion"] for one in SHIPPED} == {
        "index-pattern": {"index-pattern": "7.6.0"}, "search": {"search": "7.9.3"}, "visualization": {"visualization": "7.10.0"},
        "dashboard": {"dashboard": "7.9.3"}}  # fmt: skip
    assert all(set(one) == {"type", "id", "attributes", "references", "migrationVersion"} for one in SHIPPED)
    for one in SHIPPED:
        assert set(one["attributes"]) <= KNOWN.get(one["type"], set(one["attributes"])), one["id"]


def test_shipped_descriptions_end_with_the_revision():
    told = [one["attributes"]["description"] for one in SHIPPED if one["type"] != "index-pattern"]
    assert len(told) == len(SHIPPED) - 4
    assert all(re.fullmatch(rf".+ \(pluginhost {REVISION}\)", text) for text in told)


def test_every_name_of_a_reference_is_one_and_leads_to_an_object():
    ids = {(one["type"], one["id"]) for one in SHIPPED}
    assert len(ids) == len(SHIPPED)
    for one in SHIPPED:
        named = re.findall(r'RefName\\*":\\*"([^"\\]+)', json.dumps(one["attributes"]))
        assert sorted(named) == sorted(each["name"] for each in one["references"]), one["id"]
        assert {(each["type"], each["id"]) for each in one["references"]} <= ids


def test_an_index_pattern_has_the_id_of_links_and_no_time_where_all_are_meant():
    patterns = {one["id"]: one["attributes"] for one in SHIPPED if one["type"] == "index-pattern"}
    assert patterns[ALERTS.id]["title"] == "logs-pluginhost.alerts-*"
    assert patterns[ALERTS.id]["timeFieldName"] == "@timestamp"
    assert "timeFieldName" not in patterns[ALL_STATES.id]
    formats = json.loads(patterns[SCORES.id]["fieldFormatMap"])
    assert formats["pluginhost.health.memory"]["id"] == "bytes"
    assert json.loads(patterns[ALERTS.id]["fieldFormatMap"])["event.url"]["params"]["labelTemplate"] == "open"


def test_a_condition_is_the_query_of_its_visualization():
    saved = made(chart(TIME, where="rule.id: waf", view=SCORES))["pluginhost-panel-key"]
    assert source(saved)["query"] == {"query": "rule.id: waf", "language": "kuery"}
    assert saved["references"] == [{"name": source(saved)["indexRefName"], "type": "index-pattern", "id": "pluginhost-scores"}]


def test_a_list_of_documents_is_a_search_latest_first():
    listed = (Column("rule.id"), Column("event.reason"))
    panel = Panel("key", "Latest", "rows", (Layer(ALERTS, (), (), "event.kind: alert"),), columns=listed)
    saved = made(panel)["pluginhost-panel-key"]
    assert saved["type"] == "search"
    assert saved["attributes"]["columns"] == ["rule.id", "event.reason"]
    assert saved["attributes"]["sort"] == [["@timestamp", "desc"]]
    assert source(saved)["query"]["query"] == "event.kind: alert"


# Dashboards.


def test_a_dashboard_opens_with_its_time_and_says_what_stands_where():
    page = made(chart(TIME), Panel("text", "Text", "text", text="*a*"))["pluginhost-page"]
    assert [page["attributes"][name] for name in ("timeRestore", "timeFrom", "timeTo")] == [True, "now-7d", "now"]
    first, second = json.loads(page["attributes"]["panelsJSON"])
    assert first["gridData"] == {"x": 0, "y": 0, "w": 24, "h": 6, "i": "key"}
    assert (first["embeddableConfig"], second["embeddableConfig"]) == ({}, {"hidePanelTitles": True})
    assert (second["panelRefName"], page["references"][1]) == (
        "panel_1", {"name": "panel_1", "type": "visualization", "id": "pluginhost-panel-text"})  # fmt: skip


def test_controls_stand_below_the_first_row_and_know_their_data_view():
    chosen = (Control("log.level", "Severity"), Control("observer.name", "Sidecar", SCORES))
    saved = made(chart(TIME), controls=chosen)
    control = saved["pluginhost-panel-page-controls"]
    assert [(one["fieldName"], one["label"], one["indexPatternRefName"]) for one in state(control)["params"]["controls"]] == [
        ("log.level", "Severity", "control_0_index_pattern"), ("observer.name", "Sidecar", "control_1_index_pattern")]  # fmt: skip
    assert [one["id"] for one in control["references"]] == ["pluginhost-alerts", "pluginhost-scores"]
    placed = json.loads(saved["pluginhost-page"]["attributes"]["panelsJSON"])
    assert [(one["panelIndex"], one["gridData"]["y"], one["gridData"]["h"]) for one in placed] == [("key", 0, 6), ("controls", 6, 4)]


@pytest.mark.parametrize("saved", [one for one in SHIPPED if one["type"] == "dashboard"], ids=lambda one: one["id"])
def test_shipped_dashboards_fill_the_grid_without_overlap(saved):
    cells = set()
    for one in json.loads(saved["attributes"]["panelsJSON"]):
        x, y, w, h = (one["gridData"][name] for name in "xywh")
        covered = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert not covered & cells
        cells |= covered
    assert len(cells) == 48 * (max(row for _, row in cells) + 1)


# Visualizations.


def test_operations_and_their_fields():
    metrics = (COUNT, Metric("unique", "Users", "user.name"), Metric("median", "Median", "a"), Metric("percentile", "Lag", "b"), RISK)
    got = vis.table(table(RULE, metrics=metrics))["aggs"]
    assert [(one["id"], one["type"], one["params"]) for one in got[:5]] == [
        ("1", "count", {"customLabel": "Alerts"}), ("2", "cardinality", {"field": "user.name", "customLabel": "Users"}),
        ("3", "median", {"field": "a", "customLabel": "Median"}),
        ("4", "percentiles", {"field": "b", "percents": [95], "customLabel": "Lag"}),
        ("5", "max", {"field": "event.risk_score", "customLabel": "Risk"})]  # fmt: skip


def test_a_number_stands_alone():
    state = vis.metric(Panel("key", "Title", "metric", (Layer(ALERTS, (), (COUNT,)),)))
    assert (state["type"], aggs(state)) == ("metric", [("1", "count", "metric")])


def test_the_series_of_a_chart_are_chosen_before_its_axis():
    state = vis.chart(chart(TIME, RULE))
    assert (state["type"], aggs(state)) == (
        "histogram", [("1", "count", "metric"), ("3", "terms", "group"), ("2", "date_histogram", "segment")])  # fmt: skip
    assert (state["params"]["addLegend"], state["params"]["seriesParams"][0]["mode"]) == (True, "stacked")


@pytest.mark.parametrize(("interval", "said"), [("auto", "auto"), ("1m", "m"), ("1h", "h"), ("1d", "d"), ("1M", "M")])
def test_intervals_of_time(interval, said):
    (_, axis) = vis.chart(chart(By("time", "Time", "@timestamp", interval=interval), shape="line"))["aggs"]
    assert axis["params"]["interval"] == said
    assert axis["params"]["useNormalizedEsInterval"] is axis["params"]["useNormalizedOpenSearchInterval"] is True


def test_each_metric_of_a_chart_is_a_series():
    state = vis.chart(chart(TIME, metrics=(COUNT, RISK), shape="area"))
    assert [(one["data"], one["type"]) for one in state["params"]["seriesParams"]] == [
        ({"label": "Alerts", "id": "1"}, "area"), ({"label": "Risk", "id": "2"}, "area")]  # fmt: skip
    assert state["params"]["valueAxes"][0]["title"] == {"text": ""}


def test_bars_lie():
    state = vis.chart(chart(RULE, shape="bars"))
    assert state["type"] == "horizontal_bar"
    assert [state["params"][axis][0]["position"] for axis in ("categoryAxes", "valueAxes")] == ["left", "bottom"]
    assert state["params"]["addLegend"] is False


def test_conditions_tell_documents_apart():
    by = By("filters", "Which", filters=(("Mine", "user.name: me"), ("All", "*")))
    assert vis.chart(chart(by))["aggs"][1]["params"]["filters"] == [
        {"input": {"query": "user.name: me", "language": "kuery"}, "label": "Mine"},
        {"input": {"query": "*", "language": "kuery"}, "label": "All"}]  # fmt: skip


@pytest.mark.parametrize(("metric", "by", "order", "sort"), [
    (COUNT, RULE, ("1", "desc"), (1, "desc")),
    (RISK, HOST, ("_key", "asc"), (0, "asc")),
    (Metric("median", "Median", "a"), RULE, ("1.50", "desc"), (1, "desc")),
    (Metric("percentile", "Lag", "a", percentile=99), RULE, ("1.99", "desc"), (1, "desc")),
])  # fmt: skip
def test_tables_open_as_their_rows_were_chosen(metric, by, order, sort):
    panel = table(by, metrics=(metric, COUNT))
    params = vis.table(panel)["aggs"][2]["params"]
    assert ((params["orderBy"], params["order"]), params["size"]) == (order, by.size)
    opens = vis.ordered(panel)["vis"]
    assert (opens["sortColumn"]["colIndex"], opens["sortColumn"]["direction"]) == sort
    assert (opens["params"]["sort"]["columnIndex"], opens["params"]["sort"]["direction"]) == sort


def test_a_ring_has_one_aggregation_of_each_sort():
    state = vis.donut(Panel("key", "Title", "donut", (Layer(ALERTS, (RULE,), (COUNT,)),)))
    assert (state["params"]["isDonut"], aggs(state)) == (True, [("1", "count", "metric"), ("2", "terms", "segment")])


def test_a_condition_of_a_metric_is_refused_where_it_would_be_lost():
    with pytest.raises(ValueError, match="Mine: no aggregation"):
        vis.donut(Panel("key", "Title", "donut", (Layer(ALERTS, (RULE,), (Metric("count", "Mine", where="user.name: me"),)),)))


# Vega.


def requests(spec):
    """Every request of a specification."""
    found = [spec["url"]] if "url" in spec else []
    return found + [one for value in spec.values() for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)
                    for one in requests(each)]  # fmt: skip


def bodies(panel):
    return [one["body"] for one in requests(vega.spec(panel))]


@pytest.mark.parametrize("panel", [chart(TIME), table(RULE), Panel("key", "Title", "rows", (Layer(ALERTS, (), ()),))])
def test_what_a_visualization_can_show_is_not_vega(panel):
    assert vega.spec(panel) is None


def test_a_request_has_the_filters_and_time_of_its_dashboard_and_its_own_condition():
    (body,) = bodies(Panel("key", "Title", "points", (Layer(ALERTS, (), (RISK,), "rule.id: waf"),), at="source.geo.location"))
    assert body["query"]["bool"] == {
        "must": ["%dashboard_context-must_clause%"],
        "filter": ["%dashboard_context-filter_clause%", {"range": {"@timestamp": {"%timefilter%": True}}},
                   {"bool": {"should": [{"match": {"rule.id": "waf"}}], "minimum_should_match": 1}}],
        "must_not": ["%dashboard_context-must_not_clause%"]}  # fmt: skip
    (timeless,) = bodies(Panel("key", "Title", "points", (Layer(ALL_STATES, (), (RISK,)),), at="source.geo.location"))
    assert timeless["query"]["bool"]["filter"] == ["%dashboard_context-filter_clause%"]


def test_numbers_of_a_table_have_their_own_condition_and_order_its_rows():
    mine = Metric("count", "Mine", where="user.name: me")
    (body,) = bodies(table(RULE, metrics=(mine, RISK)))
    rows = body["aggs"]["rows"]
    assert rows["terms"] == {"field": "rule.id", "size": 7, "order": {"m0": "desc"}}
    assert rows["aggs"]["m0"]["filter"]["bool"]["filter"][0]["bool"]["should"] == [{"match": {"user.name": "me"}}]
    assert rows["aggs"]["m1"] == {"filter": {"bool": {"filter": []}}, "aggs": {"value": {"max": {"field": "event.risk_score"}}}}
    (second,) = bodies(table(By("terms", "Rule", "rule.id", order=1), metrics=(mine, RISK)))
    assert second["aggs"]["rows"]["terms"]["order"] == {"m1>value": "desc"}
    (by_value,) = bodies(table(HOST, metrics=(mine,)))
    assert by_value["aggs"]["rows"]["terms"]["order"] == {"_key": "asc"}


def test_a_table_shows_a_head_and_every_column():
    spec = vega.spec(table(RULE, metrics=(Metric("count", "Mine", where="user.name: me"), RISK)))
    texts = [(one["from"]["data"], one["encode"]["update"]["text"]["signal"]) for one in spec["marks"] if one["type"] == "text"]
    assert texts == [("head", "'Rule'"), ("head", "'Mine'"), ("head", "'Risk'"), ("rows", "datum.key"),
                     ("rows", "format(datum.m0.doc_count, ',.0f')"), ("rows", "format(datum.m1.value.value, ',.0f')")]  # fmt: skip


def test_a_chart_of_two_data_views_asks_each_with_one_interval():
    scores = Layer(SCORES, (TIME,), (Metric("max", "Score", "pluginhost.score.value"),), "pluginhost.analyzer: waf", "line")
    spec = vega.spec(Panel("key", "Title", "chart", (scores, Layer(ALERTS, (TIME,), (COUNT,), right=True))))
    assert [one["index"] for one in requests(spec)] == ["logs-pluginhost.alerts-*", "metrics-pluginhost.scores-*"]  # bars stand behind
    asked = [one["body"]["aggs"]["time"] for one in requests(spec)]
    assert [one["date_histogram"]["interval"] for one in asked] == [{"%autointerval%": True}] * 2
    assert asked[1]["aggs"]["m0"]["aggs"] == {"value": {"max": {"field": "pluginhost.score.value"}}}
    assert [one["encoding"]["y"]["axis"]["orient"] for one in spec["layer"]] == ["right", "left"]
    assert [one["transform"][0]["calculate"] for one in spec["layer"]] == ["datum.m0.doc_count", "datum.m0.value.value"]


def test_points_are_places_with_their_metric_and_count():
    spec = vega.spec(Panel("key", "Title", "points", (Layer(ALERTS, (), (RISK,)),), at="source.geo.location"))
    assert spec["config"]["kibana"]["type"] == "map"
    places = requests(spec)[0]["body"]["aggs"]["places"]
    assert places["geotile_grid"] == {"field": "source.geo.location", "precision": 29, "size": 2000}
    assert places["aggs"]["m0"]["aggs"]["value"] == {"max": {"field": "event.risk_score"}}
    projected, measure, count, tip = spec["data"][0]["transform"]
    assert projected["fields"] == ["at.location.lon", "at.location.lat"]
    assert (measure["expr"], count["expr"]) == ("datum.m0.value.value", "datum.doc_count")
    assert "Sources: join(pluck(datum.sources.buckets, 'key'), ', ')" in tip["expr"]


def test_paths_are_drawn_from_their_starts_to_their_ends():
    panel = Panel("key", "Title", "paths", (Layer(ALERTS, (), (RISK,)),), at="from.location", to="to.location")
    spec = vega.spec(panel)
    ends = requests(spec)[0]["body"]["aggs"]["ends"]
    assert (ends["geotile_grid"]["field"], ends["aggs"]["starts"]["geotile_grid"]["field"]) == ("to.location", "from.location")
    flat, start, end, measure, *_ = spec["data"][0]["transform"]
    assert (flat["fields"], start["fields"][0], end["fields"][0]) == (["starts.buckets"], "start.at.location.lon", "at.location.lon")
    assert measure["expr"] == "datum.start.m0.value.value"
    assert [one["type"] for one in spec["marks"]] == ["path", "symbol"]
