"""How often people hear of one group: thresholds, re-alerting, escalation, and what is remembered of the group for it. Pure.

All of it goes by event time, so that a replay comes to the same. A finding that is not told for one of these reasons is an alert like
any other, stored with the reason; the next that is told says how many were withheld.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..detect.finding import SEVERITIES
from ..events.fields import Document
from .scope import EVERY, Scope

__all__ = ["BELOW", "NOT_OPEN", "REALERT", "VALUES", "Group", "Grouping", "Pace", "Threshold", "ended", "paced"]

BELOW, REALERT, NOT_OPEN = "below_threshold", "realert", "not_open"
"""Reasons: fewer findings than are worth an alert; the group was told of a short while ago; an end of what nobody was told of."""

VALUES = 1000
"""The most distinct values that a threshold can count to."""

_LONGEST = 256  # characters of a value that is told apart


class Threshold(msgspec.Struct, frozen=True):
    """So many findings of a group, or distinct values of the field `distinct` in them, within `within` ns of the first are an alert."""

    count: int
    within: int
    distinct: str = ""


class Grouping(msgspec.Struct, frozen=True):
    """What holds for the groups of the alerts in `scope`. Times are ns.

    For `realert` after an alert nobody is told of its group again, unless it has become graver; with each alert soon after that it
    doubles, up to `realert_most`. A group without an alert for `resolve_after` has ended (0: nothing says so).
    """

    scope: Scope = EVERY
    threshold: Threshold | None = None
    realert: int = 0
    realert_most: int = 0
    resolve_after: int = 0


class Group(msgspec.Struct, frozen=True):
    """What is remembered of a fingerprint: the last `event.sequence`, times of first and last alert (ns).

    And of telling: until when nobody is told (ns) and how often that has doubled, the severity told last ("" if the group is not open),
    how many alerts were withheld since; and since when (ns) a threshold counts, how many and which values.
    """

    sequence: int = 0
    first: int = 0
    last: int = 0
    quiet: int = 0
    doubled: int = 0
    told: str = ""
    withheld: int = 0
    since: int = 0
    count: int = 0
    values: tuple[str, ...] = ()


class Pace(msgspec.Struct, frozen=True):
    """What becomes of one finding: the reasons why it is not told, the group if it is told and the group if it is not.

    `escalated` is the severity from which the group rose, "" if it did not; `withheld` is how many alerts were not told before this one.
    """

    reasons: tuple[str, ...]
    told: Group
    silent: Group
    escalated: str = ""
    withheld: int = 0


def paced(group: Group, time: int, severity: str, document: Document, grouping: Grouping) -> Pace:
    """What the group's own pace says of a finding at event time `time`."""
    counted, reached = _counted(group, time, document, grouping.threshold) if grouping.threshold else (group, True)
    quiet = time < group.quiet
    rose = group.told if quiet and SEVERITIES[severity] > SEVERITIES.get(group.told, 100) else ""
    reasons = (*(() if reached else (BELOW,)), *((REALERT,) if quiet and not rose else ()))
    silent = msgspec.structs.replace(counted, withheld=group.withheld + 1)
    until, doubled = _until(group, time, grouping)
    told = msgspec.structs.replace(counted, quiet=until, doubled=doubled, told=severity, withheld=0, count=0, values=())
    return Pace(reasons, told, silent, rose, group.withheld)


def ended(group: Group) -> Pace:
    """What becomes of a finding that says the group's condition is over."""
    over = msgspec.structs.replace(group, quiet=0, doubled=0, told="", withheld=0, count=0, values=())
    return Pace(() if group.told else (NOT_OPEN,), over, group, withheld=group.withheld)


def _counted(group: Group, time: int, document: Document, threshold: Threshold) -> tuple[Group, bool]:
    """The group with one more finding, and whether that is as many as it takes. Its window begins with the first, and does not slide.

    What comes late counts too; what is of a window long over stands alone, and ends none that has begun since.
    """
    if group.count and time <= group.since - threshold.within:
        return group, threshold.count == 1
    fresh = not group.count or time >= group.since + threshold.within
    since, count, values = (time, 0, ()) if fresh else (group.since, group.count, group.values)
    count += 1
    if threshold.distinct:
        values = _more(values, document.get(threshold.distinct))
    reached = (len(values) if threshold.distinct else count) >= threshold.count
    return msgspec.structs.replace(group, since=since, count=count, values=values), reached


def _more(values: tuple[str, ...], found: Any) -> tuple[str, ...]:
    """The values with those of a field, each once; none of a field that is not there."""
    fresh = (str(one)[:_LONGEST] for one in (found if isinstance(found, list) else [found]) if one is not None)
    return tuple(dict.fromkeys((*values, *fresh)))[:VALUES]


def _until(group: Group, time: int, grouping: Grouping) -> tuple[int, int]:
    """Until when the group is quiet after an alert at `time`, and how often its quiet time has doubled by then.

    It doubles when the alert came within one more such time of the last one's end, and halves for each that has passed without.
    """
    if not grouping.realert:
        return 0, 0
    doubled, span = group.doubled, grouping.realert
    if grouping.realert_most <= span or not 0 < group.quiet <= time:
        return time + span, 0
    idle = time - group.quiet
    if idle < span << doubled:
        doubled += 1
    while doubled and idle > span << doubled:
        idle -= span << doubled
        doubled -= 1
    if span << doubled >= grouping.realert_most:
        return time + grouping.realert_most, doubled - 1
    return time + (span << doubled), doubled
