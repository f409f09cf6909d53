"""Login documents as BuffaLogs' own crude test data has them: a few names, addresses and agents, thrown together by chance.

Everybody jumps between three countries within seconds, so nearly every user is impossible: good for trying out indices, dashboards and
load, useless for judging an analyzer. Therefore nothing is labelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .item import SECOND, Item, Record
from .world import CITIES, DESKTOPS, MOBILES, agent

__all__ = ["INDICES", "buffalogs"]

INDICES = ("cloud", "fw-proxy", "weblog")
"""The prefixes of the indices, each with as many documents as the others."""
_COUNTRIES = {"US": 18, "IN": 14, "JP": 9}
_NAMES = (*(f"user{n:03}" for n in range(1, 381)), "Not Available", "N/A")
_CATEGORIES, _WEIGHTS = ("authentication", "malware", "threat", "session"), (90, 6, 2, 2)
_AGENTS = tuple(agent(device, 0) for device in DESKTOPS + MOBILES)


def _places() -> tuple[Record, ...]:
    """43 sources; the last two are invalid: at latitude and longitude 0, one of them no address."""
    found: list[Record] = []
    for code, number in _COUNTRIES.items():
        cities = [city for city in CITIES if city.code == code]
        for n in range(number):
            city = cities[n % len(cities)]
            geo = {"country_name": city.country, "country_iso_code": code, "location": {"lat": city.lat, "lon": city.lon}}
            found.append({"ip": f"198.18.{len(found)}.{n + 1}", "geo": geo, "as": {"organization": {"name": f"Example Broadband {code}"}}})
    nowhere = {"country_name": "", "location": {"lat": 0, "lon": 0}}
    return (*found, {"ip": "203.0.113.0", "geo": nowhere}, {"ip": "0.0.0.0/0", "geo": nowhere})


def buffalogs(rng: Random, start: int, number: int) -> Iterator[Item]:
    """`number` items for each index, a second apart from `start` (ns UTC) on; 64.8 % of them are usable logins."""
    places = _places()
    for n in range(number):
        for place, index in enumerate(INDICES):
            source = {**rng.choice(places), "intelligence_category": rng.choice(("anonymizer", "benign", "suspicious"))}
            event = {"category": rng.choices(_CATEGORIES, _WEIGHTS)[0], "outcome": "success" if rng.random() < 0.9 else "failure",
                     "type": "start" if rng.random() < 0.8 else "end"}  # fmt: skip
            user, device = rng.choice(_NAMES), rng.choice(_AGENTS)
            record = {"event": event, "user": {"name": user}, "user_agent": {"original": device}, "source": source}
            yield Item(f"logins.{index}", start + n * SECOND + place, record)
