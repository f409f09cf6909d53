"""The desk's rules: what becomes of a finding, given what its group has seen before. Pure; loading and committing is the engine's.

A *group* is all alerts of one rule for one typed group key: its fingerprint. Every finding becomes an alert with the group's
next `event.sequence`, until the group is forgotten: then it begins at 1 again, so nothing may take fingerprint and sequence for an id.
Later rules (re-alerting, muting, risk) decide here, and only here, and keep their reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..wire.times import iso

__all__ = ["Decision", "Group", "decide"]


class Group(msgspec.Struct, frozen=True):
    """What is remembered of a fingerprint: the last `event.sequence`, times of first and last alert (ns)."""

    sequence: int = 0
    first: int = 0
    last: int = 0


class Decision(msgspec.Struct, frozen=True):
    """The alert's final document, the group afterwards, and why it is told to nobody (empty: it is told)."""

    document: dict[str, Any]
    group: Group
    suppressed: tuple[str, ...] = ()


def decide(document: Mapping[str, Any], time: int, group: Group | None, *, created: int, observer: str) -> Decision:
    """What becomes of a finding with this document at event time `time`; `created` is the desk's clock (both ns)."""
    before = group or Group(first=time, last=time)
    after = Group(before.sequence + 1, min(before.first, time), max(before.last, time))
    event = {**document["event"], "sequence": after.sequence, "created": iso(created, 3)}
    return Decision({**document, "event": event, "observer": {**document["observer"], "name": observer}}, after)
