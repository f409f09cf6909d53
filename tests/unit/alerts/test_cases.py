"""The rules of states: by table, and whatever alerts and people do in any order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.alerts.cases import (
    ACTIONS,
    AUDITED,
    STATUSES,
    VERDICTS,
    Action,
    Alerted,
    State,
    alerted,
    changed,
    checked,
    composed,
    difference,
    happened,
    joined,
    told,
)  # fmt: skip
from pluginhost.problem import Problem

NOW = 1_800_000_000 * 10**9
MS = 10**6


def alert(n=0, severity="high", **more):
    return Alerted(f"a{n}", "f", NOW + n, severity, "brute", f"told {n}", **more)


def act(name, **given):
    return checked(Action(name=name, by="ann", **given))


OPEN = alerted(None, alert(), NOW)
RESOLVED = changed(OPEN, act("resolve", verdict="false", note="a scan of ours"), NOW + MS)


class TestAlerts:
    def test_the_first_that_is_told_opens(self):
        assert State(revision=NOW // MS, fingerprint="f", severity="high", alerts=1, first=NOW, last=NOW, opened=NOW, analyzer="brute",
                     headline="told 0", alert="a0") == OPEN  # fmt: skip
        assert alerted(None, alert(), NOW, floor=NOW).revision == NOW + 1  # above whatever was forgotten

    @pytest.mark.parametrize("more", [{"suppressed": True}, {"ended": True}])
    def test_one_told_to_nobody_and_an_end_make_no_state(self, more):
        assert alerted(None, alert(**more), NOW) is None

    def test_more_are_counted_and_the_gravest_severity_holds(self):
        state = alerted(alerted(OPEN, alert(5, "critical"), NOW + MS), alert(-3, "low"), NOW + 2 * MS)
        assert (state.alerts, state.first, state.last, state.severity, state.alert) == (3, NOW - 3, NOW + 5, "critical", "a-3")
        assert (state.opened, state.status, state.revision) == (NOW, "open", NOW // MS + 2)

    def test_one_told_to_nobody_is_only_counted(self):
        state = alerted(RESOLVED, alert(9, "critical", suppressed=True), NOW)
        assert difference(RESOLVED, state) == {}
        assert (state.suppressed, state.alerts, state.last, state.alert) == (1, 1, NOW, "a0")

    def test_one_told_opens_again_what_was_resolved(self):
        state = alerted(RESOLVED, alert(9, "low"), NOW + 9)
        assert (state.status, state.verdict, state.severity, state.opened, state.resolved) == ("open", "", "low", NOW + 9, 0)
        assert happened(RESOLVED, state) == "reopened"
        assert difference(RESOLVED, state) == {
            "status": ("resolved", "open"), "verdict": ("false", ""), "severity": ("high", "low"),
        }  # fmt: skip

    def test_the_end_of_a_condition_resolves_and_is_no_alert(self):
        state = alerted(OPEN, alert(9, ended=True), NOW + 9)
        assert (state.status, state.by, state.resolved, state.alerts, state.alert) == ("resolved", "condition", NOW + 9, 1, "a0")
        assert difference(RESOLVED, alerted(RESOLVED, alert(9, ended=True), NOW + 9)) == {}

    def test_what_the_trail_calls_it(self):
        assert [happened(*pair) for pair in ((None, OPEN), (OPEN, alerted(OPEN, alert(1, "critical"), NOW)),
                                             (OPEN, alerted(OPEN, alert(1), NOW)), (OPEN, alerted(OPEN, alert(1, ended=True), NOW)))
                ] == ["opened", "escalated", "", "resolved"]  # fmt: skip


class TestPeople:
    @pytest.mark.parametrize(
        ("before", "action", "after"),
        [("open", "ack", "acknowledged"), ("acknowledged", "ack", "acknowledged"), ("in_progress", "ack", None), ("resolved", "ack", None),
         ("open", "start", "in_progress"), ("acknowledged", "start", "in_progress"), ("in_progress", "start", "in_progress"),
         ("resolved", "start", None), ("resolved", "reopen", "open"), ("open", "reopen", "open"), ("acknowledged", "reopen", None),
         *((status, "resolve", "resolved") for status in STATUSES)],
    )  # fmt: skip
    def test_which_status_becomes_which(self, before, action, after):
        state = State(revision=1, fingerprint="f", status=before)
        done = act(action, verdict="true" if action == "resolve" else "")
        if after is None:
            with pytest.raises(Problem, match=r"case\.status"):
                changed(state, done, NOW)
        else:
            assert changed(state, done, NOW).status == after

    def test_what_changes_nothing_is_no_change_unless_it_has_a_note(self):
        acked = changed(OPEN, act("ack"), NOW + MS)
        assert (acked.acknowledged, acked.by, acked.revision) == (NOW + MS, "ann", NOW // MS + 1)
        assert changed(acked, act("ack"), NOW + 2 * MS) is acked
        assert changed(acked, act("ack", note=" seen "), NOW + 2 * MS).note == "seen"

    def test_tags_links_and_people(self):
        state = changed(OPEN, act("tag", values=("vpn", "b", "vpn")), NOW)
        state = changed(changed(state, act("untag", values=("b", "c")), NOW), act("link", values=("https://wiki/x",)), NOW)
        state = changed(state, act("assign", assignee=" ann "), NOW)
        assert (state.tags, state.links, state.assignee) == (("vpn",), ("https://wiki/x",), "ann")
        assert changed(state, act("assign", assignee=""), NOW).assignee == ""

    @pytest.mark.parametrize(
        "wrong",
        [{"name": "explode"}, {"name": "resolve"}, {"name": "resolve", "verdict": "maybe"}, {"name": "ack", "verdict": "true"},
         {"name": "ack", "by": " "}, {"name": "note"}, {"name": "note", "note": "x" * 10_001}, {"name": "note", "note": "\x1b[2J"},
         {"name": "assign", "assignee": "x" * 201}, {"name": "assign", "assignee": "a\nb"}, {"name": "tag"},
         {"name": "tag", "values": ("",)}, {"name": "tag", "values": ("x" * 65,)}, {"name": "tag", "values": ("a\tb",)},
         {"name": "link", "values": ("ftp://x",)}, {"name": "link", "values": ("javascript:alert(1)",)},
         {"name": "link", "values": ("https://x y",)}, {"name": "link", "values": ("https://" + "x" * 2000,)}],
        ids=str,
    )  # fmt: skip
    def test_what_cannot_be_said_is_refused(self, wrong):
        with pytest.raises(Problem, match=r"case\.given"):
            checked(Action(**{"by": "ann", **wrong}))

    def test_a_note_may_have_lines(self):
        assert checked(Action(name="note", by="ann", note="one\n\ttwo\n")).note == "one\n\ttwo"

    def test_there_is_an_end_to_tags(self):
        full = changed(OPEN, act("tag", values=tuple(map(str, range(50)))), NOW)
        with pytest.raises(Problem, match="no more than 50"):
            changed(full, act("tag", values=("more",)), NOW)
        assert changed(full, act("tag", values=("7",)), NOW) is full


def test_documents_say_times_as_text_and_leave_out_what_is_empty():
    assert told(joined(RESOLVED, 7, NOW)) == {
        "status": "resolved", "verdict": "false", "severity": "high", "revision": NOW // MS + 2, "alerts": 1, "suppressed": 0,
        "first": "2027-01-15T08:00:00.000Z", "last": "2027-01-15T08:00:00.000Z", "opened": "2027-01-15T08:00:00.000Z",
        "resolved": "2027-01-15T08:00:00.001Z", "by": "ann", "note": "a scan of ours", "incident": 7, "time_to_resolve": 0.001,
    }  # fmt: skip
    assert not told(OPEN).keys() & {"time_to_acknowledge", "time_to_resolve"}
    worked = changed(alerted(None, alert(-3600 * 1000 * MS), NOW), act("ack"), NOW + 90 * 1000 * MS)  # of an event an hour ago
    assert told(worked)["time_to_acknowledge"] == 90.0
    ended = alerted(worked, alert(ended=True), NOW + 3_600_250 * MS)
    assert (told(ended)["time_to_acknowledge"], told(ended)["time_to_resolve"]) == (90.0, 3600.25)
    assert not told(changed(ended, act("reopen"), NOW + 4_000_000 * MS)).keys() & {"time_to_acknowledge", "time_to_resolve"}
    packed = json.dumps({"fingerprint": "f", "revision": 9, "alert": "a0", "analyzer": "brute", "last": NOW}).encode()
    made = json.loads(composed(packed, b'{"message":"m","pluginhost":{"analyzer":"brute"}}'))
    assert (made["message"], made["pluginhost"]["analyzer"], made["pluginhost"]["state"]["revision"]) == ("m", "brute", 9)
    alone = json.loads(composed(packed, b""))
    assert (alone["event"]["id"], alone["pluginhost"]["alert"], alone["@timestamp"]) == (
        "a0", {"fingerprint": "f"}, "2027-01-15T08:00:00.000Z",
    )  # fmt: skip


ALERTS = st.builds(alert, st.integers(-50, 50), st.sampled_from(["low", "medium", "high", "critical"]), suppressed=st.booleans(),
                   ended=st.booleans())  # fmt: skip
DONE = st.builds(Action, name=st.sampled_from(ACTIONS), by=st.sampled_from(["ann", "bob"]), note=st.sampled_from(["", "a note"]),
                 verdict=st.sampled_from(["", *VERDICTS]), assignee=st.sampled_from(["", "cleo"]),
                 values=st.lists(st.sampled_from(["a", "https://b", "c" * 60]), max_size=3).map(tuple))  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(-3 * MS, 3 * MS), ALERTS | DONE), max_size=40))
def test_whatever_happens_the_revision_rises_and_the_trail_gives_the_state(steps):
    state, now, trail = None, NOW, {}
    for passed, one in steps:
        now += passed  # a clock may go back
        before = state
        if isinstance(one, Alerted):
            state = alerted(before, one, now)
        elif before is not None:
            try:
                state = changed(before, checked(one), now)
            except Problem:
                state = before
        if state is None or state is before:
            continue
        assert before is None or state.revision > before.revision
        changes = difference(before, state)
        assert all((trail.get(name) or None) == (pair[0] or None) for name, pair in changes.items())
        trail |= {name: pair[1] for name, pair in changes.items()}
    if state is not None:
        assert {name: getattr(state, name) or None for name in AUDITED} == {name: trail.get(name) or None for name in AUDITED}
        assert state.status in STATUSES
        assert bool(state.resolved) == (state.status == "resolved")
        assert not state.verdict or state.status == "resolved"
        assert len(state.tags) <= 50
