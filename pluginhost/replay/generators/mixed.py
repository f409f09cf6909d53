"""A little of everything in one stream, for a demonstration: three weeks of logins, then some hours of hosts, a shop and its firewall.

So few records teach analyzers little. Therefore attacks begin only after what would be a week or two of learning elsewhere, and guessing at
logins is more frequent than in `logins` alone. A few records are what shippers send on bad days. Whatever day it is, the same seed
gives the same stream: the simulation of the logins always begins on a Monday, and is moved by whole days afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from random import Random

from ..kinds import KINDS
from .hosts import hosts
from .item import DAY, HOUR, MINUTE, Item, Record, ordered
from .logins import logins
from .waf import waf
from .web import web

__all__ = ["LEAST", "LISTS", "mixed"]

LEAST = 6000
"""Fewer records than this teach analyzers too little to tell anything from."""
LISTS = {
    "egress": ("203.0.113.1 # exit of the VPN in Amsterdam", "203.0.113.2 # exit of the VPN in New York",
               "203.0.113.3 # exit of the VPN in Singapore", "100.64.0.0/10 # gateways of mobile carriers"),
    "watched_sources": ("198.19.0.200 # the old jump host, to be switched off",),
}  # fmt: skip
"""What an operator of all that would know: lists of networks by the names that shipped analyzers look for, an entry with its note each."""

_FIXED, _USUAL = 3000, 9000  # records, about: those of attacks and checks, and those that the sizes below give
_USERS, _DAYS, _ATTACKS, _MONDAY = 40, 21, 5.0, 4 * DAY  # 1970 began on a Thursday
_HOURS, _HOSTS, _LINES, _PAGES, _REQUESTS = 5, 5, 2.5, 13.0, 5.0  # lines, pages and requests a minute, beside those of attacks
_LEARNING, _QUIET = 12 * DAY, 3 * HOUR + HOUR // 2  # how long nobody attacks logins, and the shop and its firewall
_ODD_ONE_IN = 100
_ODD: tuple[Record, ...] = (
    {}, {"message": None}, {"message": 42}, {"message": ["a", {"b": None}]}, {"message": b"\xff\xfe\x00sshd"}, {"message": "A" * 9000},
    {"message": "\x1b[2J\x07\u202e sshd[1]: Accepted"}, {"message": "Nov 21 10:00:00 web1 sshd[42]: Failed pass"},
    {"event": "authentication", "user": 7, "source": []},
    {"event.category": [["authentication"]], "event.outcome": {"is": "success"}, "user.name": "", "source.geo.country_iso_code": None},
)  # fmt: skip


def mixed(rng: Random, end: int, records: int) -> list[Item]:
    """About `records` items up to `end` (ns UTC; the last whole minute), in order of time; most of them in the last five hours.

    More records are more users and more visits, not a longer time. Incidents have different numbers in all of the stream.
    """
    if records < LEAST:
        raise ValueError(f"expected at least {LEAST} records, got {records}")
    part, end = (records - _FIXED) / _USUAL, end - end % MINUTE
    minutes, begin = _HOURS * 60, end - _HOURS * HOUR
    first = begin - begin % DAY - _DAYS * DAY
    chances = [Random(rng.getrandbits(64)) for _ in range(5)]  # noqa: S311 - a chance of its own for each stream, so that none moves another
    weeks = logins(chances[0], _MONDAY, _DAYS, users=round(_USERS * part), attacks=_ATTACKS)
    streams = (
        _later(_moved(weeks, first - _MONDAY), first + _LEARNING),
        hosts(chances[1], begin, minutes, hosts=_HOSTS, rate=_LINES * part),
        _later(web(chances[2], begin, minutes, rate=_PAGES * part), begin + _QUIET),
        _later(waf(chances[3], begin, minutes, rate=_REQUESTS * part), begin + _QUIET),
        _odd(chances[4], begin, records // _ODD_ONE_IN),
    )
    return list(ordered([(first, chain.from_iterable(_numbered(streams)))], first, end))


def _moved(items: Iterable[Item], by: int) -> Iterator[Item]:
    return (item._replace(time=item.time + by) for item in items)


def _later(items: Iterable[Item], quiet: int) -> Iterator[Item]:
    """The items without the attacks that begin before `quiet`; what only looks like one stays."""
    early = set[int]()
    for item in items:
        if item.label is not None and item.time < quiet and KINDS[item.label.kind].analyzers:
            early.add(item.label.incident)
        if item.label is None or item.label.incident not in early:
            yield item


def _numbered(streams: Iterable[Iterable[Item]]) -> Iterator[Iterator[Item]]:
    """The streams, with incidents of one number in two of them told apart."""
    step = 1_000_000
    for n, items in enumerate(streams):
        yield (_renumbered(item, n * step) for item in items)


def _renumbered(item: Item, by: int) -> Item:
    return item if item.label is None else item._replace(label=item.label._replace(incident=item.label.incident + by))


def _odd(rng: Random, start: int, count: int) -> Iterator[Item]:
    """What shippers send on bad days: nothing, the wrong types, lines cut off, bytes that a terminal would act on."""
    for n in range(count):
        time = start + int(_HOURS * HOUR * (n + rng.random()) / count)
        yield Item(rng.choice(("auth", "web.access", "logins.cloud")), time, rng.choice(_ODD))
