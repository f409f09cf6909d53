"""A record in its normal form: read-only, lazy, found by the field's name whatever the shipper called it."""

from __future__ import annotations

from .event import Event, MissingField
from .fields import MISSING
from .mapping import Example, Keys, Line, Mapping, Mappings
from .slice import Slice

__all__ = ["MISSING", "Event", "Example", "Keys", "Line", "Mapping", "Mappings", "MissingField", "Slice"]
