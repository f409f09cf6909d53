"""A disk that is really full: doors push back, what was taken in is finished on the ballast's room, and it goes on by itself."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error

import pytest
from needs import missing
from prometheus import measured, scrape
from receivers import HttpReceiver
from sidecars import Sender, free_port, until

EACH = '''
from pluginhost import Alert, analyzer

@analyzer
def each(event):
    """Every record."""
    return Alert("high", f"record {event['seq']}")
'''


@pytest.fixture
def small_disk(tmp_path):
    """Makes the data folder of a sidecar a file system of so many MiB."""
    mounted = []

    def make(one, size):
        one.data.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(one.data)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            missing("the right to mount")
        mounted.append(one)

    yield make
    for one in mounted:
        one.kill()
        subprocess.run(["umount", "--lazy", str(one.data)], check=True)


def fill(file):
    """Takes whatever room there is."""
    with file.open("wb", buffering=0) as filler:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                pass


def refused(one):
    """What the HTTP door says no with; None if it says yes."""
    try:
        one.post([{"seq": 0, "pad": "x" * 100_000}])
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]
    return None


def test_on_a_disk_that_others_filled_deliveries_are_finished_and_doors_push_back(sidecar, small_disk):
    receiver = HttpReceiver(free_port())
    watch = free_port()
    output = {"type": "http", "url": f"http://127.0.0.1:{receiver.port}/", "batch": 3}
    one = sidecar(ballast="4MiB", outputs=[output], metrics={"port": watch})
    small_disk(one, 24)
    (one.analyzers / "each.py").write_text(EACH)
    one.start()
    Sender(one.forward).send([{"seq": n, "pad": "x" * 2_000} for n in range(200)])
    one.settled()
    until(lambda: one.status()["outputs"][0]["trouble"])
    fill(one.data / "filler")
    until(lambda: refused(one) == (503, "disk full"))
    assert not (one.data / "ballast").exists()
    assert scrape(watch, "/readyz")[0] == 503
    assert measured(watch)("ready") == 0
    receiver.start()
    try:
        until(lambda: len(receiver.ids) >= 200, 60, "delivery of what was taken in")
        until(lambda: one.status()["counts"]["output.http"]["delivered"] >= 200, what="a note of it")
        assert refused(one) == (503, "disk full")
        (one.data / "filler").unlink()
        until((one.data / "ballast").exists)
        until(lambda: refused(one) is None)
        assert measured(watch)("ready") == 1
        one.settled()
        until(lambda: len(receiver.ids) == len(one.alerts()), what="delivery of the rest")
        assert set(receiver.ids.values()) == {1}
        assert one.status()["counts"]["ballast"] == {"released": 1, "restored": 1}
        one.says("the disk has room again")
    finally:
        receiver.stop()


@pytest.mark.long
def test_a_journal_that_fills_the_disk_itself_makes_room_again_by_itself(sidecar, small_disk):
    one = sidecar(ballast="4MiB")
    small_disk(one, 24)
    (one.analyzers / "each.py").write_text(EACH.replace("return", "return None if event['seq'] else"))
    one.start()
    sender, began = Sender(one.forward), time.monotonic()
    for number in range(30):  # more than there is room for at a time
        sender.send([{"seq": number, "pad": "x" * 1_000_000}], attempts=1_000)
    one.settled()
    assert time.monotonic() - began > 5
    assert one.status()["counts"]["ballast"]["released"] >= 1
    assert one.status()["counts"]["journal"]["failed"] >= 1
    until(lambda: one.status()["counts"]["ballast"]["restored"] == one.status()["counts"]["ballast"]["released"], 30)
    assert one.status()["counts"]["worker.0"]["restarts"] == 0
    assert one.status()["counts"]["worker.0"]["records"] == 30
