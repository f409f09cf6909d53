"""The same journal gives the same findings with the same ids, byte for byte: at any batch size, in any number of shards, live, over
checkpoints and crashes, or replayed; the written way and the plain one.

A journal is made by playing it live: rows of every kind come in, and what the analyzers derive and publish is journalled behind them, in
the order in which the shards report it. Live, that order depends on the shards and on what is reported together; from then on it
stands in the journal, and whoever plays that must find the same.
"""

from __future__ import annotations

import itertools
from collections import deque
from functools import partial
from random import Random

import pytest
from determinism import BY_SHARD, OUT, POOLS, SECOND, Disk, Made, Plain, Reports, records_row, routing
from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.engine.gate import START
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.shards import Routing
from pluginhost.engine.splitter import Control, control_row, tick_row
from pluginhost.engine.worker import Shard
from pluginhost.store.row import Kind

KINDS = sorted(POOLS)
SHIFTS = (0, 0, 0, -2 * SECOND, -40 * SECOND, -7200 * SECOND, 400 * SECOND)  # of event time: late, very late, in the future
STEPS = (0, 1, 1, 2, 5, 30)  # seconds between two rows
CONTROLS = (Control(1), Control(2), Control(2), Control(3), Control(3, reset=("pair", "silence")), Control(quarantine=OUT),
            Control(quarantine=OUT), Control(quarantine=OUT[:1]), Control(release=OUT), Control(2, release=OUT[1:]))  # fmt: skip

