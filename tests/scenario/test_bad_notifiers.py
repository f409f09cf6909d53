"""Those who are to be told of alerts cannot be reached, refuse, are slow or break: each has a clear outcome, and nothing is lost."""

from __future__ import annotations

import json
import sqlite3
import ssl
from collections import Counter
from contextlib import closing

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from certificates import Authority
from failing import Mailbox
from recording import Answer, recording
from sidecars import free_port, until

pytestmark = pytest.mark.xdist_group("notifiers")

EVERY = '''
from pluginhost import Alert, analyzer

@analyzer
def every(event):
    """Each record."""
    return Alert("high", f"record {event['seq']}")
'''


@pytest.fixture
def started(sidecar):
    """A sidecar with these outputs."""

    def start(*outputs, folder="one", **config):
        one = sidecar(folder, outputs=list(outputs), **config)
        (one.analyzers / "every.py").write_text(EVERY)
        return one.start()

    return start


def counts(one, name):
    return one.status()["counts"][f"output.{name}"]


def troubles(one):
    return {output["name"]: output["trouble"] for output in one.status()["outputs"]}


def webhook(url, name="webhook", **options):
    return {"type": "webhook", "name": name, "url": url, **options}


def post(one, first, last):
    one.post([{"seq": number} for number in range(first, last)])
    one.settled()


def told(desk, path=None):
    """How often each record was told of, to those who took it in."""
    taken = [json.loads(one.body) for one in desk.received if one.method == "POST" and path in (None, one.path)]
    return Counter(alert["message"] for one in taken for alert in one["alerts"])


def messages(one, output):
    """How many messages to an output came to the same end, by status and reason. Only with the host stopped."""
    with closing(sqlite3.connect(one.data / "alerts.db")) as store:
        return Counter(store.execute("SELECT status, error FROM notifications WHERE output = ?", (output,)).fetchall())


def test_who_refuses_or_cannot_be_reached_waits_aloud_and_is_told_once_it_is_mended(started, tmp_path):
    refused = {"/denied": 401, "/forbidden": 403, "/missing": 404, "/gone": 410}
    authority, port, box = Authority(tmp_path / "tls"), free_port(), Mailbox(lambda: None)
    secured, pair = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), authority.issue("desk")
    secured.load_cert_chain(pair["cert"], pair["key"])

    def answer(request):
        right = request.headers.get("authorization") == "Bearer right-key"
        return Answer() if right else Answer(refused.get(request.path, 200), b"<html>\x1b[2Jno</html>")

    mail = Controller(box, hostname="127.0.0.1", port=port, tls_context=secured, require_starttls=True, auth_required=True,
                      authenticator=lambda *given: AuthResult(success=given[-1].password == b"right-key", handled=False))  # fmt: skip
    mail.start()
    with recording(usual=answer) as desk, recording(ssl=secured) as proven:
        bad = [webhook(desk.url + path, path[1:], headers={"Authorization": "Bearer wrong-key"}) for path in refused]
        bad += [webhook(desk.url + "/good", "half", urls=[desk.url + "/denied"]),
                webhook("http://nobody.invalid/", "nowhere"), webhook(proven.url, "unproven"),
                {"type": "email", "name": "email", "from": "a@example.com", "to": "b@example.com", "host": "127.0.0.1", "port": port,
                 "username": "ann", "password": "wrong-key", "tls": {"ca": str(authority.ca)}}]  # fmt: skip
        one = started(*bad, webhook(desk.url + "/page", "page"))
        try:
            post(one, 0, 2)
            until(lambda: all(troubles(one)[output["name"]] for output in bad), 30)
            why = troubles(one)
            assert {name: why[name][:3] for name in ("denied", "half", "forbidden", "missing", "gone", "email")} == {
                "denied": "401", "half": "401", "forbidden": "403", "missing": "404", "gone": "410", "email": "535"}  # fmt: skip
            assert "nobody.invalid" in why["nowhere"]
            assert "certificate verify failed" in why["unproven"].lower()
            until(lambda: counts(one, "page")["delivered"] == 2)  # a page of HTML with 200 is an answer like any other
            assert why["page"] == ""
            assert [counts(one, name)["failures"] for name in ("denied", "gone", "unproven", "email")] == [1] * 4  # slowly: each minute
            log = one.log()
            assert log.count("next try in 60 s") == 7  # all but the name that nobody has, which may be known in a moment
            assert "wrong-key" not in log + str(why)
            assert "\x1b" not in log + str(why)
            one.stop()
            mended = {"nowhere": {"url": desk.url + "/nowhere"}, "unproven": {"tls": {"ca": str(authority.ca)}},
                      "email": {"password": "right-key"}, "page": {}, "half": {"urls": [desk.url + "/page"]},
                      **{path[1:]: {"headers": {"Authorization": "Bearer right-key"}} for path in refused}}  # fmt: skip
            for output in one.config["outputs"]:
                output.update(mended[output["name"]])
            desk.received.clear()
            one.start()
            until(lambda: all(counts(one, name)["delivered"] == 2 for name in troubles(one) if name != "page"), 30)
        finally:
            mail.stop()
        both = {"record 0": 1, "record 1": 1}
        assert [told(desk, path) for path in (*refused, "/nowhere")] == [both] * 5
        assert told(proven) == both
        assert sorted(box.taken.values()) == [1, 1]
        assert told(desk, "/page") == both  # by the half that was mended; nobody else is told again
        assert set(troubles(one).values()) == {""}
        assert one.ask("dead_letters") == []


