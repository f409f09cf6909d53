"""Why an alert is told to nobody: an operator's rules, mutes that people have laid down, maintenance, allow lists, too little risk. Pure.

A reason is a word. All that hold are kept with the alert, behind the analyzer's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ..events.fields import Document
from ..events.references import Listing
from .calendar import Span, When
from .risk import LEVELS
from .scope import EVERY, Scope

__all__ = ["Lists", "Mute", "Suppress", "Vip", "reasons", "risk_reasons"]

Lists = Mapping[str, Listing]
"""An operator's lists, by name, as they are at a row of the journal."""

_VALUES = 100  # of a field that are looked up


class Suppress(msgspec.Struct, frozen=True):
    """An operator's rule: the alerts in `scope` are told to nobody, because `name`.

    Only at one of the times in `during`, if there are any; only if a value of `field` is in the list `list`, if one is named; only while
    the user's risk is below the level `below_risk`, if that is given.
    """

    name: str
    scope: Scope = EVERY
    during: tuple[When, ...] = ()
    list: str = ""
    field: str = ""
    below_risk: str = ""

    def holds(self, analyzer: str, fingerprint: str, time: int, document: Document, lists: Lists) -> bool:
        """Whether an alert at event time `time` is meant, as far as that can be told without its risk."""
        return (
            self.scope.holds(analyzer, fingerprint, document)
            and (not self.during or any(one.holds(time) for one in self.during))
            and (not self.list or _listed(document, self.field, lists.get(self.list)))
        )


class Mute(msgspec.Struct, frozen=True):
    """What a person laid down: the alerts in `scope` are told to nobody in `span`, because `name`."""

    name: str
    span: Span
    scope: Scope = EVERY

    def holds(self, analyzer: str, fingerprint: str, time: int, document: Document, _: Lists) -> bool:
        """Whether an alert at event time `time` is meant."""
        return self.span.holds(time) and self.scope.holds(analyzer, fingerprint, document)


class Vip(msgspec.Struct, frozen=True):
    """Whose alerts say so: these values of `field`, in any case, and those in the list `list`."""

    field: str
    values: frozenset[str] = frozenset()
    list: str = ""

    def holds(self, document: Document, lists: Lists) -> bool:
        """Whether an alert is about one of them."""
        found = (one for one in document.values(self.field)[:_VALUES] if isinstance(one, str))
        return any(one.casefold() in self.values for one in found) or (
            bool(self.list) and _listed(document, self.field, lists.get(self.list))
        )


def reasons(analyzer: str, fingerprint: str, time: int, document: Document, rules: Iterable[Suppress | Mute], lists: Lists) -> list[str]:
    """The names of the rules that hold, but for those that ask for the risk."""
    return [one.name for one in rules if not (isinstance(one, Suppress) and one.below_risk)
            and one.holds(analyzer, fingerprint, time, document, lists)]  # fmt: skip


def risk_reasons(analyzer: str, fingerprint: str, time: int, document: Document, rules: Iterable[Suppress], lists: Lists) -> list[str]:
    """The names of the rules that hold because the risk of the alert's user, this alert counted, is below theirs.

    An alert without a user has none: no such rule holds for it.
    """
    risk = document.get("user.risk.static_level") or document.get("user.risk.calculated_level")
    if risk not in LEVELS:
        return []
    return [one.name for one in rules if one.below_risk and LEVELS.index(risk) < LEVELS.index(one.below_risk)
            and one.holds(analyzer, fingerprint, time, document, lists)]  # fmt: skip


def _listed(document: Document, field: str, listing: Listing | None) -> bool:
    """Whether a value of the field is in the list; nothing is in a list that could not be read yet."""
    return listing is not None and any(
        isinstance(one, str) and listing.find(one) is not None for one in document.values(field)[:_VALUES]
    )
