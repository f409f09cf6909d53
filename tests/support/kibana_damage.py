"""Damage to envelopes, references, data views, searches, maps and dashboards: see `kibana_copies`."""

from __future__ import annotations

from copy import deepcopy

from kibana_copies import ALERTS, BOARD, CHART, NUMBER, OLD, PATHS, POINTS, SEARCH, SOURCE, Mutation, into, shipped

MUTATIONS: list[Mutation] = []
mutation = into(MUTATIONS)


# Lines and envelopes.

@mutation("kibana", NUMBER, "2 objects have it")
def duplicate_id(copy):
    copy.objects = [*copy.objects, copy[NUMBER]]


@mutation("kibana", BOARD, "10.4.0 is newer than 8.9.0, the newest that Kibana 8.9 knows")
def version_too_new(copy):
    copy[BOARD]["typeMigrationVersion"] = "10.4.0"


@mutation("classic", "search/pluginhost-panel-latest", "8.0.0 is newer than 7.9.3, the newest that OpenSearch Dashboards 2 knows")
def version_too_new_for_dashboards(copy):
    copy[SEARCH]["migrationVersion"] = {"search": "8.0.0"}


@mutation("kibana", SEARCH, "typeMigrationVersion: not given, as the file's other objects have it")
def envelope_of_the_other_style(copy):
    one = copy[SEARCH]
    del one["typeMigrationVersion"], one["coreMigrationVersion"]
    one["migrationVersion"] = {"search": "7.9.3"}


@mutation("classic", "lens/pluginhost-panel-x", "OpenSearch Dashboards 2 does not know lens")
def type_that_the_target_has_not(copy):
    lens = deepcopy(next(one for one in shipped("kibana") if one["type"] == "lens"))
    del lens["typeMigrationVersion"], lens["coreMigrationVersion"], lens["managed"]
    copy.objects = [*copy.objects, lens | {"id": "pluginhost-panel-x", "migrationVersion": {"lens": "7.9.3"}}]


@mutation("kibana", BOARD, "unknown field `owner`")
def unknown_attribute(copy):
    copy[BOARD]["attributes"]["owner"] = "soc"


@mutation("classic", "search/pluginhost-panel-latest", "attributes.grid: OpenSearch Dashboards 2 has no such attribute")
def attribute_of_kibana_alone(copy):
    copy[SEARCH]["attributes"]["grid"] = {}


@mutation("kibana", BOARD, "panelsJSON: no JSON")
def broken_json_text(copy):
    copy[BOARD]["attributes"]["panelsJSON"] += "]"


@mutation("kibana", POINTS, "expected `str`, got `array`")
def list_where_a_text_belongs(copy):
    copy[POINTS]["attributes"]["layerListJSON"] = []


@mutation("kibana", NUMBER, "does not end with the revision")
def mark_of_the_revision_lost(copy):
    copy[NUMBER]["attributes"]["description"] = "Alerts"


@mutation("kibana", NUMBER, "description: says revision 2, others say 1")
def another_revision(copy):
    copy[NUMBER]["attributes"]["description"] = "Alerts (pluginhost 2)"


@mutation("kibana", NUMBER, "beside typeMigrationVersion: one of them too many")
def both_styles_of_envelope(copy):
    copy[NUMBER]["migrationVersion"] = {"lens": "8.9.0"}


@mutation("classic", SEARCH, "is not that of search alone")
def version_of_another_type(copy):
    copy[SEARCH]["migrationVersion"] = {"search": "7.9.3", "dashboard": "7.9.3"}


@mutation("classic", SEARCH, "OpenSearch Dashboards 2 knows migrationVersion only")
def envelope_that_dashboards_has_not(copy):
    one = copy[SEARCH]
    one["typeMigrationVersion"] = one.pop("migrationVersion")["search"]



# References.

@mutation("kibana", NUMBER, "leads to index-pattern/pluginhost-alarms, which is not in the file")
def dangling_reference(copy):
    copy[NUMBER]["references"][0]["id"] = "pluginhost-alarms"


@mutation("kibana", NUMBER, "no reference is called 'indexpattern-datasource-layer-layer1'")
def reference_with_a_wrong_prefix(copy):
    copy[NUMBER]["references"][0]["name"] = "indexpattern-layer-layer1"


