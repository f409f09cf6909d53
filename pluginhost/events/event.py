"""A record as an analyzer sees it: read-only, found by ECS name whatever the shipper called it, decoded when first asked.

Nothing is renamed or expanded: `event["source.ip"]` follows a read plan into the decoded record and remembers the answer.
Scalars are handed out as they are; an object or a list is handed out frozen (`frozen.py`), which costs one copy of that
container per event; `record` therefore copies the containers of the whole record, once, and only if asked for. What
the shipper sent is `raw`, bytes that nothing can alter.
"""

from __future__ import annotations

from typing import Any

from ..wire.records import decode
from ..wire.times import iso
from .address import canonical
from .ecs import ADDRESSES, TYPES, fit
from .fields import MISSING, lookup, text, texts, values
from .frozen import FrozenDict, frozen
from .mapping import Mappings, Reading
from .slice import Slice

__all__ = ["Event", "MissingField"]


class MissingField(KeyError):
    """The record has no such field, under whatever name. `field` names it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field

    def __str__(self) -> str:
        return f"the record has no field `{self.field}`; event.get(`{self.field}`) gives None instead"


class Event:
    """One record. Fields go by ECS name: `event["source.ip"]`, `event.get("user.name")`, `"url.path" in event`."""

    __slots__ = ("_known", "_mappings", "_metadata", "_reading", "_record", "_slice", "_texts")

    def __init__(self, record: Slice, mappings: Mappings) -> None:
        self._slice, self._mappings = record, mappings
        self._known: dict[str, Any] = {}
        self._record: dict[str, Any] | None = None
        self._reading: Reading | None = None
        self._texts: tuple[str, ...] | None = None
        self._metadata: FrozenDict | None = None

    def __repr__(self) -> str:
        return f"<Event {self.offset}/{self.index} of {self.tag!r} at {iso(self.time)}>"

    # --- fields ---

    def __getitem__(self, field: str) -> Any:
        value = self._known.get(field, self)  # the event itself is what no field can hold: "not read yet"
        if value is self:
            value = self._read(field)
        if value is MISSING:
            raise MissingField(field)
        return value

    def __contains__(self, field: str) -> bool:
        return self.get(field, MISSING) is not MISSING

    def get(self, field: str, default: Any = None, /) -> Any:
        """The value of `field`, or `default` if it is missing; a field that is there as null is `None`."""
        value = self._known.get(field, self)
        if value is self:
            value = self._read(field)
        return default if value is MISSING else value

    def values(self, field: str, /) -> tuple[Any, ...]:
        """The elements of `field`: none if it is missing or an empty list, one for a scalar or null."""
        return values(self.get(field, MISSING))

    def texts(self) -> tuple[str, ...]:
        """Every text and number of the record, at any depth, as text."""
        if self._texts is None:
            self._texts = texts(self._decoded())
        return self._texts

    def _read(self, field: str) -> Any:
        record = self._decoded()
        value = lookup(record, field)
        if value is MISSING:
            value = iso(self.time) if field == "@timestamp" else self._plan().get(record, field)
        if field in ADDRESSES:
            value = [_shortest(item) for item in value] if isinstance(value, list) else _shortest(value)
        if isinstance(value, (dict, list)):
            value = frozen(value)
        self._known[field] = value
        return value

    def _decoded(self) -> dict[str, Any]:
        record = self._record
        if record is None:
            record = self._record = decode(self._slice.codec, self._slice.raw)
        return record

    def _plan(self) -> Reading:
        reading = self._reading
        if reading is None:
            reading = self._reading = self._mappings.read(self._slice.tag, self._decoded())
        return reading

    # --- the record beside its fields ---

    @property
    def time(self) -> int:
        """When it happened, in ns UTC."""
        return self._slice.time or self._slice.arrival

    @property
    def arrival(self) -> int:
        """When it arrived here, in ns UTC."""
        return self._slice.arrival

    @property
    def tag(self) -> str:
        """The shipper's tag."""
        return self._slice.tag

    @property
    def input(self) -> str:
        """The name of the input it came in by."""
        return self._slice.input

    @property
    def source(self) -> str:
        """The peer that sent it."""
        return self._slice.source

    @property
    def offset(self) -> int:
        """Its row in the journal."""
        return self._slice.offset

    @property
    def index(self) -> int:
        """Its place in the row."""
        return self._slice.index

    @property
    def raw(self) -> bytes:
        """The record's bytes as the shipper sent them."""
        return self._slice.raw

    @property
    def record(self) -> FrozenDict:
        """The record as the shipper named it, read-only to the bottom."""
        if type(self._record) is not FrozenDict:
            self._record = frozen(self._decoded())
        return self._record  # type: ignore[return-value]  # frozen above

    @property
    def metadata(self) -> FrozenDict:
        """What the shipper said beside the record, read-only, each where present: `own` (its metadata map), `group` and
        `group_record` (the metadata and the record of the group it stood in, such as OTLP's resource and scope)."""
        if self._metadata is None:
            self._metadata = frozen(_metadata(self._slice.own, self._slice.group))
        return self._metadata

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
        for field in TYPES:
            value = self.get(field, MISSING)
            if value is not MISSING and (value := fit(field, value)) is not MISSING:
                *parents, name = field.split(".")
                place = made
                for parent in parents:
                    place = place.setdefault(parent, {})
                place[name] = value
        return made


def _shortest(value: Any) -> Any:
    return (canonical(value) or value) if isinstance(value, str) else value


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
