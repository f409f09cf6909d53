"""The desk's rules: what becomes of a finding, given what its group has seen before. Pure; loading and committing is the engine's.

A *group* is all alerts of one rule for one typed group key: its fingerprint. Every finding becomes an alert with the group's
next `event.sequence`, until the group is forgotten: then it begins at 1 again, so nothing may take fingerprint and sequence for an id.
A finding that is to be told to nobody is an alert like any other; it keeps all reasons, the analyzer's own and the operator's. Rules
see the alert before its entities' risk is written on it: risk cannot keep itself from rising.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from ..events.fields import Document
from ..match.tree import Test
from ..wire.times import iso
from .document import laid
from .risk import Scale

__all__ = ["Decision", "Group", "Policy", "Suppress", "decide", "silenced"]


class Group(msgspec.Struct, frozen=True):
    """What is remembered of a fingerprint: the last `event.sequence`, times of first and last alert (ns)."""

    sequence: int = 0
    first: int = 0
    last: int = 0


class Suppress(msgspec.Struct, frozen=True):
    """An operator's rule: alerts of these analyzers (globs; none: any) that pass `test` (None: all) are told to nobody, because `name`."""

    name: str
    test: Test | None = None
    analyzers: tuple[str, ...] = ()

    def matches(self, analyzer: str, document: Document) -> bool:
        """Whether an alert of `analyzer` is meant."""
        return (not self.analyzers or any(fnmatchcase(analyzer, glob) for glob in self.analyzers)) and (
            self.test is None or self.test(document)
        )


class Policy(msgspec.Struct, frozen=True):
    """What an operator laid down: rules of suppression, how risk is reckoned (None: not at all), the outputs that take suppressed alerts.

    `mark` is what the desk's own alerts say under `pluginhost`, in a replay. `trends` are the outputs that take scores, at most
    `per_minute` of an analyzer in a minute of event time.
    """

    suppress: tuple[Suppress, ...] = ()
    risk: Scale | None = None
    hears: frozenset[str] = frozenset()
    mark: Mapping[str, Any] = {}
    trends: tuple[str, ...] = ()
    per_minute: int = 1000


class Decision(msgspec.Struct, frozen=True):
    """The alert's final document, the group afterwards, and why it is told to nobody (empty: it is told)."""

    document: dict[str, Any]
    group: Group
    suppressed: tuple[str, ...] = ()


def decide(document: Mapping[str, Any], time: int, group: Group | None, *, created: int, observer: str, analyzer: str = "",
           rules: Sequence[Suppress] = ()) -> Decision:  # fmt: skip
    """What becomes of a finding with this document at event time `time`; `created` is the desk's clock (both ns)."""
    before = group or Group(first=time, last=time)
    after = Group(before.sequence + 1, min(before.first, time), max(before.last, time))
    event = {**document["event"], "sequence": after.sequence, "created": iso(created, 3)}
    made = {**document, "event": event, "observer": {**document["observer"], "name": observer}}
    view = Document(made)
    reasons = tuple(dict.fromkeys((*silenced(made), *(rule.name for rule in rules if rule.matches(analyzer, view)))))
    if reasons:
        made = laid(made, ("pluginhost", "alert"), {"suppressed": list(reasons)})
    return Decision(made, after, reasons)


def silenced(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The reasons, as they stand in an alert's document, why it is told to nobody; none if it is told."""
    return tuple(document.get("pluginhost", {}).get("alert", {}).get("suppressed", ()))
