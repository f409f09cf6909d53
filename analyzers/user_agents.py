from pluginhost import Alert, Event, FirstSeen, LastSeen, SlidingCount, SlidingDistinct, Table, Unjudged, analyzer

from ._browsers import automated, unlikely
from ._web import MINUTE, REQUEST, SHARED, again

DAY = 1440 * MINUTE


@analyzer(where="event.category:web AND _exists_:user.name AND _exists_:user_agent.original", key="user.name")
def new_user_agent(event: Event, agents: FirstSeen = FirstSeen("90d", limit=50), kinds: FirstSeen = FirstSeen("365d", limit=20),
                   versions: FirstSeen = FirstSeen("365d", limit=100)) -> Alert | Unjudged | None:
    """A user comes with a browser or system that he has not used before, or with a much older browser.

    Remembers, per user, the browser and operating system behind each user agent. A new pair is told; a newer version is an update and is
    not; a version that is two or more behind the newest the user had is told as low. A user's first one teaches.
    """
    agent = event["user_agent.original"]
    if not isinstance(agent, str) or not agent:
        return Unjudged("no_user_agent")
    if not agents.first(agent, event):
        return None
    kind = f"{event.get('user_agent.name') or 'unknown browser'} on {event.get('user_agent.os.name') or 'unknown system'}"
    user, known = event["user.name"], len(kinds)
    told = str(event.get("user_agent.version") or "").partition(".")[0]
    major = int(told) if told.isascii() and told.isdigit() and len(told) <= 4 else None
    before = max((int(one.rpartition(" ")[2]) for one in versions.dump() if one.startswith(f"{kind} ")), default=0)
    if major is not None:
        versions.first(f"{kind} {major}", event)
    if kinds.first(kind, event):
        return Alert("medium", f"{user} comes with a new browser: {kind}", technique="T1539",
                     reason=f"{user} did not use it before; {known} other {'is' if known == 1 else 'are'} known",
                     fields={"pluginhost.device": kind}) if known else None
    if major is None or before - major < 2:
        return None
    return Alert("low", f"{user} comes with an old browser: {kind}", technique="T1539",
                 reason=f"version {major} after {before}", fields={"pluginhost.device": kind})


@analyzer(where=f"{REQUEST} AND _exists_:user_agent.original", key="source.ip")
def impossible_browser(event: Event, told: FirstSeen = FirstSeen("1d", limit=10), newest: int = 400) -> Alert | None:
    """A browser says of itself what cannot be.

    Checks the user agent against a table of what there never was: Internet Explorer beside Windows, Chrome 110 on Windows 7, Safari on
    Android, a Windows NT that was never made, two systems at once, a version above `newest`. Whoever sends that made it up. Each
    address is told once a day for each thing that is wrong.
    """
    agent = event["user_agent.original"]
    if agent.__class__ is not str or (found := unlikely(agent[:1024], newest)) is None or not told.first(found[0], event):
        return None
    return Alert(found[1], f"impossible browser from {event['source.ip']}", technique="T1036", reason=f"{found[0]}: {agent[:200]}")


@analyzer(where=f"{REQUEST} AND _exists_:user_agent.original", key="source.ip")
def automated_browser(event: Event, told: FirstSeen = FirstSeen("1d", limit=10)) -> Alert | None:
    """A browser that is driven by a program, or that does not say what it is.

    Looks for the marks of headless browsers in the user agent, and for empty ones. Many do so for good reasons: it is told as low, and
    each address once a day for each mark. A record without the field at all says nothing.
    """
    agent = event["user_agent.original"]
    if agent.__class__ is not str:
        return None
    if (mark := automated(agent[:1024])) is None or not told.first(mark, event):
        return None
    return Alert("low", f"automated browser from {event['source.ip']}", technique="T1594",
                 reason=f"{mark}: {agent[:200]}" if agent else mark)


