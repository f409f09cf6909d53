from __future__ import annotations

import random
from math import acos, cos, pi, radians, sin
from types import SimpleNamespace

import pytest

from pluginhost.detect.geo import GeoProfile, haversine_km, place

DAY = 86_400
BERLIN, MUNICH, SYDNEY, POTSDAM = (52.52, 13.405), (48.14, 11.58), (-33.87, 151.21), (52.4, 13.05)


def at(days: float) -> SimpleNamespace:
    return SimpleNamespace(time=round((20_000 + days) * DAY * 10**9))


def settled(*, days: int = 10, home: tuple[float, float] = BERLIN) -> GeoProfile:
    profile = GeoProfile()
    for day in range(days):
        profile.score(at(day), home)
    return profile


@pytest.mark.parametrize(("one", "other", "km"), [
    (BERLIN, (48.8566, 2.3522), 877.5), ((0, 0), (0, 180), pi * 6371), ((90, 0), (90, 120), 0), ((-90, 5), (90, 5), pi * 6371),
    ((0, 179.5), (0, -179.5), pi * 6371 / 180), ((0, 0), (0, 0), 0), ((89, 0), (89, 180), pi * 6371 / 90),
])  # fmt: skip
def test_distances(one, other, km):
    assert haversine_km(*one, *other) == pytest.approx(km, abs=0.5)
    assert haversine_km(*other, *one) == pytest.approx(haversine_km(*one, *other))


def test_distances_agree_with_the_law_of_cosines():
    chance = random.Random(1)
    for _ in range(200):
        a, b, c, d = (chance.uniform(-90, 90), chance.uniform(-180, 180), chance.uniform(-90, 90), chance.uniform(-180, 180))
        angle = sin(radians(a)) * sin(radians(c)) + cos(radians(a)) * cos(radians(c)) * cos(radians(b - d))
        assert haversine_km(a, b, c, d) == pytest.approx(6371 * acos(max(-1, min(1, angle))), abs=1e-3)


def located(location, **more):
    known = {"source.geo.location": location, **{f"source.geo.{name.replace('_', '.')}": value for name, value in more.items()}}
    return place(SimpleNamespace(get=lambda field, default=None: known.get(field, default)))


@pytest.mark.parametrize("location", [
    {"lat": 52.5, "lon": 13.4}, {"latitude": "52.5", "longitude": "13.4"}, "52.5,13.4", " 52.5 , 13.4 ", [13.4, 52.5], (13.4, 52.5),
    [13.4, 52.5, 30], "POINT (13.4 52.5)", {"type": "Point", "coordinates": [13.4, 52.5]},
])  # fmt: skip
def test_a_place_is_read_in_every_form(location):
    assert located(location) == (52.5, 13.4)


def test_a_place_in_fields_of_its_own_is_read_too():
    assert located(None, lat=52.5, lon="13.4") == (52.5, 13.4)
    assert located(None, latitude=52.5, longitude=13.4) == (52.5, 13.4)
    assert located(None, location_lat=52.5, location_lon=13.4) == (52.5, 13.4)


def test_nought_is_a_place():
    assert located({"lat": 0, "lon": 0}) == (0, 0)
    assert located("0,0") == (0, 0)
    assert GeoProfile().score(at(0), (0, 0)).expected is None
    assert settled(home=(0, 0)).score(at(11), (0, 0)).standing == "trusted"


@pytest.mark.parametrize("location", [
    None, "", "x", ",", "1", "91,0", "0,181", [1], [], [0, 91], [1, 2, 3, 4], {"lat": 1}, {"lon": 1}, {"lat": None, "lon": None},
    {"lat": [1], "lon": 1}, {"lat": True, "lon": 1}, {"lat": float("nan"), "lon": 0}, 5, True, "1," * 10_000, {"coordinates": {"a": 1}},
    {"coordinates": "1,2"}, "POINT ()",
])  # fmt: skip
def test_what_is_no_place_is_none(location):
    assert located(location) is None


def test_standings_at_home_near_home_and_abroad():
    profile = settled()
    assert [profile.score(at(10), one, learn=False).standing for one in (BERLIN, (53.2, 13.4), MUNICH, SYDNEY)] \
        == ["trusted", "near", "outside", "outside"]  # fmt: skip
    abroad = profile.score(at(10), SYDNEY, learn=False)
    assert (abroad.grade, abroad.distance_km) == (1.0, pytest.approx(haversine_km(*BERLIN, *SYDNEY), abs=1))
    assert abroad.expected == (pytest.approx(BERLIN[0]), pytest.approx(BERLIN[1]))


def test_too_little_is_known_at_first():
    profile = GeoProfile()
    found = [profile.score(at(0), one) for one in (BERLIN, SYDNEY, MUNICH, (0, 0))]
    assert {(one.standing, one.grade) for one in found} == {("learning", 0.0)}


