from pluginhost import Alert, Event, FirstSeen, analyzer


@analyzer(
    where="event.category:authentication AND event.outcome:success AND _exists_:source.geo.country_iso_code",
    key="user.name",
)
def new_country(event: Event, countries: FirstSeen = FirstSeen("90d", limit=250)) -> Alert | None:
    """A login from a country the user has not logged in from before.

    Remembers, per user, the country of every successful login for 90 days after it was last seen. A user's first login
    teaches and does not fire.
    """
    country = event["source.geo.country_iso_code"]
    if not countries.first(country, event) or len(countries) == 1:
        return None
    user = event["user.name"]
    return Alert("medium", f"{user} logged in from {country} for the first time", technique="T1078",
                 reason=f"no login of {user} from {country} in 90 days; {len(countries) - 1} other countries are known")


def login(country, user="alice"):
    return {"event": {"category": "authentication", "outcome": "success"}, "user": {"name": user},
            "source": {"ip": "203.0.113.9", "geo": {"country_iso_code": country}}}


new_country.fires_on([login("NL"), login("NL"), login("BR")], alerts=1)
new_country.quiet_on([login("NL"), login("NL"), login("BR", user="bob")])
new_country.survives([login(None), login(["NL", "BR"]), login({"code": "NL"}), {**login("NL"), "user": "alice"}, login("NL", user=7)])
