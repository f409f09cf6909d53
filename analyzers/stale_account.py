from pluginhost import Alert, Event, LastSeen, Unjudged, analyzer
from pluginhost.options import Duration

from ._logins import SUCCESS, nobody


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


def login(user="alice", outcome="success"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": outcome}, "user": {"name": user}}


stale_account.fires_on([login()] * 2, every="61d", alerts=1)
stale_account.quiet_on([login()] * 3, every="59d")
stale_account.quiet_on([login(), login(outcome="failure"), login("bob")], every="40d")
stale_account.quiet_on([login("N/A")] * 2, every="100d")
stale_account.survives([login(None), login(7), login([]), login("日本" * 100)])
