"""An analyzer that misbehaves is not called for a while; its neighbours find what they would have found without it."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from sidecars import Sender, until

COUNTER = '''
from pluginhost import Alert, SlidingCount, analyzer

@analyzer(pinned=True)
def counter(event, seen: SlidingCount = SlidingCount("1d")):
    """Counts all records."""
    return Alert("low", f"counter {seen.add(event)}")
'''
EACH = '''
from pluginhost import Alert, analyzer

@analyzer
def each(event):
    """Tells of each record."""
    return Alert("low", f"each {event['seq']}")
'''
HEAD = '''
import sys, time
from pluginhost import Alert, SlidingCount, analyzer
HELD = []

'''
CULPRIT = f'''{HEAD}
@analyzer
def culprit(event):
    """Misbehaves."""
    DEED
'''
FLAKY = f'''{HEAD}
@analyzer(pinned=True)
def culprit(event, seen: SlidingCount = SlidingCount("1d")):
    """Counts what is good, and fails at what is bad."""
    if event["bad"]:
        raise ValueError("bad")
    return Alert("low", f"culprit {{seen.add(event)}}")
'''
FLOOD = f'''{HEAD}
@analyzer(key="seq", keys=100)
def culprit(event, seen: SlidingCount = SlidingCount("1d")):
    """Remembers every record by itself."""
    seen.add(event)
'''
BLOCKS = f'''{HEAD}
@analyzer
def culprit(event):
    """Comes to no end from one record on."""
    while event["seq"] >= 100:
        pass
    return Alert("low", f"culprit {{event['seq']}}")
'''


class Case:
    """A sidecar with a culprit and two neighbours, and records with ascending numbers."""

    def __init__(self, one, culprit):
        self.one, self.numbers, self.sent = one, itertools.count(), 0
        (one.analyzers / "counter.py").write_text(COUNTER)
        (one.analyzers / "each.py").write_text(EACH)
        (one.analyzers / "culprit.py").write_text(culprit)
        one.start()
        self.sender = Sender(one.forward)

    def send(self, count, at_once=50, **fields):
        for _ in range(0, count, at_once):
            many = [{"seq": next(self.numbers), **fields} for _ in range(min(at_once, count))]
            self.sender.send(many)
            self.sent += len(many)
        self.one.settled()

    def out(self):
        """What `status` says of the culprit; None if it is not in quarantine."""
        return self.one.status()["quarantine"].get("culprit")

    def counted(self, what):
        """How often something was decided: who is out for a moment only might not be seen out by whoever looks now and then."""
        return self.one.status()["counts"]["containment"][what]

    def listed(self):
        return next(one for one in self.one.ask("analyzers") if one["name"] == "culprit")

    def found(self, analyzer):
        return sorted((alert["headline"] for alert in self.one.alerts(analyzer=analyzer)), key=lambda text: (len(text), text))

    def intact(self):
        """The neighbours found everything, once; nothing was refused or set aside for them."""
        self.one.settled()
        assert self.found("counter") == [f"counter {n}" for n in range(1, self.sent + 1)]
        assert self.found("each") == [f"each {n}" for n in range(self.sent)]
        assert [one for one in self.one.ask("dead_letters") if not one["id"].endswith(".culprit")] == []

    def command(self, *given):
        command = [sys.executable, "-m", "pluginhost", *given]
        return subprocess.run(command, cwd=self.one.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


@pytest.fixture
def case(sidecar):
    return lambda culprit, **config: Case(sidecar(**config), culprit)


@pytest.mark.parametrize("workers", [1, 2])
def test_one_that_always_raises_is_not_called_and_everybody_is_told(case, workers):
    it = case(CULPRIT.replace("DEED", "raise ValueError('boom')"), workers=workers)
    it.send(300, at_once=300)  # in one row, lest it is taken out among them
    entry = until(it.out)
    assert entry["reason"].endswith("calls failed, the last with ValueError: boom")
    assert entry["until"] - entry["since"] == 60 * 10**9
    assert it.listed()["quarantine"] == entry
    assert it.listed()["counts"]["failed"] == 300
    it.send(50)
    assert it.listed()["counts"]["failed"] == 300
    (alert,) = it.one.alerts(analyzer="pluginhost.quarantine")
    assert alert["headline"] == f"culprit is not called for 1m: {entry['reason']}"
    assert alert["document"]["rule"]["id"] == "pluginhost.quarantine"
    assert "culprit in quarantine until" in it.command("status")
    assert "quarantined" in it.command("list")
    assert "    in quarantine until" in it.command("list", "culprit")
    it.intact()


def test_it_is_tried_again_and_comes_out_by_hand_or_with_a_new_version(case):
    it = case(CULPRIT.replace("DEED", "raise ValueError('boom')"), quarantine="2s")
    for times, count in enumerate((100, 50, 50)):  # ten are enough from the second time on
        until(lambda at=times: it.counted("released") == at)
        it.send(count)
        until(lambda at=times: it.counted("quarantined") == at + 1)
    told = [alert["headline"].split(":")[0] for alert in reversed(it.one.alerts(analyzer="pluginhost.quarantine"))]
    assert told == [f"culprit is not called for {seconds}s" for seconds in (2, 4, 8)]
    assert it.one.ask("reload", names=["culprit"])[0]["released"] == ["culprit"]
    assert it.out() is None
    assert "analyzer.unknown" in it.command("reload", "nobody")
    it.send(100)
    assert until(it.out)["times"] == 1  # nothing was held against it
    (it.one.analyzers / "culprit.py").write_text(CULPRIT.replace("DEED", "return Alert('low', 'well')"))
    it.one.ask("reload")
    assert it.out() is None
    it.send(2)
    assert it.found("culprit") == ["well", "well"]
    it.intact()


def test_what_it_knew_is_kept_and_the_quarantine_outlives_workers_and_hosts(case):
    it = case(FLAKY, quarantine="10m")  # however long three starts take
    it.send(5, bad=False)
    it.send(200, bad=True)
    until(it.out)
    it.send(7, bad=False)  # not for it
    it.one.kill()  # no checkpoint yet: everything is judged again, and comes out the same
    it.one.start()
    before = it.out()
    assert before["reason"].endswith("the last with ValueError: bad")
    it.send(7, bad=False)
    assert it.one.stop() == 0  # a checkpoint with the culprit still out
    it.one.start()
    assert it.out() == before
    it.send(7, bad=False)
    assert len(it.one.alerts(analyzer="pluginhost.quarantine")) == 1
    it.one.ask("reload", names=["culprit"])
    it.send(2, bad=False)
    assert it.found("culprit") == [f"culprit {n}" for n in range(1, 8)]
    it.intact()


@pytest.mark.parametrize(("deed", "told"), [
    ("return 42", "TypeError: expected Alert, Resolved, Derived, Scored, Unjudged or None, got int"),
    ("return ({} for n in range(10))", "TypeError: expected Alert, Resolved, Derived, Scored, Unjudged or None, got dict"),
    ("sys.exit(1)", "SystemExit: 1"),
    ("return Alert('low', 'x', fields={'a': object()})", ""),
])  # fmt: skip
def test_one_that_returns_nonsense_is_taken_out(case, deed, told):
    it = case(CULPRIT.replace("DEED", deed))
    it.send(150)
    if told:
        assert until(it.out)["reason"].endswith(told)
        assert it.found("culprit") == []
    it.intact()


@pytest.mark.timeout(300)  # filling memory with small things takes long, and it is done more than once
@pytest.mark.parametrize("deed", [
    pytest.param("return [bytearray(1 << 20) for _ in range(1 << 20)]", id="lets go"),
    pytest.param("return [[n] for n in range(1 << 40)]", id="small things", marks=pytest.mark.long),
    pytest.param("HELD.append(bytearray(16 << 20))", id="keeps it"),
    pytest.param("while True: HELD.append([len(HELD)])", id="keeps small things", marks=pytest.mark.long),
])  # fmt: skip
def test_one_that_eats_memory_fails_alone(case, deed):
    it = case(CULPRIT.replace("    DEED", f"    if event['seq'] >= 20:\n        {deed}"), worker_memory="640MiB")
    it.send(20)
    until(lambda: (it.send(20), it.out())[1], 120)  # for its failures, or for the time that they take
    it.send(100)
    it.intact()


@pytest.mark.parametrize("workers", [1, 2])
def test_one_that_blocks_for_ever_is_taken_out_at_its_record_and_nothing_is_set_aside(case, workers):
    it = case(BLOCKS, workers=workers, budget="400ms")
    it.send(200)
    assert "its budget is 0.4 s" in until(it.out)["reason"]
    it.one.kill()  # before any checkpoint: the next start does not get stuck at the record again
    it.one.start()
    it.send(50)
    assert [int(text.split()[1]) for text in it.found("culprit")] == list(range(100))
    it.intact()


@pytest.mark.long
def test_one_at_which_workers_end_three_times_is_taken_out_at_its_record(case):
    it = case(CULPRIT.replace("    DEED", "    if event['seq'] >= 20:\n        while True: HELD.append([len(HELD)])"),
              worker_memory="640MiB", worker_patience="10s", budget="0")  # fmt: skip
    it.send(20)
    it.sender.send([{"seq": next(it.numbers)} for _ in range(100)])
    it.sent += 100
    until(it.out, 120)
    it.send(100)
    letters = it.one.ask("dead_letters")
    assert {letter["reason"] for letter in letters} <= {"culprit ended the worker twice"}
    assert it.found("counter") == [f"counter {n}" for n in range(1, it.sent + 1)]
    assert it.found("each") == [f"each {n}" for n in range(it.sent)]


def test_one_that_takes_too_long_is_taken_out(case):
    it = case(CULPRIT.replace("DEED", "time.sleep(0.3)"), budget="200ms")
    it.send(20)  # far more than it gets to: on a busy machine less of the time is seen
    entry = until(it.out)
    assert "its budget is 0.2 s" in entry["reason"]
    assert 0.5 < it.listed()["seconds"] < 2.0
    it.intact()


def test_one_that_is_quick_stays_and_its_time_is_shown(case):
    it = case(CULPRIT.replace("DEED", "time.sleep(0.03)"), budget="5s")
    it.send(50)
    assert it.out() is None
    assert 0.5 < it.listed()["seconds"] < 2.0
    it.intact()


def test_one_that_floods_keys_is_bounded_and_says_so_once(case):
    it = case(FLOOD)
    it.send(50)
    assert it.one.alerts(analyzer="pluginhost.pressure") == []
    it.send(450)
    assert it.listed()["counts"] | {"evicted": 400, "keys": 100} == it.listed()["counts"]
    (alert,) = until(lambda: it.one.alerts(analyzer="pluginhost.pressure", severity="medium"))
    assert alert["headline"] == "culprit remembers 100 of 100 keys; those idle longest make room for others"
    it.send(100)
    assert len(it.one.alerts(analyzer="pluginhost.pressure", severity="medium")) == 1
    assert it.out() is None
    it.intact()
