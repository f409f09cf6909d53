from pluginhost import Alert, Event, GeoProfile, Table, Unjudged, analyzer, place

from ._logins import EGRESS, SUCCESS, elsewhere, nobody


@analyzer(where=SUCCESS, key="user.name")
def geoprofile(event: Event, profile: GeoProfile = GeoProfile(), shared: Table = Table("shared_egress", "30d"),
               egress: tuple[str, ...] = EGRESS) -> Alert | Unjudged | None:
    """A login from a place outside the user's usual ones.

    Keeps up to eight places where a user logs in, each with a weight (its logins, halved every 20 days) and two circles: the usual area,
    and the farthest that is still plausible. A login outside all of them is told once the user is known, and is a candidate from then
    on: a usual place only if it is seen again on another day. The alert carries the profile as GeoJSON, for a map.

    Logins through shared gateways and through the networks on the lists `egress` are not asked.
    """
    if nobody(event):
        return Unjudged("nobody")
    if (why := elsewhere(event, shared, egress)) is not None:
        return Unjudged(why)
    where = place(event)
    if where is None:
        return Unjudged("no_place")
    standing = profile.score(event, where)
    if standing.standing != "outside":
        return None
    shown = profile.as_geojson()
    usual = sum(not one["properties"]["candidate"] for one in shown["features"])
    nearest = {0: "the nearest place so far", 1: "the only usual place"}.get(usual, f"the nearest of {usual} usual places")
    user, city = event["user.name"], event.get("source.geo.city_name") or f"{where[0]:.1f}, {where[1]:.1f}"
    return Alert("low", f"{user} logged in from an unusual place: {city}", technique="T1078",
                 reason=f"{standing.distance_km:,.0f} km from {nearest}",
                 fields={"pluginhost.geoprofile.distance_km": round(standing.distance_km, 1),
                         "pluginhost.geoprofile.score": round(standing.score, 2), "pluginhost.geoprofile.places": shown})


def login(lat, lon, user="alice", ip="203.0.113.9"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}, "user": {"name": user},
            "source": {"ip": ip, "geo": {"location": {"lat": lat, "lon": lon}, "country_iso_code": "NL"}}}


UTRECHT, ROTTERDAM, OSLO = (52.09, 5.12), (51.92, 4.48), (59.91, 10.75)
geoprofile.fires_on([*[login(*UTRECHT)] * 8, login(*OSLO)], every="20h", alerts=1)
geoprofile.fires_on([*[login(*UTRECHT)] * 8, login(0, 0)], every="20h", alerts=1)
geoprofile.quiet_on([*[login(*UTRECHT)] * 8, login(*ROTTERDAM)], every="20h")
geoprofile.quiet_on([login(*UTRECHT), login(*OSLO)], every="20h")  # too little is known
geoprofile.quiet_on([*[login(*UTRECHT)] * 8, login(*OSLO)], every="20h", lists={"vpn": ["203.0.113.9"]})
geoprofile.survives([login(lat, lon) for lat in (None, "x", 91, [], 52.09) for lon in (None, {}, 181, "5.12")])
