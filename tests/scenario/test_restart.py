"""What survives: a graceful stop, a kill -9 of the host, a kill -9 of a worker, a second host, a broken file at start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from sidecars import Sender, until

COUNTER = '''
from pluginhost import Alert, Event, SlidingCount, analyzer

@analyzer(key="user")
def every_tenth(event: Event, seen: SlidingCount = SlidingCount("1d"), step: int = 10):
    """Every tenth record of a user."""
    count = seen.add(event)
    return Alert("low", f"{event['user']} {count}") if count % step == 0 else None
'''


def headlines(one):
    return sorted(alert["headline"] for alert in one.alerts())


def expected(per_user, users="abcd"):
    return sorted(f"{user} {count}" for user in users for count in range(10, per_user + 1, 10))


def records(number, users="abcd"):
    return [{"user": user, "seq": number} for user in users]


def test_a_stop_and_a_start_go_on_where_it_was(sidecar):
    one = sidecar()
    (one.analyzers / "every_tenth.py").write_text(COUNTER)
    one.start()
    sender = Sender(one.forward)
    for number in range(25):
        sender.send(records(number))
    assert one.stop() == 0
    one.start()
    for number in range(25, 40):
        sender.send(records(number))
    one.settled()
    assert headlines(one) == expected(40)


@pytest.mark.parametrize("victim", ["host", "worker"])
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_under_load_loses_and_doubles_nothing(sidecar, victim, workers):
    one = sidecar(workers=workers)
    (one.analyzers / "every_tenth.py").write_text(COUNTER)
    one.start()
    sender, done = Sender(one.forward), threading.Event()

    def send():
        for number in range(120):
            sender.send([{**record, "pad": "x" * 200} for record in records(number)])
        done.set()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    for at in (60, 200):
        until(lambda at=at: sender.acked >= at)
        if victim == "host":
            one.kill()
            one.start()
        else:
            os.kill(until(lambda: one.status()["workers"][0]), signal.SIGKILL)
    assert done.wait(60)
    until(lambda: one.ask("analysed") == [True])
    assert headlines(one) == expected(120)


def test_a_second_host_on_the_same_data_is_refused(sidecar):
    one = sidecar().start()
    command = [sys.executable, "-m", "pluginhost", "run"]
    again = subprocess.run(command, cwd=one.folder, capture_output=True, text=True, timeout=30, check=False)
    assert again.returncode == 2
    assert "host.running: another pluginhost runs on" in again.stderr
    assert "Traceback" not in again.stderr


def test_a_lost_file_of_a_worker_is_told_and_nothing_is_touched(sidecar):
    one = sidecar(workers=2).start()
    Sender(one.forward).send(records(0))
    one.settled()
    one.stop()
    (one.data / "shard-1.db").unlink()
    with pytest.raises(AssertionError, match="one of 2 workers, but it holds the state of 1"):
        one.start()


def test_a_port_in_use_is_told_as_a_page(sidecar):
    one = sidecar().start()
    two = sidecar("two")
    two.forward = two.config["inputs"][0]["port"] = one.forward
    with pytest.raises(AssertionError, match=r"input\.address") as told:
        two.start()
    assert "Traceback" not in str(told.value)


def test_a_start_on_a_broken_file_runs_the_last_good_one_and_keeps_its_state(sidecar):
    one = sidecar()
    file = one.analyzers / "every_tenth.py"
    file.write_text(COUNTER)
    one.start()
    sender = Sender(one.forward)
    for number in range(9):
        sender.send(records(number))
    one.stop()
    file.write_text(COUNTER.replace("def every_tenth", "def every_tenth("))
    one.start()
    one.says("still: every_tenth as it was before")
    sender.send(records(9))
    one.settled()
    assert headlines(one) == expected(10)
    (problem,) = one.status()["problems"]
    assert "analyzer.syntax" in problem


def test_a_chunk_whose_ack_died_with_the_host_or_its_connection_counts_once(sidecar):
    one = sidecar()
    (one.analyzers / "every_tenth.py").write_text(COUNTER)
    one.start()
    sender = Sender(one.forward)
    for number in range(10):
        # the ack was never read: the connection is reset, and the shipper sends the chunk again under its id
        sender.send_and_reset([{"user": "a", "seq": number}], chunk=f"chunk-{number}")
        sender.send([{"user": "a", "seq": number}], chunk=f"chunk-{number}")
    one.settled()
    assert headlines(one) == ["a 10"]
    assert one.status()["counts"]["duplicates"]["duplicates"] == 10
    one.kill()
    one.start()
    for number in range(10):
        sender.send([{"user": "a", "seq": number}], chunk=f"chunk-{number}")  # as far as the shipper knows
    sender.send([{"user": "a", "seq": 10}], chunk="chunk-10")
    sender.send([{"user": "a", "seq": 10}], chunk="chunk-10")  # equal content over a line that lives: two chunks
    for number in range(8):
        sender.send([{"user": "a"}], chunk=f"more-{number}")
    one.settled()
    assert headlines(one) == ["a 10", "a 20"]


def test_an_http_batch_whose_answer_died_with_its_connection_counts_once(sidecar):
    one = sidecar()
    (one.analyzers / "every_tenth.py").write_text(COUNTER)
    one.start()
    batch = [{"user": "a", "seq": number} for number in range(10)]
    one.post_and_reset(batch)
    one.post(batch)  # the answer was never read: the shipper sends the batch again
    one.settled()
    assert headlines(one) == ["a 10"]
    assert one.status()["counts"]["duplicates"]["duplicates"] == 1
    one.post(batch)  # the copy was answered: this is another
    one.settled()
    assert headlines(one) == ["a 10", "a 20"]


def test_an_http_batch_that_is_sent_again_after_a_timeout_counts_once(sidecar):
    one = sidecar()
    (one.analyzers / "every_tenth.py").write_text(COUNTER)
    one.start()
    batch = [{"user": "a", "seq": number} for number in range(10)]
    one.post(batch)
    one.kill()  # whether the answer arrived nobody knows any more: the shipper sends the batch again
    one.start()
    one.post(batch)
    one.settled()
    assert headlines(one) == ["a 10"]
    one.post(batch)  # an equal batch later, its first one answered: it is another
    one.settled()
    assert headlines(one) == ["a 10", "a 20"]
