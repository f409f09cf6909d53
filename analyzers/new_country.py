from pluginhost import Alert, Event, FirstSeen, Table, Unjudged, analyzer

from ._logins import EGRESS, SUCCESS, elsewhere, nobody

DAY = 86_400_000_000_000  # ns


@analyzer(where=f"{SUCCESS} AND _exists_:source.geo.country_iso_code", key="user.name")
def new_country(event: Event, countries: FirstSeen = FirstSeen("180d", limit=20), shared: Table = Table("shared_egress", "30d"),
                egress: tuple[str, ...] = EGRESS, atypical_days: int = 30) -> Alert | Unjudged | None:
    """A login from a country that the user has never logged in from, or not for long.

    Remembers, per user, the country of every successful login for 180 days after it was last seen; one that was last seen `atypical_days`
    or longer ago is told as atypical. A user's first login teaches. Logins through shared gateways and through the networks on the lists
    `egress` are not asked.
    """
    if nobody(event):
        return Unjudged("nobody")
    if (why := elsewhere(event, shared, egress)) not in (None, "no_address"):
        return Unjudged(why)
    country, user = event["source.geo.country_iso_code"], event["user.name"]
    if not isinstance(country, str) or not country:
        return Unjudged("no_country")
    last, known = countries.seen(country), len(countries)
    if countries.first(country, event):
        if not known:
            return None
        return Alert("medium", f"{user} logged in from {country} for the first time", technique="T1078",
                     reason=f"no login of {user} from {country} in 180 days; {len(countries) - 1} other countries are known")
    away = (event.time - last) // DAY if last is not None else 0
    if away < atypical_days:
        return None
    return Alert("low", f"{user} logged in from {country} for the first time in {away} days", technique="T1078",
                 reason=f"the last login of {user} from {country} was {away} days before; {atypical_days} or more are atypical")


def login(country, user="alice", outcome="success", ip="203.0.113.9"):
    return {"event": {"category": "authentication", "outcome": outcome}, "user": {"name": user},
            "source": {"ip": ip, "geo": {"country_iso_code": country}}}


new_country.fires_on([login("NL"), login("NL"), login("BR")], alerts=1)
new_country.fires_on([login("NL"), *[login("BR")] * 2], every="40d", alerts=2)  # new, then atypical
new_country.quiet_on([login("NL"), login("BR", outcome="failure")])
new_country.quiet_on([login("NL"), login("NL"), login("BR", user="bob")])
new_country.quiet_on([login("NL"), login("BR")], lists={"vpn": ["203.0.113.0/24"]})
new_country.quiet_on([login("NL"), login("NL")], every="29d")
new_country.survives([login(country) for country in (None, "", ["NL", "BR"], {"code": "NL"})])
new_country.survives([{**login("NL"), "user": "alice"}, login("NL", user=7)])
