"""How often people hear of one group: each table is a run of findings and what becomes of each."""

from __future__ import annotations

import pytest

from pluginhost.alerts.desk import Found, Group, Policy, Suppress, decide
from pluginhost.alerts.document import RESOLVED
from pluginhost.alerts.grouping import VALUES, Grouping, Threshold, paced
from pluginhost.alerts.scope import Scope
from pluginhost.events.fields import Document
from pluginhost.match import compile as compiled
from pluginhost.match import parse

SECOND = 10**9
T = 1_800_000_000
HOUR = 3600


def document(user="ann", *, over=False, suppressed=(), **fields):
    alert = {"fingerprint": "f", **({"status": RESOLVED} if over else {}), **({"suppressed": list(suppressed)} if suppressed else {})}
    return {"event": {"id": "e"}, "observer": {}, "user": {"name": user}, "pluginhost": {"alert": alert}, **fields}


def played(policy, *findings):
    """(reasons, marks, group) of each finding; each is (second, severity, more of `document`)."""
    group, made = None, []
    for at, severity, more in findings:
        decision = decide(document(**more), Found("brute", "f", (T + at) * SECOND, severity), group, created=0, observer="me",
                          policy=policy)
        group = decision.group
        marks = {name: value for name, value in decision.document["pluginhost"]["alert"].items() if name in ("escalated", "withheld")}
        made.append((decision.suppressed, marks, group))
        assert decision.document["event"]["sequence"] == len(made)
    return made


def reasons(grouping, *times, severity="high", **more):
    policy = grouping if isinstance(grouping, Policy) else Policy(grouping=(grouping,))
    return [" ".join(told) for told, _, _ in played(policy, *((at, severity, more) for at in times))]


def of(count, within, distinct=""):
    return Grouping(threshold=Threshold(count, within * SECOND, distinct))


class TestThreshold:
    @pytest.mark.parametrize(
        ("count", "times", "told"),
        [
            (1, (0, 1, 2), (0, 1, 2)),
            (3, (0, 1, 2), (2,)),
            (3, (0, 1, 2, 3, 4, 5), (2, 5)),  # it counts anew behind each that is told
            (3, (0, 59, 60, 61, 62), (62,)),  # a window that is over before the third: the next begins with 60
            (3, (0, 50, 70, 100, 110), (110,)),  # 50, 70 and 100 lie within a minute, and would be three if it slid
            (3, (30, 0, 31), (31,)),  # late by less than the window counts, too
            (3, (100, 101, -40, -3600, 102), (102,)),  # of windows long over, which do not end the one that has begun
            (1, (100, -3600), (100, -3600)),
        ],
    )
    def test_by_count_in_a_window_that_begins_with_the_first_and_does_not_slide(self, count, times, told):
        assert reasons(of(count, 60), *times) == ["" if at in told else "below_threshold" for at in times]

    @pytest.mark.parametrize(
        ("users", "told"),
        [
            (("a", "b", "c"), (2,)),
            (("a", "a", "a", "b", "b", "c"), (5,)),
            (("a", None, "b", [], "c"), (4,)),
            ((["a", "b"], ["c", "a"]), (1,)),
            ((1, "1", True, {"x": 1}), (3,)),  # "1" but once, whatever type
            (("x" * 256 + "1", "x" * 256 + "2", "y", "z"), (3,)),  # told apart by their first 256 characters
        ],
    )
    def test_by_distinct_values_of_a_field(self, users, told):
        made = played(Policy(grouping=(of(3, 60, "user.name"),)), *((n, "high", {"user": name}) for n, name in enumerate(users)))
        assert [not one for one, _, _ in made] == [n in told for n in range(len(users))]

    def test_an_analyzer_without_that_field_never_reaches_it_and_nothing_grows(self):
        made = played(Policy(grouping=(of(2, 60, "source.ip"),)), *((n, "high", {}) for n in range(9)))
        assert [told for told, _, _ in made] == [("below_threshold",)] * 9
        many = [f"u{n}" for n in range(5000)]
        (_, _, group), *_ = played(Policy(grouping=(of(9999, 60, "user.name"),)), (0, "high", {"user": many}))
        assert len(group.values) == VALUES

    def test_the_one_that_is_told_says_how_many_were_withheld(self):
        made = played(Policy(grouping=(of(3, 60),)), *((n, "high", {}) for n in range(6)))
        assert [marks for _, marks, _ in made] == [{}, {}, {"withheld": 2}, {}, {}, {"withheld": 2}]


