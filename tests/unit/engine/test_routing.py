"""Which records of a row go to which shard, packed, with their keys; and that a swap changes it at its own offset only."""

from __future__ import annotations

import json
import zlib
from zlib import crc32

import msgspec
import pytest

from pluginhost.engine import splitter
from pluginhost.engine.gate import START, rows
from pluginhost.engine.link import Feed, Framed, ToWorker, frame
from pluginhost.engine.parts import mappings
from pluginhost.engine.shards import Routing
from pluginhost.engine.splitter import Control, Made, Routes, Want, chained_row, control_row, items, slices
from pluginhost.events.event import Event
from pluginhost.events.keys import key_bytes, key_group, shard
from pluginhost.events.mapping import Mapping, Mappings
from pluginhost.match import parse
from pluginhost.store.row import Kind, Row
from pluginhost.wire.chunk import Columns, Meta

MAPPINGS = Mappings()
RECORDS = [{"user": f"u{n}", "ip": f"10.0.0.{n}"} for n in range(40)]
VALUES = ("", "x", 1, True, 1.0, 0, False, 2, 2.0, -0.0, 1.5, None, ["x"], ["x", "y"], [["x"]], {"a": 1}, "\u00e9", 1 << 63, "x" * 300)
ODD = [{"user": value} for value in VALUES] + [{}, {"user.name": "x"}, {"user": {"name": "x"}}]


def row(offset=0, records=RECORDS, tag="t"):
    made = rows(records, START, 1, tag)
    made.offset = offset
    return made


def line_row(codec, raws, metas=(), beside=b"", packing=""):
    """A row of raw records, one behind another, with other bytes between and behind them."""
    body, bounds = bytearray(b"--"), []
    for raw in raws:
        bounds.append((len(body), len(body) + len(raw)))
        body += raw + b"--"
    body += beside
    data = zlib.compress(bytes(body)) if packing else bytes(body)
    return Row(Kind.RECORDS, data, 3, START, "in", "peer", "t", codec=codec, packing=packing, count=len(raws),
               columns=Columns.of(bounds, [START + n for n in range(len(raws))], metas).pack())  # fmt: skip


def swap(offset, generation):
    made = control_row(Control(generation))
    made.offset = offset
    return made


def routes(generation):
    return Routes([Want("a", ({1: "user", 2: "ip"}[generation],))], MAPPINGS, 2)


def sent(wants, one, shards, mappings_=MAPPINGS):
    """By shard, the records as its worker has them."""
    parts = Routes(wants, mappings_, shards).of(one)
    (feed,) = Framed(ToWorker).receive(frame(Feed(parts)))
    assert sum(part.count for part in feed.parts) == one.count
    found = [items(part.row, part.chosen, dict(part.keys)) for part in feed.parts]
    return [[batch.slice(place) for batch in batches for place in range(len(batch))] for batches in found]


def expected(wants, one, shards, mappings_=MAPPINGS):
    """By shard, the indices of the records that are for it, found the plain way."""
    homes = [[] for _ in range(shards)]
    for item in slices(one):
        raw = crc32(item.raw) & 255
        groups = set()
        for want in (want for want in wants if want.of(item.tag)):
            if want.pinned:
                groups.add(crc32(want.name.encode()) & 255)
            else:
                key = key_bytes(Event(item, mappings_), want.key) if want.key else None
                groups.add(key_group(key) if key is not None else raw)
        for home in {shard(group, shards) for group in groups}:
            homes[home].append(item.index)
    return homes


WANTS = {
    "a key": [Want("a", ("user",))],
    "two keys": [Want("a", ("user",)), Want("b", ("ip",))],
    "a key of two": [Want("a", ("user", "ip"))],
    "keyless": [Want("a")],
    "keyless beside": [Want("a"), Want("b", ("user",))],
    "pinned": [Want("a", pinned=True), Want("bb", pinned=True)],
    "pinned with a key": [Want("a", ("user",), pinned=True)],
    "an alias": [Want("a", ("user.name",))],
    "an alias and a name": [Want("a", ("user.name", "user"))],
    "an address": [Want("a", ("source.ip",))],
    "nobody": [],
    "another tag": [Want("a", ("user",), ("other.*",)), Want("b", ("ip",), ("t*",))],
}


@pytest.mark.parametrize("wants", WANTS.values(), ids=WANTS)
@pytest.mark.parametrize("records", [RECORDS, ODD, [{"source.ip": "::FFFF:1.2.3.4"}, {"source": {"ip": "1.2.3.4"}}, {"src_ip": "::1"}]])
@pytest.mark.parametrize("shards", [2, 3, 7])
def test_each_record_goes_once_to_each_shard_that_is_its_own_with_its_bytes_and_keys(wants, records, shards):
    one = row(records=records)
    whole = {item.index: item for item in slices(one)}
    found = sent(wants, one, shards)
    assert [[item.index for item in mine] for mine in found] == expected(wants, one, shards)
    for item in (item for mine in found for item in mine):
        for fields, key in (item.keys or {}).items():
            assert key == key_bytes(Event(whole[item.index], MAPPINGS), fields)
        assert msgspec.structs.replace(item, keys=None) == whole[item.index]


