"""A tap shows a sample and never keeps the record path waiting."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from pluginhost.engine.gate import rows
from pluginhost.engine.parts import mappings
from pluginhost.host import taps
from pluginhost.host.taps import Taps
from pluginhost.problem import Problem


def made(records, tag="t"):
    """A row as it is in the journal."""
    return rows(records, 10**18, 10**9, tag)


async def shown(tap, count):
    """The first `count` items."""
    found = []
    async for one in tap:
        found.append(one)
        if len(found) == count:
            break
    await tap.aclose()
    return found


def run(work):
    async def bounded():
        async with asyncio.timeout(20):
            return await work()

    return asyncio.run(bounded())


@pytest.fixture(autouse=True)
def beat(monkeypatch):
    """Sets how often a tap says what passed: never, unless a test wants to hear it."""
    def every(seconds):
        monkeypatch.setattr(taps, "_BEAT", seconds)

    every(60.0)
    return every


def watched(watchers, given, *, tag="", where="", count):
    """What a tap shows of rows that pass once it is open."""
    async def work():
        tap = Taps(watchers, mappings()).records(tag, where)
        task = asyncio.ensure_future(shown(tap, count))
        await asyncio.sleep(0)  # it is open
        for row in given:
            for watcher in watchers:
                watcher(row)
        return await task

    return run(work)


def records(found):
    return [msgspec.json.decode(one["record"]) for one in found if "record" in one]


def test_records_are_shown_as_they_pass():
    watchers = []
    found = watched(watchers, [made([{"n": n} for n in range(3)])], count=3)
    assert records(found) == [{"n": n} for n in range(3)]
    assert (found[0]["tag"], found[0]["time"]) == ("t", 10**18)
    assert watchers == []  # it has let go


def test_tag_and_query_choose():
    given = [made([{"n": 1}, {"n": 2}], "web.a"), made([{"n": 2}], "db.a"), made([{"n": 2}], "web.b")]
    found = watched([], given, tag="web.*", where="n:2", count=2)
    assert [one["tag"] for one in found] == ["web.a", "web.b"]


def test_a_flood_is_counted_and_let_go(beat):
    beat(0.01)
    found = watched([], [made([{"n": 1}])] * 10_000, where="n:2", count=1)
    assert found[0]["passed"] == 10_000
    assert found[0]["missed"] == 10_000 - taps._ROWS


def test_large_rows_are_not_kept_beside_each_other(beat):
    beat(0.01)
    row = made([{"text": "x" * (taps._BYTES // 2 + 1)}])
    found = watched([], [row] * 3, count=1)  # each is too large to be shown as well
    assert found == [{"passed": 3, "missed": 2}]


def test_of_a_row_only_the_first_records_are_looked_at(beat):
    beat(0.01)
    found = watched([], [made([{"n": n} for n in range(5000)])], where="n:[150 TO 9999]", count=51)
    assert records(found) == [{"n": n} for n in range(150, 200)]
    assert found[-1] == {"passed": 5000, "missed": 4800}


def test_only_so_many_watch_at_a_time():
    async def work():
        watchers = []
        made = Taps(watchers, mappings())
        open_ = [made.records("", "") for _ in range(taps._TAPS)]
        tasks = [asyncio.ensure_future(anext(one)) for one in open_]
        await asyncio.sleep(0)  # they are open
        assert len(watchers) == taps._TAPS
        with pytest.raises(Problem) as caught:
            await anext(made.records("", ""))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert watchers == []
        return caught.value.code

    assert run(work) == "tap.busy"


def test_a_query_that_is_none_is_told_before_anything_is_watched():
    async def work():
        watchers = []
        with pytest.raises(Problem):
            await anext(Taps(watchers, mappings()).records("", "a:("))
        return watchers

    assert run(work) == []
