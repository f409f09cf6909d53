"""A fleet of Linux hosts: who logs in by SSH and what becomes root, accounts, connections, checks and disks; with attacks and mishaps.

Lines and documents are those of real programs. Everything that an operator would want to hear of is labelled; a host that falls silent
has its label at the last check before and the first one behind, a disk that fills up from the first measure of it to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from random import Random
from typing import NamedTuple

from .item import HOUR, MINUTE, SECOND, Incident, Incidents, Item, Label, arising, ordered, poisson
from .lines import audit, beat, connection, disk, syslog

__all__ = ["hosts"]

_MEASURE = 5  # minutes between two measures of a disk
_FULL = 0.9  # from here on a disk is nearly full
_USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl", "lena")
_GUESSES = ("root", "admin", "test", "oracle", "postgres", "ubuntu", "git", "deploy", "pi", "nagios", "ftp", "www-data")
_COMMANDS = ("/usr/bin/psql -l", "/usr/bin/crontab -l", "/usr/bin/tail -n 100 app.log", "/usr/local/bin/rotate")
_ROOTS = ("/bin/bash", "/usr/bin/systemctl restart nginx", "/usr/bin/vi /etc/sudoers", "/usr/bin/apt-get install -y tcpdump")
_SERVICES = ((443, "SF"), (443, "SF"), (443, "SF"), (5432, "SF"), (80, "SF"), (22, "SF"), (443, "S0"))


class _Host(NamedTuple):
    name: str
    address: str


class _Silence(NamedTuple):
    """A host says nothing between two of its checks, at `last` and `until`."""

    last: int
    until: int
    label: Label


class _Fleet:
    """The hosts, and what goes on with them until the `end`: who is silent, how full disks are, which ones fill up and since when."""

    def __init__(self, rng: Random, number: int, end: int) -> None:
        self.rng, self.incidents, self.end = rng, Incidents(), end
        self.hosts = [_Host(f"{('web', 'db', 'app')[n % 3]}{n // 3 + 1}", f"198.18.{n // 250}.{n % 250 + 1}") for n in range(number)]
        self.silent: dict[str, _Silence] = {}
        self.used = {host.name: rng.uniform(0.3, 0.7) for host in self.hosts}
        self.filling: dict[str, tuple[int, Label]] = {}

    def quiet(self, host: _Host, time: int) -> bool:
        """Whether nothing is heard of the host at that time."""
        silence = self.silent.get(host.name)
        return silence is not None and silence.last < time < silence.until

    def host(self) -> _Host:
        """Any host."""
        return self.rng.choice(self.hosts)

    def check(self, number: int) -> int:
        """When in a minute the host of this number is checked, ns."""
        return number * MINUTE // len(self.hosts)

    def stranger(self) -> str:
        """An address from outside."""
        return f"203.0.113.{self.rng.randrange(1, 255)}"

    def pid(self, program: str) -> str:
        """A program with a process id."""
        return f"{program}[{self.rng.randrange(300, 60000)}]"


def hosts(rng: Random, start: int, minutes: int, *, hosts: int = 20, rate: float = 60) -> Iterator[Item]:
    """Items of `minutes` minutes from `start` (ns UTC) on: `rate` lines and connections a minute, a check of each host every minute and a
    measure of its disk every five. Tags: `auth`, `kern`, `audit`, `zeek.conn`, `heartbeat`, `metricbeat`."""
    end = start + minutes * MINUTE
    fleet = _Fleet(rng, hosts, end)
    incidents: dict[Incident, float] = {partial(make, fleet): often for make, often in _OFTEN.items()}
    return ordered(_minutes(fleet, incidents, start, minutes, rate), start, end)


def _minutes(fleet: _Fleet, incidents: dict[Incident, float], start: int, minutes: int,
             rate: float) -> Iterator[tuple[int, list[Item]]]:  # fmt: skip
    rng = fleet.rng
    for begin in range(start, start + minutes * MINUTE, MINUTE):
        items = [item for _ in range(poisson(rng, rate)) for item in _everyday(fleet, begin + rng.randrange(MINUTE))]
        items += arising(rng, incidents, begin, MINUTE)
        for n, host in enumerate(fleet.hosts):
            items += _checked(fleet, host, begin + fleet.check(n))
            if (begin - start) // MINUTE % _MEASURE == n % _MEASURE:
                items += _measured(fleet, host, begin + rng.randrange(MINUTE))
        yield begin + MINUTE, items


def _everyday(fleet: _Fleet, time: int) -> Iterator[Item]:
    rng, host, kind = fleet.rng, fleet.host(), fleet.rng.random()
    if fleet.quiet(host, time):
        return
    if kind < 0.5:
        port, state = rng.choice(_SERVICES)
        peer = fleet.host()
        yield _seen(fleet, time, peer.address, (host.address, port), state)
    elif kind < 0.85:
        user = rng.choice(_USERS)
        address = f"198.19.0.{_USERS.index(user) + 1}"
        if rng.random() < 0.03:
            yield _ssh(fleet, time - 5 * SECOND, host, "Failed", user, address)
        yield _ssh(fleet, time, host, "Accepted", user, address)
    elif kind < 0.9:
        yield _sudo(fleet, time, host, rng.choice(_USERS), rng.choice(("postgres", "www-data")), rng.choice(_COMMANDS))
    else:
        body = f"(root) CMD (/usr/local/bin/collect {rng.randrange(1000)})"
        yield Item("auth", time, syslog(time, host.name, fleet.pid("CRON"), body))


def _ssh(fleet: _Fleet, time: int, host: _Host, verdict: str, user: str, address: str, label: Label | None = None) -> Item:
    known = verdict == "Accepted" or user in _USERS or user == "root"
    who = f"for {'' if known else 'invalid user '}{user} from {address} port {fleet.rng.randrange(1024, 65536)} ssh2"
    return Item("auth", time, syslog(time, host.name, fleet.pid("sshd"), f"{verdict} password {who}"), label)


def _sudo(fleet: _Fleet, time: int, host: _Host, user: str, becomes: str, command: str, label: Label | None = None) -> Item:
    body = f"{user:>8} : TTY=pts/{fleet.rng.randrange(4)} ; PWD=/home/{user} ; USER={becomes} ; COMMAND={command}"
    return Item("auth", time, syslog(time, host.name, fleet.pid("sudo"), body), label)


def _seen(fleet: _Fleet, time: int, address: str, target: tuple[str, int], state: str, label: Label | None = None) -> Item:
    rng = fleet.rng
    record = connection(time, (address, rng.randrange(1024, 65536)), target, state, unique=rng.getrandbits(64), seconds=rng.expovariate(2),
                        sent=rng.randrange(200, 5000), received=rng.randrange(200, 90_000))  # fmt: skip
    return Item("zeek.conn", time, record, label)


def _checked(fleet: _Fleet, host: _Host, time: int) -> Iterator[Item]:
    """The check of a host; the last one before a silence and the first one behind it are labelled."""
    silence = fleet.silent.get(host.name)
    label = silence.label if silence and time in (silence.last, silence.until) else None
    if not fleet.quiet(host, time):
        yield Item("heartbeat", time, beat(host.name, host.address, fleet.rng.randrange(400, 4000)), label)
    if silence and time > silence.until:
        del fleet.silent[host.name]


def _measured(fleet: _Fleet, host: _Host, time: int) -> Iterator[Item]:
    """How full the host's disk is: a little more or less than before; or more and more, up to the brim, and then cleaned up."""
    rng, label = fleet.rng, None
    used = fleet.used[host.name] + rng.uniform(-0.004, 0.004)
    if host.name in fleet.filling:
        until, label = fleet.filling[host.name]
        used += rng.uniform(0.02, 0.04)
        if time >= until:
            used, label = rng.uniform(0.3, 0.5), None
            del fleet.filling[host.name]
    fleet.used[host.name] = used = min(max(used, 0.1), 0.99 if host.name in fleet.filling else 0.8)
    if not fleet.quiet(host, time):
        yield Item("metricbeat", time, disk(host.name, used), label._replace(shows=("disk_full",)) if label and used >= _FULL else label)


