from pluginhost import Alert, Duration, Event, FirstSeen, Unjudged, analyzer, by_options

from ._generic import Fields, Severity, fields, pausing


@analyzer(template=True, pinned=True)
def list_hit(event: Event, told: FirstSeen = by_options(pausing),
             field: Fields = ..., listed_in: Fields = ..., pause: Duration = Duration.of("1h"), limit: int = 10_000,
             severity: Severity = "high", technique: Fields = ()) -> list[Alert] | Unjudged | None:
    """A value that stands in a configured list.

    Looks a field (or several) up in lists of the configuration (see docs/enrichment.md), of whatever kind they are. The same entry is told
    again for a key only when it was not met for `pause`; of at most `limit` entries this is known.
    """
    asked = [name for name in fields(field) if event.get(name) not in (None, "")]
    if not asked:
        return Unjudged("no_value")
    met = [(name, one, entry) for name in asked for one in fields(listed_in) if (entry := event.listed(name, one)) is not None]
    alerts = []
    for name, one, entry in met:
        if told.first(f"{one}={entry.value}", event):
            note = f" ({entry.note})" if entry.note else ""
            known = {"threat.indicator.name": entry.value, "threat.indicator.provider": one, "threat.indicator.description": entry.note,
                     "pluginhost.score.of": name}
            alerts.append(Alert(severity, f"{name} is on the list {one}: {entry.value}", technique=technique,
                                fields={key: said for key, said in known.items() if said}, reason=f"the list holds {entry.value}{note}"))
    return alerts or None


def lookup(domain, host="pc1"):
    return {"event": {"category": ["network"]}, "host": {"name": host}, "dns": {"question": {"name": domain}}}


BAD = {"where": "event.category:network", "key": "host.name", "field": "dns.question.name", "listed_in": "bad_domains"}
LISTS = {"bad_domains": ("domains", ["evil.example", "worse.example"])}

list_hit.fires_on([lookup("www.example"), lookup("www.evil.example"), lookup("evil.example")], alerts=1, lists=LISTS, **BAD)
list_hit.fires_on([lookup("evil.example"), lookup("worse.example"), lookup("evil.example", "pc2")], alerts=3, lists=LISTS, **BAD)
list_hit.fires_on([lookup("evil.example"), lookup("evil.example", "pc2")], alerts=1, lists=LISTS, **{**BAD, "key": []})
list_hit.fires_on([lookup("evil.example")] * 2, every="61m", alerts=2, lists=LISTS, **BAD)
list_hit.quiet_on([lookup("notevil.example"), lookup("example")], lists=LISTS, **BAD)
list_hit.quiet_on(lookup("evil.example"), **BAD)  # there is no such list
list_hit.survives([lookup(odd) for odd in (None, "", [], {}, 7, ["evil.example"] * 50, "x." * 50_000)], lists=LISTS, **BAD)
