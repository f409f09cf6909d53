from pluginhost import Alert, Event, FirstSeen, LastSeen, SlidingCount, SlidingDistinct, Unjudged, analyzer

from ._hosts import on, said
from ._logins import nobody

ACCEPTED = "event.action:ssh_login AND event.outcome:success AND _exists_:source.ip"
PAUSE = 1_800_000_000_000  # ns


@analyzer(where=f"{ACCEPTED} AND _exists_:host.name", key="user.name")
def lateral_ssh(event: Event, addresses: FirstSeen = FirstSeen("30d", limit=200), fresh: SlidingCount = SlidingCount("30m"),
                hosts: SlidingDistinct = SlidingDistinct("30m", "3m"), told: LastSeen = LastSeen("1d"), limit: int = 3,
                ignored_users: tuple[str, ...] = ()) -> Alert | Unjudged | None:
    """A user who goes by SSH from host to host.

    Whoever goes on from a host on which he just arrived comes to the next one from an address that this user never came from before.
    Fires when a user has come from `limit` such addresses to `limit` different hosts within 30 minutes, once in 30 minutes. A user's
    first address teaches; addresses are remembered for 30 days, so that the ways of those who hop daily are known after a few days.
    """
    if nobody(event):
        return Unjudged("nobody")
    user, address = event["user.name"], event["source.ip"]
    reached = hosts.add(event.get("host.name"), event)
    known = len(addresses)
    if not addresses.first(address, event) or not known or user in ignored_users:
        return None
    count = fresh.add(event)
    if count < limit or reached < limit or (told.last is not None and event.time - told.last < PAUSE):
        return None
    told.gap(event)
    return Alert("high", f"{user} goes by SSH from host to host; now{on(event)}, from {address}", technique="T1021.004",
                 reason=f"{count} addresses that {user} never came from, to {reached} hosts within 30 minutes (limit {limit})")


@analyzer(where=f"{ACCEPTED} AND _exists_:host.name", key="source.ip")
def ssh_fan_out(event: Event, known: FirstSeen = FirstSeen("30d", limit=2000), fresh: SlidingCount = SlidingCount("10m"),
                limit: int = 20) -> Alert | None:
    """One address logs in by SSH to many hosts that are new to it.

    Counts the hosts to which logins from one address succeeded within ten minutes and where it was not within 30 days; fires once in ten
    minutes while it goes on. A tool that visits all hosts daily is told once, and again when it grows by `limit` hosts at a time.
    """
    if not known.first(event.get("host.name"), event) or not fresh.reaches(event, limit):
        return None
    return Alert("high", f"{event['source.ip']} logs in to many hosts by SSH, as {said(event, 'user.name')}", technique="T1021.004",
                 reason=f"{len(fresh)} hosts within 10 minutes to which it did not log in before (limit {limit})")


@analyzer(where=ACCEPTED, group=("source.ip", "user.name", "host.name"))
def ssh_watch_list(event: Event, watched: str = "watched_sources") -> Alert | None:
    """A successful SSH login from an address on the watch list.

    Needs a list of networks called `watched_sources`: former staff, honeypots' visitors, networks that must not log in.
    """
    entry = event.listed("source.ip", watched)
    if entry is None:
        return None
    note = f" ({entry.note})" if entry.note else ""
    return Alert("critical", f"{said(event, 'user.name')} logged in by SSH{on(event)} from {event['source.ip']}, which is watched",
                 technique="T1021.004", reason=f"{entry.value} is in the list {watched}{note}")


def ssh(host="web1", ip="203.0.113.9", user="alice", verb="Accepted publickey"):
    return f"Nov 21 10:00:00 {host} sshd[42]: {verb} for {user} from {ip} port 50000 ssh2"


HOPS = [ssh("web1"), *[ssh(f"web{n + 1}", f"192.0.2.{n}") for n in range(1, 6)]]
lateral_ssh.fires_on(HOPS, every="1m", alerts=1)
lateral_ssh.quiet_on(HOPS[:3], every="1m")
lateral_ssh.quiet_on(HOPS, every="20m")
lateral_ssh.quiet_on([ssh(f"web{n}") for n in range(30)], every="5s")  # one address to all hosts
lateral_ssh.quiet_on([ssh("web1", f"192.0.2.{n}") for n in range(30)], every="5s")  # from everywhere to one host
lateral_ssh.quiet_on([one.replace("Accepted", "Failed") for one in HOPS], every="1m")
lateral_ssh.survives([ssh(host, ip, user) for host in ("web1", "") for ip in ("", "::1", "x") for user in ("", "-", "日本")])
ssh_fan_out.fires_on([ssh(f"web{n}") for n in range(30)], every="10s", alerts=1)
ssh_fan_out.quiet_on([ssh(f"web{n % 19}") for n in range(60)], every="5s")
ssh_fan_out.quiet_on([ssh(f"web{n}") for n in range(30)], every="1m")
ssh_fan_out.survives([{"event": {"action": "ssh_login", "outcome": "success"}, "source": {"ip": one}, "host": {"name": one}}
                      for one in (None, 7, [], {}, "", "x" * 5000)])
WATCHED = {"watched_sources": ["203.0.113.0/24"]}
ssh_watch_list.fires_on([ssh()], lists=WATCHED, alerts=1)
ssh_watch_list.quiet_on([ssh(ip="192.0.2.1"), ssh(verb="Failed password")], lists=WATCHED)
ssh_watch_list.survives([ssh(ip=ip, user=user) for ip in ("", "x", "::ffff:203.0.113.9") for user in ("", "-")], lists=WATCHED)
