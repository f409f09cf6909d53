"""Lists and databases from strangers: reading them gives bounded entries or says that it cannot; asking them never raises."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from pluginhost.events.references.entries import entries
from pluginhost.events.references.listing import KINDS, listing_of
from pluginhost.events.references.places import FIELDS, Places

PIECES = st.sampled_from([
    "#", " ", "\t", ",", '"', "'", "\\", "\n", "\r\n", "//", ";", "{", "}", "[", "]", ":", "=", "value,note\n", "ip\n", "10.0.0.0/8",
    "a.example", "ipv4-addr:value = '", '{"objects": [', '"pattern": ', "\0", "\ufeff", "a" * 5000, " " * 5000, "ß", "\u2028",
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=24).map("".join)
SAID = st.sampled_from(["ipv4-addr:value", " = ", "'10.0.0.9'", "'", "\\'", "[", "]", " OR ", "a:b", "\\", "x" * 5000])
ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6), lambda inner:
                   st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3), max_leaves=6)  # fmt: skip
FIELD = ANY | st.lists(SAID, max_size=12).map("".join)
INDICATORS = st.fixed_dictionaries({}, optional=dict.fromkeys(("pattern", "name", "description", "value", "note"), FIELD))
BUNDLES = st.lists(INDICATORS | ANY, max_size=5).flatmap(lambda objects: st.sampled_from([objects, {"objects": objects}, {"objects": 1}]))
ODD = st.sampled_from(["\ud800evil", "evil\udfff", "a." * 3000, "10.1.2.3", "2001:db8::1%eth0", ""])
QUERIES = st.text(st.characters(), max_size=30) | ODD


def read(text, kind, column=""):
    try:
        return list(entries(io.StringIO(text, newline=""), kind, column))
    except (ValueError, csv.Error):
        return []


@given(text=TEXTS, kind=st.sampled_from(KINDS), column=st.sampled_from(["", "value", "ip"]))
def test_whatever_a_list_holds_its_entries_are_bounded(text, kind, column) -> None:
    for value, note in read(text, kind, column):
        assert len(value) <= 4096
        assert len(note) <= 256


@given(bundle=BUNDLES, kind=st.sampled_from(KINDS))
def test_whatever_a_bundle_holds_its_entries_are_bounded(bundle, kind) -> None:
    for value, note in read(json.dumps(bundle), kind):
        assert 0 < len(value) <= 2 * 4096 or kind in ("literals", "patterns")
        assert len(note) <= 256


@given(values=st.lists(st.text(st.characters(), max_size=12) | st.sampled_from(["evil", "10.0.0.0/8", "(", "[a-", "\ud800"]), max_size=5),
       kind=st.sampled_from(KINDS), asked=st.lists(QUERIES, max_size=5))  # fmt: skip
def test_asking_a_list_never_raises(values, kind, asked) -> None:
    known = listing_of(kind, values)
    for one in asked:
        found = known.find(one)
        assert found is None or isinstance(found.value, str)


@pytest.mark.parametrize(("kind", "asked", "expected"), [
    ("literals", "\ud800EVIL", "evil"), ("patterns", "\udfffeViL", "ev.l"), ("strings", "EVIL", "evil"),
])  # fmt: skip
def test_half_a_surrogate_pair_hides_nothing(kind, asked, expected) -> None:
    assert listing_of(kind, [expected if kind == "patterns" else "evil"]).find(asked).value == expected


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path:
    writer = MMDBWriter(6, "Test", languages=["en"], ipv4_compatible=True)
    for n in range(8):
        writer.insert_network(IPSet([f"203.0.{n}.0/24"]), {"country": {"iso_code": "NL", "names": {"en": "N" * n}}, "location":
                              {"latitude": n / 3, "longitude": -n}, "subdivisions": [{"names": {"en": "x"}}], "asn": n})  # fmt: skip
    file = tmp_path_factory.mktemp("places") / "whole.mmdb"
    writer.to_db_file(str(file))
    return file


@given(places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6), end=st.floats(0.5, 1))
def test_a_damaged_database_knows_less_and_never_raises(database, places, end) -> None:
    body = bytearray(database.read_bytes())
    for place, byte in places:
        body[int(place * len(body))] = byte
    file = database.with_name("damaged.mmdb")
    file.write_bytes(body[: max(int(end * len(body)), 1)] if end < 0.95 else body)
    try:
        known = Places([file])
    except Exception:  # noqa: BLE001  # whatever it is, the process that compiles it tells
        return
    for address in [f"203.0.{n}.1" for n in range(8)] + ["2001:db8::1", "x"]:
        assert known.of(address).keys() <= {*FIELDS}
