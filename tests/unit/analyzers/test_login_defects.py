"""What login detections elsewhere get wrong, and these do not: each is known to happen in tools that people run."""

from __future__ import annotations

import msgspec
import pytest

from pluginhost import shipped_analyzers
from pluginhost.engine.gate import START
from pluginhost.engine.generations import used
from pluginhost.engine.loader import bundle, load
from pluginhost.engine.parts import mappings
from pluginhost.engine.pipeline import Pipeline
from pluginhost.engine.state import ShardState
from pluginhost.events.slice import Slice

HOUR = 3_600_000_000_000
PLACES = {"Utrecht": (52.09, 5.12, "NL"), "Null Island": (0.0, 0.0, "GH"), "Quito": (0.0, -78.47, "EC"), "Greenwich": (51.48, 0.0, "GB"),
          "São Paulo": (-23.55, -46.63, "BR"), "Suva": (-18.14, 178.44, "FJ"), "Apia": (-13.83, -171.77, "WS")}  # fmt: skip


@pytest.fixture(scope="module")
def analyzers():
    found = {}
    for name in ("impossible_travel", "new_country", "anonymous_ip", "stale_account", "new_device"):
        found |= {one.name: one for one in load(bundle(shipped_analyzers() / f"{name}.py"))}
    return found


def login(city, ip="203.0.113.9", user="alice", **more):
    lat, lon, country = PLACES[city]
    geo = {"location": {"lat": lat, "lon": lon}, "country_iso_code": country, "city_name": city}
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}, "user": {"name": user},
            "source": {"ip": ip, "geo": geo}, **more}  # fmt: skip


def near(lat, lon, country, ip):
    return {**login("Utrecht"), "source": {"ip": ip, "geo": {"location": {"lat": lat, "lon": lon}, "country_iso_code": country}}}


HOME = [login("Utrecht")] * 6


@pytest.mark.parametrize("city", ["Null Island", "Quito"])
def test_latitude_0_is_a_place(play, analyzers, city):
    (alert,) = play(analyzers["impossible_travel"], [*HOME, login(city, "198.51.100.7")], every="1h")
    assert alert["pluginhost"]["travel"]["to"]["city_name"] == city


def test_longitude_0_is_a_place_and_near_is_near(play, analyzers):
    assert play(analyzers["impossible_travel"], [*HOME, login("Greenwich", "198.51.100.7")], every="6h", min_signs=3) == []
    (alert,) = play(analyzers["impossible_travel"], [login("Greenwich")] * 6 + [login("São Paulo", "198.51.100.7")], every="1h")
    assert alert["pluginhost"]["travel"]["from"]["location"] == {"lat": 51.48, "lon": 0.0}


def test_the_date_line_is_no_distance(play, analyzers):
    records = [login("Suva")] * 6 + [login("Apia", "198.51.100.7")]
    assert play(analyzers["impossible_travel"], records, every="4h", min_signs=3) == []


def shuffled(play, analyzers, order):
    """The findings of logins at hours 0 to 7, the last one in São Paulo, that arrive in this order."""

    records = [*HOME, login("Utrecht"), login("São Paulo", "198.51.100.7")]
    pipeline = Pipeline([used(analyzers["impossible_travel"], "impossible_travel", {}, "", {})], mappings())
    raws = [msgspec.json.encode(one) for one in records]
    items = [Slice(at, 0, START + number * HOUR, START + 9 * HOUR, "t", "json", raws[number]) for at, number in enumerate(order)]
    return [msgspec.json.decode(one.document) for one in pipeline.run(ShardState(), items).findings]


def test_a_login_that_arrives_late_is_compared_where_it_belongs(play, analyzers):
    """Not a negative speed, and no alert lost: the late one is put between its neighbours."""
    (alert,) = shuffled(play, analyzers, [0, 1, 2, 3, 4, 5, 7, 6])
    travel = alert["pluginhost"]["travel"]
    assert (travel["from"]["city_name"], travel["to"]["city_name"]) == ("Utrecht", "São Paulo")
    assert travel["speed_kmh"] > 1000


