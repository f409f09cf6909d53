"""Signs of life: none while somebody has work and gets nowhere."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from pluginhost.engine import committer, desk
from pluginhost.host.stopping import countdown, unless
from pluginhost.host.upkeep import Upkeep
from pluginhost.metrics import Registry


@pytest.fixture
def host():
    metrics = Registry()
    metrics.counts("journal", *committer.COUNTS)
    metrics.counts("desk", *desk.COUNTS)
    return SimpleNamespace(metrics=metrics, committer=SimpleNamespace(waiting=False), desk=SimpleNamespace(waiting=False))


@pytest.mark.parametrize(("part", "beats"), [
    ("committer", ("journal", "syncs")), ("committer", ("journal", "failed")),
    ("desk", ("desk", "commits")), ("desk", ("desk", "postponed")), ("desk", ("desk", "pushed_back")),
])  # fmt: skip
def test_it_lives_while_each_has_nothing_to_do_or_does_something(host, part, beats):
    upkeep = Upkeep(host)
    assert [upkeep._lives(), upkeep._lives()] == [True, True]
    getattr(host, part).waiting = True
    assert not upkeep._lives()
    host.metrics.counts(beats[0])[beats[1]] += 1
    assert [upkeep._lives(), upkeep._lives()] == [True, False]
    getattr(host, part).waiting = False
    assert upkeep._lives()


def test_work_is_cut_short_by_its_event_and_its_mistakes_surface():
    async def scene():
        event, left = asyncio.Event(), countdown(0.05)
        assert await unless(event, asyncio.sleep(0))
        with pytest.raises(ZeroDivisionError):
            await unless(event, broken())
        asyncio.get_running_loop().call_later(0.05, event.set)
        assert not await unless(event, asyncio.sleep(60))
        assert left() == 0

    async def broken():
        raise ZeroDivisionError

    asyncio.run(asyncio.wait_for(scene(), 10))
