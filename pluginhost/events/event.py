"""A record as an analyzer sees it: read-only, found by ECS name whatever the shipper called it, decoded when first asked.

Nothing is renamed or expanded: `event["source.ip"]` follows a read plan into the decoded record and remembers the answer.
Scalars are handed out as they are; an object or a list is handed out frozen (`frozen.py`), which costs one copy of that
container per event; `record` therefore copies the containers of the whole record, once, and only if asked for. What
the shipper sent is `raw`, bytes that nothing can alter.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ..wire.records import decode
from ..wire.times import iso
from .address import canonical
from .derived import DERIVED, derive
from .ecs import ADDRESSES, fit
from .fields import MISSING, finder, text, texts, values
from .frozen import FrozenDict, frozen
from .mapping import OVER, Mappings, Reading
from .references import Entry, Listing
from .slice import Batch, Slice

__all__ = ["READING", "RECORD", "Event", "MissingField", "addressed", "slice_of"]


class MissingField(KeyError):
    """The record has no such field, under whatever name. `field` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"the record has no field `{self.field}`; event.get(`{self.field}`) gives None instead"


RECORD, READING, _TEXTS, _METADATA, _UNREAD = (object() for _ in range(5))
"""Under the first four an event keeps, beside the fields, what else was read of it (the decoded record, …); no field has such a name."""


