"""Damage to Lens visualizations: see `kibana_copies`."""

from __future__ import annotations

from kibana_copies import CHART, COUNT, DONUT, NUMBER, RISK, TABLE, TWO, USER, Mutation, into

MUTATIONS: list[Mutation] = []
mutation = into(MUTATIONS)


@mutation("kibana", TABLE, "there is no column 'gone'")
def ordered_by_a_missing_column(copy):
    copy.layer(TABLE)["columns"][USER]["params"]["orderBy"]["columnId"] = "gone"


@mutation("kibana", TABLE, "'layer1-by-1' is no number")
def ordered_by_itself(copy):
    copy.layer(TABLE)["columns"][USER]["params"]["orderBy"]["columnId"] = USER


@mutation("kibana", CHART, "there is no column 'gone'")
def accessor_without_its_column(copy):
    copy.chart(CHART)["layers"][0]["accessors"] = ["gone"]


@mutation("kibana", TABLE, "the column layer1-metric-2 is used by nothing")
def column_that_nobody_sees(copy):
    columns = copy.chart(TABLE)["columns"]
    columns[:] = [one for one in columns if one["columnId"] != COUNT]


@mutation("kibana", TABLE, "columnOrder: has layer1-by-1, layer1-metric-1; the columns are")
def order_without_a_column(copy):
    del copy.layer(TABLE)["columnOrder"][2:]


@mutation("kibana", TABLE, "a number stands before what documents are told apart by")
def number_before_what_it_counts(copy):
    copy.layer(TABLE)["columnOrder"].reverse()


@mutation("kibana", TABLE, "invalid value 'mode'")
def operation_that_lens_has_not(copy):
    copy.layer(TABLE)["columns"][RISK]["operationType"] = "mode"


@mutation("kibana", TABLE, "user.name is mapped to keyword in alerts; needed: number")
def average_of_a_keyword(copy):
    copy.layer(TABLE)["columns"][RISK] |= {"operationType": "average", "sourceField": "user.name"}


@mutation("kibana", TABLE, "message is mapped to text in alerts; needed: values")
def values_of_a_text(copy):
    copy.layer(TABLE)["columns"][USER]["sourceField"] = "message"


@mutation("kibana", TABLE, "user.nmae is not mapped in alerts")
def field_renamed(copy):
    copy.layer(TABLE)["columns"][USER]["sourceField"] = "user.nmae"


@mutation("kibana", CHART, "rule.id is mapped to keyword in alerts; needed: date")
def time_by_a_keyword(copy):
    copy.layer(CHART)["columns"][copy.chart(CHART)["layers"][0]["xAccessor"]]["sourceField"] = "rule.id"


@mutation("kibana", TABLE, "dataType: is number, that of user.name is string")
def type_that_its_field_has_not(copy):
    copy.layer(TABLE)["columns"][USER]["dataType"] = "number"


@mutation("kibana", TABLE, "isBucketed: is false, which terms is not")
def values_that_are_no_buckets(copy):
    copy.layer(TABLE)["columns"][USER]["isBucketed"] = False


@mutation("kibana", TABLE, "invalid enum value 'ratio'")
def scale_of_another_operation(copy):
    copy.layer(TABLE)["columns"][USER]["scale"] = "ratio"


@mutation("kibana", TABLE, "expected `int` >= 1")
def negative_size(copy):
    copy.layer(TABLE)["columns"][USER]["params"]["size"] = -10


@mutation("kibana", TABLE, "missing required field `orderBy`")
def values_without_order(copy):
    del copy.layer(TABLE)["columns"][USER]["params"]["orderBy"]


@mutation("kibana", TABLE, "missing required field `sourceField`")
def number_without_field(copy):
    del copy.layer(TABLE)["columns"][RISK]["sourceField"]


@mutation("kibana", TABLE, "invalid enum value 'duration'")
def format_that_came_later(copy):
    copy.layer(TABLE)["columns"][RISK]["params"]["format"]["id"] = "duration"


@mutation("kibana", TABLE, "timeShift: expected `str` matching regex")
def time_shift_that_is_none(copy):
    copy.layer(TABLE)["columns"][RISK]["timeShift"] = "a week"


@mutation("kibana", TWO, "2 layers have the layerId 'layer1'")
def two_layers_of_one_id(copy):
    copy.chart(TWO)["layers"][1]["layerId"] = "layer1"


