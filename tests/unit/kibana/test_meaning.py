"""Saved objects as the requests that a product would send, and the replies as what it would show: small objects, written out."""

from __future__ import annotations

import json

import pytest

from kibana.proof.intervals import Span, calendar, histogram, iso, opened, vega_interval
from kibana.proof.meaning import opening, questions
from kibana.proof.setting import MeaningError

NOW = 1_772_236_800_000  # 2026-02-28T00:00:00Z
DAY = 86_400_000
SPAN = Span(NOW - DAY, NOW)
TIME = {"range": {"@timestamp": {"gte": "2026-02-27T00:00:00.000Z", "lte": "2026-02-28T00:00:00.000Z",
                                 "format": "strict_date_optional_time"}}}  # fmt: skip
VIEW = {"type": "index-pattern", "id": "v", "references": [], "attributes": {
    "title": "logs-pluginhost.alerts-*", "timeFieldName": "@timestamp",
    "fieldFormatMap": '{"pluginhost.alert.lag":{"id":"duration"}}'}}  # fmt: skip
NOTHING = {"query": "", "language": "kuery"}


def asked(*objects, product="kibana", panels=("p",), span=SPAN, **attributes):
    """What is asked for a dashboard with these panels; `objects` are beside the data view."""
    kind = {one["id"]: one["type"] for one in objects}
    placed = [{"panelIndex": one, "panelRefName": f"panel_{one}"} for one in panels]
    dashboard = {"type": "dashboard", "id": "d", "references": [{"name": f"panel_{one}", "type": kind[one], "id": one} for one in panels],
                 "attributes": {"timeFrom": "now-24h", "timeTo": "now", **attributes, "panelsJSON": json.dumps(placed)}}  # fmt: skip
    return questions([VIEW, *objects, dashboard], product, {"d": span})


def query(*conditions):
    return {"bool": {"must": [], "filter": [*conditions, TIME], "should": [], "must_not": []}}


def only(query):
    return {"bool": {"should": [query], "minimum_should_match": 1}}


def bucket(key, count, **inner):
    return {"key": key, "doc_count": count, **inner}


def reply(total=0, **aggregations):
    return {"hits": {"total": {"value": total}, "hits": []}, "aggregations": aggregations}


# Spans and intervals.


def test_a_dashboard_opens_over_the_time_that_it_says():
    assert opening({"attributes": {"timeFrom": "now-7d", "timeTo": "now"}}, NOW) == Span(NOW - 7 * DAY, NOW)
    assert opened("now-15m", "now-1m", NOW) == Span(NOW - 900_000, NOW - 60_000)
    assert iso(NOW + 1) == "2026-02-28T00:00:00.001Z"
    with pytest.raises(ValueError, match="now/d"):
        opened("now/d", "now", NOW)


@pytest.mark.parametrize(("days", "interval", "made"), [
    (1 / 96, "auto", {"fixed_interval": "30s"}), (1, "auto", {"fixed_interval": "30m"}), (7, "auto", {"fixed_interval": "3h"}),
    (28, "auto", {"fixed_interval": "12h"}), (90, "auto", {"calendar_interval": "1d"}), (365, "auto", {"calendar_interval": "1w"}),
    (7, "1h", {"calendar_interval": "1h"}), (14, "1h", {"fixed_interval": "3h"}), (14, "d", {"calendar_interval": "1d"}),
    (400, "1M", {"calendar_interval": "1M"})])  # fmt: skip
def test_bars_of_time(days, interval, made):
    assert histogram("t", interval, Span(0, int(days * DAY))) == {"field": "t", **made, "time_zone": "UTC"}


def test_bars_that_are_not_scaled():
    assert histogram("t", "h", Span(0, 14 * DAY), scaled=False)["calendar_interval"] == "1h"


@pytest.mark.parametrize(("days", "bars", "made"), [(1, True, "30m"), (1, 10, "3h"), (7, True, "3h"), (28, True, "12h"), (365, True, "1w")])
def test_bars_of_vega(days, bars, made):
    assert vega_interval(bars, Span(0, days * DAY)) == made
    assert calendar("24h") == {"fixed_interval": "24h"}


