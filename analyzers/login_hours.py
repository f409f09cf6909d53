from pluginhost import Alert, Event, FirstSeen, Unjudged, analyzer

from ._logins import SUCCESS, nobody

HOUR, DAY = 3_600_000_000_000, 86_400_000_000_000  # ns


@analyzer(where=SUCCESS, key="user.name")
def login_hours(event: Event, hours: FirstSeen = FirstSeen("60d", limit=24), days: FirstSeen = FirstSeen("60d", limit=60),
                learning_days: int = 10, margin: int = 2) -> Alert | Unjudged | None:
    """A login at an hour of the day at which the user never logs in.

    Remembers for 60 days at which hours of the day (UTC) a user logs in. A login is told if the user is known from `learning_days`
    different days and has not logged in at that hour, nor within `margin` hours before or after it; the margin also takes up the
    change to summer time.
    """
    if nobody(event):
        return Unjudged("nobody")
    hour, known = event.time % DAY // HOUR, len(days)
    days.first(event.time // DAY, event)
    usual = is_usual(hours, hour, event, margin)
    hours.first(hour, event)
    if usual or known < learning_days:
        return None
    user = event["user.name"]
    return Alert("low", f"{user} logged in at an unusual hour, {hour:02}:00 UTC", technique="T1078",
                 reason=f"no login of {user} within {margin} h of it in 60 days; logins on {known} days are known")


def is_usual(hours: FirstSeen, hour: int, event: Event, margin: int) -> bool:
    """Whether the user has logged in within the margin of that hour; mostly at the very hour, which is asked first."""
    for step in range(margin + 1):
        for near in (hour + step, hour - step):
            last = hours.seen(near % 24)
            if last is not None and event.time - last <= 60 * DAY:
                return True
    return False


def login(user="alice"):
    return {"event": {"category": ["authentication"], "type": ["start"], "outcome": "success"}, "user": {"name": user}}


OTHER = {"event": {"category": ["web"]}}
login_hours.fires_on([*[one for _ in range(12) for one in (login(), OTHER, OTHER, OTHER)], OTHER, OTHER, login()], every="6h", alerts=1)
login_hours.quiet_on([login()] * 30, every="23h")  # an hour earlier each day
login_hours.quiet_on([*[login()] * 8, login()], every="28h")  # too little is known
login_hours.survives([login(user) for user in (None, "", 7, [], "x" * 5000)], every="10d")
