"""The wall clock jumps under a running sidecar, back and forward, and between two runs: no record is lost, no window goes wrong."""

from __future__ import annotations

import time

import pytest
from forward_receiver import Receiver
from shims import Clock
from sidecars import free_port, until
from silence import SILENT

from pluginhost.store.journal import Journal

HOUR = 3600
BURST = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(key="user")
def burst(event, seen: SlidingCount = SlidingCount("10m")):
    """Every fifth record of a user within ten minutes, by event time."""
    count = seen.add(event)
    return Alert("high", f"{event['user']} {event['seq']}") if count % 5 == 0 else None
'''


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture
def one(sidecar, clock):
    made = sidecar(workers=2)
    (made.analyzers / "burst.py").write_text(BURST)
    return made.start(*clock.before)


def send(one, user, first, count):
    """So many records without a time of their own: they happened when they arrived."""
    one.post([{"user": user, "seq": number} for number in range(first, first + count)])


def headlines(one):
    one.settled()
    return sorted(alert["headline"] for alert in one.alerts())


def arrivals(one):
    """When each row arrived, by the journal's own word. Only with the host stopped."""
    journal = Journal(one.data / "journal", clock=lambda: 0)
    found = [row.arrival for row in journal.read(journal.start)]
    journal.close()
    return found


def test_alerts_that_wait_for_an_output_leave_although_the_clock_went_back(sidecar, clock):
    port = free_port()
    one = sidecar(outputs=[{"type": "forward", "servers": [f"127.0.0.1:{port}"]}])
    (one.analyzers / "burst.py").write_text(BURST)
    one.start(*clock.before)
    send(one, "a", 1, 5)
    until(lambda: one.status()["outputs"][0]["trouble"])
    clock.shift(-HOUR)
    with Receiver(port=port) as receiver:
        until(lambda: receiver.events, 60)
    assert [record["pluginhost"]["alert"]["message"] for _, _, record in receiver.events] == ["a 5"]


def test_timers_come_late_but_come_when_the_clock_went_back(sidecar, clock):
    one = sidecar(lateness="0s")
    (one.analyzers / "silent.py").write_text(SILENT)
    one.start(*clock.before)
    send(one, "a", 1, 1)
    one.settled()
    clock.shift(-HOUR)
    send(one, "b", 1, 1)
    time.sleep(1)
    assert headlines(one) == []
    clock.shift(HOUR)
    until(lambda: headlines(one) == ["silent", "silent"])


def test_records_around_a_jump_back_are_all_counted(one, clock):
    send(one, "a", 1, 4)
    clock.shift(-HOUR)
    send(one, "a", 5, 1)  # the fifth within ten minutes: arrival stands still, it does not go back
    send(one, "b", 1, 4)
    clock.shift(0)
    send(one, "b", 5, 1)
    assert headlines(one) == ["a 5", "b 5"]
    one.kill()
    found = arrivals(one)
    assert found == sorted(found)
    assert time.time_ns() - max(found) < 60 * 10**9


def test_a_start_with_the_clock_behind_goes_on_from_where_the_journal_was(one, clock):
    send(one, "a", 1, 3)
    one.settled()
    latest = time.time_ns()
    one.stop()
    clock.shift(-HOUR)
    one.start(*clock.before)
    send(one, "a", 4, 2)
    assert headlines(one) == ["a 5"]
    one.kill()
    found = arrivals(one)
    assert found == sorted(found)
    assert max(found) <= latest


def test_a_jump_forward_ends_windows_and_nothing_else(one, clock):
    send(one, "a", 1, 4)
    clock.shift(HOUR)
    send(one, "a", 5, 1)  # an hour later by all that is known: a window of its own
    send(one, "a", 6, 4)
    assert headlines(one) == ["a 9"]