def test_a_place_is_a_candidate_until_it_was_seen_on_two_days():
    profile = settled()
    assert [profile.score(at(day), SYDNEY).standing for day in (10, 10.1, 10.2, 11, 11.1, 12)] \
        == ["outside", "candidate", "candidate", "candidate", "trusted", "trusted"]  # fmt: skip
    assert profile.score(at(12), BERLIN).standing == "trusted"


def test_what_is_not_learned_leaves_no_trace_until_it_is():
    profile = settled()
    before = profile.dump()
    profile.score(at(10), SYDNEY, learn=False)
    assert profile.dump() == before
    profile.learn(at(10), SYDNEY)
    assert len(profile.dump()) == len(before) + 1


@pytest.mark.parametrize("pole", [(90.0, 0.0), (-90.0, 50.0)])
def test_around_a_pole_all_longitudes_are_near(pole):
    profile = GeoProfile()
    for day in range(10):
        profile.score(at(day), (pole[0] * 0.995, day * 36.0 - 180))
    assert len(profile.dump()) == 2
    assert profile.score(at(10), pole).standing == "trusted"


def test_across_the_date_line_the_mean_lies_between():
    profile = GeoProfile()
    for day in range(20):
        profile.score(at(day), (-17.8, 179.7 if day % 2 else -179.7))
    assert len(profile.dump()) == 2
    (feature,) = profile.as_geojson()["features"]
    lon, lat = feature["geometry"]["coordinates"]
    assert abs(lon) > 179.8
    assert lat == pytest.approx(-17.8, abs=0.01)


def test_weight_halves_and_a_centre_is_the_weighted_mean():
    profile = settled(days=1)
    profile.score(at(20), POTSDAM)
    (_, (x, y, z, weight, *_)) = profile.dump()
    assert weight * 2**-1 == pytest.approx(1.5)  # as of the first day, which lies one half-life back
    (feature,) = profile.as_geojson()["features"]
    assert feature["properties"]["weight"] == 1.5
    lon, lat = feature["geometry"]["coordinates"]
    assert lat == pytest.approx((BERLIN[0] + 2 * POTSDAM[0]) / 3, abs=0.01)
    assert lon == pytest.approx((BERLIN[1] + 2 * POTSDAM[1]) / 3, abs=0.01)
    assert x * x + y * y + z * z == pytest.approx(1)


def test_a_late_login_counts_for_its_age_and_rewinds_nothing():
    profile = settled()
    last = profile.dump()[1][4]
    profile.score(at(-30), BERLIN)
    assert profile.dump()[1][4] == last
    in_order, late = GeoProfile(), GeoProfile()
    for day in (0, 3, 7):
        in_order.score(at(day), BERLIN)
    for day in (7, 0, 3):
        late.score(at(day), BERLIN)
    assert late.as_geojson() == in_order.as_geojson()


def test_centres_that_come_close_become_one():
    profile = GeoProfile()
    for n in range(40):
        profile.score(at(n), (50.0, 10.0))
    profile.score(at(40), (50.0, 12.2))  # 157 km away: a centre of its own
    assert len(profile.dump()) == 3
    for n in range(40):
        profile.score(at(41 + n), (50.0, 11.15 if n < 12 else 10.95))
    assert len(profile.dump()) == 2


def test_at_most_eight_centres_and_home_is_not_among_those_that_go():
    profile = settled(days=30)
    for n in range(200):
        profile.score(at(30 + n / 1000), (n * 37 % 170 - 85, n * 71 % 360 - 180))
    assert len(profile.dump()) == 9
    assert profile.score(at(31), BERLIN).standing == "trusted"


def test_years_of_silence_break_no_numbers():
    profile = settled()
    assert profile.score(at(30 * 365), BERLIN).weight == pytest.approx(0, abs=1e-9)
    for n in range(0, 60_000, 500):
        profile.score(at(30 * 365 + n), SYDNEY)
    assert all(abs(number) < 1e200 for centre in profile.dump()[1:] for number in centre)


def test_the_map():
    profile = settled()
    profile.score(at(10), SYDNEY)
    shown = profile.as_geojson()
    assert shown["type"] == "FeatureCollection"
    home, abroad = shown["features"]
    assert home["geometry"] == {"type": "Point", "coordinates": [13.405, 52.52]}
    assert home["properties"] == {"weight": pytest.approx(8.3, abs=0.3), "inner_km": 50.0, "outer_km": 150.0,
                                  "last": "2024-10-13T00:00:00.000Z", "candidate": False}  # fmt: skip
    assert abroad["properties"]["candidate"]


def test_the_nearest_centre_is_that_of_brute_force():
    chance = random.Random(2)
    profile = GeoProfile()
    homes = [(chance.uniform(-80, 80), chance.uniform(-180, 180)) for _ in range(8)]
    for day in range(3):
        for home in homes:
            profile.score(at(day), home)
    for _ in range(300):
        one = (chance.uniform(-90, 90), chance.uniform(-180, 180))
        found = profile.score(at(3), one, learn=False)
        assert found.distance_km == pytest.approx(min(haversine_km(*one, *home) for home in homes), abs=0.01)
