"""What should stand in a cluster, and go from it, against scripted answers: retention and rights, which minimal servers do not have."""

from __future__ import annotations

import asyncio

import pytest

from pluginhost.alerts.template import home, template_of
from pluginhost.options import Duration
from pluginhost.outputs.cluster import Answered
from pluginhost.outputs.standing import carry_out, days, steps
from pluginhost.outputs.undoing import removals

NINETY = Duration.of("90d")
ALERTS, STATES = home("alerts", "x"), home("states", "x")
STREAM = "logs-pluginhost.alerts-x"
LIFECYCLE, POLICY = f"/_data_stream/{STREAM}/_lifecycle", f"/_plugins/_ism/policies/{STREAM}"
OURS = {"managed_by": "pluginhost", "version": 4}
NOBODY = Answered(404, "404 not found")


class Scripted:
    """A cluster that answers as it is told, and keeps what it is asked to change."""

    def __init__(self, product="elasticsearch", **answers):
        self.product, self.answers, self.changes = product, answers, []

    async def ask(self, method, path, *, params=None, body=None):
        if method != "GET":
            self.changes.append((method, path, params, body))
            return {}
        answer = next((one for part, one in self.answers.items() if part in path), NOBODY)
        if isinstance(answer, Answered):
            raise answer
        return answer

    async def close(self):
        pass


def template(version=4, meta=None, **more):
    body = template_of("alerts", "8.19.21")
    whole = {**body, "_meta": meta or {"managed_by": "pluginhost", "version": version}, "template": {**body["template"], **more}}
    return {"index_templates": [{"name": "t", "index_template": whole}]}


def mapping(version=4, name=f".ds-{STREAM}-2026.11.22-000002"):
    old = {f".ds-{STREAM}-2026.12.01-000001": {"mappings": {"_meta": {"managed_by": "pluginhost", "version": 99}}}}
    return {**old, name: {"mappings": {"_meta": {"managed_by": "pluginhost", "version": version}}}}


def looked(cluster, where=ALERTS, version="8.19.21", retention=NINETY):
    async def go():
        return [one async for one in steps(cluster, where, version, retention)]

    return asyncio.run(go())


def told(found):
    return [(one.state, one.what.split()[0], one.why) for one in found]


def done(cluster, step):
    asyncio.run(carry_out(cluster, step))
    return cluster.changes


def kept(span):
    return {"data_streams": [{"name": STREAM, "lifecycle": {"enabled": True, "data_retention": span}}]}


def standing(lifecycle="90d", **more):
    """A cluster where all is well."""
    found = {"_index_template": template(lifecycle={"enabled": True, "data_retention": lifecycle}), "_mapping": mapping()}
    return Scripted(**found | {"_lifecycle": kept(lifecycle)} | more)


@pytest.mark.parametrize(("span", "written"), [("90d", "90d"), ("2w", "14d"), ("36h", "36h"), ("1d", "1d")])
def test_a_span_is_written_in_units_that_clusters_know(span, written):
    assert days(Duration.of(span)) == written


def test_where_all_stands_nothing_is_done():
    found = looked(standing())
    assert told(found) == [("ok", "index", "version 4, what comes is kept for 90d"), ("ok", "data", "fields of version 4"),
                           ("ok", "retention", "90d")]  # fmt: skip
    assert not any(one.requests for one in found)


def test_another_retention_changes_the_template_and_the_standing_stream():
    cluster = standing("30d")
    first, _, last = looked(cluster)
    assert (first.state, last.state) == ("update", "update")
    assert done(cluster, first)[-1][3]["template"]["lifecycle"] == {"data_retention": "90d"}
    assert done(cluster, last)[-1] == ("PUT", LIFECYCLE, None, {"data_retention": "90d"})


