"""The same journal gives the same alerts with the same reasons: in any number of shards, any batches, over crashes at any place. With mutes
and their ends, other lists, thresholds, re-alerting, escalation, ends, and findings that come again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from determinism import lasting
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.alerts.calendar import Span
from pluginhost.alerts.desk import Policy, Suppress
from pluginhost.alerts.document import RESOLVED
from pluginhost.alerts.grouping import Grouping, Threshold
from pluginhost.alerts.risk import Scale
from pluginhost.alerts.scope import Scope
from pluginhost.alerts.suppression import Vip
from pluginhost.engine import desk
from pluginhost.engine.desk import Desk
from pluginhost.engine.items import Finding
from pluginhost.engine.link import Report
from pluginhost.engine.splitter import Control, control_row, tick_row
from pluginhost.events.references import listing_of
from pluginhost.match import compile as compiled
from pluginhost.match import parse
from pluginhost.metrics import Counts
from pluginhost.store.alerts import AlertStore
from pluginhost.store.mutes import StoredMute

_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
SECOND = 10**9
T = 1_800_000_000 * SECOND
NETWORKS = {1: ["192.0.2.0/25"], 2: [], 3: ["192.0.2.0/24", "198.51.100.7"]}
POLICY = Policy(
    suppress=(
        Suppress("office", list="offices", field="source.ip"),
        Suppress("upgrade", Scope(analyzers=("b",)), (Span(T + 40 * SECOND, T + 80 * SECOND),)),
        Suppress("minor", Scope(compiled(parse("user.name:dan"))), below_risk="medium"),
    ),
    grouping=(
        Grouping(Scope(analyzers=("a",)), Threshold(3, 30 * SECOND), 20 * SECOND, 80 * SECOND),
        Grouping(Scope(analyzers=("b",)), Threshold(2, 60 * SECOND, "source.ip")),
    ),
    vip=Vip("user.name", frozenset({"ann"}), "offices"),
    risk=Scale(half_life=60 * SECOND, weights={"low": 1.0, "medium": 4.0, "high": 10.0, "critical": 20.0}, cuts=(0.5, 20.0, 40.0, 80.0),
               alert_from="medium", most=3),
)  # fmt: skip

MUTES = st.builds(lambda name, lasts, **more: (name, lasts * SECOND, more), st.sampled_from("xy"), st.integers(5, 90),
                  analyzers=st.sampled_from([(), ("a",), ("b*", "c")]), fingerprint=st.sampled_from(["", "a-ann"]),
                  query=st.sampled_from(["", "user.name:(ann OR bob)", "source.ip:\"192.0.2.0/24\"", "((("]))  # fmt: skip
FINDINGS = st.tuples(st.sampled_from("abc"), st.sampled_from(["ann", "bob", "dan"]), st.sampled_from(["low", "medium", "high", "critical"]),
                     st.sampled_from(["192.0.2.1", "192.0.2.200", "198.51.100.7"]), st.sampled_from([False] * 5 + [True]),
                     st.sampled_from([0, 0, 0, -15, -3600]))  # fmt: skip
ROWS = st.one_of(
    st.tuples(st.just("findings"), st.lists(FINDINGS, min_size=1, max_size=4)),
    st.tuples(st.just("findings"), st.lists(FINDINGS, min_size=2, max_size=4)),
    st.tuples(st.just("mute"), MUTES), st.tuples(st.just("unmute"), st.sampled_from("xyz")), st.tuples(st.just("swap"), st.integers(1, 3)),
    st.tuples(st.just("tick"), st.none()),
)  # fmt: skip
JOURNALS = st.lists(st.tuples(ROWS, st.integers(0, 9)), min_size=1, max_size=25)
WAYS = st.tuples(st.sampled_from([1, 2, 3]), st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["go", "go", "crash", "fail"])),
                                                      min_size=1))


def journal(drawn):
    """(the rows, the findings) of what was drawn; some findings come twice."""
    rows, found, now = [control_row(Control(1))], [], T
    for (kind, told), seconds in drawn:
        now += seconds * SECOND
        if kind == "mute":
            name, lasts, more = told
            rows.append(control_row(Control(mute=StoredMute(name, now, now + lasts, **more))))
        elif kind in ("unmute", "swap"):
            rows.append(control_row(Control(**{kind: told})))
        else:
            rows.append(tick_row(now))
        found += [finding(len(rows) - 1, index, now, *one) for index, one in enumerate(told if kind == "findings" else ())]
    for offset, row in enumerate(rows):
        row.offset = offset
    return rows, found + [msgspec.structs.replace(one, offset=len(rows) - 1, index=90) for one in found[:2]]


def finding(offset, index, now, analyzer, user, severity, ip, over, late):
    alert = {"fingerprint": f"{analyzer}-{user}", **({"status": RESOLVED} if over else {})}
    document = {"event": {"id": "e"}, "observer": {}, "user": {"name": user}, "source": {"ip": ip}, "log": {"level": severity},
                "pluginhost": {"alert": alert}}  # fmt: skip
    return Finding(offset, index, analyzer, 0, f"{offset}.{index}", f"{analyzer}-{user}", now + late * SECOND, severity, "m",
                   msgspec.json.encode(document))  # fmt: skip


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The file of a desk that has judged nothing."""
    file = tmp_path_factory.mktemp("desk") / "alerts.db"
    AlertStore(file, clock=lambda: T).close()
    return file


