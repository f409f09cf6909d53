"""The monitor of OpenSearch's alerting, against an interface that answers as the plugin does."""

from __future__ import annotations

import asyncio
import copy

import pytest

from pluginhost.outputs.cluster import Answered
from pluginhost.outputs.monitor import monitor_removal, monitor_step
from pluginhost.outputs.standing import carry_out
from pluginhost.review.shipped import monitor

OURS = monitor()
MONITORS = "/_plugins/_alerting/monitors"


class Alerting:
    """Monitors by id. `wrapped`: a search gives each under its type, as some releases do."""

    product = "opensearch"

    def __init__(self, wrapped=False, **monitors):
        self.monitors, self.wrapped, self.asked, self.refusal = monitors, wrapped, [], None

    async def ask(self, method, path, *, params=None, body=None):
        self.asked.append((method, path, params))
        if self.refusal is not None:
            raise self.refusal
        if path == f"{MONITORS}/_search":
            if not self.monitors:
                raise Answered(404, "404 Configured indices are not found: [.opendistro-alerting-config]")
            wanted = body["query"]["match_phrase"]["monitor.name"]
            return {"hits": {"hits": [self._hit(id_, one) for id_, one in self.monitors.items() if wanted in one["name"]]}}
        if method == "POST":
            self.monitors["new"] = copy.deepcopy(body)
        elif method == "PUT":
            self.monitors[path.rpartition("/")[2]] = copy.deepcopy(body)
        elif method == "DELETE":
            del self.monitors[path.rpartition("/")[2]]
        return {}

    def _hit(self, id_, one):
        return {"_id": id_, "_seq_no": 7, "_primary_term": 2, "_source": {"monitor": one} if self.wrapped else one}


def done(cluster, look=monitor_step):
    async def go():
        step = await look(cluster, OURS)
        await carry_out(cluster, step)
        return step.state, step.what, step.why

    return asyncio.run(go())


def older(**more):
    """One of an earlier version that somebody uses."""
    trigger = {**OURS["triggers"][0]["query_level_trigger"], "name": "older", "actions": [{"id": "a", "name": "mail"}]}
    return {**OURS, "name": "pluginhost alerts (pluginhost 0)", "enabled": True, "triggers": [{"query_level_trigger": trigger}], **more}


def test_it_is_made_switched_off_and_then_there():
    cluster = Alerting()
    assert done(cluster) == ("create", "monitor pluginhost alerts", "version 1, switched off")
    assert cluster.monitors == {"new": OURS}
    assert done(cluster) == ("ok", "monitor pluginhost alerts", "version 1, switched off")


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_update_leaves_it_switched_on_and_telling_whom_it_told(wrapped):
    cluster = Alerting(wrapped, x=older())
    assert done(cluster) == ("update", "monitor pluginhost alerts", "from version 0 to 1, switched on")
    assert cluster.asked[-1] == ("PUT", f"{MONITORS}/x", {"if_seq_no": "7", "if_primary_term": "2"})
    (trigger,) = [one["query_level_trigger"] for one in cluster.monitors["x"]["triggers"]]
    assert (trigger["name"], trigger["actions"]) == ("There are alerts", [{"id": "a", "name": "mail"}])
    assert (cluster.monitors["x"]["enabled"], cluster.monitors["x"]["name"]) == (True, OURS["name"])


@pytest.mark.parametrize(
    ("there", "outcome"),
    [({"name": "pluginhost alerts"}, ("leave", "it is not pluginhost's")),
     ({"name": "pluginhost alerts of mine"}, ("create", "version 1, switched off")),
     ({"name": "pluginhost alerts (pluginhost 3)"}, ("leave", "it is newer (3) than ours (1)"))],
)  # fmt: skip
def test_what_is_somebody_elses_or_newer_is_left(there, outcome):
    cluster = Alerting(x=older(**there))
    state, _, why = done(cluster)
    assert (state, why) == outcome
    assert cluster.monitors["x"] == older(**there)


def test_ours_is_found_beside_one_of_the_same_name():
    cluster = Alerting(mine=older(name="pluginhost alerts"), ours=copy.deepcopy(OURS))
    assert done(cluster)[0] == "ok"
    assert done(cluster, monitor_removal)[0] == "remove"
    assert [*cluster.monitors] == ["mine"]


def test_it_is_taken_away_if_it_is_ours():
    cluster = Alerting(x=older())
    assert done(cluster, monitor_removal) == ("remove", "monitor pluginhost alerts", "")
    assert cluster.monitors == {}
    assert done(cluster, monitor_removal) == ("ok", "monitor pluginhost alerts", "it is not there")
    cluster = Alerting(x=older(name="pluginhost alerts"))
    assert done(cluster, monitor_removal) == ("leave", "monitor pluginhost alerts", "it is not pluginhost's")


@pytest.mark.parametrize(
    ("refusal", "why"),
    [(Answered(400, "400 no handler found for uri [/_plugins/_alerting/monitors/_search]"), "this server has no alerting"),
     (Answered(405, "405"), "this server has no alerting"),
     (Answered(403, "403 security_exception: no"), "may not look at it: 403 security_exception: no")],
)  # fmt: skip
def test_where_there_is_no_alerting_or_no_right_that_is_said(refusal, why):
    cluster = Alerting(x=older())
    cluster.refusal = refusal
    assert done(cluster)[::2] == ("cannot", why)
    gone = done(cluster, monitor_removal)
    assert gone[::2] == (("cannot", why) if refusal.status == 403 else ("ok", why))


@pytest.mark.parametrize("source", [None, [], "x", {}, {"monitor": None}, {"name": None}, {"name": ["pluginhost alerts"]}])
def test_hits_of_any_shape_are_passed_over(source):
    class Odd(Alerting):
        def _hit(self, id_, one):
            return {"_id": id_, "_source": source}

    assert done(Odd(x=older()))[0] == "create"
