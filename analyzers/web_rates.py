from pluginhost import Alert, ClientCounts, Event, FirstSeen, LastSeen, MinuteCounts, Peaks, Score, Scored, Table, Unjudged, analyzer

from ._web import MINUTE, REQUEST, SHARED, again, again_of, part_of_page

PAUSE = 10 * MINUTE


@analyzer(where=REQUEST, key="source.ip")
def request_rate(event: Event, requests: MinuteCounts = MinuteCounts("1m", "5m"), told: LastSeen = LastSeen("1h"),
                 shared: Table = Table(SHARED, "1d"), limit: int = 300) -> Alert | None:
    """One address asks for far too many pages.

    Counts the requests of each address in the last five minutes, in steps of a minute, and fires at `limit`, once in ten minutes while it
    goes on. What browsers load along with a page (images, styles, scripts) does not count. An address behind which several people sit
    (see `agents_per_address`) is told as low.
    """
    if part_of_page(event):
        return None
    count = requests.add(event)
    if count < limit or not again(told, event, PAUSE):
        return None
    agents = shared.get(event["source.ip"], event)
    behind = f"; {agents} user agents were seen behind it, so it may be many people" if agents else ""
    return Alert("low" if agents else "medium", f"too many requests from {event['source.ip']}", technique="T1499",
                 reason=f"{count} requests from one address within 5 minutes (limit {limit}){behind}")


@analyzer(where=REQUEST, pinned=True, group="source.ip")
def web_outlier(event: Event, requests: ClientCounts = ClientCounts("1m", "10m"), told: FirstSeen = FirstSeen("1h", limit=10_000),
                peaks: Peaks = Peaks("1m"), shared: Table = Table(SHARED, "1d"), times: float = 5, least: int = 40,
                clients: int = 5) -> Alert | Scored | Unjudged | tuple[Scored | None, Alert] | None:
    """One address asks far more often than the others.

    Compares each address with the moving average of all: requests through different addresses, over the last ten minutes. Fires when
    an address has `times` the average and at least `least` requests, and at least `clients` addresses are there to compare with; once
    in ten minutes while it goes on. What browsers load along with a page does not count. An address behind which several people sit (see
    `agents_per_address`) is told as low. Where scores are written, each minute has that of the address farthest above the average, of
    those with at least `least` requests.
    """
    if part_of_page(event):
        return None
    address = event["source.ip"]
    if not isinstance(address, str):
        return Unjudged("no_address")
    count = requests.add(address, event)
    if count < least or requests.clients() < clients:
        return None
    ratio = count / (mean := requests.mean())
    graded = min(ratio / max(2 * times, 1e-9), 1.0) if ratio >= times else 0.0
    peak = peaks.add(event, Score(ratio, graded, mean, float(count), threshold=times), {"source.ip": address})
    if not graded or not again_of(told, address, event, PAUSE):
        return peak
    agents = shared.get(address, event)
    behind = f"; {agents} user agents were seen behind it, so it may be many people" if agents else ""
    return peak, Alert(
        "low" if agents else "medium", f"{address} asks far more often than others", technique="T1594", count=count,
        reason=f"{count} requests within 10 minutes, {ratio:.1f} times the average of {mean:.1f} "
               f"of {requests.clients()} addresses (limit {times:g} times, {least} requests){behind}",
        fields={"pluginhost.score.value": round(ratio, 2), "pluginhost.score.threshold": times,
                "pluginhost.score.expected": round(mean, 2), "pluginhost.score.actual": count})


def line(ip="203.0.113.9", path="/list?page=2"):
    return f'{ip} - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 200 12 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"'


OTHERS = [line(f"198.51.100.{n}") for n in range(8)]
request_rate.fires_on([line()] * 300, every="0.9s", alerts=1)
request_rate.fires_on([line()] * 900, every="0.5s", alerts=1)
request_rate.quiet_on([line()] * 299, every="0.5s")
request_rate.quiet_on([line()] * 400, every="1.3s")
request_rate.quiet_on([line(path="/logo.png")] * 400, every="0.1s")
request_rate.survives([line(ip) for ip in ("-", "::ffff:203.0.113.9", "x" * 5000)] + [{"message": None}, {"message": []}, {}])
web_outlier.fires_on([*OTHERS, *[line()] * 100], alerts=1)
web_outlier.quiet_on([*OTHERS, *[line()] * 39])
web_outlier.quiet_on([*OTHERS[:3], *[line()] * 100])  # too few to compare with
web_outlier.quiet_on(OTHERS * 50)
web_outlier.survives([{"event.category": "web", "source.ip": ip, "url.path": path}
                      for ip in (None, 7, [], "x" * 5000) for path in (None, 7, [])])
