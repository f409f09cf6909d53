"""What a host holds back for whoever copies its folder, for exactly as long as somebody does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from pluginhost.host.control import ask, serve
from pluginhost.host.keeping import Keeping
from pluginhost.store.journal import Journal, Kind, Row


def row():
    return Row(Kind.RECORDS, b"x" * 400)


def test_nothing_is_dropped_from_the_first_sign_of_life_until_the_asker_hangs_up(tmp_path, monkeypatch):
    monkeypatch.setattr("pluginhost.host.keeping._PULSE", 0.01)
    journal = Journal(tmp_path / "journal", clock=lambda: 5, segment_bytes=500)
    for _ in range(6):
        journal.append([row()])
    keeping = Keeping(SimpleNamespace(journal=journal, store=None, desk=SimpleNamespace(within=None)))

    async def run():
        calls = {"hold_journal": keeping.hold_journal, "journal_files": keeping.journal_files}
        server = await serve(tmp_path, calls)
        holders = [ask(tmp_path, "hold_journal") for _ in range(2)]
        for holder in holders:
            assert await asyncio.to_thread(next, holder) is True
        journal.drop(4, seal=True)
        assert journal.start == 0
        (files,) = await asyncio.to_thread(list, ask(tmp_path, "journal_files"))
        assert files == [[path.name, path.stat().st_size] for path in sorted((tmp_path / "journal").iterdir())]
        holders[0].close()
        await asyncio.sleep(0.1)
        journal.drop(4)
        assert journal.start == 0  # the other one goes on
        holders[1].close()
        async with asyncio.timeout(10):
            while journal.start == 0:
                await asyncio.sleep(0.01)
                journal.drop(4)
        assert journal.start == 4
        server.close()

    asyncio.run(run())
