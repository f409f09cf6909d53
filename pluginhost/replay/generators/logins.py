"""Logins of an organisation over weeks, with stolen accounts and guessing among them; records as identity providers write them, in ECS.

The shape is the one by which rules of impossible travel were compared: 1,500 users in 60 days make about 238,900 logins, of which 6 %
come through carriers' gateways; 15 % of the users share three VPN exits; 159 users are attacked after 14 days, 80 % of them from a new
device. Beside that people mistype, and outsiders guess. What only looks like an attack is labelled too, with kinds that nothing should
find: so a false alert says what misled it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import NamedTuple

from .item import DAY, HOUR, MINUTE, SECOND, Incidents, Item, Label, Record, ordered
from .people import PER_DAY, Login, Person, fleeing, login_day, people
from .world import CITIES, DESKTOPS, MOBILES, Origin, agent, anonymous, hosting, household

__all__ = ["PER_DAY", "SHARES", "logins"]

_ATTACKED, _WARM_UP = 159 / 1500, 14
_KNOWN_DEVICE, _SAME_COUNTRY, _ANONYMOUS = 0.2, 0.1, 0.3  # of stolen logins
_STALE = 45  # days of silence, at least
_EARLIEST = 16 * HOUR  # nobody's day begins that long before it does in UTC, with some of it for failures before a login
SHARES = {"bruteforce": 40, "password_spraying": 15, "distributed_guessing": 15, "mfa_fatigue": 30, "odd_hours": 40, "stale_account": 15}
"""How many incidents of a kind happen to 1,500 users in 60 days, beside the stolen accounts."""


class _Scene(NamedTuple):
    """What incidents are made of; `start` is a midnight."""

    rng: Random
    incidents: Incidents
    start: int
    everyone: list[Person]


def logins(rng: Random, start: int, days: int, *, users: int = 1500, attacks: float = 1) -> Iterator[Item]:
    """Items of `days` days from `start` (ns UTC) on, tagged `logins.cloud` and `logins.fw-proxy`; `attacks` times what `SHARES` has."""
    everyone = people(rng, users)
    scene = _Scene(rng, Incidents(), start // DAY * DAY, everyone)
    plan = _planned(scene, days, attacks)
    away = {person.name: day for day, events in plan.items() for kind, person in events if kind == "stale_account"}
    return ordered(_days(scene, days, plan, away), start, start + days * DAY)


def _planned(scene: _Scene, days: int, attacks: float) -> dict[int, list[tuple[str, Person]]]:
    """Who is attacked how on which day. Stale accounts have nothing else happen to them."""
    rng, everyone = scene.rng, scene.everyone
    plan: defaultdict[int, list[tuple[str, Person]]] = defaultdict(list)
    first, part = min(_WARM_UP, days // 4), attacks * len(everyone) * days / (1500 * 60)
    numbers = {"stolen_login": round(len(everyone) * _ATTACKED), **{kind: round(number * part) for kind, number in SHARES.items()}}
    awakened = numbers.pop("stale_account")
    stale = rng.sample(everyone, awakened) if days > _STALE + 5 else []
    for person in stale:
        plan[rng.randrange(_STALE + 5, days)].append(("stale_account", person))
    names = {person.name for person in stale}
    others = [person for person in everyone if person.name not in names]
    for kind, number in numbers.items():
        for person in rng.sample(others, min(number, len(others))):
            plan[rng.randrange(first, days)].append((kind, person))
    return plan


def _days(scene: _Scene, days: int, plan: dict[int, list[tuple[str, Person]]], away: dict[str, int]) -> Iterator[tuple[int, list[Item]]]:
    """A batch for each day, from before to behind what was asked for: days are local, and may be asked for from any hour on."""
    for day in range(-1, days + 2):
        items: list[Item] = []
        for person in scene.everyone:
            if away.get(person.name, days + _STALE + 2) - _STALE <= day + 1:
                continue
            for one in login_day(scene.rng, person, day, scene.start):
                items += _own(scene, person, one)
        for kind, person in plan.get(day, ()):
            items += _ATTACKS[kind](scene, person, scene.start + day * DAY)
        yield scene.start + (day + 1) * DAY - _EARLIEST, items


def _own(scene: _Scene, person: Person, one: Login) -> Iterator[Item]:
    """A person's login, with its failures before it."""
    tell = partial(_item, person=person.name, source=person.source, origin=one.origin, device=one.agent)
    for n in range(one.typos, 0, -1):
        yield tell(one.time - n * 9 * SECOND - scene.rng.randrange(SECOND), outcome="failure", reason="wrong password")
    yield tell(one.time, label=scene.incidents.label(one.special, person.name) if one.special else None)