@mutation("kibana", BOARD, "is used by nothing")
def reference_that_nobody_uses(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels.pop()


@mutation("kibana", BOARD, "is 'alerts:panel_alarms', not 'alerts:panel_alerts'")
def panel_reference_misnamed(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[1]["panelRefName"] = "panel_alarms"


@mutation("kibana", BOARD, "is a reference to a lens, not to map")
def panel_of_another_type(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[1]["type"] = "map"


@mutation("kibana", SEARCH, "is 'index', not 'kibanaSavedObjectMeta.searchSourceJSON.index'")
def search_with_a_wrong_index_name(copy):
    with copy.inside(SEARCH, *SOURCE) as source:
        source["indexRefName"] = "index"


@mutation("classic", f"{OLD}alerts", "is '', not 'kibanaSavedObjectMeta.searchSourceJSON.index'")
def search_source_without_index(copy):
    with copy.inside(f"{OLD}alerts", *SOURCE) as source:
        del source["indexRefName"]


@mutation("kibana", POINTS, "is 'layer_7_source_index_pattern', not 'layer_1_source_index_pattern'")
def map_layer_with_a_wrong_reference(copy):
    with copy.inside(POINTS, "layerListJSON") as layers:
        layers[1]["sourceDescriptor"]["indexPatternRefName"] = "layer_7_source_index_pattern"


@mutation("classic", f"{OLD}overview-controls", "is 'control_9_index_pattern', not 'control_0_index_pattern'")
def classic_control_with_a_wrong_reference(copy):
    with copy.inside(f"{OLD}overview-controls", "visState") as state:
        state["params"]["controls"][0]["indexPatternRefName"] = "control_9_index_pattern"


@mutation("kibana", "visualization/pluginhost-panel-navigation", "leads to dashboard/pluginhost-view, which is not in the file")
def link_to_no_dashboard(copy):
    with copy.inside("visualization/pluginhost-panel-navigation", "visState") as state:
        state["params"]["markdown"] = "[Overview](#/view/pluginhost-view)"


@mutation("kibana", NUMBER, "indexpattern-datasource-layer-layer1 is given 2 times")
def reference_given_twice(copy):
    copy[NUMBER]["references"] *= 2


@mutation("kibana", SEARCH, "is 'view', not 'kibanaSavedObjectMeta.searchSourceJSON.filter[0].meta.index'")
def filter_with_a_wrong_index_name(copy):
    with copy.inside(SEARCH, *SOURCE) as source:
        source["filter"] = [{"meta": {"indexRefName": "view"}, "query": {"match_phrase": {"user.name": "root"}}}]



# Maps, searches and data views.

@mutation("kibana", POINTS, "host.name is mapped to keyword in alerts; needed: place")
def map_of_a_keyword(copy):
    with copy.inside(POINTS, "layerListJSON") as layers:
        layers[1]["sourceDescriptor"]["geoField"] = "host.name"


@mutation("kibana", PATHS, "max_of_event.risk_score is none of the layer's numbers")
def path_drawn_by_a_number_not_asked_for(copy):
    with copy.inside(PATHS, "layerListJSON") as layers:
        layers[1]["style"]["properties"]["lineWidth"]["options"]["field"]["name"] = "max_of_event.risk_score"


@mutation("kibana", POINTS, "tooltipProperties: users is not mapped in alerts")
def tooltip_without_its_field(copy):
    with copy.inside(POINTS, "layerListJSON") as layers:
        layers[1]["sourceDescriptor"]["tooltipProperties"].append("users")


@mutation("kibana", SEARCH, "columns[0]: rule.title is not mapped in alerts")
def search_column_without_its_field(copy):
    copy[SEARCH]["attributes"]["columns"][0] = "rule.title"


@mutation("kibana", SEARCH, "message is mapped to text in alerts; needed: something to sort by")
def search_sorted_by_a_text(copy):
    copy[SEARCH]["attributes"]["sort"] = [["message", "asc"]]


@mutation("kibana", CHART, "needs a time, and pluginhost-alerts has no timeFieldName")
def view_without_its_time(copy):
    del copy[ALERTS]["attributes"]["timeFieldName"]


@mutation("kibana", "index-pattern/pluginhost-scores", "'metrics-pluginhost.score-*' is none of our indices")
def view_of_no_index_of_ours(copy):
    copy["index-pattern/pluginhost-scores"]["attributes"]["title"] = "metrics-pluginhost.score-*"


@mutation("kibana", ALERTS, "event.link is not mapped in alerts")
def format_of_a_field_that_is_not_there(copy):
    with copy.inside(ALERTS, "fieldFormatMap") as formats:
        formats["event.link"] = formats.pop("event.url")


@mutation("kibana", SEARCH, "user.naem is not mapped in alerts")
def filter_of_an_unmapped_field(copy):
    with copy.inside(SEARCH, *SOURCE) as source:
        source["filter"] = [{"meta": {}, "query": {"match_phrase": {"user.naem": "root"}}}]


@mutation("kibana", "index-pattern/pluginhost-alert-states-all", "timeFieldName: is that of index-pattern/pluginhost-alert-states")
def two_views_of_the_same(copy):
    del copy["index-pattern/pluginhost-alert-states"]["attributes"]["timeFieldName"]


@mutation("kibana", POINTS, "is dynamic, and by no field")
def style_by_no_field(copy):
    with copy.inside(POINTS, "layerListJSON") as layers:
        next(one for one in layers[1]["style"]["properties"].values() if one.get("type") == "DYNAMIC")["options"].pop("field")


@mutation("kibana", PATHS, "pluginhost.travel.from.location is mapped to geo_point in alerts; needed: number or date")
def path_by_the_maximum_of_a_place(copy):
    with copy.inside(PATHS, "layerListJSON") as layers:
        layers[1]["sourceDescriptor"]["metrics"][0]["field"] = "pluginhost.travel.from.location"



# Dashboards.

@mutation("kibana", BOARD, "overlaps panelsJSON[1].gridData")
def panels_over_each_other(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[2]["gridData"]["x"] -= 1


@mutation("kibana", BOARD, "ends at column 49 of 48")
def panel_off_the_grid(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[5]["gridData"]["w"] += 1


@mutation("kibana", BOARD, "nothing stands at column 47 of row 3")
def gap_at_the_right(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[5]["gridData"]["w"] -= 1


@mutation("kibana", BOARD, "gridData.i: is 'other', the panel's own panelIndex 'alerts'")
def place_of_another_panel(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[1]["gridData"]["i"] = "other"


@mutation("kibana", BOARD, "9.9.0 is newer than 8.9.0, the newest of Kibana 8.9")
def panel_too_new(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[1]["version"] = "9.9.0"


@mutation("classic", BOARD, "visualization/pluginhost-panel-alerts is shown 2 times")
def panel_shown_twice(copy):
    by_id = {one["id"]: one for one in copy[BOARD]["references"]}
    by_id["pluginhost-panel-grave"]["id"] = "pluginhost-panel-alerts"


@mutation("kibana", BOARD, "message is mapped to text in alerts; needed: values to choose from")
def control_of_a_text(copy):
    with copy.inside(BOARD, "controlGroupInput", "panelsJSON") as controls:
        next(iter(controls.values()))["explicitInput"]["fieldName"] = "message"


@mutation("kibana", BOARD, "invalid enum value 'checkBox'")
def control_of_an_unknown_kind(copy):
    with copy.inside(BOARD, "controlGroupInput", "panelsJSON") as controls:
        next(iter(controls.values()))["type"] = "checkBox"


@mutation("kibana", BOARD, "the controls' order is [0, 0, 2, 3, 4]")
def controls_in_the_same_place(copy):
    with copy.inside(BOARD, "controlGroupInput", "panelsJSON") as controls:
        sorted(controls.values(), key=lambda one: one["order"])[1]["order"] = 0


@mutation("kibana", BOARD, "2 controls are for log.level")
def two_controls_of_one_field(copy):
    with copy.inside(BOARD, "controlGroupInput", "panelsJSON") as controls:
        for one in list(controls.values())[:2]:
            one["explicitInput"]["fieldName"] = "log.level"


@mutation("kibana", BOARD, "explicitInput.id: is 'other'")
def control_with_the_id_of_another(copy):
    with copy.inside(BOARD, "controlGroupInput", "panelsJSON") as controls:
        next(iter(controls.values()))["explicitInput"]["id"] = "other"


@mutation("kibana", BOARD, "2 panels have the panelIndex 'alerts'")
def panels_of_one_index(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[2]["panelIndex"] = "alerts"


@mutation("kibana", BOARD, "there is no timeFrom and timeTo to restore")
def time_that_is_not_given(copy):
    del copy[BOARD]["attributes"]["timeFrom"]


@mutation("kibana", BOARD, "nothing stands above row 1000")
def panel_far_below(copy):
    with copy.inside(BOARD, "panelsJSON") as panels:
        panels[-1]["gridData"]["y"] = 1000