# Lens.


def column(operation, field="___records___", *, bucketed=False, kind="number", params=None, **more):
    return {"label": more.pop("label", operation), "dataType": kind, "operationType": operation, "sourceField": field,
            "isBucketed": bucketed, "params": params or {}, **more}  # fmt: skip


def terms(field, by, size=3, direction="desc", **more):
    order = {"type": "column", "columnId": by} if by else {"type": "alphabetical"}
    params = {"size": size, "orderBy": order, "orderDirection": direction, **more}
    return column("terms", field, bucketed=True, kind="string", params=params)


def lens(kind, shown, columns, where="", **more):
    state = {"query": {"query": where, "language": "kuery"}, "filters": [], "visualization": {"layerId": "l", **shown},
             "datasourceStates": {"formBased": {"layers": {"l": {"columns": columns, "columnOrder": list(columns)}}}}}  # fmt: skip
    return {"type": "lens", "id": "p", "attributes": {"title": "T", "visualizationType": kind, "state": {**state, **more}},
            "references": [{"type": "index-pattern", "id": "v", "name": "indexpattern-datasource-layer-l"}]}  # fmt: skip


def test_a_number_of_all_documents():
    (question,) = asked(lens("lnsMetric", {"metricAccessor": "n"}, {"n": column("count", label="Alerts")}, "log.level: high"))
    where = only({"term": {"log.level": {"value": "high"}}})
    assert question.requests == ({"index": "logs-pluginhost.alerts-*",
                                  "body": {"size": 0, "track_total_hits": True, "query": query(where), "aggs": {}}},)  # fmt: skip
    answer = question.answered([reply(7)])
    assert (answer.object, answer.title, answer.kind, answer.columns, answer.rows) == ("lens/p", "T", "metric", ["Alerts"], [[7]])
    assert answer.asked == list(question.requests)


def test_a_table_ordered_by_a_number_with_a_condition():
    columns = {"r": terms("rule.id", "f"), "u": terms("user.name", None, 2, "asc"),
               "f": column("count", filter={"query": "user.name: root", "language": "kuery"}),
               "p": column("percentile", "pluginhost.alert.lag", params={"percentile": 95}),
               "m": column("max", "@timestamp", kind="date")}  # fmt: skip
    shown = {"columns": [{"columnId": one} for one in columns], "sorting": {"columnId": "f", "direction": "desc"}}
    (question,) = asked(lens("lnsDatatable", shown, columns))
    condition = {"filter": only({"term": {"user.name": {"value": "root"}}})}
    metrics = {"f": condition, "p": {"percentiles": {"field": "pluginhost.alert.lag", "percents": [95]}},
               "m": {"max": {"field": "@timestamp"}}}  # fmt: skip
    users = {"terms": {"field": "user.name", "order": {"_key": "asc"}, "size": 2, "shard_size": 25}, "aggs": metrics}
    assert question.requests[0]["body"]["aggs"] == {"r": {
        "terms": {"field": "rule.id", "order": {"f": "desc"}, "size": 3, "shard_size": 25},
        "aggs": {"f": condition, "u": users}}}  # fmt: skip
    inner = {"p": {"values": {"95.0": 1.5}}, "m": {"value": NOW * 1.0}}
    users = [bucket("a", 5, f={"doc_count": 1}, **inner), bucket("b", 4, f={"doc_count": 3}, **inner)]
    answer = question.answered([reply(9, r={"buckets": [bucket("x", 9, f={"doc_count": 4}, u={"buckets": users})]})])
    assert answer.rows == [["x", "b", 3, 1.5, "2026-02-28T00:00:00.000Z"], ["x", "a", 1, 1.5, "2026-02-28T00:00:00.000Z"]]
    assert answer.units == ["", "", "", "seconds", "date"]