# --- what must be found ---


def _bruteforce(fleet: _Fleet, time: int) -> Iterator[Item]:
    """One address guesses names and passwords; a third of the time it gets in, by a name that it tried a few times."""
    rng, host, address = fleet.rng, fleet.host(), fleet.stranger()
    label = fleet.incidents.label("ssh_bruteforce", address)
    for _ in range(rng.randrange(20, 80)):
        yield _ssh(fleet, time, host, "Failed", rng.choice(_GUESSES), address, label)
        time += rng.randrange(SECOND, 4 * SECOND)
    if rng.random() < 1 / 3:
        yield _ssh(fleet, time, host, "Accepted", rng.choice(_GUESSES), address, label._replace(shows=("guessed_login",)))


def _lateral(fleet: _Fleet, time: int) -> Iterator[Item]:
    """Somebody inside goes by SSH from host to host, to each from the one before."""
    rng, user = fleet.rng, fleet.rng.choice(_USERS)
    way = rng.sample(fleet.hosts, min(rng.randrange(5, 9), len(fleet.hosts)))
    label = fleet.incidents.label("lateral_ssh", user)
    for before, host in pairwise(way):
        time += rng.randrange(20 * SECOND, 90 * SECOND)
        yield _ssh(fleet, time, host, "Accepted", user, before.address, label)


