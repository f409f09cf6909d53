"""A stop drains within its grace, a second signal does not wait; neither loses anything. And what systemd hears of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from receivers import HttpReceiver
from sidecars import Sender, free_port, until

from pluginhost.engine.trace import last

COUNTER = '''
import os
import time
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(pinned=True)
def counter(event, seen: SlidingCount = SlidingCount("1d", limit=1_000_000)):
    """Counts, and takes its time over some."""
    time.sleep(event.get("sleep", 0))
    while os.path.exists(event.get("while", "")):
        time.sleep(0.05)
    return Alert("low", f"counter {seen.add(event)}")
'''


def started(sidecar, **config):
    one = sidecar(**config)
    (one.analyzers / "counter.py").write_text(COUNTER)
    return one.start()


def tell(one, number=signal.SIGTERM):
    os.kill(one.pid, number)


def ended(one, seconds):
    """How long it took to end well."""
    began = time.monotonic()
    assert one.process.wait(seconds) == 0, one.log()
    return time.monotonic() - began


def called(one):
    """Waits until the analyzer is at a record."""
    until(lambda: last(one.data / "shard-0.trace"))


def counted(one, count):
    one.settled()
    assert sorted(alert["headline"] for alert in one.alerts()) == sorted(f"counter {n}" for n in range(1, count + 1))


def test_a_stop_analyses_what_was_taken_in_and_the_next_start_replays_nothing(sidecar):
    one = started(sidecar)
    sender = Sender(one.forward)
    sender.send([{"n": n, "sleep": 0.03} for n in range(100)])
    tell(one)
    assert ended(one, 30) >= 1.5
    one.says("everything is analysed")
    one.start()
    assert one.status()["counts"]["worker.0"]["records"] == 0
    sender.send([{"n": 100}])
    counted(one, 101)
    assert one.status()["counts"]["worker.0"]["records"] == 1


def test_a_stop_ends_within_its_grace_although_an_analyzer_blocks(sidecar):
    one = started(sidecar, stop_grace="3s")
    sender, block = Sender(one.forward), one.folder / "block"
    block.touch()
    sender.send([{"n": 0}])
    one.settled()
    sender.send([{"n": 1, "while": str(block)}, {"n": 2}])
    called(one)
    tell(one)
    assert 2 <= ended(one, 30) < 15
    one.says("the rest is in the journal")
    block.unlink()
    one.start()
    sender.send([{"n": 3}])
    counted(one, 4)


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_waits_for_nothing_and_loses_nothing(sidecar, again):
    one = started(sidecar, stop_grace="60s")
    sender, block = Sender(one.forward), one.folder / "block"
    block.touch()
    sender.send([{"n": 0}, {"n": 1, "while": str(block)}])
    sender.send([{"n": 2}])
    called(one)
    tell(one)
    time.sleep(1)
    assert one.process.poll() is None
    tell(one, again)
    assert ended(one, 30) < 20
    one.says("told to stop again")
    block.unlink()
    one.start()
    sender.send([{"n": 3}])
    counted(one, 4)


@pytest.mark.parametrize("signals", [1, 2])
def test_under_load_neither_way_to_stop_loses_or_doubles(sidecar, signals):
    one = started(sidecar)
    sender, done = Sender(one.forward), threading.Event()

    def send():
        for number in range(150):
            sender.send([{"n": number, "sleep": 0.001, "of": n, "pad": "x" * 500} for n in range(4)])
        done.set()

    threading.Thread(target=send, daemon=True).start()
    for at in (100, 300):
        until(lambda at=at: sender.acked >= at)
        for _ in range(signals):
            tell(one)
            time.sleep(0.05)
        ended(one, 30)
        one.start()
    assert done.wait(60)
    counted(one, 600)


def test_a_stop_while_it_still_starts_is_heard(sidecar):
    one = sidecar()
    (one.analyzers / "slow.py").write_text("import time\ntime.sleep(60)\n" + COUNTER)
    (one.folder / "pluginhost.yaml").write_text('{"analyzers": ["analyzers"], "inputs": []}')
    with (one.folder / "log").open("ab") as log:
        one.process = subprocess.Popen([sys.executable, "-m", "pluginhost", "run"], cwd=one.folder, stdout=log, stderr=log)
    one.says("data in")
    one.process.terminate()
    assert ended(one, 30) < 12


def test_a_delivery_that_is_under_way_is_finished_so_that_it_is_not_made_twice(sidecar):
    taken, came = [], threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.set()
            time.sleep(1.5)
            taken.append(body)
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one = started(sidecar, outputs=[{"type": "http", "url": f"http://127.0.0.1:{server.server_port}/"}])
        Sender(one.forward).send([{"n": 0}])
        assert came.wait(30)
        tell(one)
        ended(one, 30)
        assert len(taken) == 1
        one.start()
        assert one.status()["counts"]["output.http"]["delivered"] == 0
        time.sleep(2)
        assert len(taken) == 1
        server.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("signals", [1, 2])
def test_a_stop_while_an_output_pushes_back_ends_in_time_and_loses_nothing(sidecar, signals):
    receiver = HttpReceiver(free_port())
    output = {"type": "http", "url": f"http://127.0.0.1:{receiver.port}/", "buffer": {"max_bytes": "1KiB", "when_full": "push_back"}}
    one = started(sidecar, stop_grace="4s", outputs=[output])
    sender = Sender(one.forward)
    for number in range(24):  # more findings than the desk holds, so that the worker is not listened to
        sender.send([{"n": n, "of": number, "pad": "x" * 20_000} for n in range(100)])
    until(lambda: one.status()["counts"]["desk"]["pushed_back"])
    time.sleep(1)
    for _ in range(signals):
        tell(one)
        time.sleep(0.2)
    assert ended(one, 40) < 18
    receiver.start()
    try:
        one.start()
        until(lambda: len(receiver.ids) == 2_400, 60, "delivery of everything")
        counted(one, 2_400)
        assert set(receiver.ids.values()) == {1}
    finally:
        receiver.stop()


class Listener:
    """What a service tells systemd."""

    def __init__(self, path):
        self._socket, self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), []
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)

    def next(self, *wanted, seconds=30):
        """Waits for a message with one of these lines; gives what was said until then."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                lines = self._socket.recv(4096).decode().splitlines()
                self.heard += lines
                if set(wanted) & set(lines):
                    return lines
        raise AssertionError(f"{wanted} was not said, but {self.heard}")


def test_systemd_is_told_what_happens(sidecar, monkeypatch, tmp_path):
    listener = Listener(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    one = started(sidecar)
    listener.next("READY=1")
    assert "STOPPING=1" not in listener.heard

    def up_to_date():
        return any(line.startswith("STATUS=generation 1, 0 rows behind") for line in listener.next("WATCHDOG=1", seconds=10))

    until(up_to_date)  # the row of the start itself may not be judged yet
    assert [up_to_date() for _ in range(3)] == [True] * 3
    (one.analyzers / "other.py").write_text(COUNTER.replace("def counter", "def other"))
    tell(one, signal.SIGHUP)
    listener.next("RELOADING=1")
    listener.next("READY=1")
    assert {one["name"] for one in one.ask("analyzers")} == {"counter", "other"}
    tell(one)
    listener.next("STOPPING=1")
    ended(one, 30)
