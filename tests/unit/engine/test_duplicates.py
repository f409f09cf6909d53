"""A copy is a copy only if the first one's answer was lost; everything else is taken."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from pluginhost.engine import duplicates
from pluginhost.engine.duplicates import Duplicates
from pluginhost.inputs.port import Carried, Line
from pluginhost.metrics import Counts
from pluginhost.problem import Busy
from pluginhost.store.bounds import Keep
from pluginhost.store.row import Kind, Row

KEEP = Keep().duplicates_age.ns
KEY = ("forward", "10.0.0.1", "t", b"id")


class Bench:
    def __init__(self, **keep):
        self.now, self.offsets, self.counts = KEEP, itertools.count(), Counts(*duplicates.COUNTS)
        self.known = Duplicates(self.counts, lambda: self.now, Keep(**keep))

    async def send(self, carried, key=KEY):
        async def store():
            await asyncio.sleep(0)
            return next(self.offsets)

        return await self.known.once(key, carried, store)


def way(*, ended=False, reset=False, written=False):
    line = Line()
    line.ended, line.reset = ended, reset
    made = Carried(line)
    made.written = written
    return made


@pytest.mark.parametrize(("first", "taken_again"), [
    (way(ended=True), False),
    (way(ended=True, reset=True, written=True), False),
    (way(ended=True, written=True), True),
    (way(written=True), True),
    (way(), True),  # two equal chunks on their way over lines that live
])  # fmt: skip
def test_what_is_a_copy(first, taken_again):
    async def scene():
        one = Bench()
        assert await one.send(first) == 0
        assert await one.send(way()) == (1 if taken_again else 0)
        assert one.counts["duplicates"] == (0 if taken_again else 1)

    asyncio.run(scene())


def test_what_comes_first_by_its_peer_s_word_is_no_copy_but_what_comes_again_may_be_one_of_it():
    class Told:
        def __init__(self, first):
            self.first, self.lost = first, True

    async def scene():
        one = Bench()
        assert [await one.send(Told(first)) for first in (True, True, False, False)] == [0, 1, 1, 1]
        assert one.counts["duplicates"] == 2

    asyncio.run(scene())


def test_other_peers_tags_inputs_and_ids_are_others():
    async def scene():
        one = Bench()
        assert await one.send(way(ended=True)) == 0
        for place in range(4):
            other = tuple(b"x" if part == b"id" and at == place else "x" if at == place else part for at, part in enumerate(KEY))
            assert await one.send(way(ended=True), other) == place + 1

    asyncio.run(scene())


def test_a_copy_that_comes_before_the_first_is_durable_shares_its_answer():
    async def scene():
        one, gate = Bench(), asyncio.Event()
        first = way()

        async def slow():
            await gate.wait()
            return 7

        task = asyncio.ensure_future(one.known.once(KEY, first, slow))
        await asyncio.sleep(0)
        first.line.ended = True
        copy = asyncio.ensure_future(one.send(way()))
        await asyncio.sleep(0.01)
        assert not copy.done()
        gate.set()
        assert await asyncio.gather(task, copy) == [7, 7]

    asyncio.run(scene())


def test_where_the_first_was_refused_the_copy_is_taken():
    async def scene():
        one, gate = Bench(), asyncio.Event()
        first = way()

        async def refused():
            await gate.wait()
            raise Busy("full")

        task = asyncio.ensure_future(one.known.once(KEY, first, refused))
        await asyncio.sleep(0)
        first.line.ended = True
        copy = asyncio.ensure_future(one.send(way()))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(Busy):
            await task
        assert await copy == 0
        assert one.counts["duplicates"] == 0

    asyncio.run(scene())


def test_it_forgets_after_its_time_and_after_a_restart_everything_was_unanswered():
    async def scene():
        one = Bench()
        for row in (Row(Kind.RECORDS, b"x", 41, one.now, "forward", "10.0.0.1", "t", b"id"), Row(Kind.TICK, b"", 42, one.now)):
            one.known.recover(row)
        assert await one.send(way(ended=True)) == 41
        one.now += KEEP
        assert await one.send(way()) == 0

    asyncio.run(scene())


def test_it_is_bounded():
    async def scene():
        one = Bench(duplicates=3)
        for number in range(5):
            await one.send(way(ended=True), (*KEY[:3], b"%d" % number))
        assert [await one.send(way(ended=True), (*KEY[:3], b"%d" % number)) for number in (4, 0)] == [4, 5]

    asyncio.run(scene())


def test_a_long_tag_or_id_takes_no_more_room_than_a_short_one():
    async def scene():
        one = Bench()
        await one.send(way(ended=True), ("http", "peer", "t" * 100_000, b"i" * 100_000))
        assert [len(key) for key in one.known._known] == [16]

    asyncio.run(scene())
