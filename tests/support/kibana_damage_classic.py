"""Damage to classic visualizations and their Vega specifications: see `kibana_copies`."""

from __future__ import annotations

from collections.abc import Callable

from kibana_copies import OLD, Copy, Mutation, into

MUTATIONS: list[Mutation] = []
mutation = into(MUTATIONS)


@mutation("classic", f"{OLD}severity", "a pie has no 'bucket'")
def role_that_the_visualization_has_not(copy):
    with copy.inside(f"{OLD}severity", "visState") as state:
        state["aggs"][1]["schema"] = "bucket"


@mutation("classic", f"{OLD}severity", "'metric' of a pie is one of cardinality, count, sum, not max")
def pie_of_a_maximum(copy):
    with copy.inside(f"{OLD}severity", "visState") as state:
        state["aggs"][0] |= {"type": "max", "params": {"field": "event.risk_score"}}


@mutation("classic", f"{OLD}top-users", "there is no number '9'")
def ordered_by_a_missing_aggregation(copy):
    with copy.inside(f"{OLD}top-users", "visState") as state:
        next(one for one in state["aggs"] if one["type"] == "terms")["params"]["orderBy"] = "9"


@mutation("classic", f"{OLD}slowest", "'1' is one number, not several")
def ordered_by_a_percentile_that_is_not_asked_for(copy):
    with copy.inside(f"{OLD}slowest", "visState") as state:
        next(one for one in state["aggs"] if one["type"] == "terms")["params"]["orderBy"] = "1.95"


@mutation("classic", f"{OLD}top-users", "2 have the id '1'")
def aggregations_of_one_id(copy):
    with copy.inside(f"{OLD}top-users", "visState") as state:
        state["aggs"][1]["id"] = "1"


@mutation("classic", f"{OLD}alerts", "missing required field `field`")
def metric_without_field(copy):
    with copy.inside(f"{OLD}alerts", "visState") as state:
        del state["aggs"][0]["params"]["field"]


@mutation("classic", f"{OLD}per-hour", "missing required field `useNormalizedOpenSearchInterval`")
def interval_for_one_product_alone(copy):
    with copy.inside(f"{OLD}per-hour", "visState") as state:
        (agg,) = (one for one in state["aggs"] if one["type"] == "date_histogram")
        del agg["params"]["useNormalizedOpenSearchInterval"]


@mutation("classic", f"{OLD}waiting", "seriesParams: are of ['1'], the numbers are ['1', '2']")
def number_without_its_series(copy):
    with copy.inside(f"{OLD}waiting", "visState") as state:
        state["params"]["seriesParams"].pop()


@mutation("classic", f"{OLD}per-hour", "there is no axis 'ValueAxis-9'")
def series_on_a_missing_axis(copy):
    with copy.inside(f"{OLD}per-hour", "visState") as state:
        state["params"]["seriesParams"][0]["valueAxis"] = "ValueAxis-9"


@mutation("classic", f"{OLD}navigation", "tile_map is none of table")
def visualization_that_not_all_have(copy):
    with copy.inside(f"{OLD}navigation", "visState") as state:
        state["type"] = "tile_map"


def vega(copy: Copy, name: str, change: Callable[[str], str]) -> None:
    with copy.inside(name, "visState") as state:
        before = state["params"]["spec"]
        state["params"]["spec"] = change(before)
        assert state["params"]["spec"] != before


@mutation("classic", f"{OLD}source-map", "'logs-pluginhost-*' is none of ours")
def vega_of_a_wrong_index(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace("logs-pluginhost.alerts-*", "logs-pluginhost-*"))


@mutation("classic", f"{OLD}source-map", "source.geo is not mapped in alerts")
def vega_of_a_field_that_is_not_there(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"source.geo.location"', '"source.geo"'))


@mutation("classic", f"{OLD}source-map", "the dashboard's filters do not reach it")
def vega_without_the_dashboards_filters(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace("%dashboard_context-filter_clause%", "%dashboard_context%"))


@mutation("classic", f"{OLD}source-map", "is no JSON, or no object")
def vega_that_cannot_be_read(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.rstrip()[:-1])


@mutation("classic", f"{OLD}source-map", "both products refuse that")
def vega_with_context_beside_its_query(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"url": {', '"url": {"%context%": true,', 1))


@mutation("classic", f"{OLD}source-map", "%context%: the dashboard's filters do not reach it")
def vega_without_query_and_context(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"query": {', '"aggregations": {', 1))


@mutation("classic", f"{OLD}source-map", "%timefield%: rule.id is mapped to keyword in alerts; needed: date")
def vega_by_a_time_that_is_none(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"url": {', '"url": {"%timefield%": "rule.id",', 1))


@mutation("classic", f"{OLD}source-map", "is none of Vega's or Vega-Lite's")
def vega_without_its_schema(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace("$schema", "schema", 1))


@mutation("classic", f"{OLD}source-map", "asks nothing of the cluster")
def vega_that_asks_nothing(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"url": {', '"values": {'))


@mutation("classic", f"{OLD}source-map", "-1 is not between 0 and 10,000")
def vega_of_a_negative_size(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"size": 0', '"size": -1', 1))


@mutation("classic", f"{OLD}source-map", "no aggregation that we know: geohex")
def vega_with_an_aggregation_of_one_product(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"geotile_grid"', '"geohex"', 1))


@mutation("classic", f"{OLD}source-map", "no query that we know: rnage")
def vega_with_a_query_that_is_none(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace('"range"', '"rnage"', 1))


@mutation("classic", f"{OLD}severity", "terms is no metric, which 'metric' of a pie is")
def values_in_the_place_of_a_number(copy):
    with copy.inside(f"{OLD}severity", "visState") as state:
        state["aggs"][1]["schema"] = "metric"


@mutation("classic", f"{OLD}per-hour", "a line has 0 to 1 of 'segment', here are 2")
def two_axes_of_time(copy):
    with copy.inside(f"{OLD}per-hour", "visState") as state:
        state["aggs"].append(state["aggs"][-1] | {"id": "9"})


@mutation("classic", f"{OLD}slowest", "'1' is several numbers, none of them '50'")
def ordered_by_another_percentile(copy):
    with copy.inside(f"{OLD}slowest", "visState") as state:
        state["aggs"][0]["type"] = "percentiles"
        state["aggs"][0]["params"]["percents"] = [95]


@mutation("classic", f"{OLD}per-hour", "needs a time, and pluginhost-alert-states-all has no timeFieldName")
def time_of_a_view_that_has_none(copy):
    copy[f"{OLD}per-hour"]["references"][0]["id"] = "pluginhost-alert-states-all"


@mutation("classic", f"{OLD}per-hour", "categoryAxes: there is none")
def chart_without_its_axis(copy):
    with copy.inside(f"{OLD}per-hour", "visState") as state:
        state["params"]["categoryAxes"] = []


@mutation("classic", f"{OLD}navigation", "markdown: is no text")
def text_that_is_none(copy):
    with copy.inside(f"{OLD}navigation", "visState") as state:
        state["params"]["markdown"] = 7


@mutation("classic", f"{OLD}overview-controls", "message is mapped to text in alerts; needed: values to choose from")
def classic_control_of_a_text(copy):
    with copy.inside(f"{OLD}overview-controls", "visState") as state:
        state["params"]["controls"][0]["fieldName"] = "message"


@mutation("classic", f"{OLD}source-map", "the dashboard's time does not reach it: no %timefilter%")
def vega_without_the_dashboards_time(copy):
    vega(copy, f"{OLD}source-map", lambda spec: spec.replace("%timefilter%", "gte"))
