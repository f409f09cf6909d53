"""finding → desk in journal order → outbox: what is stored, in which order, and when a verdict is due."""

from __future__ import annotations

import asyncio
import functools

import msgspec
import pytest

from pluginhost.alerts.desk import Policy
from pluginhost.engine import committer, desk
from pluginhost.engine.committer import Committer
from pluginhost.engine.desk import Desk
from pluginhost.engine.items import Finding, Made, Point, TableUpdate
from pluginhost.engine.link import Report
from pluginhost.metrics import Counts
from pluginhost.options import Size
from pluginhost.store.alerts import AlertStore
from pluginhost.store.bounds import Buffer, Keep
from pluginhost.store.journal import Journal
from pluginhost.store.row import Kind, Row


def asynchronous(test):
    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(asyncio.wait_for(test(**fixtures), 20))

    return run


def finding(offset, index=0, analyzer="a", fingerprint="f", n=0, id_=None):
    document = {"event": {"kind": "alert"}, "observer": {"vendor": "pluginhost"}, "n": [offset, index]}
    name = id_ or f"{analyzer}-{offset}-{index}-{n}"
    return Finding(offset, index, analyzer, n, name, fingerprint, offset * 10**9, "high", "told", msgspec.json.encode(document))


def report(position, *findings, chained=(), tables=()):
    return Report(position, list(findings), list(chained), list(tables), [], {}, 0)


class Bench:
    """A desk on real files, with its tasks running."""

    def __init__(self, folder, shards, buffers=None, keep=Keep(), **bounds):
        self.folder, self.shards, self.frontiers = folder, shards, []
        self.buffers, self.keep, self.bounds = buffers, keep, bounds

    async def __aenter__(self):
        self.journal = Journal(self.folder / "journal", clock=lambda: 7)
        self.store = AlertStore(self.folder / "alerts.db", clock=lambda: 10**18, buffers=self.buffers, keep=self.keep)
        self.counts = Counts(*desk.COUNTS)
        self.committer = Committer(self.journal, Counts(*committer.COUNTS), most=1 << 30)
        self.desk = Desk(self.store, self.committer, self.counts, shards=self.shards, route=lambda one, _: [f"to-{one.analyzer}"],
                         clock=lambda: 10**18, observer="me", told=self.frontiers.append, **self.bounds)  # fmt: skip
        for row in self.journal.read(max(self.desk.frontier, self.journal.start)):
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

    async def rows(self, count, **given):
        made = [Row(Kind.RECORDS, b"x", **given) for _ in range(count)]
        await self.committer.append(made)
        return [row.offset for row in made]


@pytest.fixture
def bench(tmp_path):
    return lambda shards=1: Bench(tmp_path, shards)


@asynchronous
async def test_alerts_come_in_journal_order_up_to_what_every_shard_has_reported(bench):
    async with bench(2) as one:
        await one.rows(6)
        await one.desk.report(0, report(6, finding(4, 1), finding(1, 0, "b"), finding(5)))
        assert not await one.desk.passed(0, 0.05)
        await one.desk.report(1, report(5, finding(4, 0), finding(1, 0, "a"), finding(3)))
        assert await one.desk.passed(4, 5)
        stored = one.store.since(0, 100)
        assert [alert.id for alert in stored] == ["a-1-0-0", "b-1-0-0", "a-3-0-0", "a-4-0-0", "a-4-1-0"]
        assert one.store.positions() == {0: 5, 1: 5}
        await one.desk.report(1, report(6))
        assert await one.desk.passed(5, 5)
        assert [alert.id for alert in one.store.since(0, 100)][-1] == "a-5-0-0"


@asynchronous
async def test_event_sequence_counts_the_alerts_of_one_fingerprint(bench):
    async with bench() as one:
        await one.rows(3)
        await one.desk.report(0, report(1, finding(0, 0), finding(0, 1), finding(0, 2, fingerprint="g")))
        await one.desk.report(0, report(3, finding(2)))
        assert await one.desk.passed(2, 5)
        found = [(alert.fingerprint, msgspec.json.decode(alert.document)["event"]["sequence"]) for alert in one.store.since(0, 9)]
        assert found == [("f", 1), ("f", 2), ("g", 1), ("f", 3)]


