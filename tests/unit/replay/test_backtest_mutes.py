"""A backtest of a journal knows what people had muted: what is in it, and what had begun before its first row. And its lists."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec
import pytest

from pluginhost.alerts.desk import Policy, Suppress
from pluginhost.engine.gate import rows
from pluginhost.engine.generations import Generations
from pluginhost.engine.references import File
from pluginhost.engine.splitter import Control, control_row
from pluginhost.replay.backtest import Plan, backtest
from pluginhost.replay.judging import accepted
from pluginhost.replay.sources.journal import JournalSource
from pluginhost.store.alerts import AlertStore, Commit
from pluginhost.store.journal import Journal
from pluginhost.store.mutes import StoredMute

SECOND = 10**9
T = 1_772_618_400 * SECOND
CODE = '''from pluginhost import Alert, analyzer


@analyzer(key="user")
def says(event):
    """Whatever comes."""
    return Alert("high", event["user"], fields={"source.ip": event["ip"]})
'''


def mute(name, user):
    return StoredMute(name, T, T + 3600 * SECOND, query=f"message:{user}")


@dataclass
class Place:
    """A data folder whose journal begins at row `first`, and the analyzers that judged it."""

    folder: object
    first: int
    references: tuple

    def judged(self, *, as_it_ran):
        aside, work = self.folder / f"aside-{as_it_ran}", self.folder / f"work-{as_it_ran}"
        for one in (aside, work, work / "new"):
            one.mkdir()
        source = JournalSource(self.folder / "data", aside)
        assert source.first == self.first
        plan = Plan(source=source, folders=() if as_it_ran else (self.folder / "analyzers",), options={}, lateness=SECOND, observer="x",
                    id="b",
                    references=self.references, policy=Policy((Suppress("office", list="offices", field="source.ip"),)))  # fmt: skip
        store, heard = AlertStore(work / "alerts.db", clock=lambda: T), []
        asyncio.run(backtest(plan, work, store, route=lambda *_: [], clock=lambda: T, heard=heard.append, progress=bool, stopping=bool))
        return [(one.headline, one.suppressed) for one in heard], source.troubles


@pytest.fixture
def place(tmp_path):
    data, code, listed = tmp_path / "data", tmp_path / "analyzers", tmp_path / "offices.txt"
    data.mkdir()
    code.mkdir()
    (code / "says.py").write_text(CODE)
    listed.write_text("192.0.2.0/24\n")
    references = (File("offices", "networks", listed, ""),)
    manifest, problems = asyncio.run(accepted((code,), {}, references, Generations(data / "generations")))
    assert not problems
    journal = Journal(data / "journal", clock=lambda: T, segment_bytes=1)
    told = [control_row(Control(manifest.number)), control_row(Control(mute=mute("old", "ann"))),
            control_row(Control(mute=mute("gone", "bob"))),
            control_row(Control(unmute="gone")), control_row(Control(mute=mute("later", "ann"))), record("ann"), record("bob"),
            control_row(Control(mute=mute("new", "cleo"))), record("cleo"), control_row(Control(unmute="later")), record("ann", n=1),
            record("dan", "192.0.2.7")]  # fmt: skip
    for row in told:
        journal.append([row])
    journal.drop(5)
    store = AlertStore(data / "alerts.db", clock=lambda: T)
    with store.turn():
        for row, one in ((1, mute("old", "ann")), (2, mute("gone", "bob")), (4, mute("later", "ann")), (7, mute("new", "cleo"))):
            store.mutes.put(msgspec.structs.replace(one, row=row))
        store.mutes.end("gone", 3)
        store.mutes.end("later", 9)
        store.commit(Commit())
    store.close()
    journal.close()
    return Place(tmp_path, 5, references)


def record(user, ip="198.51.100.7", n=0):
    made = rows([{"user": user, "ip": ip, "n": n}], T, 0, "t")
    made.input = "http"
    return made


EXPECTED = [("ann", "old later"), ("bob", ""), ("cleo", "new"), ("ann", "old"), ("dan", "office")]


@pytest.mark.parametrize("as_it_ran", [True, False])
def test_it_knows_them(place, as_it_ran):
    assert place.judged(as_it_ran=as_it_ran) == (EXPECTED, [])


def test_where_the_store_cannot_be_read_that_is_told(place):
    (place.folder / "data" / "alerts.db").unlink()
    found, (trouble,) = place.judged(as_it_ran=True)
    assert found == [("ann", ""), ("bob", ""), ("cleo", "new"), ("ann", ""), ("dan", "office")]
    assert trouble.startswith("mutes that were laid down before its first row are not known: ")
