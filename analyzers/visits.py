from pluginhost import Alert, Distinct, Event, FirstSeen, LastSeen, Pace, PageOrder, Unjudged, analyzer

from ._generic import scored
from ._web import MINUTE, REQUEST, again, again_of, part_of_page

VISIT = 30 * MINUTE  # a visit ends after so long without a page


@analyzer(where=f"{REQUEST} AND _exists_:url.path", pinned=True, group="source.ip")
def page_order(event: Event, order: PageOrder = PageOrder(far=12.0), told: FirstSeen = FirstSeen("1h", limit=10_000),
               trusted: tuple[str, ...] = ("trusted",)) -> Alert | Unjudged | None:
    """A visitor takes pages in an order in which people do not.

    Learns from all visits which page follows which (a Markov chain over the paths, with ids replaced), and from the eighth page on compares
    how surprising the way of a visit is with the visits before. People follow links; programs that fetch pages by a list or by chance do
    not, however slowly. A visit is that of one address with one user agent at one site (`url.domain`), and ends after 30 minutes without
    a page; visits that were flagged teach nothing. Each is told once, and none before a hundred visits of eight pages or more are over,
    which takes half an hour at least. Networks on the lists `trusted`, such as those of search engines you want, are not told.
    """
    if part_of_page(event):
        return None
    path, address = event["url.path"], event["source.ip"]
    if path.__class__ is not str or address.__class__ is not str:
        return Unjudged("no_page")
    site, agent = event.get("url.domain", ""), event.get("user_agent.original", "")
    visitor = f"{address} {site} {agent}"
    found = order.score(event, visitor, f"/{site}{path}" if site else path)
    if not found.grade or any(event.listed("source.ip", name) for name in trusted):
        return None
    if not again_of(told, visitor, event, VISIT):
        return None
    return Alert("medium" if found.grade >= 0.75 else "low", f"{address} visits pages in an unusual order", technique="T1594",
                 reason=f"a surprise of {found.score:.2f} a step; visits have {found.expected:.2f}, {found.threshold:.2f} is the limit",
                 fields=scored(found))


@analyzer(where=f"{REQUEST} AND _exists_:url.path", key="source.ip")
def page_pace(event: Event, pace: Pace = Pace(), pages: Distinct = Distinct("30m", exact=64), told: LastSeen = LastSeen("1h"),
              different: int = 3, trusted: tuple[str, ...] = ("trusted",)) -> Alert | None:
    """A visitor asks for pages at equal intervals.

    Compares the gaps between the pages of an address: people read, programs keep a beat. Fires from the eighth page of a visit on where the
    gaps differ by a tenth or less of their mean, once `different` pages were asked for in that beat (what asks for one page again and
    again watches whether the site is up), and once in 30 minutes while it goes on. Networks on the lists `trusted` are not told.
    """
    if part_of_page(event):
        return None
    found = pace.score(event)
    if not found.grade or pages.add(event["url.path"], event) < different:
        return None
    if any(event.listed("source.ip", name) for name in trusted) or not again(told, event, VISIT):
        return None
    return Alert("low", f"{event['source.ip']} visits pages at equal intervals", technique="T1594",
                 reason=f"the gaps between pages differ by {found.actual:.1%} of their mean; at 10% or less it is no person",
                 fields=scored(found))


def visit(pages, ip="203.0.113.9", agent="Mozilla/5.0"):
    by = {"event": {"category": ["web"]}, "source": {"ip": ip}, "user_agent": {"original": agent}}
    return [{**by, "url": {"path": page}} for page in pages]


SITE = ("/", "/products", "/products/7", "/products/7/reviews", "/products/9", "/basket", "/checkout", "/checkout/address", "/thanks")
VISITS = [one for n in range(120) for one in visit(SITE, f"198.51.{n}.7")]
JUMPS = ("/thanks", "/products/7/reviews", "/", "/basket", "/products/9", "/checkout/address", "/products", "/checkout", "/about")
page_order.fires_on([*VISITS, *visit(JUMPS * 3)], every="20s", alerts=1)
page_order.quiet_on([*VISITS, *visit(JUMPS[:7])], every="20s")  # too short
page_order.quiet_on([*VISITS, *visit(SITE * 3)], every="20s")
page_order.quiet_on([*VISITS[:500], *visit(JUMPS * 3)], every="20s")  # too little is learned
page_order.quiet_on([*VISITS, *visit(JUMPS * 3)], every="20s", lists={"trusted": ["203.0.113.0/24"]})
page_order.survives(visit([None, 7, [], {"a": 1}, "", "?", "x" * 100_000, "/" * 5000]) + visit(SITE, None) + visit(SITE, agent=[1]))
page_pace.fires_on(visit(SITE * 3), every="5s", alerts=1)
page_pace.quiet_on(visit(["/health"] * 100), every="5s")
page_pace.quiet_on([{} if n % 7 in (1, 2, 5) or n % 11 == 3 else one for n, one in enumerate(visit(SITE * 12))], every="5s")  # as people do
page_pace.quiet_on(visit(SITE * 3), every="31m")
page_pace.survives(visit([None, 7, [], {"a": 1}, "", "x" * 100_000] * 3) + visit(SITE, None) + visit(SITE, 7))