def test_what_was_seen_before_changes_no_key():
    """1 and true are equal to Python, and different keys."""
    known = Routes(WANTS["a key"], MAPPINGS, 2)
    plain = [{"user": value} for value in VALUES if not isinstance(value, (list, dict))]
    for offset, records in enumerate((plain, plain[::-1], ODD, plain)):
        one = row(offset, records)
        for part in known.of(one):
            ((_, keys),) = part.keys
            assert keys == [key_bytes(Event(slices(one)[index], MAPPINGS), ("user",)) for index in part.chosen]


def test_each_record_counts_as_analysed_in_one_shard():
    parts = Routes(WANTS["a key"], MAPPINGS, 4).of(row())
    assert [part.count for part in parts] == [len(part.chosen) for part in parts]
    shared = Routes(WANTS["two keys"], MAPPINGS, 4).of(row())
    assert sum(len(part.chosen) for part in shared) > sum(part.count for part in shared) == len(RECORDS)
    nobody = Routes([], MAPPINGS, 4)
    assert [[part.count for part in nobody.of(row(offset))].index(len(RECORDS)) for offset in range(5)] == [0, 1, 2, 3, 0]


def test_records_that_nobody_can_want_are_not_sent_and_counted_all_the_same():
    one = row(records=[{"user": f"u{n}", "level": "error" if n % 10 == 0 else "info"} for n in range(100)])
    wants = [Want("a", ("user",), (), parse("level:error")), Want("b", ("n",), ("other",)), Want("c", ("user",), (), parse("level:panic"))]
    found = sent(wants, one, 4)
    assert sorted(item.index for mine in found for item in mine) == list(range(0, 100, 10))
    assert all(part.row.offset == one.offset for part in Routes(wants, MAPPINGS, 4).of(one))


def test_who_must_see_everything_does_and_others_get_what_they_can_want():
    records = [{"user": f"u{n}", "ip": f"10.0.0.{n}", "level": "error" if n % 10 == 0 else "info"} for n in range(100)]
    one, wants = row(records=records), [Want("a", ("user",)), Want("b", ("ip",), where=parse("level:error"))]
    found = [{item.index for item in mine} for mine in sent(wants, one, 4)]
    for index, record in enumerate(records):
        homes = {shard(key_group(key_bytes(Event(slices(one)[index], MAPPINGS), (field,))), 4)
                 for field in (("user", "ip") if record["level"] == "error" else ("user",))}  # fmt: skip
        assert {number for number, mine in enumerate(found) if index in mine} == homes


def test_a_record_without_a_key_is_counted_in_one_shard():
    one = row(records=[{"n": n} for n in range(50)])
    found = sent(WANTS["two keys"], one, 4)
    assert sorted(item.index for mine in found for item in mine) == list(range(50))
    for number, mine in enumerate(found):
        assert {shard(crc32(item.raw) & 255, 4) for item in mine} <= {number}


def test_what_is_sent_does_not_grow_with_the_workers():
    one = row(records=[{"user": f"u{n}", "pad": "x" * 300} for n in range(1000)])
    sizes = [sum(len(frame(Feed([part]))) for part in Routes(WANTS["a key"], MAPPINGS, shards).of(one)) for shards in (2, 4, 8)]
    assert max(sizes) < 1.15 * len(one.body)
    assert max(sizes) - min(sizes) < 2000


@pytest.mark.parametrize(("codec", "packing"), [("json", ""), ("json", "deflate"), ("line", "")])
def test_other_codecs_and_packed_bodies_are_read_alike(codec, packing):
    raws = [json.dumps({"user": f"u{n}", "text": "\u00e9\\"}).encode() for n in range(20)]
    one = line_row(codec, raws, packing=packing)
    found = sent(WANTS["a key"], one, 3)
    assert [[item.index for item in mine] for mine in found] == expected(WANTS["a key"], one, 3)
    assert all(item.raw == raws[item.index] and item.codec == codec for mine in found for item in mine)


