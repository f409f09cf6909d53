"""People who log in: homes, working hours, devices, journeys. What they do of their own accord; attacks on them are in `logins`.

A person is a small simulation that goes on day by day, in local time. Journeys are plausible: nobody logs in on a plane, and who has
arrived took as long as it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from .item import DAY, HOUR, MINUTE, poisson
from .world import CITIES, DESKTOPS, EXITS, MOBILES, City, Origin, agent, carrier, distance_km, household

__all__ = ["PER_DAY", "Login", "Person", "fleeing", "login_day", "people"]

PER_DAY = 238_872 / 1500 / 60
"""Logins of a user a day, on the average over a week."""
_WEEKEND = 0.3  # of a working day's
_WORKDAY = PER_DAY * 7 / (5 + 2 * _WEEKEND)
_VPN_USERS, _VPN_LOGINS = 0.15, 0.35
_CARRIER = 0.06 / (1 - _VPN_USERS * _VPN_LOGINS)  # of the other logins
_TRIPS, _ABROAD, _NEW_DEVICE, _NEW_ADDRESS = 0.006, 0.4, 0.0025, 0.08  # chances a day, but for abroad: of those who travel
_FIRST = (
    "alice", "anton", "berta", "bob", "carol", "cem", "dave", "doris", "emil", "erin", "farid", "frank", "grace", "gustav", "heidi", "hugo",
    "ines", "ivan", "jonas", "judy", "karl", "kofi", "lena", "linh", "marta", "mona", "nils", "nora", "olga", "omar", "paul", "priya",
    "quinn", "rosa", "sana", "sven", "tina", "tomás", "ulf", "uma", "vera", "wim", "xenia", "yuri", "zoë", "zubin",
)  # fmt: skip
_LAST = (
    "adams", "bauer", "bianchi", "costa", "dubois", "ekström", "fischer", "garcía", "haddad", "ito", "jansen", "kaya", "larsen", "meyer",
    "nagy", "okafor", "park", "quist", "rossi", "silva", "tanaka", "ueda", "varga", "weber", "xu", "young", "zhang",
)  # fmt: skip


class Trip(NamedTuple):
    """A journey: where to, and when one leaves home, arrives, leaves again and is back, ns UTC."""

    city: City
    leaves: int
    arrives: int
    returns: int
    back: int
    origin: Origin


class Login(NamedTuple):
    """A login of a person's own: when, where from, by which user agent, what is special about it (a kind, or ""), failures before it."""

    time: int
    origin: Origin
    agent: str
    special: str = ""
    typos: int = 0


@dataclass(slots=True)
class Person:
    """Someone with habits. `countries` are the codes seen so far, with when last; `places` the last logins not by shared networks."""

    name: str
    home: City
    source: str
    begins: float
    ends: float
    rate: float
    vpn: bool
    devices: list[str]
    line: Origin
    trip: Trip | None = None
    known: set[str] = field(default_factory=set)
    countries: dict[str, int] = field(default_factory=dict)
    places: list[tuple[int, float, float]] = field(default_factory=list)


def people(rng: Random, number: int) -> list[Person]:
    """So many people, no two with one name, living where many live."""
    homes = rng.choices(CITIES, [city.weight for city in CITIES], k=number)
    busy = [rng.gammavariate(4, 0.25) for _ in homes]
    usual = _WORKDAY * number / sum(busy)
    return [_person(rng, n, home, usual * rate) for n, (home, rate) in enumerate(zip(homes, busy, strict=True))]


def _person(rng: Random, n: int, home: City, rate: float) -> Person:
    again = n // (len(_FIRST) * len(_LAST))
    name = f"{_FIRST[n % len(_FIRST)]}.{_LAST[n // len(_FIRST) % len(_LAST)]}{again or ''}"
    devices = [rng.choice(DESKTOPS), *rng.sample(MOBILES, rng.choice((0, 1, 1, 2)))]
    begins = rng.gauss(8.5, 1.2)
    return Person(name, home, rng.choice(("cloud", "cloud", "fw-proxy")), begins, begins + rng.uniform(7.5, 10), rate,
                  n % 20 < 20 * _VPN_USERS, devices, household(rng, home))  # fmt: skip


