"""What each panel should show of the fixtures, counted from its title and description; nothing here reads a saved object.

`EXPECTED` has the panels of each dashboard by their keys; how documents are counted is `kibana_counting`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from kibana_counting import (
    DAY,
    HOUR,
    MINUTE,
    Document,
    bars,
    cells,
    count,
    groups,
    having,
    iso,
    largest,
    last,
    milliseconds,
    over,
    paths,
    place,
    places,
    ranked,
    rows,
    split,
    total,
    unique,
    values,
)

__all__ = ["EXPECTED", "LENGTHS", "Seen"]

LENGTHS = {"overview": DAY, "logins": 28 * DAY, "web": DAY, "summary": 14 * DAY, "health": DAY}
"""How long each dashboard looks back; logins would for a week, but no week of the fixtures has all kinds."""


class Seen(NamedTuple):
    """The documents that a dashboard looks at in its span; `all_states` are those of any time."""

    alerts: list[Document]
    states: list[Document]
    all_states: list[Document]
    scores: list[Document]
    end: int


def told(documents: Iterable[Document]) -> list[Document]:
    return [document for document in having(documents, event__kind="alert") if not values(document, "pluginhost.alert.suppressed")]


# Kinds of documents.


def logins(seen: Seen) -> list[Document]:
    return having(told(seen.alerts), event__category="authentication")


def guessed(seen: Seen) -> list[Document]:
    return [document for document in told(seen.alerts) if any(one.startswith("T1110") for one in values(document, "threat.technique.id"))]


def travels(seen: Seen) -> list[Document]:
    return having(told(seen.alerts), pluginhost__travel__speed_kmh=...)


def web(seen: Seen) -> list[Document]:
    return having(told(seen.alerts), event__category="web")


def waf(seen: Seen) -> list[Document]:
    return having(told(seen.alerts), rule__id="waf")


def own(seen: Seen) -> list[Document]:
    return having(told(seen.alerts), pluginhost__analyzer={"pluginhost.quarantine", "pluginhost.pressure"})


def health(seen: Seen) -> list[Document]:
    return having(seen.scores, pluginhost__health__records=...)


def scores_of_waf(seen: Seen) -> list[Document]:
    return having(seen.scores, pluginhost__analyzer="waf")


def open_(states: Iterable[Document]) -> list[Document]:
    return having(states, pluginhost__state__status={"open", "acknowledged", "in_progress"})


def resolved(seen: Seen) -> list[Document]:
    return having(seen.states, pluginhost__state__status="resolved", pluginhost__state__verdict=...)


def falsely(documents: list[Document]) -> int:
    return len(having(documents, pluginhost__state__verdict="false"))


def weeks(seen: Seen, field: str) -> list[tuple[Any, ...]]:
    """Of each value, alerts in the last seven days and before."""
    now = seen.end - 7 * DAY
    return rows(told(seen.alerts), field, 12, lambda some: sum(milliseconds(document) >= now for document in some),
                lambda some: sum(milliseconds(document) < now for document in some))  # fmt: skip


def waiting(seen: Seen, **fields: str) -> dict[str, Any]:
    """Lines over half hours, of the largest of some numbers of health."""
    return {label: over(health(seen), 30 * MINUTE, largest(f"pluginhost.health.{name}")) for label, name in fields.items()}


def unusual(seen: Seen, name: str) -> dict[str, float]:
    found = having(scores_of_waf(seen), **{f"pluginhost__score__parts__unusual_{name}": ...})
    return over(found, 30 * MINUTE, total(f"pluginhost.score.parts.unusual_{name}"))


HALF, HALF_DAY = 30 * MINUTE, 12 * HOUR  # the bars of a day, and those of four weeks
EVENTS = unique("event.id")
USERS = unique("user.name")

EXPECTED: dict[str, dict[str, Callable[[Seen], Any]]] = {
    "overview": {
        "alerts": lambda seen: EVENTS(told(seen.alerts)),
        "grave": lambda seen: EVENTS(having(told(seen.alerts), log__level={"high", "critical"})),
        "users": lambda seen: USERS(told(seen.alerts)),
        "sources": lambda seen: unique("source.ip")(told(seen.alerts)),
        "open": lambda seen: len(open_(seen.all_states)),
        "rules-over-time": lambda seen: split(told(seen.alerts), "rule.id", 12, HALF),
        "severity": lambda seen: rows(told(seen.alerts), "log.level", 4, count),
        "top-users": lambda seen: rows(told(seen.alerts), "user.name", 10, largest("user.risk.calculated_score"), count, last),
        "top-sources": lambda seen: rows(
            told(seen.alerts), "source.ip", 10, largest("pluginhost.source.risk.calculated_score"), count, USERS, last),
        "analyzers": lambda seen: bars(told(seen.alerts), "rule.ruleset", 15),
        "risk-levels": lambda seen: rows(told(seen.alerts), "user.risk.calculated_level", 5, USERS),
        "techniques": lambda seen: rows(told(seen.alerts), "threat.technique.id", 12, count, USERS),
        "source-map": lambda seen: places(told(seen.alerts), "source.geo.location", "event.risk_score"),
        "per-hour": lambda seen: {"Alerts": over(told(seen.alerts), HOUR)},
        "latest": lambda seen: cells(told(seen.alerts), "log.level", "event.risk_score", "rule.id", "user.name", "source.ip",
                                     "source.geo.country_iso_code", "host.name", "event.reason", "event.url"),
    },
    "logins": {
        "login-alerts": lambda seen: EVENTS(logins(seen)),
        "login-users": lambda seen: USERS(logins(seen)),
        "login-countries": lambda seen: unique("source.geo.country_iso_code")(logins(seen)),
        "guessed": lambda seen: EVENTS(having(told(seen.alerts), rule__id="success_of_guesser")),
        "login-rules": lambda seen: split(logins(seen), "rule.id", 12, HALF_DAY),
        "login-origins": lambda seen: bars(logins(seen), "source.geo.country_iso_code", 10),
        "travel-map": lambda seen: paths(travels(seen), "pluginhost.travel.from.location", "pluginhost.travel.to.location",
                                         "pluginhost.travel.speed_kmh"),
        "travel-map/1": lambda seen: [(*place(alert, "pluginhost.travel.to.location"), None) for alert in travels(seen)],
        "travels": lambda seen: rows(
            travels(seen), "user.name", 10, largest("pluginhost.travel.speed_kmh"), largest("pluginhost.travel.distance_km"), last,
            then=[("pluginhost.travel.from.country_iso_code", 3), ("pluginhost.travel.to.country_iso_code", 3)]),
        "new-countries": lambda seen: rows(having(told(seen.alerts), rule__id="new_country"), "user.name", 10, count, last,
                                           then=[("source.geo.country_iso_code", 5)]),
        "new-devices": lambda seen: rows(having(told(seen.alerts), rule__id="new_device"), "user.name", 10, count, last,
                                         then=[("pluginhost.device", 5)]),
        "guessing-sources": lambda seen: rows(guessed(seen), "source.ip", 10, count, USERS, last),
        "guessed-accounts": lambda seen: rows(guessed(seen), "user.name", 10, count, unique("source.ip"),
                                              largest("user.risk.calculated_score"), last),
        "latest-logins": lambda seen: cells(logins(seen), "log.level", "rule.id", "user.name", "source.ip", "source.geo.country_iso_code",
                                            "source.geo.city_name", "user_agent.name", "event.reason", "event.url"),
    },
    "web": {
        "web-alerts": lambda seen: EVENTS(web(seen)),
        "web-sources": lambda seen: unique("source.ip")(web(seen)),
        "web-paths": lambda seen: unique("url.path")(web(seen)),
        "waf-alerts": lambda seen: EVENTS(waf(seen)),
        "web-rules": lambda seen: split(web(seen), "rule.id", 10, HALF),
        "web-attackers": lambda seen: rows(web(seen), "source.ip", 10, count, unique("url.path"), last),
        "signatures": lambda seen: bars(told(seen.alerts), "pluginhost.signature.name", 12),
        "paths": lambda seen: bars(web(seen), "url.path", 12),
        "agents": lambda seen: bars(web(seen), "user_agent.name", 12),
        "waf-score": lambda seen: {
            "Score": over(scores_of_waf(seen), HALF, largest("pluginhost.score.value")),
            "Threshold": over(scores_of_waf(seen), HALF, largest("pluginhost.score.threshold")),
            "Alerts": over(waf(seen), HALF)},
        "waf-indicators": lambda seen: rows(waf(seen), "pluginhost.score.of", 8, count),
        "waf-unusual": lambda seen: {
            name.capitalize(): unusual(seen, name) for name in ("action", "source", "status", "country", "method")},
        "scores": lambda seen: split(having(seen.scores, pluginhost__score__grade=...), "pluginhost.analyzer", 6, HALF,
                                     largest("pluginhost.score.grade")),
        "latest-web": lambda seen: cells(web(seen), "log.level", "rule.id", "source.ip", "http.request.method", "url.path",
                                         "http.response.status_code", "user_agent.name", "event.reason", "event.url"),
    },
    "summary": {
        "summary-alerts": lambda seen: EVENTS(told(seen.alerts)),
        "to-acknowledge": lambda seen: ranked(seen.states, "pluginhost.state.time_to_acknowledge", 50),
        "to-close": lambda seen: ranked(seen.states, "pluginhost.state.time_to_resolve", 50),
        "summary-open": lambda seen: len(open_(seen.all_states)),
        "by-source": lambda seen: weeks(seen, "source.ip"),
        "by-rule": lambda seen: weeks(seen, "rule.id"),
        "open-severity": lambda seen: rows(open_(seen.all_states), "pluginhost.state.severity", 4, count),
        "verdicts": lambda seen: rows(resolved(seen), "pluginhost.state.verdict", 3, count),
        "false-ones": lambda seen: rows(resolved(seen), "rule.id", 10, falsely, count),
        "by-assignee": lambda seen: rows(open_(seen.all_states), "pluginhost.state.assignee", 10, count, last,
                                         then=[("pluginhost.state.status", 3)]),
        "slowest": lambda seen: {
            rule: (ranked(some, "pluginhost.state.time_to_resolve", 50), len(some))
            for rule, some in groups(having(seen.states, pluginhost__state__time_to_resolve=...), "rule.id").items()},
        "days": lambda seen: {"Alerts": over(told(seen.alerts), DAY)},
        "months": lambda seen: {"Alerts": {iso(round(datetime.fromisoformat(f"{month}-01T00:00:00Z").timestamp() * 1000)): number
                                           for month, number in Counter(alert["@timestamp"][:7] for alert in told(seen.alerts)).items()}},
    },
    "health": {
        "lag": lambda seen: ranked(told(seen.alerts), "pluginhost.alert.lag", 95),
        "sidecars": lambda seen: unique("observer.name")(health(seen)),
        "own-alerts": lambda seen: EVENTS(own(seen)),
        "dead-letters": lambda seen: total("pluginhost.health.dead_letters")(health(seen)),
        "records-in": lambda seen: {name: over(some, HALF, total("pluginhost.health.records"))
                                    for name, some in groups(health(seen), "observer.name").items()},
        "alerts-out": lambda seen: {"Made": over(health(seen), HALF, total("pluginhost.health.alerts")),
                                    "Suppressed": over(health(seen), HALF, total("pluginhost.health.suppressed"))},
        "waiting": lambda seen: waiting(seen, **{"Rows not analysed": "journal_rows", "Alerts not delivered": "undelivered"}),
        "oldest": lambda seen: waiting(seen, **{"Not analysed": "journal_age", "Not delivered": "undelivered_age"}),
        "versions": lambda seen: [
            (name, version, last(some), largest("pluginhost.health.quarantined")(some), largest("pluginhost.health.memory")(some),
             total("pluginhost.health.errors")(some))
            for name, inside in sorted(groups(health(seen), "observer.name").items())
            for version, some in groups(inside, "observer.version").items()],
        "suppressed": lambda seen: bars(having(seen.alerts, event__kind="alert", pluginhost__alert__suppressed=...),
                                        "pluginhost.alert.suppressed", 12),
        "latest-own": lambda seen: cells(own(seen), "log.level", "rule.id", "observer.name", "message"),
    },
}  # fmt: skip
