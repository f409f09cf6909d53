"""Labels against findings: what belongs to an incident, and what the figures come to."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.generations import ready
from pluginhost.engine.loader import bundle
from pluginhost.engine.parts import mappings
from pluginhost.replay.generators import Item, Label
from pluginhost.replay.generators.hosts import hosts
from pluginhost.replay.kinds import KINDS
from pluginhost.replay.score import Found, Truth, findings, score
from pluginhost.replay.trial import trial

SECOND, MINUTE, HOUR = 10**9, 60 * 10**9, 3600 * 10**9
START = 1_767_571_200_000_000_000


def hit(analyzer, time, *names, sure=1.0):
    return Found(analyzer, START + time, frozenset(names), sure)


def truth(*labels):
    return Truth((START + time, label) for time, label in labels)


GUESSED = Label("bruteforce", "203.0.113.9", 1)
OTHER = Label("bruteforce", "203.0.113.7", 2)
GUESSES = ((0, GUESSED), (MINUTE, GUESSED), (2 * HOUR, OTHER))


def test_a_finding_belongs_by_its_record_or_by_the_entity_while_it_goes_on_or_soon_after():
    known = truth(*GUESSES)

    def of(*given):
        return [one.number for one in known.of(hit("login_bruteforce", *given))]

    assert of(0) == [1]  # by the record
    assert of(SECOND) == []
    assert of(SECOND, "203.0.113.9") == [1]
    assert of(16 * MINUTE, "203.0.113.9") == [1]
    assert of(16 * MINUTE + 1, "203.0.113.9") == []
    assert of(-1, "203.0.113.9") == []
    assert of(2 * HOUR, "203.0.113.9", "203.0.113.7") == [2]


def test_recall_precision_and_false_alerts():
    found = [hit("login_bruteforce", MINUTE, "203.0.113.9"), hit("login_bruteforce", 2 * MINUTE, "203.0.113.9"),
             hit("login_bruteforce", 5 * HOUR, "203.0.113.1")]  # fmt: skip
    (row,) = score(truth(*GUESSES), found, 4000, ["login_bruteforce"])
    assert (row.incidents, row.caught, row.findings, row.recall) == (2, 1, 3, 0.5)
    assert row.precision == pytest.approx(2 / 3)
    assert row.false_per_1000 == 0.25
    assert row.average_precision is None


def test_what_another_analyzer_must_find_is_not_false_and_what_only_looks_like_it_is():
    known = truth(*GUESSES, (3 * HOUR, Label("vpn_exit", "alice", 3)))
    found = [hit("new_country", MINUTE, "203.0.113.9"), hit("new_country", 3 * HOUR, "alice"), hit("new_country", 4 * HOUR, "bob")]
    row, idle = score(known, found, 1000, ["new_country", "login_bruteforce"])
    assert (row.incidents, row.recall, row.findings) == (0, None, 3)
    assert row.false == Counter({"vpn_exit": 1, "": 1})
    assert (idle.incidents, idle.caught, idle.precision) == (2, 0, None)


def test_kinds_that_an_incident_shows_must_be_found_too():
    known = truth((0, Label("stolen_login", "alice", 1, ("new_device",))), (MINUTE, Label("stolen_login", "bob", 2)))
    row, _ = score(known, [hit("new_device", 0, "alice")], 10, ["new_device", "new_country"])
    assert (row.incidents, row.caught) == (1, 1)


def test_where_nobody_is_named_the_time_will_do():
    known = truth((0, Label("waf_status", "status", 1)))
    (row,) = score(known, [hit("waf", MINUTE), hit("waf", HOUR)], 100, ["waf"])
    assert (row.caught, row.false.total()) == (1, 1)


def test_average_precision_is_the_area_under_the_ranking():
    """Surest first: right, false, right again (the same incident: no step), right; a third incident is never found."""
    labels = [(n * HOUR, Label("bruteforce", f"203.0.113.{n}", n)) for n in (1, 2, 3)]
    found = [hit("login_bruteforce", HOUR, sure=9), hit("login_bruteforce", 9 * HOUR, sure=8),
             hit("login_bruteforce", HOUR + SECOND, "203.0.113.1", sure=7), hit("login_bruteforce", 2 * HOUR, sure=6)]  # fmt: skip
    (row,) = score(truth(*labels), found, 100, ["login_bruteforce"])
    assert row.average_precision == pytest.approx((1 + 2 / 3) / 3)


def test_what_begins_while_analyzers_learn_need_not_be_found_and_false_alerts_count_all_the_same():
    found = [hit("login_bruteforce", SECOND, "203.0.113.9"), hit("login_bruteforce", 2 * SECOND)]
    (row,) = score(truth(*GUESSES), found, 100, ["login_bruteforce"], since=START + HOUR)
    assert (row.incidents, row.caught, row.findings, row.false.total()) == (1, 0, 2, 1)


def test_what_is_due_behind_the_end_of_the_stream_counts_only_if_it_belongs_to_an_incident():
    known = truth((0, Label("host_silent", "web1", 1)))
    found = [hit("host_silent", 16 * MINUTE, "web1"), hit("host_silent", 16 * MINUTE, "web2"), hit("host_silent", MINUTE, "web3")]
    (row,) = score(known, found, 100, ["host_silent"], until=START + 2 * MINUTE)
    assert (row.caught, row.findings, row.false.total()) == (1, 2, 1)


def test_below_the_limit_findings_are_for_the_ranking_only():
    known = truth(*((n * HOUR, Label("waf_status", "status", n)) for n in (1, 2)))
    found = [hit("waf", HOUR, sure=9), hit("waf", 9 * HOUR, sure=3), hit("waf", 2 * HOUR, sure=2)]
    (row,) = score(known, found, 100, ["waf"], told={"waf": 4.0})
    assert (row.incidents, row.caught, row.findings, row.false.total()) == (2, 1, 1, 0)
    assert row.average_precision == pytest.approx((1 + 2 / 3) / 2)


def test_what_a_document_says():
    document = {"@timestamp": "2026-01-05T00:00:00.250Z", "rule": {"id": "one"}, "user": {"name": "alice", "target": {"name": "eve"}},
                "related": {"ip": ["203.0.113.9"], "hosts": None}, "event": {"risk_score": 47.0}}  # fmt: skip
    def found(document):
        (one,) = findings([document])
        return one

    assert found(document) == Found("one", START + 250_000_000, frozenset({"alice", "eve", "203.0.113.9"}), 47.0)
    assert found({**document, "pluginhost": {"score": 3}}).score == found({**document, "pluginhost": {"score": {"value": 3}}}).score == 3.0
    assert list(findings([{**document, "pluginhost": {"alert": {"suppressed": ["learning"]}}}])) == []
    assert found({}) == Found("None", 0, frozenset(), 0.0)
    assert found({"@timestamp": 7, "related": [], "rule": "x", "user": ["alice"]}).names == frozenset()


def test_analyzers_that_kinds_name_are_spelled_like_analyzers():
    names = {name for kind in KINDS.values() for name in kind.analyzers}
    assert [name for name in names if not name.replace("_", "").isalpha() or name != name.lower()] == []
    assert {file.stem for file in shipped_analyzers().glob("[!_]*.py")} & names >= {"ssh_bruteforce", "new_country", "web_signatures"}


def units(*names):
    return [unit for name in names for unit in ready(bundle(shipped_analyzers() / f"{name}.py"), {})]


def test_made_up_attacks_are_found_through_the_production_pipeline():
    known, failures = Truth(), []

    def told():
        for item in hosts(Random(4), START, 1200, hosts=5, rate=10):
            if item.label is not None:
                known.add(item.time, item.label)
            yield item

    documents = (msgspec.json.decode(one.document) for one in trial(told(), units("ssh_bruteforce"), mappings(), failures))
    alerts = list(findings(documents))
    (row,) = score(known, alerts, 1, ["ssh_bruteforce"])
    assert failures == []
    assert row.incidents == row.caught >= 4
    assert row.precision == 1.0


def test_a_trial_gives_the_time_that_timers_need_and_says_what_failed(tmp_path):
    (tmp_path / "silence.py").write_text(SILENCE)
    failures = []
    items = [Item("t", START + n * MINUTE, {"host": {"name": "a"}, "n": n}) for n in (0, 1, 9)]
    made = list(trial(items, ready(bundle(tmp_path / "silence.py"), {}), mappings(), failures))
    told = [(one.analyzer, (one.time - START) // MINUTE) for one in made]
    assert told == [("silence", 6), ("told", 9), ("silence", 14)]
    assert [(one.analyzer, one.error.partition(":")[0]) for one in failures] == [("broken", "ZeroDivisionError")]


SILENCE = """
from pluginhost import Alert, Derived, Timers, analyzer


@analyzer(key="host.name", where="NOT other:true")
class silence:
    '''Nothing for five minutes.'''

    timers: Timers = Timers()

    def on_event(self, event):
        self.timers.set("", event.time + 300 * 10**9)

    def on_timer(self, timer):
        return Alert("low", "silent")


@analyzer(where="n:9")
def tells(event):
    '''Derives a record.'''
    return Derived("t", {"other": True})


@analyzer(where="other:true")
def told(event):
    '''Gets it.'''
    return Alert("low", "told")


@analyzer(where="n:1")
def broken(event):
    '''Fails.'''
    return 1 / 0
"""
