"""What is ours is taken away again, and nothing that anything else needs."""

from __future__ import annotations

import pytest
from kibana_server import kibana_server
from reviewing import few, made, stored, with_server

from pluginhost.outputs.cluster import Answered
from pluginhost.review.undoing import removals, remove


def undone(api, objects=None):
    """What was planned, and why what could not be removed was not."""

    async def go(server):
        planned = await removals(server, few() if objects is None else objects)
        failed = {step.id: why async for step, why in remove(server, [step for step in planned if step.todo]) if why}
        return planned, failed

    planned, failed = with_server(api, go)
    return [(one.state, one.id.removeprefix("pluginhost-"), one.why) for one in planned], failed


@pytest.fixture
def api():
    with kibana_server(key="k3y-of-tests") as one:
        one.objects["default"] = stored(few())
        yield one


def test_all_that_is_ours_goes_the_data_view_last_and_a_second_time_nothing_does(api):
    api.objects["default"] |= stored([made("dashboard", "mine")])
    planned, failed = undone(api)
    assert [(state, name) for state, name, _ in planned] == [("remove", name) for name in (
        "panel-latest", "panel-one", "panel-two", "overview", "alerts")]  # fmt: skip
    assert (failed, [*api.objects["default"]]) == ({}, [("dashboard", "mine")])
    planned, _ = undone(api)
    assert {(state, why) for state, _, why in planned} == {("ok", "not there")}


def test_what_lost_its_mark_stays_with_all_that_it_needs(api):
    api.objects["default"]["dashboard", "pluginhost-overview"]["attributes"]["description"] = "mine"
    before = dict(api.objects["default"])
    planned, _ = undone(api)
    assert planned == [
        ("leave", "panel-latest", '"Pluginhost-Overview" needs it'), ("leave", "panel-one", '"Pluginhost-Overview" needs it'),
        ("leave", "panel-two", '"Pluginhost-Overview" needs it'), ("leave", "overview", "it is not pluginhost's"),
        ("leave", "alerts", '"Pluginhost-Panel-One" needs it'),
    ]  # fmt: skip
    assert api.objects["default"] == before


def test_a_dashboard_of_somebodys_own_keeps_the_panel_it_shows_and_that_its_data_view(api):
    api.objects["default"] |= stored([made("dashboard", "mine", ("lens", "pluginhost-panel-two"), title="Mine\x1b[0m")])
    planned, _ = undone(api)
    assert [one for one in planned if one[0] == "leave"] == [
        ("leave", "panel-two", '"Mine\\x1b[0m" needs it'), ("leave", "alerts", '"Pluginhost-Panel-Two" needs it')]  # fmt: skip
    assert sorted(api.objects["default"]) == [
        ("dashboard", "mine"), ("index-pattern", "pluginhost-alerts"), ("lens", "pluginhost-panel-two")]  # fmt: skip


@pytest.mark.parametrize("type_", ["lens", "map", "search", "visualization", "dashboard"])
def test_a_data_view_that_something_else_needs_stays(api, type_):
    api.objects["default"] |= stored([made(type_, "mine", ("index-pattern", "pluginhost-alerts"))])
    planned, _ = undone(api)
    assert planned[-1] == ("leave", "alerts", '"Mine" needs it')
    assert sorted(api.objects["default"]) == sorted([(type_, "mine"), ("index-pattern", "pluginhost-alerts")])


def test_a_data_view_of_another_pattern_is_not_ours(api):
    api.objects["default"]["index-pattern", "pluginhost-alerts"]["attributes"]["title"] = "mine-*"
    planned, _ = undone(api)
    assert planned[-1] == ("leave", "alerts", "it is not pluginhost's")
    assert [*api.objects["default"]] == [("index-pattern", "pluginhost-alerts")]


def test_many_dashboards_are_looked_through_page_by_page(api, monkeypatch):
    monkeypatch.setattr("pluginhost.review.undoing._PAGE", 2)
    api.objects["default"] |= stored([made("dashboard", f"d{number}") for number in range(4)])
    api.objects["default"] |= stored([made("dashboard", "mine", ("lens", "pluginhost-panel-one"))])
    planned, _ = undone(api)
    assert ("leave", "panel-one", '"Mine" needs it') in planned


def test_where_it_may_not_be_seen_who_needs_them_data_views_stay(api):
    api.closed = {"/api/saved_objects/_find": 403}
    planned, _ = undone(api)
    assert planned[-1][:2] == ("leave", "alerts")
    assert planned[-1][2].startswith("whether others need it may not be looked at: 403 uri")
    assert [*api.objects["default"]] == [("index-pattern", "pluginhost-alerts")]


def test_as_long_as_something_does_not_go_data_views_stay(api):
    api.closed = {"/api/saved_objects/lens/pluginhost-panel-one": 403}
    _, failed = undone(api)
    assert failed["pluginhost-panel-one"].startswith("403 uri")
    assert failed["pluginhost-alerts"] == "others that need it still stand"
    assert sorted(api.objects["default"]) == [("index-pattern", "pluginhost-alerts"), ("lens", "pluginhost-panel-one")]


def test_what_is_gone_meanwhile_is_gone(api):
    async def go(server):
        planned = await removals(server, few())
        api.objects["default"].clear()
        return [why async for _, why in remove(server, planned)]

    assert with_server(api, go) == [""] * 5


def test_who_may_not_look_takes_nothing_away(api):
    api.closed = {"/api/saved_objects/_bulk_get": 400}
    planned, _ = undone(api)
    assert [state for state, _, _ in planned] == ["cannot"]
    assert api.objects["default"] == stored(few())
    api.closed = {"/api/saved_objects/_bulk_get": 401}
    with pytest.raises(Answered):
        undone(api)
