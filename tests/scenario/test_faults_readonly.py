"""The disk turns read-only under a running sidecar: nothing is acknowledged that is not stored, nobody dies, and it goes on by itself."""

from __future__ import annotations

import threading
import urllib.error

import pytest
from shims import ReadOnly
from sidecars import Sender, until

EVERY = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(pinned=True)
def every(event, seen: SlidingCount = SlidingCount("1d")):
    """Counts every record."""
    return Alert("low", f"{seen.add(event)} is {event['seq']}")
'''


@pytest.fixture
def disk(tmp_path):
    return ReadOnly(tmp_path)


@pytest.fixture
def one(sidecar, disk):
    made = sidecar()
    (made.analyzers / "every.py").write_text(EVERY)
    return made.start(*disk.before)


def headlines(one):
    one.settled()
    return sorted(alert["headline"] for alert in one.alerts())


def test_while_the_journal_is_read_only_nothing_is_acknowledged(one, disk):
    sender = Sender(one.forward)
    sender.send([{"seq": 1}])
    before = {path: path.read_bytes() for path in (one.data / "journal").iterdir()}
    disk.freeze(one.data)
    waiting = threading.Thread(target=sender.send, args=([{"seq": 2}],))
    waiting.start()
    with pytest.raises(urllib.error.HTTPError) as refused:
        one.post([{"seq": 3}])
    assert (refused.value.code, refused.value.headers["Retry-After"]) == (503, "5")
    assert sender.acked == 1
    assert {path: path.read_bytes() for path in (one.data / "journal").iterdir()} == before
    disk.thaw()
    waiting.join(30)
    assert sender.acked == 2  # on the same connection, which was held all the time
    one.post([{"seq": 3}])
    assert headlines(one) == ["1 is 1", "2 is 2", "3 is 3"]
    one.says("the journal cannot be written")
    assert one.status()["counts"]["worker.0"]["restarts"] == 0


def test_a_chunk_sent_again_over_another_line_meanwhile_counts_once(one, disk):
    disk.freeze(one.data)
    impatient = Sender(one.forward)
    impatient.offer([{"seq": 1}], chunk="one")
    until(lambda: one.status()["counts"]["input.forward"]["busy"])
    impatient.close()
    disk.thaw()
    again = Sender(one.forward)
    again.send([{"seq": 1}], chunk="one")
    again.close()
    until(lambda: not one.status()["counts"]["input.forward"]["open"], 30)
    one.post([{"seq": 2}])
    assert headlines(one) == ["1 is 1", "2 is 2"]


def test_while_alerts_cannot_be_stored_they_wait_and_records_go_on(one, disk):
    sender = Sender(one.forward)
    sender.send([{"seq": 1}])
    one.settled()
    disk.freeze(one.data / "alerts.db")
    for number in range(2, 6):
        sender.send([{"seq": number}])  # durable in the journal: that is what the ack says
    until(lambda: one.status()["counts"]["desk"]["postponed"], what="a commit that is put off")
    assert one.status()["counts"]["desk"]["alerts"] == 1
    disk.thaw()
    assert headlines(one) == [f"{number} is {number}" for number in range(1, 6)]


def test_a_checkpoint_that_cannot_be_written_costs_a_replay_and_nothing_else(one, disk):
    sender = Sender(one.forward)
    sender.send([{"seq": 1}])
    one.settled()
    disk.freeze(one.data / "shard-0.db")
    assert one.stop() == 0
    one.says("the checkpoint of shard 0 cannot be written")
    disk.thaw()
    one.start(*disk.before)
    sender.send([{"seq": 2}])
    assert headlines(one) == ["1 is 1", "2 is 2"]


def test_a_start_on_a_read_only_folder_is_told_as_a_page(one, disk):
    Sender(one.forward).send([{"seq": 1}])
    one.kill()
    disk.freeze(one.data)
    with pytest.raises(AssertionError, match="Read-only file system") as told:
        one.start(*disk.before)
    assert "Traceback" not in str(told.value)
    assert one.process.returncode == 2
    disk.thaw()
    one.start(*disk.before)
    assert headlines(one) == ["1 is 1"]
