"""Places and networks of addresses from MMDB files of the usual schemas, and what follows from them in an event."""

from __future__ import annotations

import msgspec
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from pluginhost.engine.parts import mappings
from pluginhost.events.event import Event
from pluginhost.events.fields import MISSING
from pluginhost.events.references import References
from pluginhost.events.references.places import Places
from pluginhost.events.slice import Slice

NESTED = {"country": {"iso_code": "NL", "names": {"en": "Netherlands"}}, "city": {"names": {"en": "Utrecht"}},
          "continent": {"names": {"en": "Europe"}}, "subdivisions": [{"names": {"en": "Provincie Utrecht"}}],
          "location": {"latitude": 52.09, "longitude": 5.12}}  # fmt: skip
FLAT = {"country_code": "BR", "city": "São Paulo", "latitude": "-23.55", "longitude": "-46.63", "state1": "SP"}
NULL_ISLAND = {"country_code": "GH", "latitude": 0.0, "longitude": 0.0}
NETWORK = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"}


def database(path, kind, rows):
    writer = MMDBWriter(6, kind, languages=["en"], ipv4_compatible=True)
    for network, told in rows.items():
        writer.insert_network(IPSet([network]), told)
    writer.to_db_file(str(path))
    return path


@pytest.fixture
def places(tmp_path):
    cities = {"203.0.113.0/24": NESTED, "198.51.100.0/24": FLAT, "192.0.2.0/24": NULL_ISLAND, "2001:db8::/32": FLAT}
    networks = {"203.0.113.0/25": NETWORK, "198.51.100.7/32": {"asn": 1, "nonsense": [1]}}
    return Places((database(tmp_path / "city.mmdb", "Test-City", cities), database(tmp_path / "asn.mmdb", "Test-ASN", networks)))


def test_both_schemas_are_read(places):
    assert places.of("203.0.113.9") == {
        "geo.country_iso_code": "NL", "geo.country_name": "Netherlands", "geo.continent_name": "Europe",
        "geo.region_name": "Provincie Utrecht", "geo.city_name": "Utrecht", "geo.location": {"lat": 52.09, "lon": 5.12},
        "as.number": 64500, "as.organization.name": "Example Net",
    }  # fmt: skip
    assert places.of("198.51.100.7") == {"geo.country_iso_code": "BR", "geo.region_name": "SP", "geo.city_name": "São Paulo",
                                         "geo.location": {"lat": -23.55, "lon": -46.63}, "as.number": 1}  # fmt: skip
    assert places.of("192.0.2.1")["geo.location"] == {"lat": 0.0, "lon": 0.0}
    assert places.of("2001:db8::1")["geo.country_iso_code"] == "BR"
    for unknown in ("10.0.0.1", "none", "", "::1"):
        assert places.of(unknown) == {}
    assert places.named.startswith("Test-City 20")


def event(record, places):
    return Event(Slice(0, 0, 1, 1, "t", "json", msgspec.json.encode(record)), mappings().beside(References({}, places)))


def test_an_event_has_the_place_that_its_record_does_not_tell(places):
    one = event({"source": {"ip": "203.0.113.9"}}, places)
    assert one["source.geo.country_iso_code"] == "NL"
    assert one["source.geo.location"] == {"lat": 52.09, "lon": 5.12}
    assert one["source.as.number"] == 64500
    assert one.document()["source"]["geo"]["city_name"] == "Utrecht"
    assert "destination.geo.country_iso_code" not in one


def test_a_record_that_tells_its_place_is_believed_and_nothing_is_mixed_in(places):
    one = event({"source": {"ip": "203.0.113.9", "geo": {"country_iso_code": "US"}}}, places)
    assert one["source.geo.country_iso_code"] == "US"
    assert one.get("source.geo.city_name", MISSING) is MISSING
    assert one["source.as.number"] == 64500
    assert "city_name" not in one.document()["source"]["geo"]


@pytest.mark.parametrize("ip", [None, 7, ["203.0.113.9", "10.0.0.1"], {"is": "203.0.113.9"}, "no address"])
def test_an_odd_address_has_no_place(places, ip):
    assert event({"source": {"ip": ip}}, places).get("source.geo.country_iso_code") is None


def test_a_user_agent_is_taken_apart():
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
    one = event({"user_agent": {"original": chrome}}, Places(()))
    assert (one["user_agent.name"], one["user_agent.version"]) == ("Chrome", "130.0.0")
    assert (one["user_agent.os.name"], one["user_agent.os.version"]) == ("Windows", "10")
    told = event({"user_agent": {"original": chrome, "name": "Edge"}}, Places(()))
    assert told["user_agent.name"] == "Edge"
    assert "user_agent.version" not in told
    for agent in ("", None, [], "x" * 10_000_000):
        assert event({"user_agent": {"original": agent}}, Places(())).get("user_agent.name") is None
