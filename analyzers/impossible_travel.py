from collections.abc import Sequence
from typing import Any, NamedTuple

from pluginhost import Alert, Event, FirstSeen, GeoProfile, LastSeen, Recent, Table, Unjudged, analyzer, haversine_km, place

from ._logins import EGRESS, SUCCESS, device, elsewhere, nobody

DAY = 86_400_000_000_000  # ns
Item = tuple[Any, ...]
JOURNEY = {"unusual_place", "new_country"}
LEAST_KM = 200.0  # city data of different sources differ by up to 100 km: nearer places are noise


@analyzer(where=SUCCESS, key="source.ip")
def shared_egress(event: Event, users: FirstSeen = FirstSeen("30d", limit=16), told: LastSeen = LastSeen("30d"),
                  shared: Table = Table("shared_egress", "30d"), min_users: int = 3) -> None:
    """Addresses that many users share. Never alerts.

    An address from which `min_users` different users have logged in within 30 days is a gateway: an office, a carrier, a VPN. Logins
    through it say nothing of where somebody is; the analyzers that measure distances look it up in the table `shared_egress`.
    """
    users.first(event.get("user.name"), event)
    if len(users) >= min_users and (told.last is None or event.time - told.last >= DAY):
        told.gap(event)
        shared.put(event["source.ip"], len(users))


class Stop(NamedTuple):
    """A login at a place. `bad` says that it was reached too fast: it is known, but not taken for where the user is."""

    lat: float
    lon: float
    country: str | None
    city: str | None
    address: str
    bad: bool = False


class Hop(NamedTuple):
    """The way between two logins, the earlier one first; at least a second, for logins of the same moment have no speed."""

    origin: Stop
    target: Stop
    km: float
    hours: float


@analyzer(where=SUCCESS, key="user.name")
def impossible_travel(event: Event, stops: Recent = Recent(8, "30d"), profile: GeoProfile = GeoProfile(),
                      devices: FirstSeen = FirstSeen("90d", limit=20), countries: FirstSeen = FirstSeen("180d", limit=20),
                      shared: Table = Table("shared_egress", "30d"), egress: tuple[str, ...] = EGRESS, distance_km: float = 500,
                      speed_kmh: float = 900, geo_error_km: float = 150, min_signs: int = 2, learning: int = 5,
                      bad_networks: tuple[str, ...] = ("anonymizer", "suspicious", "malicious"), ignore_same_country: bool = False,
                      ignored_country_pairs: tuple[tuple[str, str], ...] = ()) -> Alert | Unjudged | None:
    """A user who logs in from places too far apart, or who is somebody else by several signs at once.

    Each login is put among the user's last ones in the order of their times, and compared with the one before and the one after it. The
    way is impossible if the places lie at least `distance_km` apart and somebody faster than `speed_kmh` would have been needed, even if
    both places are wrong by `geo_error_km`. Besides, five signs are looked for: a place outside the user's usual ones, a new country, a new
    device, a network that the record calls one of `bad_networks` (`source.intelligence_category`), and a way that is barely possible (300
    km and more at 800 km/h). An impossible way alerts, and so do `min_signs` of the signs; a new country and an unusual place with nothing
    else may be a journey, and are told as low.

    Logins through gateways that many share, and through the networks on the lists `egress`, are not compared and do not move the user.
    A place that was reached too fast is not learned. Kept, but told to nobody: what is found in a user's first `learning` logins, and
    impossible ways within a country (with `ignore_same_country`) or between `ignored_country_pairs`.
    """
    if nobody(event):
        return Unjudged("nobody")
    told = device(event)
    new_device = told is not None and devices.first(told, event) and len(devices) > 1
    if (why := elsewhere(event, shared, egress)) is not None:
        return Unjudged(why)
    where = place(event)
    if where is None:
        return Unjudged("no_place")
    country, city = text(event.get("source.geo.country_iso_code")), text(event.get("source.geo.city_name"))
    new_country = country is not None and countries.first(country, event) and len(countries) > 1
    here, known, now = (*where, country, city, event["source.ip"]), stops.items(), event.time
    if here in [one[:-1] for when, one in known if when == now]:
        return None  # the same login once more
    fastest = max(ways_to(event, here, known, shared), key=lambda way: way.km / way.hours, default=None)
    impossible = fastest is not None and too_fast(fastest, distance_km, speed_kmh, geo_error_km)
    standing = profile.score(event, where, learn=not impossible)
    barely = fastest is not None and fastest.km >= 300 and fastest.km / fastest.hours >= 800
    signs = {"unusual_place": standing.standing == "outside", "new_country": new_country, "new_device": new_device, "fast": barely,
             "bad_network": event.get("source.intelligence_category") in bad_networks}
    found = [name for name, is_so in signs.items() if is_so]
    stops.insert(event, (*here, impossible))
    if not (impossible or len(found) >= min_signs):
        return None
    reasons = ["learning"] if len(known) < learning else []
    if impossible and fastest is not None:
        reasons += pardons(fastest, ignore_same_country, ignored_country_pairs)
    return alert(event, fastest, found, impossible, Stop(*here), reasons)


