from pluginhost import Alert, Event, FirstSeen, LastSeen, SlidingCount, SlidingDistinct, analyzer

from ._web import MINUTE, REQUEST, again

PAUSE = 10 * MINUTE
REFUSED = "http.response.status_code:(400 OR 403 OR 404 OR 405 OR 406 OR 410 OR 414)"  # 401 is a login, 429 and 499 say nothing of paths
SCANNERS = ("sqlmap", "nikto", "nmap scripting", "masscan", "zgrab", "zmap", "nuclei", "gobuster", "dirbuster", "dirsearch",
"feroxbuster", "ffuf",
            "fuzz faster", "wfuzz", "wpscan", "joomscan", "whatweb", "acunetix", "nessus", "openvas", "netsparker", "invicti", "qualys",
            "arachni", "w3af", "skipfish", "havij", "commix", "jaeles", "hydra", "owasp zap", "zaproxy", "burp", "xray", "l9explore",
            "leakix", "censysinspect", "expanse", "internet-measurement", "netsystemsresearch", "paloaltonetworks", "shodan", "morfeus")
_NAMED = " OR ".join(f"*{name}*".replace(" ", "\\ ").replace("-", "\\-") for name in SCANNERS)


@analyzer(where=f"{REQUEST} AND {REFUSED}", key="source.ip")
def web_scanner(event: Event, repeats: FirstSeen = FirstSeen("2m", limit=200), errors: SlidingCount = SlidingCount("10m"),
                paths: SlidingDistinct = SlidingDistinct("10m", "1m"), told: LastSeen = LastSeen("1h"), errors_limit: int = 30,
                paths_limit: int = 20) -> Alert | None:
    """One address asks for much that is not there.

    Counts, per address and within ten minutes, the requests that were refused or not found (status 400, 403, 404, 405, 406, 410, 414), and
    for how many different paths. Fires at `errors_limit` of them or `paths_limit` paths, once in ten minutes while it goes on. The same
    path again within two minutes does not count: a page with a broken link is no scan, however many people look at it.
    """
    path = event.get("url.path")
    if not repeats.first(path, event):
        return None
    count, spread = errors.add(event), paths.add(path, event)
    if (count < errors_limit and spread < paths_limit) or not again(told, event, PAUSE):
        return None
    return Alert("medium", f"{event['source.ip']} scans the web server", technique="T1595.003", count=count,
                 reason=f"{count} requests refused or not found within 10 minutes (limit {errors_limit}), "
                        f"for {spread} different paths (limit {paths_limit})",
                 fields={"pluginhost.paths": spread})


@analyzer(where=f"{REQUEST} AND user_agent.original.caseless:({_NAMED})", key="source.ip")
def scanner_agent(event: Event, told: LastSeen = LastSeen("1h")) -> Alert | None:
    """A vulnerability scanner that says what it is.

    Looks for the names of known scanners in the user agent, in any case. Each address is told once an hour while it goes on.
    """
    agent = str(event["user_agent.original"]).lower()
    name = next((one for one in SCANNERS if one in agent), None)
    if name is None or not again(told, event, 60 * MINUTE):
        return None
    return Alert("medium", f"the scanner {name} asks from {event['source.ip']}", technique="T1595.002",
                 reason=f"the user agent names a scanner: {name}")


def line(path, status=404, agent="Mozilla/5.0", ip="203.0.113.9"):
    return f'{ip} - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" {status} 12 "-" "{agent}"'


web_scanner.fires_on([line(f"/{n}") for n in range(20)], every="25s", alerts=1)
web_scanner.fires_on([line(f"/{n}", 403) for n in range(200)], every="1s", alerts=1)
web_scanner.fires_on([line(f"/{n % 19}") for n in range(40)], every="8s", alerts=1)  # few paths, again and again
web_scanner.quiet_on([line(f"/{n}") for n in range(19)], every="1s")
web_scanner.quiet_on([line(f"/{n}") for n in range(60)], every="35s")
web_scanner.quiet_on([line("/favicon.ico")] * 200, every="1s")
web_scanner.quiet_on([line(f"/{n}", 200) for n in range(100)] + [line(f"/{n}", 401) for n in range(100)], every="1s")
web_scanner.survives([line("/" + "x" * 5000, ip=ip) for ip in ("-", "x", "::ffff:203.0.113.9")])
web_scanner.survives([{"event.category": "web", "source.ip": ip, "http.response.status_code": "404", "url.path": path}
                      for ip in (None, 7, [], "203.0.113.9") for path in (None, 7, ["/a", "/b"])])
scanner_agent.fires_on([line("/", 200, "sqlmap/1.8#stable (https://sqlmap.org)")] * 30, alerts=1)
scanner_agent.fires_on(line("/", 200, "Mozilla/5.00 (Nikto/2.5.0) (Evasions:None) (Test:Port Check)"), alerts=1)
scanner_agent.quiet_on(line("/", 200, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"))
scanner_agent.survives([{"event.category": "web", "source.ip": "203.0.113.9", "user_agent.original": agent}
                        for agent in (None, 7, [], ["NIKTO", None], "nikto" * 5000)])