def test_without_the_option_a_retention_that_somebody_set_outlives_our_update():
    cluster = standing("30d", _index_template=template(3, lifecycle={"enabled": True, "data_retention": "30d"}))
    first, second = looked(cluster, retention=None)
    assert (first.state, first.why, second.state) == ("update", "from version 3 to 4", "ok")
    assert done(cluster, first)[-1][3]["template"]["lifecycle"] == {"enabled": True, "data_retention": "30d"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [(template(5), "it is newer (5) than ours (4)"), (template(meta={"managed_by": "somebody", "version": 1}), "it is not pluginhost's"),
     (template(meta={"managed_by": "pluginhost"}), "it is not pluginhost's")],
)  # fmt: skip
def test_what_is_newer_or_somebody_elses_is_left(answer, why):
    first = looked(standing(_index_template=answer))[0]
    assert (first.state, first.why, first.requests) == ("leave", why, ())


def test_older_fields_of_the_index_that_is_written_are_brought_up_to_date():
    cluster = standing(_mapping=mapping(3))
    step = looked(cluster)[1]
    assert (step.state, step.why, step.vital) == ("update", "fields of version 4", False)
    assert f"POST /{STREAM}/_rollover" in step.cure
    method, path, params, body = done(cluster, step)[-1]
    assert (method, path, params) == ("PUT", f"/{STREAM}/_mapping", {"write_index_only": "true"})
    whole = template_of("alerts", "8.19.21")["template"]["mappings"]
    assert {**body, "properties": {**body["properties"], "@timestamp": {"type": "date"}}} == whole
    assert "@timestamp" not in body["properties"]  # which a stream does not take again


def test_an_ordinary_index_in_the_streams_place_stops_all_writing():
    step = looked(standing(_mapping={STREAM: {"mappings": {}}}))[1]
    assert (step.state, step.vital, step.requests) == ("cannot", True, ())


def test_a_stream_that_is_not_there_is_made_by_the_first_document_and_a_state_index_by_us():
    assert told(looked(Scripted())) == [("create", "index", "version 4")]
    cluster = Scripted()
    made = looked(cluster, STATES)
    assert told(made) == [("create", "index", "version 4"), ("create", "index", "empty")]
    assert done(cluster, made[1]) == [("PUT", "/pluginhost-alert-state-x", None, None)]


def test_what_may_not_be_looked_at_is_said_quietly_and_the_retention_left_to_who_may():
    found = looked(standing(_mapping=Answered(403, "403 security_exception: no")))
    assert [(one.state, one.unseen) for one in found] == [("ok", False), ("cannot", True)]
    (_, state) = looked(Scripted(_mapping=Answered(403, "403 security_exception: no")), STATES)
    assert (state.state, state.why, state.vital, state.unseen) == ("create", "if it is not there", True, True)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_no_that_may_pass_is_no_finding(status):
    for where in ("_index_template", "_mapping", "_lifecycle"):
        with pytest.raises(Answered):
            looked(standing(**{where: Answered(status, "later")}))


def test_a_server_that_cannot_keep_by_time_says_so_and_all_else_is_done():
    absent = Answered(400, "400 no handler found for uri [/x] and method [GET]")
    assert told(looked(standing(_lifecycle=absent)))[-1] == ("cannot", "retention", "this server has no data stream lifecycle")
    old = looked(standing(), version="8.11.0")[-1]
    assert (old.state, "8.14" in old.why) == ("cannot", True)
    policy = looked(Scripted("opensearch", _index_template=template(), _mapping=mapping(), _ism=absent), version="3.6.0")[-1]
    assert (policy.state, policy.why.split(":")[0]) == ("cannot", "this server has no index state management")


