"""The desk's rules: what becomes of a finding, given what its group has seen before. Pure; loading and committing is the engine's.

A *group* is all alerts of one rule for one typed group key: its fingerprint. Every finding becomes an alert with the group's
next `event.sequence`, until the group is forgotten: then it begins at 1 again, so nothing may take fingerprint and sequence for an id.
A finding that is to be told to nobody is an alert like any other; it keeps all reasons: the analyzer's own, the operator's rules and
mutes (`suppression`), the pace of its group (`grouping`). Rules see the alert before its entities' risk is written on it, but for those
that ask for a least risk; what those silence weighs all the same, so that risk cannot keep itself from rising.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..detect.finding import SEVERITIES, Severity
from ..events.fields import Document
from ..wire.times import iso
from .document import RESOLVED, laid
from .grouping import Group, Grouping, ended, paced
from .incidents import Gathering
from .links import Links, linked
from .risk import Scale
from .suppression import Lists, Mute, Suppress, Vip, reasons
from .telling import Audience

__all__ = ["Decision", "Found", "Group", "Held", "Policy", "Suppress", "decide", "resolves", "silenced", "silently"]

_EVERY = Grouping()


class Policy(msgspec.Struct, frozen=True):
    """What an operator laid down: rules of suppression, the pace of groups (the first that holds counts), who is a VIP, how risk is
    reckoned (None: not at all), who is told by outputs that notify, the outputs that take suppressed alerts.

    `mark` is what the desk's own alerts say under `pluginhost`, in a replay. `trends` are the outputs that take scores, at most
    `per_minute` of an analyzer in a minute of event time; `states` those that take the states of groups. `incidents` says how alerts are
    gathered (None: they are not), `links` where they are reviewed (None: alerts carry no links).
    """

    suppress: tuple[Suppress, ...] = ()
    grouping: tuple[Grouping, ...] = ()
    vip: Vip | None = None
    risk: Scale | None = None
    audiences: tuple[Audience, ...] = ()
    hears: frozenset[str] = frozenset()
    mark: Mapping[str, Any] = {}
    trends: tuple[str, ...] = ()
    per_minute: int = 1000
    states: tuple[str, ...] = ()
    incidents: Gathering | None = None
    links: Links | None = None

    @property
    def lists(self) -> frozenset[str]:
        """The names of the lists that it asks."""
        asked = {one.list for one in self.suppress} | ({self.vip.list} if self.vip else set())
        return frozenset(asked - {""})


class Held(msgspec.Struct, frozen=True):
    """What holds at a row of the journal, beside the policy: the mutes and the operator's lists."""

    mutes: tuple[Mute, ...] = ()
    lists: Lists = {}


class Found(msgspec.Struct, frozen=True):
    """What a finding is to the desk, beside its document: who made it, of which group, its event time (ns) and severity."""

    analyzer: str
    fingerprint: str
    time: int
    severity: Severity


class Decision(msgspec.Struct, frozen=True):
    """The alert's final document and severity, why it is told to nobody (empty: it is told), and the group afterwards in either case.

    `grouping` is what holds for the group.
    """

    document: dict[str, Any]
    severity: Severity
    told: Group
    silent: Group
    suppressed: tuple[str, ...] = ()
    grouping: Grouping = _EVERY

    @property
    def group(self) -> Group:
        """The group afterwards."""
        return self.silent if self.suppressed else self.told


def decide(document: Mapping[str, Any], found: Found, group: Group | None, *, created: int, observer: str, policy: Policy = Policy(),  # noqa: B008  # frozen
           held: Held = Held()) -> Decision:  # noqa: B008  # frozen  # fmt: skip
    """What becomes of a finding with this document; `created` is the desk's clock (ns)."""
    before = group or Group(first=found.time, last=found.time)
    after = msgspec.structs.replace(before, sequence=before.sequence + 1, first=min(before.first, found.time),
                                    last=max(before.last, found.time))  # fmt: skip
    event = {**document["event"], "sequence": after.sequence, "created": iso(created, 3)}
    made = {**document, "event": event, "observer": {**document["observer"], "name": observer}}
    view = Document(made)
    if policy.vip is not None and policy.vip.holds(view, held.lists):
        made = laid(made, ("pluginhost", "alert"), {"vip": True})
        view = Document(made)
    grouping = next((one for one in policy.grouping if one.scope.holds(found.analyzer, found.fingerprint, view)), _EVERY)
    over = resolves(document)
    pace = ended(after) if over else paced(after, found.time, found.severity, view, grouping)
    # Rules and mutes keep people from hearing of something new; that what they did hear of is over, they hear all the same.
    others = [] if over else reasons(found.analyzer, found.fingerprint, found.time, view, (*policy.suppress, *held.mutes), held.lists)
    why = (*silenced(made), *others, *pace.reasons)
    severity = found.severity
    if over and before.told in SEVERITIES:
        severity = before.told  # type: ignore[assignment]  # one of them, as just seen
        made = {**made, "log": {"level": severity}, "event": {**event, "severity": SEVERITIES[severity]}}
    marks = {**({"escalated": pace.escalated} if pace.escalated else {}), **({"withheld": pace.withheld} if pace.withheld else {})}
    if marks and not why:
        made = laid(made, ("pluginhost", "alert"), marks)
    if policy.links is not None:  # last, so that no rule goes by them: a replay has none
        made = linked(made, policy.links)
    silent = after if others or silenced(made) else pace.silent  # what is silenced anyhow counts for no threshold
    decision = Decision(made, severity, pace.told, silent, grouping=grouping)
    return silently(decision, why) if why else decision


def silently(decision: Decision, why: Sequence[str]) -> Decision:
    """The decision with these reasons, each once, why its alert is told to nobody."""
    once = tuple(dict.fromkeys((*decision.suppressed, *why)))
    document = laid(decision.document, ("pluginhost", "alert"), {"suppressed": list(once)})
    return msgspec.structs.replace(decision, document=document, suppressed=once)


def silenced(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The reasons, as they stand in an alert's document, why it is told to nobody; none if it is told."""
    return tuple(document.get("pluginhost", {}).get("alert", {}).get("suppressed", ()))


def resolves(document: Mapping[str, Any]) -> bool:
    """Whether the document says that its group's condition is over."""
    return bool(document.get("pluginhost", {}).get("alert", {}).get("status") == RESOLVED)
