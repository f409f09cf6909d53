"""Scores of a real sidecar: in the file beside the alerts', over a kill -9 none lost and each the same document; none unless enabled."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading

from sidecars import Sender, until

SCORES = '''
from pluginhost import Alert, Event, Intervals, Scored, analyzer

@analyzer(key="user")
def per_second(event: Event, seconds: Intervals = Intervals("1s")):
    """How many events of a user, second by second."""
    for one in seconds.add(event, {"all": 1}):
        yield Scored(one.totals["all"], 100.0, at=one.start, span=seconds.every, entity={"user.name": event["user"]})
    if event["seq"] % 50 == 0:
        yield Alert("low", f"{event['user']} {event['seq']}")
'''
BEGIN, SECONDS, USERS = 1_767_225_600, 100, "abcd"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def started(sidecar, **config):
    one = sidecar(outputs=[{"type": "file", "path": "alerts.ndjson", "scores": True}], **config)
    (one.analyzers / "per_second.py").write_text(SCORES)
    return one.start()


def send(sender, seconds):
    for second in seconds:
        sender.send([{"user": user, "seq": second} for user in USERS], when=BEGIN + second)


def test_kill_9_loses_no_score_and_makes_no_second_one(sidecar):
    one = started(sidecar, scores={"enabled": True, "health": False}, workers=2)
    sender = Sender(one.forward)
    thread = threading.Thread(target=send, args=(sender, range(SECONDS)), daemon=True)
    thread.start()
    for at in (150,):
        until(lambda at=at: sender.acked >= at)
        one.kill()
        one.start()
    thread.join(60)
    one.settled()
    expected = {(second, user) for second in range(SECONDS - 1) for user in USERS}
    file = one.folder / "alerts.scores.ndjson"
    until(lambda: {one["event"]["id"] for one in lines(file)} and len({one["event"]["id"] for one in lines(file)}) >= len(expected))
    documents = {}
    for made in lines(file):
        made["event"].pop("ingested")  # when it was sent
        assert documents.setdefault(made["event"]["id"], made) == made
    assert len(documents) == len(expected)
    found = {(made["@timestamp"], made["user"]["name"], made["pluginhost"]["score"]["value"]) for made in documents.values()}
    assert found == {(f"2026-01-01T00:{second // 60:02}:{second % 60:02}.000Z", user, 1.0) for second, user in expected}
    assert {made["event"]["kind"] for made in documents.values()} == {"metric"}
    assert sorted(alert["headline"] for alert in one.alerts()) == sorted(f"{user} {n}" for user in USERS for n in (0, 50))
    assert {made["event"]["kind"] for made in lines(one.folder / "alerts.ndjson")} == {"alert"}
    assert one.status()["counts"]["desk"]["alerts"] <= 8


def test_unless_they_are_enabled_there_are_none(sidecar):
    one = started(sidecar)
    send(Sender(one.forward), range(5))
    one.settled()
    until(lambda: len(lines(one.folder / "alerts.ndjson")) == len(USERS))
    assert one.stop() == 0
    assert not (one.folder / "alerts.scores.ndjson").exists()


def test_a_backtest_has_the_ids_of_the_live_run_and_draws_them(sidecar):
    one = started(sidecar, scores={"enabled": True, "health": False})
    send(Sender(one.forward), range(20))
    one.settled()
    live = one.folder / "alerts.scores.ndjson"
    until(lambda: len(lines(live)) == 19 * len(USERS))
    assert one.stop() == 0
    found = {made["event"]["id"]: made["pluginhost"]["score"] for made in lines(live)}
    live.unlink()
    records = [{"@timestamp": f"2026-01-01T00:00:{second:02}Z", "user": user, "seq": second} for second in range(20) for user in USERS]
    (one.folder / "past.ndjson").write_text("".join(json.dumps(record) + "\n" for record in records))
    command = [sys.executable, "-m", "pluginhost", "backtest", "past.ndjson", "--report", "report.html", "--output", "file", "--quiet"]
    subprocess.run(command, cwd=one.folder, check=True, timeout=60, capture_output=True)
    again = lines(live)
    assert {made["event"]["id"]: made["pluginhost"]["score"] for made in again} == found
    assert {made["data_stream"]["namespace"] for made in again} == {"backtest"}
    assert all(made["pluginhost"]["backtest"]["id"] for made in again)
    drawn = json.loads(re.search(r'"trends":(\{.*?\]\]\})', (one.folder / "report.html").read_text())[1])
    assert [point[1:] for point in drawn["per_second"]] == [[1.0, 100.0]] * 19
