from pluginhost import Alert, Event, LastSeen, SlidingDistinct, Unjudged, analyzer

from ._logins import FAILURE, nobody

PAUSE = 600_000_000_000  # ns


@analyzer(where=f"{FAILURE} AND _exists_:source.ip AND NOT event.action:ssh_login", key="source.ip")
def password_spraying(event: Event, users: SlidingDistinct = SlidingDistinct("10m", "1m"), told: LastSeen = LastSeen("1h"),
                      limit: int = 10) -> Alert | Unjudged | None:
    """Failed logins of many users from one address.

    Counts the different users for whom logins from one address failed within ten minutes, in steps of a minute, and fires once in ten
    minutes while it goes on: somebody tries a few passwords at many accounts, too few at each to be noticed there. SSH, where all
    guessing tries many names, has an analyzer of its own, `ssh_bruteforce`.
    """
    if nobody(event):
        return Unjudged("nobody")
    count = users.add(event["user.name"], event)
    if count < limit or (told.last is not None and event.time - told.last < PAUSE):
        return None
    told.gap(event)
    return Alert("high", f"passwords sprayed from {event['source.ip']}", technique="T1110.003", count=count,
                 reason=f"failed logins of {count} different users from one address within 10 minutes (limit {limit})")


@analyzer(where=f"{FAILURE} AND _exists_:source.ip", key="user.name")
def distributed_guessing(event: Event, addresses: SlidingDistinct = SlidingDistinct("1h", "5m"), told: LastSeen = LastSeen("1d"),
                         limit: int = 10) -> Alert | Unjudged | None:
    """Failed logins of one user from many addresses.

    Counts the different addresses from which logins of one user failed within an hour, in steps of five minutes, and fires once an hour
    while it goes on: somebody guesses through many hosts, too little from each to be noticed there.
    """
    if nobody(event):
        return Unjudged("nobody")
    count = addresses.add(event["source.ip"], event)
    if count < limit or (told.last is not None and event.time - told.last < 6 * PAUSE):
        return None
    told.gap(event)
    return Alert("high", f"the password of {event['user.name']} is guessed from many addresses", technique="T1110.001", count=count,
                 reason=f"failed logins of one user from {count} different addresses within an hour (limit {limit})")


def login(user="alice", ip="203.0.113.9", outcome="failure"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": outcome}, "user": {"name": user}, "source": {"ip": ip}}


password_spraying.fires_on([login(f"user {n}") for n in range(10)], every="30s", alerts=1)
password_spraying.fires_on([login(f"user {n}") for n in range(60)], every="1s", alerts=1)
password_spraying.quiet_on([login(f"user {n % 9}") for n in range(60)], every="5s")
password_spraying.quiet_on([login(f"user {n}") for n in range(30)], every="2m")
password_spraying.quiet_on([login(f"user {n}", f"192.0.2.{n}") for n in range(30)])
password_spraying.survives([login(user, ip) for user in (None, "", 7, "x" * 5000) for ip in (None, "", [], 7)])
distributed_guessing.fires_on([login(ip=f"192.0.2.{n}") for n in range(10)], every="5m", alerts=1)
distributed_guessing.quiet_on([login(ip=f"192.0.2.{n % 9}") for n in range(50)], every="1m")
distributed_guessing.quiet_on([login(ip=f"192.0.2.{n}") for n in range(30)], every="10m")
distributed_guessing.survives([login(user, ip) for user in (None, "", 7) for ip in (None, "", [], 7)])
