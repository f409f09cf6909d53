from pluginhost import Alert, Event, FirstSeen, analyzer

from ._hosts import on, said

OPEN = 'message:"failsafe duo login" OR message:"allowed by duo failmode" OR event.action:(mfa_bypassed OR mfa_fail_open)'


@analyzer(where=OPEN, group=("host.name", "user.name"), pinned=True)
def mfa_fail_open(event: Event, told: FirstSeen = FirstSeen("1h", limit=10_000)) -> Alert | None:
    """Somebody logged in without the second factor because it could not be asked for.

    Duo's `failsafe` mode lets users in when its service cannot be reached, so whoever cuts the way to it needs a password only. Told once
    an hour for a host. Sources that say so in a field of their own can set event.action `mfa_fail_open`.
    """
    if not told.first(event.get("host.name"), event):
        return None
    return Alert("high", f"a login went through without its second factor{on(event)}", technique="T1556.006",
                 reason=f"the second factor failed open: {event.message[:200] or said(event, 'event.action')}")


DUO = "Nov 21 10:00:00 vpn1 login_duo[42]: Failsafe Duo login for 'alice' from 203.0.113.9: Couldn't connect to api-1.duosecurity.com"
mfa_fail_open.fires_on([DUO] * 5, every="1m", alerts=1)
mfa_fail_open.fires_on([DUO, DUO.replace("vpn1", "vpn2")], alerts=2)
mfa_fail_open.quiet_on([DUO.replace("Failsafe", "Successful"), "Nov 21 10:00:00 vpn1 login_duo[42]: Aborted Duo login for 'alice'"])
mfa_fail_open.survives([{"event": {"action": "mfa_fail_open"}, "host": {"name": one}, "message": one}
                        for one in (None, 7, [], {}, "x" * 9999)])
