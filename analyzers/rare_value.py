from pluginhost import Alert, Duration, Event, FirstSeen, Peaks, RareValue, Scored, Unjudged, analyzer, by_options

from ._generic import Fields, Severity, pausing, scored, shown


@analyzer(template=True, pinned=True)
def rare_value(event: Event,
               values: RareValue = by_options(lambda threshold, warmup, half_life, limit:
                                              RareValue(threshold=threshold, warmup=warmup, half_life=half_life, limit=limit)),
               told: FirstSeen = by_options(pausing),
               peaks: Peaks = by_options(lambda interval: Peaks(every=interval)),
               field: Fields = ..., threshold: float = 10.0, warmup: int = 500, half_life: int = 10_000, limit: int = 1000,
               pause: Duration = Duration.of("1d"), interval: Duration = Duration.of("5m"), severity: Severity = "low",
               technique: Fields = ()) -> list[Alert | Scored | Unjudged]:
    """A value that a field hardly ever has.

    Learns how often each value of a field (or of several) comes, per key or for all records together, and tells one whose surprisal
    reaches `threshold` bits: 10 is about one in a thousand. The first `warmup` values teach. The same value of a key is told again only
    when it was not seen for `pause`. Where scores are written, each `interval` has one, the highest.
    """
    found = shown(event, field)
    if not found:
        return [Unjudged("no_value")]
    alerts: list[Alert | Scored | Unjudged] = []
    for name, value in found:
        score = values.score({name: value})
        if (peak := peaks.add(event, score)) is not None:
            alerts.append(peak)
        if score.grade and told.first(f"{name}={value}", event):
            share = f"one in {2 ** score.score:,.0f}" + (f", mostly {score.expected}" if score.expected else "")
            alerts.append(Alert(severity, f"rare value of {name}: {score.actual}", technique=technique, fields=scored(score, of=name),
                                reason=f"{score.score:.1f} bits, {score.threshold:g} or more are rare: {share}"))
    return alerts


def request(method, host="web1"):
    return {"event": {"category": ["web"]}, "host": {"name": host}, "http": {"request": {"method": method}}}


METHOD = {"where": "event.category:web", "key": "host.name", "field": "http.request.method", "threshold": 6, "warmup": 100}
USUAL = [request(("GET", "GET", "POST")[n % 3]) for n in range(200)]

rare_value.fires_on([*USUAL, request("TRACE"), request("GET"), request("TRACE")], alerts=1, **METHOD)
rare_value.fires_on([*USUAL, request("TRACE")], alerts=1, **{**METHOD, "key": []})
rare_value.fires_on([*USUAL, request(["GET", "TRACE"])], alerts=1, **METHOD)
rare_value.fires_on([*USUAL, request("TRACE")], alerts=1, **{**METHOD, "field": ["http.request.method", "host.name"]})
rare_value.quiet_on([*USUAL, request("POST")], **METHOD)
rare_value.quiet_on([*USUAL[:99], request("TRACE")], **METHOD)  # still learning
rare_value.quiet_on([*USUAL, request("TRACE", host="web2")], **METHOD)  # another key has not learned yet
rare_value.quiet_on([*USUAL, request("TRACE")], **{**METHOD, "threshold": 9})
rare_value.survives([*USUAL, *[request(odd) for odd in (None, "", [], {}, 7, True, [["x"]], ["a"] * 1000, "x" * 100_000)]], **METHOD)