def _item(time: int, *, person: str, source: str, origin: Origin, device: str, outcome: str = "success", reason: str = "",
          action: str = "user_login", label: Label | None = None) -> Item:  # fmt: skip
    event: Record = {"category": ["authentication"], "type": ["start"], "outcome": outcome, "action": action}
    if reason:
        event["reason"] = reason
    city = origin.city
    geo = {"country_name": city.country, "country_iso_code": city.code, "city_name": city.name,
           "location": {"lat": origin.lat, "lon": origin.lon}}  # fmt: skip
    network = {"number": origin.number, "organization": {"name": origin.network}}
    record = {"event": event, "user": {"name": person}, "user_agent": {"original": device},
              "source": {"ip": origin.address, "geo": geo, "as": network, "intelligence_category": origin.category}}  # fmt: skip
    return Item(f"logins.{source}", time, record, label)


# --- attacks; `midnight` is UTC's ---


def _stolen(scene: _Scene, person: Person, midnight: int) -> Iterator[Item]:
    """Someone else logs in as the person, once or a few times; what of it shows follows from where the person was."""
    rng, day = scene.rng, (midnight - scene.start) // DAY
    same = rng.random() < _SAME_COUNTRY
    city = rng.choice([one for one in CITIES if (one.code == person.home.code) is same])
    bad = rng.random() < _ANONYMOUS
    origin = anonymous(rng, city) if bad else (household if rng.random() < 0.3 else hosting)(rng, city)
    known = rng.random() < _KNOWN_DEVICE
    device = person.devices[0] if known else rng.choice([one for one in DESKTOPS + MOBILES if one not in person.known])
    time = midnight + rng.randrange(DAY)
    label = scene.incidents.label("stolen_login", person.name, _shown(person, time, origin, device))
    for _ in range(rng.randrange(1, 4)):
        yield _item(time, person=person.name, source=person.source, origin=origin, device=agent(device, day), label=label)
        time += rng.randrange(2 * MINUTE, 15 * MINUTE)


def _shown(person: Person, time: int, origin: Origin, device: str) -> tuple[str, ...]:
    """What can be seen of a login in the person's name that is not the person's own."""
    code = origin.city.code
    shows = {"new_device": device not in person.known, "new_country": code not in person.countries,
             "anonymous_ip": origin.category == "anonymizer", "atypical_country": person.countries.get(code, time) <= time - 30 * DAY,
             "impossible_travel": fleeing(person, time, origin, 500, 900)}  # fmt: skip
    return tuple(sign for sign, there in shows.items() if there)


def _failures(time: int, guesses: Iterator[tuple[str, Origin]], label: Label, gap: Callable[[], int]) -> Iterator[Item]:
    for name, origin in guesses:
        yield _item(time, person=name, source="cloud", origin=origin, device=_TOOL, outcome="failure", reason="wrong password", label=label)
        time += gap()


_TOOL = "python-requests/2.31.0"


def _bruteforce(scene: _Scene, person: Person, midnight: int) -> Iterator[Item]:
    """One address guesses one password after the other; a third of the time it succeeds in the end."""
    rng, origin = scene.rng, hosting(scene.rng, scene.rng.choice(CITIES))
    broken = rng.random() < 1 / 3
    label = scene.incidents.label("bruteforce", origin.address)
    guesses = ((person.name, origin) for _ in range(rng.randrange(25, 120)))
    last = midnight
    for item in _failures(midnight + rng.randrange(DAY), guesses, label, partial(rng.randrange, SECOND, 4 * SECOND)):
        yield item
        last = item.time
    if broken:
        time = last + 2 * SECOND
        label = label._replace(entity=person.name, shows=("guessed_password", *_shown(person, time, origin, _TOOL)))
        yield _item(time, person=person.name, source="cloud", origin=origin, device=_TOOL, label=label)