def test_what_the_shipper_said_beside_a_record_goes_along():
    raws = [json.dumps({"user": f"u{n}"}).encode() for n in range(20)]
    at = 2 + sum(len(raw) + 2 for raw in raws)
    metas = [Meta(n, at, at + 4) if n % 2 else Meta(n, at, at + 4, at + 4, at + 9) for n in range(0, 20, 3)]
    one = line_row("json", raws, metas, b"METAGROUP")
    whole = {item.index: item for item in slices(one)}
    for mine in sent(WANTS["a key"], one, 3):
        for item in mine:
            assert (item.own, item.group) == (whole[item.index].own, whole[item.index].group)
    assert [whole[n].group for n in (0, 1, 3)] == [b"GROUP", b"", b""]
    parts = Routes(WANTS["a key"], MAPPINGS, 3).of(one)
    assert max(part.row.body.count(b"GROUP") for part in parts) == 1  # once for all whose group it is


def test_a_mapping_that_raises_stops_nobody():
    """The worker reads the key itself, and lays the failure to whom it belongs."""
    def broken(record):
        raise RuntimeError("boom")

    plans = Mappings([Mapping("broken", "", lambda record: "bad" in record, extract=broken)])
    one = row(records=[{"user": "u", "bad": 1}, {"user.name": "v"}, {"bad": 1}])
    found = sent([Want("a", ("user.name",))], one, 2, plans)
    for item in (slices(one)[index] for index in (0, 2)):
        assert [n for n, mine in enumerate(found) for other in mine if other.index == item.index] == [shard(crc32(item.raw) & 255, 2)]
    assert all(not item.keys for mine in found for item in mine)


def test_bytes_that_are_no_record_go_where_they_are_counted():
    one = line_row("json", [b'{"user": "u"}', b"nonsense", b'{"user": "v"}'])
    found = sent(WANTS["a key"], one, 2)
    assert [number for number, mine in enumerate(found) for item in mine if item.index == 1] == [shard(crc32(b"nonsense") & 255, 2)]


def test_a_chained_record_goes_where_its_key_lives():
    one = chained_row(Made(0, "id", "a", "t", START, msgspec.msgpack.encode({"user": "u1"}), 2))
    one.offset, one.arrival = 5, START
    home = shard(key_group(key_bytes(Event(slices(one)[0], MAPPINGS), ("user",))), 4)
    found = sent(WANTS["a key"], one, 4)
    assert [len(mine) for mine in found] == [int(number == home) for number in range(4)]
    (item,) = found[home]
    assert (item.id, item.hop, item.time, item.raw) == ("id", 2, START, one.body)


def test_a_row_of_nothing_but_refused_parts_passes():
    one = line_row("json", [])
    assert sent(WANTS["a key"], one, 2) == [[], []]


def test_shipped_mappings_give_keys_where_records_have_none_by_name():
    line = "Nov 21 10:00:00 web1 sshd[42]: Failed password for root from 203.0.113.9 port 50000 ssh2"
    known, one = Mappings(mappings()), row(records=[{"message": line}, {"message": "nothing"}])
    wants = [Want("a", ("source.ip",), where=parse("event.action:ssh_login"))]
    found = sent(wants, one, 2, known)
    ((number, item),) = [(number, item) for number, mine in enumerate(found) for item in mine]
    key = key_bytes(Event(slices(one)[0], known), ("source.ip",))
    assert (item.index, item.keys, number) == (0, {("source.ip",): key}, shard(key_group(key), 2))


def test_a_swap_changes_the_keys_from_its_own_row_on():
    def chosen(field):
        return expected([Want("a", (field,))], row(), 2)[0]

    routing = Routing(0, 1, routes)
    before, first = routing.parts([row(0), swap(1, 2)])
    (after,) = routing.parts([row(2)])
    assert [fields for fields, _ in before.keys] == [("user",)]
    assert (first.chosen, first.row.kind) == (None, Kind.CONTROL)
    assert [fields for fields, _ in after.keys] == [("ip",)]
    assert (before.chosen, after.chosen) == (chosen("user"), chosen("ip"))
    again = Routing(0, 1, routes).parts([row(0), swap(1, 2), row(2)])  # a replay reads the same
    assert [part.chosen for part in again] == [before.chosen, None, after.chosen]


def test_what_waits_for_the_other_shards_is_bounded(monkeypatch):
    monkeypatch.setattr(splitter, "_HELD", 3000)
    known = Routes(WANTS["a key"], MAPPINGS, 2)
    for offset in range(20):
        parts = known.of(row(offset))
        assert known.of(row(offset)) is parts
    held = sum(len(part.row.body) for parts in known._read.values() for part in parts)
    assert held == known._held <= 3000
    assert known.of(row(0))[0].chosen == expected(WANTS["a key"], row(0), 2)[0]  # long gone, and read again


def test_one_shard_gets_everything_unread():
    (part,) = Routing(0, 1, lambda _: None).parts([row(0)])
    assert (part.chosen, part.keys, part.count) == (None, None, len(RECORDS))
