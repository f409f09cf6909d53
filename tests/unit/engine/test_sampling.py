"""Readings of a trace add up to seconds by analyzer, and to what one has spent on a row."""

from __future__ import annotations

import asyncio
import os

import pytest

from pluginhost.engine.sampling import PERIOD, Growth, Samples, sampling, size, waited
from pluginhost.engine.trace import Call


def test_seconds_add_up_over_rows_and_what_is_spent_is_of_one_row():
    samples = Samples()
    for offset, record in ((7, 0), (7, 10), (7, 400), (8, 2)):
        spent = samples.add(Call("slow", offset, record), 0.25)
    assert (spent.offset, spent.seconds, spent.records) == (8, 0.25, 1)
    spent = samples.add(Call("slow", 8, 6), 0.25)
    assert (spent.seconds, spent.records) == (0.5, 5)
    assert samples.seconds == {"slow": 1.25}


def test_analyzers_that_take_turns_over_a_row_are_told_apart_and_an_idle_worker_counts_for_nobody():
    samples = Samples()
    for call in (Call("a", 1, 0), Call("b", 1, 0), None, Call("a", 1, 1), None):
        samples.add(call, 1.0)
    assert samples.seconds == {"a": 2.0, "b": 1.0}
    assert samples.add(Call("a", 1, 1), 1.0).seconds == 3.0
    assert samples.add(None, 1.0) is None


def test_a_row_that_is_judged_again_begins_anew():
    samples = Samples()
    samples.add(Call("a", 1, 50), 5.0)
    assert samples.add(Call("a", 1, 3), 0.5).seconds == 0.5


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_a_pause_of_our_own_is_not_held_against_anybody(stall):
    looks = []

    async def main():
        task = asyncio.create_task(sampling(looks.append))
        for so_far in (2, 4):
            while len(looks) < so_far:  # noqa: ASYNC110 - nobody says when it looks
                await asyncio.sleep(PERIOD)
            __import__("time").sleep(stall if so_far == 2 else 0)
        task.cancel()

    asyncio.run(asyncio.wait_for(main(), 20))
    assert len(looks) >= 4
    assert max(looks) <= 2 * PERIOD


def test_growth_is_laid_to_the_analyzer_it_was_seen_in():
    growth = Growth()
    growth.add(None, 100)
    growth.add(Call("a", 1, 0), 500)  # what it was before the first call is nobody's
    assert growth.most() is None
    for call, now in ((Call("b", 1, 1), 600), (Call("a", 1, 2), 650), (Call("b", 2, 3), 640), (None, 900), (Call("a", 2, 4), 900)):
        growth.add(call, now)
    assert growth.most() == Call("b", 2, 3)
    assert growth.size == 900


def test_a_process_has_a_size_and_one_that_is_gone_has_none():
    assert size(os.getpid()) > 1 << 20
    assert waited(os.getpid()) >= 0
    assert (size(1 << 30), waited(1 << 30)) == (0, 0.0)
