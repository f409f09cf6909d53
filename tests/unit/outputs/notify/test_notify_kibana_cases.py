from __future__ import annotations

import json
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest
from notifying import alert, delivered, made, notification
from recording import CUT, Answer, recording

from pluginhost.outputs.port import DONE, Dead, Retry, Unavailable
from pluginhost.problem import Problem

TAG = "pluginhost-c1d9c1d9c1d9c1d9"
NONE = Answer(body=b'{"cases":[],"page":1,"per_page":1,"total":0,"count_open_cases":0}')
CONFLICT = Answer(409, b'{"statusCode":409,"error":"Conflict","message":"These cases case-1 have been updated."}')
DASHBOARD = "https://kibana.example/app/dashboards#/view/a"


def case(status="open", id="case-1", version="WzQ3LDFd", severity="high", **more):  # noqa: A002 - its name
    return {"id": id, "version": version, "status": status, "severity": severity, "title": "x", "comments": [], "totalComment": 1, **more}


def answer(one):
    return Answer(body=json.dumps(one).encode())


def found(*args, **more):
    return answer({"cases": [case(*args, **more)], "page": 1, "per_page": 1, "total": 1})


def cases(server, *told, **options):
    usual = {"url": f"{server.url}/base", "api_key": "a2V5", "title": "t", "body": "b"}
    return delivered("kibana_cases", usual | options, *([one] for one in told))


def steps(server):
    """(method, path behind the API's, without its query) of each request."""
    return [(one.method, urlsplit(one.path).path.partition("/api/cases")[2]) for one in server.received]


def sent(server, at=-1):
    return json.loads(server.received[at].body)


def test_a_case_is_opened_where_the_group_has_none():
    one = alert(threat={"technique": {"id": ["T1110", "T1078"]}})
    one["pluginhost"]["alert"]["dashboard"] = DASHBOARD
    tags = ["team-a", "{user.name}", "{no.such}", "pluginhost-0123456789abcdef"]  # the last would be another group's
    options = {"space": "soc", "title": "{rule.name}", "body": "{message} ```", "tags": tags}
    with recording(NONE, answer(case())) as server:
        assert cases(server, notification("alert", one), **options) == [[DONE]]
    search, create = server.received
    for request in (search, create):
        assert (request.headers["authorization"], request.headers["kbn-xsrf"]) == ("ApiKey a2V5", "true")
    assert (search.method, urlsplit(search.path).path) == ("GET", "/base/s/soc/api/cases/_find")
    assert parse_qs(urlsplit(search.path).query) == {
        "tags": [TAG], "owner": ["securitySolution"], "sortField": ["createdAt"], "sortOrder": ["desc"], "page": ["1"], "perPage": ["1"],
    }  # fmt: skip
    assert (create.method, create.path, create.headers["content-type"]) == ("POST", "/base/s/soc/api/cases", "application/json")
    assert sent(server) == {
        "title": "SSH brute force",
        "description": "```\n25 failures for root from 203.0.113.7 '''\n```\n\n"
                       f"[Context](<https://kibana.example/app/discover#/a>) · [Dashboard](<{DASHBOARD}>)",
        "tags": ["pluginhost", TAG, "SSH brute force", "T1110", "T1078", "team-a", "root"], "severity": "high",
        "owner": "securitySolution", "settings": {"syncAlerts": False},
        "connector": {"id": "none", "name": "none", "type": ".none", "fields": None},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["alert", "digest", "test"])
@pytest.mark.parametrize("status", ["open", "in-progress"])
def test_a_case_that_is_open_gets_a_comment(kind, status):
    with recording(found(status), Answer()) as server:
        assert cases(server, notification(kind), owner="cases", username="me", password="pw", api_key=None) == [[DONE]]
    assert steps(server) == [("GET", "/_find"), ("POST", "/case-1/comments")]
    assert server.received[1].headers["authorization"] == "Basic bWU6cHc="
    link = "\n\n[Context](<https://kibana.example/app/discover#/a>)"
    assert sent(server) == {"type": "user", "comment": f"```\nt\n\nb\n```{link}", "owner": "cases"}


