"""Logins: whose account is attacked, from where, and who got in."""

from __future__ import annotations

from ..model import ALERTS, By, Dashboard, Layer, Metric, Panel, Row
from .common import CONTROLS, COUNT, LAST, NAVIGATION, TOLD, big, latest, over_time, table, top

__all__ = ["LOGINS"]

_LOGINS = f"{TOLD} and event.category: authentication"
_TRAVELS = f"{TOLD} and pluginhost.travel.speed_kmh: *"
_GUESSED = f"{TOLD} and threat.technique.id: T1110*"
_USER = By("terms", "User", "user.name")

LOGINS = Dashboard(
    "logins", "pluginhost: Logins", "Whose account is attacked, from where, and who got in.", "now-7d",
    (
        NAVIGATION,
        Row(6, (
            (big("login-alerts", "Alerts about logins", Metric("unique", "Alerts", "event.id"), _LOGINS), 12),
            (big("login-users", "Users", Metric("unique", "Users", "user.name"), _LOGINS), 12),
            (big("login-countries", "Countries", Metric("unique", "Countries", "source.geo.country_iso_code"), _LOGINS), 12),
            (big("guessed", "Guesser got in", Metric("unique", "Alerts", "event.id"), f"{TOLD} and rule.id: success_of_guesser"), 12),
        )),
        Row(13, (
            (over_time("login-rules", "Alerts about logins by rule", By("terms", "Rule", "rule.id", 12), _LOGINS), 34),
            (top("login-origins", "Countries", By("terms", "Country", "source.geo.country_iso_code"), _LOGINS), 14),
        )),
        Row(16, (
            (Panel("travel-map", "Impossible travels", "paths",
                   (Layer(ALERTS, (), (Metric("max", "Speed", "pluginhost.travel.speed_kmh"),), _TRAVELS),),
                   at="pluginhost.travel.from.location", to="pluginhost.travel.to.location"), 26),
            (table("travels", "Travels", (_USER, By("terms", "From", "pluginhost.travel.from.country_iso_code", 3),
                                          By("terms", "To", "pluginhost.travel.to.country_iso_code", 3)),
                   (Metric("max", "km/h", "pluginhost.travel.speed_kmh"), Metric("max", "km", "pluginhost.travel.distance_km"), LAST),
                   _TRAVELS), 22),
        )),
        Row(13, (
            (table("new-countries", "New countries", (_USER, By("terms", "Country", "source.geo.country_iso_code", 5)), (COUNT, LAST),
                   f"{TOLD} and rule.id: new_country"), 24),
            (table("new-devices", "New devices", (_USER, By("terms", "Device", "pluginhost.device", 5)), (COUNT, LAST),
                   f"{TOLD} and rule.id: new_device"), 24),
        )),
        Row(13, (
            (table("guessing-sources", "Who is guessing", (By("terms", "Source", "source.ip"),),
                   (COUNT, Metric("unique", "Accounts", "user.name"), LAST), _GUESSED, description="Sources of brute force and spraying."),
             24),
            (table("guessed-accounts", "Whose password is guessed", (_USER,),
                   (COUNT, Metric("unique", "Sources", "source.ip"), Metric("max", "Risk", "user.risk.calculated_score"), LAST), _GUESSED),
             24),
        )),
        Row(18, ((latest("latest-logins", "Latest alerts about logins", "log.level", "rule.id", "user.name", "source.ip",
                         "source.geo.country_iso_code", "source.geo.city_name", "user_agent.name", "event.reason", "event.url",
                         where=_LOGINS), 48),)),
    ),
    CONTROLS,
)  # fmt: skip
