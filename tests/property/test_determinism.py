"""The same journal gives the same findings: at any batch size, in any number of shards, and over a checkpoint."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pluginhost.detect.declaration import analyzer
from pluginhost.detect.finding import Alert, Derived
from pluginhost.detect.state import FirstSeen, SlidingCount, Table, Timers
from pluginhost.engine.gate import START, rows
from pluginhost.engine.items import Tick
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.splitter import Routes, chained_row, items, table_row
from pluginhost.engine.state import ShardState
from pluginhost.engine.unit import Unit
from pluginhost.events.mapping import Mappings

SECOND = 1_000_000_000
MAPPINGS = Mappings()


@analyzer(key="ip")
def often(event, seen: SlidingCount = SlidingCount("5s")):
    """Three in five seconds."""
    return Alert("low", f"often {event['ip']}") if seen.reaches(event, 3) else None


@analyzer(key="user")
def travels(event, places: FirstSeen = FirstSeen("1h")):
    """A new address, told on as a record."""
    if places.first(event["ip"], event):
        return Derived("moved", {"user": event["user"], "ip": event["ip"], "moved": True})
    return None


@analyzer(where="moved:true", key=["user", "ip"])
def moved(event, seen: SlidingCount = SlidingCount("1m"), bad: Table = Table("bad")):
    """A derived record, judged by a table."""
    return Alert("medium", f"moved {seen.add(event)} {bad.get(event['ip'], event)}")


@analyzer(where="bad:true")
def lists(event, bad: Table = Table("bad", expire="20s")):
    """Publishes addresses."""
    bad.put(event["ip"], 1)


@analyzer(key="ip", name="quiet")
class Quiet:
    """Nothing of an address for three seconds."""

    timers: Timers = Timers()

    def on_event(self, event):
        self.timers.set("q", event.time + 3 * SECOND)

    def on_timer(self, timer):
        return Alert("high", "quiet")


@analyzer(pinned=True)
def total(event, seen: SlidingCount = SlidingCount("1h")):
    """Every fifth record of all."""
    return Alert("low", "fifth") if seen.add(event) % 5 == 0 else None


@analyzer(where="bad:true")
def plain(event):
    """Keyless."""
    return Alert("low", "bad")


ANALYZERS = (often, travels, moved, lists, Quiet, total, plain)
RECORDS = st.lists(st.fixed_dictionaries({"ip": st.sampled_from(["a", "b", "c"])}, optional={
    "user": st.sampled_from(["u", "v", None]), "bad": st.booleans()}), max_size=6)  # fmt: skip
JOURNAL = st.lists(st.tuples(RECORDS, st.integers(-20, 20), st.booleans()), max_size=8)


def journal(drawn):
    """Rows and ticks as a host would journal them; what analyzers derive is added by `play`."""
    made, now = [], START
    for number, (records, shift, ticks) in enumerate(drawn):
        now += 2 * SECOND
        row = rows(records, now + shift * SECOND, SECOND // 2, "t")
        row.arrival = now
        made.append(row)
        if ticks:
            made.append(now - SECOND - number % 2)
    return made


def play(source, shards, batch, restart_at=None):
    """Findings of the journal, with chained and table rows appended as the host appends them: in order of their makers."""
    runs = [Pipeline([Unit(one, {}) for one in ANALYZERS], MAPPINGS, shard=shard, shards=shards) for shard in range(shards)]
    states = [ShardState() for _ in range(shards)]
    keys = {one.declared.key for one in ANALYZERS if one.declared.key}
    routes = Routes(keys, ["total"], True, MAPPINGS, shards)
    rest, found, offset, waiting = list(source), [], 0, [[] for _ in range(shards)]

    def settle():
        made = []
        for shard in range(shards):
            result = runs[shard].run(states[shard], waiting[shard])
            waiting[shard] = []
            found.extend(result.findings)
            made += [(one.offset, one.id, chained_row(one)) for one in result.chained]
            made += [(one.offset, one.id, table_row(one)) for one in result.tables]
            assert not result.failures
        return [row for _, _, row in sorted(made, key=lambda one: one[:2])]

    while rest:
        one = rest.pop(0)
        for shard in range(shards):
            if isinstance(one, int):
                waiting[shard].append(Tick(offset, one, one))
            elif one.count and shards > 1:
                one.offset = offset
                chosen, columns = routes.of(one)[shard]
                waiting[shard] += items(one, chosen, columns)
            else:
                one.offset = offset
                waiting[shard] += items(one)
        offset += 1
        if isinstance(one, int) or offset % batch == 0 or not rest:
            derived = settle()
            for row in derived:
                row.arrival = START + 1000 * SECOND
            rest = derived + rest if batch == 1 else rest + derived
        if restart_at == offset:
            states = [copied(runs[shard], states[shard]) for shard in range(shards)]
    return sorted((one.analyzer, one.id, one.time, one.message, one.document) for one in found)


def copied(run, state):
    """The state as a worker finds it after a checkpoint: packed, and read back."""
    fresh = ShardState()
    fresh.restore((name, key, *memory.packed(key)) for name, memory in state.memories.items() for key in memory.cells)
    fresh.tables, fresh.pending, fresh.watermark = state.tables, state.pending, state.watermark
    for unit in run.units.values():
        fresh.memory(unit)
    return fresh


@settings(max_examples=150, deadline=None)
@given(JOURNAL, st.integers(1, 20))
def test_shards_and_checkpoints_change_nothing(drawn, restart):
    alone = play(journal(drawn), 1, 1)
    assert play(journal(drawn), 2, 1) == alone
    assert play(journal(drawn), 4, 1) == alone
    assert play(journal(drawn), 1, 1, restart_at=restart) == alone
    assert play(journal(drawn), 4, 1, restart_at=restart) == alone


@settings(max_examples=100, deadline=None)
@given(JOURNAL, st.integers(2, 5))
def test_the_batch_size_changes_nothing(drawn, batch):
    """Chained rows land elsewhere in the journal with other batches, so here nothing is derived."""
    run = Pipeline([Unit(one, {}) for one in (often, Quiet, total, plain)], MAPPINGS)
    items_ = [piece for offset, one in enumerate(journal(drawn)) for piece in placed(one, offset)]
    state = ShardState()
    whole = run.run(state, items_).findings
    other = Pipeline([Unit(one, {}) for one in (often, Quiet, total, plain)], MAPPINGS)
    state, pieces = ShardState(), []
    for at in range(0, len(items_), batch):
        pieces += other.run(state, items_[at : at + batch]).findings
    assert pieces == whole


def placed(one, offset):
    if isinstance(one, int):
        return [Tick(offset, one, one)]
    one.offset = offset
    return items(one)
