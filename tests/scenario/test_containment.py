"""An analyzer that ends or hangs the interpreter costs its own record, and nobody else anything."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sidecars import Sender, until

from pluginhost.engine.trace import last

VICTIM = '''
import os
from pluginhost import Alert, analyzer

@analyzer
def deadly(event):
    """Ends the worker at one record."""
    if event["seq"] == 57:
        DEED
    return Alert("low", f"deadly {event['seq']}")
'''
COUNTER = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(pinned=True)
def counter(event, seen: SlidingCount = SlidingCount("1d")):
    """Counts."""
    return Alert("low", f"counter {seen.add(event)}")
'''


@pytest.mark.parametrize("deed", ["os._exit(3)", "os.abort()", "while True: pass"])
def test_a_deadly_record_is_set_aside_after_the_second_death_and_everything_else_goes_on(sidecar, deed):
    one = sidecar(worker_patience="3s", budget="0")  # a machine that is busy makes nobody silent for so long
    (one.analyzers / "deadly.py").write_text(VICTIM.replace("DEED", deed))
    (one.analyzers / "counter.py").write_text(COUNTER)
    one.start()
    sender = Sender(one.forward)
    for start in range(0, 100, 10):
        sender.send([{"seq": start + n} for n in range(10)])
    one.settled()
    wanted = {f"deadly {n}" for n in range(100) if n != 57} | {f"counter {n}" for n in range(1, 101)}
    found = [alert["headline"] for alert in one.alerts()]
    assert sorted(found) == sorted(wanted)
    (letter,) = one.ask("dead_letters")
    assert (letter["stage"], letter["reason"]) == ("analyzer", "deadly ended the worker twice")
    assert one.status()["counts"]["worker.0"]["restarts"] == 2
    one.kill()  # before any checkpoint: the next start replays the record, and knows
    one.start()
    sender.send([{"seq": 100}])
    one.settled()
    assert sorted(alert["headline"] for alert in one.alerts()) == sorted([*wanted, "deadly 100", "counter 101"])
    assert one.status()["counts"]["worker.0"]["restarts"] == 0


def test_a_worker_killed_again_while_it_starts_blames_no_analyzer(sidecar):
    """The first death is at a call; the next ones come before any: they are nobody's fault."""
    one = sidecar()
    slow = "event['seq'] == 3 and __import__('time').sleep(0.5)"
    (one.analyzers / "counter.py").write_text(COUNTER.replace("return Alert", f"{slow}\n    return Alert"))
    one.start()
    sender = Sender(one.forward)
    sender.send([{"seq": n} for n in range(3)])
    one.settled()
    sender.send([{"seq": 3}])
    until(lambda: last(one.data / "shard-0.trace"))  # it is in the call now
    for number in range(4):
        os.kill(until(lambda: one.status()["workers"][0]), signal.SIGKILL)
        until(lambda at=number: one.status()["counts"]["worker.0"]["restarts"] > at)
    sender.send([{"seq": 4}])
    one.settled()
    assert sorted(alert["headline"] for alert in one.alerts()) == [f"counter {n}" for n in range(1, 6)]
    assert one.ask("dead_letters") == []


@pytest.mark.long
def test_workers_that_somebody_kills_are_no_analyzers_fault(sidecar):
    """At another record each time, and more often than an analyzer may end its worker."""
    one = sidecar(budget="0")
    (one.analyzers / "counter.py").write_text(COUNTER.replace("return Alert", "__import__('time').sleep(0.4)\n    return Alert"))
    one.start()
    sender = Sender(one.forward)
    for number in range(5):
        worker = until(lambda: one.status()["workers"][0])  # known before, for the call does not take long
        sender.send([{"seq": number}])
        until(lambda at=number: (call := last(one.data / "shard-0.trace")) and call.offset > at)  # the first row is the start
        os.kill(worker, signal.SIGKILL)
        until(lambda at=number: one.status()["counts"]["worker.0"]["restarts"] == at + 1)
    one.settled()
    assert one.log().count("ended in analyzer counter") == 5
    assert one.status()["quarantine"] == {}
    assert sorted(alert["headline"] for alert in one.alerts()) == [f"counter {n}" for n in range(1, 6)]


def test_a_worker_that_is_stuck_ends_with_its_host(sidecar):
    one = sidecar(worker_patience="60s", budget="0")
    (one.analyzers / "stuck.py").write_text(
        "from pluginhost import analyzer\n\n@analyzer(where='bad:true')\ndef stuck(event):\n    while True: pass\n"
    )
    one.start()
    worker = one.status()["workers"][0]
    one.post([{"bad": True}])
    until(lambda: last(one.data / "shard-0.trace"))
    one.kill()
    until(lambda: not Path(f"/proc/{worker}").exists())
