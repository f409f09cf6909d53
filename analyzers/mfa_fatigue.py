from pluginhost import Alert, Event, SlidingCount, Streak, Unjudged, analyzer

from ._logins import nobody


@analyzer(where="event.action:mfa_challenge AND event.outcome:(failure OR success)", key="user.name")
def mfa_fatigue(event: Event, refused: Streak = Streak("30m"), told: SlidingCount = SlidingCount("30m"),
                limit: int = 5) -> Alert | Unjudged | None:
    """A user who is pestered with requests for a second factor, and gives in.

    Counts requests that were denied or left unanswered in a row within 30 minutes. `limit` of them are told once: somebody who knows the
    password wants the user to press the button. If the user then approves one, that is told as high.
    """
    if nobody(event):
        return Unjudged("nobody")
    user = event["user.name"]
    if event["event.outcome"] == "success":
        if (count := refused.end(event)) < limit:
            return None
        return Alert("critical", f"{user} approved a second factor after {count} refused requests", technique="T1621", count=count,
                     reason=f"{count} requests refused in a row within 30 minutes (limit {limit}), then one approved", action="deny")
    if refused.add(event) < limit or not told.reaches(event, 1):
        return None
    return Alert("high", f"{user} is pestered with requests for a second factor", technique="T1621",
                 reason=f"{len(refused)} requests refused in a row within 30 minutes (limit {limit})", action="step_up")


def challenge(outcome="failure", user="alice"):
    return {"event": {"category": ["authentication"], "type": ["start"], "action": "mfa_challenge", "outcome": outcome},
            "user": {"name": user}}


mfa_fatigue.fires_on([challenge()] * 8, every="1m", alerts=1)
mfa_fatigue.fires_on([*[challenge()] * 6, challenge("success")], every="1m", alerts=2)
mfa_fatigue.quiet_on([*[challenge()] * 4, challenge("success")] * 3, every="1m")
mfa_fatigue.quiet_on([challenge()] * 20, every="10m")
mfa_fatigue.quiet_on([challenge("unknown")] * 20, every="1s")
mfa_fatigue.survives([challenge(outcome, user) for outcome in ("success", "failure", None) for user in (None, "", 7, [])])