def text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def ways_to(event: Event, here: Item, known: Sequence[tuple[int, Item]], shared: Table) -> list[Hop]:
    """The ways between this login and its neighbours in time, as far as these were where the user is: not reached too fast, nor at an
    address that has turned out to be shared since."""
    before = after = None
    for when, stop in reversed(known):
        *_, address, bad = stop
        if bad or shared.get(address, event):
            continue
        if when <= event.time:
            before = hop(event.time - when, stop, here)
            break
        after = when, stop
    ways = (before, after and hop(after[0] - event.time, here, after[1]))
    return [way for way in ways if way is not None]


def hop(time: int, origin: Item, target: Item) -> Hop | None:
    """The way of `time` ns; None where it says nothing: at the same place, or within a network, whose places differ by chance."""
    if origin[:2] == target[:2] or same_network(origin[4], target[4]):
        return None
    return Hop(Stop(*origin), Stop(*target), haversine_km(*origin[:2], *target[:2]), max(time, 1_000_000_000) / 3.6e12)


def too_fast(way: Hop, distance_km: float, speed_kmh: float, geo_error_km: float) -> bool:
    return way.km >= max(distance_km, LEAST_KM) and (way.km - 2 * geo_error_km) / way.hours > speed_kmh


def same_network(one: str, other: str) -> bool:
    """Whether two addresses lie in one /24, or /48 of IPv6."""
    mark, parts = (":", 3) if ":" in one else (".", 3)
    return one.split(mark)[:parts] == other.split(mark)[:parts]


def pardons(way: Hop, same_country: bool, pairs: tuple[tuple[str, str], ...]) -> list[str]:
    """Why an impossible way is told to nobody."""
    origin, target = way.origin.country, way.target.country
    reasons = {"same_country": same_country and origin is not None and origin == target,
               "country_pair": any({origin, target} == set(pair) for pair in pairs)}
    return [reason for reason, is_so in reasons.items() if is_so]


def alert(event: Event, way: Hop | None, signs: list[str], impossible: bool, here: Stop, suppressed: list[str]) -> Alert:
    user = event["user.name"]
    fields: dict[str, object] = {"pluginhost.signs": signs}
    if way is not None:
        fields["pluginhost.travel"] = {
            "distance_km": round(way.km, 1), "speed_kmh": round(way.km / way.hours), "hours": round(way.hours, 3),
            "from": shown(way.origin), "to": shown(way.target),
        }  # fmt: skip
    if impossible and way is not None:
        pace = f"{way.km:,.0f} km in {duration(way.hours)}, {way.km / way.hours:,.0f} km/h"
        message = f"{user} logged in from {named(way.origin)} and from {named(way.target)}: {pace}"
        reason = f"{pace}; beside that: {', '.join(signs) or 'nothing odd'}"
        return Alert("high" if signs else "medium", message, technique="T1078", reason=reason, fields=fields, action="step_up",
                     suppressed=suppressed)
    reason = f"{len(signs)} signs of another person: {', '.join(signs)}"
    severity = "high" if len(signs) > 2 else "low" if set(signs) == JOURNEY else "medium"
    return Alert(severity, f"{user} logged in from {named(here)}, unlike before: {', '.join(signs)}",
                 technique="T1078", reason=reason, fields=fields, action="step_up", suppressed=suppressed)