def login_day(rng: Random, person: Person, day: int, start: int) -> Iterator[Login]:
    """The person's logins on a day (its number; 0 is the one that begins at `start`), in order of time."""
    midnight = start + day * DAY - person.home.zone * HOUR
    if rng.random() < _NEW_ADDRESS:
        person.line = household(rng, person.home)
    _travel(rng, person, midnight)
    if rng.random() < _NEW_DEVICE:
        person.devices[rng.randrange(len(person.devices))] = rng.choice(DESKTOPS + MOBILES)
    free = (midnight // DAY + 3) % 7 >= 5  # 1970 began on a Thursday
    for time in sorted(_times(rng, person, midnight, person.rate * (_WEEKEND if free else 1))):
        if not _under_way(person, time):
            yield _login(rng, person, time, day)


def _travel(rng: Random, person: Person, midnight: int) -> None:
    """Ends a journey that is over, and perhaps begins another."""
    if person.trip is not None and person.trip.back < midnight:
        person.trip = None
    if person.trip is None and rng.random() < _TRIPS:
        abroad = rng.random() < _ABROAD
        there = [city for city in CITIES if city is not person.home and (city.code != person.home.code) is abroad]
        if not there:
            return
        city = rng.choice(there)
        takes, leaves = _journey(person.home, city), midnight + int(rng.uniform(6, 16) * HOUR)
        returns = leaves + takes + int(rng.uniform(1, 6) * DAY)
        person.trip = Trip(city, leaves, leaves + takes, returns, returns + takes, household(rng, city))


def _journey(home: City, city: City) -> int:
    """How long one travels, ns: by train, or with the ways to and from two airports."""
    km = distance_km(home.lat, home.lon, city.lat, city.lon)
    return int((km / 150 + 0.5 if km < 500 else km / 800 + 2.5) * HOUR)


def _times(rng: Random, person: Person, midnight: int, mean: float) -> Iterator[int]:
    """Most while at work, some in the evening; all within the day."""
    for _ in range(poisson(rng, mean)):
        worked = person.begins + rng.betavariate(1.6, 2) * (person.ends - person.begins)
        hour = rng.uniform(person.ends, 23) if rng.random() < 0.1 else worked
        yield midnight + int(min(max(hour, 0), 23.99) * HOUR) + rng.randrange(MINUTE)


def _under_way(person: Person, time: int) -> bool:
    trip = person.trip
    return trip is not None and (trip.leaves <= time < trip.arrives or trip.returns <= time < trip.back)


def _login(rng: Random, person: Person, time: int, day: int) -> Login:
    trip = person.trip
    away = trip is not None and trip.arrives <= time < trip.returns
    city, origin = (trip.city, trip.origin) if trip is not None and away else (person.home, person.line)
    device, special = rng.choice(person.devices[:1] * 3 + person.devices[1:]), ""
    if person.vpn and rng.random() < _VPN_LOGINS:
        origin, special = rng.choice(EXITS), "vpn_exit"
    elif rng.random() < _CARRIER:
        origin, special, device = carrier(rng, city), "carrier_gateway", person.devices[-1]
    elif away and origin.city.code not in person.countries:
        special = "journey"
    special = special or ("own_new_device" if person.known and device not in person.known else "")
    _learn(person, time, origin, device)
    return Login(time, origin, agent(device, day), special, 0 if rng.random() > 0.05 else rng.choice((1, 1, 2)))


def _learn(person: Person, time: int, origin: Origin, device: str) -> None:
    person.known.add(device)
    person.countries[origin.city.code] = time
    if not origin.shared:
        person.places.append((time, origin.lat, origin.lon))
        del person.places[:-20]


def fleeing(person: Person, time: int, origin: Origin, least_km: float, least_kmh: float) -> bool:
    """Whether someone logging in there and then would have had to travel that far and fast from or to a login of the person's own."""
    for when, lat, lon in person.places:
        km = distance_km(lat, lon, origin.lat, origin.lon)
        if km >= least_km and km >= least_kmh * max(abs(time - when), 1) / HOUR:
            return True
    return False
