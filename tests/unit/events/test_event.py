"""The event: what it finds, what it hides, and that nothing alters it."""

import copy
import json

import msgspec
import pytest

from pluginhost.events import Event, Mapping, Mappings, MissingField, Slice
from pluginhost.events.fields import MISSING

PLAIN = Mappings()


def event(record, mappings=PLAIN, **header) -> Event:
    given = {"offset": 7, "index": 3, "time": 10**18, "arrival": 2 * 10**18, "tag": "app.auth", "codec": "msgpack"}
    return Event(Slice(**(given | {"raw": msgspec.msgpack.encode(record)} | header)), mappings)


def test_fields_by_name() -> None:
    seen = event({"source": {"ip": "203.0.113.9"}, "user.name": "root", "tags": ["a", "b"], "none": None, "nothing": []})
    assert seen["source.ip"] == "203.0.113.9"
    assert seen.get("user.name") == "root"
    assert seen["tags"] == ["a", "b"]
    assert seen.values("tags") == ("a", "b")
    assert (seen["none"], seen.values("none"), "none" in seen) == (None, (None,), True)
    assert (seen["nothing"], seen.values("nothing"), "nothing" in seen) == ([], (), True)
    assert (seen.get("absent"), seen.get("absent", 5), seen.values("absent"), "absent" in seen) == (None, 5, (), False)
    assert seen.get("none", 5) is None
    assert seen.texts() == ("203.0.113.9", "root", "a", "b")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(MissingField, match=r"the record has no field `source\.ip`") as caught:
        event({})["source.ip"]
    assert caught.value.field == "source.ip"
    assert isinstance(caught.value, KeyError)


def test_what_is_known_beside_the_fields() -> None:
    seen = event({"message": "hello"}, input="forward", source="192.0.2.1:5")
    assert (seen.time, seen.arrival, seen.tag, seen.input, seen.source) == (10**18, 2 * 10**18, "app.auth", "forward", "192.0.2.1:5")
    assert (seen.offset, seen.index, seen.raw, seen.message, seen.mapping) == (7, 3, b"\x81\xa7message\xa5hello", "hello", "")
    assert event({}, time=0).time == 2 * 10**18
    assert event({})["@timestamp"] == "2001-09-09T01:46:40.000Z"
    assert event({"@timestamp": "then"})["@timestamp"] == "then"
    assert repr(seen) == "<Event 7/3 of 'app.auth' at 2001-09-09T01:46:40.000Z>"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"log": "a"}, "a"),
        ({"log": {"level": "x"}, "msg": "b"}, "b"),
        ({"message": 5}, "5"),
        ({}, ""),
        ({"message": None, "log": "c"}, ""),
        ({"message": ["d"]}, ""),
    ],
)
def test_message(record, message) -> None:
    assert event(record).message == message


def test_aliases_hold_for_every_record_and_its_own_field_wins() -> None:
    raw = {"host": "web1", "SYSLOG_IDENTIFIER": "cron", "_PID": "9", "username": "eve", "client_ip": "::FFFF:203.0.113.9", "level": "warn"}
    seen = event(raw)
    wanted = ("host.name", "process.name", "log.syslog.appname", "process.pid", "user.name", "source.ip", "source.address", "log.level")
    assert [seen[field] for field in wanted] == ["web1", "cron", "cron", "9", "eve", "203.0.113.9", "::FFFF:203.0.113.9", "warn"]
    own = event({**raw, "host.name": "own", "user": {"name": None}, "source": {"ip": "192.0.2.1"}})
    assert [own["host.name"], own["user.name"], own["source.ip"], own["host"]] == ["own", None, "192.0.2.1", "web1"]


def test_an_alias_that_cannot_stand_for_the_field_is_passed_over() -> None:
    assert event({"host": {"ip": ["192.0.2.1"]}, "hostname": "web1"})["host.name"] == "web1"
    assert event({"user": None, "username": "eve"})["user.name"] == "eve"
    assert event({"clientip": "proxy.example", "remote_addr": "192.0.2.1"})["source.ip"] == "192.0.2.1"
    assert "source.ip" not in event({"clientip": "proxy.example"})
    assert event({"clientip": "proxy.example"})["source.address"] == "proxy.example"


