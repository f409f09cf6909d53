"""What stands in Kibana, and what should be done about it, asked of a server that keeps the API's rules."""

from __future__ import annotations

from functools import partial

import pytest
from kibana_server import kibana_server
from reviewing import few, made, stored, with_server

from pluginhost.outputs.cluster import Answered
from pluginhost.review.steps import steps


def looked(api, objects, **section):
    found = with_server(api, lambda server: steps(server, objects), **section)
    return [(one.state, one.id.removeprefix("pluginhost-"), one.why) for one in found]


@pytest.fixture
def api():
    with kibana_server(key="k3y-of-tests") as one:
        yield one


def test_where_nothing_stands_all_is_to_be_made(api):
    assert looked(api, few()) == [("create", "alerts", ""), *(("create", name, "version 1") for name in (
        "panel-latest", "panel-one", "panel-two", "overview"))]  # fmt: skip
    (asked,) = [one for one in api.received if one.method == "POST"]
    assert asked.path == "/api/saved_objects/_bulk_get"
    assert api.counts == {"POST /api/saved_objects/_bulk_get": 1}


def test_the_same_version_is_left_as_it_is_whatever_else_was_changed(api):
    api.objects["default"] = stored(few())
    api.objects["default"]["lens", "pluginhost-panel-one"]["attributes"]["title"] = "Another title"
    assert {state for state, _, _ in looked(api, few())} == {"ok"}


def test_what_is_older_is_brought_up_to_date_and_what_is_newer_left(api):
    api.objects["default"] = stored(few(2))
    api.objects["default"]["lens", "pluginhost-panel-one"]["attributes"]["description"] = "A chart. (pluginhost 1)"
    api.objects["default"]["dashboard", "pluginhost-overview"]["attributes"]["description"] = "(pluginhost 13)"
    found = looked(api, few(2))
    assert ("update", "panel-one", "from version 1 to 2") in found
    assert ("leave", "overview", "it is newer (13) than ours (2)") in found
    assert ("ok", "panel-two", "version 2") in found


@pytest.mark.parametrize("description", [None, "", "mine", "(pluginhost 1) and mine", "x(pluginhost 1)", "(pluginhost one)",
                                         "(pluginhost 1)\n", ["(pluginhost 1)"], 1, {"a": 1}])  # fmt: skip
def test_what_has_not_our_mark_is_somebody_elses(api, description):
    api.objects["default"] = stored(few())
    api.objects["default"]["dashboard", "pluginhost-overview"]["attributes"]["description"] = description
    assert looked(api, few())[-1] == ("leave", "overview", "it is not pluginhost's")


def test_a_data_view_is_known_by_its_pattern(api):
    api.objects["default"] = stored(few())
    api.objects["default"]["index-pattern", "pluginhost-alerts"]["attributes"]["title"] = "mine-*\x1b[31m"
    assert looked(api, few())[0] == ("leave", "alerts", "it is of other indices: mine-*\\x1b[31m")


def test_a_dashboard_that_shows_panels_of_the_other_form_is_replaced(api):
    api.objects["default"] = stored(few(chart="visualization"))
    assert looked(api, few()) == [
        ("ok", "alerts", ""), ("ok", "panel-latest", "version 1"),
        ("create", "panel-one", "version 1"), ("create", "panel-two", "version 1"), ("update", "overview", "from the other form"),
    ]  # fmt: skip
    api.objects["default"] = stored((*few(), made("lens", "mine")))
    api.objects["default"]["dashboard", "pluginhost-overview"]["references"].append({"name": "own", "type": "visualization", "id": "mine"})
    assert looked(api, few())[-1] == ("ok", "overview", "version 1")  # a panel of its user's own is no other form


def test_who_may_not_look_is_told_so_and_sends_all(api):
    api.objects["default"] = stored(few())
    api.closed = {"/api/saved_objects/_bulk_get": 400}
    first, *others = looked(api, few())
    assert first[:2] == ("leave", "")
    assert first[2].startswith("it may not be looked at, so all is sent: 400 uri [/api/saved_objects/_bulk_get] exists but")
    assert [state for state, _, _ in others] == ["create"] * 5


@pytest.mark.parametrize("status", [401, 500, 503])
def test_other_answers_are_not_taken_for_a_closed_interface(api, status):
    api.closed = {"/api/saved_objects/_bulk_get": status}
    with pytest.raises(Answered) as caught:
        looked(api, few())
    assert caught.value.status == status


def test_an_object_that_may_not_be_looked_at_is_said(api):
    found = looked(api, (*few(), made("widget", "pluginhost-panel-new", description="(pluginhost 1)")))
    assert found[-1] == ("cannot", "panel-new", "400 Unsupported saved object type: 'widget': Bad Request")


def test_spaces_are_apart(api):
    api.objects = {"default": stored(few()), "soc": {}}
    assert {state for state, _, _ in looked(api, few(), space="soc")} == {"create"}
    assert {state for state, _, _ in looked(api, few(), space="default")} == {"ok"}


def test_tenants_are_apart():
    with kibana_server("dashboards", "2.19.1", user="ann:pw-of-ann") as api:
        api.objects = {"default": {}, "global": stored(few(chart="visualization"))}
        look = partial(looked, api, few(chart="visualization"))
        assert {state for state, _, _ in look(tenant="global")} == {"ok"}
        assert {state for state, _, _ in look()} == {"create"}
