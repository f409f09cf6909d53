"""Which alerts belong together: groups that share an entity within a window of event time make an incident. Pure, in journal order.

An *entity* is a field with its value, such as `user.name=ann`. Of each it is remembered which groups spoke of it last, no more than it
takes to see that it is *common*: what more than `SHARED` groups in a window speak of, a gateway say, joins nothing. A group is in one
incident at most; two incidents never become one, they are linked. Keeping all that is the engine's, what people do is in `cases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from ..detect.finding import SEVERITIES
from .cases import Case, State, gravest, risen

__all__ = ["ENTITIES", "GROUPS", "LINKS", "SHARED", "Gathering", "Incident", "Seen", "common", "entities", "grown", "opened", "seen",
           "sharing", "touched"]  # fmt: skip

ENTITIES: Final = 20
"""The most entities of an incident; what comes beyond them joins nothing to it."""

GROUPS: Final = 500
"""The most groups of an incident."""

LINKS: Final = 50
"""The most other incidents that one is linked to."""

SHARED: Final = 20
"""An entity that more groups than so many speak of within a window joins nothing."""

_LONGEST = 256  # characters of a value: what is longer was invented by a sender, and is cut
_VALUES = 5  # of a field that an alert has several values of
_HEADLINE = 90  # characters of a headline in a title

Seen = Mapping[str, int]
"""Which groups spoke of an entity, by fingerprint, and when last (event time, ns)."""


class Gathering(msgspec.Struct, frozen=True, kw_only=True):
    """How alerts are gathered: within how many ns, by which fields, from which severity on; how many incidents may be open."""

    window: int
    fields: tuple[str, ...]
    least: str
    most: int = 10_000

    def takes(self, severity: str) -> bool:
        """Whether alerts of this severity are gathered."""
        return SEVERITIES.get(severity, 0) >= SEVERITIES.get(self.least, 0)


class Incident(Case, frozen=True, kw_only=True, omit_defaults=True):
    """The incident `number`: its title, how many groups it has, by which entities they joined, those that are common by now, and the
    incidents that it touched."""

    number: int
    title: str = ""
    groups: int = 0
    entities: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    linked: tuple[int, ...] = ()


def entities(document: Mapping[str, Any], fields: Iterable[str]) -> tuple[str, ...]:
    """What an alert is about, each `field=value`, in the order of the fields; of a field with many values the first few."""
    found = []
    for field in fields:
        value: Any = document
        for part in field.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        values = value[:_VALUES] if isinstance(value, list) else [value]
        found += [f"{field}={one[:_LONGEST]}" for one in values if isinstance(one, str) and one]
    return tuple(dict.fromkeys(found))


def seen(groups: Seen, fingerprint: str, time: int) -> dict[str, int]:
    """The groups that spoke of an entity once this one does at `time` (ns): those that spoke last, one more than `SHARED`."""
    made = {**groups, fingerprint: max(time, groups.get(fingerprint, time))}
    if len(made) > SHARED + 1:
        del made[min(made, key=lambda one: (made[one], one))]
    return made


def sharing(groups: Seen, time: int, window: int) -> list[str]:
    """The groups that spoke of an entity within the window of `time`, ordered by when they did last."""
    return [print_ for last, print_ in sorted((last, print_) for print_, last in groups.items() if abs(time - last) <= window)]


def common(groups: Seen, time: int, window: int) -> bool:
    """Whether more than `SHARED` groups spoke of an entity within the window."""
    return len(groups) > SHARED and len(sharing(groups, time, window)) > SHARED


def opened(number: int, first: State, second: State, now: int) -> Incident:
    """A new incident, named after its first two groups and still without them."""
    title = "; ".join(_cut(one.headline) for one in (first, second))
    return Incident(number=number, revision=now // 1_000_000, title=title, opened=now, first=min(first.first, second.first),
                    severity=gravest(first.severity, second.severity))  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= _HEADLINE else f"{text[: _HEADLINE - 1]}…"


def grown(incident: Incident, group: State, named: Iterable[str], now: int) -> Incident:
    """The incident with one more group, which joined it by these entities."""
    return msgspec.structs.replace(
        incident, groups=incident.groups + 1, alerts=incident.alerts + group.alerts, revision=risen(incident.revision, now),
        entities=_with(incident, named), severity=gravest(incident.severity, group.severity),
        first=min(incident.first, group.first), last=max(incident.last, group.last),
    )  # fmt: skip


def touched(incident: Incident, alert_time: int, severity: str, named: Iterable[str], now: int) -> Incident:
    """The incident with one more alert of a group that it has."""
    return msgspec.structs.replace(
        incident, alerts=incident.alerts + 1, revision=risen(incident.revision, now), entities=_with(incident, named),
        severity=gravest(incident.severity, severity), first=min(incident.first, alert_time), last=max(incident.last, alert_time),
    )  # fmt: skip


def _with(incident: Incident, named: Iterable[str]) -> tuple[str, ...]:
    fresh = [one for one in named if one not in incident.common]
    return tuple(dict.fromkeys((*incident.entities, *fresh)))[:ENTITIES]
