"""A desk on real files and the people it tells: who hears of what, when the clock has moved so far, and what a crash does to it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from datetime import time
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pluginhost.alerts.calendar import Hours
from pluginhost.alerts.desk import Policy, Suppress
from pluginhost.alerts.document import RESOLVED
from pluginhost.alerts.grouping import Grouping, Threshold
from pluginhost.alerts.notification import decoded
from pluginhost.alerts.scope import Scope
from pluginhost.alerts.telling import MEMBERS, Audience, Gather, Limit, message
from pluginhost.engine import committer, desk
from pluginhost.engine.committer import Committer
from pluginhost.engine.desk import Desk
from pluginhost.engine.items import Finding
from pluginhost.engine.link import Report
from pluginhost.engine.splitter import Control, control_row
from pluginhost.match import compile as compiled
from pluginhost.match import parse
from pluginhost.metrics import Counts
from pluginhost.store.alerts import AlertStore
from pluginhost.store.journal import Journal
from pluginhost.store.mutes import StoredMute
from pluginhost.store.row import Kind, Row

SECOND, HOUR, DAY = 10**9, 3600 * 10**9, 86_400 * 10**9
T = 1_772_618_400 * SECOND  # Wednesday, 2026-03-04T10:00:00Z
AWAY = 5 * HOUR  # by which the store's clock, which is not put back, differs from people's
OFFICE = Hours(frozenset(range(5)), time(9), time(17), ZoneInfo("UTC"))


def asynchronous(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(test(**fixtures), 20))

    return run


def finding(offset, user="ann", severity="high", *, over=False, at=None, analyzer="brute"):
    alert = {"fingerprint": f"f-{user}", "count": 1, **({"status": RESOLVED} if over else {})}
    document = {"event": {"kind": "alert", "id": f"e{offset}"}, "observer": {}, "user": {"name": user}, "log": {"level": severity},
                "message": "m", "pluginhost": {"analyzer": analyzer, "alert": alert}}  # fmt: skip
    return Finding(offset, 0, analyzer, 0, f"e{offset}", f"f-{user}", T + (offset if at is None else at) * SECOND, severity, "m",
                   msgspec.json.encode(document))  # fmt: skip


class Bench:
    """`people` are told by terms, `archive` gets alerts; leaving it is a crash, entering it the start behind that."""

    def __init__(self, folder, *terms, **policy):
        self.folder, self.now, self._terms, self._policy = folder, T, terms, policy

    async def __aenter__(self):
        self.journal = Journal(self.folder / "journal", clock=lambda: 7)
        self.store = AlertStore(self.folder / "alerts.db", clock=lambda: self.now + AWAY, composed=message, members=MEMBERS)
        self.counts = Counts(*desk.COUNTS)
        self.committer = Committer(self.journal, Counts(*committer.COUNTS), most=1 << 30)
        self.desk = Desk(self.store, self.committer, self.counts, shards=1, clock=lambda: self.now, observer="me", told=bool,
                         route=lambda one, _: [*(term.output for term in self._terms if one.analyzer != "quiet"), "archive"],
                         policy=Policy(audiences=self._terms, **self._policy))  # fmt: skip
        for row in self.journal.read(self.desk.frontier):
            self.desk.seen(row)
        self.committer.watchers.append(self.desk.seen)
        self.tasks = [asyncio.ensure_future(self.committer.run()), asyncio.ensure_future(self.desk.run())]
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.committer.close()
        self.desk.close()

    async def take(self, *findings):
        """Reports findings of the rows up to the last one's and waits for their commit."""
        end = findings[-1].offset + 1
        await self.committer.append([Row(Kind.RECORDS, b"x") for _ in range(end - self.journal.end)])
        await self.desk.report(0, Report(end, list(findings), [], [], [], {}, 0))
        assert await self.desk.passed(end - 1, 10)

    async def control(self, **told):
        row = control_row(Control(**told))
        await self.committer.insist([row])
        await self.desk.report(0, Report(row.offset + 1, [], [], [], [], {}, 0))
        assert await self.desk.passed(row.offset, 10)

    def sent(self, output="people", *, settle=True):
        """What goes out now: (kind, ids of alerts, how many, why)."""
        rows = self.store.notifications.due(output, self.now + AWAY, 100)
        told = [decoded(row.document) for row in rows]
        if settle:
            self.store.notifications.settle(output, done=[row.seq for row in rows])
        return [(one.kind, "".join(alert["event"]["id"] for alert in one.alerts), one.count, one.why) for one in told]

    def next(self, output="people"):
        """In how many seconds something is due."""
        due = self.store.notifications.next_due(output)
        return None if due is None else (due - self.now - AWAY) / SECOND

    def archived(self):
        return [row.id for row in self.store.due("archive", self.now + AWAY, 100)]

    def stored(self):
        return [(one.id, one.suppressed) for one in self.store.since(0, 100)]


