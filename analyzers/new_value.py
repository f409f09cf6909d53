from pluginhost import Alert, Duration, Event, FirstSeen, Unjudged, analyzer, by_options

from ._generic import Fields, Severity, shown


@analyzer(template=True, pinned=True)
def new_value(event: Event,
              values: FirstSeen = by_options(lambda remember, limit: FirstSeen(remember, limit=limit)),
              begun: FirstSeen = by_options(lambda remember: FirstSeen(remember, limit=1)),
              field: Fields = ..., remember: Duration = Duration.of("30d"), learn: Duration = Duration.of("1d"), limit: int = 1000,
              severity: Severity = "low", technique: Fields = ()) -> list[Alert | Unjudged]:
    """A value that a field has not had for long, or never.

    Remembers the values of a field (or of several), per key or for all records together, each for `remember` after it was last seen, and
    tells one that is not among them. The first event of a key and what comes within `learn` after it teach. At most `limit` values are
    remembered; when full, the one seen longest ago is forgotten, and told as new when it comes again.
    """
    found = shown(event, field)
    if not found:
        return [Unjudged("no_value")]
    new = [(name, value) for name, value in found if values.first(f"{name}={value}", event)]
    since = begun.seen("")
    if since is None:  # said once, so that it stays the time of the first event
        begun.first("", event)
    if since is None or event.time - since < learn * 1e9:
        return []
    return [Alert(severity, f"new value of {name}: {str(value)[:200]}", technique=technique,
                  fields={"pluginhost.score.of": name, "pluginhost.score.actual_value": str(value)[:200]},
                  reason=f"not seen within {remember}; other values known: {len(values) - len(new)}") for name, value in new]


def login(program, host="db1"):
    return {"event": {"category": ["process"]}, "host": {"name": host}, "process": {"name": program}}


PROGRAM = {"where": "event.category:process", "key": "host.name", "field": "process.name", "learn": "10m"}

new_value.fires_on([login("postgres"), login("postgres"), login("nc"), login("nc")], every="6m", alerts=1, **PROGRAM)
new_value.fires_on([login("postgres"), login("nc"), login("postgres")], every="20d", alerts=1, **{**PROGRAM, "remember": "50d"})
new_value.fires_on([login("postgres"), login("nc"), login("postgres")], every="16d", alerts=2, **PROGRAM)  # forgotten in the meantime
new_value.fires_on([login("postgres"), login("nc", host="db2")], alerts=1, **{**PROGRAM, "key": [], "learn": 0})
new_value.quiet_on([login("postgres"), login("nc")], every="9m", **PROGRAM)  # still learning
new_value.quiet_on([login("postgres"), login("nc", host="db2")], every="11m", **PROGRAM)
new_value.quiet_on([login("postgres")] * 5, every="29d", **PROGRAM)
new_value.survives([login(odd) for odd in (None, "", [], {}, 7, True, [["x"]], ["a"] * 1000, "x" * 100_000)], every="1h", **PROGRAM)
