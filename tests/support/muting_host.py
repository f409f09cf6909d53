"""As much of a host as mutes need: a journal, a desk and a control socket, and the command line run against it."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

from click.testing import CliRunner

from pluginhost.alerts.desk import Policy
from pluginhost.cli import main
from pluginhost.engine import committer, desk
from pluginhost.engine.committer import Committer
from pluginhost.engine.desk import Desk
from pluginhost.engine.link import Report
from pluginhost.host.control import serve
from pluginhost.host.muting import Muting
from pluginhost.metrics import Counts
from pluginhost.store.alerts import AlertStore, Commit, NewAlert
from pluginhost.store.journal import Journal

__all__ = ["DAY", "NOW", "SECOND", "Host"]

SECOND, DAY = 10**9, 86_400 * 10**9
NOW = 1_772_618_400 * SECOND  # 2026-03-04T10:00:00Z


class Host:
    """A journal, a desk and a control socket in a thread of their own; nothing is ever analysed, so that rows pass at once."""

    def __init__(self, folder):
        self.folder, self.now = folder, NOW
        (folder / "data").mkdir(exist_ok=True)
        (folder / "pluginhost.yaml").write_text("data: data\n")
        self._began, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()), daemon=True)
        self._thread.start()
        assert self._began.wait(10)

    async def _run(self):
        data, self._end = self.folder / "data", asyncio.Event()
        journal, self.store = Journal(data / "journal", clock=lambda: 7), AlertStore(data / "alerts.db", clock=lambda: self.now)
        committing = Committer(journal, Counts(*committer.COUNTS), most=1 << 30)
        self.desk = Desk(self.store, committing, Counts(*desk.COUNTS), shards=1, route=lambda *_: [], clock=lambda: self.now, observer="x",
                         told=bool, policy=Policy())  # fmt: skip
        for row in journal.read(self.desk.frontier):
            self.desk.seen(row)

        async def analyse():
            while True:
                await self.desk.report(0, Report(journal.end, [], [], [], [], {}, 0))
                await asyncio.sleep(0.001)

        committing.watchers.append(self.desk.seen)
        calls = Muting(SimpleNamespace(desk=self.desk, store=self.store, committer=committing))

        async def ping():
            yield "x"

        names = ("mute", "unmute", "mutes")
        server = await serve(data, {"ping": ping, **{name: getattr(calls, name) for name in names}})
        tasks = [asyncio.ensure_future(one) for one in (committing.run(), self.desk.run(), analyse())]
        self._began.set()
        await self._end.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        (data / "control.sock").unlink()
        committing.close()
        self.desk.close()

    def close(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def put(self, id_, *suppressed, fingerprint="f"):
        made = Commit(alerts=[NewAlert(id_, NOW, "high", "brute", fingerprint, 1, "x", b"{}", suppressed=suppressed)])

        async def put():
            await self.desk.within(self.store.commit, made)

        asyncio.run_coroutine_threadsafe(put(), self._loop).result(10)

    def held(self):
        return [one.name for one in self.desk.standing.look().at(1 << 62).mutes]

    def run(self, *words):
        command = 2 if words[0] == "alerts" else 1
        return CliRunner().invoke(main, [*words[:command], "--config", str(self.folder / "pluginhost.yaml"), *words[command:]])

    def said(self, *words):
        made = self.run(*words)
        assert made.exit_code == 0, made.output
        return made.output

    def refused(self, *words):
        made = self.run(*words)
        assert made.exit_code == 2, made.output
        assert "Traceback" not in made.output
        return made.output.splitlines()[0]