def test_what_has_become_graver_raises_the_case():
    told = [notification("escalated", id=one) for one in ("n1", "n2")]
    with recording(found(severity="medium"), Answer(), Answer(), found(severity="critical"), Answer()) as server:
        assert cases(server, *told) == [[DONE], [DONE]]
    assert steps(server)[:3] == [("GET", "/_find"), ("PATCH", ""), ("POST", "/case-1/comments")]
    assert steps(server)[3:] == [("GET", "/_find"), ("POST", "/case-1/comments")]
    assert sent(server, 1) == {"cases": [{"id": "case-1", "version": "WzQ3LDFd", "severity": "high"}]}


@pytest.mark.parametrize(
    ("status", "close", "patched"), [("open", True, True), ("in-progress", True, True), ("open", False, False), ("closed", True, False)]
)
def test_what_has_ended_is_a_comment_and_closes_the_case(status, close, patched):
    with recording(found(status), Answer(), Answer()) as server:
        assert cases(server, notification("resolved"), close=close) == [[DONE]]
    assert steps(server)[1:] == [*([("PATCH", "")] if patched else []), ("POST", "/case-1/comments")]
    assert not patched or sent(server, 1) == {"cases": [{"id": "case-1", "version": "WzQ3LDFd", "status": "closed"}]}


def test_what_has_ended_opens_no_case():
    with recording(NONE) as server:
        assert cases(server, notification("resolved")) == [[DONE]]
    assert steps(server) == [("GET", "/_find")]


def test_a_closed_case_is_followed_by_another_or_opened_again():
    with recording(found("closed"), answer(case(id="case-2"))) as server:
        assert cases(server, notification()) == [[DONE]]
    assert steps(server) == [("GET", "/_find"), ("POST", "")]
    with recording(found("closed"), Answer(), Answer()) as server:
        assert cases(server, notification(), reopen=True) == [[DONE]]
    assert steps(server) == [("GET", "/_find"), ("PATCH", ""), ("POST", "/case-1/comments")]
    assert sent(server, 1) == {"cases": [{"id": "case-1", "version": "WzQ3LDFd", "status": "open"}]}


@pytest.mark.parametrize("before", [NONE, found("closed", id="case-0")])
def test_a_search_that_lags_makes_no_second_case(before):
    with recording(before, answer(case()), before, answer(case()), Answer()) as server:
        assert cases(server, notification(id="n1"), notification(id="n2")) == [[DONE], [DONE]]
    assert steps(server)[2:] == [("GET", "/_find"), ("GET", "/case-1"), ("POST", "/case-1/comments")]
    assert server.received[3].path == "/base/api/cases/case-1?includeComments=false"


@pytest.mark.parametrize("gone", [answer(case("closed")), Answer(404, b"Saved object [cases/case-1] not found")])
def test_a_case_that_was_closed_or_deleted_is_followed_by_another(gone):
    with recording(NONE, answer(case()), NONE, gone, answer(case(id="case-2"))) as server:
        assert cases(server, notification(id="n1"), notification(id="n2")) == [[DONE], [DONE]]
    assert steps(server)[3:] == [("GET", "/case-1"), ("POST", "")]


def test_other_groups_have_other_cases():
    other = alert(pluginhost={"alert": {"fingerprint": 'x" or y'}})
    with recording(NONE, answer(case()), NONE, answer(case(id="case-2"))) as server:
        assert cases(server, notification(id="n1"), notification("alert", other, id="n2")) == [[DONE], [DONE]]
    tag = "pluginhost-" + sha256(b'x" or y').hexdigest()[:16]
    assert parse_qs(urlsplit(server.received[2].path).query)["tags"] == [tag]
    assert tag in sent(server)["tags"]


def test_a_change_that_comes_too_late_is_made_of_what_the_case_is_now():
    now = answer(case("in-progress", version="WzQ4LDFd"))
    with recording(found(), CONFLICT, now, Answer(), Answer()) as server:
        assert cases(server, notification("resolved")) == [[DONE]]
    assert steps(server) == [("GET", "/_find"), ("PATCH", ""), ("GET", "/case-1"), ("PATCH", ""), ("POST", "/case-1/comments")]
    assert sent(server, 3) == {"cases": [{"id": "case-1", "version": "WzQ4LDFd", "status": "closed"}]}