def _port_scan(fleet: _Fleet, time: int) -> Iterator[Item]:
    """One address tries very many ports of one host."""
    rng, host, address = fleet.rng, fleet.host(), fleet.stranger()
    label = fleet.incidents.label("port_scan", address)
    for port in rng.sample(range(1, 10_000), rng.randrange(120, 400)):
        time += rng.randrange(SECOND // 2)
        yield _seen(fleet, time, address, (host.address, port), rng.choice(("S0", "REJ", "REJ")), label)


def _address_scan(fleet: _Fleet, time: int) -> Iterator[Item]:
    """One address tries one port of very many hosts, most of which there are not."""
    rng, address, port = fleet.rng, fleet.stranger(), fleet.rng.choice((22, 445, 3389))
    label = fleet.incidents.label("address_scan", address)
    for last in rng.sample(range(1, 255), rng.randrange(80, 250)):
        time += rng.randrange(SECOND // 2)
        yield _seen(fleet, time, address, (f"198.18.0.{last}", port), "S0", label)


def _root_login(fleet: _Fleet, time: int) -> Iterator[Item]:
    """A session of a user who should have none."""
    yield _ssh(fleet, time, fleet.host(), "Accepted", "root", "198.19.0.200", fleet.incidents.label("sensitive_session", "root"))


def _sudo_root(fleet: _Fleet, time: int) -> Iterator[Item]:
    """Somebody becomes root."""
    user = fleet.rng.choice(_USERS)
    yield _sudo(fleet, time, fleet.host(), user, "root", fleet.rng.choice(_ROOTS), fleet.incidents.label("sudo_to_root", user))


def _account(kind: str, program: str, body: str) -> Callable[[_Fleet, int], Iterator[Item]]:
    """What a tool of the shadow suite logs of an account, whose number stands for `{n}`."""

    def made(fleet: _Fleet, time: int) -> Iterator[Item]:
        number = fleet.rng.randrange(1001, 9999)
        line = syslog(time, fleet.host().name, fleet.pid(program), body.format(n=number))
        yield Item("auth", time, line, fleet.incidents.label(kind, f"staff{number}"))

    return made


def _promiscuous(fleet: _Fleet, time: int) -> Iterator[Item]:
    """Somebody listens to the network."""
    host = fleet.host().name
    line = syslog(time, host, "kernel", f"[{time // SECOND % 10**6}.{fleet.rng.randrange(10**6):06}] device eth0 entered promiscuous mode")
    yield Item("kern", time, line, fleet.incidents.label("promiscuous_interface", host))


def _tampering(fleet: _Fleet, time: int) -> Iterator[Item]:
    """The audit daemon is stopped, or its rules are taken away."""
    host = fleet.host().name
    kind, body = fleet.rng.choice((
        ("DAEMON_END", "op=terminate auid=0 uid=0 ses=1 pid=1 subj=unconfined res=success"),
        ("CONFIG_CHANGE", "auid=0 ses=1 subj=unconfined op=set audit_enabled=0 old=1 res=1"),
    ))  # fmt: skip
    yield Item("audit", time, audit(time, host, kind, body), fleet.incidents.label("audit_tampering", host))


def _falls_silent(fleet: _Fleet, time: int) -> tuple[()]:
    """A host's checks and logs stop for a while, behind its check in the next minute."""
    number = fleet.rng.randrange(len(fleet.hosts))
    name = fleet.hosts[number].name
    if name not in fleet.silent:
        last = time - time % MINUTE + MINUTE + fleet.check(number)
        fleet.silent[name] = _Silence(last, last + fleet.rng.randrange(20, 60) * MINUTE, fleet.incidents.label("host_silent", name))
    return ()


def _fills_up(fleet: _Fleet, time: int) -> tuple[()]:
    """A disk fills up within two hours or so, and stays full for some time; none begins to that has no time for it."""
    host = fleet.host().name
    if host not in fleet.filling and time + 2 * HOUR <= fleet.end:
        fleet.filling[host] = time + 3 * HOUR, fleet.incidents.label("disk_filling", host)
    return ()


_OFTEN: dict[Callable[[_Fleet, int], Iterable[Item]], float] = {
    _bruteforce: 8, _lateral: 6, _port_scan: 5, _address_scan: 5, _root_login: 6, _sudo_root: 10, _promiscuous: 5, _tampering: 4,
    _falls_silent: 6, _fills_up: 6,
    _account("account_created", "useradd", "new user: name=staff{n}, UID={n}, GID={n}, home=/home/staff{n}, shell=/bin/bash, from=none"): 5,
    _account("account_removed", "userdel", "delete user 'staff{n}'"): 4,
    _account("account_locked", "usermod", "lock user 'staff{n}' password"): 4,
    _account("account_unlocked", "usermod", "unlock user 'staff{n}' password"): 4,
    _account("credential_change", "passwd", "pam_unix(passwd:chauthtok): password changed for staff{n}"): 5,
    _account("group_change", "gpasswd", "user staff{n} added by root to group sudo"): 4,
}  # fmt: skip
"""How often a day something begins, on the average."""
