"""The desk with an operator's policy: whom suppressed alerts reach, what risk comes to, and that both are of one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import functools

import msgspec
import pytest

from pluginhost.alerts.desk import Policy, Suppress
from pluginhost.alerts.risk import RULE, Scale, Score
from pluginhost.alerts.scope import Scope
from pluginhost.engine import committer, desk
from pluginhost.engine.committer import Committer
from pluginhost.engine.desk import Desk
from pluginhost.engine.items import Finding
from pluginhost.engine.link import Report
from pluginhost.match import compile as compiled
from pluginhost.match import parse
from pluginhost.metrics import Counts
from pluginhost.store.alerts import AlertStore
from pluginhost.store.journal import Journal
from pluginhost.store.risks import Override
from pluginhost.store.row import Kind, Row

DAY = 86_400 * 10**9
T = 1_800_000_000 * 10**9
NOW = T + 100 * DAY
SCALE = Scale(half_life=14 * DAY, weights={"low": 1.0, "medium": 4.0, "high": 10.0, "critical": 20.0}, cuts=(0.5, 20.0, 40.0, 80.0),
              alert_from="medium", most=100)  # fmt: skip


def asynchronous(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(test(**fixtures), 20))

    return run


def finding(offset, user="ann", severity="high", analyzer="brute", suppressed=(), **fields):
    alert = {"fingerprint": f"f-{user}", "count": 1, **({"suppressed": list(suppressed)} if suppressed else {})}
    document = {"event": {"kind": "alert"}, "observer": {}, "user": {"name": user}, "pluginhost": {"alert": alert}, **fields}
    return Finding(offset, 0, analyzer, 0, f"{analyzer}-{offset}", f"f-{user}", T + offset * 10**9, severity, "told",
                   msgspec.json.encode(document))  # fmt: skip


def by_user(name, user, analyzers=()):
    return Suppress(name, Scope(compiled(parse(f"user.name:{user}")), analyzers))


class Bench:
    """A desk with a policy on real files; all alerts are wanted by the outputs `people` and `archive`."""

    def __init__(self, folder, policy):
        self.folder, self.policy = folder, policy

    async def __aenter__(self):
        self.journal = Journal(self.folder / "journal", clock=lambda: 7)
        self.store = AlertStore(self.folder / "alerts.db", clock=lambda: NOW)
        self.counts = Counts(*desk.COUNTS)
        self.committer = Committer(self.journal, Counts(*committer.COUNTS), most=1 << 30)
        self.desk = Desk(self.store, self.committer, self.counts, shards=1, route=lambda *_: ["people", "archive"], clock=lambda: NOW,
                         observer="me", told=bool, policy=self.policy)  # fmt: skip
        self.tasks = [asyncio.ensure_future(self.committer.run()), asyncio.ensure_future(self.desk.run())]
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.committer.close()
        self.desk.close()

    async def take(self, *findings, upto=None):
        """Reports findings of rows up to one and waits for their commit."""
        end = (findings[-1].offset if upto is None else upto) + 1
        if end > self.journal.end:
            await self.committer.append([Row(Kind.RECORDS, b"x") for _ in range(end - self.journal.end)])
        await self.desk.report(0, Report(end, list(findings), [], [], [], {}, 0))
        assert await self.desk.passed(end - 1, 10)

    def waiting(self, output):
        return [row.id for row in self.store.due(output, NOW + 1, 100)]

    def stored(self):
        """(analyzer, suppressed, user's risk) of every alert, in order."""
        rows = self.store.since(0, 1000)
        return [(one.analyzer, one.suppressed, msgspec.json.decode(one.document)["user"].get("risk")) for one in rows]

    def score(self, name, kind="user"):
        state = self.store.risks.get(kind, name).state
        return msgspec.msgpack.decode(state, type=Score) if state else None


@asynchronous
async def test_suppressed_alerts_are_stored_and_reach_only_those_who_ask(tmp_path):
    rules = (by_user("contractors", "bob"), Suppress("noisy", Scope(analyzers=("bru*",))))
    async with Bench(tmp_path, Policy(rules, hears=frozenset(["archive"]))) as one:
        await one.take(finding(0), finding(1, "bob", analyzer="other", suppressed=["learning"]), finding(2, analyzer="other"))
        assert (one.waiting("people"), one.waiting("archive")) == (["other-2"], ["brute-0", "other-1", "other-2"])
        assert [row[:2] for row in one.stored()] == [("brute", "noisy"), ("other", "learning contractors"), ("other", "")]
        assert (one.counts["alerts"], one.counts["suppressed"]) == (3, 2)
        assert one.store.suppressions() == {"contractors": 1, "learning": 1, "noisy": 1}
        assert [alert.id for alert in one.store.list(limit=9)] == ["other-2"]
        assert [alert.id for alert in one.store.list(limit=9, suppressed=True)] == ["other-1", "brute-0"]
        assert len(one.store.list(limit=9, suppressed=None)) == 3


@asynchronous
async def test_nobody_waiting_for_a_verdict_is_told_what_is_suppressed(tmp_path):
    async with Bench(tmp_path, Policy((by_user("contractors", "bob"),))) as one:
        await one.take(finding(0, "bob"), finding(1))
        assert await one.desk.verdict(0, 1) == []
        assert [index for index, _ in await one.desk.verdict(1, 1)] == [0]


@asynchronous
async def test_alerts_carry_the_risk_as_of_then_and_its_rise_follows_as_an_alert_of_its_own(tmp_path):
    async with Bench(tmp_path, Policy((), risk=SCALE)) as one:
        await one.take(finding(0), finding(0 + 1, "bob", "low"), finding(2, severity="critical"), finding(3, severity="low"))
        told = [(analyzer, risk["calculated_score"], risk["calculated_level"]) for analyzer, _, risk in one.stored()]
        assert told == [("brute", 10.0, "low"), ("brute", 1.0, "low"), ("brute", 30.0, "medium"), (RULE.id, 30.0, "medium"),
                        ("brute", 31.0, "medium")]  # fmt: skip
        assert len(one.waiting("people")) == 5
        (raised,) = one.store.list(limit=9, analyzer=RULE.id)
        document = msgspec.json.decode(raised.document)
        assert (raised.severity, raised.headline, raised.sequence) == ("medium", "risk of ann rose from low to medium", 1)
        assert [one["id"] for one in document["pluginhost"]["events"]] == ["brute-0", "brute-2"]


@asynchronous
async def test_suppressed_alerts_weigh_nothing_and_risk_never_keeps_itself_from_rising(tmp_path):
    gate = Suppress("minimum_risk", Scope(compiled(parse("NOT user.risk.calculated_level:(medium OR high OR critical)"))))
    async with Bench(tmp_path, Policy((by_user("contractors", "bob"),), risk=SCALE)) as one:
        await one.take(*(finding(n, "bob", "critical") for n in range(9)))
        assert one.score("bob") is None
        assert {risk["calculated_level"] for _, _, risk in one.stored()} == {"no_risk"}
    (tmp_path / "again").mkdir()
    async with Bench(tmp_path / "again", Policy((gate,), risk=SCALE)) as one:  # it sees no risk at all, whatever that has come to
        await one.take(finding(0, severity="critical"), finding(1, severity="critical"))
        assert [row[:2] for row in one.stored()] == [("brute", "minimum_risk")] * 2


@asynchronous
async def test_the_alert_about_a_rise_may_be_suppressed_and_weighs_nothing_itself(tmp_path):
    async with Bench(tmp_path, Policy((Suppress("no_risk_alerts", Scope(analyzers=(RULE.id,))),), risk=SCALE)) as one:
        await one.take(finding(0, severity="critical"), finding(1, severity="critical"))
        assert [row[:2] for row in one.stored()] == [("brute", ""), (RULE.id, "no_risk_alerts")] * 2
        assert round(one.score("ann").value) == 40


@asynchronous
async def test_what_comes_again_weighs_once_in_any_batches_and_after_a_restart(tmp_path):
    findings = [finding(n, ("ann", "bob")[n % 2], ("low", "high", "critical")[n % 3]) for n in range(12)]
    found = []
    for name, batches in (("whole", [12]), ("single", [1] * 12), ("mixed", [5, 2, 5])):
        (tmp_path / name).mkdir()
        at = 0
        for size in batches:
            async with Bench(tmp_path / name, Policy((), risk=SCALE)) as one:
                await one.take(*findings[at : at + size])
                one.desk.ready(0)
                await one.take(*findings[at : at + size], *findings[:2])
                at += size
                found += [(one.store.since(0, 100), one.score("ann"), one.score("bob"))] if at == 12 else []
    assert len(found[0][0]) > 12
    assert found[0] == found[1] == found[2]


@asynchronous
async def test_a_commit_that_fails_leaves_no_risk_behind(tmp_path):
    async with Bench(tmp_path, Policy((), risk=SCALE)) as one:
        await one.take(finding(0, severity="low"))
        commit, failures = one.store.commit, []

        def failing(given):
            if not failures:
                failures.append(one.score("ann").value)
                raise OSError(28, "no space")
            return commit(given)

        one.store.commit, pause = failing, desk._PAUSE
        with contextlib.ExitStack() as held:
            held.callback(setattr, desk, "_PAUSE", pause)
            desk._PAUSE = 0.01
            await one.take(finding(1))
        assert [round(value) for value in failures] == [11]  # it had been reckoned, and was undone
        assert round(one.score("ann").value) == 11
        assert one.counts["postponed"] == 1


@asynchronous
async def test_what_an_analyst_says_stands_on_alerts_until_it_ends_and_no_recount_touches_it(tmp_path):
    async with Bench(tmp_path, Policy((), risk=SCALE)) as one:
        one.store.risks.say("user", "ann", Override("low", NOW + 1, NOW, "eve", "pentester"))
        one.store.risks.say("user", "bob", Override("critical", NOW, NOW - 5))  # it has just ended
        await one.take(*(finding(n, severity="critical") for n in range(3)), finding(3, "bob"))
        assert [risk.get("static_level") for *_, risk in one.stored()] == ["low", "low", "low", None]
        assert one.stored()[2][2] == {"calculated_score": 60.0, "calculated_level": "high", "static_level": "low"}
        assert one.store.risks.get("user", "ann").override == Override("low", NOW + 1, NOW, "eve", "pentester")
        assert one.store.risks.unsay("user", "ann")
        await one.take(finding(4, severity="low"))
        assert [row[0] for row in one.stored()][-1] == RULE.id  # what nobody was told meanwhile


@asynchronous
async def test_no_more_entities_are_remembered_than_may_be_and_those_quiet_longest_go(tmp_path):
    async with Bench(tmp_path, Policy((), risk=msgspec.structs.replace(SCALE, most=5))) as one:
        await one.take(*(finding(n, f"user-{n}") for n in range(8)), finding(8, "user-3"), finding(9, "user-9"))
        known = [n for n in range(10) if one.score(f"user-{n}") is not None]
        assert (known, one.counts["risks_evicted"]) == ([3, 5, 6, 7, 9], 4)


@asynchronous
async def test_hosts_and_addresses_have_a_risk_but_no_alert(tmp_path):
    async with Bench(tmp_path, Policy((), risk=SCALE)) as one:
        for n in range(3):
            await one.take(finding(n, "", "critical", host={"name": "web1"}, source={"ip": "192.0.2.9"}))
        assert [row[0] for row in one.stored()] == ["brute"] * 3
        assert (round(one.score("web1", "host").value), round(one.score("192.0.2.9", "address").value)) == (60, 60)
        document = msgspec.json.decode(one.store.since(0, 9)[2].document)
        assert document["host"]["risk"] == document["pluginhost"]["source"]["risk"] == {
            "calculated_score": 60.0, "calculated_level": "high",
        }  # fmt: skip
        assert [risk.name for risk in one.store.risks.highest("host", 9)] == ["web1"]


@pytest.mark.parametrize("name", [["a", "b"], 7, None, {}])
@asynchronous
async def test_alerts_about_nobody_in_particular_pass(tmp_path, name):
    async with Bench(tmp_path, Policy((by_user("x", "y"),), risk=SCALE)) as one:
        await one.take(finding(0, name, host={"name": []}, source="?"))
        assert [row[2] for row in one.stored()] == [None]
