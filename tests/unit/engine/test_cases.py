"""States and incidents in the store: what alerts in journal order, and people, make of them; what waits for outputs; what is forgotten."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost.alerts.cases import Action, Alerted, composed
from pluginhost.alerts.desk import Policy
from pluginhost.alerts.incidents import GROUPS, SHARED, Gathering
from pluginhost.engine.cases import Caseload, act
from pluginhost.host.casework import case_of, incident_of, incidents_of, meant, to_do
from pluginhost.problem import Problem
from pluginhost.store.alerts import AlertStore, Commit, Keep, NewAlert

S = 10**9
HOUR = 3600 * S
T = 1_800_000_000 * S
POLICY = Policy(states=("es",), incidents=Gathering(window=4 * HOUR, fields=("user.name", "host.name", "source.ip"), least="medium"))


class Bench:
    """A store that takes alerts as the desk gives them; its clock is the last alert's time, and that of the desk is a little behind."""

    def __init__(self, path, policy=POLICY, **keep):
        self.now, self.policy, self._n = T, policy, 0
        self.store = AlertStore(path / "alerts.db", clock=lambda: self.now, keep=Keep(**keep), stated=composed)

    def take(self, *alerts):
        """Commits alerts (group, fields, and whatever else of `Alerted`) together; the incident that each is in."""
        taken, numbers = [], []
        with self.store.turn():
            load = Caseload(self.store, self.policy, [group for group, *_ in alerts], now=self.now - 1)
            for group, fields, more in alerts:
                self._n += 1
                one = Alerted(f"{self._n:08}", group, more.pop("time", self.now), more.pop("severity", "high"),
                              more.pop("analyzer", "brute"), f"told {group}", **more)  # fmt: skip
                document = load.take(one, {**fields, "pluginhost": {"alert": {"fingerprint": group}}})
                numbers.append(document["pluginhost"].get("incident", 0))
                taken.append(NewAlert(one.id, one.time, one.severity, one.analyzer, group, self._n, one.headline,
                                      msgspec.json.encode(document), suppressed=("because",) if one.suppressed else ()))  # fmt: skip
            load.write()
            self.store.commit(Commit(alerts=taken))
        return numbers

    def one(self, group, user="", host="", ip="", **more):
        named = {"user": {"name": user}, "host": {"name": host}, "source": {"ip": ip}}
        return self.take((group, {kind: value for kind, value in named.items() if [*value.values()] != [""]}, more))[0]

    def act(self, name, *groups, incidents=(), **given):
        return act(self.store, self.policy, Action(name=name, by="ann", **given), groups, incidents, self.now)

    def state(self, group):
        return case_of(self.store, group)["state"]

    def done(self, number):
        return [(one["subject"], one["action"]) for one in incident_of(self.store, number)["timeline"] if "action" in one]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


