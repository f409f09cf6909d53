"""Verdicts of a real sidecar with two workers: what each answer says, to whom, and that the client in the docs understands it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sidecars import Sidecar, free_port, until

pytestmark = pytest.mark.xdist_group("verdicts")  # one sidecar for all; each test has users of its own

PAGE = (Path(__file__).parents[2] / "docs" / "verdicts.md").read_text("utf-8")
ADVICE = '''
import time
from pathlib import Path

from pluginhost import Alert, SlidingCount, analyzer


@analyzer(tags="app.*", where="amount:>=1000", key="user.name")
def large(event):
    """A large sum: worth knowing, no more."""
    return Alert("low", f"{event['user.name']} moves {event['amount']}")


@analyzer(tags="app.*", where="risky:true", key="user.name")
def unsure(event):
    """Asks for a second factor."""
    return Alert("medium", f"is it {event['user.name']}?", reason="an unusual device", action="step_up", risk=61)


@analyzer(tags="app.*", where="stolen:true", key="user.name")
def stolen(event):
    """Refuses."""
    return Alert("high", f"not {event['user.name']}", action="deny", technique="T1078")


@analyzer(tags="app.*", where="failed:true", key="user.name")
def third(event, failures: SlidingCount = SlidingCount("10m")):
    """The third failure of a user."""
    return Alert("medium", "three failures", action="deny") if failures.add(event) >= 3 else None


@analyzer(tags="slow", where="until:*")
def slow(event):
    """Waits for a file."""
    for _ in range(3000):
        if Path(event["until"]).exists():
            return Alert("low", "took its time", action="step_up")
        time.sleep(0.02)


@analyzer(tags="broken")
def broken(event):
    """Raises."""
    raise ValueError("no verdict of mine")
'''


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A sidecar whose first door is patient, and whose second waits for a moment only."""
    one = Sidecar(tmp_path_factory.mktemp("host"), workers=2, budget=0)
    one.quick = free_port()
    one.config["inputs"][1]["verdict_timeout"] = "2m"
    one.config["inputs"].append({"type": "http", "name": "quick", "port": one.quick, "verdict_timeout": "50ms"})
    (one.analyzers / "advice.py").write_text(ADVICE)
    (analyzer,) = re.findall(r"^```python analyzer\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (one.analyzers / "new_address.py").write_text(analyzer)
    yield one.start()
    one.kill()


def stored(host, name):
    """The stored alerts about a user, in the order they were found in."""
    return [one for one in reversed(host.alerts()) if one["document"]["user"]["name"].partition("-")[0] == name]


def asked(port, records, tag="app.login", headers=None):
    """(status, headers, body as JSON or None) of one question."""
    head = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/analyze/{tag}", json.dumps(records).encode(), head)
    try:
        with urllib.request.urlopen(request, timeout=150) as answer:
            body = answer.read()
            return answer.status, answer.headers, json.loads(body) if body else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, json.loads(error.read())


def user(name, **fields):
    return {"user": {"name": name}, "@timestamp": "2026-11-21T10:00:00Z", **fields}


def test_each_action_and_the_strictest_of_several(host):
    status, headers, body = asked(host.http, user("ann"))
    assert (status, body) == (204, None)

    status, headers, body = asked(host.http, user("ann", amount=5000))
    assert (status, headers["Content-Type"]) == (200, "application/json")  # Logstash's filter wants just that
    assert (body["flagged"], body["action"], body["risk_score"]) == (True, "allow", 21)

    status, _, body = asked(host.http, user("ann", risky=True))
    assert (status, body) == (200, {"flagged": True, "action": "step_up", "risk_score": 61, "alerts": [{
        "id": stored(host, "ann")[1]["id"], "index": 0, "severity": "medium", "action": "step_up", "risk_score": 61,
        "rule": {"id": "unsure", "name": "Asks for a second factor"}, "message": "is it ann?", "reason": "an unusual device",
    }]})  # fmt: skip

    _, _, body = asked(host.http, user("ann", stolen=True, risky=True, amount=1000))
    assert (body["action"], body["risk_score"]) == ("deny", 73)
    assert sorted(one["action"] for one in body["alerts"]) == ["allow", "deny", "step_up"]


def test_several_records_are_told_apart(host):
    records = [user("bea"), user("ben", risky=True), user("cas"), user("dan", stolen=True), "no record", user("eve", risky=True)]
    status, _, body = asked(host.http, records)
    assert (status, body["action"]) == (200, "deny")
    found = sorted((one["index"], one["message"], one["action"]) for one in body["alerts"])
    # the index counts the records: what is none goes to the dead letters
    assert found == [(1, "is it ben?", "step_up"), (3, "not dan", "deny"), (4, "is it eve?", "step_up")]
    host.settled()
    assert [one["reason"] for one in host.ask("dead_letters")] == ["not_a_record"]


def test_an_unknown_tag_and_an_analyzer_that_raises_find_nothing(host):
    before = host.status()["counts"]["desk"]["failures"]
    assert asked(host.http, user("fay", risky=True, stolen=True), tag="nobody.listens")[0] == 204
    assert asked(host.http, user("fay", stolen=True), tag="broken")[0] == 204
    assert host.status()["counts"]["desk"]["failures"] == before + 1
    assert asked(host.http, user("fay", stolen=True))[2]["action"] == "deny"


def test_the_same_record_is_answered_twice_with_the_same_alert_also_after_a_restart(host):
    first, again = (asked(host.http, user("gus", risky=True, amount=1))[2] for _ in range(2))
    assert again == first
    later = asked(host.http, user("gus", risky=True, amount=1, **{"@timestamp": "2026-11-21T10:00:01Z"}))[2]
    assert later["alerts"][0]["id"] != first["alerts"][0]["id"]
    assert host.stop() == 0
    host.start()
    assert asked(host.http, user("gus", risky=True, amount=1))[2] == first
    assert len(stored(host, "gus")) == 2
    assert host.status()["counts"]["desk"]["known"] == 1  # since the start


def test_who_asks_again_counts_again(host):
    answers = [asked(host.http, user("hal", failed=True)) for _ in range(3)]
    assert [status for status, _, _ in answers] == [204, 204, 200]
    assert answers[2][2]["action"] == "deny"
    host.post([user("ida", failed=True)] * 2, tag="app.login")
    assert asked(host.http, user("ida", failed=True))[0] == 200  # records that nobody asked about count, too


def test_no_verdict_in_time_is_pending_and_comes_out_all_the_same(host, tmp_path):
    released = tmp_path / "released"
    record = user("jan", until=str(released))
    status, _, body = asked(host.quick, record, tag="slow")
    assert (status, body) == (202, {"flagged": False, "pending": True})
    assert stored(host, "jan") == []
    released.touch()
    (alert,) = until(lambda: stored(host, "jan"), 60, "the alert that was pending")
    status, _, body = asked(host.http, record, tag="slow")
    assert (status, body["action"], body["alerts"][0]["id"]) == (200, "step_up", alert["id"])
    assert len(stored(host, "jan")) == 1


def test_twenty_askers_at_once_each_get_their_own(host):
    def ask(number):
        kinds = [{}, {"risky": True}, {"stolen": True}, {"amount": 9000}]
        told = []
        for turn in range(8):
            name = f"kim-{number}-{turn}"
            status, _, body = asked(host.http, user(name, **kinds[(number + turn) % 4]))
            assert status == (204 if body is None else 200)
            if body:
                (alert,) = body["alerts"]
                assert re.search(rf"\b{name}\b", alert["message"])
            told.append(body["action"] if body else None)
        return told

    with ThreadPoolExecutor(20) as pool:
        answers = Counter(action for told in pool.map(ask, range(20)) for action in told)
    assert answers == {None: 40, "step_up": 40, "deny": 40, "allow": 40}
    assert len(stored(host, "kim")) == 120


class TestTheClientInTheDocs:
    @pytest.fixture
    def client(self):
        (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        function = code.partition("def advice")[2].partition("\n\n\n")[0]
        assert len(function.splitlines()) + 2 <= 15
        made = {}
        exec(compile(code, "verdicts.md", "exec"), made)
        return made

    def test_it_asks_for_a_second_factor_where_that_is_advised(self, host, client):
        asked_of = []

        def second_factor(name, right=True):
            asked_of.append(name)
            return right

        def advice(record):
            return client["advice"](record, url=f"http://127.0.0.1:{host.http}", seconds=120)

        def log_in(address, factor=second_factor):
            return client["log_in"]("lea", address, factor, advice)

        assert log_in("192.0.2.1")
        assert log_in("192.0.2.1")
        assert asked_of == []
        assert log_in("203.0.113.9")
        assert asked_of == ["lea"]
        assert not log_in("198.51.100.7", lambda name: second_factor(name, right=False))
        assert log_in("203.0.113.9")  # known by now
        assert asked_of == ["lea", "lea"]

    def test_each_answer(self, host, client, tmp_path):
        def advice(record, port=host.http, **more):
            return client["advice"](record, url=f"http://127.0.0.1:{port}", seconds=120, **more)

        assert advice(user("mia")) == "allow"
        assert advice(user("mia", risky=True)) == "step_up"
        assert advice(user("mia", stolen=True)) == "deny"
        waits = user("mia", until=str(tmp_path / "released"))
        assert advice(waits, port=host.quick, tag="slow") == "allow"
        assert advice(waits, port=host.quick, tag="slow", otherwise="deny") == "deny"
        (tmp_path / "released").touch()
        assert advice(user("mia"), port=free_port(), otherwise="step_up") == "step_up"

    def test_a_stranger_learns_nothing(self, sidecar, client):
        guarded = sidecar("guarded")
        guarded.config["inputs"][1]["verdict_timeout"] = "2m"
        guarded.config["inputs"][1]["keys"] = [{"name": "shop", "token": "sekrit", "tags": ["app.*"]}]
        guarded.start()
        assert asked(guarded.http, user("nan"))[0] == 401
        assert asked(guarded.http, user("nan"), headers={"X-Api-Key": "sekrit"}, tag="other")[0] == 403
        assert asked(guarded.http, user("nan"), headers={"X-Api-Key": "sekrit"})[0] == 204
        url = f"http://127.0.0.1:{guarded.http}"
        assert client["advice"](user("nan"), url=url, otherwise="deny", seconds=120) == "deny"
        assert client["advice"](user("nan"), url=url, otherwise="deny", seconds=120, key="sekrit") == "allow"
