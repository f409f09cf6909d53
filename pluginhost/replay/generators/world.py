"""A small world for made-up logins: cities with their coordinates, networks, devices. Nothing in it is anybody's.

Places are real, everything else is invented: addresses are of the ranges set aside for benchmarks, carriers' networks and
documentation, numbers of networks likewise. So no record can be mistaken for a real one, and no address has a place but here.
"""

from __future__ import annotations

from math import asin, cos, hypot, radians, sin, sqrt
from random import Random
from typing import NamedTuple

__all__ = ["CITIES", "DESKTOPS", "EXITS", "MOBILES", "City", "Origin", "agent", "anonymous", "carrier", "distance_km", "hosting",
           "household"]  # fmt: skip


class City(NamedTuple):
    """A place with its number, ISO code and name of its country, degrees north and east, and how many live there, relatively."""

    number: int
    name: str
    code: str
    country: str
    lat: float
    lon: float
    weight: int

    @property
    def zone(self) -> int:
        """Hours ahead of UTC, by the sun."""
        return round(self.lon / 15)


class Origin(NamedTuple):
    """Where a login comes from as its record tells: address, place, network. `shared` if many unlike users come from there."""

    address: str
    city: City
    lat: float
    lon: float
    network: str
    number: int
    category: str = "benign"
    shared: bool = False


_PLACES = """
Amsterdam NL Netherlands 52.37 4.90 9|Rotterdam NL Netherlands 51.92 4.48 5|Groningen NL Netherlands 53.22 6.57 2
Berlin DE Germany 52.52 13.41 8|Hamburg DE Germany 53.55 9.99 5|Munich DE Germany 48.14 11.58 5|Cologne DE Germany 50.94 6.96 4
Frankfurt DE Germany 50.11 8.68 4|Paris FR France 48.86 2.35 8|Lyon FR France 45.76 4.84 4|Marseille FR France 43.30 5.37 3
London GB United_Kingdom 51.51 -0.13 8|Manchester GB United_Kingdom 53.48 -2.24 4|Edinburgh GB United_Kingdom 55.95 -3.19 2
Dublin IE Ireland 53.35 -6.26 3|Madrid ES Spain 40.42 -3.70 5|Barcelona ES Spain 41.39 2.17 4|Seville ES Spain 37.39 -5.98 2
Lisbon PT Portugal 38.72 -9.14 3|Rome IT Italy 41.90 12.50 4|Milan IT Italy 45.46 9.19 4|Vienna AT Austria 48.21 16.37 3
Zurich CH Switzerland 47.38 8.54 3|Brussels BE Belgium 50.85 4.35 3|Copenhagen DK Denmark 55.68 12.57 3|Oslo NO Norway 59.91 10.75 2
Stockholm SE Sweden 59.33 18.07 3|Helsinki FI Finland 60.17 24.94 2|Warsaw PL Poland 52.23 21.01 4|Prague CZ Czechia 50.08 14.44 3
Budapest HU Hungary 47.50 19.04 2|Athens GR Greece 37.98 23.73 2|Istanbul TR Turkey 41.01 28.98 2|Kyiv UA Ukraine 50.45 30.52 1
Bucharest RO Romania 44.43 26.10 2|New_York US United_States 40.71 -74.01 7|Boston US United_States 42.36 -71.06 3
Chicago US United_States 41.88 -87.63 4|Denver US United_States 39.74 -104.99 2|Seattle US United_States 47.61 -122.33 3
San_Francisco US United_States 37.77 -122.42 5|Austin US United_States 30.27 -97.74 3|Toronto CA Canada 43.65 -79.38 3
Vancouver CA Canada 49.28 -123.12 2|Mexico_City MX Mexico 19.43 -99.13 2|Sao_Paulo BR Brazil -23.55 -46.63 3
Buenos_Aires AR Argentina -34.60 -58.38 2|Bogota CO Colombia 4.71 -74.07 1|Lagos NG Nigeria 6.52 3.38 1|Accra GH Ghana 5.56 -0.20 1
Nairobi KE Kenya -1.29 36.82 1|Johannesburg ZA South_Africa -26.20 28.05 1|Cairo EG Egypt 30.04 31.24 1|Tel_Aviv IL Israel 32.08 34.78 1
Dubai AE United_Arab_Emirates 25.20 55.27 1|Mumbai IN India 19.08 72.88 3|Delhi IN India 28.61 77.21 3|Bangalore IN India 12.97 77.59 3
Singapore SG Singapore 1.35 103.82 2|Hanoi VN Vietnam 21.03 105.85 1|Hong_Kong HK Hong_Kong 22.32 114.17 1|Tokyo JP Japan 35.68 139.69 3
Seoul KR South_Korea 37.57 126.98 1|Sydney AU Australia -33.87 151.21 2|Auckland NZ New_Zealand -36.85 174.76 1
Suva FJ Fiji -18.12 178.45 1
"""