def people(name="people", **terms):
    return Audience(name, **terms)


@asynchronous
async def test_people_are_told_at_once_and_of_each_alert_once_and_get_no_documents(tmp_path):
    async with Bench(tmp_path, people(), people("others")) as one:
        await one.take(finding(0), finding(1, "bob"), finding(2, analyzer="quiet"))
        assert one.sent() == [("alert", "e0", 1, ""), ("alert", "e1", 1, "")]
        assert (one.sent(), one.next()) == ([], None)
        assert one.archived() == ["e0", "e1", "e2"]
        assert one.store.due("people", 1 << 62, 9) == ()
        assert len(one.sent("others")) == 2


@asynchronous
async def test_what_is_suppressed_is_told_to_nobody(tmp_path):
    rule = Suppress("bobs", Scope(compiled(parse("user.name:bob"))))
    async with Bench(tmp_path, people(), suppress=(rule,), hears=frozenset(["archive"])) as one:
        await one.take(finding(0), finding(1, "bob"))
        assert [ids for _, ids, *_ in one.sent()] == ["e0"]
        assert (one.archived(), one.stored()) == (["e0", "e1"], [("e0", ""), ("e1", "bobs")])


@asynchronous
async def test_what_is_gathered_goes_out_together_so_long_after_the_first(tmp_path):
    async with Bench(tmp_path, people(gather=Gather(every=60 * SECOND, by=("user.name",), table=("user.name",)))) as one:
        await one.take(finding(0), finding(1, "bob"))
        one.now += 59 * SECOND
        await one.take(finding(2))
        assert (one.sent(), one.next()) == ([], 1.0)
        one.now += SECOND
        assert one.sent() == [("digest", "e0e2", 2, "gathered"), ("alert", "e1", 1, "")]
        await one.take(finding(3))
        assert one.next() == 60.0


@asynchronous
async def test_more_than_a_limit_is_a_digest_when_there_is_room(tmp_path):
    async with Bench(tmp_path, people(limit=Limit(2, 60 * SECOND))) as one:
        await one.take(*(finding(n) for n in range(4)))
        assert one.sent() == [("alert", "e0", 1, ""), ("alert", "e1", 1, "")]
        one.now += 10 * SECOND
        await one.take(finding(4))
        assert (one.sent(), one.next()) == ([], 50.0)
        one.now += 50 * SECOND
        assert one.sent() == [("digest", "e2e3e4", 3, "more than 2 messages in 60 s")]
        await one.take(finding(5), finding(6))
        assert one.sent() == [("alert", "e5", 1, "")]
        assert one.next() == 60.0
        one.now += 60 * SECOND
        assert one.sent() == [("alert", "e6", 1, "")]


@asynchronous
async def test_in_no_stretch_of_time_more_than_the_limit_goes_out(tmp_path):
    async with Bench(tmp_path, people(limit=Limit(3, 60 * SECOND))) as one:
        times, offset, told = [], 0, 0
        for step in range(120):
            one.now = T + step * 5 * SECOND
            for _ in range(step % 4):
                await one.take(finding(offset))
                offset += 1
            for _, _, count, _ in one.sent():
                times.append(step * 5)
                told += count
        one.now += HOUR
        told += sum(count for _, _, count, _ in one.sent())
        assert told == offset
        assert max(sum(at <= other < at + 60 for other in times) for at in times) == 3


