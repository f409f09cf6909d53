"""Panels in Kibana's form: what is asked is asked of the right documents, and what is drawn names the columns that are there."""

from __future__ import annotations

import json

import pytest

from kibana.content import DASHBOARDS
from kibana.forms import kibana
from kibana.forms.columns import asked
from kibana.forms.lens import lens
from kibana.forms.maps import map_
from kibana.forms.views import view
from kibana.model import ALERTS, ALL_STATES, SCORES, STATES, VIEWS, By, Column, Control, Dashboard, Layer, Metric, Panel, Row, panels_of
from kibana.saved import REVISION
from pluginhost.alerts.template import template_of

OBJECTS = kibana.objects(DASHBOARDS)
TIME, USER = By("time", "Time", "@timestamp"), By("terms", "User", "user.name")
COUNT, RISK = Metric("count", "Alerts"), Metric("max", "Risk", "event.risk_score")
LAST = Metric("max", "Last seen", "@timestamp", unit="date")


def panel(kind, *layers, key="one", title="One", **told):
    return Panel(key, title, kind, layers, **told)


def page(*panels, **told):
    return Dashboard("page", "Page", "", "now-7d", (Row(5, tuple((one, 48 // len(panels)) for one in panels)),), **told)


def drawn(one):
    """The state of a Lens visualization, and its layers."""
    state = lens(one)[0]["state"]
    return state, state["datasourceStates"]["formBased"]["layers"]


def column(metric, *, by=(), where=""):
    return asked("a", Layer(ALERTS, by, (metric,)), where)["columns"]["a-metric-1"]


def mapped(kind, field):
    """The type of a field in an index of ours."""
    spec = template_of(kind, "9.0.0")["template"]["mappings"]
    for part in field.split("."):
        spec = spec["properties"][part]
    return spec["type"]


def attributes(id_):
    return next(one["attributes"] for one in OBJECTS if one["id"] == id_)


# The file.


def test_each_object_comes_once_after_what_it_refers_to():
    seen = set()
    for one in OBJECTS:
        assert {(ref["type"], ref["id"]) for ref in one["references"]} <= seen, one["id"]
        assert (one["type"], one["id"]) not in seen
        seen.add((one["type"], one["id"]))
    assert len(OBJECTS) == len(VIEWS) + len(panels_of(DASHBOARDS)) + len(DASHBOARDS)


def test_objects_have_the_form_that_8_9_knows():
    versions = {one["type"]: one["typeMigrationVersion"] for one in OBJECTS}
    assert versions == {"index-pattern": "8.0.0", "lens": "8.9.0", "map": "8.4.0", "search": "7.9.3", "visualization": "8.5.0",
                        "dashboard": "8.9.0"}  # fmt: skip
    assert {(one["coreMigrationVersion"], one["managed"]) for one in OBJECTS} == {("8.8.0", False)}


def test_descriptions_end_with_the_revision_but_for_data_views():
    told = {one["id"]: one["attributes"].get("description") for one in OBJECTS}
    assert {id_ for id_, text in told.items() if text is None} == {one.id for one in VIEWS}
    assert all(text.endswith(f" (pluginhost {REVISION})") for text in told.values() if text is not None)
    assert told["pluginhost-panel-open"].startswith("Groups of alerts that nobody has closed")
    assert told["pluginhost-panel-alerts"] == f"Alerts (pluginhost {REVISION})"


def test_terms_say_of_what_type_their_values_are():
    kinds = {ALERTS: "alerts", SCORES: "scores", STATES: "states", ALL_STATES: "states"}
    asking = [(kinds[layer.view], layer) for one in panels_of(DASHBOARDS) for layer in one.layers]
    told = {(kind, each["sourceField"]): each["dataType"] for kind, layer in asking
            for each in asked("a", layer)["columns"].values() if each["operationType"] == "terms"}  # fmt: skip
    assert told["alerts", "source.ip"] == "ip"
    assert told == {key: {"ip": "ip", "keyword": "string"}[mapped(*key)] for key in told}


# Numbers.


@pytest.mark.parametrize(("metric", "told"), [
    (COUNT, {"operationType": "count", "sourceField": "___records___", "dataType": "number", "params": {"emptyAsNull": False}}),
    (Metric("unique", "Users", "a"), {"operationType": "unique_count", "sourceField": "a", "params": {"emptyAsNull": False}}),
    (RISK, {"operationType": "max", "params": {"format": {"id": "number", "params": {"decimals": 0}}}}),
    (LAST, {"operationType": "max", "dataType": "date", "sourceField": "@timestamp", "params": {}}),
    (Metric("avg", "Lag", "a", decimals=2), {"params": {"format": {"id": "number", "params": {"decimals": 2}}}}),
    (Metric("avg", "Lag", "a"), {"operationType": "average", "dataType": "number", "scale": "ratio"}),
    (Metric("max", "Memory", "a", unit="bytes"), {"params": {"format": {"id": "bytes", "params": {"decimals": 0}}}}),
    (Metric("median", "Median", "a", unit="seconds"), {"operationType": "median", "params": {}}),
    (Metric("percentile", "Lag", "a", percentile=95.0, unit="seconds"), {"operationType": "percentile", "params": {"percentile": 95}}),
    (Metric("count", "False", where="a: b"), {"filter": {"query": "a: b", "language": "kuery"}}),
])  # fmt: skip
def test_a_number_is_a_column(metric, told):
    made = column(metric)
    assert {key: made.get(key) for key in told} == told
    assert made["label"] == metric.label
    assert not made["isBucketed"]
    assert ("filter" in made) == bool(metric.where)


def test_a_number_has_both_its_own_condition_and_its_layers():
    assert column(Metric("count", "False", where="a: b"), where="c: d or e: f")["filter"]["query"] == "(c: d or e: f) and (a: b)"
    assert column(COUNT, where="c: d")["filter"]["query"] == "c: d"


@pytest.mark.parametrize("by", [(), (TIME,)])
def test_a_sum_of_nothing_is_zero(by):
    assert column(Metric("sum", "Records", "pluginhost.health.records"), by=by)["params"]["emptyAsNull"] is False


# What documents are told apart by.


def test_values_are_ordered_by_a_number_falling_or_by_themselves_rising():
    layer = Layer(ALERTS, (By("terms", "User", "user.name", 7, 1), By("terms", "Source", "source.ip", 3, -1)), (COUNT, RISK))
    columns = asked("a", layer)["columns"]
    first, second = columns["a-by-1"]["params"], columns["a-by-2"]["params"]
    assert (first["size"], first["orderBy"], first["orderDirection"]) == (7, {"type": "column", "columnId": "a-metric-2"}, "desc")
    assert (second["size"], second["orderBy"]["type"], second["orderDirection"]) == (3, "alphabetical", "asc")


def test_time_is_innermost_so_that_colours_are_chosen_once():
    assert asked("a", Layer(ALERTS, (TIME, USER), (COUNT,)))["columnOrder"] == ["a-by-2", "a-by-1", "a-metric-1"]
    assert asked("a", Layer(ALERTS, (USER, By("terms", "Rule", "rule.id")), (COUNT,)))["columnOrder"] == ["a-by-1", "a-by-2", "a-metric-1"]


def test_conditions_are_a_split():
    by = By("filters", "Kind", filters=(("Grave", "event.severity >= 73"), ("Other", "event.severity < 73")))
    made = asked("a", Layer(ALERTS, (by,), (COUNT,)))["columns"]["a-by-1"]
    assert made["params"]["filters"][0] == {"label": "Grave", "input": {"query": "event.severity >= 73", "language": "kuery"}}
    assert (made["isBucketed"], made["operationType"], len(made["params"]["filters"])) == (True, "filters", 2)


def test_calendar_intervals_are_kept():
    for interval in ("auto", "1h", "1d", "1M"):
        made = asked("a", Layer(ALERTS, (By("time", "Time", "@timestamp", interval=interval),), (COUNT,)))
        assert made["columns"]["a-by-1"]["params"] == {"interval": interval, "includeEmptyRows": True, "dropPartials": False}


# Visualizations.


def test_a_condition_of_all_layers_is_the_query_and_others_stand_at_their_numbers():
    lines, bars = Layer(SCORES, (TIME,), (COUNT,), "a: b", "line"), Layer(ALERTS, (TIME,), (COUNT,), "c: d", right=True)
    state, layers = drawn(panel("chart", lines))
    assert (state["query"]["query"], "filter" in layers["layer1"]["columns"]["layer1-metric-1"]) == ("a: b", False)
    state, layers = drawn(panel("chart", lines, bars))
    assert state["query"]["query"] == ""
    assert [layers[f"layer{at}"]["columns"][f"layer{at}-metric-1"]["filter"]["query"] for at in (1, 2)] == ["a: b", "c: d"]
    assert [one["id"] for one in lens(panel("chart", lines, bars))[1]] == ["pluginhost-scores", "pluginhost-alerts"]


def test_a_second_layer_has_its_axis_at_the_right():
    both = panel("chart", Layer(SCORES, (TIME,), (COUNT, RISK), shape="line"), Layer(ALERTS, (TIME,), (COUNT,), right=True))
    state, _ = drawn(both)
    first, second = state["visualization"]["layers"]
    assert (first["seriesType"], first["accessors"], "yConfig" in first) == ("line", ["layer1-metric-1", "layer1-metric-2"], False)
    assert second["yConfig"] == [{"forAccessor": "layer2-metric-1", "axisMode": "right"}]
    assert second["xAccessor"] == "layer2-by-1"


@pytest.mark.parametrize(("shape", "by", "series", "split", "legend"), [
    ("bar", (TIME, USER), "bar_stacked", "layer1-by-2", "right"),
    ("bars", (USER,), "bar_horizontal", None, "bottom"),
    ("bars", (USER, USER), "bar_horizontal_stacked", "layer1-by-2", "right"),
    ("area", (TIME,), "area_stacked", None, "bottom"),
])  # fmt: skip
def test_shapes_of_charts(shape, by, series, split, legend):
    shown = drawn(panel("chart", Layer(ALERTS, by, (COUNT,), shape=shape)))[0]["visualization"]
    assert (shown["preferredSeriesType"], shown["layers"][0]["seriesType"]) == (series, series)
    assert shown["layers"][0].get("splitAccessor") == split
    assert shown["legend"]["position"] == legend
    assert shown["yLeftExtent"] == {"mode": "full"}
    assert (shown["fittingFunction"], shown["valueLabels"]) == ("None", "show" if shape == "bars" else "hide")


@pytest.mark.parametrize(("title", "description", "label", "subtitle"), [
    ("Time to close", "", "Time to close", "Median"), ("Median", "", "Median", None), ("Time to close", "Of all.", "Median", None)])
def test_a_big_number_is_labelled_with_its_title_unless_the_panel_shows_that(title, description, label, subtitle):
    layer = Layer(ALERTS, (), (Metric("median", "Median", "a"),))
    state, layers = drawn(panel("metric", layer, title=title, description=description))
    assert layers["layer1"]["columns"]["layer1-metric-1"]["label"] == label
    assert state["visualization"].get("subtitle") == subtitle
    assert state["visualization"]["metricAccessor"] == "layer1-metric-1"


def test_a_table_is_sorted_by_what_its_values_are_chosen_by_and_filters_by_a_click():
    shown = drawn(panel("table", Layer(ALERTS, (USER,), (COUNT, LAST))))[0]["visualization"]
    assert shown["sorting"] == {"columnId": "layer1-metric-1", "direction": "desc"}
    assert [(one["columnId"], one.get("oneClickFilter"), one.get("width")) for one in shown["columns"]] == [
        ("layer1-by-1", True, None), ("layer1-metric-1", None, 105), ("layer1-metric-2", None, 190)]  # fmt: skip
    host = By("terms", "Sidecar", "observer.name", 20, -1)
    shown = drawn(panel("table", Layer(SCORES, (host,), (LAST,))))[0]["visualization"]
    assert shown["sorting"] == {"columnId": "layer1-by-1", "direction": "asc"}


def test_a_donut_shows_one_number_of_each_value():
    state, _ = drawn(panel("donut", Layer(ALERTS, (USER,), (COUNT,))))
    shown = state["visualization"]["layers"][0]
    assert (state["visualization"]["shape"], shown["primaryGroups"], shown["metrics"]) == ("donut", ["layer1-by-1"], ["layer1-metric-1"])


# Maps, searches, texts.


def test_points_are_documents_coloured_as_their_severity_is():
    made, references = map_(panel("points", Layer(ALERTS, (), (RISK,), "a: b"), at="source.geo.location"))
    base, points = json.loads(made["layerListJSON"])
    assert (base["type"], base["sourceDescriptor"]["isAutoSelect"]) == ("EMS_VECTOR_TILE", True)
    assert (points["sourceDescriptor"]["geoField"], points["query"]["query"]) == ("source.geo.location", "a: b")
    assert {"user.name", "source.ip", "rule.id", "event.reason", "event.url"} < set(points["sourceDescriptor"]["tooltipProperties"])
    colour = points["style"]["properties"]["fillColor"]["options"]
    assert colour["field"] == {"name": "event.risk_score", "origin": "source"}
    assert [one["stop"] for one in colour["customColorRamp"]] == [0, 47, 73, 99]
    assert [(one["name"], one["id"]) for one in references] == [("layer_1_source_index_pattern", "pluginhost-alerts")]


def test_paths_are_lines_as_wide_as_their_number_and_documents_where_they_end():
    made, references = map_(panel("paths", Layer(ALERTS, (), (Metric("max", "Speed", "kmh"),), "a: b"), at="from", to="to"))
    _, lines, ends = json.loads(made["layerListJSON"])
    source = lines["sourceDescriptor"]
    assert (source["type"], source["sourceGeoField"], source["destGeoField"]) == ("ES_PEW_PEW", "from", "to")
    assert source["metrics"] == [{"type": "max", "field": "kmh", "label": "Speed"}]
    assert lines["style"]["properties"]["lineWidth"]["options"]["field"]["name"] == "max_of_kmh"
    assert (ends["sourceDescriptor"]["type"], ends["sourceDescriptor"]["geoField"]) == ("ES_SEARCH", "to")
    assert [one["sourceDescriptor"]["indexPatternRefName"] for one in (lines, ends)] == [one["name"] for one in references]
    assert json.loads(made["mapStateJSON"])["settings"]["autoFitToDataBounds"] is True


def test_a_list_of_documents_is_a_search_latest_first():
    layer = Layer(ALERTS, (), (), "event.kind: alert")
    *_, made, _ = kibana.objects((page(panel("rows", layer, columns=(Column("rule.id"), Column("event.reason", 400)))),))
    assert (made["type"], made["attributes"]["columns"]) == ("search", ["rule.id", "event.reason"])
    assert made["attributes"]["sort"] == [["@timestamp", "desc"]]
    assert made["attributes"]["grid"] == {"columns": {"event.reason": {"width": 400}}}
    source = json.loads(made["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])
    assert source["query"] == {"query": "event.kind: alert", "language": "kuery"}
    assert source["indexRefName"] == made["references"][0]["name"]


def test_links_of_a_text_stay_in_the_tab():
    state = json.loads(attributes("pluginhost-panel-navigation")["visState"])
    assert (state["type"], state["params"]["openLinksInNewTab"]) == ("markdown", False)
    assert "[Logins](#/view/pluginhost-logins)" in state["params"]["markdown"]


# Data views.


def test_a_view_without_time_has_no_field_of_time():
    assert "timeFieldName" not in view(ALL_STATES, ())
    assert view(STATES, ())["timeFieldName"] == "@timestamp"
    assert view(STATES, ())["title"] == view(ALL_STATES, ())["title"] == "pluginhost-alert-state-*"


def test_fields_are_shown_as_links_spans_and_colours():
    formats = {one.id: json.loads(view(one, DASHBOARDS)["fieldFormatMap"]) for one in VIEWS}
    assert formats["pluginhost-alerts"]["event.url"] == formats["pluginhost-alert-states"]["pluginhost.state.links"]
    assert formats["pluginhost-alerts"]["event.url"]["id"] == "url"
    lag = formats["pluginhost-alerts"]["pluginhost.alert.lag"]
    assert (lag["id"], lag["params"]["inputFormat"], lag["params"]["outputPrecision"]) == ("duration", "seconds", 1)
    assert formats["pluginhost-alert-states"]["pluginhost.state.time_to_resolve"] == {"id": "number", "params": {"pattern": "00:00:00"}}
    scores = formats["pluginhost-scores"]
    assert set(scores) == {"pluginhost.health.journal_age", "pluginhost.health.undelivered_age", "pluginhost.health.memory"}
    assert scores["pluginhost.health.memory"] == {"id": "bytes", "params": {}}


@pytest.mark.parametrize(("score", "severity"), [(0, 0), (21, 0), (46.9, 0), (47, 1), (73, 2), (98, 2), (99, 3), (100, 3)])
def test_a_score_has_the_colour_of_its_severity(score, severity):
    colours = json.loads(view(ALERTS, ())["fieldFormatMap"])["event.risk_score"]["params"]["colors"]
    holding = [at for at, one in enumerate(colours) for least, most in [map(float, one["range"].split(":"))] if least <= score <= most]
    assert holding[-1] == severity  # Kibana takes the last that holds


# Dashboards.


def test_panels_stand_row_by_row():
    panels = json.loads(attributes("pluginhost-overview")["panelsJSON"])
    places = {one["panelIndex"]: one["gridData"] for one in panels}
    assert places["navigation"] == {"x": 0, "y": 0, "w": 48, "h": 3, "i": "navigation"}
    assert places["grave"] == {"x": 10, "y": 3, "w": 10, "h": 6, "i": "grave"}
    assert places["severity"] == {"x": 34, "y": 9, "w": 14, "h": 13, "i": "severity"}


def test_panels_refer_to_their_objects_and_tell_no_title_twice():
    layer = Layer(ALERTS, (), (COUNT,))
    shown = (Panel("t", "T", "text", text="*"), panel("metric", layer, key="n"), panel("metric", layer, key="d", description="Why."),
             panel("chart", Layer(ALERTS, (TIME,), (COUNT,)), key="c"))  # fmt: skip
    made = kibana.objects((page(*shown),))[-1]
    panels = json.loads(made["attributes"]["panelsJSON"])
    assert [(one["type"], one["embeddableConfig"].get("hidePanelTitles")) for one in panels] == [
        ("visualization", True), ("lens", True), ("lens", None), ("lens", None)]  # fmt: skip
    assert [one["embeddableConfig"]["description"] for one in panels] == ["", "", "Why.", ""]
    assert [one["panelRefName"] for one in panels] == ["panel_t", "panel_n", "panel_d", "panel_c"]
    assert [(one["name"], one["type"], one["id"]) for one in made["references"]] == [
        ("t:panel_t", "visualization", "pluginhost-panel-t"), ("n:panel_n", "lens", "pluginhost-panel-n"),
        ("d:panel_d", "lens", "pluginhost-panel-d"), ("c:panel_c", "lens", "pluginhost-panel-c")]  # fmt: skip


def test_a_dashboard_opens_with_its_own_time():
    made = attributes("pluginhost-logins")
    assert (made["timeRestore"], made["timeFrom"], made["timeTo"], made["refreshInterval"]["pause"]) == (True, "now-7d", "now", True)
    assert {"useMargins": True, "syncCursor": True}.items() <= json.loads(made["optionsJSON"]).items()


def test_controls_are_in_their_order_each_with_its_data_view():
    controls = (Control("source.ip", "Source"), Control("pluginhost.analyzer", "Analyzer", SCORES))
    made = kibana.objects((page(panel("metric", Layer(ALERTS, (), (COUNT,))), controls=controls),))[-1]
    group = made["attributes"]["controlGroupInput"]
    shown = json.loads(group["panelsJSON"])
    assert group["chainingSystem"] == "HIERARCHICAL"
    assert [(id_, one["order"], one["explicitInput"]["fieldName"], one["explicitInput"]["id"]) for id_, one in shown.items()] == [
        ("control-source-ip", 0, "source.ip", "control-source-ip"),
        ("control-pluginhost-analyzer", 1, "pluginhost.analyzer", "control-pluginhost-analyzer")]  # fmt: skip
    assert {(one["name"], one["id"]) for one in made["references"]} >= {
        ("controlGroup_control-source-ip:optionsListDataView", "pluginhost-alerts"),
        ("controlGroup_control-pluginhost-analyzer:optionsListDataView", "pluginhost-scores")}  # fmt: skip
    assert "controlGroupInput" not in kibana.objects((page(panel("metric", Layer(ALERTS, (), (COUNT,)))),))[-1]["attributes"]