@asynchronous
async def test_what_comes_again_after_a_restart_is_stored_and_sent_once(bench):
    async with bench() as one:
        await one.rows(3)
        await one.desk.report(0, report(2, finding(0), finding(1)))
        assert await one.desk.passed(1, 5)
        one.desk.ready(0)  # the worker died and replays from its checkpoint
        await one.desk.report(0, report(3, finding(0), finding(1), finding(2), finding(2, 1, id_="a-0-0-0")))
        assert await one.desk.passed(2, 5)
        assert [row.id for row in one.store.due("to-a", 2 * 10**18, 100)] == ["a-0-0-0", "a-1-0-0", "a-2-0-0"]
        assert one.counts["known"] == 1  # an equal record elsewhere in the journal is one event


@asynchronous
async def test_a_worker_that_dies_takes_back_what_the_desk_had_not_committed(bench):
    async with bench(2) as one:
        await one.rows(4)
        await one.desk.report(0, report(4, finding(3)))
        one.desk.ready(0)
        await one.desk.report(1, report(4))
        assert not await one.desk.passed(3, 0.05)
        await one.desk.report(0, report(4, finding(3)))
        assert await one.desk.passed(3, 5)
        assert len(one.store.since(0, 9)) == 1


def point(offset, n=0, analyzer="a"):
    return Point(offset, 0, analyzer, n, f"{analyzer}-{offset}-{n}", 0, 0, b"{}")


def scored(position, *points):
    return msgspec.structs.replace(report(position), scores=list(points))


@asynchronous
async def test_scores_come_in_journal_order_once_and_their_minute_is_full_at_the_same_place(tmp_path):
    for number, reports in enumerate((
        [(0, scored(4, point(1), point(3))), (1, scored(4, point(0, 1), point(0, 0), point(2)))],
        [(1, scored(1, point(0, 0), point(0, 1))), (0, scored(2, point(1))), (1, scored(4, point(2))), (0, scored(4, point(3)))],
    )):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with Bench(folder, 2, policy=Policy(trends=("out",), per_minute=4)) as one:
            await one.rows(5)
            for shard, made in reports:
                await one.desk.report(shard, made)
            assert await one.desk.passed(3, 5)
            one.desk.ready(0)
            await one.desk.report(0, scored(5, point(1), point(3), point(4, analyzer="b")))  # a replay, and what is new
            await one.desk.report(1, report(5))
            assert await one.desk.passed(4, 5)
            assert [row.id for row in one.store.scores.due("out", 1 << 62, 9)] == ["a-0-0", "a-0-1", "a-1-0", "a-2-0", "b-4-0"]
            assert (one.store.scores.counts["taken"], one.store.scores.counts["minute"], one.counts["alerts"]) == (5, 1, 0)


@asynchronous
async def test_a_verdict_is_what_an_offset_completed_or_pending(bench):
    async with bench() as one:
        first, second = await one.rows(2)
        asked = asyncio.ensure_future(one.desk.verdict(first, 5))
        assert await one.desk.verdict(first, 0.02) is None
        await one.desk.report(0, report(2, finding(first, 0), finding(first, 1)))
        assert [(index, document["n"]) for index, document in await asked] == [(0, [first, 0]), (1, [first, 1])]
        assert await one.desk.verdict(second, 5) == []


@asynchronous
async def test_what_analyzers_make_is_journalled_before_it_counts_and_only_once(tmp_path):
    made = Made(0, "made-1", "a", "derived", 5, b"\x80", 1)
    update = TableUpdate("t", "k", 1, 9, "update-1", 0)
    async with Bench(tmp_path, 1) as one:
        await one.rows(1)
        await one.desk.report(0, report(1, chained=[made], tables=[update]))
        journalled = [(row.kind, row.input, row.tag) for row in one.journal.read(1)]
        assert journalled == [(Kind.CHAINED, "chain", "derived"), (Kind.TABLE, "table", "")]
        assert one.store.positions().get(0, 0) <= 1
    # the desk's own commit may have been lost: then the report comes again to a desk that has only the journal
    (tmp_path / "alerts.db").unlink()
    async with Bench(tmp_path, 1) as one:
        await one.desk.report(0, report(1, chained=[made], tables=[update]))
        assert await one.desk.passed(0, 5)
        assert one.journal.end == 3


