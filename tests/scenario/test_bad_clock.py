"""The wall clock is put forward and back by hours while messages, digests and mutes wait: nobody waits for hours, nobody is told twice."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from recording import Answer, recording
from shims import Clock
from sidecars import until

pytestmark = pytest.mark.xdist_group("notifiers")

HOUR = 3600
EVERY = '''
from pluginhost import Alert, analyzer

@analyzer
def every(event):
    """Each record."""
    return Alert("high", str(event["seq"]))
'''


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def webhook(url, name, **options):
    return {"type": "webhook", "name": name, "url": f"{url}/{name}", **options}


def told(desk):
    """By output, in how many messages each record was told of; one that was sent again because of the kill is the same message."""
    messages = {(one.path[1:], one.headers["idempotency-key"]): json.loads(one.body)["alerts"] for one in desk.received}
    taken = Counter((path, alert["message"]) for (path, _), alerts in messages.items() for alert in alerts)
    return {name: {seq: often for (path, seq), often in taken.items() if path == name} for name, _ in taken}


def each(count):
    return {str(seq): 1 for seq in range(count)}


def test_nobody_waits_for_hours_and_nobody_is_told_twice(sidecar, clock):
    with recording() as desk, recording(Answer(503, headers={"Retry-After": "2"})) as busy:
        five = datetime.now(UTC) + timedelta(hours=5)
        hours = {"from": f"{five:%H:%M}", "to": f"{five + timedelta(hours=1):%H:%M}", "outside": "hold"}
        one = sidecar(outputs=[
            webhook(desk.url, "gathered", aggregate={"every": "2s"}), webhook(desk.url, "limited", limit={"most": 1, "per": "2s"}),
            webhook(busy.url, "retried", limit={"most": 0}), webhook(desk.url, "held", hours=hours),
        ])  # fmt: skip
        (one.analyzers / "every.py").write_text(EVERY)
        one.start(*clock.before)

        def post(seq):
            one.post([{"seq": seq}])
            one.settled()

        def all_told(count):
            until(lambda: all(told(desk).get(name) == each(count) for name in ("gathered", "limited")), 15, f"word of {count} alerts")
            until(lambda: len(busy.received) == count + 1, 15)

        post(0)
        clock.shift(-3 * HOUR)
        post(1)
        all_told(2)
        clock.shift(3 * HOUR)
        post(2)
        all_told(3)
        post(3)
        until(lambda: one.status()["counts"]["output.retried"]["delivered"] == 4)  # else it may be sent once more after the kill
        one.kill()
        clock.shift(-3 * HOUR)  # what was limited and gathered was so by a time that is six hours ahead
        one.start(*clock.before)
        post(4)
        all_told(5)
        assert "held" not in told(desk)
        one.stop()
        clock.shift(5 * HOUR + 600)
        one.start(*clock.before)
        until(lambda: told(desk).get("held"), 15)
        one.stop()
        taken = told(desk)
        assert [taken[name] for name in ("gathered", "limited", "held")] == [each(5)] * 3
        assert len({request.headers["idempotency-key"] for request in busy.received}) == 5
        assert len(busy.received) == 6


def test_a_mute_ends_by_the_time_of_the_journal_and_does_not_come_back(sidecar, clock):
    with recording() as desk:
        one = sidecar(outputs=[webhook(desk.url, "webhook")])
        (one.analyzers / "every.py").write_text(EVERY)
        one.start(*clock.before)
        one.ask("mute", seconds=HOUR, analyzers=["every"], name="quiet")
        for seq, hours in enumerate((0, -3, 2, 0)):
            clock.shift(hours * HOUR)
            one.post([{"seq": seq}])
            one.settled()
        assert {alert["headline"]: alert["suppressed"] for alert in one.alerts(suppressed=None)} == {
            "0": "quiet", "1": "quiet", "2": "", "3": ""}  # fmt: skip
        until(lambda: told(desk) == {"webhook": {"2": 1, "3": 1}})
