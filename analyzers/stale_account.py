from pluginhost import Alert, Event, LastSeen, Unjudged, analyzer
from pluginhost.options import Duration

from ._logins import SUCCESS, nobody

HOUR = 3_600_000_000_000  # ns


@analyzer(where=SUCCESS, key="user.name")
def stale_account(event: Event, last: LastSeen = LastSeen("730d"), after: Duration = Duration.of("60d")) -> Alert | Unjudged | None:
    """An account that is used again after long silence.

    Fires when a user logs in successfully and the login before lies `after` or longer back. What was not seen for two years is as new.
    """
    if nobody(event):
        return Unjudged("nobody")
    gap = last.gap(event)
    if gap is None or gap < after.ns:
        return None
    user, days = event["user.name"], gap // 86_400_000_000_000
    return Alert("medium", f"{user} logged in after {days} days of silence", technique="T1078",
                 reason=f"the last successful login of {user} was {days} days before; {after} or more is stale", action="step_up")


@analyzer(where=SUCCESS, key="user.name")
def disabled_account(event: Event, told: LastSeen = LastSeen("1d"), disabled: str = "disabled_accounts") -> Alert | None:
    """A login of an account that should be disabled.

    Needs a list of names called `disabled_accounts`: those who left, and whatever else the directory or the staff's office says is closed.
    Fires when one of them logs in all the same, once an hour while it goes on. The list is read anew when its file changes.
    """
    entry = event.listed("user.name", disabled)
    if entry is None or (told.last is not None and event.time - told.last < HOUR):
        return None
    told.gap(event)
    user, note = event["user.name"], f" ({entry.note})" if entry.note else ""
    return Alert("high", f"{user} logged in, whose account should be disabled", technique="T1078", action="deny",
                 reason=f"{entry.value} is in the list {disabled}{note}")


def login(user="alice", outcome="success"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": outcome}, "user": {"name": user}}


stale_account.fires_on([login()] * 2, every="61d", alerts=1)
stale_account.quiet_on([login()] * 3, every="59d")
stale_account.quiet_on([login(), login(outcome="failure"), login("bob")], every="40d")
stale_account.quiet_on([login("N/A")] * 2, every="100d")
stale_account.survives([login(None), login(7), login([]), login("日本" * 100)])
GONE = {"disabled_accounts": ["Alice", "svc-backup"]}
disabled_account.fires_on([login("bob"), login(), login()], every="5m", lists=GONE, alerts=1)
disabled_account.fires_on([login("svc-backup")] * 3, every="61m", lists=GONE, alerts=3)
disabled_account.fires_on("Nov 21 10:00:00 web1 sshd[42]: Accepted publickey for alice from 203.0.113.9 port 5022 ssh2", lists=GONE)
disabled_account.quiet_on([login(outcome="failure"), login("bob"), login("alice2")], lists=GONE)
disabled_account.quiet_on([login()])  # there is no such list
disabled_account.survives([login(one) for one in (None, "", 7, [], {}, "日本" * 5000)], lists=GONE)