@asynchronous
async def test_rejected_parts_become_dead_letters_with_their_reason(tmp_path):
    async with Bench(tmp_path, 1) as one:
        await one.committer.append([Row(Kind.RECORDS, b"good|bad|worse", input="forward", source="peer", tag="t",
                                        rejected=(("not_a_map", 5, 8), ("too_deep", 9, 14)))])  # fmt: skip
        await one.desk.report(0, report(1))
        assert await one.desk.passed(0, 5)
        found = {letter.reason: (letter.stage, letter.body) for letter in one.store.dead_letters(10)}
        assert found == {"not_a_map": ("input", b"bad"), "too_deep": ("input", b"worse")}


@asynchronous
async def test_rejections_that_were_durable_but_not_kept_yet_are_found_at_the_next_start(tmp_path):
    async with Bench(tmp_path, 1) as one:
        await one.committer.append([Row(Kind.RECORDS, b"bad", rejected=(("not_a_map", 0, 3),))])
    async with Bench(tmp_path, 1) as one:
        await one.desk.report(0, report(1))
        assert await one.desk.passed(0, 5)
        assert [letter.reason for letter in one.store.dead_letters(10)] == ["not_a_map"]


@asynchronous
async def test_while_an_output_is_full_nothing_is_committed_and_no_more_is_listened_to(tmp_path):
    async with Bench(tmp_path, 2, {"to-a": Buffer(max_bytes=Size(1), when_full="push_back")}, held=2_000) as one:
        await one.rows(100)
        await one.desk.report(1, report(100))
        await one.desk.report(0, report(1, finding(0)))
        assert await one.desk.passed(0, 5)
        reports = asyncio.ensure_future(one.desk.report(0, report(20, *(finding(n) for n in range(1, 20)))))
        while not one.counts["pushed_back"]:  # noqa: ASYNC110 - then these wait for their commit, so the next ones must not be taken
            await asyncio.sleep(0.005)
        assert one.counts["pushed_back"] == 1
        more = asyncio.ensure_future(one.desk.report(0, report(40, *(finding(n) for n in range(20, 40)))))
        await asyncio.sleep(0.1)
        assert (reports.done(), more.done(), one.desk.frontier) == (True, False, 1)
        one.store.settle("to-a", done=[1])
        assert await one.desk.passed(19, 5)
        await asyncio.sleep(0.05)
        assert (more.done(), one.desk.frontier) == (True, 20)
        while one.desk.frontier < 40:
            one.store.settle("to-a", done=range(1, 100))
            await asyncio.sleep(0.05)
        assert one.desk.frontier == 40
        assert len(one.store.since(0, 100)) == 40


@asynchronous
async def test_a_desk_that_is_released_listens_whatever_waits(tmp_path):
    async with Bench(tmp_path, 1, {"to-a": Buffer(max_bytes=Size(1), when_full="push_back")}, held=10) as one:
        await one.rows(9)
        for number in range(3):
            stuck = asyncio.ensure_future(one.desk.report(0, report(number + 1, finding(number))))
            assert number or await one.desk.passed(0, 5)  # there is room for the first only
            await asyncio.sleep(0.05)
        assert not stuck.done()
        one.desk.release()
        await stuck


@asynchronous
async def test_no_more_dead_letters_wait_for_the_desk_than_are_kept(tmp_path):
    async with Bench(tmp_path, 1, keep=Keep(dead_letters=3)) as one:
        for number in range(10):
            await one.committer.append([Row(Kind.RECORDS, b"%d" % number, rejected=(("not_a_map", 0, 1),))])
        assert len(one.desk._letters) == 3
        await one.desk.report(0, report(10))
        assert await one.desk.passed(9, 5)
        assert [letter.body for letter in one.store.dead_letters(10)] == [b"9", b"8", b"7"]


@asynchronous
async def test_what_overflows_is_told_when_it_begins_and_when_it_ends(tmp_path, caplog):
    async with Bench(tmp_path, 1, {"to-a": Buffer(max_bytes=Size(200), when_full="dead_letter")}) as one:
        await one.rows(9)
        for number in range(5):
            await one.desk.report(0, report(number + 1, finding(number)))
            assert await one.desk.passed(number, 5)
        assert one.counts["overflowed"] == 4
        one.store.settle("to-a", done=[1])
        await one.desk.report(0, report(6))
        assert await one.desk.passed(5, 5)
    told = [record.getMessage() for record in caplog.records]
    assert told == ["as much waits for output to-a as may; alerts for it go to the dead letters from now on",
                    "output to-a has room again; 4 alerts for it went to the dead letters"]  # fmt: skip