def _spraying(scene: _Scene, _: Person, midnight: int) -> Iterator[Item]:
    """One address tries one or two passwords with many users."""
    rng, origin = scene.rng, hosting(scene.rng, scene.rng.choice(CITIES))
    who = [person.name for person in rng.sample(scene.everyone, min(rng.randrange(25, 80), len(scene.everyone)))]
    guesses = ((name, origin) for _ in range(rng.choice((1, 2))) for name in who)
    label = scene.incidents.label("password_spraying", origin.address)
    return _failures(midnight + rng.randrange(DAY), guesses, label, partial(rng.randrange, SECOND, 8 * SECOND))


def _distributed(scene: _Scene, person: Person, midnight: int) -> Iterator[Item]:
    """Many addresses guess the password of one user, each once or twice."""
    rng = scene.rng
    guesses = ((person.name, hosting(rng, rng.choice(CITIES))) for _ in range(rng.randrange(40, 100)))
    label = scene.incidents.label("distributed_guessing", person.name)
    return _failures(midnight + rng.randrange(DAY), guesses, label, partial(rng.randrange, 5 * SECOND, 25 * SECOND))


def _fatigue(scene: _Scene, person: Person, midnight: int) -> Iterator[Item]:
    """Somebody who knows the password asks for the second factor until the user gives in, or does not."""
    rng, origin, time = scene.rng, household(scene.rng, scene.rng.choice(CITIES)), midnight + scene.rng.randrange(DAY)
    label, device = scene.incidents.label("mfa_fatigue", person.name), rng.choice(DESKTOPS)
    tell = partial(_item, person=person.name, source=person.source, origin=origin, device=agent(device, (midnight - scene.start) // DAY),
                   action="mfa_challenge")  # fmt: skip
    rounds, given_in = rng.randrange(7, 18), rng.random() < 0.5
    for n in range(rounds):
        yield tell(time, outcome="unknown", reason="push sent", label=label)
        time += rng.randrange(5 * SECOND, 25 * SECOND)
        if given_in and n == rounds - 1:
            shows = _shown(person, time, origin, device)
            yield tell(time, outcome="success", reason="approved", label=label._replace(shows=shows))
        else:
            yield tell(time, outcome="failure", reason="denied by the user", label=label)
        time += rng.randrange(2 * SECOND, 15 * SECOND)


def _odd(scene: _Scene, person: Person, midnight: int) -> Iterator[Item]:
    """A login from home with a known device, hours before the person ever works."""
    rng, day = scene.rng, (midnight - scene.start) // DAY
    hour = (person.begins - rng.uniform(4, 6)) % 24
    time = midnight + int(hour * HOUR) - person.home.zone * HOUR
    label = scene.incidents.label("odd_hours", person.name)
    yield _item(time, person=person.name, source=person.source, origin=person.line, device=agent(person.devices[0], day), label=label)


def _awakened(scene: _Scene, person: Person, midnight: int) -> Iterator[Item]:
    """An account that nobody used for weeks logs in."""
    rng, city = scene.rng, person.home
    label = scene.incidents.label("stale_account", person.name)
    yield _item(midnight + rng.randrange(DAY), person=person.name, source=person.source, origin=household(rng, city),
                device=agent(person.devices[0], (midnight - scene.start) // DAY), label=label)  # fmt: skip


_ATTACKS: dict[str, Callable[[_Scene, Person, int], Iterator[Item]]] = {
    "stolen_login": _stolen, "bruteforce": _bruteforce, "password_spraying": _spraying, "distributed_guessing": _distributed,
    "mfa_fatigue": _fatigue, "odd_hours": _odd, "stale_account": _awakened,
}  # fmt: skip