class TestStates:
    def test_they_are_kept_with_their_trail(self, bench):
        bench.take(("f", {}, {}), ("f", {}, {"severity": "critical"}), ("g", {}, {"suppressed": True}))
        bench.now += S
        assert bench.act("resolve", "f", verdict="benign", note="known") == ["f"]
        bench.now += S
        bench.one("f")
        known = case_of(bench.store, "f")
        assert (known["state"]["alerts"], known["state"]["status"], known["state"]["alert"]) == (3, "open", "00000004")
        assert [(one["by"], one["action"], one["note"]) for one in known["history"]] == [
            ("pluginhost", "opened", ""), ("pluginhost", "escalated", ""), ("ann", "resolve", "known"), ("pluginhost", "reopened", ""),
        ]  # fmt: skip
        assert known["history"][2]["what"] == {"status": ["open", "resolved"], "verdict": ["", "benign"]}
        assert case_of(bench.store, "g")["state"] is None

    def test_what_is_to_do_comes_gravest_and_latest_first(self, bench):
        for group, severity in (("a", "low"), ("b", "critical"), ("c", "low"), ("d", "high")):
            bench.now += S
            bench.one(group, severity=severity)
        bench.act("resolve", "d", verdict="true")
        bench.act("assign", "c", assignee="bob")
        assert [one["fingerprint"] for one in to_do(bench.store, 9)] == ["b", "c", "a"]
        assert [one["fingerprint"] for one in to_do(bench.store, 9, "bob")] == ["c"]
        asked = ({"status": "resolved"}, {"assignee": "bob"}, {"status": "open", "severity": "low"}, {"status": "in_progress"})
        listed = [[alert.fingerprint for alert in bench.store.list(limit=9, **one)] for one in asked]
        assert listed == [["d"], ["c"], ["c", "a"], []]

    def test_an_action_is_done_to_all_or_to_none(self, bench):
        bench.one("f")
        bench.one("g")
        bench.act("resolve", "g", verdict="true")
        with pytest.raises(Problem, match=r"case\.status"):
            bench.act("ack", "f", "g")
        with pytest.raises(Problem, match=r"case\.unknown"):
            bench.act("ack", "f", "nobody")
        assert [bench.state(group)["status"] for group in "fg"] == ["open", "resolved"]
        assert len(case_of(bench.store, "f")["history"]) == 1

    def test_ids_name_groups(self, bench):
        bench.one("f" * 64)
        assert meant(bench.store, ["00000001", "0000", "fff"]) == ["f" * 64]
        for wrong in ("", "x", "00000009"):
            with pytest.raises(Problem, match=r"alert\.unknown"):
                meant(bench.store, [wrong])

    def test_a_trail_has_an_end(self, bench):
        bench.one("f")
        for n in range(1010):
            bench.act("note", "f", note=f"note {n}")
        history = case_of(bench.store, "f")["history"]
        assert (len(history), history[0]["note"], history[-1]["note"]) == (1000, "note 10", "note 1009")


class TestQueue:
    def due(self, bench):
        return [(row.id, msgspec.json.decode(row.document)["pluginhost"]["state"].get("alerts")) for row in bench.store.states.due(
            "es", bench.now, 10)]  # fmt: skip

    def test_a_group_waits_once_with_its_last_state(self, bench):
        bench.take(("f", {"message": "m"}, {}), ("f", {"message": "m"}, {}), ("g", {}, {}))
        bench.now += S
        bench.one("f")
        assert self.due(bench) == [("g", 1), ("f", 3)]
        assert bench.store.states.waiting() == {"es": (2, 0)}

    def test_a_change_while_one_is_on_its_way_stays_queued(self, bench):
        bench.one("f")
        (sent,) = bench.store.states.due("es", bench.now, 10)
        bench.now += S
        bench.act("ack", "f")
        bench.store.states.settle("es", done=[sent.seq])
        (again,) = bench.store.states.due("es", bench.now, 10)
        first, second = (msgspec.json.decode(row.document)["pluginhost"]["state"] for row in (sent, again))
        assert (first["status"], second["status"]) == ("open", "acknowledged")
        assert second["revision"] > first["revision"]
        bench.store.states.settle("es", done=[again.seq])
        assert bench.store.states.next_due("es") is None

    def test_it_is_tried_again_or_dead(self, bench):
        bench.one("f")
        (row,) = bench.store.states.due("es", bench.now, 10)
        bench.store.states.settle("es", retry=[(row.seq, bench.now + S, "later")])
        assert bench.store.states.due("es", bench.now, 10) == ()
        assert bench.store.states.next_due("es") == bench.now + S
        bench.store.awaken(bench.now)
        (row,) = bench.store.states.due("es", bench.now, 10)
        assert row.attempts == 1
        bench.store.states.settle("es", dead=[(row.seq, "never")])
        assert [(one.reason, one.id[:5]) for one in bench.store.dead_letters(9)] == [("never", "es/f/")]
        assert bench.store.states.waiting() == {}

    def test_what_no_output_takes_is_dropped(self, bench):
        bench.one("f")
        assert (bench.store.states.drop(["es"], 10), bench.store.states.drop([], 10), bench.store.states.waiting()) == (0, 1, {})


