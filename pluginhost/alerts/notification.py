"""What people are told at once: one alert, several that were gathered, or that one has ended. Pure.

Made when it is to be told and kept until it is delivered; every try sends the same. Which alerts are told, to whom and when, is laid
down in `telling`; how it looks in a chat or a mail is the notifiers'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec

from ..detect.finding import SEVERITIES, Severity
from ..events.fields import Document

__all__ = ["ALERTS", "Kind", "Notification", "Table", "decoded", "severity_of"]

ALERTS = 100
"""The most alerts whose documents a notification holds; those beyond are counted."""

Kind = Literal["alert", "escalated", "resolved", "digest", "test"]


class Table(msgspec.Struct, frozen=True):
    """How often each combination of values stands in the alerts: dotted names of fields, rows of as many texts and a count, most first."""

    fields: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], int], ...]


class Notification(msgspec.Struct, frozen=True):
    """One message to people. `alerts` are documents, the oldest first, at least one; `count` is of all alerts that it is about.

    `kind`: a new alert; one that rose in severity; one whose condition has ended; several gathered; a trial. `why` says of a digest
    why it was gathered. `id` is the same at every try.
    """

    id: str
    kind: Kind
    alerts: tuple[dict[str, Any], ...]
    count: int = 1
    why: str = ""
    table: Table | None = None

    @property
    def first(self) -> Mapping[str, Any]:
        """The document that speaks for all: the oldest of the gravest."""
        return max(self.alerts, key=lambda one: SEVERITIES[severity_of(one)])

    @property
    def severity(self) -> Severity:
        """The gravest of its alerts'."""
        return severity_of(self.first)

    @property
    def group(self) -> str:
        """The fingerprint by which a service may know what belongs together; of a digest its own id."""
        return self.id if self.kind == "digest" else str(Document(self.first).get("pluginhost.alert.fingerprint", self.id))


def severity_of(document: Mapping[str, Any]) -> Severity:
    """The severity that an alert's document tells; `low` if it tells none."""
    told = Document(document).get("log.level")
    return cast(Severity, told) if isinstance(told, str) and told in SEVERITIES else "low"


decoded = msgspec.json.Decoder(Notification).decode
"""A notification from its JSON."""
