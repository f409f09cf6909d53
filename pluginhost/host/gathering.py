"""What `incidents` in the configuration may say, and what the desk makes of it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from ..alerts.incidents import Gathering
from ..options import Duration, doc

__all__ = ["Incidents", "gathering"]


class Incidents(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that share a user, a host or an address within a while become one incident."""

    enabled: Annotated[bool, doc("whether alerts are gathered")] = True
    window: Annotated[Duration, doc("within how much event time", gt=0)] = Duration(4 * 3600)
    entities: Annotated[tuple[str, ...], doc("the fields of which one value is shared", min_length=1, max_length=10)] = (
        "user.name", "host.name", "source.ip",
    )  # fmt: skip
    from_: Annotated[Literal["low", "medium", "high", "critical"], doc("the least severity of an alert that is gathered")] = msgspec.field(
        name="from", default="medium"
    )


def gathering(given: Incidents) -> Gathering | None:
    """How alerts are gathered, if they are."""
    return Gathering(window=given.window.ns, fields=given.entities, least=given.from_) if given.enabled else None
