"""An output that takes everything and answers nothing: the others go on, its deadlines hold, and afterwards everything is there."""

from __future__ import annotations

import json
import time

import pytest
from forward_receiver import Receiver
from proxies import Answer, Gate, Line
from sidecars import until

EVERY = '''
from pluginhost import Alert, analyzer

@analyzer
def every(event):
    """Each record."""
    return Alert("low", str(event["seq"]))
'''


COUNTER = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(pinned=True)
def counter(event, seen: SlidingCount = SlidingCount("1d")):
    """Counts every record."""
    return Alert("low", f"{seen.add(event)}")
'''


class Sink(Gate):
    """Takes what an `http` output posts; `ids` has an alert's id as often as it came."""

    def __init__(self):
        super().__init__(rule=self._take)
        self.ids = []

    def _take(self, request):
        self.ids += [one["pluginhost"]["alert"]["id"] for one in json.loads(request.body)]
        return Answer(200)


class Taker(Receiver):
    """The same for a `forward` output."""

    @property
    def ids(self):
        return [record["pluginhost"]["alert"]["id"] for _, _, record in self.events]


def counts(one, name):
    return one.status()["counts"][f"output.{name}"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["http", "forward"])
def test_a_receiver_that_never_answers_holds_up_nobody_else(sidecar, kind):
    peer = Sink() if kind == "http" else Taker()
    with peer, Line(int(peer.url.rsplit(":", 1)[1]) if kind == "http" else peer.port) as line:
        mute = ({"type": "http", "url": f"http://127.0.0.1:{line.port}/", "timeout": "8s"} if kind == "http" else
                {"type": "forward", "servers": [f"127.0.0.1:{line.port}"], "ack_timeout": "8s"})  # fmt: skip
        one = sidecar(outputs=[{**mute, "name": "mute"}, {"type": "file", "path": "alerts.jsonl"}])
        (one.analyzers / "every.py").write_text(EVERY)
        one.start()
        one.post([{"seq": number} for number in range(10)])
        until(lambda: counts(one, "mute")["delivered"] == 10)
        line.swallow()
        one.post([{"seq": number} for number in range(10, 400)])
        until(lambda: counts(one, "file")["delivered"] == 400)
        assert one.status()["outputs"][0]["trouble"] == ""  # long before the deadline of the other
        until(lambda: one.status()["outputs"][0]["trouble"], 40, "the deadline")
        one.post([{"seq": number} for number in range(400, 500)])  # and records are taken meanwhile
        until(lambda: counts(one, "file")["delivered"] == 500)
        assert counts(one, "mute")["delivered"] == 10
        line.mend()
        until(lambda: counts(one, "mute")["delivered"] == 500, 60)
        wanted = {alert["id"] for alert in one.alerts()}
        assert len(wanted) == 500
        assert set(peer.ids) == wanted
        assert one.status()["outputs"][0]["trouble"] == ""
        assert one.stop() == 0


def test_a_stop_does_not_wait_for_an_output_that_never_answers(sidecar):
    with Sink() as peer, Line(int(peer.url.rsplit(":", 1)[1])) as line:
        one = sidecar(outputs=[{"type": "http", "url": f"http://127.0.0.1:{line.port}/", "timeout": "2m"}], stop_grace="10s")
        (one.analyzers / "every.py").write_text(EVERY)
        one.start()
        line.swallow()
        one.post([{"seq": number} for number in range(50)])
        one.settled()
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 30  # what is under way is waited for, within the grace of a stop
        line.mend()
        one.start()
        until(lambda: len(set(peer.ids)) == 50, 60)
        assert sorted(peer.ids) == sorted(alert["id"] for alert in one.alerts())


@pytest.mark.parametrize("kind", ["http", "forward"])
def test_a_line_that_is_cut_and_slow_again_and_again_loses_nothing(sidecar, kind):
    peer = Sink() if kind == "http" else Taker()
    with peer, Line(int(peer.url.rsplit(":", 1)[1]) if kind == "http" else peer.port) as line:
        shaky = ({"type": "http", "url": f"http://127.0.0.1:{line.port}/", "timeout": "1s", "batch": 20} if kind == "http" else
                 {"type": "forward", "servers": [f"127.0.0.1:{line.port}"], "ack_timeout": "1s", "batch": 20})  # fmt: skip
        one = sidecar(outputs=[{**shaky, "name": "shaky"}])
        (one.analyzers / "every.py").write_text(EVERY)
        one.start()
        for round_ in range(3):
            line.delay = 0.02
            one.post([{"seq": number} for number in range(round_ * 300, round_ * 300 + 250)])
            until(lambda at=round_ * 300: counts(one, "shaky")["delivered"] > at + 40)
            line.cut()
            one.post([{"seq": number} for number in range(round_ * 300 + 250, round_ * 300 + 300)])  # all before may be through
            until(lambda: one.status()["outputs"][0]["trouble"])
            line.mend()
            until(lambda: not one.status()["outputs"][0]["trouble"])
        line.delay = 0
        until(lambda: counts(one, "shaky")["delivered"] == 900, 60)
        assert set(peer.ids) == {alert["id"] for alert in one.alerts()}
        assert len(set(peer.ids)) == 900


def test_frames_whose_acks_were_lost_count_once_at_a_sidecar_that_was_killed(sidecar):
    two = sidecar("two", hostname="two", loop_tag="returned")
    (two.analyzers / "counter.py").write_text(COUNTER)
    two.start()
    with Line(two.forward) as line:
        one = sidecar(hostname="one", outputs=[{"type": "forward", "servers": [f"127.0.0.1:{line.port}"], "ack_timeout": "1s"}])
        (one.analyzers / "every.py").write_text(EVERY)
        one.start()
        line.delay = 60  # acks are written, and not heard
        one.post([{"seq": number} for number in range(10)])
        until(lambda: two.status()["counts"]["input.forward"]["acks"])
        until(lambda: one.status()["outputs"][0]["trouble"])
        one.post([{"seq": number} for number in range(10, 20)])
        two.kill()
        two.start()
        line.delay = 0
        line.cut()
        line.mend()
        until(lambda: counts(one, "forward")["delivered"] == 20, 60)
    two.settled()
    assert sorted(int(alert["headline"]) for alert in two.alerts()) == list(range(1, 21))