@asynchronous
async def test_outside_of_the_hours_it_is_skipped_or_held_until_they_begin(tmp_path):
    async with Bench(tmp_path, people(hours=OFFICE), people("held", hours=OFFICE, hold=True)) as one:
        await one.take(finding(0))
        one.now += 8 * HOUR
        await one.take(finding(1), finding(2, "bob"))
        assert ([ids for _, ids, *_ in one.sent()], [ids for _, ids, *_ in one.sent("held")]) == (["e0"], ["e0"])
        assert (one.next(), one.next("held")) == (None, 15 * 3600)
        one.now += 15 * HOUR
        assert one.sent("held") == [("digest", "e1e2", 2, "outside of the hours")]


@asynchronous
async def test_of_an_end_hears_who_asks_for_it(tmp_path):
    async with Bench(tmp_path, people(), people("both", resolved=True), grouping=(Grouping(realert=HOUR),)) as one:
        await one.take(finding(0), finding(1), finding(2, severity="low", over=True), finding(3))
        assert [told[:2] for told in one.sent()] == [("alert", "e0"), ("alert", "e3")]
        assert [told[:2] for told in one.sent("both")] == [("alert", "e0"), ("resolved", "e2"), ("alert", "e3")]


@asynchronous
async def test_escalation_is_told_in_the_quiet_time(tmp_path):
    async with Bench(tmp_path, people(), grouping=(Grouping(realert=HOUR),)) as one:
        await one.take(finding(0, severity="low"), finding(1, severity="low"), finding(2, severity="critical"))
        assert [told[:2] for told in one.sent()] == [("alert", "e0"), ("escalated", "e2")]


@asynchronous
async def test_a_group_of_which_nothing_came_for_long_is_over_once(tmp_path):
    async with Bench(tmp_path, people(resolved=True), grouping=(Grouping(resolve_after=60 * SECOND),)) as one:
        await one.take(finding(0), finding(1, "bob"))
        one.now += 30 * SECOND
        await one.take(finding(2, "bob"))
        one.now += 30 * SECOND
        assert (await one.desk.end(), await one.desk.end()) == (1, 0)
        assert [told[0] for told in one.sent()] == ["alert", "alert", "alert", "resolved"]
        one.now += DAY
        assert (await one.desk.end(), await one.desk.end()) == (1, 0)
        last = one.store.latest("f-bob")
        event = msgspec.json.decode(last.document)["event"]
        assert (event["kind"], event["reason"], event["sequence"], last.severity) == ("event", "nothing more came of it", 3, "high")


@asynchronous
async def test_a_group_forgotten_and_begun_anew_ends_again(tmp_path):
    """It counts from 1 again, so that its number is no name for what happens to it."""
    async with Bench(tmp_path, people(resolved=True), grouping=(Grouping(resolve_after=60 * SECOND),)) as one:
        for n in range(2):
            await one.take(finding(n))
            one.now += 60 * SECOND
            assert await one.desk.end() == 1
            with one.store._database.transaction():
                one.store._database.run("DELETE FROM groups")
        assert [told[0] for told in one.sent()] == ["alert", "resolved"] * 2
        assert len(one.stored()) == 4


@asynchronous
async def test_a_person_who_closes_it_says_so_and_what_nobody_was_told_of_has_no_end(tmp_path):
    async with Bench(tmp_path, people(resolved=True), suppress=(Suppress("bobs", Scope(compiled(parse("user.name:bob")))),)) as one:
        await one.take(finding(0), finding(1, "bob"))
        assert await one.desk.end(["f-ann", "f-bob", "f-none"], by="eve", note="a test") == 1
        assert [told[0] for told in one.sent()] == ["alert", "resolved"]
        assert msgspec.json.decode(one.store.latest("f-ann").document)["event"]["reason"] == "closed by eve: a test"
        await one.take(finding(2))
        assert [told[0] for told in one.sent()] == ["alert"]


