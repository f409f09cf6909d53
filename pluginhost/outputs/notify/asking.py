"""A check that asks a service who we are there: whether it lets us in is known before the first alert. It tells nobody anything."""

from __future__ import annotations

from ..port import Dead, Retry, Unavailable
from .sender import Notifier, Request

__all__ = ["welcomed"]


async def welcomed(notifier: Notifier, request: Request) -> None:
    """Returns if the service says yes to `request`, which must change nothing there; raises `Unavailable` with its words otherwise."""
    means = (await notifier.ask(request)).means
    if isinstance(means, (Retry, Dead)):
        raise Unavailable(means.reason, slow=True)
