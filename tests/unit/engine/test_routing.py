"""Which records of a row go to which shard, and that a swap changes it at its own offset only."""

from __future__ import annotations

from pluginhost.engine.gate import START, rows
from pluginhost.engine.shards import Routing
from pluginhost.engine.splitter import Control, Routes, control_row, slices
from pluginhost.events.event import Event
from pluginhost.events.keys import key_bytes, key_group, shard
from pluginhost.events.mapping import Mappings

MAPPINGS = Mappings()
RECORDS = [{"user": f"u{n}", "ip": f"10.0.0.{n}"} for n in range(40)]


def row(offset):
    made = rows(RECORDS, START, 1, "t")
    made.offset = offset
    return made


def swap(offset, generation):
    made = control_row(Control(generation))
    made.offset = offset
    return made


def homes(field, shards=2):
    """By shard: the indices of the records whose key lives there."""
    found = [set() for _ in range(shards)]
    for item in slices(row(0)):
        found[shard(key_group(key_bytes(Event(item, MAPPINGS), (field,))), shards)].add(item.index)
    return found


def routes(generation):
    return Routes({({1: "user", 2: "ip"}[generation],)}, [], False, MAPPINGS, 2)


def test_each_record_goes_to_the_shard_of_its_key_with_the_key():
    parts = [Routing(number, 1, routes).parts([row(0)])[0] for number in range(2)]
    wanted = homes("user")
    for number in range(2):
        assert wanted[number] <= set(parts[number].chosen)
        ((fields, keys),) = parts[number].keys
        assert fields == ("user",)
        assert len(keys) == len(parts[number].chosen)


def test_a_swap_changes_the_keys_from_its_own_row_on():
    routing = Routing(0, 1, routes)
    before, first = routing.parts([row(0), swap(1, 2)])
    (after,) = routing.parts([row(2)])
    assert [fields for fields, _ in before.keys] == [("user",)]
    assert first.chosen is None
    assert [fields for fields, _ in after.keys] == [("ip",)]
    assert homes("user")[0] <= set(before.chosen)
    assert homes("ip")[0] <= set(after.chosen)
    again = Routing(0, 1, routes).parts([row(0), swap(1, 2), row(2)])  # a replay reads the same
    assert [part.chosen for part in again] == [before.chosen, None, after.chosen]


def test_one_shard_gets_everything_unread():
    (part,) = Routing(0, 1, lambda _: None).parts([row(0)])
    assert (part.chosen, part.keys) == (None, None)