class Event(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One record. Fields go by ECS name: `event["source.ip"]`, `event.get("user.name")`, `"url.path" in event`.

    An event of a batch is the record at `_place` in it.
    """

    _of: Slice | Batch
    _mappings: Mappings
    time: Annotated[int, msgspec.Meta(description="When it happened, in ns UTC.")] = 0
    _known: dict[Any, Any] = {}
    _place: int = 0

    def __post_init__(self) -> None:
        if not self.time:
            msgspec.structs.force_setattr(self, "time", slice_of(self).time or self._of.arrival)

    def __repr__(self) -> str:
        return f"<Event {self.offset}/{self.index} of {self.tag!r} at {iso(self.time)}>"

    # --- fields ---

    def __getitem__(self, field: str) -> Any:
        value = self._known.get(field, _UNREAD)
        if value is _UNREAD:
            value = self._read(field)
        if value is MISSING:
            raise MissingField(field)
        return value

    def __contains__(self, field: str) -> bool:
        return self.get(field, MISSING) is not MISSING

    def get(self, field: str, default: Any = None, /) -> Any:
        """The value of `field`, or `default` if it is missing; a field that is there as null is `None`."""
        value = self._known.get(field, _UNREAD)
        if value is _UNREAD:
            value = self._read(field)
        return default if value is MISSING else value

    def values(self, field: str, /) -> tuple[Any, ...]:
        """The elements of `field`: none if it is missing or an empty list, one for a scalar or null."""
        return values(self.get(field, MISSING))

    def texts(self) -> tuple[str, ...]:
        """Every text and number of the record, at any depth, as text."""
        known = self._known
        if _TEXTS not in known:
            known[_TEXTS] = texts(self._decoded())
        found: tuple[str, ...] = known[_TEXTS]
        return found

    def listed(self, field: str, name: str, /) -> Entry | None:
        """The entry of the configured list `name` that holds a value of `field`, or None; None also where there is no such list."""
        listing = self._mappings.references.lists.get(name)
        if listing is None:
            return None
        told = (text(value) for value in self.values(field))
        return next((found for value in told if value and (found := listing.find(value)) is not None), None)

    def listing(self, name: str, /) -> Listing | None:
        """The configured list `name`, whose `find(text)` gives the entry that holds a text, or None; None where there is no such list."""
        return self._mappings.references.lists.get(name)

    def _read(self, field: str) -> Any:
        known = self._known
        record = known.get(RECORD)
        value = MISSING if record is None or field in OVER else finder(field)(record)
        if value.__class__ is not str or field in ADDRESSES:  # most are texts, and nothing need be done with them
            value = self._made(field)
        known[field] = value
        return value

    def _made(self, field: str) -> Any:
        """The value as it is handed out: derived if the record does not have it, an address in its shortest form, containers frozen."""
        value = self._own(field)
        if value is MISSING and (derived := DERIVED.get(field)) is not None and not any(self._own(one) for one in derived.own):
            value = derive(derived, self.get(derived.base), self._mappings.references)
        return addressed(value) if field in ADDRESSES else frozen(value)

    def _own(self, field: str) -> Any:
        """The value as the record itself has it, under its own name or its mapping's."""
        record = self._known.get(RECORD) or self._decoded()
        if field in OVER:
            return self._plan().whole(record, field)
        value = finder(field)(record)
        if value is MISSING:
            value = iso(self.time) if field == "@timestamp" else self._plan().get(record, field)
        return value

    def _decoded(self) -> dict[str, Any]:
        record: dict[str, Any] | None = self._known.get(RECORD)
        if record is None:
            record = self._known[RECORD] = decode(self._of.codec, self.raw)
        return record

    def _plan(self) -> Reading:
        reading: Reading | None = self._known.get(READING)
        if reading is None:
            reading = self._known[READING] = self._mappings.read(self._of.tag, self._decoded())
        return reading

    # --- the record beside its fields ---

    @property
    def arrival(self) -> int:
        """When it arrived here, in ns UTC."""
        return self._of.arrival

    @property
    def tag(self) -> str:
        """The shipper's tag."""
        return self._of.tag

    @property
    def input(self) -> str:
        """The name of the input it came in by."""
        return self._of.input

    @property
    def source(self) -> str:
        """The peer that sent it."""
        return self._of.source

    @property
    def offset(self) -> int:
        """Its row in the journal."""
        return self._of.offset

    @property
    def index(self) -> int:
        """Its place in the row."""
        return slice_of(self).index

    @property
    def raw(self) -> bytes:
        """The record's bytes as the shipper sent them."""
        return self._of.raw(self._place) if isinstance(self._of, Batch) else self._of.raw

    @property
    def record(self) -> FrozenDict:
        """The record as the shipper named it, read-only to the bottom."""
        record = self._decoded()
        if type(record) is not FrozenDict:
            record = self._known[RECORD] = frozen(record)
        return record

    @property
    def metadata(self) -> FrozenDict:
        """What the shipper said beside the record, read-only, each where present: `own` (its metadata map), `group` and
        `group_record` (the metadata and the record of the group it stood in, such as OTLP's resource and scope)."""
        known = self._known
        if _METADATA not in known:
            one = slice_of(self)
            known[_METADATA] = frozen(_metadata(one.own, one.group))
        found: FrozenDict = known[_METADATA]
        return found

    @property
    def message(self) -> str:
        """The record's message as text, "" if it has none."""
        return text(self.get("message")) or ""

    @property
    def mapping(self) -> str:
        """The name of the mapping it is read by, "" if none knows its shape."""
        found = self._plan().mapping
        return found.name if found is not None else ""

    def document(self) -> dict[str, Any]:
        """A new nested ECS document of all that the record says by ECS names, with only what fits the index's types."""
        made: dict[str, Any] = {}
        for field in dict.fromkeys((*self._plan().possible(self._decoded()), *self._mappings.derived)):
            value = self.get(field, MISSING)
            if value is not MISSING and (value := fit(field, value)) is not MISSING:
                *parents, name = field.split(".")
                place = made
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[name] = value
        return made


def slice_of(event: Event) -> Slice:
    """The record with its header, as it lies in the journal; for the engine."""
    of = event._of  # noqa: SLF001 - a part of this class that its users need not see
    return of.slice(event._place) if isinstance(of, Batch) else of  # noqa: SLF001 - see above


def addressed(value: Any) -> Any:
    """What a field of addresses holds: each in its shortest form, whatever is none as it is, nothing that can be altered."""
    if isinstance(value, str):
        return canonical(value) or value
    return frozen([(canonical(item) or item) if isinstance(item, str) else item for item in value] if isinstance(value, list) else value)


def _metadata(own: bytes, group: bytes) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if own:
        made["own"] = _map(own)
    # A map of one entry around the header `[[time, metadata], record]`: maps are all that `decode` knows.
    match _map(b"\x81\xa1g" + group).get("g") if group else None:
        case [[_, dict() as metadata], dict() as record]:
            made["group"], made["group_record"] = metadata, record
    return made


def _map(raw: bytes) -> dict[str, Any]:
    try:
        return decode("msgpack", raw)
    except ValueError:  # metadata is a courtesy: a shipper's nonsense there is no reason to fail at its record
        return {}
