"""A running host tells how it is: its numbers add up to what it was sent and made, and go the way of scores."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from random import Random

from sidecars import Sidecar, until

from pluginhost.host.config import configure
from pluginhost.host.health import tell_health
from pluginhost.host.host import Host

SPAN = 10**9
FILE = {"type": "file", "path": "alerts.ndjson", "scores": True}
ANALYZERS = '''
from pluginhost import Alert, Event, analyzer

@analyzer
def numbers(event: Event):
    """Tells of every third record, and cannot bear the tenth."""
    if event["n"] == 10:
        raise ValueError("ten")
    return Alert("low", f"number {event['n']}") if event["n"] % 3 == 0 else None
'''


@asynccontextmanager
async def running(folder, **config):
    """(what it is asked by, the host itself) of a host in this process; on leaving it has stopped in order."""
    one = Sidecar(folder, **config)
    (one.analyzers / "numbers.py").write_text(ANALYZERS)
    (folder / "pluginhost.yaml").write_text(json.dumps(one.config))
    host, stopping = Host(configure(folder / "pluginhost.yaml"), clock=time.time_ns, rng=Random(1)), asyncio.Event()
    life = asyncio.ensure_future(host.run(stopping, asyncio.Event()))
    try:
        await met(lambda: life.done() or host.stage == "open")
        yield one, host
    finally:
        stopping.set()
        await asyncio.wait_for(life, 30)


async def met(condition):
    return await asyncio.to_thread(until, condition)


def documents(folder):
    file = folder / "alerts.scores.ndjson"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def counted(folder, name):
    return sum(one["pluginhost"]["health"][name] for one in documents(folder))


def chores():
    return {task.get_name() for task in asyncio.all_tasks()}


def test_its_documents_add_up_to_what_it_was_sent_and_made(tmp_path):
    async def scene():
        away = {"type": "http", "url": "http://127.0.0.1:9/"}
        mutes = [{"name": "nine", "when": 'message:"number 9"'}]
        async with running(tmp_path, outputs=[FILE, away], scores={"enabled": True, "health": False}, suppress=mutes) as (one, host):
            assert "health" not in chores()
            telling = asyncio.ensure_future(tell_health(host, time.time_ns, SPAN))
            await asyncio.to_thread(one.post, [*({"n": n} for n in range(1, 13)), "no record"])
            await met(lambda: counted(tmp_path, "records") == 12 and documents(tmp_path)[-1]["pluginhost"]["health"]["undelivered"] == 3)
            await met(lambda: counted(tmp_path, "alerts") == 4 and documents(tmp_path)[-1]["pluginhost"]["health"]["undelivered_age"] > 1)
            assert {name: counted(tmp_path, name) for name in ("suppressed", "dead_letters")} == {"suppressed": 1, "dead_letters": 1}
            assert counted(tmp_path, "errors") >= 3  # the tenth record, the one that is none, and whoever is away
            telling.cancel()
            last = documents(tmp_path)[-1]
            assert (last["observer"]["name"], last["pluginhost"]["analyzer"]) == (host.configured.hostname, "pluginhost.health")
            health = last["pluginhost"]["health"]
            assert {name: health[name] for name in ("journal_rows", "journal_age", "quarantined")} == {
                "journal_rows": 0, "journal_age": 0.0, "quarantined": 0}  # fmt: skip
            assert 30 << 20 < health["memory"] < 4 << 30
        found = documents(tmp_path)
        assert all(one["event"]["duration"] == SPAN and one["event"]["end"].endswith(".000Z") for one in found)
        assert len({one["event"]["id"] for one in found}) == len(found) >= 2

    asyncio.run(asyncio.wait_for(scene(), 90))


def test_it_is_told_unless_it_is_switched_off_or_nobody_takes_scores(tmp_path):
    async def scene():
        for name, told, config in (("on", True, {"outputs": [FILE], "scores": {"enabled": True, "analyzers": []}}),
                                   ("off", False, {"outputs": [FILE]})):  # fmt: skip
            (tmp_path / name).mkdir()
            async with running(tmp_path / name, **config):
                assert ("health" in chores()) is told

    asyncio.run(asyncio.wait_for(scene(), 90))