def test_records_that_are_sent_again_change_nothing(play, analyzers):
    """They neither alert again nor take the user back to where he was."""
    once = shuffled(play, analyzers, range(8))
    again = shuffled(play, analyzers, [*range(8), *range(8)])
    assert len(once) == 1
    assert again == once


@pytest.mark.parametrize("stamp", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+01:00", 1767225600, 1767225600000, "odd", None, 9e99])
def test_a_time_of_any_form_costs_nobody_else_anything(play, analyzers, stamp):
    records = [*HOME, {**login("Utrecht", user="bob"), "@timestamp": stamp}, login("São Paulo", "198.51.100.7")]
    assert len(play(analyzers["impossible_travel"], records, every="1h")) == 1


def test_networks_in_lists_match(play, analyzers):
    lists = {"egress": ["198.51.100.0/24"]}
    assert play(analyzers["impossible_travel"], [*HOME, login("São Paulo", "198.51.100.7")], every="1h", lists=lists) == []
    assert len(play(analyzers["impossible_travel"], [*HOME, login("São Paulo", "198.51.101.7")], every="1h", lists=lists)) == 1


def test_a_stolen_login_from_a_known_address_is_seen(play, analyzers):
    """Switching between two known addresses tells nothing elsewhere; here each hop is judged."""
    there, here = login("São Paulo", "198.51.100.7"), login("Utrecht")
    found = play(analyzers["impossible_travel"], [*HOME, there, *HOME, there], every="1h")
    assert [one["pluginhost"]["travel"]["to"]["ip"] for one in found] == ["198.51.100.7"] * 2
    assert here["source"]["ip"] == found[0]["pluginhost"]["travel"]["from"]["ip"]


def test_learning_ends_and_defaults_do_fire(play, analyzers):
    (kept,) = play(analyzers["impossible_travel"], [*HOME[:4], login("São Paulo", "198.51.100.7")], every="1h")
    assert kept["pluginhost"]["alert"]["suppressed"] == ["learning"]
    for name, records in {
        "impossible_travel": [*HOME, login("São Paulo", "198.51.100.7")], "new_country": [*HOME, login("Quito")],
        "anonymous_ip": [{**login("Utrecht"), "source.intelligence_category": "anonymizer"}], "stale_account": [login("Utrecht")],
    }.items():  # fmt: skip
        found = play(analyzers[name], records, every="1h") if name != "stale_account" else play(analyzers[name], records * 2, every="70d")
        assert found, f"{name} never fires with its defaults"


def test_atypical_goes_by_time_and_not_by_order_of_rows(play, analyzers):
    records = [login("Utrecht"), login("Quito"), login("Quito"), login("Utrecht")]
    found = play(analyzers["new_country"], records, every="20d")
    told = [one["message"].partition(" logged in from ")[2] for one in found]
    assert told == ["EC for the first time", "NL for the first time in 60 days"]


def test_trains_and_flights_are_no_travel_too_fast(play, analyzers):
    """A thousand kilometres in three hours is a flight."""
    milan = near(45.46, 9.19, "IT", "198.51.100.7")
    assert play(analyzers["impossible_travel"], [*HOME, milan], every="3h", min_signs=3) == []


def test_a_coast_to_coast_theft_in_one_country_is_seen(play, analyzers):
    records = [near(40.71, -74.01, "US", "203.0.113.9")] * 6 + [near(34.05, -118.24, "US", "198.51.100.7")]
    (told,) = play(analyzers["impossible_travel"], records, every="1h")
    assert "suppressed" not in told["pluginhost"]["alert"]
    (kept,) = play(analyzers["impossible_travel"], records, every="1h", ignore_same_country=True)
    assert kept["pluginhost"]["alert"]["suppressed"] == ["same_country"]


def test_pairs_of_countries_keep_an_alert_from_being_told(play, analyzers):
    records = [*HOME, login("São Paulo", "198.51.100.7")]
    (kept,) = play(analyzers["impossible_travel"], records, every="1h", ignored_country_pairs=[["BR", "NL"]])
    assert kept["pluginhost"]["alert"]["suppressed"] == ["country_pair"]