def test_addresses_are_read_in_their_shortest_form_where_they_parse() -> None:
    seen = event({"source.ip": "2001:DB8:0::1", "host": {"ip": ["::ffff:192.0.2.1", "nonsense", 5]}, "client.ip": 7, "x": "2001:DB8:0::1"})
    assert [seen["source.ip"], seen["host.ip"], seen["client.ip"]] == ["2001:db8::1", ["192.0.2.1", "nonsense", 5], 7]
    assert seen["x"] == "2001:DB8:0::1"


def test_nothing_alters_an_event() -> None:
    original = {"a": {"b": [1, {"c": 2}]}, "tags": ["x"]}
    seen = event(original)
    for change in (
        lambda: seen["tags"].append("y"), lambda: seen["a"].update(b=1), lambda: seen["a.b"][1].pop("c"), seen.values("a.b")[1].clear,
        lambda: seen.record.setdefault("z", 1), seen.record["a"]["b"].sort, lambda: seen["tags"].__iadd__(["y"]),
        lambda: seen["a"].__ior__({"z": 1}), lambda: seen["tags"].__setitem__(0, "y"), lambda: seen.record.__delitem__("a"),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="read-only"):
            change()
    assert seen.record == original
    assert seen.raw == msgspec.msgpack.encode(original)
    with pytest.raises(AttributeError):
        seen.tag = "other"


def test_frozen_values_serve_like_plain_ones() -> None:
    record = event({"a": {"b": [1, {"c": None}]}}).record
    assert json.dumps(record) == msgspec.json.encode(record).decode().replace(":", ": ").replace(",", ", ")
    copied = copy.deepcopy(record)
    copied["a"]["b"][1]["c"] = 5
    assert (type(copied), type(copied["a"]["b"])) == (dict, list)
    assert record["a"]["b"][1]["c"] is None
    assert record | {"z": 1} == {"a": {"b": [1, {"c": None}]}, "z": 1}


def test_metadata_is_read_from_entry_and_group() -> None:
    own = msgspec.msgpack.encode({"otlp": {"severity": 9}})
    group = msgspec.msgpack.encode([[msgspec.msgpack.Ext(0, bytes(8)), {"schema": "otlp"}], {"resource": {"service.name": "web"}}])
    seen = event({}, own=own, group=group)
    assert seen.metadata["own"] == {"otlp": {"severity": 9}}
    assert (seen.metadata["group"], seen.metadata["group_record"]) == ({"schema": "otlp"}, {"resource": {"service.name": "web"}})
    assert event({}).metadata == {}
    assert event({}, own=b"\xc1", group=b"\x93\1\2\3").metadata == {"own": {}}
    with pytest.raises(TypeError, match="read-only"):
        seen.metadata["group"]["schema"] = "x"


def test_the_extractor_runs_once_and_only_when_needed() -> None:
    runs = []
    mapping = Mapping("m", "", lambda record: True, extract=lambda record: runs.append(1) or {"user.name": "found"})
    seen = event({"source.ip": "192.0.2.1"}, Mappings([mapping]))
    assert (seen["source.ip"], runs) == ("192.0.2.1", [])
    assert (seen["user.name"], seen.get("absent"), seen.mapping, runs) == ("found", None, "m", [1])


def test_document_holds_what_fits_the_index() -> None:
    seen = event({
        "source": {"ip": "nonsense", "port": "50000", "address": ["a", "b"], "geo": {"location": {"lat": 1.5, "lon": 181}}}, "host": "web1",
        "destination": {"ip": ["x", "::FFFF:192.0.2.1"], "port": 70000, "geo.location": {"lat": 1.5, "lon": -2}}, "tags": [],
        "http": {"response": {"status_code": 404.0}}, "event.category": "web", "host.ip": ["192.0.2.1", None, "y"], "unknown": "field",
        "url": {"path": {"x": 1}}, "user": {"name": True, "id": 5}, "process": {"pid": 1 << 63, "args": ["a", 1]}, "message": "m",
    })  # fmt: skip
    assert seen.document() == {
        "message": "m", "source": {"port": 50000, "address": "a"}, "host": {"ip": ["192.0.2.1"], "name": "web1"},
        "destination": {"address": "x", "ip": "192.0.2.1", "geo": {"location": {"lat": 1.5, "lon": -2}}}, "event": {"category": ["web"]},
        "http": {"response": {"status_code": 404}}, "user": {"name": "true", "id": "5"}, "process": {"args": ["a", "1"]},
    }  # fmt: skip
    made = seen.document()
    made["event"]["category"].append("x")
    assert seen.document()["event"]["category"] == ["web"]


def test_get_of_the_default_missing() -> None:
    assert event({}).get("x", MISSING) is MISSING