@mutation("kibana", TWO, "forAccessor 'gone' is none of the accessors")
def axis_of_a_series_that_is_not_there(copy):
    copy.chart(TWO)["layers"][1]["yConfig"][0]["forAccessor"] = "gone"


@mutation("kibana", DONUT, "unknown field `shape`")
def state_of_another_chart(copy):
    copy[DONUT]["attributes"]["visualizationType"] = "lnsXY"


@mutation("kibana", NUMBER, "user.naem is not mapped in alerts")
def condition_with_an_unmapped_field(copy):
    copy[NUMBER]["attributes"]["state"]["query"]["query"] += " and user.naem: root"


@mutation("kibana", NUMBER, "cannot be read as KQL")
def condition_that_cannot_be_read(copy):
    copy[NUMBER]["attributes"]["state"]["query"]["query"] += " and ("


@mutation("kibana", NUMBER, "message is mapped to text in alerts; needed: something to compare")
def condition_with_a_range_of_texts(copy):
    copy[NUMBER]["attributes"]["state"]["query"]["query"] = "message > 3"


@mutation("kibana", NUMBER, "event.severity is a number, 'high' is none")
def condition_with_a_word_for_a_number(copy):
    copy[NUMBER]["attributes"]["state"]["query"]["query"] = "event.severity: high"


@mutation("kibana", TWO, "pluginhost.state.status is not mapped in scores")
def condition_on_fields_of_another_view(copy):
    copy.layer(TWO)["columns"][RISK]["filter"]["query"] = "pluginhost.state.status: open"


@mutation("kibana", TABLE, "a count is of ___records___, not of user.name")
def count_of_a_field(copy):
    copy.layer(TABLE)["columns"][COUNT]["sourceField"] = "user.name"


@mutation("kibana", NUMBER, "columns: there are none")
def layer_without_columns(copy):
    copy.layer(NUMBER).update(columns={}, columnOrder=[])


@mutation("kibana", NUMBER, "there is no layer 'gone'")
def chart_of_a_missing_layer(copy):
    copy.chart(NUMBER)["layerId"] = "gone"


@mutation("kibana", TWO, "nothing is drawn of the layer layer2")
def layer_that_nobody_sees(copy):
    copy.chart(TWO)["layers"].pop()


@mutation("kibana", TABLE, "a percentile with a fraction cannot be ordered by")
def ordered_by_a_percentile_with_a_fraction(copy):
    copy.layer(TABLE)["columns"][RISK] |= {"operationType": "percentile", "params": {"percentile": 97.5}}


@mutation("kibana", TABLE, "is date, sum gives a number")
def sum_that_is_a_date(copy):
    copy.layer(TABLE)["columns"][RISK] |= {"operationType": "sum", "dataType": "date"}


@mutation("kibana", CHART, "is a number, nothing that documents are told apart by")
def split_by_a_number(copy):
    layer = copy.chart(CHART)["layers"][0]
    layer["splitAccessor"] = layer["accessors"][0]


@mutation("kibana", CHART, "layer1-by-1 is no number")
def bars_of_the_time(copy):
    layer = copy.chart(CHART)["layers"][0]
    layer["accessors"].append(layer["xAccessor"])


@mutation("kibana", DONUT, "layer1-by-1 is no number")
def shares_of_no_number(copy):
    layer = copy.chart(DONUT)["layers"][0]
    layer["metrics"] = layer["primaryGroups"]


@mutation("kibana", TABLE, "sorting.columnId: there is no column 'gone'")
def sorted_by_a_missing_column(copy):
    copy.chart(TABLE)["sorting"]["columnId"] = "gone"


@mutation("kibana", DONUT, "visualizationType: 'lnsGauge' is none of lnsXY")
def chart_that_is_none_of_ours(copy):
    copy[DONUT]["attributes"]["visualizationType"] = "lnsGauge"


@mutation("kibana", NUMBER, "metricAccessor: layer1-by-1 is no number")
def number_that_is_a_time(copy):
    copy.layer(NUMBER)["columns"]["layer1-by-1"] = copy.layer(CHART)["columns"]["layer1-by-1"]
    copy.chart(NUMBER)["metricAccessor"] = "layer1-by-1"
