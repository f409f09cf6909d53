from pluginhost import Alert, Event, FirstSeen, Unjudged, analyzer
from pluginhost.options import Duration

from ._hosts import DAY, on, said
from ._logins import SUCCESS, nobody

USERS = ("root", "administrator", "krbtgt", "guest")


@analyzer(where=f"({SUCCESS}) OR event.action:ssh_session_opened", key="user.name")
def sensitive_session(event: Event, hosts: FirstSeen = FirstSeen("1h", limit=1000), users: tuple[str, ...] = USERS,
                      users_list: str = "sensitive_users", expected_from: Duration = Duration.of(0),
                      expected_until: Duration = Duration.of(0)) -> Alert | Unjudged | None:
    """A session of a user who should have none, or not at this time.

    The users are named in `users`, in lower case, or stand on the list `sensitive_users`. What happens daily between `expected_from` and
    `expected_until`, counted from midnight UTC (such as "3h" and "250m"), is expected; the time may run over midnight. Told once an hour
    for a user and host.
    """
    if nobody(event):
        return Unjudged("nobody")
    user = event["user.name"]
    if user.lower() not in users and event.listed("user.name", users_list) is None:
        return None
    if expected(event.time % DAY, expected_from.ns, expected_until.ns) or not hosts.first(event.get("host.name"), event):
        return None
    source = said(event, "source.ip", "")
    outside = f", and the time is not between {expected_from} and {expected_until} UTC" if expected_from != expected_until else ""
    return Alert("medium", f"{user} has a session{on(event)}{f', from {source}' if source else ''}", technique="T1078",
                 reason=f"{user} is a sensitive user{outside}")


def expected(time: int, start: int, end: int) -> bool:
    return start <= time < end if start <= end else time >= start or time < end


def ssh(user="root", host="web1", verb="Accepted publickey"):
    return f"Nov 21 10:00:00 {host} sshd[42]: {verb} for {user} from 203.0.113.9 port 50000 ssh2"


CRON = "Nov 21 10:00:00 web1 CRON[42]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"
OPENED = "Nov 21 10:00:00 web1 sshd[42]: pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)"
sensitive_session.fires_on([ssh(), OPENED, ssh()], alerts=1)
sensitive_session.fires_on([ssh(), ssh(host="web2")], alerts=2)
sensitive_session.fires_on(ssh("backup"), lists={"sensitive_users": ["backup"]})
sensitive_session.fires_on([ssh(), ssh()], every="4h", expected_from="0h", expected_until="3h", alerts=1)
sensitive_session.quiet_on([ssh("alice"), ssh(verb="Failed password"), CRON])
sensitive_session.quiet_on([ssh(), ssh()], every="1h", expected_from="23h", expected_until="3h")
sensitive_session.survives([{"event": {"category": "authentication", "type": "start", "outcome": "success"}, "user": {"name": user},
                             "host": {"name": user}, "source": {"ip": user}} for user in (None, 7, [], {}, "", "root", "ROOT")])
