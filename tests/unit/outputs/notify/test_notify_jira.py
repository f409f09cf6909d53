from __future__ import annotations

import json
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from notifying import alert, delivered, made, notification
from recording import CUT, Answer, recording

from pluginhost.outputs.port import DONE, Dead, Retry, Unavailable
from pluginhost.problem import Problem

LABEL = f"pluginhost-{'c1d9' * 16}"
NONE = Answer(body=b'{"issues":[]}')
CREATED = Answer(201, b'{"id":"10000","key":"SEC-7","self":"https://jira.example/rest/api/2/issue/10000"}')
DONE_204 = Answer(204, b"")
STEPS = Answer(body=b'{"transitions":[{"id":"11","name":"Start","to":{"name":"Doing"}},{"id":"31","name":"Close","to":{"name":"Done"}}]}')


def open_one(key="SEC-7"):
    return Answer(body=json.dumps({"issues": [{"key": key, "fields": {"status": {"name": "To Do"}}}]}).encode())


def status(category):
    return Answer(body=json.dumps({"key": "SEC-7", "fields": {"status": {"statusCategory": {"key": category}}}}).encode())


def jira(server, *told, **options):
    usual = {"url": server.url, "project": "SEC", "token": "pat-1", "title": "t", "body": "b"}
    return delivered("jira", usual | options, *([one] for one in told))


def steps(server):
    """(method, path without its query) of each request."""
    return [(one.method, urlsplit(one.path).path.removeprefix("/rest/api/2/")) for one in server.received]


def last(server):
    return json.loads(server.received[-1].body)


def test_a_ticket_is_made_where_none_is_open():
    options = {"user": "me@example.com", "labels": ["soc"], "components": ["Web"], "issue_type": "Incident", "watchers": ["ann"],
               "title": "{rule.name}", "body": "{message} {{noformat}}! {{NoFormat:x}}",
               "fields": {"customfield_10010": {"value": "Security"}, "labels": ["lost"], "assignee": {"name": "ann"}}}  # fmt: skip
    with recording(NONE, CREATED, DONE_204) as server:
        assert jira(server, notification(), **options) == [[DONE]]
    search, create, watch = server.received
    assert search.headers["authorization"] == create.headers["authorization"] == "Basic bWVAZXhhbXBsZS5jb206cGF0LTE="
    assert (search.method, urlsplit(search.path).path) == ("GET", "/rest/api/2/search/jql")
    assert parse_qs(urlsplit(search.path).query) == {
        "jql": [f'project = "SEC" AND labels = "{LABEL}" AND statusCategory != Done ORDER BY created DESC'],
        "fields": ["status"], "maxResults": ["1"],
    }  # fmt: skip
    assert (create.method, create.path, create.headers["content-type"]) == ("POST", "/rest/api/2/issue", "application/json")
    assert json.loads(create.body) == {"fields": {
        "project": {"key": "SEC"}, "issuetype": {"name": "Incident"}, "summary": "SSH brute force",
        "description": "{noformat}\n25 failures for root from 203.0.113.7 { noformat}! { noformat:x}\n{noformat}\nhttps://kibana.example/app/discover#/a",
        "labels": ["pluginhost", LABEL, "soc"], "components": [{"name": "Web"}], "priority": {"name": "High"},
        "customfield_10010": {"value": "Security"}, "assignee": {"name": "ann"},
    }}  # fmt: skip
    assert (watch.method, watch.path, watch.body) == ("POST", "/rest/api/2/issue/SEC-7/watchers", b'"ann"')


@pytest.mark.parametrize("kind", ["alert", "escalated", "digest", "test"])
def test_an_open_ticket_gets_a_comment(kind):
    with recording(open_one(), Answer(201)) as server:
        assert jira(server, notification(kind)) == [[DONE]]
    assert steps(server)[1] == ("POST", "issue/SEC-7/comment")
    assert server.received[1].headers["authorization"] == "Bearer pat-1"
    assert last(server) == {"body": "{noformat}\nt\n{noformat}\n{noformat}\nb\n{noformat}"}


def test_what_has_ended_is_a_comment_and_a_transition():
    with recording(open_one(), Answer(201), STEPS, DONE_204) as server:
        assert jira(server, notification("resolved")) == [[DONE]]
    assert steps(server)[1:] == [("POST", "issue/SEC-7/comment"), ("GET", "issue/SEC-7/transitions"), ("POST", "issue/SEC-7/transitions")]
    assert last(server) == {"transition": {"id": "31"}}