ROWS = st.one_of(
    st.tuples(st.just("records"), st.sampled_from(KINDS), st.lists(st.integers(0, 23), max_size=6), st.sampled_from(STEPS),
              st.sampled_from(SHIFTS), st.sampled_from((0, SECOND // 2, SECOND)), st.booleans()),
    st.tuples(st.just("records"), st.sampled_from([("app.login", "json"), ("app.flat", "msgpack"), ("app.odd", "msgpack")]),
              st.lists(st.integers(0, 23), min_size=2, max_size=6), st.sampled_from(STEPS), st.just(0), st.just(SECOND), st.booleans()),
    st.tuples(st.just("tick"), st.sampled_from(STEPS), st.sampled_from((0, 1, 5))),
    st.tuples(st.just("control"), st.sampled_from(CONTROLS)),
)  # fmt: skip
JOURNALS = st.lists(ROWS, min_size=1, max_size=10)
CASES = 84
long = partial(pytest.param, marks=pytest.mark.long)  # each has siblings that are everyday tests


@pytest.fixture(scope="module")
def made():
    """Everything that is compiled, once: units and pipelines keep nothing of what they judge."""
    made = Made()
    with made.patched():
        yield made


def rows(drawn):
    """The rows that come in, with their arrivals."""
    now = START
    found = [control_row(Control(1))]
    for kind, *told in drawn:
        if kind == "records":
            which, chosen, step, shift, spacing, packed = told
            now += step * SECOND
            times = [0 if number % 11 == 10 else now + shift + place * spacing for place, number in enumerate(chosen)]
            found.append(records_row(*which, chosen, times, packed=packed))
        elif kind == "tick":
            now += told[0] * SECOND
            found.append(tick_row(now - told[1] * SECOND))
        else:
            found.append(control_row(told[0]))
        found[-1].arrival = now
    found.append(tick_row(now + 10 * SECOND))
    found[0].arrival, found[-1].arrival = START, now + 10 * SECOND
    return found


def write(shard, parts):
    """Goes on with the checkpoint that is under way, if there is one."""
    any(shard.go_on(0.0, wait=True) for _ in range(parts))


class Player:
    """Plays journals in `shards` shards."""

    def __init__(self, made, shards):
        self.shards, self.manifests = range(shards), made.manifests
        self._first = itertools.count(0, 1000)  # each journal has offsets of its own: routes are remembered by them
        self._routes = routing(lambda number: made.manifests[number].infos(), mappings(), shards)

    def _shard(self, number, disk):
        shard = Shard(number, len(self.shards), disk)
        return shard, Routing(number, shard.generation, self._routes)

    def live(self, drawn, batch):
        """(the journal, the reports) of rows that come in `batch` at a time; what is made of them is journalled as the desk does."""
        waiting, journal, told = deque(rows(drawn)), [], Reports()
        disk, at, first = Disk(), 0, next(self._first)
        running = [self._shard(number, disk) for number in self.shards]

        def append(row):
            row.offset, row.arrival = first + len(journal), max(row.arrival, journal[-1].arrival if journal else 0)
            journal.append(row)

        while waiting or at < len(journal):
            for _ in range(min(batch, len(waiting))):
                append(waiting.popleft())
            fresh, at = journal[at:], len(journal)
            for shard, parts in running:
                known = told.ids()
                told.add(shard.feed(parts.parts(fresh)))
                for id_, row in told.made.items():
                    if id_ not in known:
                        append(row)
        return journal, told

    def replay(self, journal, batch, marks=(), behind=0, pace=100):
        """The reports of a journal, `batch` rows at a time. `marks` are (position, whether all crash there): else they begin a checkpoint.

        Of that `pace` parts are written after each batch; it counts once the desk has come as far, which is so many rows `behind`.
        """
        told, disk, first = Reports(), Disk(), next(self._first)
        for offset, row in enumerate(journal, first):
            row.offset = offset
        for number in self.shards:
            mine, at = Reports(), 0
            shard, parts = self._shard(number, disk)
            for stop, crash in [*marks, (len(journal), False)]:
                while at < stop:
                    mine.add(shard.feed(parts.parts(journal[at : min(at + batch, stop)])))
                    at = min(at + batch, stop)
                    shard.committed(first + at - behind)
                    write(shard, pace)
                if crash:
                    shard, parts = self._shard(number, disk)
                    mine.forget(shard.position)
                    at = max(shard.position - first, 0)
                else:
                    shard.committed(first + at)
                    shard.save()
            told.merge(mine)
        return told


@pytest.fixture(scope="module")
def players(made):
    return {shards: Player(made, shards) for shards in (1, 2, 4)}


def same(one, other, but=()):
    assert one.told(but) == other.told(but)
    assert one.ids() == other.ids()


@pytest.mark.parametrize(("live", "replayed"), [long(1, 2), (1, 4), (2, 1), long(4, 1)])
@settings(max_examples=CASES, deadline=None)
@given(drawn=JOURNALS)
def test_any_number_of_shards(players, live, replayed, drawn):
    journal, told = players[live].live(drawn, 1)
    again = players[replayed].replay(journal, 1)
    same(again, told, BY_SHARD)
    assert again.failed == told.failed


@pytest.mark.parametrize("shards", [long(1), 4])
@settings(max_examples=CASES, deadline=None)
@given(drawn=JOURNALS, one=st.integers(1, 5), other=st.integers(1, 20))
def test_any_batch_size(players, shards, drawn, one, other):
    journal, told = players[shards].live(drawn, one)
    again = players[shards].replay(journal, other)
    same(again, told)
    assert again.failed == told.failed


@pytest.mark.parametrize("shards", [1, long(2)])
@settings(max_examples=CASES, deadline=None)
@given(drawn=JOURNALS)
def test_the_plain_way_finds_what_the_written_one_finds(made, players, shards, drawn):
    journal, told = players[shards].live(drawn, 2)
    made.kind = Plain
    try:
        again = players[shards].replay(journal, 2)
    finally:
        made.kind = Pipeline
    same(again, told)
    assert again.failed == told.failed


MARKS = st.lists(st.tuples(st.integers(1, 16), st.booleans()), min_size=2, max_size=8)


@pytest.mark.parametrize(("live", "replayed"), [long(1, 1), (2, 2), long(4, 4), (1, 4)])
@settings(max_examples=CASES, deadline=None)
@given(drawn=JOURNALS, batch=st.integers(1, 4), marks=MARKS, behind=st.sampled_from((0, 0, 3)), pace=st.sampled_from((3, 10, 100)))
def test_checkpoints_and_crashes_anywhere(players, live, replayed, drawn, batch, marks, behind, pace):
    journal, told = players[live].live(drawn, 1)
    places = sorted((min(position, len(journal)), crash) for position, crash in marks)
    again = players[replayed].replay(journal, batch, places, behind, pace)
    same(again, told, () if live == replayed else BY_SHARD)


def test_what_a_key_with_a_timer_remembers_outlives_two_crashes(players):
    """Its cells are live as soon as they are restored, before any event touches them: what changes then is in the next checkpoint."""
    often = [("records", ("app.flat", "json"), [0, 0], 1, 0, 0, False)] * 3
    journal, told = players[1].live([*often, ("tick", 30, 0)], 1)
    again = players[1].replay(journal, 1, [(2, False), (3, True), (3, False), (4, True)])
    same(again, told)
    assert any(one.message.startswith("quiet after") for one in told.findings)


def test_the_journals_hold_what_they_are_for(players):
    """Each analyzer here finds something, also later than its generation's swap, and many of the shipped ones do; some fail; records are
    derived as often as may be."""
    chance, told = Random(7), Reports()
    journals = []
    for _ in range(15):
        drawn = []
        for _ in range(14):
            which = chance.choice(KINDS)
            chosen = [chance.randrange(24) for _ in range(6)]
            drawn.append(("records", which, chosen, chance.choice(STEPS), chance.choice(SHIFTS), SECOND // 2, False))
            drawn += [("tick", 1, 1)] * (chance.random() < 0.4) + [("control", chance.choice(CONTROLS))] * (chance.random() < 0.2)
        journal, one = players[2].live(drawn, 2)
        told.merge(one)
        journals += journal
    modules = [module for manifest in players[2].manifests.values() for module in manifest.modules]
    own = {info.name for module in modules for info in module.analyzers if "/" not in module.file}
    shipped = {info.name for module in modules for info in module.analyzers} - own
    found = {one.analyzer for one in told.findings}
    assert own - {"travels"} <= found <= own | shipped  # that one derives only
    assert len(found & shipped) >= 20
    assert told.failed.keys() == {"fragile", "lists", "moved", "silence"}
    assert {row.kind for row in journals} == set(Kind)