class TestRealert:
    def test_a_group_is_told_again_when_its_quiet_time_is_over(self):
        assert reasons(Grouping(realert=60 * SECOND), 0, 1, 59, 60, 61, 119, 120) == ["", "realert", "realert", "", "realert", "realert",
                                                                                      ""]

    def test_by_event_time_so_that_late_ones_are_quiet_too(self):
        made = played(Policy(grouping=(Grouping(realert=60 * SECOND),)), (100, "high", {}), (40, "high", {}), (170, "high", {}))
        assert [(told, marks) for told, marks, _ in made] == [((), {}), (("realert",), {}), ((), {"withheld": 1})]

    @pytest.mark.parametrize(
        ("times", "waits"),
        [  # realert 60 s, at most 600 s; what is asserted is how long each that is told is quiet
            ((0, 60), (60, 120)),
            ((0, 119), (60, 120)),
            ((0, 120), (60, 60)),  # no less than the time itself: neither doubled nor halved
            ((0, 1000), (60, 60)),
            ((0, 60, 180, 420, 900), (60, 120, 240, 480, 600)),
            ((0, 60, 180, 420, 900, 1500), (60, 120, 240, 480, 600, 600)),
            ((0, 60, 180, 420, 900, 1500, 2100), (60, 120, 240, 480, 600, 600, 600)),
            ((0, 60, 180, 420 + 240), (60, 120, 240, 240)),  # idle for exactly its own time
            ((0, 60, 180, 420 + 241), (60, 120, 240, 120)),  # one more second halves it
            ((0, 60, 180, 420 + 240 + 120), (60, 120, 240, 120)),
            ((0, 60, 180, 420 + 240 + 121), (60, 120, 240, 60)),
            ((0, 60, 180, 420 + 10**6), (60, 120, 240, 60)),
        ],
    )
    def test_it_doubles_when_the_next_comes_soon_and_halves_for_each_such_time_that_passed_without(self, times, waits):
        policy = Policy(grouping=(Grouping(realert=60 * SECOND, realert_most=600 * SECOND),))
        made = played(policy, *((at, "high", {}) for at in times))
        assert [told for told, _, _ in made] == [()] * len(times)
        assert tuple(group.quiet // SECOND - T - at for at, (_, _, group) in zip(times, made, strict=True)) == waits

    @pytest.mark.parametrize("seed", range(5))
    def test_it_is_the_rule_that_people_know(self, seed):
        """The same as the rule of the sheet, whole seconds, at pseudo-random gaps."""
        wait, cap, until, e, at, group = 7, 200, None, 0, 0, Group()
        for n in range(200):
            at += (n * 7919 + seed * 104_729) % (1 << (3 + n % 7)) + 1
            pace = paced(group, (T + at) * SECOND, "high", Document({}), Grouping(realert=wait * SECOND, realert_most=cap * SECOND))
            if until is not None and at < until:
                assert pace.reasons == ("realert",)
                group = pace.silent
                continue
            if until is None:
                until = at + wait
            else:
                d = at - until
                if d < wait * 2**e:
                    e += 1
                else:
                    while d > wait * 2**e and e > 0:
                        d -= wait * 2**e
                        e -= 1
                until = at + min(wait * 2**e, cap)
                e -= wait * 2**e >= cap
            group = pace.told
            assert (pace.reasons, group.quiet // SECOND - T, group.doubled) == ((), until, e)

    def test_escalation_breaks_the_quiet_time_once_for_each_step_up(self):
        order = ("low", "low", "medium", "medium", "low", "critical", "high", "critical")
        made = played(Policy(grouping=(Grouping(realert=HOUR * SECOND),)), *((n, one, {}) for n, one in enumerate(order)))
        assert [" ".join(told) for told, _, _ in made] == ["", "realert", "", "realert", "realert", "", "realert", "realert"]
        assert [marks for _, marks, _ in made] == [{}, {}, {"escalated": "low", "withheld": 1}, {}, {},
                                                   {"escalated": "medium", "withheld": 2}, {}, {}]  # fmt: skip

    def test_what_is_below_the_threshold_is_no_escalation(self):
        grouping = Grouping(threshold=Threshold(3, 60 * SECOND), realert=HOUR * SECOND)
        made = played(Policy(grouping=(grouping,)), *((n, "low", {}) for n in range(3)), (3, "critical", {}), (4, "low", {}))
        assert [" ".join(told) for told, _, _ in made][2:] == ["", "below_threshold", "below_threshold realert"]

    def test_the_first_grouping_that_means_the_alert_holds(self):
        ann = Grouping(Scope(compiled(parse("user.name:ann"))), realert=60 * SECOND)
        other = Grouping(Scope(analyzers=("bru*",)), threshold=Threshold(9, 60 * SECOND))
        assert reasons(Policy(grouping=(ann, other)), 0, 1) == ["", "realert"]
        assert reasons(Policy(grouping=(other, ann)), 0) == ["below_threshold"]
        assert reasons(Policy(grouping=(Grouping(Scope(analyzers=("x",)), realert=60 * SECOND),)), 0, 1) == ["", ""]


class TestEnds:
    def test_an_end_is_told_where_somebody_was_told_and_the_next_alert_is_told_at_once(self):
        order = [(0, "high", {}), (1, "high", {}), (2, "low", {"over": True}), (3, "low", {"over": True}), (4, "low", {}), (5, "low", {})]
        made = played(Policy(grouping=(Grouping(realert=HOUR * SECOND),)), *order)
        assert [" ".join(told) for told, _, _ in made] == ["", "realert", "", "not_open", "", "realert"]
        assert [group.told for _, _, group in made] == ["high", "high", "", "", "low", "low"]
        assert made[2][1] == {"withheld": 1}

    def test_it_has_the_severity_of_what_has_ended(self):
        group = played(Policy(), (0, "critical", {}))[0][2]
        decision = decide(document(over=True), Found("brute", "f", T, "low"), group, created=0, observer="me")
        assert (decision.severity, decision.document["log"]["level"], decision.document["event"]["severity"]) == ("critical", "critical",
                                                                                                                  99)

    def test_that_nobody_was_told_of_alerts_that_were_silenced_makes_their_end_silent(self):
        policy = Policy(suppress=(Suppress("mine", Scope(compiled(parse("user.name:bob")))),))
        made = played(policy, (0, "high", {"user": "bob"}), (1, "low", {"user": "ann", "over": True}))
        assert [told for told, _, _ in made] == [("mine",), ("not_open",)]

    def test_the_end_of_what_was_told_is_told_whatever_is_silenced_by_then(self):
        policy = Policy(suppress=(Suppress("mine", Scope(compiled(parse("user.name:bob")))),))
        made = played(policy, (0, "high", {}), (1, "high", {"user": "bob"}), (2, "low", {"user": "bob", "over": True}),
                      (3, "low", {"user": "bob", "over": True}))  # fmt: skip
        assert [" ".join(told) for told, _, _ in made] == ["", "mine", "", "not_open"]

    def test_an_end_begins_no_threshold(self):
        made = played(Policy(grouping=(of(2, 60),)), (0, "low", {"over": True}), (1, "high", {}), (2, "high", {}))
        assert [" ".join(told) for told, _, _ in made] == ["not_open", "below_threshold", ""]


class TestReasonsTogether:
    def test_all_are_kept_each_once_the_analyzers_own_first(self):
        rules = (Suppress("bobs", Scope(compiled(parse("user.name:bob")))), Suppress("learning", Scope(analyzers=("brute",))))
        policy = Policy(suppress=rules, grouping=(Grouping(threshold=Threshold(2, 60 * SECOND), realert=HOUR * SECOND),))
        *_, last = played(policy, *[(n, "high", {"user": "ann"}) for n in range(2)],
                          (2, "high", {"user": "bob", "suppressed": ["known_pair", "learning"]}))  # fmt: skip
        assert last[0] == ("known_pair", "learning", "bobs", "below_threshold")
        open_ = Policy(suppress=rules[:1], grouping=policy.grouping)
        *_, last = played(open_, *[(n, "high", {"user": "ann"}) for n in range(2)], (2, "high", {"user": "bob"}))
        assert last[0] == ("bobs", "below_threshold", "realert")

    @pytest.mark.parametrize("more", [{"user": "bob"}, {"suppressed": ["learning"]}])
    def test_what_is_silenced_anyhow_counts_for_no_threshold_and_begins_no_quiet_time(self, more):
        policy = Policy(suppress=(Suppress("bobs", Scope(compiled(parse("user.name:bob")))),), grouping=(of(2, 60),))
        made = played(policy, (0, "high", {}), (1, "high", more), (2, "high", more), (3, "high", {}))
        assert [bool(told) for told, _, _ in made] == [True, True, True, False]
        assert made[3][1] == {"withheld": 1}
        quiet = Policy(suppress=policy.suppress, grouping=(Grouping(realert=HOUR * SECOND),))
        made = played(quiet, (0, "high", more), (1, "high", {}))
        assert [bool(told) for told, _, _ in made] == [True, False]
        assert made[0][2].quiet == 0
