"""What the login analyzers have in common: which records are logins, whose, with what device, from which places one says nothing."""

from collections.abc import Iterable
from functools import lru_cache

from pluginhost import Event, Table
from pluginhost.events.agents import agent

ATTEMPT = "event.category:authentication AND (event.type:start OR (NOT _exists_:event.type))"
SUCCESS = f"{ATTEMPT} AND event.outcome:success"
FAILURE = f"{ATTEMPT} AND event.outcome:failure"

EGRESS = ("egress", "vpn", "proxy", "tor", "satellite", "hosting")
"""Lists (see docs/enrichment.md) of networks behind which people are somewhere else."""

LONGEST = 2048  # characters of a user agent, or a user's name, that are looked at

_NOBODY = frozenset(("", "-", "n/a", "not available", "unknown", "none", "null", "(null)"))
_DESKTOP = ("x11", "win64", "wow64", "x86_64", "macintosh")


def nobody(event: Event) -> bool:
    """Whether the login names no user, whatever the source writes for that."""
    user = event.get("user.name")
    return not isinstance(user, str) or (len(user) < LONGEST and _names_nobody(user))


@lru_cache(20_000)
def _names_nobody(user: str) -> bool:
    return user.strip().lower() in _NOBODY


def device(event: Event) -> str | None:
    """The device as far as its user agent tells it apart: system, kind and browser, without versions; None without an agent."""
    told = event.get("user_agent.original")
    return named(told[:LONGEST]) if isinstance(told, str) and told else None


@lru_cache(20_000)
def named(told: str) -> str:
    parts, lower = agent(told), told.lower()
    if "mobile" in lower:
        kind = "mobile"
    elif "tablet" in lower or "ipad" in lower:
        kind = "tablet"
    else:
        kind = "desktop" if any(word in lower for word in _DESKTOP) else parts.get("user_agent.device.name", "unknown device")
    return f"{parts.get('user_agent.os.name', 'unknown system')}, {kind}, {parts.get('user_agent.name', 'unknown browser')}".lower()


def elsewhere(event: Event, shared: Table, lists: Iterable[str]) -> str | None:
    """Why the login says nothing of where its user is, in a word; None if it does.

    `shared` are addresses that many users have (the analyzer `shared_egress` learns them), `lists` names of lists of networks.
    """
    address = event.get("source.ip")
    if not isinstance(address, str):
        return "no_address"
    if shared.get(address, event):
        return "shared_egress"
    for name in lists:
        if event.listed("source.ip", name):
            return name
    return None