def test_a_chart_over_time():
    time = column("date_histogram", "@timestamp", bucketed=True, kind="date", params={"interval": "1d", "includeEmptyRows": True})
    columns = {"t": time, "n": column("count", label="All"),
               "s": column("sum", "event.risk_score", label="Sum", params={"emptyAsNull": True})}  # fmt: skip
    layer = {"layerId": "l", "layerType": "data", "seriesType": "line", "xAccessor": "t", "accessors": ["n", "s"],
             "yConfig": [{"forAccessor": "s", "axisMode": "right"}]}  # fmt: skip
    (question,) = asked(lens("lnsXY", {"layers": [layer]}, columns))
    assert question.requests[0]["body"]["aggs"]["t"] == {"date_histogram": {
        "field": "@timestamp", "calendar_interval": "1d", "time_zone": "UTC", "min_doc_count": 0,
        "extended_bounds": {"min": SPAN.start, "max": SPAN.end}}, "aggs": {"s": {"sum": {"field": "event.risk_score"}}}}  # fmt: skip
    answer = question.answered([reply(t={"buckets": [bucket(NOW - DAY, 0, s={"value": 0.0}), bucket(NOW, 3, s={"value": 5.0})]})])
    assert answer.x == [iso(NOW - DAY), iso(NOW)]
    assert [(one.label, one.shape, one.values, one.right) for one in answer.series] == [
        ("All", "line", [0, 3], False), ("Sum", "line", [None, 5.0], True)]  # fmt: skip


def test_series_of_values_and_a_donut():
    columns = {"r": terms("rule.id", "n"), "l": terms("log.level", "n"), "n": column("count")}
    found = [reply(r={"buckets": [bucket("x", 3, l={"buckets": [bucket("low", 3)]}),
                                  bucket("y", 2, l={"buckets": [bucket("high", 1), bucket("low", 1)]})]})]  # fmt: skip
    layer = {"layerId": "l", "layerType": "data", "seriesType": "bar_horizontal_stacked", "xAccessor": "r", "splitAccessor": "l",
             "accessors": ["n"]}  # fmt: skip
    (chart,) = asked(lens("lnsXY", {"layers": [layer]}, columns))
    answer = chart.answered(found)
    assert (answer.x, [(one.label, one.shape, one.values) for one in answer.series]) == (
        ["x", "y"], [("low", "bars", [3, 1]), ("high", "bars", [None, 1])])  # fmt: skip
    (donut,) = asked(lens("lnsPie", {"layers": [{"layerId": "l", "primaryGroups": ["r", "l"], "metrics": ["n"]}]}, columns))
    assert donut.answered(found).rows == [["x", "low", 3], ["y", "high", 1], ["y", "low", 1]]


def test_documents_told_apart_by_conditions():
    told = [{"label": label, "input": {"query": text, "language": "kuery"}} for label, text in (("Root", "user.name: root"), ("", "a: 1"))]
    columns = {"f": column("filters", bucketed=True, kind="string", params={"filters": told}), "n": column("count")}
    (new,) = asked(lens("lnsPie", {"layers": [{"layerId": "l", "primaryGroups": ["f"], "metrics": ["n"]}]}, columns))
    (old,) = asked(classic("pie", agg("n", "count"), agg("f", "filters", "segment", filters=told)))
    named = {"Root": only({"term": {"user.name": {"value": "root"}}}), "a: 1": only({"match": {"a": "1"}})}
    found = [reply(f={"buckets": {"Root": {"doc_count": 3}, "a: 1": {"doc_count": 0}}})]
    for one in (new, old):
        assert one.requests[0]["body"]["aggs"] == {"f": {"filters": {"filters": named}}}
        assert one.answered(found).rows == [["Root", 3], ["a: 1", 0]]