class TestIncidents:
    def test_a_second_group_that_shares_somebody_opens_one(self, bench):
        assert [bench.one("f", "ann", "web1"), bench.one("f", "ann"), bench.one("g", "bob"), bench.one("h", "ann", "db1"), bench.one("f")] \
            == [0, 0, 0, 1, 1]  # fmt: skip
        (incident,) = incidents_of(bench.store, 9)
        assert (incident["number"], incident["title"], incident["groups"], incident["entities"]) == (
            1, "told f; told h", 2, ("user.name=ann", "host.name=web1", "host.name=db1"),
        )  # fmt: skip
        assert bench.one("i", "cleo", "web1") == 1  # by what its first group spoke of, and the second did not
        assert incident["alerts"] == 4
        assert [bench.state(group)["incident"] for group in "fgh"] == [1, 0, 1]
        assert bench.done(1) == [("1", "opened"), ("f", "joined"), ("h", "joined"), ("i", "joined")]

    def test_time_severity_and_who_tells_count(self, bench):
        bench.one("f", "ann")
        assert bench.one("g", "ann", severity="low") == 0
        assert bench.one("h", "ann", analyzer="pluginhost.user_risk") == 0
        assert bench.one("i", "ann", time=T + 4 * HOUR + 1) == 0
        assert bench.one("j", "ann", time=T + 4 * HOUR) == 1
        assert [bench.state(group)["incident"] for group in "fghij"] == [1, 0, 0, 1, 1]

    def test_nobody_is_told_and_ends_gather_nothing(self, bench):
        bench.one("f", "ann")
        assert bench.one("g", "ann", suppressed=True) == 0
        assert bench.one("f", "ann", ended=True) == 0
        assert bench.one("h", "ann") == 0  # f is resolved

    def test_two_are_linked_and_never_merged(self, bench):
        for group, user in (("a", "ann"), ("b", "ann"), ("c", "bob"), ("d", "bob")):
            bench.now += S
            bench.one(group, user)
        bench.now += S
        assert bench.take(("e", {"user": {"name": ["ann", "bob"]}}, {})) == [2]
        assert [one["linked"] for one in incidents_of(bench.store, 9)] == [(1,), (2,)]
        assert bench.done(1)[-1] == ("1", "linked")
        assert ("2", "linked") in bench.done(2)
        bench.one("e", "ann")
        assert bench.take(("z", {"user": {"name": ["ann", "bob"]}}, {})) == [2]
        assert [sum(action == "linked" for _, action in bench.done(number)) for number in (1, 2)] == [1, 1]

    def test_a_gateway_swallows_nothing(self, bench):
        numbers = [bench.one(f"g{n:03}", f"u{n}", ip="192.0.2.1") for n in range(3 * SHARED)]
        assert numbers == [0, *[1] * (SHARED - 1), *[0] * (2 * SHARED)]
        (incident,) = incidents_of(bench.store, 9)
        assert (incident["groups"], incident["common"]) == (SHARED, ("source.ip=192.0.2.1",))
        assert [what for _, what in bench.done(1)].count("common") == 1
        assert bench.one("other", "u3", ip="192.0.2.1") == 1  # by the user

    def test_it_is_full_in_the_end(self, bench):
        every = [(f"g{n:03}", {"host": {"name": "web1"}}, {"time": T + n * HOUR // 4}) for n in range(GROUPS + 3)]
        numbers = bench.take(*every)  # sixteen groups in a window
        assert numbers == [0, *[1] * (GROUPS - 1), 0, 2, 2]
        assert [(one["groups"], len(one["entities"])) for one in incidents_of(bench.store, 9)] == [(3, 1), (GROUPS, 1)]
        assert [entry.action for entry in bench.store.cases.timeline(1)].count("full") == 1
        bench.one("x", "ann")
        assert bench.one("g499", "ann") == 1
        assert (bench.state("x")["incident"], incident_of(bench.store, 1)["incident"]["groups"]) == (0, GROUPS)

    def test_its_entities_have_an_end(self, bench):
        for n in range(30):
            bench.one("f", f"u{n}")
        assert bench.one("g", "u29") == 1
        assert len(incidents_of(bench.store, 9)[0]["entities"]) == 20
        assert bench.one("h", "u0") == 0

    def test_one_that_is_resolved_resolves_its_groups_and_takes_in_no_more(self, bench):
        bench.one("f", "ann")
        bench.one("g", "ann")
        bench.act("ack", incidents=[1])
        assert sorted(bench.act("resolve", incidents=[1], verdict="false", note="a drill")) == ["f", "g"]
        assert [bench.state(group)["verdict"] for group in "fg"] == ["false", "false"]
        assert [one["by"] for one in case_of(bench.store, "g")["history"]] == ["pluginhost", "pluginhost", "ann"]
        assert (bench.one("f", "ann"), bench.one("h", "ann")) == (0, 2)
        assert bench.state("f")["incident"] == 2
        assert len(incident_of(bench.store, 1)["groups"]) == 2
        with pytest.raises(Problem, match=r"incident\.unknown"):
            bench.act("ack", incidents=[7])

    def test_as_many_as_may_be_open_the_one_idle_longest_is_resolved(self, tmp_path):
        bench = Bench(tmp_path, Policy(incidents=msgspec.structs.replace(POLICY.incidents, most=2)))
        for n in range(8):
            bench.now += S
            bench.one(f"g{n}", f"u{n // 2}")
        assert [one["number"] for one in incidents_of(bench.store, 9)] == [4, 3]
        assert bench.store.incidents.open() == 2
        assert bench.done(1)[-1] == ("1", "resolved")

    def test_cut_into_commits_in_any_way_they_are_the_same(self, tmp_path):
        alerts = [(f"g{n * 7 % 23}", {"user": {"name": f"u{n % 9}"}, "host": {"name": f"h{n % 11}"}}, T + n * S) for n in range(120)]
        found = []
        for size in (1, 7, 120):
            (tmp_path / str(size)).mkdir()
            bench = Bench(tmp_path / str(size))
            numbers = [number for at in range(0, 120, size)
                       for number in bench.take(*((group, fields, {"time": time}) for group, fields, time in alerts[at : at + size]))]
            found.append((numbers, incidents_of(bench.store, 99)))
        assert found[0][0] == found[1][0] == found[2][0]
        assert [one["entities"] for one in found[0][1]] == [one["entities"] for one in found[2][1]]
        assert max(found[0][0]) >= 1


class TestForgetting:
    def test_resolved_states_go_after_their_time_with_their_trail_and_revisions_never_fall(self, tmp_path):
        bench = Bench(tmp_path)
        bench.one("f", "ann")
        bench.one("g", "ann")
        for _ in range(50):
            bench.one("f")
        bench.act("resolve", incidents=[1], verdict="true")
        revision = bench.state("f")["revision"]
        bench.now += 90 * 24 * HOUR + 1
        bench.store.trim(1000)
        assert (bench.state("f"), case_of(bench.store, "f")["history"], bench.store.states.waiting()) == (None, [], {})
        assert (incidents_of(bench.store, 9, every=True), bench.store.cases.held()) == ([], 0)
        bench.now = T - HOUR  # a clock that was put back
        bench.one("f")
        assert bench.state("f")["revision"] > revision

    def test_open_ones_stay_as_long_as_their_alerts(self, tmp_path):
        bench = Bench(tmp_path)
        bench.one("f")
        bench.now += 200 * 24 * HOUR
        bench.one("g")
        bench.store.trim(1000)
        assert bench.state("f")["status"] == "open"
        bench.now += 200 * 24 * HOUR
        bench.store.trim(1000)
        assert (bench.state("f"), bench.state("g")["status"]) == (None, "open")

    def test_beyond_the_bound_the_resolved_go_first(self, tmp_path):
        bench = Bench(tmp_path, states=3)
        for group in "abcde":
            bench.now += S
            bench.one(group)
        bench.act("resolve", "e", verdict="true")
        bench.store.trim(1000)
        assert [bool(bench.state(group)) for group in "abcde"] == [False, True, True, True, False]
