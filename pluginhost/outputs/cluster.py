"""What an output asks of a search cluster, whichever client speaks to it.

What must stand there is `standing`'s, what is delivered is `search`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import responses
from typing import Any, Protocol

from ..alerts import template
from .bulk import reason_of
from .port import Unavailable

__all__ = ["Answered", "Body", "Cluster", "Foreign", "told", "version_of"]

Body = Mapping[str, Any] | bytes | None
"""JSON to be, or lines of it ready made."""


class Answered(Exception):
    """The cluster answered, and not with yes. `reason` is one safe line."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason

    @property
    def unavailable(self) -> Unavailable:
        """The whole request was answered with no: overload passes by itself, everything else waits for a person."""
        return Unavailable(self.reason, slow=self.status < 500 and self.status not in (408, 429))


class Foreign(Unavailable):
    """Who answers there is not the product that is meant."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, slow=True)


class Cluster(Protocol):
    """One cluster, by the client of its makers."""

    product: template.Product

    async def ask(self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Body = None) -> Any:
        """The answer, decoded. Raises `Answered`, `Foreign`, `Unavailable`."""
        ...

    async def close(self) -> None:
        """Lets go of the connections."""
        ...


async def version_of(cluster: Cluster) -> str:
    """The version of the server that answers, such as "8.19.21"; "" if it tells none."""
    return str((await cluster.ask("GET", "/")).get("version", {}).get("number", ""))


def told(status: int, body: Any, message: str) -> str:
    """What a cluster answered in place of yes, in one safe line. `message` is the client's own word for it."""
    said = body.get("error") if isinstance(body, Mapping) else None
    return f"{status} {reason_of(said or (message if body else responses.get(status)))}".rstrip()