@pytest.mark.parametrize(("kind", "columns", "more"), [
    ("lnsMetric", {"n": column("count")}, {"filters": [{"meta": {}}]}),
    ("lnsMetric", {"n": column("last_value", "user.name")}, {}),
    ("lnsMetric", {"n": column("count", reducedTimeRange="1d")}, {}),
    ("lnsMetric", {"r": terms("rule.id", "n"), "n": column("count")}, {}),
    ("lnsMetric", {"r": terms("rule.id", "n", otherBucket=True), "n": column("count")}, {}),
    ("lnsMetric", {"n": column("count", timeShift="1w")}, {}),
    ("lnsHeatmap", {"n": column("count")}, {}),
])  # fmt: skip
def test_what_is_not_understood_is_refused(kind, columns, more):
    with pytest.raises(MeaningError):
        asked(lens(kind, {"metricAccessor": "n"}, columns, **more))[0].answered([reply(1, r={"buckets": []})])


# Searches, controls, texts.


def of_source(type_, where="", references=(), **attributes):
    source = {"query": {"query": where, "language": "kuery"}, "filter": [], "indexRefName": "i"}
    return {"type": type_, "id": "p", "references": [{"name": "i", "type": "index-pattern", "id": "v"}, *references],
            "attributes": {"title": "T", "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps(source)}, **attributes}}  # fmt: skip


def test_a_search_shows_its_columns_after_the_time():
    (question,) = asked(of_source("search", "user.name: *", columns=["tags", "user.name"], sort=[["@timestamp", "desc"]]))
    assert question.requests[0]["body"] == {
        "size": 500, "track_total_hits": True, "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}], "_source": False,
        "fields": ["@timestamp", "tags", "user.name"], "query": query(only({"exists": {"field": "user.name"}}))}  # fmt: skip
    hits = [{"fields": {"@timestamp": ["2026-02-27T00:00:00.000Z"], "tags": ["a", "b"]}}] * 101
    answer = question.answered([{"hits": {"total": {"value": 101}, "hits": hits}}])
    assert (answer.units, len(answer.rows), answer.rows[0]) == (["date", "", ""], 100, ["2026-02-27T00:00:00.000Z", "a, b", None])


def test_controls_of_both_kinds():
    group = {"c": {"type": "optionsListControl", "explicitInput": {"fieldName": "user.name", "title": "User"}}}
    text = {"type": "visualization", "id": "p", "references": [],
            "attributes": {"title": "T", "visState": '{"type":"markdown","params":{"markdown":"*x*"}}'}}  # fmt: skip
    params = {"useTimeFilter": True, "controls": [{"type": "list", "fieldName": "user.name", "label": "User", "indexPatternRefName": "i",
                                                   "options": {"size": 100}}]}  # fmt: skip
    old = of_source("visualization", visState=json.dumps({"type": "input_control_vis", "params": params}))
    dashboard = {"type": "dashboard", "id": "d", "attributes": {"controlGroupInput": {"panelsJSON": json.dumps(group)}, "panelsJSON": "[]"},
                 "references": [{"name": "controlGroup_c:optionsListDataView", "type": "index-pattern", "id": "v"}]}  # fmt: skip
    (new,) = questions([VIEW, dashboard], "kibana", {"d": SPAN})
    (other,) = asked(old, product="dashboards")
    assert [one.requests[0]["body"]["aggs"]["user.name"]["terms"] for one in (new, other)] == [
        {"field": "user.name", "order": {"_count": "desc"}, "size": 10, "shard_size": 25},
        {"field": "user.name", "order": {"_count": "desc"}, "size": 100}]  # fmt: skip
    assert new.answered([reply(**{"user.name": {"buckets": [bucket("root", 3)]}})]).rows == [["root", 3]]
    assert new.object == other.object == "control/d/user.name"
    (said,) = asked(text)
    assert (said.requests, said.answered([]).text) == ((), "*x*")


# Maps.


def layered(*layers):
    return {"type": "map", "id": "p", "references": [{"name": "v", "type": "index-pattern", "id": "v"}],
            "attributes": {"title": "T", "mapStateJSON": json.dumps({"query": NOTHING}), "layerListJSON": json.dumps(layers)}}  # fmt: skip


def test_a_map_of_paths_and_documents():
    colour = {"fillColor": {"type": "DYNAMIC", "options": {"field": {"name": "event.risk_score", "origin": "source"}}}}
    documents = {"label": "Ends", "query": NOTHING, "style": {"properties": colour}, "sourceDescriptor": {
        "type": "ES_SEARCH", "indexPatternRefName": "v", "geoField": "source.geo.location", "scalingType": "LIMIT",
        "tooltipProperties": ["rule.id"], "applyGlobalQuery": True, "applyGlobalTime": True}}  # fmt: skip
    lines = {"label": "Ways", "query": NOTHING, "style": {"properties": {}}, "sourceDescriptor": {
        "type": "ES_PEW_PEW", "indexPatternRefName": "v", "sourceGeoField": "a", "destGeoField": "b",
        "metrics": [{"type": "max", "field": "event.risk_score"}]}}  # fmt: skip
    ways, ends = asked(layered({"sourceDescriptor": {"type": "EMS_TMS"}}, documents, lines))
    assert (ways.object, ends.object) == ("map/p", "map/p/1")
    grid = ways.requests[0]["body"]["aggs"]["to"]
    assert (grid["geotile_grid"], grid["aggs"]["from"]["geotile_grid"]) == (
        {"field": "b", "precision": 29, "size": 100}, {"field": "a", "precision": 29, "size": 500})  # fmt: skip
    near = bucket("k", 2, at={"location": {"lon": 1.0, "lat": 2.0}}, **{"max_of_event.risk_score": {"value": 73.0}})
    far = bucket("k", 2, at={"location": {"lon": 3.0, "lat": 4.0}}, **{"from": {"buckets": [near]}})
    assert ways.answered([reply(to={"buckets": [far]})]).points == [[1.0, 2.0, 3.0, 4.0, 73.0]]
    body = ends.requests[0]["body"]
    assert (body["size"], body["fields"]) == (10_000, ["source.geo.location", "rule.id", "event.risk_score"])
    hit = {"fields": {"source.geo.location": [{"type": "Point", "coordinates": [4.9, 52.4]}], "event.risk_score": [47.0]}}
    assert ends.answered([{"hits": {"hits": [hit]}}]).points == [[4.9, 52.4, 47.0]]


# Classic visualizations and Vega.


def agg(id_, kind, schema="metric", **params):
    return {"id": id_, "enabled": True, "type": kind, "schema": schema, "params": params}


def classic(kind, *aggs, where="", opens=None):
    state = {"type": kind, "aggs": aggs, "params": {}}
    return of_source("visualization", where, visState=json.dumps(state), uiStateJSON=json.dumps(opens or {}))


def test_a_classic_table_opens_sorted_and_asks_no_keyword():
    split = agg("2", "terms", "bucket", field="rule.id", orderBy="1.50", order="desc", size=10, customLabel="Rule")
    sort = {"vis": {"sortColumn": {"colIndex": 1, "direction": "asc"}, "params": {"sort": {"columnIndex": 1, "direction": "asc"}}}}
    table = classic("table", agg("1", "median", field="event.risk_score", customLabel="Median"), split, where="rule.id: w*", opens=sort)
    (question,) = asked(table, product="dashboards")
    body = question.requests[0]["body"]
    assert body["query"] == query(only({"query_string": {"fields": ["rule.id"], "query": "w*"}}))
    assert body["aggs"]["2"]["terms"]["order"] == {"1.50": "desc"}
    found = [bucket(key, 1, **{"1": {"values": {"50.0": value}}}) for key, value in (("a", 9.0), ("b", 2.0))]
    answer = question.answered([reply(**{"2": {"buckets": found}})])
    assert (answer.columns, answer.rows) == (["Rule", "Median"], [["b", 2.0], ["a", 9.0]])


@pytest.mark.parametrize("order", ["1", "7", "1.95"])
def test_an_order_that_the_server_would_refuse_is_refused(order):
    split = agg("2", "terms", "bucket", field="rule.id", orderBy=order, order="desc", size=10)
    with pytest.raises(MeaningError, match="ordered by"):
        asked(classic("table", agg("1", "median", field="event.risk_score"), split))


def test_a_classic_chart():
    time = agg("3", "date_histogram", "segment", field="@timestamp", interval="auto", useNormalizedEsInterval=True,
               useNormalizedOpenSearchInterval=True, drop_partials=False, min_doc_count=1, extended_bounds={})  # fmt: skip
    split = agg("2", "terms", "group", field="rule.id", orderBy="1", order="desc", size=12)
    (question,) = asked(classic("histogram", agg("1", "count"), split, time))
    body = question.requests[0]["body"]["aggs"]["2"]
    assert body["terms"] == {"field": "rule.id", "order": {"_count": "desc"}, "size": 12}
    assert body["aggs"]["3"]["date_histogram"]["fixed_interval"] == "30m"
    answer = question.answered([reply(**{"2": {"buckets": [bucket("x", 2, **{"3": {"buckets": [bucket(NOW, 2)]}})]}})])
    assert (answer.x, [(one.label, one.shape, one.values) for one in answer.series]) == ([iso(NOW)], [("x", "bar", [2])])


def vega(spec):
    return {"type": "visualization", "id": "p", "references": [],
            "attributes": {"title": "T", "visState": json.dumps({"type": "vega", "params": {"spec": json.dumps(spec)}})}}  # fmt: skip


def url(aggs, **time):
    within = ["%dashboard_context-filter_clause%", {"range": {"@timestamp": time}}]
    clauses = {"must": ["%dashboard_context-must_clause%"], "filter": within}
    return {"index": "x", "body": {"size": 0, "query": {"bool": clauses}, "aggs": aggs}}


@pytest.mark.parametrize(("product", "interval"), [("kibana", {"fixed_interval": "30m"}), ("dashboards", {"interval": "30m"})])
def test_placeholders_of_vega_are_filled_in_as_each_product_does(product, interval):
    data = {"url": url({"t": {"date_histogram": {"field": "@timestamp", "interval": {"%autointerval%": True}}}}, **{"%timefilter%": True}),
            "format": {"property": "aggregations.t.buckets"}}  # fmt: skip
    layer = {"data": data, "transform": [{"calculate": "datum.m0.value", "as": "Score"}, {"fold": ["Score"], "as": ["series", "value"]}],
             "mark": {"type": "line"}, "encoding": {"x": {"field": "key"}, "y": {"axis": {"orient": "right"}}}}  # fmt: skip
    (question,) = asked(vega({"layer": [layer]}), product=product)
    assert question.requests[0]["body"] == {
        "size": 0, "aggs": {"t": {"date_histogram": {"field": "@timestamp", **interval}}},
        "query": {"bool": {"must": [], "filter": [TIME]}}}  # fmt: skip
    answer = question.answered([reply(t={"buckets": [bucket(NOW, 1, m0={"value": 2.5})]})])
    assert (answer.x, [(one.label, one.values, one.right) for one in answer.series]) == ([iso(NOW)], [("Score", [2.5], True)])


def test_a_table_of_vega_counts_from_the_end_of_the_span():
    counted = {"filter": {"range": {"@timestamp": {"gte": "now-7d"}}}}
    data = {"name": "rows", "url": url({"rows": {"terms": {"field": "rule.id"}, "aggs": {"m0": counted}}}, **{"%timefilter%": True}),
            "format": {"property": "aggregations.rows.buckets"}}  # fmt: skip
    texts = [("head", "'Rule'"), ("head", "'New'"), ("rows", "datum.key"), ("rows", "format(datum.m0.doc_count, ',.0f')")]
    marks = [{"type": "text", "from": {"data": name}, "encode": {"update": {"text": {"signal": text}}}} for name, text in texts]
    (question,) = asked(vega({"data": [data, {"name": "head", "values": [{}]}], "marks": marks}))
    moment = question.requests[0]["body"]["aggs"]["rows"]["aggs"]["m0"]["filter"]["range"]["@timestamp"]["gte"]
    assert moment == "2026-02-28T00:00:00.000Z||-7d"
    answer = question.answered([reply(rows={"buckets": [bucket("x", 4, m0={"doc_count": 3})]})])
    assert (answer.columns, answer.rows) == (["Rule", "New"], [["x", 3]])