@asynchronous
async def test_the_end_of_what_was_imported_needs_no_field_of_ours(tmp_path):
    async with Bench(tmp_path, people(resolved=True)) as one:
        await one.take(finding(0))
        odd = {"event": {"id": "i1"}, "rule": {"id": "brute"}, "observer": "x", "pluginhost": {"alert": {"fingerprint": "f-ann"}}}
        with one.store._database.transaction():
            one.store._database.run("UPDATE alerts SET document = ?", msgspec.json.encode(odd))
        assert await one.desk.end(["f-ann"], by="eve") == 1
        assert one.store.latest("f-ann").analyzer == "brute"


@asynchronous
async def test_a_mute_holds_from_its_row_on_over_a_restart_and_until_it_is_ended(tmp_path):
    one = Bench(tmp_path, people())
    async with one:
        await one.take(finding(0))
        await one.control(mute=StoredMute("mute_1", T, T + DAY, fingerprint="f-ann", author="eve"))
        await one.take(finding(2), finding(3, "bob"))
    async with one:
        await one.take(finding(4), finding(5, at=86_400))
        await one.control(unmute="mute_1")
        await one.take(finding(7))
        assert one.stored() == [("e0", ""), ("e2", "mute_1"), ("e3", ""), ("e4", "mute_1"), ("e5", ""), ("e7", "")]
        assert [ids for _, ids, *_ in one.sent()] == ["e0", "e3", "e5", "e7"]


@asynchronous
async def test_the_end_of_what_was_told_is_told_during_a_mute_and_once(tmp_path):
    async with Bench(tmp_path, people(resolved=True), grouping=(Grouping(resolve_after=60 * SECOND),)) as one:
        await one.take(finding(0))
        await one.control(mute=StoredMute("mute_1", T, T + 90 * SECOND))
        one.now += 30 * SECOND
        assert await one.desk.end() == 0
        assert [told[0] for told in one.sent()] == ["alert"]
        one.now += 30 * SECOND
        assert await one.desk.end() == 1
        assert [told[0] for told in one.sent()] == ["resolved"]
        one.now += 60 * SECOND
        assert await one.desk.end() == 0
        assert [suppressed for _, suppressed in one.stored()] == ["", ""]


@pytest.mark.parametrize("place", ["before the commit", "behind the commit", "behind the sending", "behind the settling"])
@asynchronous
async def test_a_crash_loses_nothing_and_what_is_settled_is_not_told_again(tmp_path, place):
    one = Bench(tmp_path, people(gather=Gather(every=60 * SECOND)), people("fast"), grouping=(Grouping(threshold=Threshold(2, DAY)),))
    found, sent = [finding(n) for n in range(4)], []
    async with one:
        if place == "before the commit":
            one.store.commit = failing
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(one.take(*found), 0.2)
        else:
            await one.take(*found)
            one.now += 60 * SECOND
            sent = [*one.sent(settle=place == "behind the settling"), *one.sent("fast", settle=place == "behind the settling")]
    async with one:
        one.desk.ready(0)
        await one.take(*found, finding(4))
        one.now += 60 * SECOND
        again = [*one.sent(), *one.sent("fast")]
        digest, alone = ("digest", "e1e3", 2, "gathered"), [("alert", "e1", 1, ""), ("alert", "e3", 1, "")]
        assert sent == ([] if place == "before the commit" else [digest, *alone])
        assert again == ([] if place == "behind the settling" else [digest, *alone])
        assert [suppressed for _, suppressed in one.stored()] == ["below_threshold", "", "below_threshold", "", "below_threshold"]


def failing(_):
    raise OSError(28, "no space")


@asynchronous
async def test_a_clock_that_is_put_back_delays_nothing_that_waits(tmp_path):
    one = Bench(tmp_path, people())
    async with one:
        await one.take(finding(0))
        (row,) = one.store.notifications.due("people", one.now + AWAY, 9)
        one.store.notifications.settle("people", retry=[(row.seq, one.now + AWAY + 30 * SECOND, "busy")])
    one.now -= DAY
    async with one:
        one.store.awaken(one.now + AWAY)
        assert [ids for _, ids, *_ in one.sent()] == ["e0"]
