"""What an attacker may write into an alert, and alerts that are too large: people read text, services take what they can."""

from __future__ import annotations

import email
import email.policy
import json
import re

import pytest
from aiosmtpd.controller import Controller
from click.testing import CliRunner
from proxies import Answer as Told
from proxies import Gate
from recording import Answer, recording
from sidecars import free_port, until

from pluginhost.cli import main

pytestmark = pytest.mark.xdist_group("notifiers")

NAMED = '''
from pluginhost import Alert, analyzer

@analyzer
def named(event):
    """Each record, in the words of who sent it."""
    return Alert("high", f"login of {event['user.name']}", reason=event["text"], fields={"user.name": event["user.name"]},
                 evidence=[event] if "message" in event else ())
'''
HOSTILE = ("eve\r\nBcc: all@example.com\r\n\r\n<!channel> <https://evil.example|click> <script>alert(1)</script> *b* _i_ `c` "
           "[l](https://evil.example) @here {title} {{7*7}} {0.__class__} %(x)s ${HOME} \x1b[2J\x1b]0;t\x07 \u202eevil\u2028")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Mails:
    """Keeps envelopes, for aiosmtpd."""

    def __init__(self):
        self.kept = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the name is the library's
        self.kept.append(envelope)
        return "250 OK"


def counts(one, name):
    return one.status()["counts"][f"output.{name}"]


def said(one, *words):
    made = CliRunner().invoke(main, [*words[:2], "--config", str(one.folder / "pluginhost.yaml"), *words[2:]])
    return made.output


def test_a_forged_line_stays_text_wherever_people_are_told(sidecar):
    mails, port = Mails(), free_port()
    mail = Controller(mails, hostname="127.0.0.1", port=port)
    mail.start()
    with recording() as desk, recording(usual=Answer(404, HOSTILE.encode())) as evil:
        titled = {"title": "{user.name} {no.such.field}", "missing": "nothing"}
        one = sidecar(outputs=[
            {"type": "email", "from": "a@example.com", "to": "b@example.com", "host": "127.0.0.1", "port": port, "security": "none",
             "html": True, **titled},
            {"type": "slack", "url": f"{desk.url}/slack", **titled}, {"type": "teams", "url": f"{desk.url}/teams", **titled},
            {"type": "telegram", "token": "1:a", "chat": "1", "address": f"{desk.url}/telegram", **titled},
            {"type": "webhook", "url": f"{desk.url}/webhook", "headers": {"X-User": "{user.name}"},
             "payload": {"text": "{user.name} {no.such}"}},
            {"type": "webhook", "name": "evil", "url": f"{evil.url}/"},
        ])  # fmt: skip
        (one.analyzers / "named.py").write_text(NAMED)
        one.start()
        try:
            one.post([{"user": {"name": HOSTILE}, "text": HOSTILE}])
            names = ("email", "slack", "teams", "telegram", "webhook")
            until(lambda: all(counts(one, name)["delivered"] == 1 for name in names) and one.status()["outputs"][-1]["trouble"])
        finally:
            mail.stop()
        bodies = {request.path.split("/")[1]: json.loads(request.body) for request in desk.received}
        (hook,) = (request for request in desk.received if request.path == "/webhook")
        told = [said(one, "alerts", "show", one.alerts()[0]["id"]), said(one, "alerts", "list"), said(one, "notify", "test", "evil"),
                said(one, "notify", "list"), one.log(), *(output["trouble"] for output in one.status()["outputs"])]  # fmt: skip

    (envelope,) = mails.kept
    made = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert envelope.rcpt_tos == ["b@example.com"]
    assert made["Bcc"] is None
    assert made["Subject"].startswith(r"eve Bcc: all@example.com <!channel>") or made["Subject"].startswith("eve\\x0d\\x0aBcc")
    assert made["Subject"].endswith("nothing") or len(made["Subject"]) > 100
    text, html = (part.get_content() for part in made.iter_parts())
    assert CONTROL.findall(text.replace("\r\n", "\n")) == []
    assert "<script" not in html
    assert "&lt;script&gt;" in html

    slack = json.dumps(bodies["slack"])
    assert "<!channel>" not in slack
    assert "<https://evil" not in slack
    assert "&lt;!channel&gt;" in slack
    assert "<b>" not in json.dumps(bodies["telegram"]).replace("<b>", "", 1)  # but for the title's own
    assert "<script" not in json.dumps(bodies["telegram"])
    assert hook.headers["x-user"].isprintable()
    assert "bcc" not in hook.headers
    for body in bodies.values():
        everything = json.dumps(body, ensure_ascii=False).replace("\\", "")  # by which Markdown is escaped
        assert "{{7*7}} {0.__class__} %(x)s ${HOME}" in everything  # as it was written
        assert CONTROL.findall(everything) == []
    assert bodies["webhook"]["text"].endswith(" <missing>")

    for one_told in told:
        assert CONTROL.findall(one_told) == []
    assert told[2].startswith("evil: refused by http://127.0.0.1:")


def test_an_alert_of_ten_megabytes_is_stored_whole_told_lightly_and_keeps_back_no_neighbour(sidecar):
    taken, told = [], {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}

    def search(request):
        if "_bulk" not in request.path:
            found = {"version": {"number": "8.19.0"}} if request.path == "/" else {"hits": {"hits": []}}
            return Told(200 if request.path == "/" or request.method != "GET" else 404, json.dumps(found).encode(), told)
        if len(request.body) > 8 << 20:
            return Told(413)
        actions = [json.loads(line) for line in request.body.splitlines()[::2]]
        taken.extend(one["create"]["_id"] for one in actions if "create" in one)
        items = [{next(iter(one)): {"_index": ".ds-x", "status": 201}} for one in actions]
        return Told(200, json.dumps({"errors": False, "items": items}).encode(), told)

    big = "x" * (5 << 20)  # it is the record, what is kept of it as evidence, and the line as it was
    with Gate(rule=search) as gate, recording() as desk:
        one = sidecar(outputs=[{"type": "elasticsearch", "hosts": [gate.url]}, {"type": "webhook", "url": desk.url, "limit": {"most": 0}},
                               {"type": "file", "path": "alerts.ndjson"}])  # fmt: skip
        (one.analyzers / "named.py").write_text(NAMED)
        one.start()
        records = [{"user": {"name": name}, "text": "t"} for name in ("ann", "bob", "eve", "dan")]
        records[1] |= {"message": big}
        records[2] |= {"message": big[: 1 << 20], "text": big[: 1 << 20]}
        for record in records:
            one.post([record])
        until(lambda: counts(one, "webhook")["delivered"] == counts(one, "file")["delivered"] == 4, 60)
        until(lambda: counts(one, "elasticsearch")["delivered"] == 3 and counts(one, "elasticsearch")["dead"] == 1, 60)
        ids = {alert["document"]["user"]["name"]: alert for alert in one.alerts()}
        whole = ids["bob"]["document"]["pluginhost"]
        assert whole["record"]["message"] == whole["events"][0]["message"] == big
        assert sorted(taken) == sorted(ids[name]["id"] for name in ("ann", "eve", "dan"))
        (letter,) = one.ask("dead_letters")
        assert (letter["stage"], letter["reason"]) == ("output", "413 Request Entity Too Large")
        sizes = {json.loads(request.body)["alerts"][0]["user"]["name"]: len(request.body) for request in desk.received}
        assert sizes.keys() == {"ann", "bob", "eve", "dan"}
        assert max(sizes.values()) < 200_000, sizes
