"""Looking at a sidecar through its life: while it takes records, loses a worker, is full, and stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from prometheus import measured, scrape
from sidecars import Sender, free_port, until

EVERY = '''
from pluginhost import Alert, analyzer

@analyzer
def every(event):
    """Each."""
    return Alert("low", f"every {event['n']}")
'''
SLOW = '''
import os
import time
from pluginhost import analyzer

@analyzer
def slow(event):
    """Takes its time."""
    while os.path.exists(event["while"]):
        time.sleep(0.05)
'''
EVIL = "a\x1b[31mred\nb\u202e"


@pytest.fixture
def watched(sidecar):
    """Makes sidecars with a listener, and says where it is."""
    def make(code, **config):
        one = sidecar(metrics={"port": free_port()}, **config)
        (one.analyzers / "one.py").write_text(code)
        return one.start(), one.config["metrics"]["port"]

    return make


def ready(port):
    status, text = scrape(port, "/readyz")
    return status, json.loads(text)["failing"]


def command(one, *arguments, wait=True):
    process = subprocess.Popen([sys.executable, "-m", "pluginhost", *arguments], cwd=one.folder, text=True, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    return process if not wait else process.communicate(timeout=60)


def test_a_worker_that_dies_takes_no_counter_back(watched):
    one, port = watched(EVERY)
    sender = Sender(one.forward)
    sender.send([{"n": n} for n in range(50)])
    one.settled()
    of = {"component_kind": "analyzer", "component_id": "every"}
    assert measured(port)("component_received_events_total", **of) == 50
    os.kill(one.status()["workers"][0], signal.SIGKILL)
    until(lambda: measured(port)("worker_restarts_total") == 1, what="the restart")
    until(lambda: measured(port)("worker_up") == 1, what="a new worker")
    sender.send([{"n": n} for n in range(50, 60)])
    one.settled()
    seen = measured(port)("component_received_events_total", **of)
    assert seen == 60 + 50  # what the dead one had judged behind its checkpoint is judged again
    assert measured(port)("desk_alerts_total") == 60
    assert ready(port) == (200, [])


def test_a_full_journal_is_not_ready_and_says_so(watched):
    one, port = watched(SLOW, journal={"max_bytes": "4KiB"}, budget=0)
    assert ready(port) == (200, [])
    Sender(one.forward).send([{"while": str(one.folder), "text": "x" * 5000}])
    assert ready(port) == (503, ["journal_has_room"])
    assert measured(port)("ready") == 0
    assert scrape(port, "/healthz") == (200, '{"alive":true}')
    until(lambda: measured(port)("buffer_oldest_seconds", component_kind="journal") > 0.5)


def test_a_host_that_stops_is_alive_and_not_ready(watched):
    one, port = watched(SLOW, budget=0)
    block = one.folder / "block"
    block.touch()
    Sender(one.forward).send([{"while": str(block)}])
    os.kill(one.pid, signal.SIGTERM)
    until(lambda: ready(port) == (503, ["not_draining"]))
    assert scrape(port, "/healthz")[0] == 200
    block.unlink()
    assert one.process.wait(30) == 0


def test_top_prints_a_frame(watched):
    one, _ = watched(EVERY)
    Sender(one.forward).send([{"n": n} for n in range(50)])
    one.settled()
    out, err = command(one, "top", "--once")
    assert err == ""
    assert "\x1b" not in out
    (line,) = [line.split() for line in out.splitlines() if line.startswith("every ")]
    assert line[2] == "50"  # findings


def test_tap_shows_records_that_cannot_act_on_the_terminal(watched):
    one, _ = watched(EVERY)
    tap = command(one, "tap", "--tag", "web.*", "--where", "n:>1", "-n", "2", wait=False)
    plain = command(one, "tap", "-n", "3", "--json", wait=False)
    alerts = command(one, "tap", "--alerts", "--where", "message:every", "-n", "1", wait=False)
    stop = threading.Event()

    def send():
        while not stop.wait(0.2):
            Sender(one.forward, "web.a").send([{"n": n, "text": EVIL} for n in range(1, 4)])

    sending = threading.Thread(target=send)
    sending.start()
    try:
        out, _ = tap.communicate(timeout=60)
        many, _ = plain.communicate(timeout=60)
        told, _ = alerts.communicate(timeout=60)
    finally:
        stop.set()
        sending.join()
    first, second = out.splitlines()
    assert first.endswith(r'web.a  {"n": 2, "text": "a\u001b[31mred\nb\u202e"}')
    assert second.endswith(r'web.a  {"n": 3, "text": "a\u001b[31mred\nb\u202e"}')
    assert [json.loads(line)["record"]["text"] for line in many.splitlines()] == [EVIL] * 3
    assert many.isascii()
    assert "  low       every" in told


def test_a_log_in_json_is_json_line_by_line(sidecar):
    one = sidecar(log={"format": "json", "level": "warning"})
    (one.analyzers / "broken.py").write_text("def (\n")
    one.start()
    one.stop()
    said = [json.loads(line) for line in one.log().splitlines()]
    assert [(line["level"], line["message"].split(":")[0]) for line in said] == [("error", "analyzer.syntax")]


def test_what_workers_print_and_die_of_is_logged_and_cannot_forge_a_line(sidecar):
    one = sidecar(log={"format": "json", "level": "warning"})
    (one.analyzers / "says.py").write_text(
        "import ctypes\nfrom pluginhost import analyzer\n\n@analyzer\ndef says(event):\n    print(event['text'])\n"
        "    if 'end' in event:\n        ctypes.string_at(0)\n")  # fmt: skip
    one.start()
    one.post([{"text": "a\x1b[31mred\x07"}, {"text": "x" * 2000}])
    one.settled()
    one.post([{"text": "the last", "end": 1}])
    one.says("Segmentation fault")
    one.settled()
    one.stop()
    said = [json.loads(line)["message"] for line in one.log().splitlines()]
    assert said[:3] == [r"worker 0: a\x1b[31mred\x07", f"worker 0: {'x' * 499}…", "worker 0: the last"]
    assert "worker 0: Fatal Python error: Segmentation fault" in said
