"""Fields that follow from another one where the record does not have them: a place from an address, a browser from a user agent.

A group of derived fields is read from one source or not at all: where the record says itself where an address lies, no database is
asked for the rest of it, so that a city never stands in another country.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from . import agents
from .fields import MISSING
from .references import References
from .references.places import FIELDS as PLACES

__all__ = ["DERIVED", "Derived", "active", "derive"]

class Derived(msgspec.Struct, frozen=True):
    """Where a field comes from: `base` is the field it follows from, `part` its name in what is known of that, `own` are fields with
    one of which the record speaks for itself."""

    base: str
    part: str
    own: tuple[str, ...]


DERIVED: dict[str, Derived] = {field: Derived("user_agent.original", field, ("user_agent.name",)) for field in agents.FIELDS}
_OWN = {"geo": ("geo.country_iso_code", "geo.location", "geo.country_name"), "as": ("as.number", "as.organization.name")}
for _side in ("source", "destination"):
    for _field in PLACES:
        DERIVED[f"{_side}.{_field}"] = Derived(f"{_side}.ip", _field, tuple(f"{_side}.{one}" for one in _OWN[_field.partition(".")[0]]))


def derive(one: Derived, base: Any, references: References) -> Any:
    """What follows from `base`, the value of the field `one.base`; `MISSING` if nothing is known."""
    if not isinstance(base, str):
        return MISSING
    known: Mapping[str, Any] = agents.agent(base) if one.base == "user_agent.original" else references.places.of(base)
    return known.get(one.part, MISSING)


def active(references: References) -> tuple[str, ...]:
    """The fields that may be derived with these references."""
    return tuple(field for field, one in DERIVED.items() if references.places or one.base == "user_agent.original")