def test_one_that_is_so_slow_that_its_buffer_fills_costs_dead_letters_and_holds_up_nobody(started):
    with recording(usual=Answer(slow=60)) as mute, recording() as desk:
        slow = webhook(mute.url, "slow", timeout="5m", limit={"most": 0}, buffer={"max_bytes": "20kb"})
        one = started(slow, webhook(desk.url, limit={"most": 0}), {"type": "file", "path": "alerts.ndjson"})
        for first in range(0, 100, 10):
            post(one, first, first + 10)
        until(lambda: counts(one, "webhook")["delivered"] == counts(one, "file")["delivered"] == 100)
        assert told(desk) == {f"record {number}": 1 for number in range(100)}
        letters = one.ask("dead_letters", limit=200)
        assert {letter["reason"] for letter in letters} == {"the buffer of the output is full"}
        assert len(letters) == one.status()["counts"]["desk"]["overflowed"]
        assert 50 < len(letters) < 100  # what there was room for waits
        one.says("as much waits for output slow as may; alerts for it go to the dead letters from now on")
        assert len(one.alerts()) == 100
        one.kill()


def test_a_hook_that_ends_its_process_costs_that_one_alert(started, tmp_path):
    (tmp_path / "hook.py").write_text("""\
import os

def on_alert(alert):
    if alert["message"] == "record 1":
        os.kill(os.getpid(), 9)
    if alert["message"] == "record 3":
        raise RuntimeError("\\x1b[2Jno")
    with open("%s", "a") as file:
        file.write(alert["message"] + "\\n")
""" % (tmp_path / "told"))  # fmt: skip
    one = started({"type": "hook", "file": str(tmp_path / "hook.py")})
    post(one, 0, 5)
    until(lambda: counts(one, "hook")["delivered"] == 3)
    assert (tmp_path / "told").read_text().split("\n") == ["record 0", "record 2", "record 4", ""]
    reasons = sorted(letter["reason"] for letter in one.ask("dead_letters"))
    assert reasons == ["RuntimeError: \\x1b[2Jno (hook.py:7)", "the hook ended its process (signal 9)"]
    assert counts(one, "hook")["dead"] == 2


def test_messages_of_an_output_that_is_taken_away_or_called_otherwise_stay_with_their_alerts(started):
    with recording(usual=Answer(503)) as away, recording() as desk:
        one = started(webhook(away.url, "old"), webhook(away.url, "same"), webhook(desk.url, "kept"))
        post(one, 0, 3)
        until(lambda: troubles(one)["old"] and troubles(one)["same"] and counts(one, "kept")["delivered"] == 3)
        one.stop()
        one.config["outputs"] = [webhook(desk.url + "/new", "new"), webhook(desk.url + "/same", "same"), webhook(desk.url, "kept")]
        one.start()
        one.says("output old is no longer configured: 3 alerts that waited for it stay in the embedded store only")
        post(one, 3, 4)
        until(lambda: counts(one, "same")["delivered"] == 4 and counts(one, "new")["delivered"] == counts(one, "kept")["delivered"] == 1)
        assert told(desk, "/new") == {"record 3": 1}  # a name is all that it is known by
        assert told(desk, "/same") == {f"record {number}": 1 for number in range(4)}
        assert told(desk, "/") == {f"record {number}": 1 for number in range(4)}
        assert len(one.alerts()) == 4
        one.stop()
        assert messages(one, "old") == {("dead", "the output is no longer configured"): 3}
        assert messages(one, "same") == {("delivered", ""): 4}


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        ([webhook("http://127.0.0.1:9"), webhook("http://127.0.0.1:9")], "$.outputs[1]: there are two outputs called `webhook`"),
        ([webhook("http://127.0.0.1:9"), webhook("http://127.0.0.1:9", "soc", title="{0.__class__.__init__}{x!r}")],
         "`title`: `{x!r}` is no name of a field\n  at output soc\n"),
        ([webhook("http://127.0.0.1:9", headers={"X-A\r\nB": "1"})],
         "`headers`: `X-A\\x0d\\x0aB` cannot be set\n  at output webhook\n"),
    ],
    ids=["twice", "template", "header"],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_taken_in(sidecar, outputs, what):
    one = sidecar(outputs=outputs)
    with pytest.raises(AssertionError) as told:
        one.start()
    assert what in str(told.value)
    assert one.process.returncode == 2