async def judged(fresh, rows, found, shards, steps):
    """Every alert, as (id, reasons, document), of a desk that is told so many rows at a time, by so many shards, and crashes in between."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        shutil.copy(fresh, folder)
        at, ways = 0, itertools.cycle(steps)
        while at < len(rows):
            step, end = next(ways)
            async with running(Path(folder), shards) as one:
                for row in rows[one.frontier :]:
                    one.seen(row)
                while True:
                    if end == "fail":
                        one.store.commit = failing(one.store.commit)
                    at = min(at + step, len(rows))
                    for shard in range(shards):
                        mine = [each for each in found if hash_of(each) % shards == shard and one.frontier <= each.offset < at]
                        await one.report(shard, Report(at, mine, [], [], [], {}, 0))
                    assert await one.passed(at - 1, 10)
                    if at == len(rows):
                        return [(each.id, each.suppressed, lasting(msgspec.json.decode(each.document))) for each in one.store.since(0,
                                                                                                                                    9999)]
                    if end == "crash":
                        for shard in range(shards - 1):  # the others have not reported yet: it is judged again
                            await one.report(shard, Report(len(rows), [], [], [], [], {}, 0))
                        break
                    step, end = next(ways)
    raise AssertionError


def hash_of(one):
    return sum(one.fingerprint.encode())


@contextlib.asynccontextmanager
async def running(folder, shards):
    store = AlertStore(folder / "alerts.db", clock=lambda: T)
    if not store.positions():
        store.share(shards, 0)
    lists = {number: {"offices": listing_of("networks", told)} for number, told in NETWORKS.items()}
    one = Desk(store, None, Counts(*desk.COUNTS), shards=shards, route=lambda *_: ["x"], clock=lambda: T, observer="me", told=bool,
               policy=POLICY,
               lists=lists.__getitem__)  # fmt: skip
    task = asyncio.ensure_future(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        one.close()


def failing(commit):
    """A commit that fails once, with all that was done for it."""
    left = [OSError(28, "no space")]

    def once(given):
        if left:
            raise left.pop()
        return commit(given)

    return once


@settings(max_examples=40, deadline=None)
@given(drawn=JOURNALS, way=WAYS)
def test_the_same_alerts_with_the_same_reasons(fresh, drawn, way):
    rows, found = journal(drawn)
    with mock.patch.object(desk, "_PAUSE", 0.0):
        whole = asyncio.run(judged(fresh, rows, found, 1, [(1 << 20, "go")]))
        again = asyncio.run(judged(fresh, rows, found, *way))
    assert again == whole


def test_the_journals_hold_what_they_are_for(fresh):
    """Everything that can keep an alert from people, or is said of one that is told, comes about."""
    ann, dan, bob = ("ann", "192.0.2.200"), ("dan", "198.51.100.7"), ("bob", "198.51.100.7")
    drawn = [(("mute", ("x", 20 * SECOND, {"query": "user.name:bob"})), 1)]
    drawn += [(("findings", [("a", "ann", severity, ann[1], False, 0)]), 1) for severity in (*["low"] * 5, *["critical"] * 3)]
    drawn += [(("findings", [("c", *who[:1], "low", who[1], over, 0)]), 1) for who, over in ((dan, False), (bob, False), (ann, False))]
    drawn += [(("findings", [("c", "ann", "low", ann[1], True, 0)]), 1)] * 2
    drawn += [(("swap", 3), 1), (("findings", [("c", "ann", "low", ann[1], False, 0), ("b", "dan", "low", dan[1], False, 0)]), 30)]
    seen = set()
    for _, suppressed, document in asyncio.run(judged(fresh, *journal(drawn), 2, [(3, "go"), (2, "crash")])):
        seen |= set(suppressed.split())
        alert = msgspec.json.decode(document)["pluginhost"]["alert"]
        seen |= alert.keys() & {"escalated", "withheld", "vip", "status"} if not suppressed else set()
    assert seen == {"office", "upgrade", "minor", "below_threshold", "realert", "not_open", "x", "escalated", "withheld", "vip", "status"}
