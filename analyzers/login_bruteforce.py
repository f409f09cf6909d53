from pluginhost import Alert, Event, FirstSeen, SlidingCount, Streak, Unjudged, analyzer

from ._logins import ATTEMPT, FAILURE, nobody

ENDED = f"{ATTEMPT} AND event.outcome:(failure OR success)"


@analyzer(where=f"{FAILURE} AND _exists_:source.ip AND NOT event.action:ssh_login", key="source.ip")
def login_bruteforce(event: Event, failures: SlidingCount = SlidingCount("2m"), limit: int = 10) -> Alert | None:
    """Many failed logins from one address.

    Counts failed logins per source address in a sliding window of two minutes and fires once per window while it goes on. SSH has an
    analyzer of its own, `ssh_bruteforce`.
    """
    if not failures.reaches(event, limit):
        return None
    return Alert("high", f"many failed logins from {event['source.ip']}", technique="T1110",
                 reason=f"{len(failures)} failed logins from one address within 2 minutes (limit {limit})")


@analyzer(where=f"{FAILURE} AND NOT event.action:ssh_login", key="user.name")
def account_guessing(event: Event, failures: SlidingCount = SlidingCount("15m"), limit: int = 10) -> Alert | Unjudged | None:
    """Many failed logins of one user, from anywhere.

    Counts failed logins per user in a sliding window of 15 minutes and fires once per window while it goes on. Whether they come from many
    addresses is told by `distributed_guessing`. SSH has an analyzer of its own, `ssh_bruteforce`.
    """
    if nobody(event):
        return Unjudged("nobody")
    if not failures.reaches(event, limit):
        return None
    return Alert("medium", f"many failed logins of {event['user.name']}", technique="T1110.001",
                 reason=f"{len(failures)} failed logins of one user within 15 minutes (limit {limit})")


@analyzer(where=ENDED, key="user.name")
def success_after_failures(event: Event, failures: Streak = Streak("15m"), limit: int = 10) -> Alert | Unjudged | None:
    """A successful login after many failed ones.

    Fires when a user logs in and at least `limit` attempts in a row failed within the 15 minutes before: whoever guessed may have found the
    password.
    """
    if nobody(event):
        return Unjudged("nobody")
    if event["event.outcome"] != "success":
        failures.add(event)
        return None
    if (count := failures.end(event)) < limit:
        return None
    user = event["user.name"]
    return Alert("high", f"{user} logged in after {count} failed attempts", technique="T1110", count=count, action="step_up",
                 reason=f"{count} failed logins in a row within 15 minutes (limit {limit}), then one that succeeded")


@analyzer(where=f"{ENDED} AND _exists_:source.ip", key="source.ip")
def success_of_guesser(event: Event, failures: Streak = Streak("15m"), users: FirstSeen = FirstSeen("15m", limit=20),
                       limit: int = 10) -> Alert | Unjudged | None:
    """A successful login from an address after many failed ones of others.

    Fires when a login from an address succeeds and at least `limit` attempts in a row failed there within the 15 minutes before: whoever
    tried many names may have found one that fits. If they were all of the user who now gets in, that is told by `success_after_failures`.
    Behind a gateway that many share somebody succeeds between others' failures, so that few are in a row.
    """
    if nobody(event):
        return Unjudged("nobody")
    user = event["user.name"]
    if event["event.outcome"] != "success":
        failures.add(event)
        users.first(user, event)
        return None
    count, others = failures.end(event), len(users) > (user in users)
    if count < limit or not others:
        return None
    address = event["source.ip"]
    return Alert("high", f"{user} logged in from {address} after {count} failed attempts from there", technique="T1110", count=count,
                 action="step_up", reason=f"{count} failed logins in a row from one address within 15 minutes (limit {limit}), "
                                          "not all of this user, then one that succeeded")


def login(outcome="failure", user="alice", ip="203.0.113.9", action="login"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": outcome, "action": action}, "user": {"name": user},
            "source": {"ip": ip}}


login_bruteforce.fires_on([login(user=f"u{n}") for n in range(10)], every="10s", alerts=1)
login_bruteforce.fires_on([login()] * 40, every="1s", alerts=1)
login_bruteforce.quiet_on([login()] * 9, every="1s")
login_bruteforce.quiet_on([login()] * 20, every="15s")
login_bruteforce.quiet_on([login("success")] * 20, every="1s")
login_bruteforce.quiet_on([login(action="ssh_login")] * 20, every="1s")
login_bruteforce.survives([login(ip=ip) for ip in (None, "", [], 7, "x" * 5000)])
account_guessing.fires_on([login(ip=f"192.0.2.{n}") for n in range(10)], every="80s", alerts=1)
account_guessing.quiet_on([login()] * 9, every="80s")
account_guessing.quiet_on([login()] * 20, every="2m")
account_guessing.quiet_on([login(user="-")] * 20)
account_guessing.quiet_on([login(action="ssh_login")] * 20)
account_guessing.survives([login(user=user) for user in (None, "", [], 7, "ü" * 5000)])
success_after_failures.fires_on([*[login()] * 10, login("success")], every="5s", alerts=1)
success_after_failures.quiet_on([*[login()] * 9, login("success")], every="5s")
success_after_failures.quiet_on([*[login()] * 5, login("success"), *[login()] * 5, login("success")], every="5s")
success_after_failures.quiet_on([*[login()] * 10, login("success")], every="2m")
success_after_failures.survives([login(outcome, user) for outcome in ("success", "failure", "unknown") for user in (None, "", 7)])
NAMES = [login(user=f"u{n % 3}") for n in range(10)]
success_of_guesser.fires_on([*NAMES, login("success", "u1"), *NAMES[:5], login("success", "u2")], every="5s", alerts=1)
success_of_guesser.fires_on([*NAMES, login("success", "bob")], every="5s", alerts=1)
success_of_guesser.quiet_on([*NAMES[:9], login("success", "u1")], every="5s")
success_of_guesser.quiet_on([*NAMES, login("success", "u1", "192.0.2.1")], every="5s")
success_of_guesser.quiet_on([*[login()] * 10, login("success")], every="5s")  # told of the user
success_of_guesser.quiet_on([*NAMES[:5], login("success", "u1"), *NAMES[:5], login("success", "u1")], every="5s")
success_of_guesser.quiet_on([*NAMES, login("success", "u1")], every="2m")
success_of_guesser.survives([login(outcome, user, ip) for outcome in ("success", "failure") for user in (None, "", 7, "ü" * 5000)
                             for ip in (None, "", [], 7)])