@pytest.mark.parametrize(("resolve_to", "count"), [("cLose", 4), ("Nowhere", 3), ("", 2)])
def test_a_transition_is_known_by_its_name_or_where_it_leads(resolve_to, count):
    with recording(open_one(), Answer(201), STEPS, DONE_204) as server:
        assert jira(server, notification("resolved"), resolve_to=resolve_to) == [[DONE]]
    assert len(server.received) == count


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [("resolved", {}, NONE), ("alert", {"create": False}, NONE), ("alert", {"comment": False}, open_one())],
)
def test_sometimes_there_is_nothing_to_do(kind, options, found):
    with recording(found) as server:
        assert jira(server, notification(kind), **options) == [[DONE]]
    assert len(server.received) == 1


def test_a_server_of_ones_own_is_asked_the_older_way():
    with recording(Answer(404, b"no such resource"), open_one(), Answer(201)) as server:
        assert jira(server, notification()) == [[DONE]]
    assert steps(server) == [("GET", "search/jql"), ("GET", "search"), ("POST", "issue/SEC-7/comment")]


def test_a_search_that_lags_makes_no_second_ticket():
    with recording(NONE, CREATED, NONE, status("new"), Answer(201)) as server:
        assert jira(server, notification(id="n1"), notification(id="n2")) == [[DONE], [DONE]]
    assert steps(server)[2:] == [("GET", "search/jql"), ("GET", "issue/SEC-7"), ("POST", "issue/SEC-7/comment")]


@pytest.mark.parametrize("gone", [status("done"), Answer(404, b"Issue does not exist")])
def test_a_ticket_that_was_closed_or_deleted_is_followed_by_another(gone):
    with recording(NONE, CREATED, NONE, gone, CREATED) as server:
        assert jira(server, notification(id="n1"), notification(id="n2")) == [[DONE], [DONE]]
    assert steps(server)[-1] == ("POST", "issue")


def test_other_groups_have_other_tickets():
    other = alert(pluginhost={"alert": {"fingerprint": 'x" OR project = "HR'}})
    with recording(NONE, CREATED, NONE, CREATED) as server:
        assert jira(server, notification(id="n1"), notification("alert", other, id="n2")) == [[DONE], [DONE]]
    label = json.loads(server.received[3].body)["fields"]["labels"][1]
    assert label == "pluginhost-" + sha256(b'x" OR project = "HR').hexdigest()
    assert f'labels = "{label}" AND' in parse_qs(urlsplit(server.received[2].path).query)["jql"][0]


@pytest.mark.parametrize(
    ("answers", "slow"),
    [
        ([Answer(400, b"The value 'SEC' does not exist for the field 'project'.")], True), ([Answer(401)], True), ([Answer(500)], False),
        ([Answer(body=b"<html>login</html>")], False), ([Answer(body=b'{"issues":[{"key":"../../x"}]}')], False),
        ([NONE, Answer(503)], False), ([NONE, CUT], False), ([open_one(), Answer(429)], False), ([open_one(), CUT], False),
        ([open_one(), Answer(201), STEPS, CUT], False), ([open_one(), Answer(201), Answer(body=b"{}[")], False),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_tried_again(answers, slow):
    with recording(*answers) as server:
        try:
            ((outcome,),) = jira(server, notification("resolved" if len(answers) > 2 else "alert"))
        except Unavailable as error:
            outcome = Retry(error.reason, error.after, error.slow)
    assert isinstance(outcome, Retry)
    assert outcome.slow is slow
    assert len(server.received) == len(answers)


def test_a_ticket_that_is_refused_is_a_dead_letter_with_the_reason():
    reason = b'{"errors":{"priority":"Field \'priority\' cannot be set, pat-1"}}'
    with recording(NONE, Answer(400, reason)) as server:
        assert jira(server, notification()) == [[Dead('400 {"errors":{"priority":"Field \'priority\' cannot be set, …"}}')]]


def test_a_ticket_that_cannot_be_watched_is_a_ticket():
    with recording(NONE, CREATED, CUT) as server:
        assert jira(server, notification(), watchers=["ann", "ben"]) == [[DONE]]


def test_priorities_are_the_operators():
    with recording(NONE, CREATED, NONE, CREATED) as server:
        jira(server, notification("alert", alert("critical")), priorities={"critical": "Blocker"})
        jira(server, notification("alert", alert("low")), priorities={"critical": "Blocker"})
    first, second = (json.loads(one.body)["fields"] for one in server.received[1::2])
    assert (first["priority"], "priority" in second) == ({"name": "Blocker"}, False)


def test_a_check_asks_who_we_are():
    with recording(Answer(200), Answer(403, b"CAPTCHA")) as server:
        options = {"url": server.url, "project": "SEC", "token": "pat-1"}
        delivered("jira", options, check=True)
        with pytest.raises(Unavailable, match="403 CAPTCHA"):
            delivered("jira", options, check=True)
    assert steps(server) == [("GET", "myself")] * 2


def test_the_project_is_a_key():
    with pytest.raises(Problem, match="project"):
        made("jira", {"url": "https://jira.example", "token": "t", "project": 'SEC" OR project = "HR'})