def test_a_change_that_somebody_else_has_made_is_left_alone():
    with recording(found(), CONFLICT, answer(case("closed", version="WzQ4LDFd")), Answer()) as server:
        assert cases(server, notification("resolved")) == [[DONE]]
    assert steps(server) == [("GET", "/_find"), ("PATCH", ""), ("GET", "/case-1"), ("POST", "/case-1/comments")]
    with recording(found(), Answer(406, b"All update fields are identical to current version."), Answer()) as server:
        assert cases(server, notification("resolved")) == [[DONE]]


def test_a_change_that_is_refused_is_told_all_the_same():
    with recording(found(), Answer(400, b"required field"), Answer()) as server:
        assert cases(server, notification("resolved")) == [[Dead("400 required field")]]
    assert steps(server)[-1] == ("POST", "/case-1/comments")


@pytest.mark.parametrize(
    ("answers", "slow"),
    [
        ([Answer(401)], True), ([Answer(403)], True), ([Answer(500)], False), ([Answer(body=b"<html>login</html>")], False),
        ([Answer(body=b'{"total":0}')], False), ([found(id="../../x")], False), ([found(version=5)], False), ([NONE, Answer(503)], False),
        ([NONE, CUT], False), ([found(), Answer(429)], False), ([found(), CUT], False), ([found(), Answer(404)], True),
        ([found(), *[CONFLICT, answer(case())] * 3], False), ([found(), CONFLICT, Answer(500)], False),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_tried_again(answers, slow):
    with recording(*answers) as server:
        try:
            ((outcome,),) = cases(server, notification("resolved" if CONFLICT in answers else "alert"))
        except Unavailable as error:
            outcome = Retry(error.reason, error.after, error.slow)
    assert isinstance(outcome, Retry)
    assert outcome.slow is slow
    assert len(server.received) == len(answers)


def test_a_case_that_is_refused_is_a_dead_letter_with_the_reason():
    with recording(NONE, Answer(400, b'{"message":"The length of the title is too long for a2V5"}')) as server:
        assert cases(server, notification()) == [[Dead('400 {"message":"The length of the title is too long for …"}')]]


def test_a_case_that_somebody_wrote_much_into_is_read_whole():
    with recording(found(description="\U0001f600" * 30_000), Answer()) as server:
        assert cases(server, notification()) == [[DONE]]
    assert steps(server)[1] == ("POST", "/case-1/comments")


def test_everything_stays_within_what_the_service_takes():
    long = alert(message="\U0001f600" * 5000, rule={"name": "\U0001f600" * 500}, threat={"technique": {"id": ["T1"] * 500}})
    output = made("kibana_cases", {"url": "http://h", "title": "{message}", "body": "`" * 60_000, "tags": ["x{user.name}"] * 300})
    told = notification("alert", long)
    one = json.loads(output.requests(told, output.said(told))[0].body)

    def units(text):
        return len(text.encode("utf-16-le")) // 2

    assert units(one["title"]) == 160
    assert max(map(units, one["tags"])) <= 256
    assert len(one["tags"]) <= 200
    assert units(one["description"]) <= 30_000
    assert one["description"].count("```") == 2


def test_a_check_asks_for_what_it_needs():
    with recording(NONE, Answer(403, b"Unauthorized to access cases")) as server:
        options = {"url": server.url, "owner": "observability"}
        delivered("kibana_cases", options, check=True)
        with pytest.raises(Unavailable, match="403 Unauthorized to access cases"):
            delivered("kibana_cases", options, check=True)
    assert [one.path for one in server.received] == ["/api/cases/_find?owner=observability&perPage=1"] * 2
    assert "authorization" not in server.received[0].headers


@pytest.mark.parametrize("space", ["", "default"])
def test_the_default_space_needs_no_name(space):
    output = made("kibana_cases", {"url": "https://h/b/", "space": space})
    assert output.requests(notification(), output.said(notification()))[0].url == "https://h/b/api/cases"


def test_options_that_do_not_go_together_are_told():
    with pytest.raises(Problem, match="`api_key` stands beside `username`"):
        made("kibana_cases", {"url": "https://h", "api_key": "k", "username": "me"})
    with pytest.raises(Problem, match="space"):
        made("kibana_cases", {"url": "https://h", "space": "../x"})
