"""What goes out beside alerts: scores and states each by an output of their own, from the store to the peer and off the queue again."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Annotated, ClassVar

import msgspec
import pytest

from pluginhost.alerts.desk import Policy
from pluginhost.host.beside import Beside, takers
from pluginhost.host.config import Config, Configured, Part, Route
from pluginhost.metrics import Registry
from pluginhost.options import doc
from pluginhost.outputs.port import DONE, Retry, Unavailable
from pluginhost.store.alerts import AlertStore, Commit
from pluginhost.store.cases import NewState
from pluginhost.store.scores import NewScore

NOW = 10**18


class Peer:
    """An output that keeps what it is given, by what it takes; `fails` says for how many tries it is away."""

    class Options(msgspec.Struct, frozen=True, kw_only=True):
        states: Annotated[bool, doc("")] = True

    scores = states = True
    address, batch, when_full = "peer", 100, "push_back"
    taken: ClassVar = {}
    fails = 0

    def __init__(self, options, context):
        self.context = context

    async def deliver(self, alerts):
        if type(self).fails:
            type(self).fails -= 1
            raise Unavailable("away", after=0.01)
        self.taken.setdefault(self.context.name, []).extend((one.id, json.loads(one.document)) for one in alerts)
        return [DONE if self.context.what == "states" else Retry("later", after=3600) for _ in alerts]

    async def close(self):
        self.taken.setdefault("closed", []).append(self.context.what)


class Set(Configured):
    """A configuration whose policy is given."""

    @property
    def policy(self):
        return Policy(trends=("one",), states=("one", "two"), per_minute=10)


@pytest.fixture
def setup(tmp_path):
    Peer.taken, Peer.fails = {}, 0
    parts = tuple(Part(name, Peer, Peer.Options(), Route()) for name in ("one", "two", "none"))
    return Set(Config(namespace="ns"), tmp_path, (), parts)


@pytest.fixture
def store(tmp_path):
    made = AlertStore(tmp_path / "alerts.db", clock=lambda: NOW)
    with made.turn():
        made.scores.add([NewScore("s1", 1, 1, "a", b'{"score":1}')], ["one", "two", "gone"], 10)
        made.cases.put([NewState("f1", 7, "open", 1, "", 1, 0, "", b'{"revision":7}')], NOW)
        made.states.add(["f1"], ["one", "two", "gone"])
        made.commit(Commit(positions={0: 1}))
    yield made
    made.close()


def beside(setup, store, registry):
    async def within(work, *given):
        return work(*given)

    return Beside(setup, {"scores": store.scores, "states": store.states}, registry, within=within, clock=lambda: NOW, steady=lambda: NOW,
                  rng=Random(0), failed=bool)  # fmt: skip


def ran(made, until):
    async def go():
        tasks = [asyncio.ensure_future(one) for one in made.chores().values()]
        made.wake()
        async with asyncio.timeout(10):
            while not until():  # noqa: ASYNC110 - a store tells nobody
                await asyncio.sleep(0.005)
        await made.finish(1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await made.close()

    asyncio.run(go())


def test_who_takes_what_is_the_policys(setup):
    assert [(what, part.name) for what, part in takers(setup)] == [("scores", "one"), ("states", "one"), ("states", "two")]


def test_scores_and_states_go_each_by_an_output_of_their_own_and_what_nobody_takes_is_dropped(setup, store):
    registry = Registry()
    made = beside(setup, store, registry)
    assert list(made.kinds()) == [("one.scores", "peer"), ("one.states", "peer"), ("two.states", "peer")]
    ran(made, lambda: not store.states.waiting() and store.scores.waiting().keys() == {"one"} and "one.scores" in Peer.taken)
    states = {"f1": 7}
    assert {name: [one for one, _ in taken] for name, taken in Peer.taken.items() if name != "closed"} == {
        "one.scores": ["s1"], "one.states": list(states), "two.states": list(states),
    }  # fmt: skip
    assert Peer.taken["one.states"][0][1]["pluginhost"]["state"]["revision"] == states["f1"]
    assert sorted(Peer.taken["closed"]) == ["scores", "states", "states"]
    counts = registry.snapshot()
    assert [counts[f"output.{name}"]["delivered"] for name in ("one.scores", "one.states", "two.states")] == [0, 1, 1]
    assert counts["output.one.scores"]["retried"] == 1  # it waits on, for its hour


def test_what_a_peer_that_is_away_does_not_get_waits(setup, store):
    Peer.fails = 3
    made = beside(setup, store, Registry())
    ran(made, lambda: Peer.fails == 0)
    assert store.states.waiting().keys() <= {"one", "two"}
    assert store.scores.waiting() == {"one": (1, 11)}
