"""The detection rule: made switched off, kept as its users have it, taken away."""

from __future__ import annotations

import pytest
from kibana_server import kibana_server
from reviewing import with_server

from pluginhost.review import rule, shipped

OURS = shipped.rule()
ID = OURS["rule_id"]


@pytest.fixture
def api():
    with kibana_server(key="k3y-of-tests", spaces=("default", "soc")) as one:
        yield one


def done(api, look=rule.step, wanted=OURS, **section):
    """The step, and why it failed."""

    async def go(server):
        planned = await look(server, wanted)
        return planned.state, planned.why, await rule.carry_out(server, planned, wanted)

    return with_server(api, go, **section)


def aged(api, **more):
    """A rule of an older version, as somebody has it."""
    api.rules["default"][ID] = {**OURS, "description": "Older. (pluginhost 0)", "enabled": True, "actions": ["mail"], **more}


def test_it_is_made_switched_off_and_then_there(api):
    assert done(api) == ("create", "version 1, switched off", "")
    assert api.rules["default"][ID]["enabled"] is False
    assert done(api) == ("ok", "version 1, switched off", "")


def test_a_rule_that_is_switched_on_stays_so(api):
    done(api)
    api.rules["default"][ID]["enabled"] = True
    assert done(api) == ("ok", "version 1, switched on", "")
    aged(api, query="old")
    assert done(api) == ("update", "from version 0 to 1, switched on", "")
    assert api.rules["default"][ID] | {"actions": 0} == OURS | {"enabled": True, "actions": 0}
    assert api.rules["default"][ID]["actions"] == ["mail"]


@pytest.mark.parametrize(
    ("description", "why"), [("Mine", "it is not pluginhost's"), ("Later (pluginhost 9)", "it is newer (9) than ours (1)")]
)
def test_what_is_somebody_elses_or_newer_is_left(api, description, why):
    aged(api, description=description)
    assert done(api) == ("leave", why, "")
    assert api.rules["default"][ID]["description"] == description


def test_it_is_of_its_space(api):
    assert done(api, space="soc")[0] == "create"
    assert (list(api.rules["default"]), list(api.rules["soc"])) == ([], [ID])


def test_it_is_taken_away_if_it_is_ours(api):
    assert done(api, rule.removal) == ("ok", "not there", "")
    aged(api)
    assert done(api, rule.removal) == ("remove", "", "")
    assert api.rules["default"] == {}
    aged(api, description="Mine")
    assert done(api, rule.removal) == ("leave", "it is not pluginhost's", "")
    assert ID in api.rules["default"]


def test_a_kibana_without_elastic_security_says_so():
    with kibana_server(security=False) as api:
        assert done(api) == ("cannot", "this Kibana has no Elastic Security", "")
        assert done(api, rule.removal)[0] == "cannot"


def test_who_may_not_is_told(api):
    api.closed = {"/api/detection_engine/rules": 403}
    state, why, _ = done(api)
    assert (state, why.startswith("it may not be looked at: 403 ")) == ("cannot", True)
    api.closed = {"/api/detection_engine/rules/_import": 403}
    state, _, failed = done(api)
    assert (state, failed.startswith("403 ")) == ("create", True)


def test_what_was_made_by_another_meanwhile_is_not_overwritten(api):
    async def go(server):
        planned = await rule.step(server, OURS)
        aged(api, description="Mine")
        return await rule.carry_out(server, planned, OURS)

    assert with_server(api, go) == f'rule_id: "{ID}" already exists'
    assert api.rules["default"][ID]["description"] == "Mine"
