"""What the analyzers of hosts and accounts have in common: how a headline names who, whom and where; how Windows' events are asked for."""

from pluginhost import Event

HOUR, DAY = 3_600_000_000_000, 86_400_000_000_000  # ns

_LONGEST = 200
_NONE = ("", "-", "?")


def windows(*codes: int) -> str:
    """A query for events of the Windows Security log by number: Winlogbeat has words of its own for what they are."""
    return f'(event.provider:"Microsoft-Windows-Security-Auditing" AND event.code:({" OR ".join(map(str, codes))}))'


def said(event: Event, field: str, otherwise: str = "somebody") -> str:
    """What a field says, short enough for a headline, of several values three; `otherwise` if nothing."""
    words = [str(one)[: _LONGEST + 1] for one in event.values(field)[:3] if isinstance(one, (str, int)) and one not in _NONE]
    told = ", ".join(words)
    return (told if len(told) <= _LONGEST else f"{told[: _LONGEST - 1]}…") or otherwise


def on(event: Event) -> str:
    """` on HOST`, or nothing if no host is told."""
    host = said(event, "host.name", "")
    return f" on {host}" if host else ""


def by(event: Event) -> str:
    """` by USER`, or nothing if nobody says who did it."""
    user = said(event, "user.name", "")
    return f" by {user}" if user else ""