def test_opensearch_keeps_by_a_policy_that_is_attached_to_what_stands():
    cluster = Scripted("opensearch", _index_template=template(), _mapping=mapping())
    step = looked(cluster, version="3.6.0")[-1]
    assert (step.state, step.why) == ("create", "90d")
    (_, path, params, body), attached = done(cluster, step)
    assert (path, params, attached) == (POLICY, None, ("POST", f"/_plugins/_ism/add/{STREAM}", None, {"policy_id": STREAM}))
    written, gone = body["policy"]["states"]
    assert written["actions"] == [{"rollover": {"min_index_age": "9d"}}]
    assert written["transitions"] == [{"state_name": "gone", "conditions": {"min_rollover_age": "90d"}}]
    assert gone["actions"] == [{"delete": {}}]
    assert body["policy"]["ism_template"] == [{"index_patterns": [STREAM], "priority": 100}]

    again = Scripted("opensearch", _index_template=template(), _mapping=mapping(), _ism={**body, "_seq_no": 5, "_primary_term": 1})
    assert looked(again, version="3.6.0")[-1].state == "ok"
    shorter = looked(again, version="3.6.0", retention=Duration.of("1d"))[-1]
    (_, path, params, body), changed = done(again, shorter)
    assert (shorter.state, path, params) == ("update", POLICY, {"if_seq_no": "5", "if_primary_term": "1"})
    assert changed == ("POST", f"/_plugins/_ism/change_policy/{STREAM}", None, {"policy_id": STREAM})
    assert body["policy"]["states"][0]["actions"] == [{"rollover": {"min_index_age": "1d"}}]

    theirs = {"policy": {"description": "somebody's"}}
    assert looked(Scripted("opensearch", _index_template=template(), _mapping=mapping(), _ism=theirs), version="3.6.0")[-1].state == "leave"


def removed(cluster, where=ALERTS, *, data=False):
    async def go():
        return [one async for one in removals(cluster, where, data=data)]

    return asyncio.run(go())


def resolved(*streams, indices=()):
    return {"data_streams": [{"name": one} for one in streams], "indices": [{"name": one} for one in indices], "aliases": []}


def test_undoing_takes_what_is_ours_and_documents_only_when_it_is_said():
    cluster = Scripted(_index_template=template(), _resolve=resolved(STREAM))
    assert [(one.state, one.what) for one in removed(cluster)] == [
        ("leave", f"data stream {STREAM}"), ("leave", "index template logs-pluginhost.alerts"),
    ]  # fmt: skip
    for step in removed(cluster, data=True):
        done(cluster, step)
    assert [change[:2] for change in cluster.changes] == [
        ("DELETE", f"/_data_stream/{STREAM}"), ("DELETE", "/_index_template/logs-pluginhost.alerts"),
    ]  # fmt: skip


def test_undoing_leaves_a_template_that_another_namespace_or_somebody_else_uses():
    others = removed(Scripted(_index_template=template(), _resolve=resolved(STREAM, "logs-pluginhost.alerts-y")), data=True)
    assert [(one.state, one.why) for one in others] == [
        ("remove", "with all it holds"), ("leave", "it is of use to logs-pluginhost.alerts-y"),
    ]  # fmt: skip
    theirs = removed(Scripted(_index_template=template(meta={"managed_by": "somebody"}), _resolve=resolved()))
    assert [(one.state, one.why) for one in theirs] == [("leave", "it is not pluginhost's")]
    assert [(one.state, one.why) for one in removed(Scripted(_resolve=resolved()))] == [("ok", "it is not there")]


def test_undoing_takes_our_policy_off_the_stream_and_no_other():
    ours = Scripted("opensearch", _ism={"policy": {"description": "pluginhost: x is kept for 90d"}}, _resolve=resolved())
    assert [one[:2] for one in done(ours, removed(ours)[0])] == [("POST", f"/_plugins/_ism/remove/{STREAM}"), ("DELETE", POLICY)]
    theirs = Scripted("opensearch", _ism={"policy": {"description": "mine"}}, _resolve=resolved())
    assert removed(theirs)[0].state == "leave"


def test_the_state_index_goes_only_with_data():
    cluster = Scripted(_index_template=template(), _resolve=resolved(indices=["pluginhost-alert-state-x"]))
    assert [one.state for one in removed(cluster, STATES)] == ["leave", "remove"]
    assert [one.requests[0].path for one in removed(cluster, STATES, data=True)] == [
        "/pluginhost-alert-state-x", "/_index_template/pluginhost-alert-state",
    ]  # fmt: skip