@analyzer(where=f"{REQUEST} AND _exists_:user_agent.original", key="source.ip")
def agents_per_address(event: Event, agents: SlidingDistinct = SlidingDistinct("10m", "1m"), requests: SlidingCount = SlidingCount("10m"),
                       told: LastSeen = LastSeen("1d"), published: LastSeen = LastSeen("1d"), shared: Table = Table(SHARED, "1d"),
                       limit: int = 20, several: int = 4, requests_each: float = 2) -> Alert | None:
    """One address with many user agents: one program that changes its own, or many people.

    Counts the different user agents of an address within ten minutes. From `several` on the address counts as shared by people, which
    `request_rate` and `web_outlier` ask for. At `limit` with fewer than `requests_each` requests for each agent it is told, once an hour:
    people stay with their browser for more than a page.
    """
    count, asked = agents.add(event["user_agent.original"], event), requests.add(event)
    if count < several:
        return None
    if asked >= requests_each * count:
        if again(published, event, DAY // 24):
            shared.put(event["source.ip"], count)
        return None
    if count < limit or not again(told, event, 60 * MINUTE):
        return None
    return Alert("medium", f"{event['source.ip']} changes its user agent again and again", technique="T1036", count=count,
                 reason=f"{count} user agents in {asked} requests of one address within 10 minutes "
                        f"(limit {limit}, fewer than {requests_each:g} requests each)")


WINDOWS = "Mozilla/5.0 (Windows NT {}; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 {}Safari/604.1"
FIREFOX = "Mozilla/5.0 (X11; FreeBSD amd64; rv:115.0) Gecko/20100101 Firefox/115.0"
PHONE = SAFARI.format("iPhone; CPU iPhone OS 17_6 like Mac OS X", "Mobile/15E148 ")
LINUX = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) {}Chrome/140.0.0.0 {}Safari/537.36"
HONEST = (
    FIREFOX, PHONE, "curl/8.5.0", "", WINDOWS.format("10.0", 143), WINDOWS.format("6.1", 109),
    WINDOWS.format("10.0", 143) + " Edg/143.0.0.0",
    SAFARI.format("Macintosh; Intel Mac OS X 10_15_7", ""), PHONE.replace("Version/17.6", "CriOS/140.0.0.0"),
    LINUX.format("X11; Linux x86_64", "", ""), LINUX.format("X11; CrOS x86_64 14541.0.0", "", ""),
    LINUX.format("Linux; Android 14; Pixel 8 Build/X; wv", "Version/4.0 ", "Mobile "),
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)", "Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/4.0 (compatible; MSIE 5.15; Mac_PowerPC)", "Mozilla/4.0 (compatible; MSIE 6.0; X11; Linux i686; en) Opera 9.27",
    "Mozilla/5.0 (Linux; U; Android 4.0.3; de) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; Trident/7.0; rv:11.0; IEMobile/11.0) like iPhone OS 7_0_3 Mac OS X",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
)


def asked(agent, user="alice", ip="203.0.113.9"):
    return {"event": {"category": ["web"]}, "user": {"name": user}, "source": {"ip": ip}, "user_agent": {"original": agent}}


ODD = (None, "", 7, [], ["a", "b"], {"a": 1}, "x" * 100_000, "MSIE 99999999999", "Windows NT 99999.9", "Chrome/٣", "\u202e")
CHROME = [asked(WINDOWS.format("10.0", major)) for major in (140, 141, 142, 143)]
new_user_agent.fires_on([*CHROME, asked(FIREFOX), asked(FIREFOX), asked(PHONE)], alerts=2)
new_user_agent.fires_on([*CHROME, asked(WINDOWS.format("10.0", 120))] * 2, alerts=1)
new_user_agent.quiet_on([*reversed(CHROME[2:]), *CHROME[2:]] * 5)
new_user_agent.quiet_on([asked(FIREFOX), asked(PHONE, "bob"), asked(WINDOWS.format("10.0", 140), "eve")])
new_user_agent.survives([asked(agent, user) for agent in ODD for user in ("alice", None, 7, [])])

for _agent in ("Mozilla/4.0 (compatible; MSIE 6.0; Linux x86_64)", "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 5.1; Trident/6.0)",
               WINDOWS.format("7.5", 120), WINDOWS.format("5.1", 121), WINDOWS.format("6.1", 110), WINDOWS.format("10.0; Android 13", 120),
               WINDOWS.format("10.0", 999), SAFARI.format("X11; Linux x86_64", ""), SAFARI.format("Windows NT 10.0; Win64; x64", ""),
               SAFARI.format("Linux; Android 14; Pixel 8", "Mobile/15E148 "), WINDOWS.format("10.0", 120).replace("Windows NT 10.0",
               "iPhone"),
               "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.0.0 Safari/537.36 Edg/80.0.0.0",
               "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; MSIE 11.0) Edge/99.0 Chrome/999.0.0.0"):
    impossible_browser.fires_on([asked(_agent)] * 5, alerts=1)
impossible_browser.quiet_on([asked(agent) for agent in HONEST])
impossible_browser.survives([asked(agent, ip=ip) for agent in ODD for ip in ("203.0.113.9", None, 7, [])])
automated_browser.fires_on([asked(WINDOWS.format("10.0", 143).replace("Chrome", "HeadlessChrome"))] * 5, alerts=1)
automated_browser.fires_on([asked(""), asked("-")], alerts=1)
automated_browser.quiet_on([asked(WINDOWS.format("10.0", 143)), asked("curl/8.5.0"), {"event": {"category": ["web"]},
"source": {"ip": "203.0.113.9"}}])
automated_browser.survives([asked(agent) for agent in ODD])
agents_per_address.fires_on([asked(WINDOWS.format("10.0", n)) for n in range(100, 130)], alerts=1)
agents_per_address.quiet_on([asked(WINDOWS.format("10.0", 100 + n // 3)) for n in range(120)])  # people behind a gateway
agents_per_address.quiet_on([asked(WINDOWS.format("10.0", n)) for n in range(100, 119)])
agents_per_address.survives([asked(agent, ip=ip) for agent in ODD for ip in ("203.0.113.9", None, 7, [])])
