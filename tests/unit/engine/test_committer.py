"""Group commit: what arrives during one sync goes out with the next; nobody is told before it is durable."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from pluginhost.engine import committer
from pluginhost.engine.committer import Committer
from pluginhost.metrics import Counts
from pluginhost.problem import Busy
from pluginhost.store.journal import Journal
from pluginhost.store.row import Kind, Row


class Disk:
    """A sync that waits to be let through, or fails."""

    def __init__(self):
        self.gate, self.syncs, self.error = threading.Event(), 0, None

    def __call__(self, handle):
        self.gate.wait(10)
        if self.error:
            raise self.error
        self.syncs += 1
        os.fdatasync(handle)


def play(tmp_path, scene, **bounds):
    """Runs `scene(committer, disk)` with the committer's task beside it."""

    async def run():
        disk = Disk()
        disk.gate.set()
        journal = Journal(tmp_path / "j", clock=lambda: 1, sync=disk)
        made = Committer(journal, Counts(*committer.COUNTS), most=bounds.pop("most", 1 << 30), **bounds)
        disk.syncs = 0
        task = asyncio.ensure_future(made.run())
        try:
            await asyncio.wait_for(scene(made, disk), 20)
        finally:
            disk.gate.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            made.close()

    asyncio.run(run())


def row(size=1):
    return Row(Kind.RECORDS, b"x" * size, count=1)


def test_rows_that_arrive_while_a_sync_runs_share_the_next(tmp_path):
    async def scene(made, disk):
        disk.gate.clear()
        first = asyncio.ensure_future(made.append([row()]))
        await asyncio.sleep(0.05)  # the first sync is under way
        rest = [asyncio.ensure_future(made.append([row()])) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in (first, *rest))
        disk.gate.set()
        await asyncio.gather(first, *rest)
        assert disk.syncs == 2
        assert made.journal.end == 51

    play(tmp_path, scene)


def test_a_full_queue_pushes_back_but_not_on_our_own_rows(tmp_path):
    async def scene(made, disk):
        disk.gate.clear()
        waiting = [asyncio.ensure_future(made.append([row(600)])) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Busy, match="queue full"):
            await made.append([row()])
        ours = asyncio.ensure_future(made.append([row()], ours=True))
        disk.gate.set()
        await asyncio.gather(*waiting, ours)
        await made.append([row()])

    play(tmp_path, scene, queue=1000)


def test_a_full_journal_pushes_back(tmp_path):
    async def scene(made, disk):
        await made.append([row(3000)])
        with pytest.raises(Busy, match="journal full"):
            await made.append([row()])

    play(tmp_path, scene, most=2000)


def test_a_failed_write_is_told_and_the_next_one_may_succeed(tmp_path):
    async def scene(made, disk):
        disk.error = OSError(28, "No space left on device")
        with pytest.raises(Busy, match="No space left"):
            await made.append([row()])
        disk.error = None
        good = row()
        await made.append([good])
        assert good.offset == 0
        assert [one.offset for one in await made.read(0, 100)] == [0]

    play(tmp_path, scene)


def test_rows_are_read_from_memory_and_from_disk_alike(tmp_path):
    async def scene(made, disk):
        for _ in range(20):
            await made.append([row(100)])
        assert [one.offset for one in await made.read(18, 1000)] == [18, 19]
        assert [one.offset for one in await made.read(3, 250)] == [3, 4, 5]
        assert await made.read(20, 100) == []

    play(tmp_path, scene, tail=1800)


def test_rows_that_were_judged_leave_memory_and_small_ones_count_for_what_they_weigh(tmp_path):
    async def scene(made, disk):
        for _ in range(20):
            await made.append([row(1)])
        assert [one.offset for one in made._rows] == list(range(14, 20))  # 3,100 bytes hold six of 501 and more
        made.judged(17)
        assert [one.offset for one in made._rows] == [17, 18, 19]
        assert [one.offset for one in await made.read(15, 2)] == [15, 16]
        made.judged(20)
        await made.append([row(1)])
        assert [one.offset for one in await made.read(20, 100)] == [20]

    play(tmp_path, scene, tail=3100)
