"""The way back: flagged records go over forward to a second sidecar and over HTTP to a recording server."""

from __future__ import annotations

import json
import shutil

import pytest
from pytest_httpserver import HTTPServer
from sidecars import Sender, until
from werkzeug import Response

from pluginhost import shipped_analyzers

FAILED = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"
FLAGGED = '''
from pluginhost import Alert, analyzer

@analyzer(tags="flagged.**", where="pluginhost.alert.severity:high")
def came_back(event):
    """What another sidecar flagged."""
    return Alert("low", f"{event.tag}: {event['pluginhost.alert.id']} hop {event['pluginhost.hop']} {event['message']}")
'''


@pytest.fixture
def recording():
    """An HTTP server that keeps what it is sent."""
    with HTTPServer() as server:
        server.bodies = []
        server.expect_request("/in").respond_with_handler(lambda request: server.bodies.append(request.get_json()) or Response("ok"))
        yield server


@pytest.fixture
def shipped(tmp_path):
    """The folder with the two of the shipped analyzers that are looked at here: before all of them are tried, seconds pass."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in ("_*", "ssh_bruteforce", "web_signatures"):
        for file in shipped_analyzers().glob(f"{name}.py"):
            shutil.copy(file, folder)
    return str(folder)


def test_flagged_records_come_back_over_forward_and_http(sidecar, recording, shipped):
    two = sidecar("two", hostname="two", loop_tag="returned")
    (two.analyzers / "came_back.py").write_text(FLAGGED)
    two.start()
    one = sidecar("one", hostname="one", analyzers=[shipped], outputs=[
        {"type": "forward", "servers": [f"127.0.0.1:{two.forward}"]},
        {"type": "http", "url": recording.url_for("/in"), "what": "record"},
        {"type": "http", "name": "never", "url": recording.url_for("/in"), "when": "event.severity:>73"},
        {"type": "file", "path": "alerts.ndjson", "analyzers": ["web_signatures"]},
    ])  # fmt: skip
    one.start()
    Sender(one.forward, "auth.sshd").send([{"message": FAILED, "nested": {"kept": [1, 2.5, None]}}] * 12)
    one.settled()
    (alert,) = one.alerts()
    until(lambda: one.status()["counts"]["output.forward"]["delivered"] == 1)
    until(lambda: len(recording.bodies) == 1)
    two.settled()
    (back,) = two.alerts()
    assert back["headline"] == f"flagged.high.ssh_bruteforce: {alert['id']} hop 1 {FAILED}"
    record = back["document"]["pluginhost"]["record"]
    assert record["nested"] == {"kept": [1, 2.5, None]}
    assert back["time"] == alert["time"]  # to the nanosecond
    ((posted,),) = recording.bodies
    assert posted["pluginhost"]["alert"]["id"] == alert["id"]
    assert posted["event"]["original"] == FAILED
    counts = one.status()["counts"]
    assert counts["output.never"]["delivered"] == counts["output.file"]["delivered"] == 0


def test_what_we_sent_is_refused_when_it_comes_in_again(sidecar, shipped):
    one = sidecar(hostname="one", analyzers=[shipped]).start()
    sender = Sender(one.forward, "flagged.high.ssh_bruteforce")
    sender.send([{"message": FAILED}] * 12)
    sender.tag = "auth.sshd"
    sender.send([{"message": FAILED, "pluginhost": {"host": "one", "hop": 1}}] * 12)
    sender.send([{"message": FAILED, "pluginhost": {"host": "other", "hop": 3}}] * 12)
    assert sender.acked == 36  # refused, yet acknowledged: nobody sends them for ever
    one.settled()
    assert one.alerts() == []
    assert one.status()["counts"]["guard"]["loop_refused"] == 36
    sender.send([{"message": FAILED, "pluginhost": {"host": "other", "hop": 2}}] * 12)
    one.settled()
    assert len(one.alerts()) == 1


def test_a_file_output_gets_what_its_query_wants(sidecar, shipped):
    one = sidecar(analyzers=[shipped], outputs=[
        {"type": "file", "path": "high.ndjson", "when": "log.level:high AND source.ip:203.0.113.0\\/24"},
        {"type": "file", "name": "all", "path": "all.ndjson"},
    ])  # fmt: skip
    one.start()
    line = '{} - - [21/Nov/2026:10:00:00 +0000] "GET /../etc/passwd HTTP/1.1" 404 12 "-" "curl"'
    sender = Sender(one.forward, "auth.sshd")
    sender.send([{"message": FAILED}] * 10 + [{"message": line.format("198.51.100.1")}])
    one.settled()
    until(lambda: one.status()["counts"]["output.all"]["delivered"] == 2)
    until(lambda: one.status()["counts"]["output.file"]["delivered"] == 1)
    assert [json.loads(text)["rule"]["id"] for text in (one.folder / "high.ndjson").read_text().splitlines()] == ["ssh_bruteforce"]
    assert len((one.folder / "all.ndjson").read_text().splitlines()) == 2