def _city(number: int, text: str) -> City:
    name, code, country, lat, lon, weight = text.split()
    return City(number, name.replace("_", " "), code, country.replace("_", " "), float(lat), float(lon), int(weight))


CITIES = tuple(_city(number, one) for number, one in enumerate(_PLACES.strip().replace("\n", "|").split("|")))
"""The cities, some of them far from all others, two near the date line, two near the equator and the meridian of Greenwich."""

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
DESKTOPS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
)
"""User agents of desktops; `{v}` is the version, see `agent`."""
MOBILES = (
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) {_WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {_WEBKIT} Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) {_WEBKIT} Version/17.6 Mobile/15E148 Safari/604.1",
)
"""User agents of phones and a tablet."""

_VERSION, _WEEKS = 126, 4  # the newest version on the first day, and how often a new one comes
_EARTH_KM = 6371.0
_DEGREE_KM = 111.2  # of latitude
_NETWORKS = 16  # numbers of networks for documentation: 64496 to 64511, and as many from 65536 on


def agent(device: str, day: int) -> str:
    """The user agent of a device on a day: browsers are brought up to date every four weeks."""
    return device.format(v=_VERSION + day // 7 // _WEEKS)


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great-circle distance of two places, given in degrees."""
    north, east = radians(other_lat - lat) / 2, radians(other_lon - lon) / 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(sin(north) ** 2 + cos(radians(lat)) * cos(radians(other_lat)) * sin(east) ** 2)))


def household(rng: Random, city: City) -> Origin:
    """A connection at somebody's home or hotel, of which one has the address for some days or weeks; a fifth are of IPv6."""
    if rng.random() < 0.2:
        address = f"2001:db8:{city.number + 16:x}:{rng.randrange(1, 1 << 16):x}::{rng.randrange(1, 1 << 16):x}"
    else:
        address = _of("198.18.0.0", city.number * 960 + rng.randrange(960))
    lat, lon = _near(rng, city, 0, 15)
    return Origin(address, city, lat, lon, f"Example Broadband {city.code}", 64496 + city.number % _NETWORKS)


def carrier(rng: Random, city: City) -> Origin:
    """A mobile carrier's gateway for a city: three of them, up to 350 km away, with two addresses each that many users share."""
    gate = rng.randrange(3)
    lat, lon = _near(Random(city.number * 3 + gate), city, 60, 350)  # noqa: S311 - a gateway is always in the same place
    number = city.number * 6 + gate * 2 + rng.randrange(2)
    return Origin(_of("100.64.0.0", number), city, lat, lon, f"Example Mobile {city.code}", 65536 + city.number % _NETWORKS, shared=True)


def _exit(number: int, name: str) -> Origin:
    city = next(one for one in CITIES if one.name == name)
    return Origin(f"203.0.113.{number}", city, city.lat, city.lon, "Example VPN", 65551, shared=True)


EXITS = tuple(_exit(number, name) for number, name in enumerate(("Amsterdam", "New York", "Singapore"), 1))
"""The exits of the VPN that some users share."""


def hosting(rng: Random, city: City) -> Origin:
    """A machine in a data centre, such as attackers rent; a quarter of their addresses have a bad name."""
    category = "suspicious" if rng.random() < 0.25 else "benign"
    return Origin(_of("198.19.0.0", rng.randrange(32768)), city, city.lat, city.lon, "Example Hosting", 64511, category)


def anonymous(rng: Random, city: City) -> Origin:
    """An exit of an anonymising network."""
    return Origin(f"203.0.113.{rng.randrange(128, 255)}", city, city.lat, city.lon, "Example Onion", 64510, "anonymizer")


def _near(rng: Random, city: City, least: float, most: float) -> tuple[float, float]:
    """A place so many km from the city's centre."""
    north, east = rng.uniform(-1, 1), rng.uniform(-1, 1)
    part = rng.uniform(least, most) / _DEGREE_KM / (hypot(north, east) or 1)
    lon = city.lon + part * east / cos(radians(city.lat))
    return round(city.lat + part * north, 4), round((lon + 180) % 360 - 180, 4)


def _of(network: str, number: int) -> str:
    """The `number`-th address behind `network`."""
    a, b, c, d = (int(part) for part in network.split("."))
    whole = (((a * 256 + b) * 256 + c) * 256 + d) + number
    return f"{whole >> 24}.{whole >> 16 & 255}.{whole >> 8 & 255}.{whole & 255}"