def named(stop: Stop) -> str:
    return ", ".join(part for part in (stop.city, stop.country) if part) or f"{stop.lat:.1f}, {stop.lon:.1f}"


def duration(hours: float) -> str:
    return f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def shown(stop: Stop) -> dict[str, object]:
    return {"location": {"lat": stop.lat, "lon": stop.lon}, "country_iso_code": stop.country, "city_name": stop.city, "ip": stop.address}


PLACES = {"Utrecht": (52.09, 5.12, "NL"), "Amsterdam": (52.37, 4.90, "NL"), "Paris": (48.86, 2.35, "FR"), "Null": (0.0, 0.0, "GH"),
          "São Paulo": (-23.55, -46.63, "BR"), "New York": (40.71, -74.01, "US"), "Los Angeles": (34.05, -118.24, "US")}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0"


def login(city, ip="203.0.113.9", user="alice", agent=AGENT, **source):
    lat, lon, country = PLACES[city]
    geo = {"location": {"lat": lat, "lon": lon}, "country_iso_code": country, "city_name": city}
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}, "user": {"name": user},
            "source": {"ip": ip, "geo": geo, **source}, "user_agent": {"original": agent}}


HOME = [login("Utrecht")] * 3 + [login("Amsterdam", "203.0.114.9")] * 3
impossible_travel.fires_on([*HOME, login("São Paulo", "198.51.100.7")], every="1h", alerts=1)
impossible_travel.fires_on([*HOME, login("Null", "198.51.100.7")], every="1h", alerts=1)  # latitude 0, longitude 0 is a place
impossible_travel.fires_on([*HOME, login("São Paulo", "198.51.100.7"), login("Utrecht")], every="1h", alerts=1)  # home again is no news
impossible_travel.fires_on([*HOME, login("Paris", "198.51.100.7")], every="2h", alerts=1)  # a journey, low
impossible_travel.fires_on([*HOME, login("Utrecht", "198.51.100.7", agent="curl/8.5.0", intelligence_category="anonymizer")], alerts=1)
impossible_travel.quiet_on([*HOME, login("Utrecht", "198.51.100.7", intelligence_category="anonymizer")])
impossible_travel.quiet_on([*HOME, login("Paris", "198.51.100.7")], every="2h", min_signs=3)
impossible_travel.quiet_on([*HOME, login("São Paulo", "198.51.100.7")], every="1h", lists={"egress": ["198.51.100.0/24"]})
impossible_travel.quiet_on([login("Utrecht"), login("São Paulo", "198.51.100.7")], every="1h")  # too little is known
impossible_travel.quiet_on([login("New York")] * 6 + [login("Los Angeles", "198.51.100.7")], every="1h", ignore_same_country=True)
impossible_travel.quiet_on([*HOME, login("São Paulo", "198.51.100.7")], every="1h", min_signs=3,
                           ignored_country_pairs=[["BR", "NL"]])
impossible_travel.survives([login("Utrecht", geo=geo) for geo in (
    None, 7, [], {"location": "here"}, {"location": {"lat": 91, "lon": 0}}, {"location": [5.12]}, {"location": "52.1,5.1"})])
impossible_travel.survives([login("Utrecht", ip) for ip in (None, "", "10.0.0.1", "::ffff:10.0.0.1", ["203.0.113.9"], 7)])
shared_egress.quiet_on([login("Utrecht", user=f"user {n}") for n in range(20)])
